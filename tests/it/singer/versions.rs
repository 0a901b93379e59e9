//! `emit_activate_version_messages`: a target removes what a complete list has not.

use serde_json::{Value, json};

use kometsales::simulator::Simulator;

use crate::support::{Connector, simulator};

/// A tap that runs again and again from its last state.
struct Pipeline {
    connector: Connector,
    arguments: Vec<&'static str>,
}

/// What a run of a tap wrote.
struct Run {
    messages: Vec<Value>,
    stderr: String,
}

impl Run {
    fn of(&self, kind: &str) -> Vec<&Value> {
        self.messages.iter().filter(|message| message["type"] == kind).collect()
    }

    /// The version that was activated, if one was: behind every record, before the state.
    fn activated(&self) -> Option<i64> {
        let kinds: Vec<&str> =
            self.messages.iter().map(|message| message["type"].as_str().unwrap()).collect();
        let (at, _) = kinds.iter().enumerate().find(|(_, kind)| **kind == "ACTIVATE_VERSION")?;
        assert_eq!(kinds[at + 1..], ["STATE"], "{kinds:?}");
        self.messages[at]["version"].as_i64()
    }

    /// The version of every record; `None` where they have none.
    fn of_records(&self) -> Option<i64> {
        let versions: Vec<Option<i64>> =
            self.of("RECORD").iter().map(|record| record["version"].as_i64()).collect();
        assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
        versions.first().copied().flatten()
    }

    fn bookmark(&self) -> &Value {
        &self.of("STATE").last().unwrap()["value"]["bookmarks"]["customers"]
    }
}

impl Pipeline {
    fn of(simulator: &Simulator) -> Self {
        let connector = Connector::of(simulator).with("emit_activate_version_messages", true);
        Self { connector, arguments: vec!["--config", "config.json"] }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.connector = self.connector.with(key, value);
        self
    }

    fn whole_each_time(mut self) -> Self {
        let catalog =
            self.connector.run(&["--discover"]).text().replace("INCREMENTAL", "FULL_TABLE");
        self.connector.write("catalog.json", catalog);
        self.arguments.extend(["--catalog", "catalog.json"]);
        self
    }

    fn run(&mut self) -> Run {
        let answer = self.connector.run(&self.arguments);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let messages: Vec<Value> =
            answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let run = Run { messages, stderr: answer.stderr.clone() };
        self.give(&run.of("STATE").last().unwrap()["value"]);
        run
    }

    fn give(&mut self, state: &Value) {
        self.connector.write("state.json", state.to_string());
        if !self.arguments.contains(&"--state") {
            self.arguments.extend(["--state", "state.json"]);
        }
    }
}

#[test]
fn a_complete_list_activates_a_version_behind_its_records_and_each_is_greater() {
    let simulator = simulator(30);
    let mut pipeline = Pipeline::of(&simulator).whole_each_time();
    let mut last = 0;
    for _ in 0..3 {
        let run = pipeline.run();
        let version = run.activated().unwrap();
        assert!(version > last && version < i64::from(i32::MAX), "{version} after {last}");
        assert_eq!(run.of_records(), Some(version));
        assert_eq!(run.bookmark()["table_version"], version);
        assert_eq!(run.bookmark()["list"]["count"], 30);
        last = version;
    }
}

#[test]
fn what_changed_has_the_version_that_was_activated_last() {
    let simulator = simulator(30);
    let mut pipeline = Pipeline::of(&simulator);
    let version = pipeline.run().activated().unwrap();
    simulator.change(3);
    let run = pipeline.run();
    assert_eq!((run.activated(), run.of_records()), (None, Some(version)));
    assert_eq!(run.bookmark()["table_version"], version);
    assert_eq!(run.bookmark()["list"]["count"], 30, "the last whole list");
    let mut pipeline = pipeline.with("full_list_hours", 0);
    let run = pipeline.run();
    assert!(run.activated().unwrap() > version);
    assert_eq!(run.of("RECORD").len(), 30);
}

#[test]
fn what_is_no_complete_list_activates_nothing() {
    for (key, value) in [
        ("include_inactive", json!(false)),
        ("start_date", json!("2010-01-01")),
        ("name", json!("a")),
    ] {
        let simulator = simulator(30);
        let mut pipeline = Pipeline::of(&simulator).with(key, value).whole_each_time();
        let run = pipeline.run();
        assert_eq!((run.activated(), run.of_records()), (None, None), "{key}");
        assert!(run.bookmark()["list"]["count"].is_null(), "{key}");
    }
}

#[test]
fn a_much_shorter_list_activates_nothing_the_first_time_and_says_so() {
    let simulator = simulator(30);
    let mut pipeline = Pipeline::of(&simulator).whole_each_time();
    let version = pipeline.run().activated().unwrap();
    simulator.remove(11);
    let run = pipeline.run();
    assert_eq!((run.activated(), run.of_records()), (None, Some(version)));
    assert!(run.stderr.contains("19 records, the last one had 30"), "{}", run.stderr);
    let run = pipeline.run();
    assert!(run.activated().unwrap() > version, "a list as short as the last one is believed");
    simulator.remove(9);
    assert!(pipeline.run().activated().is_some(), "at most 10 may be gone at once");
}

#[test]
fn another_company_activates_nothing_in_the_first_ones_table() {
    let (one, other) = (simulator(30), simulator(40));
    let mut pipeline = Pipeline::of(&one).whole_each_time();
    let version = pipeline.run().activated().unwrap();
    let mut pipeline = pipeline.with("base_url", other.base_url());
    let run = pipeline.run();
    assert_eq!((run.activated(), run.of_records()), (None, Some(version)));
    assert!(run.stderr.contains("other settings"), "{}", run.stderr);
    assert!(pipeline.run().activated().unwrap() > version);
}

#[test]
fn a_version_of_the_future_is_not_gone_below() {
    let simulator = simulator(5);
    let mut pipeline = Pipeline::of(&simulator).whole_each_time();
    pipeline.give(
        &json!({"bookmarks": {"customers": {"version": 1, "table_version": 2_000_000_000.0}}}),
    );
    assert_eq!(pipeline.run().activated(), Some(2_000_000_001));
}

#[test]
fn without_the_setting_records_have_no_version_and_the_last_one_is_kept() {
    let simulator = simulator(5);
    let mut pipeline = Pipeline::of(&simulator);
    let version = pipeline.run().activated().unwrap();
    simulator.change(1);
    let mut pipeline = pipeline.with("emit_activate_version_messages", false);
    let run = pipeline.run();
    assert_eq!((run.activated(), run.of_records()), (None, None));
    assert_eq!(run.bookmark()["table_version"], version);
}
