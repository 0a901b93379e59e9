//! A company in a run of many is what it is by itself.

use serde_json::{Value, json};

use super::Many;

/// A note without what differs between two runs.
fn lasting(mut note: Value) -> Value {
    for key in ["run", "extracted_at", "extractedAt", "overwritten_at"] {
        note.as_object_mut().unwrap().remove(key);
    }
    note["state"]["list"].as_object_mut().map(|list| list.remove("at"));
    note
}

fn without_time(rows: Vec<Value>) -> Vec<Value> {
    let timeless = |mut row: Value| {
        row.as_object_mut().unwrap().remove("_extracted_at");
        row
    };
    rows.into_iter().map(timeless).collect()
}

/// The rejects that a company's exports left, in the order of their runs.
fn rejects(many: &Many, to: &str, company: &str) -> Vec<String> {
    let files = many.files(&format!("{to}/{company}"));
    let rejects = files.into_iter().filter(|(name, _)| name.starts_with("customers_rejects/"));
    rejects.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn twenty_companies_are_the_same_by_one_run_and_by_twenty_in_turn_too() {
    // The same faults three times: for one lake by one run, for another by single runs, for a third in turn.
    let faults =
        ["bad-ids:3@company-0004", "duplicate-ids@company-0005", "mixed-types@company-0006"];
    let many = Many::of(20, 60, &faults);
    many.connector.write("tokens/company-0007.json", "{}");
    std::fs::remove_file(many.tokens().join("company-0007")).unwrap();
    let own = json!({"authentication_token": "demo-token-0007", "timezone": "America/Bogota"});
    let settings = |token: &Value| token.to_string();
    many.connector.write("tokens/company-0007.json", settings(&own));
    let names: Vec<String> = many.companies().into_iter().map(|(name, _)| name).collect();
    let singles = |to: &str| {
        for name in &names {
            let answer = match name.as_str() {
                "company-0007" => {
                    let own = json!({"authentication_token": "demo-token-0007",
                        "timezone": "America/Bogota", "base_url": many.simulator.base_url(),
                        "retry_window_seconds": 0});
                    many.connector.write("own.json", own.to_string());
                    let to = format!("{to}/{name}");
                    let all = ["export", "--config", "own.json", "--to", &to];
                    crate::support::finish(many.connector.command(&all), b"")
                }
                name => many.export_one(name, to, &[]),
            };
            assert_eq!(answer.code, Some(0), "{name}: {}", answer.stderr);
        }
    };
    for step in 0..3 {
        let run = many.export("by-one-run", &[]);
        assert_eq!(run.code(), 0, "{run:?}");
        singles("by-twenty");
        match step {
            1 => singles("in-turn"),
            _ => assert_eq!(many.export("in-turn", &["--jobs", "7"]).code(), 0),
        }
        many.simulator.change(7);
    }
    for name in &names {
        let one = many.table("by-one-run", name);
        for other in ["by-twenty", "in-turn"] {
            let table = many.table(other, name);
            assert_eq!(without_time(one.rows()), without_time(table.rows()), "{name} {other}");
            assert_eq!(lasting(one.note()), lasting(table.note()), "{name} {other}");
            assert_eq!(one.version(), table.version(), "{name} {other}");
            assert_eq!(rejects(&many, "by-one-run", name), rejects(&many, other, name), "{name}");
        }
    }
    assert!(!rejects(&many, "by-one-run", "company-0004").is_empty());
}
