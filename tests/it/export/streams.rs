//! A stream is one declaration: those that only the tests have pass through every door of the program, with a cursor and
//! without one.

use std::fs;

use kometsales::model::{Role, Stream, Type};
use kometsales::simulator::{Reply, Simulator};
use serde_json::{Map, Value, json};

use super::places::export;
use crate::support::answer::Answer;
use crate::support::lake::{Lake, parquet_rows, stream_rows};
use crate::support::streams::{COLORS, VENDORS};
use crate::support::{Connector, simulator};

static BOTH: [&Stream; 2] = [&VENDORS, &COLORS];

/// A record in one of its versions, as rows have it.
fn row(stream: &Stream, key: u32, version: u32) -> Value {
    let value = |kind| match kind {
        Type::Text => json!(format!("version {version}")),
        Type::Integer => json!(version),
        Type::Boolean => json!(version % 2 == 1),
        Type::Timestamp => json!(format!("2024-05-{version:02}T12:00:00Z")),
    };
    let fields = stream.fields.iter().map(|field| match field.role {
        Role::Key => (field.name.to_owned(), json!(key)),
        _ => (field.name.to_owned(), value(field.kind)),
    });
    fields.chain([("_extra".to_owned(), Value::Null)]).collect::<Map<_, _>>().into()
}

/// The next reply is these records, in these versions.
fn reply_next(simulator: &Simulator, stream: &Stream, records: &[(u32, u32)]) {
    let records: Vec<Value> = records.iter().map(|(key, at)| row(stream, *key, *at)).collect();
    let mut reply = json!({"status": 1, stream.list: records});
    for record in reply[stream.list].as_array_mut().unwrap() {
        record.as_object_mut().unwrap().remove("_extra");
    }
    simulator.reply_next(Reply::json(reply.to_string()));
}

/// Rows without the time of their extraction, in an order of their own.
fn plain(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        let members = row.as_object_mut().unwrap();
        members.remove("_extracted_at").unwrap();
        assert!(members.remove("_deleted_at").is_none_or(|time| time.is_null()));
        members.retain(|name, _| !["_valid_from", "_valid_to", "_is_current"].contains(&&**name));
    }
    rows.sort_by_key(Value::to_string);
    rows
}

fn expected(stream: &Stream, records: &[(u32, u32)]) -> Vec<Value> {
    let mut rows: Vec<Value> = records.iter().map(|(key, at)| row(stream, *key, *at)).collect();
    rows.sort_by_key(Value::to_string);
    rows
}

fn connector(simulator: &Simulator) -> Connector {
    Connector::of(simulator).with_test_streams()
}

/// The JSON of a run that worked.
fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

#[test]
fn every_mode_of_a_table_takes_every_stream() {
    let received = [(1, 1), (2, 5), (4, 4)];
    for stream in BOTH {
        for (mode, then) in [
            ("merge", &[(1, 1), (2, 5), (3, 3), (4, 4)][..]),
            ("append", &[(1, 1), (2, 2), (2, 5), (3, 3), (4, 4)]),
            ("history", &[(1, 1), (2, 2), (2, 5), (3, 3), (4, 4)]),
            ("overwrite", &received),
        ] {
            let simulator = simulator(0);
            let connector = connector(&simulator);
            let more = ["--stream", stream.name, "--mode", mode, "--json"];
            let rows = || {
                let table = connector.folder().join("lake").join(stream.name);
                plain(Lake::in_folder(&table).rows())
            };
            reply_next(&simulator, stream, &[(1, 1), (2, 2), (3, 3)]);
            let first = json_of(&export(&connector, "lake", &more));
            assert_eq!((&first["kind"], &first["mode"]), (&json!("table"), &json!(mode)));
            assert_eq!(rows(), expected(stream, &[(1, 1), (2, 2), (3, 3)]));

            reply_next(&simulator, stream, &received);
            let second = json_of(&export(&connector, "lake", &more));
            assert_eq!(rows(), expected(stream, then), "{} {mode}", stream.name);
            assert_eq!(second["cursor"].is_string(), stream.cursor().is_some(), "{second}");
            let (is_whole, is_overwrite) = (stream.cursor().is_none(), mode == "overwrite");
            let kept = if is_whole && !is_overwrite { json!(1) } else { Value::Null };
            assert_eq!(second["not_returned"], kept, "{} {mode}", stream.name);
            let request = &simulator.requests()[1];
            assert_eq!(request.path, format!("/api/{}", stream.method));
            let is_bounded = request.parameter("updateAsOf").is_some();
            assert_eq!(is_bounded, !is_whole && !is_overwrite);

            reply_next(&simulator, stream, &received);
            let third = json_of(&export(&connector, "lake", &more));
            assert_eq!(third["committed"], is_overwrite, "{} {mode}", stream.name);
        }
    }
}

