//! The state: what it is taken for when it comes back, when it applies, and that it is saved only behind
//! a whole reply.

use std::collections::BTreeSet;

use kometsales::simulator::{Delivery, Fault, Simulator};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::answer::Failure::{Auth, Data, Transient};
use crate::support::replies::{list, updated};
use crate::support::{Connector, catalog, simulator, state_of};

const CUSTOMERS: u64 = 300;

/// A simulator whose every customer has been read, and the state behind that.
fn after_a_full_read() -> (Simulator, Value) {
    let simulator = simulator(CUSTOMERS);
    let state = Connector::of(&simulator).read("incremental").succeeded().state();
    (simulator, state)
}

fn last_query(simulator: &Simulator, parameter: &str) -> Option<String> {
    simulator.requests().last().unwrap().parameter(parameter).map(str::to_owned)
}

#[test]
fn a_second_read_has_only_what_changed_since() {
    let (simulator, state) = after_a_full_read();
    let edited: BTreeSet<i64> = simulator.change(7).into_iter().map(|id| id as i64).collect();
    let connector = Connector::of(&simulator);
    let second = connector.read_after(&state).succeeded();
    let now = connector.read("full_refresh").succeeded().records();
    assert!(second.records().iter().all(|record| now.contains(record)));
    let read: BTreeSet<i64> = second.ids().into_iter().collect();
    assert!(read.is_superset(&edited) && read.len() <= edited.len() + 1, "{read:?}");
    assert!(second.cursor().as_str() > state[0]["stream"]["stream_state"]["updatedOn"].as_str());
    let third = connector.read_after(&second.state()).succeeded();
    assert_eq!(third.sorted_ids(), edited.into_iter().collect::<Vec<i64>>());
}

#[test]
fn a_full_refresh_ignores_the_state_and_ends_with_one() {
    let (simulator, state) = after_a_full_read();
    let connector = Connector::of(&simulator);
    let catalog = catalog("customers", "full_refresh", Value::Null);
    let answer = connector.read_catalog(&catalog, Some(&state)).succeeded();
    assert_eq!(answer.records().len() as u64, CUSTOMERS);
    assert_eq!(last_query(&simulator, "updateAsOf"), None);
    let same = |answer: &Answer| {
        let given = &state[0]["stream"]["stream_state"];
        let members = ["updatedOn", "scope", "version"];
        let now = answer.lasting_state();
        assert!(members.iter().all(|name| now[*name] == given[*name]), "{now} {given}");
        assert_eq!(now["list"]["count"], given["list"]["count"]);
    };
    same(&answer);
    let later = state_of(json!({"updatedOn": "2026-09-01T00:00:00Z", "scope": "of another"}));
    let records = answer.records();
    let answer = connector.read_catalog(&catalog, Some(&later)).succeeded();
    same(&answer);
    assert!(answer.records() == records, "two full reads differ");
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
}

#[test]
fn another_scope_forgets_the_cursor_and_says_so() {
    let (simulator, state) = after_a_full_read();
    for (key, value) in [
        ("customer_id", json!(7)),
        ("sales_person_id", json!("7")),
        ("location_id", json!(1)),
        ("name", json!("flores")),
        ("code", json!("A1")),
        ("include_inactive", json!(false)),
        ("timezone", json!("America/Bogota")),
        ("start_date", json!("2018-01-01")),
        ("base_url", json!(simulator.base_url().replace("127.0.0.1", "localhost"))),
    ] {
        let connector = Connector::of(&simulator).with(key, value);
        let answer = connector.read_after(&state).succeeded();
        let warning = answer.warning();
        assert!(warning.contains("customers") && warning.contains("again"), "{key}: {warning}");
        let day = last_query(&simulator, "updateAsOf");
        assert_eq!(day.as_deref(), (key == "start_date").then_some("2017-12-31"), "{key}");
        assert_ne!(answer.stream_state()["scope"], state[0]["stream"]["stream_state"]["scope"]);
        let again = connector.read_after(&answer.state()).succeeded();
        assert!(again.warnings().is_empty(), "{key}: {:?}", again.warnings());
    }
}

