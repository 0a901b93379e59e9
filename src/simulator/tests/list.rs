//! The list itself: its records, its filters, its edits.

use std::collections::{HashMap, HashSet};
use std::io;

use chrono::Utc;
use serde_json::Value;

use super::super::fault::Fault;
use super::super::write_reply;
use super::{End, customers, exchange, list, simulator};

#[test]
fn the_whole_list_is_the_documented_form() {
    let simulator = simulator(1000);
    let exchange = list(&simulator, "&includeInactive=true", "");
    assert_eq!((exchange.status(), exchange.end), (200, End::Closed));
    assert_eq!(exchange.header("Content-Type"), Some("application/json"));
    assert!(exchange.header("Date").is_some_and(|date| date.ends_with(" GMT")));
    let text = exchange.text();
    assert!(
        text.starts_with(r#"{"status":"1","message":"OK","customers":[{"id":""#),
        "{}",
        &text[..99]
    );
    let order = [
        "id",
        "accountingCode",
        "customerType",
        "salesPerson",
        "name",
        "salesPersonId",
        "active",
        "code",
        "updatedOn",
    ];
    let records = customers(&simulator, "");
    assert_eq!(records.len(), 1000);
    for record in &records {
        let keys: Vec<_> = record.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: Vec<_> = order.into_iter().filter(|key| keys.contains(key)).collect();
        assert_eq!(keys, expected);
        assert_eq!(record.get("salesPerson").is_some(), record.get("salesPersonId").is_some());
        assert!(record["id"].is_string() && record["active"].is_string());
        assert!(record["code"].as_str().unwrap().len() <= 10);
        let updated = record["updatedOn"].as_str().unwrap();
        assert!(("2017-01-01T00:00:00".."2026-07-01").contains(&updated), "{updated}");
        assert!(chrono::NaiveDateTime::parse_from_str(updated, "%Y-%m-%dT%H:%M:%S").is_ok());
    }
}

#[test]
fn the_records_are_as_various_as_real_ones() {
    let simulator = simulator(4000);
    let records = customers(&simulator, "");
    let share = |has: &dyn Fn(&Value) -> bool| {
        records.iter().filter(|record| has(record)).count() * 100 / records.len()
    };
    let name = |record: &Value| record["name"].as_str().unwrap().to_owned();
    assert!((5..12).contains(&share(&|record| record["active"] == "0")));
    assert!((12..18).contains(&share(&|record| record.get("accountingCode").is_none())));
    assert!((7..13).contains(&share(&|record| record.get("salesPersonId").is_none())));
    assert!((20..40).contains(&share(&|record| record["customerType"] == "")));
    assert!((6..14).contains(&share(&|record| !record.to_string().is_ascii())));
    assert!((2..8).contains(&share(&|record| name(record).contains('"'))));
    assert!((10..40).contains(&share(&|record| name(record).contains('&'))));
    assert!((10..30).contains(&share(&|record| record["code"].as_str().unwrap().starts_with('0'))));
    let ids: Vec<u64> =
        records.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    assert!(!ids.is_sorted());
    assert!(records.iter().map(name).collect::<HashSet<_>>().len() > records.len() / 3);
}

#[test]
fn ids_stay_unique_in_a_long_list() {
    let ids: HashSet<_> = (0..200_000).map(super::super::customer::id_of).collect();
    assert_eq!(ids.len(), 200_000);
}

#[test]
fn times_are_those_of_the_calendar() {
    // Steps of 13 hours or so meet every day from 1970 to 2100, leap days included.
    for seconds in (0..4_102_444_800).step_by(46_801) {
        let mut written = Vec::new();
        super::super::record::write_time(&mut written, seconds, b'T');
        let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
        assert_eq!(String::from_utf8(written).unwrap(), format!("{time:?}"));
    }
}

#[test]
fn two_simulators_have_the_same_customers_and_a_longer_list_begins_with_the_shorter() {
    let (one, other, longer) = (simulator(50), simulator(50), simulator(70));
    assert_eq!(customers(&one, ""), customers(&other, ""));
    assert_eq!(customers(&one, ""), customers(&longer, "")[..50]);
}

#[test]
fn the_default_hides_deactivated_customers() {
    let simulator = simulator(300);
    let all = customers(&simulator, "").len();
    let count = |parameters: &str| {
        list(&simulator, parameters, "").json()["customers"].as_array().unwrap().len()
    };
    assert!(count("") < all);
    assert_eq!(count("&includeInactive=false"), count(""));
    assert_eq!(count("&includeInactive=0"), count(""));
    assert_eq!(count("&includeInactive=1"), all);
    assert_eq!(count("&includeInactive=TRUE"), all);
}

#[test]
fn every_filter_keeps_exactly_the_customers_it_names() {
    let simulator = simulator(2000);
    let all = customers(&simulator, "");
    let check = |parameters: &str, keep: &dyn Fn(&Value) -> bool| {
        let expected: Vec<_> = all.iter().filter(|record| keep(record)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{parameters}");
        assert_eq!(customers(&simulator, parameters), expected, "{parameters}");
    };
    let id = all[77]["id"].as_str().unwrap();
    check(&format!("&id={id}"), &|record| record["id"] == id);
    let code = all[5]["code"].as_str().unwrap();
    check(&format!("&code={}", code.to_lowercase()), &|record| record["code"] == code);
    check("&salesPersonId=1819", &|record| record["salesPersonId"] == 1819);
    check("&name=BOGOT%C3%81", &|record| record["name"].as_str().unwrap().contains("Bogotá"));
    check("&name=s+%26+g", &|record| {
        record["name"].as_str().unwrap().to_lowercase().contains("s & g")
    });
    check("&updateAsOf=2025-03-01", &|record| {
        record["updatedOn"].as_str().unwrap() >= "2025-03-01T00:00:00"
    });
    check("&salesPersonId=1822&updateAsOf=2020-01-01", &|record| {
        record["salesPersonId"] == 1822 && record["updatedOn"].as_str().unwrap() >= "2020-01-01"
    });
    assert_eq!(customers(&simulator, "&updatedAsOf=2025-03-01&name="), all, "unknown and empty");
}

#[test]
fn every_customer_is_at_one_location_or_two() {
    let simulator = simulator(100);
    let mut seen: HashMap<String, u32> = HashMap::new();
    for location in 1..=4 {
        for record in customers(&simulator, &format!("&locationId={location}")) {
            *seen.entry(record["id"].to_string()).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 100);
    assert_eq!(seen.values().filter(|count| **count == 2).count(), 20);
    assert!(customers(&simulator, "&locationId=5").is_empty());
}

#[test]
fn nothing_found_is_an_empty_array() {
    let simulator = simulator(10);
    let text = list(&simulator, "&id=1", "").text();
    assert_eq!(text, r#"{"status":"1","message":"OK","customers":[]}"#);
}

#[test]
fn a_wrong_token_path_method_or_value_is_refused_as_the_api_does() {
    let simulator = simulator(1);
    let get = |target: &str| exchange(&simulator, &format!("GET {target} HTTP/1.1\r\n\r\n"));
    for target in ["/api/customer.list", "/api/customer.list?authenticationToken=wrong"] {
        let reply = get(target);
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.text(), r#"{"status":"0","message":"Token not found"}"#);
    }
    let missing = get("/api/invoice.list");
    assert_eq!(missing.status(), 404);
    assert!(missing.text().contains("<html>"));
    let post =
        exchange(&simulator, "POST /api/customer.list HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!((post.status(), post.header("Allow")), (405, Some("GET")));
    for wrong in ["&id=x", "&includeInactive=perhaps", "&updateAsOf=yesterday"] {
        assert_eq!(list(&simulator, wrong, "").json()["status"], "0", "{wrong}");
    }
    assert_eq!(exchange(&simulator, "no request\r\n\r\n").status(), 400);
}

#[test]
fn a_list_comes_in_gzip_when_it_is_asked_for() {
    let simulator = simulator(2000);
    let plain = list(&simulator, "", "Accept-Encoding: identity, gzip;q=0\r\n");
    let packed = list(&simulator, "", "accept-encoding: br, GZIP;q=0.5\r\n");
    assert_eq!(plain.header("Content-Encoding"), None);
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    assert!(packed.body.len() * 2 < plain.body.len());
    assert_eq!(plain.text(), packed.text());
}

#[test]
fn an_old_client_gets_no_chunks() {
    let simulator = simulator(3);
    let request = format!(
        "GET /api/customer.list?authenticationToken={} HTTP/1.0\r\n\r\n",
        simulator.token()
    );
    let reply = exchange(&simulator, &request);
    assert_eq!(reply.header("Transfer-Encoding"), None);
    assert!(serde_json::from_slice::<Value>(&reply.body).is_ok());
}

#[test]
fn edits_are_in_later_replies_and_pass_the_filter_by_day() {
    let simulator = simulator(400);
    let before = customers(&simulator, "");
    let day = Utc::now().format("%Y-%m-%d").to_string();
    let since = format!("&updateAsOf={day}");
    assert!(customers(&simulator, &since).is_empty());
    let mut ids: Vec<String> = simulator.change(20).iter().map(u64::to_string).collect();
    let edited = customers(&simulator, &since);
    let mut found: Vec<_> =
        edited.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    found.sort();
    assert_eq!(ids, found);
    let old = |id: &Value| before.iter().find(|record| record["id"] == *id).unwrap();
    for record in &edited {
        let was = old(&record["id"]);
        assert!(record["name"] != was["name"] || record["active"] != was["active"]);
        assert!(record["updatedOn"].as_str().unwrap() >= day.as_str());
    }
    assert!(edited.iter().any(|record| record["active"] != old(&record["id"])["active"]));
    assert_eq!(customers(&simulator, "").len(), 400);
    let again: HashSet<_> = simulator.change(380).into_iter().map(|id| id.to_string()).collect();
    assert!(ids.iter().all(|id| !again.contains(id)), "the others come first");
    assert_eq!(simulator.change(9999).len(), 400);
}

#[test]
fn an_edit_can_be_asked_for_over_http() {
    let simulator = simulator(10);
    let ask = |line: &str| exchange(&simulator, &format!("{line} HTTP/1.1\r\n\r\n"));
    simulator.reply_next(Fault::Refuse);
    let reply = ask("POST /simulator/change?customers=3").json();
    assert_eq!(reply["changed"], 3);
    assert_eq!(reply["ids"].as_array().unwrap().len(), 3);
    assert_eq!(ask("GET /simulator/change?customers=3").status(), 405);
    assert_eq!(ask("POST /simulator/change?customers=x").status(), 400);
    assert!(simulator.requests().is_empty(), "no request of the API");
}

/// Knows how much came, and how much at once.
#[derive(Default)]
struct Counter {
    total: u64,
    largest: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.total += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_long_reply_is_written_in_small_pieces() {
    let mut counter = Counter::default();
    let written = write_reply(&mut counter, 200_000).unwrap();
    assert_eq!(written, counter.total);
    assert!((195..215).contains(&(written / 200_000)), "{written}");
    assert!(counter.largest < 70_000);
}

#[test]
fn a_reply_in_a_file_is_the_reply_on_the_wire() {
    let mut file = Vec::new();
    write_reply(&mut file, 500).unwrap();
    let simulator = simulator(500);
    assert_eq!(list(&simulator, "&includeInactive=1", "").text().as_bytes(), file);
}

#[test]
fn customers_can_be_removed_and_brought_back() {
    let simulator = simulator(40);
    let ids = |parameters: &str| -> HashSet<String> {
        let parameters = format!("&includeInactive=true{parameters}");
        let list = customers(&simulator, &parameters);
        list.iter().map(|customer| customer["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids("");
    let removed: Vec<String> = simulator.remove(3).iter().map(u64::to_string).collect();
    let ask = |line: &str| exchange(&simulator, &format!("{line} HTTP/1.1\r\n\r\n")).json();
    let also = ask("POST /simulator/remove?customers=1");
    assert_eq!((removed.len(), also["changed"].as_u64(), ids("").len()), (3, Some(1), 36));
    assert!(removed.iter().all(|id| !ids("").contains(id) && ids(&format!("&id={id}")).is_empty()));
    assert_eq!(simulator.restore(1).iter().map(u64::to_string).collect::<Vec<_>>(), removed[..1]);
    assert_eq!(ids(&format!("&id={}", removed[0])).len(), 1);
    assert_eq!(ask("POST /simulator/restore?customers=9")["changed"], 3);
    assert_eq!(ids(""), all);
    assert_eq!((simulator.remove(99).len(), ids("").len()), (40, 0));
}
