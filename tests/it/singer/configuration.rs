//! Where the configuration comes from, and what is wrong with one.

use serde_json::{Value, json};

use super::tap::{sync_all, tap};
use crate::support::answer::Failure::Config;
use crate::support::{Connector, NOBODY, simulator};

#[test]
fn of_repeated_configurations_the_later_one_counts() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator)
        .with("include_inactive", true)
        .with("base_url", format!("{NOBODY}/api"));
    let second = json!({"base_url": simulator.base_url(), "include_inactive": false});
    connector.write("second.json", second.to_string());
    let run = tap(&connector, &["--config", "config.json", "--config", "second.json"]).succeeded();
    let rows = run.rows();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["active"] == true));
}

#[test]
fn the_configuration_may_come_from_the_environment() {
    let simulator = simulator(300);
    let connector = || {
        Connector::configured(json!({}))
            .with_environment("TAP_KOMETSALES_AUTHENTICATION_TOKEN", simulator.token())
            .with_environment("TAP_KOMETSALES_BASE_URL", simulator.base_url())
            .with_environment("TAP_KOMETSALES_INCLUDE_INACTIVE", "false")
            .with_environment("TAP_KOMETSALES_START_DATE", "")
    };
    let right = connector().with_environment("TAP_KOMETSALES_LOOKBACK_HOURS", "7");
    let rows = tap(&right, &["--config", "ENV"]).succeeded().rows();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["active"] == true));
    let wrong = connector().with_environment("TAP_KOMETSALES_LOOKBACK_HOURS", "many");
    let run = tap(&wrong, &["--config=ENV"]);
    assert!(run.failed(Config).contains("lookback_hours"), "{}", run.0.stderr);
}

#[test]
fn a_wrong_setting_is_named() {
    let simulator = simulator(1);
    for (key, value) in [
        ("authentication_token", Value::Null),
        ("lookback_hours", json!(721)),
        ("timezone", json!("Bogota")),
    ] {
        let run = sync_all(&Connector::of(&simulator).with(key, value));
        assert!(run.failed(Config).contains(key), "{}", run.0.stderr);
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_setting_that_it_does_not_know_is_a_warning() {
    let simulator = simulator(10);
    let run = sync_all(&Connector::of(&simulator).with("flattening_enabled", true)).succeeded();
    let warnings = run.logs("WARNING");
    assert!(warnings.iter().any(|line| line.contains("flattening_enabled")), "{}", run.0.stderr);
}

#[test]
fn usage_is_refused_before_anything_is_read() {
    let connector = Connector::configured(json!({}));
    for arguments in [&["--frobnicate"][..], &["--discover", "--catalog"]] {
        let run = tap(&connector, arguments);
        assert_eq!((run.0.code, run.0.text()), (Some(2), ""), "{arguments:?}");
    }
}