#[test]
fn a_file_and_a_stream_of_arrow_take_every_stream() {
    for stream in BOTH {
        let simulator = simulator(0);
        let connector = connector(&simulator);
        let wanted = expected(stream, &[(1, 1), (2, 2)]);
        reply_next(&simulator, stream, &[(1, 1), (2, 2)]);
        let answer = export(&connector, "x.parquet", &["--stream", stream.name]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let file = fs::read(connector.folder().join("x.parquet")).unwrap();
        assert_eq!(plain(parquet_rows(&file)), wanted);
        reply_next(&simulator, stream, &[(1, 1), (2, 2)]);
        let answer = export(&connector, "-", &["--stream", stream.name]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_eq!(plain(stream_rows(&answer.stdout)), wanted);
        assert_eq!(answer.stderr.contains("cursor"), stream.cursor().is_some());
    }
}

#[test]
fn show_has_what_a_stream_says_of_itself_and_no_more() {
    let simulator = simulator(0);
    let connector = connector(&simulator);
    for stream in BOTH {
        reply_next(&simulator, stream, &[(1, 1), (2, 2), (3, 3)]);
        let more = ["--stream", stream.name];
        assert_eq!(export(&connector, "lake", &more).code, Some(0));
        let show = |more: &[&str]| {
            connector.run(&[&["show", "lake", "--stream", stream.name], more].concat())
        };
        let shown = json_of(&show(&["--json"]));
        assert_eq!((&shown["rows"], &shown["keys"]), (&json!(3), &json!(3)));
        let active = if stream.active().is_some() { json!(2) } else { Value::Null };
        assert_eq!(shown["active"], active, "{}", stream.name);
        let months = if stream.cursor().is_some() { json!({"2024-05": 3}) } else { json!({}) };
        assert_eq!(shown["months"], months);
        let text = show(&[]).text().to_owned();
        assert_eq!(text.contains("\n   active "), stream.active().is_some(), "{text}");
        assert_eq!(text.contains("\n   cursor "), stream.cursor().is_some(), "{text}");
        assert_eq!(text.contains("by the month"), stream.cursor().is_some(), "{text}");
    }
}

#[test]
fn rejects_of_each_stream_have_a_folder_of_its_own() {
    let simulator = simulator(0);
    let connector = connector(&simulator);
    for stream in BOTH {
        let good = row(stream, 1, 1);
        let key = stream.key().name;
        let reply = json!({"status": 1, stream.list: [good, {key: "none"}]});
        simulator.reply_next(Reply::json(reply.to_string()));
        let answer = export(&connector, "lake", &["--stream", stream.name, "--json"]);
        let report = json_of(&answer);
        let to = report["rejects_to"].as_str().unwrap();
        assert!(to.contains(&format!("/lake/{}_rejects/", stream.name)), "{to}");
        assert!(fs::read_to_string(to).unwrap().contains(&format!("{}[1].{key}", stream.list)));
    }
}

#[test]
fn a_stream_is_named_or_the_first_one_and_a_misspelt_name_is_answered() {
    let simulator = simulator(3);
    let connector = connector(&simulator);
    for (name, meant) in [
        ("vendor", "Did you mean `vendors`? Available: customers, vendors, colors."),
        ("Colors", "Did you mean `colors`?"),
        ("colour", "Did you mean `colors`?"),
        ("x", "Unknown stream `x`. Available: customers, vendors, colors."),
    ] {
        for command in [&["export", "--config", "config.json", "--to"][..], &["show"]] {
            let answer = connector.run(&[command, &["lake", "--stream", name]].concat());
            assert_eq!(answer.code, Some(78), "{}", answer.stderr);
            assert!(answer.stderr.contains(meant), "{}", answer.stderr);
        }
    }
    assert!(simulator.requests().is_empty());
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    assert!(connector.folder().join("lake/customers/_delta_log").is_dir());
}

#[test]
fn the_table_of_another_stream_is_refused() {
    let simulator = simulator(3);
    let connector = connector(&simulator);
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    let asked = simulator.requests().len();
    for stream in BOTH {
        for mode in ["merge", "append", "overwrite", "history"] {
            let more = ["--stream", stream.name, "--mode", mode];
            let answer = export(&connector, "lake/customers", &more);
            assert_eq!(answer.code, Some(78), "{mode}: {}", answer.stderr);
            assert!(answer.stderr.contains("lake/customers"), "{}", answer.stderr);
        }
        let answer = connector.run(&["show", "lake/customers", "--stream", stream.name]);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    }
    assert_eq!(simulator.requests().len(), asked);
}

#[test]
fn a_start_date_that_cannot_apply_is_a_warning() {
    let simulator = simulator(0);
    let connector = connector(&simulator).with("start_date", "2024-05-02");
    for stream in BOTH {
        reply_next(&simulator, stream, &[(1, 1), (2, 2)]);
        let answer = export(&connector, "lake", &["--stream", stream.name, "--json"]);
        let rows = if stream.cursor().is_some() { 1 } else { 2 };
        assert_eq!(json_of(&answer)["rows"], rows);
        let is_warned = answer.stderr.contains("`start_date` does not apply");
        assert_eq!(is_warned, stream.cursor().is_none(), "{}", answer.stderr);
    }
}

#[test]
fn the_tap_discovers_and_reads_every_stream() {
    let simulator = simulator(0);
    let connector = connector(&simulator);
    let discovered = connector.run(&["--config", "config.json", "--discover"]);
    let catalog: Value = serde_json::from_str(discovered.text()).unwrap();
    for stream in BOTH {
        let own = catalog["streams"].as_array().unwrap().iter();
        let own: Vec<&Value> = own.filter(|entry| entry["stream"] == stream.name).collect();
        let catalog = json!({ "streams": own });
        let key = own[0]["replication_key"].as_str();
        assert_eq!(key, stream.cursor().map(|cursor| cursor.name));
        let method = if key.is_some() { "INCREMENTAL" } else { "FULL_TABLE" };
        assert_eq!(own[0]["replication_method"], method);
        connector.write("catalog.json", catalog.to_string());
        reply_next(&simulator, stream, &[(1, 1), (2, 2)]);
        let tap = ["--config", "config.json", "--catalog", "catalog.json"];
        let answer = connector.run(&tap);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let messages: Vec<Value> =
            answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let types: Vec<&Value> = messages.iter().map(|message| &message["type"]).collect();
        assert_eq!(types, ["SCHEMA", "RECORD", "RECORD", "STATE"]);
        assert_eq!(messages[0]["key_properties"], json!([stream.key().name]));
        assert_eq!(messages[0].get("bookmark_properties").is_some(), key.is_some());
        let records: Vec<Value> =
            messages[1..3].iter().map(|message| message["record"].clone()).collect();
        assert_eq!(records, [row(stream, 1, 1), row(stream, 2, 2)]);
        let bookmark = &messages[3]["value"]["bookmarks"][stream.name];
        assert_eq!(bookmark["replication_key_value"].as_str().is_some(), key.is_some());
        assert_eq!(bookmark["version"], 1);

        connector.write("state.json", messages[3]["value"].to_string());
        reply_next(&simulator, stream, &[(2, 2)]);
        let answer = connector.run(&[&tap[..], &["--state", "state.json"]].concat());
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let asked = simulator.requests();
        assert_eq!(asked.last().unwrap().parameter("updateAsOf").is_some(), key.is_some());
    }
    let mut colors = catalog["streams"][2].clone();
    colors["replication_method"] = json!("INCREMENTAL");
    colors["metadata"][0]["metadata"]["forced-replication-method"] = Value::Null;
    connector.write("catalog.json", json!({ "streams": [colors] }).to_string());
    let answer = connector.run(&["--config", "config.json", "--catalog", "catalog.json"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("Available: FULL_TABLE."), "{}", answer.stderr);
}

#[test]
fn airbyte_checks_discovers_and_reads_every_stream() {
    let simulator = simulator(0);
    let connector = connector(&simulator);
    let discovered = connector.run(&["discover"]);
    let names: Vec<Value> = discovered.messages()[0]["catalog"]["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["name"].clone())
        .collect();
    assert_eq!(names, ["customers", "vendors", "colors"]);
    BOTH.iter().for_each(|stream| reply_next(&simulator, stream, &[(1, 1)]));
    let streams = BOTH.map(|stream| json!({"stream": {"name": stream.name}}));
    let answer = connector.read_catalog(&json!({ "streams": streams }), None);
    assert_eq!(answer.code, Some(0), "{}", answer.told());
    assert_eq!(answer.records(), BOTH.map(|stream| row(stream, 1, 1)));
}
