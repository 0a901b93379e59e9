//! Times, against chrono: what is read is what chrono makes of it, and what is refused is refused by rule.

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;
use kometsales::model::time::{day_before, http_date};
use kometsales::model::{Timestamp, Zone};

/// UTC, and zones with whole hours, half hours, seconds, no day at all (Apia, 2011-12-30) and a day before the year 1.
const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Europe/Amsterdam",
    "Pacific/Apia",
    "America/Bogota",
];

/// Checks bytes as a time of a record, and as that of a reply.
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut outcome = String::new();
    for name in ZONES {
        let (zone, theirs): (_, Tz) = (Zone::named(name).unwrap(), name.parse().unwrap());
        let (instant, expected) = (zone.parse(&text), expected(&text, theirs));
        assert_eq!(instant.map(Timestamp::micros), expected, "{text:?} in {name}");
        let Some(instant) = instant else { continue };
        of_an_instant(instant, zone, theirs);
        outcome = format!(
            "{} {:?}",
            form(&text),
            theirs.from_local_datetime(&local(&text)).latest().is_some()
        );
    }
    let of_a_reply = http_date(&text);
    if let Some(instant) = of_a_reply {
        of_a_head(instant);
    }
    let form = of_a_reply.map(|_| form(&text));
    format!("{outcome} {form:?}")
}

/// A text with every digit as 0 and every letter as a, and no more of it than tells its form.
fn form(text: &str) -> String {
    let form = |c: char| match c {
        '0'..='9' => '0',
        c if c.is_alphabetic() => 'a',
        c => c,
    };
    text.chars().take(40).map(form).collect()
}

fn local(text: &str) -> NaiveDateTime {
    let head = text.get(..19).unwrap_or_default().replace([' ', 't'], "T");
    NaiveDateTime::parse_from_str(&head, "%Y-%m-%dT%H:%M:%S").unwrap_or_default()
}

/// What chrono makes of a time: the whole form by a pattern, its figures by chrono.
fn expected(text: &str, zone: Tz) -> Option<i64> {
    let (head, rest) = text.split_at_checked(19)?;
    let is_like = |c: char, pattern: char| match pattern {
        '0' => c.is_ascii_digit(),
        'T' => matches!(c, 'T' | 't' | ' '),
        other => c == other,
    };
    let pattern = "0000-00-00T00:00:00";
    if head.len() != head.chars().count()
        || !head.chars().zip(pattern.chars()).all(|(c, p)| is_like(c, p))
    {
        return None;
    }
    let head = head.replace([' ', 't'], "T");
    let local = NaiveDateTime::parse_from_str(&head, "%Y-%m-%dT%H:%M:%S").ok()?;
    // Chrono knows a leap second, which no clock of Komet's shows.
    if local.nanosecond() != 0 || head.ends_with("60") {
        return None;
    }
    let digits: String = match rest.strip_prefix('.') {
        Some(fraction) => fraction.chars().take_while(char::is_ascii_digit).collect(),
        None => String::new(),
    };
    let rest = match rest.strip_prefix('.') {
        Some(_) if digits.is_empty() => return None,
        Some(fraction) => &fraction[digits.len()..],
        None => rest,
    };
    let micros: i64 = format!("{digits:0<6}")[..6].parse().unwrap();
    let local = local + TimeDelta::microseconds(micros);
    let instant = match rest {
        "" => in_zone(local, zone)?,
        "Z" | "z" => local.and_utc(),
        offset => {
            // chrono reads blanks and more forms; the documented ones have two or four digits.
            let shape: String = form(offset);
            if !["+00", "-00", "+0000", "-0000", "+00:00", "-00:00"].contains(&shape.as_str()) {
                return None;
            }
            let hours = if offset.len() == 3 { format!("{offset}00") } else { offset.to_owned() };
            let text = format!("{}{hours}", local.format("%Y-%m-%dT%H:%M:%S%.6f"));
            DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?.to_utc()
        }
    };
    let is_in_range = |at: &DateTime<Utc>| (1..=9999).contains(&at.year());
    // A local time is one of the years 1 to 9999 too.
    let is_local = !rest.is_empty() || (1..=9999).contains(&local.year());
    Some(instant).filter(is_in_range).filter(|_| is_local).map(|at| at.timestamp_micros())
}

/// Of two instants the earlier, and in a gap the first after it: found by going on second by second.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return Some(at.to_utc()),
        LocalResult::None => {}
    }
    let before = (1..=2 * 1440).find_map(|minutes| {
        zone.from_local_datetime(&(local - TimeDelta::minutes(minutes))).latest()
    });
    let mut at = before?.to_utc().with_nanosecond(0)?;
    while at.with_timezone(&zone).naive_local() < local {
        at += TimeDelta::seconds(1);
    }
    Some(at)
}

/// What can be asked of an instant, against what chrono says of it.
fn of_an_instant(instant: Timestamp, zone: Zone, theirs: Tz) {
    let at = DateTime::from_timestamp_micros(instant.micros()).unwrap();
    let text = instant.to_string();
    assert_eq!(Zone::named("Pacific/Apia").unwrap().parse(&text), Some(instant), "{text}");
    assert_eq!(DateTime::parse_from_rfc3339(&text).unwrap(), at, "{text}");
    let mut written = Vec::new();
    instant.write(&mut written);
    assert_eq!(String::from_utf8(written).unwrap(), text);
    let civil = instant.civil();
    assert_eq!(
        (civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, civil.micros),
        (
            u32::try_from(at.year()).unwrap(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.nanosecond() / 1000
        )
    );
    assert_eq!(instant.millis(), at.timestamp_millis());
    assert_eq!(zone.date(instant), at.with_timezone(&theirs).date_naive());
    let micros = |at: DateTime<Utc>| Timestamp::from(at).micros();
    assert_eq!(instant.day_after().micros(), micros(at + TimeDelta::days(1)));
    for hours in [0, 1, 720, 87_600] {
        let before = at - TimeDelta::hours(hours.into());
        assert_eq!(instant.hours_before(hours).micros(), micros(before), "{text}");
    }
    assert_eq!(instant.end_of_second().micros(), micros(at.with_nanosecond(999_999_999).unwrap()));
    let date = at.date_naive();
    if let Some(midnight) = in_zone(date.and_time(NaiveTime::MIN), theirs) {
        assert_eq!(zone.midnight(date).micros(), micros(midnight), "{text} in {theirs}");
    }
    let first = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
    assert_eq!(day_before(date), date.pred_opt().unwrap().max(first));
}

/// The three forms of RFC 9110 §5.6.7, as chrono writes them.
fn of_a_head(instant: Timestamp) {
    let at = DateTime::from_timestamp_micros(instant.micros()).unwrap();
    assert_eq!(at.nanosecond(), 0, "to the second");
    let usual = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    assert_eq!(http_date(&usual), Some(instant), "{usual}");
    let third = at.format("%a %b %e %H:%M:%S %Y").to_string();
    assert_eq!(http_date(&third), Some(instant), "{third}");
    if (1970..2069).contains(&at.year()) {
        let second = at.format("%A, %d-%b-%y %H:%M:%S GMT").to_string();
        assert_eq!(http_date(&second), Some(instant), "{second}");
    }
}
