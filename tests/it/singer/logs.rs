//! stderr: text for people, or lines of JSON where Meltano asks for them.

use std::collections::BTreeMap;

use chrono::Utc;
use serde_json::{Value, json};

use super::tap::sync_all;
use crate::support::answer::Failure::Auth;
use crate::support::{Connector, faulty, simulator};

const METRICS: [&str; 4] =
    ["http_request_count", "http_request_duration", "record_count", "sync_duration"];

/// The same connector with what Meltano leaves in `SINGER_SDK_LOG_CONFIG` for a plugin that can log in its structure.
fn structured(connector: Connector, level: &str) -> Connector {
    let formatter = json!({"()": "singer_sdk.logging.StructuredFormatter"});
    let handler = json!({
        "class": "logging.StreamHandler", "formatter": "structured", "stream": "ext://sys.stderr",
    });
    let content = json!({
        "version": 1,
        "disable_existing_loggers": false,
        "formatters": {"structured": formatter},
        "handlers": {"default": handler},
        "root": {"level": level, "handlers": ["default"]},
    });
    connector.write("logging.json", content.to_string());
    let path = connector.folder().join("logging.json");
    connector.with_environment("SINGER_SDK_LOG_CONFIG", path.to_str().unwrap())
}

/// The lines of stderr, each in the form of the SDK's `logs.schema.json`.
fn lines(stderr: &str) -> Vec<Value> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in [
            "level",
            "pid",
            "logger_name",
            "ts",
            "thread_name",
            "app_name",
            "stream_name",
            "message",
        ] {
            assert!(line.get(key).is_some(), "no {key} in {line}");
        }
        let levels = ["debug", "info", "warning", "error", "critical"];
        assert!(levels.contains(&line["level"].as_str().unwrap()), "{line}");
        let age = Utc::now().timestamp() as f64 - line["ts"].as_f64().unwrap();
        assert!(age.abs() < 3600.0, "{line}");
        line
    };
    stderr.lines().map(line).collect()
}

#[test]
fn metrics_are_written_for_people() {
    let simulator = simulator(300);
    let run = sync_all(&Connector::of(&simulator)).succeeded();
    let metrics = run.0.stderr.lines().filter_map(|line| line.split_once("METRIC: "));
    let metrics: BTreeMap<String, Value> = metrics
        .map(|(_, json)| serde_json::from_str::<Value>(json).unwrap())
        .map(|metric| (metric["metric"].as_str().unwrap().to_owned(), metric))
        .collect();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), METRICS);
    assert_eq!(metrics["record_count"]["value"], 300);
    assert_eq!(metrics["record_count"]["type"], "counter");
    assert_eq!(metrics["http_request_count"]["value"], 1);
    for timer in ["sync_duration", "http_request_duration"] {
        assert_eq!(metrics[timer]["type"], "timer");
    }
    assert!(metrics.values().all(|metric| metric["tags"]["stream"] == "customers"));
}

#[test]
fn lines_are_json_when_meltano_asks_for_them() {
    let simulator = faulty(300, &["new-fields"]);
    let run = sync_all(&structured(Connector::of(&simulator), "INFO")).succeeded();
    let lines = lines(&run.0.stderr);
    for level in ["info", "warning"] {
        assert!(lines.iter().any(|line| line["level"] == level), "{}", run.0.stderr);
    }
    // Meltano reads `metric` and `value`.
    let mut metrics: Vec<&Value> =
        lines.iter().filter_map(|line| line.get("metric_info")).collect();
    metrics.sort_by_key(|metric| metric["metric"].to_string());
    assert_eq!(metrics.iter().map(|metric| &metric["metric"]).collect::<Vec<_>>(), METRICS);
    for key in ["type", "metric", "value", "tags"] {
        assert!(metrics.iter().all(|metric| metric.get(key).is_some()), "{key}");
    }
    assert_eq!(metrics[2]["value"], run.rows().len());
}

#[test]
fn a_failure_ends_with_critical_in_json_too() {
    let simulator = faulty(300, &["unauthorized"]);
    let run = sync_all(&structured(Connector::of(&simulator), "INFO"));
    assert_eq!(run.0.code, Some(Auth.code()));
    assert_eq!(lines(&run.0.stderr).last().unwrap()["level"], "critical");
}

#[test]
fn the_level_that_meltano_asks_for_is_kept() {
    let simulator = faulty(300, &["new-fields"]);
    let run = sync_all(&structured(Connector::of(&simulator), "WARNING")).succeeded();
    let lines = lines(&run.0.stderr);
    assert!(!lines.is_empty() && lines.iter().all(|line| line["level"] == "warning"));
}