#[test]
fn another_token_forgets_the_cursor_and_says_so() {
    let (simulator, state) = after_a_full_read();
    simulator.reply_next(updated(&["2017-01-01T00:00:00"]));
    let connector = Connector::of(&simulator).with("authentication_token", "another-token");
    let answer = connector.read_after(&state).succeeded();
    assert_eq!(answer.ids(), [1]);
    assert_eq!(last_query(&simulator, "updateAsOf"), None);
    assert!(answer.warning().contains("token"), "{}", answer.warning());
}

#[test]
fn what_does_not_decide_which_customers_there_are_keeps_the_cursor() {
    let (simulator, state) = after_a_full_read();
    for (key, value) in [
        ("lookback_hours", json!(48)),
        ("max_rejects", json!(5)),
        ("request_timeout_seconds", json!(20)),
        ("retry_window_seconds", json!(1)),
        ("base_url", json!(format!("{}/", simulator.base_url()))),
        ("timezone", json!("UTC")),
        ("include_inactive", json!("true")),
    ] {
        let answer = Connector::of(&simulator).with(key, value).read_after(&state).succeeded();
        assert!(answer.warnings().is_empty(), "{key}: {:?}", answer.warnings());
        assert!(last_query(&simulator, "updateAsOf").is_some(), "{key}");
    }
    let selected = catalog("customers", "incremental", json!({"name": {}}));
    let answer = Connector::of(&simulator).read_catalog(&selected, Some(&state)).succeeded();
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
}

#[test]
fn a_state_without_a_scope_is_accepted_and_gets_one() {
    let simulator = simulator(CUSTOMERS);
    let written = state_of(json!({"updatedOn": "2025-01-01"}));
    let answer = Connector::of(&simulator).with("code", "A1").read_after(&written).succeeded();
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
    assert_eq!(last_query(&simulator, "updateAsOf").as_deref(), Some("2024-12-30"));
    assert_eq!(answer.stream_state()["scope"].as_str().map(str::len), Some(64));
    assert_eq!(answer.stream_state()["version"], 1);
}

#[test]
fn a_cursor_that_a_person_wrote_without_an_offset_is_meant_in_the_zone() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with("timezone", "America/Bogota");
    let written = state_of(json!({"updatedOn": "2024-05-05T13:00:00"}));
    let answer = connector.read_after(&written).succeeded();
    assert_eq!(answer.cursor(), "2024-05-05T18:00:00Z");
}

#[test]
fn a_state_is_read_in_every_form_in_which_hosts_give_it_back() {
    let (simulator, state) = after_a_full_read();
    let (message, stream) = (&state[0], &state[0]["stream"]);
    let members = &stream["stream_state"];
    let mut decorated = message.clone();
    decorated["stream"]["stream_descriptor"]["namespace"] = Value::Null;
    decorated["global"] = Value::Null;
    decorated["id"] = json!(7);
    let mut of_doubles = message.clone();
    of_doubles["stream"]["stream_state"]["version"] = json!(1.0);
    for given in [
        json!([message]),
        json!(message),
        json!([{"type": "STATE", "state": message}]),
        json!([{"stream": stream}]),
        json!([decorated]),
        json!([of_doubles]),
        json!([{"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": [stream]}}]),
        json!([{"type": "LEGACY", "data": {"customers": members}}]),
        json!({"customers": members}),
        json!([{"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"a": 1}}}, message]),
    ] {
        let answer = Connector::of(&simulator).read_after(&given).succeeded();
        assert_eq!(answer.stream_state(), *members, "{given}");
        assert!(answer.records().len() < 10, "{given}");
        assert!(answer.warnings().is_empty(), "{given}: {:?}", answer.warnings());
    }
}

#[test]
fn a_state_that_holds_nothing_reads_everything_without_a_word() {
    let simulator = simulator(CUSTOMERS);
    for given in [
        json!(null),
        json!([]),
        json!({}),
        state_of(json!(null)),
        state_of(json!({})),
        json!([{"type": "LEGACY", "data": {}}]),
        // As a full refresh, and a stream without a cursor, leave it.
        state_of(json!({"__ab_full_refresh_sync_complete": true})),
        state_of(json!({"__ab_no_cursor_state_message": true})),
    ] {
        let answer = Connector::of(&simulator).read_after(&given).succeeded();
        assert_eq!(answer.records().len() as u64, CUSTOMERS, "{given}");
        assert!(answer.warnings().is_empty(), "{given}: {:?}", answer.warnings());
    }
    // An empty file, and nulls with a key twice, as PyAirbyte writes them.
    let of_pyairbyte = r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"customers","namespace":null},"stream_state":null},"global_":null,"data":null,"sourceStats":null,"destinationStats":null,"global_":null}]"#;
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    for given in ["", of_pyairbyte] {
        connector.write("state.json", given);
        let files = ["--catalog", "catalog.json", "--state", "state.json"];
        let read = [&["read", "--config", "config.json"][..], &files].concat();
        assert_eq!(connector.run(&read).succeeded().records().len() as u64, CUSTOMERS, "{given}");
    }
}

