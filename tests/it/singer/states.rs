//! The state: what it is taken for when it comes back, and what it keeps of others.

use std::collections::BTreeSet;

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use super::tap::{sync, sync_all, tap};
use crate::support::answer::Failure::Config;
use crate::support::{Connector, faulty, simulator};

/// A simulator whose every customer has been read, its connector, and the state behind that.
fn after_a_full_read() -> (Simulator, Connector, Value) {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let state = sync_all(&connector).succeeded().state();
    (simulator, connector, state)
}

fn bookmark(value: &str) -> Value {
    json!({"bookmarks": {"customers": {"replication_key_value": value}}})
}

#[test]
fn the_second_run_reads_what_changed() {
    let (simulator, connector, first) = after_a_full_read();
    let edited: BTreeSet<i64> = simulator.change(6).into_iter().map(|id| id as i64).collect();
    // The state names the settings that it was made with, and the look-back is not among them.
    let connector = connector.with("lookback_hours", 0);
    let second = sync(&connector, None, Some(&first)).succeeded();
    let read: BTreeSet<i64> = second.rows().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert!(read.is_superset(&edited) && second.rows().len() <= edited.len() + 1, "{read:?}");
    let earlier = &first["bookmarks"]["customers"]["replication_key_value"];
    assert!(second.bookmark()["replication_key_value"].as_str() > earlier.as_str());
    let third = sync(&connector, None, Some(&second.state())).succeeded();
    assert_eq!(third.state(), second.state());
}

#[test]
fn a_wrapped_state_is_taken() {
    let (_simulator, connector, state) = after_a_full_read();
    let bare = sync(&connector, None, Some(&state)).succeeded();
    let wrapped = json!({"type": "STATE", "value": state});
    let wrapped = sync(&connector, None, Some(&wrapped)).succeeded();
    assert!(wrapped.rows().len() < 300);
    assert_eq!((wrapped.rows(), wrapped.state()), (bare.rows(), bare.state()));
}

#[test]
fn what_other_streams_and_taps_left_in_the_state_survives() {
    let simulator = simulator(300);
    let orders = json!({"replication_key": "at", "partitions": [{"a": 1}]});
    let left = json!({
        "bookmarks": {"orders": orders}, "currently_syncing": null, "x": [1.5, "é"],
    });
    let mut state = sync(&Connector::of(&simulator), None, Some(&left)).succeeded().state();
    let bookmarks = state["bookmarks"].as_object_mut().unwrap();
    let own = bookmarks.remove("customers").unwrap();
    assert!(own["replication_key_value"].is_string());
    assert_eq!(state, left);
}

#[test]
fn what_others_left_stays_as_they_wrote_it() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    let state = r#"{
        "bookmarks": {"orders": {"id": 123456789012345678901234567890, "rate": 0.10},
                      "x": "\u00e9"},
        "y" : [ 1E+2 ]
    }"#;
    connector.write("state.json", state);
    let run = tap(&connector, &["--config", "config.json", "--state", "state.json"]).succeeded();
    let states: Vec<&str> =
        run.0.text().lines().filter(|line| line.contains(r#""type":"STATE""#)).collect();
    let [state] = states[..] else { panic!("{states:?}") };
    let theirs = r#"{"type":"STATE","value":{"bookmarks":{"orders":{"id":123456789012345678901234567890,"rate":0.10},"x":"\u00e9","customers":{"#;
    assert!(state.starts_with(theirs), "{state}");
    assert!(state.ends_with(r#"}},"y":[1E+2]}}"#), "{state}");
}

#[test]
fn a_state_that_a_person_wrote_needs_the_time_alone() {
    let (_simulator, connector, state) = after_a_full_read();
    let latest = state["bookmarks"]["customers"]["replication_key_value"].as_str().unwrap();
    let run = sync(&connector, None, Some(&bookmark(latest))).succeeded();
    assert!((1..300).contains(&run.rows().len()));
    assert_eq!(run.bookmark()["replication_key_value"], latest);
}

#[test]
fn other_settings_make_the_bookmark_meaningless_and_that_is_a_warning() {
    let (_simulator, connector, state) = after_a_full_read();
    let run = sync(&connector.with("start_date", "2001-01-01"), None, Some(&state)).succeeded();
    assert!(run.rows().len() > 150);
    assert_eq!(run.logs("WARNING").len(), 1, "{}", run.0.stderr);
    assert_ne!(run.bookmark()["scope"], state["bookmarks"]["customers"]["scope"]);
}

#[test]
fn a_state_that_cannot_be_read_is_never_a_silent_full_read() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let of = |bookmark: Value| json!({"bookmarks": {"customers": bookmark}}).to_string();
    for state in [
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"bookmarks": []}"#.to_owned(),
        bookmark("yesterday").to_string(),
        of(json!({"replication_key": "id", "replication_key_value": 7})),
        of(json!({"replication_key_value": "2019-02-28T00:00:01Z", "version": 2})),
    ] {
        connector.write("state.json", &state);
        let run = tap(&connector, &["--config", "config.json", "--state", "state.json"]);
        run.failed(Config);
        assert!(run.rows().is_empty(), "{state}");
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_list_without_changes_still_ends_with_the_state() {
    let simulator = faulty(300, &["not-found"]);
    let cursor = "2019-02-28T00:00:01Z";
    let run = sync(&Connector::of(&simulator), None, Some(&bookmark(cursor))).succeeded();
    assert_eq!(run.types(), ["SCHEMA", "STATE"].map(String::from).into());
    assert_eq!(run.bookmark()["replication_key_value"], cursor);
}
