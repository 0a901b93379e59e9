//! The faults of what a reply says: its status, its envelope, its records.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Fault, healthy, list, played, simulator};

fn records(fault: &str) -> Vec<Value> {
    played(fault).json()["customers"].as_array().unwrap().clone()
}

fn truth() -> Vec<Value> {
    records("healthy")
}

#[test]
fn failures_in_the_envelope() {
    let message = |fault: &str| {
        let reply = played(fault);
        assert_eq!(reply.status(), 200);
        assert!(reply.json().get("customers").is_none());
        (reply.json()["status"].clone(), reply.json()["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(message("status-zero"), (json!("0"), "Internal error, try later".to_owned()));
    assert_eq!(message("status-zero:a \"b\": c"), (json!("0"), "a \"b\": c".to_owned()));
    assert_eq!(message("token-refused"), (json!("0"), "Token not found".to_owned()));
    assert_eq!(message("not-found"), (json!("0"), "Customers not found".to_owned()));
    assert_eq!(message("empty-message").0, "1");
    let simulator = simulator(1);
    simulator.reply_next(Fault::EchoToken);
    let request = "GET /api/customer.list?authenticationToken=se%2Fcret HTTP/1.1\r\n\r\n";
    let text = super::exchange(&simulator, request).text();
    assert!(text.contains("se/cret") && text.contains("authenticationToken=se%2Fcret&"), "{text}");
}

#[test]
fn failures_of_http() {
    for (fault, status, kind) in [
        ("unauthorized", 401, "application/json"),
        ("forbidden", 403, "application/json"),
        ("missing", 404, "text/html; charset=utf-8"),
        ("rate-limit:7", 429, "application/json"),
        ("server-error", 503, "text/html; charset=utf-8"),
        ("server-error:500", 500, "text/html; charset=utf-8"),
        ("redirect", 302, "text/html; charset=utf-8"),
        ("web-page", 200, "text/html; charset=utf-8"),
        ("plain-text", 200, "text/plain; charset=utf-8"),
    ] {
        let reply = played(fault);
        assert_eq!((reply.status(), reply.header("Content-Type")), (status, Some(kind)), "{fault}");
        assert!(reply.header("Date").is_some());
    }
    assert_eq!(played("rate-limit:7").header("Retry-After"), Some("7"));
    assert_eq!(played("plain-text").text(), "Service under maintenance");
    let redirect = played("redirect");
    assert_eq!(redirect.header("Location"), Some("https://elsewhere.example/login"));
    let limited = played("rate-limit-date:90");
    let time = |name| {
        chrono::DateTime::parse_from_rfc2822(limited.header(name).unwrap()).unwrap().timestamp()
    };
    assert!((89..=91).contains(&(time("Retry-After") - time("Date"))));
}

#[test]
fn a_reply_without_a_date() {
    let reply = played("no-date");
    assert_eq!(reply.header("Date"), None);
    assert_eq!(reply.text(), healthy());
}

#[test]
fn envelopes_that_are_not_as_documented() {
    let keys = |fault: &str| -> Vec<String> {
        played(fault).json().as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys("status-last"), ["customers", "status", "message"]);
    assert_eq!(keys("status-missing"), ["message", "customers"]);
    assert_eq!(played("one-object").json()["customers"], truth()[0]);
    assert_eq!(played("not-an-object").json().as_array().unwrap(), &truth());
    let text = played("two-values").text();
    let values: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(values.len(), 2);
    assert_eq!(played("bom").text(), format!("\u{feff}{}", healthy()));
    let pretty = played("pretty");
    assert!(pretty.text().lines().count() > 30 * 7);
    assert_eq!(pretty.json(), played("healthy").json());
}

#[test]
fn one_object_of_nobody_is_an_empty_array() {
    let simulator = simulator(3);
    simulator.reply_next(Fault::OneObject);
    assert_eq!(list(&simulator, "&id=1", "").json()["customers"], json!([]));
}

#[test]
fn bytes_that_are_not_utf8() {
    let (body, complete) = played("bad-utf8").dechunked();
    assert!(complete && std::str::from_utf8(&body).is_err());
    let (mut repaired, spoilt) =
        (body.clone(), body.iter().position(|byte| *byte == 0xFF).unwrap());
    repaired.remove(spoilt);
    assert_eq!(String::from_utf8(repaired).unwrap(), healthy());
}

#[test]
fn invalid_values_are_in_every_tenth_record_and_nowhere_else() {
    for (position, (record, good)) in
        records_in_text("invalid-values").iter().zip(truth()).enumerate()
    {
        if position % 10 == 0 {
            for value in ["\"maybe\"", "\"abc\"", "\"yesterday\"", "\\ud800"] {
                assert!(record.contains(value), "{record}");
            }
            assert!(record.contains(&format!("\"id\":{}", good["id"])));
        } else {
            assert_eq!(serde_json::from_str::<Value>(record).unwrap(), good);
        }
    }
}

/// The records as text, since some of them no JSON library takes.
fn records_in_text(fault: &str) -> Vec<String> {
    let text = played(fault).text();
    let array = text.split_once('[').unwrap().1.strip_suffix("]}").unwrap();
    array.replace("},{\"", "}\n{\"").lines().map(str::to_owned).collect()
}

#[test]
fn bad_ids_are_in_as_many_records_as_asked_for() {
    let text = played("bad-ids").text();
    for value in
        ["\"id\":\"\"", "\"id\":null", "\"id\":\"12x\"", "\"id\":1e400", "99999999999999999999"]
    {
        assert!(text.contains(value), "{value}");
    }
    assert!(text.contains(",\"no customer\","));
    let good = |text: &str| {
        let ids: Vec<_> = truth().iter().map(|record| format!("\"id\":{}", record["id"])).collect();
        ids.iter().filter(|id| text.contains(id.as_str())).count()
    };
    assert_eq!(good(&text), 23);
    assert_eq!(good(&played("bad-ids:2").text()), 28);
}

#[test]
fn mixed_types_mean_the_same() {
    let mixed = played("mixed-types").json();
    assert_eq!(mixed["status"], 1);
    let mixed = mixed["customers"].as_array().unwrap();
    let truth = truth();
    assert_eq!(mixed.len(), truth.len());
    assert!(
        mixed[7]["id"].is_u64() && mixed[3]["active"].is_u64() && mixed[5]["active"].is_boolean()
    );
    let plain = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned).to_lowercase();
        text.replace("true", "1").replace("false", "0")
    };
    for (record, good) in mixed.iter().zip(&truth) {
        for (key, value) in good.as_object().unwrap() {
            assert_eq!(plain(&record[key]), plain(value));
        }
    }
}

#[test]
fn duplicate_keys_have_the_right_value_last() {
    let text = played("duplicate-keys").text();
    assert_eq!(text.matches("an earlier name").count(), 3);
    assert_eq!(records("duplicate-keys").len(), 30);
    let find =
        |records: &[Value]| records.iter().map(|r| (r["id"].clone(), r["name"].clone())).collect();
    let (last, good): (Vec<_>, Vec<_>) = (find(&records("duplicate-keys")), find(&truth()));
    assert_eq!(last, good, "serde_json takes the last one");
}

#[test]
fn duplicate_ids_are_those_of_the_record_before() {
    let records = records("duplicate-ids");
    assert_eq!(records[9]["id"], records[8]["id"]);
    let ids: HashSet<_> = records.iter().map(|record| record["id"].to_string()).collect();
    assert_eq!(ids.len(), 27);
}

#[test]
fn new_fields_are_beside_the_known_ones() {
    let records = records("new-fields");
    assert!(records.iter().all(|record| record["terms"] == "NET 30"));
    assert_eq!(records[3]["credit"]["holds"][2], json!({"réason": "\"late\""}));
    let (known, truth) = (&records[0], &truth()[0]);
    assert!(truth.as_object().unwrap().iter().all(|(key, value)| known[key] == *value));
}

#[test]
fn times_in_the_future_and_in_other_forms() {
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let future = records("future");
    let later = |record: &&Value| record["updatedOn"].as_str().unwrap() > now.as_str();
    assert_eq!(future.iter().filter(later).count(), 3);
    let instant = |text: &str| {
        let text = text.replace(' ', "T");
        let zoned =
            text.ends_with('Z') || text.len() > 19 && text.as_bytes()[text.len() - 6] == b'-';
        let text = if zoned { text } else { text + "Z" };
        chrono::DateTime::parse_from_rfc3339(&text).unwrap().timestamp()
    };
    let fractions = records("fractions");
    for (record, good) in fractions.iter().zip(truth()) {
        let (form, good) =
            (record["updatedOn"].as_str().unwrap(), good["updatedOn"].as_str().unwrap());
        assert_eq!(instant(form), instant(good), "{form}");
    }
    for (position, part) in [(1, ".123"), (2, ".123456Z"), (3, " "), (4, "-05:00"), (5, "Z")] {
        assert!(fractions[position]["updatedOn"].as_str().unwrap().contains(part));
    }
}

#[test]
fn a_server_that_overlooks_update_as_of() {
    let simulator = simulator(100);
    let ask = || list(&simulator, "&updateAsOf=2026-01-01", "").text();
    let (all, since) = (list(&simulator, "", "").text(), ask());
    simulator.reply_next(Fault::IgnoreUpdateAsOf);
    assert_eq!(ask(), all);
    assert_ne!(since, all);
}

#[test]
fn the_slow_writer_writes_what_the_fast_one_does() {
    // Fractions leave every sixth record as it is, so both writers can be compared on the wire.
    let (slow, fast) = (records_in_text("fractions"), records_in_text("healthy"));
    for position in (0..30).step_by(6) {
        assert_eq!(slow[position], fast[position]);
    }
}
