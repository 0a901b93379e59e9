//! Records that cannot be: how many are skipped, and how a read fails with more of them.

use kometsales::simulator::Reply;
use serde_json::{Value, json};

use crate::support::answer::Failure::Data;
use crate::support::replies::list;
use crate::support::{Connector, simulator};

/// What no record can be: without a usable id, or no object.
const REJECTED: [(&str, &str); 8] = [
    (r#"{"name":"A"}"#, "customers[1].id"),
    (r#"{"id":null}"#, "customers[2].id"),
    (r#"{"id":""}"#, "customers[3].id"),
    (r#"{"id":"12x"}"#, "customers[4].id"),
    (r#"{"id":99999999999999999999}"#, "customers[5].id"),
    ("7", "customers[6]"),
    ("null", "customers[7]"),
    (r#"[{"id":"1"}]"#, "customers[8]"),
];

fn with_rejected() -> Reply {
    let mut elements = vec![r#"{"id":"1","updatedOn":"2024-01-01T00:00:00"}"#];
    elements.extend(REJECTED.map(|(json, _)| json));
    elements.push(r#"{"id":"2"}"#);
    list(&elements)
}

#[test]
fn records_without_an_id_fail_the_read_at_its_end_with_how_many_and_the_first_path() {
    for most in [Value::Null, json!(0), json!(7)] {
        let simulator = simulator(0);
        simulator.reply_next(with_rejected());
        let connector = Connector::of(&simulator).with("max_rejects", most.clone());
        let answer = connector.read("full_refresh").failed_after_records(Data);
        assert_eq!(answer.ids(), [1, 2], "{most}");
        let error = answer.error();
        assert!(error.contains('8') && error.contains("customers[1].id"), "{error}");
        let logged = answer.warnings();
        assert_eq!(logged.len() as u64, most.as_u64().unwrap_or(0), "{logged:?}");
    }
}

#[test]
fn up_to_max_rejects_records_are_reported_with_their_paths_and_skipped() {
    for most in [json!(8), json!("9")] {
        let simulator = simulator(0);
        simulator.reply_next(with_rejected());
        let connector = Connector::of(&simulator).with("max_rejects", most);
        let answer = connector.read("full_refresh").succeeded();
        assert_eq!((answer.ids(), answer.cursor()), (vec![1, 2], json!("2024-01-01T00:00:00Z")));
        let warnings = answer.warnings();
        assert_eq!(warnings.len(), REJECTED.len(), "{warnings:?}");
        for ((_, path), warning) in REJECTED.iter().zip(&warnings) {
            assert!(warning.contains(path), "{path}: {warning}");
        }
    }
}

#[test]
fn a_rejected_record_does_not_move_the_cursor() {
    let simulator = simulator(0);
    simulator.reply_next(list(&[
        r#"{"id":"1","updatedOn":"2024-01-01T00:00:00"}"#,
        r#"{"updatedOn":"2024-06-01T00:00:00"}"#,
    ]));
    let answer = Connector::of(&simulator).with("max_rejects", 1).read("incremental").succeeded();
    assert_eq!(answer.cursor(), "2024-01-01T00:00:00Z");
}

#[test]
fn a_rejected_record_is_reported_without_what_is_in_it() {
    let simulator = simulator(0);
    simulator.reply_next(list(&[r#"{"name":"Julian Mejía","id":"12x"}"#, r#"{"id":"1"}"#]));
    let answer = Connector::of(&simulator).with("max_rejects", 1).read("full_refresh").succeeded();
    assert_eq!(answer.ids(), [1]);
    assert!(!answer.text().contains("Julian") && !answer.text().contains("12x"));
}

#[test]
fn very_many_rejected_records_fail_the_read_with_their_number() {
    let simulator = crate::support::faulty(3_000, &["bad-ids:2500"]);
    let connector = Connector::of(&simulator).with("max_rejects", 2_499);
    let answer = connector.read("full_refresh").failed_after_records(Data);
    assert_eq!(answer.records().len(), 500);
    assert!(answer.error().contains("2500"), "{}", answer.error());
}
