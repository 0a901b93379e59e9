//! A stream is a value: one that only the tests declare is read like the product's own. A suite of
//! behaviours holds for every stream there is.

use std::time::Duration;

use kometsales::airbyte::sink::Console;
use kometsales::airbyte::{ReadFiles, check, discover, read};
use kometsales::error::Failed;
use kometsales::input::Input;
use kometsales::log::Level;
use kometsales::model::{Role, Stream, Type};
use kometsales::network::Proxies;
use kometsales::simulator::{Reply, Simulator};
use kometsales::source::{Machine, Scratch};
use kometsales::streams::{ALL, customers::CUSTOMERS};
use serde_json::{Map, Value, json};

use crate::support::answer::Answer;
use crate::support::answer::Failure::{Auth, Config, Data, Transient};
use crate::support::replies::said;
use crate::support::simulator;
use crate::support::streams::{COLORS, STREAMS, VENDORS};

/// The product's streams and the one of the tests.
static BOTH: &[&Stream] = &[&CUSTOMERS, &VENDORS];

/// A machine without proxies.
fn machine() -> Machine {
    let scratch = Scratch::new(vec![std::env::temp_dir()]);
    Machine { scratch, proxies: Proxies::default(), certificates: None }
}

/// What a run of the library said.
fn answer(run: impl FnOnce(&Console<&mut Vec<u8>>) -> Result<(), Failed>) -> Answer {
    let mut stdout = Vec::new();
    let done = run(&Console::new(&mut stdout, Level::Info));
    let code = match done {
        Ok(()) => 0,
        Err(Failed::Reported(code)) => code,
        Err(Failed::Unreported(error)) => panic!("nobody was told: {error}"),
    };
    let (signal, stderr, elapsed) = (None, String::new(), Duration::ZERO);
    Answer { code: Some(code.into()), signal, stdout, stderr, elapsed }
}

fn given(json: &Value) -> Input {
    Input::Given(json.to_string().into_bytes())
}

fn config(simulator: &Simulator) -> Value {
    json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
        "retry_window_seconds": 0,
        "code": "A&1",
    })
}

/// Reads streams, each in its own mode and with its own fields.
fn read_streams(simulator: &Simulator, wanted: &[Value], state: Option<&Value>) -> Answer {
    let files = ReadFiles {
        config: vec![given(&config(simulator))],
        catalog: given(&json!({ "streams": wanted })),
        state: state.map(given),
    };
    answer(|console| read(console, STREAMS, &files, machine()))
}

fn wanted(stream: &Stream, mode: &str, properties: Value) -> Value {
    json!({
        "stream": {"name": stream.name, "json_schema": {"properties": properties}},
        "sync_mode": mode,
    })
}

fn full(stream: &Stream) -> Value {
    wanted(stream, "full_refresh", Value::Null)
}

fn incremental(stream: &Stream) -> Value {
    wanted(stream, "incremental", Value::Null)
}

/// A record as the API sends it, every field as text, updated on a day in May 2024.
fn sent(stream: &Stream, day: u32) -> Value {
    let value = |kind| match kind {
        Type::Text => json!(format!("text of the {day}.")),
        Type::Integer => json!(day.to_string()),
        Type::Boolean => json!("1"),
        Type::Timestamp => json!(format!("2024-05-{day:02} 12:00:00")),
    };
    stream
        .fields
        .iter()
        .map(|field| (field.name.to_owned(), value(field.kind)))
        .collect::<Map<_, _>>()
        .into()
}

/// The same as it goes out.
fn emitted(stream: &Stream, day: u32) -> Value {
    let value = |kind| match kind {
        Type::Text => json!(format!("text of the {day}.")),
        Type::Integer => json!(day),
        Type::Boolean => json!(true),
        Type::Timestamp => json!(format!("2024-05-{day:02}T12:00:00Z")),
    };
    let fields = stream.fields.iter().map(|field| (field.name.to_owned(), value(field.kind)));
    fields.chain([("_extra".to_owned(), Value::Null)]).collect::<Map<_, _>>().into()
}

fn reply(stream: &Stream, records: &[Value]) -> Reply {
    Reply::json(json!({"status": "1", "message": "OK", stream.list: records}).to_string())
}

fn reply_days(stream: &Stream, days: &[u32]) -> Reply {
    let records: Vec<Value> = days.iter().map(|day| sent(stream, *day)).collect();
    reply(stream, &records)
}