#[test]
fn a_state_of_other_streams_alone_reads_everything_with_a_warning() {
    let simulator = simulator(CUSTOMERS);
    let given = json!([{"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"a": 1}}}]);
    let answer = Connector::of(&simulator).read_after(&given).succeeded();
    assert_eq!(answer.records().len() as u64, CUSTOMERS);
    assert!(answer.warnings()[0].contains("none of the streams"), "{:?}", answer.warnings());
}

#[test]
fn no_odd_form_of_a_state_is_a_full_read_without_a_word() {
    let simulator = simulator(CUSTOMERS);
    let of = |members: Value| json!([{"type": "STREAM", "stream": members}]);
    let descriptor = json!({"name": "customers"});
    for given in [
        json!([{"type": "GLOBAL", "global": []}]),
        json!([{"type": "GLOBAL", "global": {}}]),
        json!([{"type": "GLOBAL", "global": "x"}]),
        json!([{"type": "GLOBAL", "global": {"shared_state": {"a": 1}}}]),
        json!([{"type": "GLOBAL", "global": {"shared_state": {"a": 1}, "stream_states": []}}]),
        json!([{"type": "GLOBAL", "global": {"shared_state": [], "stream_states": []}}]),
        json!([{"type": "GLOBAL", "global": {"stream_states": {}}}]),
        json!([{"type": "GLOBAL", "global": {"stream_states": null}}]),
        json!([{"type": "GLOBAL", "global": {"stream_states": [null]}}]),
        json!([{"type": "GLOBAL"}]),
        json!([{"type": "LEGACY"}]),
        json!([{"type": "LEGACY", "data": []}]),
        json!([{"type": "STREAM"}]),
        json!([{"type": "STATE"}]),
        json!([{"type": "RECORD"}]),
        json!([{"type": "STATE", "state": []}]),
        json!([{}]),
        json!([[]]),
        json!([7]),
        json!(7),
        json!("x"),
        json!({"data": []}),
        json!({"customers": []}),
        json!({"customers": "2024-05-01T00:00:00Z"}),
        of(json!([])),
        of(json!({"stream_descriptor": []})),
        of(json!({"stream_state": {"updatedOn": "2024-05-01T00:00:00Z"}})),
        of(json!({"stream_descriptor": descriptor, "stream_state": []})),
        of(json!({"stream_descriptor": descriptor, "stream_state": "2024-05-01T00:00:00Z"})),
        of(json!({"stream_descriptor": descriptor, "stream_state": {"updatedOn": 5}})),
        of(
            json!({"stream_descriptor": descriptor, "stream_state": {"updated_on": "2024-05-01T00:00:00Z"}}),
        ),
    ] {
        let answer = Connector::of(&simulator).read_after(&given);
        assert_eq!(answer.code, Some(78), "{given}");
        assert!(simulator.requests().is_empty(), "{given}");
    }
}

#[test]
fn the_state_of_something_else_is_refused_and_nothing_is_read() {
    let simulator = simulator(CUSTOMERS);
    for given in [
        json!({"bookmarks": {"customers": {"replication_key_value": "2024-05-01T00:00:00Z"}}}),
        json!({"Customers": {"updatedOn": "2024-05-01T00:00:00Z"}}),
        json!({"updatedOn": "2024-05-01T00:00:00Z"}),
    ] {
        let answer = Connector::of(&simulator).read_after(&given);
        assert_eq!(answer.code, Some(78), "{given}");
        assert!(simulator.requests().is_empty(), "{given}");
    }
}

#[test]
fn until_a_dated_customer_was_seen_the_state_has_no_cursor() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    simulator.reply_next(list(&[r#"{"id":"1"}"#]));
    let first = connector.read("incremental").succeeded();
    let members = first.stream_state();
    let names: Vec<&String> = members.as_object().unwrap().keys().collect();
    assert_eq!(names, ["scope", "version", "list"]);
    simulator.reply_next(updated(&["2024-05-05T13:00:00"]));
    let second = connector.read_after(&first.state()).succeeded();
    assert_eq!((second.ids(), second.cursor()), (vec![1], json!("2024-05-05T13:00:00Z")));
    assert_eq!(last_query(&simulator, "updateAsOf"), None);
}

#[test]
fn a_read_that_fails_saves_no_state_whatever_it_read_before() {
    let (simulator, state) = after_a_full_read();
    simulator.change(5);
    let connector = Connector::of(&simulator);
    for (fault, failure) in [
        (Fault::TokenRefused, Auth),
        (Fault::StatusMissing, Data),
        (Fault::Cut(500), Transient),
        (Fault::Reset(500), Transient),
        (Fault::CutGzip(1), Transient),
    ] {
        simulator.reply_next(fault);
        connector.read_after(&state).failed(failure);
    }
    simulator.reply_next(list(&[
        r#"{"id":"1","updatedOn":"2026-10-01T00:00:00"}"#,
        r#"{"id":"x","updatedOn":"2026-10-02T00:00:00"}"#,
    ]));
    let rejected = connector.read_after(&state).failed_after_records(Data);
    assert_eq!(rejected.ids(), [1]);
}

#[test]
fn a_read_cut_anywhere_and_resumed_yields_everything() {
    let (simulator, state) = after_a_full_read();
    let connector = Connector::of(&simulator);
    let mut wanted: BTreeSet<i64> =
        connector.read("full_refresh").succeeded().ids().into_iter().collect();
    let mut latest = state;
    for length in [0, 1, 44, 45, 46, 200, 400, 1_000, 1_500, 2_000, 2_400] {
        let edited = simulator.change(12);
        wanted.extend(edited.iter().map(|id| *id as i64));
        let cut = [Fault::Cut(length), Fault::CutLength(length), Fault::CutChunked(length)];
        simulator.reply_next(cut[length as usize % 3].clone());
        connector.read_after(&latest).failed(Transient);
        // The host still has the state that the last whole read ended with.
        let resumed = connector.read_after(&latest).succeeded();
        let read: BTreeSet<i64> = resumed.ids().into_iter().collect();
        assert!(edited.iter().all(|id| read.contains(&(*id as i64))), "cut after {length}");
        latest = resumed.state();
    }
    let all: BTreeSet<i64> = connector.read("full_refresh").succeeded().ids().into_iter().collect();
    assert_eq!(all, wanted);
}

#[test]
fn a_first_read_cut_anywhere_and_repeated_yields_everything() {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    let whole = connector.read("incremental").succeeded();
    for length in (0..8_000).step_by(700) {
        simulator.reply_next(Fault::Cut(length));
        connector.read("incremental").failed(Transient);
        let again = connector.read("incremental").succeeded();
        let lasting = (again.ids(), again.lasting_state());
        assert_eq!(lasting, (whole.ids(), whole.lasting_state()), "{length}");
    }
}

#[test]
fn the_state_comes_behind_the_last_record() {
    let simulator = simulator(20);
    let answer = Connector::of(&simulator).read("full_refresh").succeeded();
    let kinds: Vec<String> = answer
        .messages()
        .iter()
        .map(|message| message["type"].as_str().unwrap().to_owned())
        .collect();
    let state = kinds.iter().position(|kind| kind == "STATE").unwrap();
    let last = kinds.iter().rposition(|kind| kind == "RECORD").unwrap();
    assert_eq!((last + 1, state + 2), (state, kinds.len()), "{kinds:?}");
}

#[test]
fn a_reply_that_stalls_leaves_the_state_as_it_was() {
    let (simulator, state) = after_a_full_read();
    let stalled = list(&[r#"{"id":"1","updatedOn":"2026-10-01T00:00:00"}"#]);
    simulator.reply_next(stalled.delivered(Delivery::Stall(70)));
    let connector = Connector::of(&simulator).with("request_timeout_seconds", 1);
    connector.read_after(&state).failed(Transient);
}
