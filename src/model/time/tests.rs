use proptest::prelude::*;

use super::*;

fn at(zone: &str, text: &str) -> Option<String> {
    Zone::named(zone).unwrap().parse(text).map(|instant| instant.to_string())
}

#[test]
fn the_documented_form_is_read_in_the_zone() {
    assert_eq!(at("UTC", "2017-08-02T12:15:17").unwrap(), "2017-08-02T12:15:17Z");
    assert_eq!(at("America/Bogota", "2017-08-02T12:15:17").unwrap(), "2017-08-02T17:15:17Z");
}

#[test]
fn fractions_offsets_and_blanks_are_read() {
    for (text, expected) in [
        ("2017-08-02 12:15:17", "2017-08-02T12:15:17Z"),
        ("2017-08-02T12:15:17.5", "2017-08-02T12:15:17.500000Z"),
        ("2017-08-02T12:15:17.1234567", "2017-08-02T12:15:17.123456Z"),
        ("2017-08-02T12:15:17Z", "2017-08-02T12:15:17Z"),
        ("2017-08-02T12:15:17.25+02:00", "2017-08-02T10:15:17.250000Z"),
        ("2017-08-02T12:15:17-0500", "2017-08-02T17:15:17Z"),
        ("2017-08-02T12:15:17+05", "2017-08-02T07:15:17Z"),
    ] {
        assert_eq!(at("UTC", text).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_no_instant_is_refused() {
    for text in [
        "",
        "2017-08-02",
        "2017-08-02T12:15",
        "2017-13-02T12:15:17",
        "2017-02-29T12:15:17",
        "2017-08-02T24:00:00",
        "2017-08-02T12:60:17",
        "2017-08-02T12:15:60",
        "yesterday",
        "2017-08-02T12:15:17.",
        "2017-08-02T12:15:17+",
        "2017-08-02T12:15:17+25:00",
        "2017-08-02T12:15:17 PM",
        "0000-00-00 00:00:00",
        "0000-01-01T00:00:00",
        "2017/08/02T12:15:17",
        " 2017-08-02T12:15:17",
        "2017-08-02T12:15:1é",
        "9999-12-31T23:59:59-01:00",
    ] {
        assert_eq!(at("UTC", text), None, "{text}");
    }
}

#[test]
fn an_ambiguous_local_time_is_the_earlier_instant() {
    assert_eq!(at("America/New_York", "2024-11-03T01:30:00").unwrap(), "2024-11-03T05:30:00Z");
}

#[test]
fn a_skipped_local_time_is_the_instant_after_the_gap() {
    assert_eq!(at("America/New_York", "2024-03-10T02:30:00").unwrap(), "2024-03-10T07:00:00Z");
    assert_eq!(at("Pacific/Apia", "2011-12-30T12:00:00").unwrap(), "2011-12-30T10:00:00Z");
}

#[test]
fn a_zone_changes_its_clocks_only_while_it_does() {
    let changes = |zone: &str, text: &str| {
        Zone::named(zone).unwrap().changes_clocks(Zone::UTC.parse(text).unwrap())
    };
    assert!(changes("America/New_York", "2024-06-01T00:00:00"));
    assert!(changes("Africa/Casablanca", "2024-06-01T00:00:00"));
    assert!(!changes("America/Bogota", "2024-06-01T00:00:00"));
    assert!(!changes("UTC", "2024-06-01T00:00:00"));
    assert!(!changes("America/Sao_Paulo", "2024-06-01T00:00:00"));
    assert!(changes("America/Sao_Paulo", "2018-06-01T00:00:00"));
}

#[test]
fn days_and_midnights_follow_the_zone() {
    let zone = Zone::named("America/Bogota").unwrap();
    let date = NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
    let midnight = zone.midnight(date);
    assert_eq!(midnight.to_string(), "2024-03-01T05:00:00Z");
    assert_eq!(zone.date(midnight), date);
    assert_eq!(day_before(date).to_string(), "2024-02-29");
    // The first instant of the year 1 falls on a day before it west of Greenwich.
    let west = Zone::named("America/Bogota").unwrap();
    let first = west.date(Zone::UTC.parse("0001-01-01T00:00:00").unwrap());
    assert_eq!(first.to_string(), "0000-12-31");
    for date in [first, NaiveDate::from_ymd_opt(1, 1, 1).unwrap(), NaiveDate::MIN] {
        assert_eq!(day_before(date).to_string(), "0001-01-01");
    }
}

#[test]
fn the_date_header_is_read() {
    let read = http_date("Tue, 24 Nov 2026 01:02:03 GMT").unwrap();
    assert_eq!(read.to_string(), "2026-11-24T01:02:03Z");
    for older in ["Tuesday, 24-Nov-26 01:02:03 GMT", "Tue Nov 24 01:02:03 2026"] {
        assert_eq!(http_date(older), Some(read), "{older}");
    }
    assert_eq!(http_date("soon"), None);
    // No clock shows them, and the nearest year that there is would be another.
    for other in ["Sat, 01 Jan 10000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 EST"] {
        assert_eq!(http_date(other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(micros in Timestamp::FIRST..=Timestamp::LAST) {
        let instant = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(Zone::UTC.parse(&instant.to_string()), Some(instant));
        let shown = DateTime::from_timestamp_micros(micros).unwrap();
        prop_assert_eq!(
            instant.to_string()[..19].to_owned(),
            shown.format("%Y-%m-%dT%H:%M:%S").to_string()
        );
    }
}