/// The state of one stream, as the host gives it back.
fn state_of(stream: &Stream, answer: &Answer) -> Value {
    let states = answer.states();
    let own = |state: &&Value| state["stream"]["stream_descriptor"]["name"] == stream.name;
    let own: Vec<&Value> = states.iter().filter(own).collect();
    assert_eq!(own.len(), 1, "{}", answer.told());
    own[0]["stream"]["stream_state"].clone()
}

/// What is expected of every stream.
fn behaves_as_a_stream(stream: &'static Stream) {
    its_schema_allows_what_it_emits(stream);
    it_is_read_whole(stream);
    it_goes_on_from_its_state(stream);
    its_fields_can_be_selected(stream);
    its_invalid_values_become_null(stream);
    its_records_without_a_key_are_rejected(stream);
    it_is_refused_and_emits_nothing(stream);
    it_may_find_nothing(stream);
    it_can_be_checked(stream);
}

fn its_schema_allows_what_it_emits(stream: &'static Stream) {
    let answer = answer(|console| discover(console, &[stream], &[]));
    let entry = &answer.messages()[0]["catalog"]["streams"][0];
    assert_eq!(entry["name"], stream.name);
    match stream.cursor() {
        Some(cursor) => {
            assert_eq!(entry["supported_sync_modes"], json!(["full_refresh", "incremental"]));
            assert_eq!(entry["source_defined_cursor"], true);
            assert_eq!(entry["default_cursor_field"], json!([cursor.name]));
        }
        None => {
            assert_eq!(entry["supported_sync_modes"], json!(["full_refresh"]));
            assert!(entry.get("source_defined_cursor").is_none());
            assert!(entry.get("default_cursor_field").is_none());
        }
    }
    assert_eq!(entry["source_defined_primary_key"], json!([[stream.key().name]]));
    assert_eq!(entry["is_resumable"], false);
    let schema = &entry["json_schema"];
    assert_eq!(schema["required"], json!([stream.key().name]));
    let properties = schema["properties"].as_object().unwrap();
    let record = emitted(stream, 1);
    let names: Vec<&String> = record.as_object().unwrap().keys().collect();
    assert_eq!(properties.keys().collect::<Vec<_>>(), names);
    for field in stream.fields {
        let property = &properties[field.name];
        let kind = match &record[field.name] {
            Value::String(_) => "string",
            Value::Number(_) => "integer",
            Value::Bool(_) => "boolean",
            other => panic!("{other}"),
        };
        let is_key = field.role == Role::Key;
        let expected = if is_key { json!(kind) } else { json!(["null", kind]) };
        assert_eq!(property["type"], expected, "{}", field.name);
        let format = (field.kind == Type::Timestamp).then_some("date-time");
        assert_eq!(property["format"].as_str(), format, "{}", field.name);
        assert_eq!(property["description"], field.documentation);
    }
}

fn it_is_read_whole(stream: &'static Stream) {
    let simulator = simulator(0);
    simulator.reply_next(reply_days(stream, &[3, 1, 2]));
    let answer = read_streams(&simulator, &[full(stream)], None).succeeded();
    let records = [3, 1, 2].map(|day| emitted(stream, day));
    assert_eq!(answer.records(), records);
    assert!(answer.record_messages().iter().all(|record| record["stream"] == stream.name));
    let state = state_of(stream, &answer);
    match stream.cursor() {
        Some(cursor) => assert_eq!(state[cursor.name], "2024-05-03T12:00:00Z"),
        None => {
            assert_eq!(
                state.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["scope", "version", "list"]
            )
        }
    }
    let request = &simulator.requests()[0];
    assert_eq!(request.path, format!("/api/{}", stream.method));
    assert_eq!(request.parameter("includeInactive").is_some(), stream.inactive.is_some());
    for filter in stream.filters {
        let expected = (filter.setting == "code").then_some("A&1");
        assert_eq!(request.parameter(filter.parameter), expected, "{}", filter.setting);
    }
}

