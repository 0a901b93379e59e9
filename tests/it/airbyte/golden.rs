//! What every verb writes to stdout, byte by byte. `INSTA_UPDATE=always cargo test --test it golden` writes
//! the files in `snapshots` anew.

use insta::{Settings, assert_snapshot};
use kometsales::simulator::{Reply, Simulator};
use serde_json::json;

use crate::support::replies::{SAMPLE, said};
use crate::support::{Connector, catalog, simulator};

/// A simulator that answers once with the sample of the documentation, and the connector for it.
fn sampled() -> (Simulator, Connector) {
    let simulator = simulator(0);
    reply_sample(&simulator);
    let connector = Connector::of(&simulator);
    (simulator, connector)
}

fn reply_sample(simulator: &Simulator) {
    simulator.reply_next(Reply::json(SAMPLE));
}

/// What is another in every run: times, durations, and what depends on the port.
const FILTERS: &[(&str, &str)] = &[
    (r#""emitted_at":\d+"#, r#""emitted_at":0"#),
    (r"in [\d.]+ s:", "in 0.000 s:"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:0"),
    (r#""scope":"[0-9a-f]+"#, r#""scope":"0"#),
    (r#""list":\{"at":"[^"]+"#, r#""list":{"at":"0"#),
];

/// Compares without what is another in every run.
fn compare(assert: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_filters(FILTERS.iter().copied());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(assert);
}

#[track_caller]
fn assert_golden(name: &str, output: &str) {
    // Line ends are not compared.
    assert!(output.ends_with('\n') && !output.ends_with("\n\n") && !output.contains('\r'));
    compare(|| assert_snapshot!(name, output));
}

#[test]
fn spec_shows_every_setting() {
    let answer = Connector::configured(json!({})).run(&["spec"]);
    assert_golden("spec", answer.text());
}

#[test]
fn check_says_that_the_token_works() {
    let (_simulator, connector) = sampled();
    assert_golden("check", connector.check().text());
}

#[test]
fn check_says_why_the_token_does_not_work() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with("authentication_token", "another-token");
    assert_golden("check_failed", connector.check().text());
}

#[test]
fn discover_shows_the_catalog() {
    let answer = Connector::configured(json!({})).run(&["discover", "--config", "config.json"]);
    assert_golden("discover", answer.text());
}

#[test]
fn a_full_read_emits_everything_and_ends_with_a_state() {
    let (_simulator, connector) = sampled();
    let answer = connector.read("full_refresh").succeeded();
    assert_golden("read_full", answer.text());
}

#[test]
fn an_incremental_read_goes_on_from_the_state_of_the_first() {
    let (simulator, connector) = sampled();
    let state = connector.read("full_refresh").succeeded().state();
    reply_sample(&simulator);
    let answer = connector.read_after(&state).succeeded();
    assert_golden("read_incremental", answer.text());
}

#[test]
fn a_read_with_selected_fields_emits_them_with_key_and_cursor() {
    let (_simulator, connector) = sampled();
    let catalog = catalog("customers", "full_refresh", json!({"name": {}, "active": {}}));
    let answer = connector.read_catalog(&catalog, None).succeeded();
    assert_golden("read_selected", answer.text());
}

#[test]
fn a_failed_read_ends_with_the_reason() {
    let simulator = simulator(0);
    simulator.reply_next(said("0", "Token not found"));
    let answer = Connector::of(&simulator).read("full_refresh");
    assert_golden("read_failed", answer.text());
}

#[test]
fn goldens_hide_what_is_another_in_every_run_and_nothing_else() {
    let line = r#"{"emitted_at":1732412345678,"scope":"0a1b","message":"http://127.0.0.1:3456/api: 12 bytes in 0.123 s: 3 rows"}"#;
    compare(|| {
        assert_snapshot!(line, @r#"{"emitted_at":0,"scope":"0","message":"http://127.0.0.1:0/api: 12 bytes in 0.000 s: 3 rows"}"#);
    });
}
