//! All companies in one Arrow stream.

use std::collections::BTreeMap;

use super::{Many, Run};
use crate::support::finish;
use crate::support::lake::{as_records, stream_rows};

/// The rows of a stream by company, and the report.
fn streamed(many: &Many, more: &[&str]) -> (BTreeMap<String, Vec<serde_json::Value>>, Run) {
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "-", "--json"];
    let answer = many.connector.run(&[&all[..], more].concat());
    let mut rows: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for mut row in stream_rows(&answer.stdout) {
        assert_eq!(row.as_object().unwrap().keys().next().unwrap(), "company");
        let company = row.as_object_mut().unwrap().shift_remove("company").unwrap();
        rows.entry(company.as_str().unwrap().to_owned()).or_default().push(row);
    }
    let report = answer.stderr.clone();
    (rows, Run::with_report(report, answer))
}

#[test]
fn a_stream_has_the_rows_of_each_company_that_was_proved() {
    let faults = ["cut:300@company-0002", "bad-ids:2@company-0004"];
    let many = Many::of(5, 40, &faults);
    let (rows, run) = streamed(&many, &[]);
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (75, Some(3)), "{run:?}");
    let names: Vec<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(names, ["company-0001", "company-0003", "company-0005"]);
    assert_eq!(run.lines["company-0004"]["kind"], "data", "{run:?}");
    assert_eq!(many.export("lake", &["--company", "company-0003"]).code(), 0);
    let table = as_records(many.table("lake", "company-0003").rows());
    assert_eq!(as_records(rows["company-0003"].clone()), table);
    assert_eq!(rows["company-0001"].len(), 40);
}

#[test]
fn records_that_a_company_may_pass_over_are_left_out_of_the_stream() {
    let many = Many::of(2, 40, &["bad-ids:2@company-0002"]);
    let (rows, run) = streamed(&many, &["--jobs", "1"]);
    assert_eq!((rows.len(), run.code()), (1, 65));
    let many = Many::of(2, 40, &["bad-ids:2@company-0002"]);
    let token = r#"{"authentication_token": "demo-token-0002", "max_rejects": 2}"#;
    std::fs::remove_file(many.tokens().join("company-0002")).unwrap();
    std::fs::write(many.tokens().join("company-0002.json"), token).unwrap();
    let (rows, run) = streamed(&many, &[]);
    assert_eq!((rows["company-0002"].len(), run.code()), (38, 0), "{run:?}");
}

#[test]
fn its_columns_are_the_company_and_those_of_a_single_stream() {
    let many = Many::of(2, 5, &[]);
    let columns = |row: &serde_json::Value| -> Vec<String> {
        row.as_object().unwrap().keys().cloned().collect()
    };
    let to = ["export", "--config", "own.json", "--to", "-"];
    let own = serde_json::json!({"authentication_token": "demo-token-0001",
        "base_url": many.simulator.base_url()});
    many.connector.write("own.json", own.to_string());
    let single = finish(many.connector.command(&to), b"");
    let (rows, _) = streamed(&many, &[]);
    for row in rows.values().flatten() {
        assert_eq!(columns(row), columns(&stream_rows(&single.stdout)[0]));
    }
    // A field that one company leaves out is null: the others have it.
    let own =
        r#"{"authentication_token": "demo-token-0002", "exclude_fields": "name,salesPerson"}"#;
    std::fs::remove_file(many.tokens().join("company-0002")).unwrap();
    std::fs::write(many.tokens().join("company-0002.json"), own).unwrap();
    let (rows, run) = streamed(&many, &[]);
    assert_eq!(run.code(), 0, "{run:?}");
    assert!(rows["company-0001"].iter().all(|row| row["name"].is_string()));
    for row in &rows["company-0002"] {
        assert!(row["name"].is_null() && row["salesPerson"].is_null(), "{row}");
        assert!(row["code"].is_string() && row["updatedOn"].is_string(), "{row}");
    }
}