fn it_goes_on_from_its_state(stream: &'static Stream) {
    let simulator = simulator(0);
    let Some(cursor) = stream.cursor() else {
        let answer = read_streams(&simulator, &[incremental(stream)], None).failed(Config);
        assert!(answer.error().ends_with("no sync mode `incremental`; available: full_refresh."));
        assert!(simulator.requests().is_empty());
        return;
    };
    simulator.reply_next(reply_days(stream, &[1, 7]));
    let first = read_streams(&simulator, &[incremental(stream)], None).succeeded();
    simulator.reply_next(reply_days(stream, &[1, 7, 9]));
    let state = first.state();
    let second = read_streams(&simulator, &[incremental(stream)], Some(&state)).succeeded();
    assert_eq!(second.records(), [7, 9].map(|day| emitted(stream, day)));
    assert_eq!(state_of(stream, &second)[cursor.name], "2024-05-09T12:00:00Z");
    assert_eq!(simulator.requests()[1].parameter("updateAsOf"), Some("2024-05-06"));
    let newer = json!({stream.name: {cursor.name: "2024-05-09T12:00:00Z", "version": 2}});
    read_streams(&simulator, &[incremental(stream)], Some(&newer)).failed(Config);
    assert_eq!(simulator.requests().len(), 2);
}

fn its_fields_can_be_selected(stream: &'static Stream) {
    let automatic = [Role::Key, Role::Cursor];
    for field in stream.fields.iter().filter(|field| !automatic.contains(&field.role)) {
        let simulator = simulator(0);
        simulator.reply_next(reply_days(stream, &[1]));
        let one = wanted(stream, "full_refresh", json!({field.name: {}}));
        let answer = read_streams(&simulator, &[one], None).succeeded();
        let mut expected = emitted(stream, 1);
        let kept = [Some(stream.key()), stream.cursor(), Some(field)]
            .map(|kept| kept.map(|kept| kept.name));
        expected.as_object_mut().unwrap().retain(|name, _| kept.contains(&Some(name.as_str())));
        assert_eq!(answer.records(), [expected]);
    }
}

fn its_invalid_values_become_null(stream: &'static Stream) {
    let simulator = simulator(0);
    let mut record = sent(stream, 1);
    let nullable: Vec<&str> =
        stream.fields.iter().filter(|field| field.is_nullable()).map(|field| field.name).collect();
    for name in &nullable {
        record[*name] = json!({"not": ["what", "is", "declared"]});
    }
    simulator.reply_next(reply(stream, &[record]));
    let answer = read_streams(&simulator, &[full(stream)], None).succeeded();
    let message = &answer.record_messages()[0];
    let mut expected = emitted(stream, 1);
    let mut changes = Vec::new();
    for name in &nullable {
        expected[*name] = Value::Null;
        let reason = "SOURCE_SERIALIZATION_ERROR";
        changes.push(json!({"field": name, "change": "NULLED", "reason": reason}));
    }
    assert_eq!(message["data"], expected);
    assert_eq!(message["meta"]["changes"], Value::from(changes));
    assert_eq!(answer.warnings().len(), nullable.len());
    assert!(answer.warnings()[0].contains(&format!("{}[0].", stream.list)));
}

fn its_records_without_a_key_are_rejected(stream: &'static Stream) {
    let simulator = simulator(0);
    let mut record = sent(stream, 2);
    record[stream.key().name] = json!("no number");
    simulator.reply_next(reply(stream, &[sent(stream, 1), record]));
    let answer = read_streams(&simulator, &[full(stream)], None).failed_after_records(Data);
    assert_eq!(answer.records(), [emitted(stream, 1)]);
    let path = format!("{}[1].{}", stream.list, stream.key().name);
    assert!(answer.error().contains(&path), "{}", answer.error());
}

fn it_is_refused_and_emits_nothing(stream: &'static Stream) {
    let simulator = simulator(0);
    let cut = reply_days(stream, &[1, 2]).delivered(kometsales::simulator::Delivery::Cut(60));
    for (reply, failure) in [
        (said("0", "The token may not call this method"), Auth),
        (cut, Transient),
        (Reply::json(json!({stream.list: [sent(stream, 1)]}).to_string()), Data),
        (Reply::new(404, "text/html", "<p>Not Found</p>"), Config),
    ] {
        simulator.reply_next(reply);
        let answer = read_streams(&simulator, &[full(stream)], None).failed(failure);
        assert!(answer.error().contains(stream.method), "{}", answer.error());
        assert_eq!(answer.errors()[0]["stream_descriptor"]["name"], stream.name);
    }
}

fn it_may_find_nothing(stream: &'static Stream) {
    let simulator = simulator(0);
    for name in [stream.list, stream.record, "Records"] {
        simulator.reply_next(said("0", &format!("No {name} were found")));
        let answer = read_streams(&simulator, &[full(stream)], None).succeeded();
        assert_eq!(answer.records().len(), 0);
    }
}

