//! What every verb writes to stdout, byte by byte. `UPDATE_GOLDEN=1 cargo test --test it golden` writes the
//! files anew.

use std::path::Path;

use crate::support::replies::SAMPLE;
use crate::support::{Connector, catalog, simulator};
use kometsales::simulator::Simulator;
use serde_json::{Value, json};

/// A simulator that answers once with the sample of the documentation, and the connector for it.
fn sampled() -> (Simulator, Connector) {
    let simulator = simulator(0);
    reply_sample(&simulator);
    let connector = Connector::of(&simulator);
    (simulator, connector)
}

fn reply_sample(simulator: &Simulator) {
    simulator.reply_next(kometsales::simulator::Reply::json(SAMPLE));
}

/// The output without what is another in every run: times, durations, and what depends on the port.
fn normalized(output: &str) -> String {
    let digit = |c: char| c.is_ascii_digit();
    let output = replaced(output, "\"emitted_at\":", digit, "0");
    let output = replaced(&output, "within ", |c| digit(c) || c == '.', "0.000");
    let output = replaced(&output, "127.0.0.1:", digit, "0");
    replaced(&output, "\"scope\":\"", |c| c.is_ascii_hexdigit(), "0")
}

/// The text with something in place of the characters behind every mark.
fn replaced(text: &str, mark: &str, is_part: impl Fn(char) -> bool, with: &str) -> String {
    let mut pieces = text.split(mark);
    let mut replaced = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(&is_part);
        replaced += mark;
        replaced += if rest.len() < piece.len() { with } else { "" };
        replaced += rest;
    }
    replaced
}

#[track_caller]
fn assert_golden(name: &str, output: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let output = normalized(output);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &output).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        output, golden,
        "{name}: run UPDATE_GOLDEN=1 cargo test --test it golden if it is meant"
    );
}

#[test]
fn spec_shows_every_setting() {
    let answer = Connector::configured(json!({})).run(&["spec"]);
    assert_golden("spec.jsonl", answer.text());
}

#[test]
fn check_says_that_the_token_works() {
    let (_simulator, connector) = sampled();
    assert_golden("check.jsonl", connector.check().text());
}

#[test]
fn check_says_why_the_token_does_not_work() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with("authentication_token", "another");
    assert_golden("check_failed.jsonl", connector.check().text());
}

#[test]
fn discover_shows_the_catalog() {
    let answer = Connector::configured(json!({})).run(&["discover", "--config", "config.json"]);
    assert_golden("discover.jsonl", answer.text());
}

#[test]
fn a_full_read_emits_everything_and_ends_with_a_state() {
    let (_simulator, connector) = sampled();
    let answer = connector.read("full_refresh").succeeded();
    assert_golden("read_full.jsonl", answer.text());
}

#[test]
fn an_incremental_read_goes_on_from_the_state_of_the_first() {
    let (simulator, connector) = sampled();
    let state = connector.read("full_refresh").succeeded().state();
    reply_sample(&simulator);
    let answer = connector.read_after(&state).succeeded();
    assert_golden("read_incremental.jsonl", answer.text());
}

#[test]
fn a_read_with_selected_fields_emits_them_with_key_and_cursor() {
    let (_simulator, connector) = sampled();
    let catalog = catalog("customers", "full_refresh", json!({"name": {}, "active": {}}));
    let answer = connector.read_catalog(&catalog, None).succeeded();
    assert_golden("read_selected.jsonl", answer.text());
}

#[test]
fn a_failed_read_ends_with_the_reason() {
    let simulator = simulator(0);
    simulator.reply_next(crate::support::replies::said("0", "Token not found"));
    let answer = Connector::of(&simulator).read("full_refresh");
    assert_golden("read_failed.jsonl", answer.text());
}

#[test]
fn goldens_hide_what_is_another_in_every_run_and_nothing_else() {
    let line = r#"{"emitted_at":1732412345678,"scope":"0a1b","message":"http://127.0.0.1:3456/api: 12 bytes within 0.123 s: 3 rows"}"#;
    let shown = normalized(line);
    assert_eq!(
        shown,
        r#"{"emitted_at":0,"scope":"0","message":"http://127.0.0.1:0/api: 12 bytes within 0.000 s: 3 rows"}"#
    );
    assert!(serde_json::from_str::<Value>(&shown).is_ok());
}
