//! What people type by hand: a catalog that `discover` printed, a retry that says how long it goes on.

use serde_json::{Value, json};

use crate::support::{Connector, faulty, finish, simulator};

#[test]
fn what_discover_prints_is_taken_as_a_catalog() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    let printed = connector.run(&["discover", "--config", "config.json"]);
    let message: Value = serde_json::from_slice(&printed.stdout).unwrap();
    for catalog in [printed.stdout, message["catalog"].to_string().into_bytes()] {
        connector.write("printed.json", catalog);
        let read = ["read", "--config", "config.json", "--catalog", "printed.json"];
        let answer = finish(connector.command(&read), b"").succeeded();
        assert_eq!(answer.records().len(), 5);
        assert!(answer.records().iter().all(|record| record["name"].is_string()));
    }
}

#[test]
fn a_retry_is_one_line_that_says_when_it_gives_up() {
    let simulator = faulty(5, &["server-error@1"]);
    let connector = Connector::of(&simulator).with("retry_window_seconds", 90);
    let answer = connector.run(&["export", "--config", "config.json", "--to", "rows.parquet"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lines: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", answer.stderr);
    assert!(
        lines[0].starts_with("WARNING Retry 1 in ") && lines[0].contains(" s, giving up in 1:"),
        "{}",
        answer.stderr
    );
    assert!(!lines[0].ends_with("Run again later."), "{}", answer.stderr);
}

#[test]
fn show_names_the_fields_that_a_table_is_without_or_has_hashes_of() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator)
        .with("exclude_fields", "salesPerson")
        .with("hash_fields", "name")
        .with("hash_key", "a-key-of-sixteen-or-more");
    let exported = connector.run(&["export", "--config", "config.json", "--to", "lake"]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let shown = connector.run(&["show", "lake"]);
    let lines: Vec<&str> = shown.text().lines().collect();
    assert!(lines.contains(&"   without _extra, salesPerson"), "{}", shown.text());
    assert!(lines.contains(&"   hashed  name"), "{}", shown.text());
    let json = connector.run(&["show", "lake", "--json"]);
    let contents: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(contents["excluded"], json!(["_extra", "salesPerson"]));
    assert_eq!(contents["hashed"], json!(["name"]));
    let kept = connector.run(&["vacuum", "lake"]);
    assert!(kept.text().ends_with("version 0, for 7 days\n"), "{}", kept.text());
}