fn it_can_be_checked(stream: &'static Stream) {
    let simulator = simulator(0);
    for (reply, status) in
        [(reply(stream, &[]), "SUCCEEDED"), (said("0", "Token not found"), "FAILED")]
    {
        simulator.reply_next(reply);
        let config = given(&config(&simulator));
        let answer =
            answer(|console| check(console, &[stream], std::slice::from_ref(&config), machine()));
        assert_eq!(answer.connection_statuses()[0]["status"], status, "{}", answer.told());
    }
    assert!(simulator.requests()[0].path.ends_with(stream.method));
}

#[test]
fn every_stream_of_the_product_behaves_as_a_stream() {
    for stream in ALL {
        behaves_as_a_stream(stream);
    }
}

#[test]
fn a_stream_that_only_tests_declare_behaves_as_a_stream() {
    behaves_as_a_stream(&VENDORS);
}

#[test]
fn a_stream_without_a_cursor_behaves_as_a_stream() {
    behaves_as_a_stream(&COLORS);
}

#[test]
fn two_streams_are_discovered_and_read_one_after_the_other() {
    let discovered = answer(|console| discover(console, BOTH, &[]));
    let streams = discovered.messages()[0]["catalog"]["streams"].clone();
    let names: Vec<&str> =
        streams.as_array().unwrap().iter().map(|stream| stream["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["customers", "vendors"]);

    let simulator = simulator(0);
    simulator.reply_next(reply_days(&VENDORS, &[5]));
    simulator.reply_next(reply_days(&CUSTOMERS, &[1, 2]));
    let wanted = [incremental(&VENDORS), full(&CUSTOMERS)];
    let answer = read_streams(&simulator, &wanted, None);
    assert_eq!(answer.code, Some(0), "{}", answer.told());
    let one = ["STARTED", "RUNNING", "COMPLETE"];
    assert_eq!(answer.statuses(), [one, one].concat());
    assert_eq!(answer.estimates(), [1, 2]);
    assert_eq!(answer.records().len(), 3);
    let (vendors, customers) = (state_of(&VENDORS, &answer), state_of(&CUSTOMERS, &answer));
    assert_eq!(vendors["changedAt"], "2024-05-05T12:00:00Z");
    assert_eq!(customers["updatedOn"], "2024-05-02T12:00:00Z");
    assert_ne!(vendors["scope"], customers["scope"]);

    let states = Value::from(answer.states());
    let again = read_streams(&simulator, &wanted, Some(&states));
    assert!(again.warnings().is_empty(), "{:?}", again.warnings());
    assert_eq!(simulator.requests()[2].parameter("updateAsOf"), Some("2024-05-04"));
}

#[test]
fn a_stream_that_fails_does_not_keep_the_other_from_being_read() {
    let simulator = simulator(0);
    let (failed, whole) = (["STARTED", "INCOMPLETE"], ["STARTED", "RUNNING", "COMPLETE"]);
    for first_fails in [true, false] {
        let mut replies =
            [said("0", "The token may not call this method"), reply_days(&VENDORS, &[5])];
        let mut wanted = [full(&CUSTOMERS), full(&VENDORS)];
        let mut statuses = [&failed[..], &whole[..]];
        if !first_fails {
            replies.reverse();
            wanted.reverse();
            statuses.reverse();
        }
        replies.into_iter().for_each(|reply| simulator.reply_next(reply));
        let answer = read_streams(&simulator, &wanted, None);
        assert_eq!(answer.code, Some(77), "{}", answer.told());
        assert_eq!(answer.statuses(), statuses.concat());
        assert_eq!(answer.records(), [emitted(&VENDORS, 5)]);
        assert_eq!(answer.states().len(), 1);
        assert_eq!(state_of(&VENDORS, &answer)["changedAt"], "2024-05-05T12:00:00Z");
        assert_eq!(answer.errors()[0]["stream_descriptor"]["name"], "customers");
    }
}

#[test]
fn the_product_does_not_know_the_stream_of_the_tests() {
    let simulator = simulator(0);
    let catalog = json!({ "streams": [full(&VENDORS)] });
    let answer =
        crate::support::Connector::of(&simulator).read_catalog(&catalog, None).failed(Config);
    assert!(answer.error().contains("vendors"), "{}", answer.error());
}
