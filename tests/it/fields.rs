//! Fields that are left out or hashed: the same at every door, and nothing of them anywhere else.

use std::fs;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_ipc::reader::StreamReader;
use kometsales::simulator::{Reply, Simulator};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::answer::{Answer, Failure};
use crate::support::replies::list;
use crate::support::secrets::{assert_absent, assert_absent_in_folder};
use crate::support::{Connector, catalog, simulator};

const KEY: &str = "a-key-of-sixteen-or-more";

/// HMAC-SHA-256 under [`KEY`] of `Rosé & Söhne`, of nothing and of `007`, by Python's `hmac`.
const HASHES: [&str; 3] = [
    "0a548d84a30e1af77194d90b692c508a4b3a04fa71d676043fbd09e726142ea3",
    "ddd31acb0daa4147954d15be55a5303966531b4077d1b9269de3d63a9f6a9f24",
    "009c2879d9b1179a95545e129f96abbaa9b916f3ec1d24988081719b75015834",
];

/// What stands in every value that must be seen nowhere.
const MARK: &str = "SECRET-";

/// The columns that are left.
const COLUMNS: [&str; 7] =
    ["id", "accountingCode", "name", "code", "active", "customerType", "updatedOn"];

/// Records with values of every kind in what is left out, and one that has no id.
const RECORDS: [&str; 4] = [
    r#"{"id":"1","name":"Rosé & Söhne","code":"A1","salesPerson":"SECRET-1","active":"1","updatedOn":"2024-01-01T00:00:00","email":"SECRET-2"}"#,
    r#"{"id":"2","name":"","salesPerson":{"SECRET-3":1},"salesPersonId":"SECRET-4"}"#,
    r#"{"id":"3","name":"007","salesPerson":"SECRET-\ud800","phones":["SECRET-5","\ud800"]}"#,
    r#"{"id":"4","name":null}"#,
];
const REJECTED: &str = r#"{"id":"SECRET-6","name":"SECRET-7","salesPerson":"SECRET-8"}"#;

fn connector(simulator: &Simulator) -> Connector {
    Connector::of(simulator)
        .with("exclude_fields", "salesPersonId , salesPerson")
        .with("hash_fields", "name")
        .with("hash_key", KEY)
        .with("max_rejects", 5)
        .with_environment("LOG_LEVEL", "trace")
}

fn reply() -> Reply {
    list(&[&RECORDS[..], &[REJECTED]].concat())
}

fn names() -> [Option<&'static str>; 4] {
    let [rose, nothing, seven] = HASHES;
    [Some(rose), Some(nothing), Some(seven), None]
}

/// The messages of a tap.
fn of_tap(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn assert_private(connector: &Connector, answer: &Answer) {
    for secret in [MARK, KEY, "Söhne"] {
        assert_absent(secret, "stdout", &answer.stdout);
        assert_absent(secret, "stderr", answer.stderr.as_bytes());
    }
    assert_absent_in_folder(MARK, &connector.scratch());
}

#[track_caller]
fn assert_rows(batches: &[RecordBatch], columns: &[&str]) {
    let schema = batches[0].schema();
    let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(found, columns);
    let found: Vec<Option<&str>> = batches
        .iter()
        .flat_map(|batch| batch.column_by_name("name").unwrap().as_string::<i32>().iter())
        .collect();
    assert_eq!(found, names());
}

#[test]
fn airbyte_leaves_fields_out_and_hashes_others() {
    let simulator = simulator(0);
    simulator.reply_next(reply());
    let connector = connector(&simulator);
    let answer = connector.read("full_refresh").succeeded();
    for (record, name) in answer.records().iter().zip(names()) {
        let found: Vec<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, COLUMNS);
        assert_eq!(record["name"], json!(name));
    }
    assert!(answer.record_messages().iter().all(|record| record.get("meta").is_none()));
    assert_private(&connector, &answer);
    assert!(answer.warnings().iter().any(|warning| warning.contains("customers[4].id")));
}

#[test]
fn singer_leaves_fields_out_and_hashes_others() {
    let simulator = simulator(0);
    simulator.reply_next(reply());
    let connector = connector(&simulator);
    let answer = connector.run(&["--config", "config.json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.told());
    let messages = of_tap(&answer);
    let schema = &messages[0]["schema"]["properties"];
    assert_eq!(Vec::from_iter(schema.as_object().unwrap().keys()), COLUMNS);
    assert_eq!(schema["name"]["type"], json!(["null", "string"]));
    let records = messages.iter().filter(|message| message["type"] == "RECORD");
    for (message, name) in records.zip(names()) {
        let found: Vec<&String> = message["record"].as_object().unwrap().keys().collect();
        assert_eq!(found, COLUMNS);
        assert_eq!(message["record"]["name"], json!(name));
    }
    assert_private(&connector, &answer);
}

#[test]
fn a_file_and_a_stream_leave_fields_out_and_hash_others() {
    let simulator = simulator(0);
    let connector = connector(&simulator);
    let columns = [&COLUMNS[..], &["_extracted_at"]].concat();
    simulator.reply_next(reply());
    let answer = connector.run(&["export", "--config", "config.json", "--to", "x.parquet"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_private(&connector, &answer);
    let file = fs::File::open(connector.folder().join("x.parquet")).unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_rows(&rows.map(Result::unwrap).collect::<Vec<_>>(), &columns);
    simulator.reply_next(reply());
    let answer = connector.run(&["export", "--config", "config.json", "--to", "-"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_private(&connector, &answer);
    let rows = StreamReader::try_new(answer.stdout.as_slice(), None).unwrap();
    assert_rows(&rows.map(Result::unwrap).collect::<Vec<_>>(), &columns);
    // With the stream out of the way, nothing that was written has what is left out.
    for secret in [MARK, "Söhne"] {
        let written = fs::read(connector.folder().join("x.parquet")).unwrap();
        assert_absent(secret, "x.parquet", &written);
    }
}

#[test]
fn rejects_keep_path_and_reason_alone() {
    let simulator = simulator(0);
    for settings in [("exclude_fields", "code"), ("hash_fields", "code"), ("name", "x")] {
        simulator.reply_next(reply());
        let connector =
            Connector::of(&simulator).with("hash_key", KEY).with(settings.0, settings.1);
        let answer = connector.run(&["export", "--config", "config.json", "--to", "x.parquet"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let line = fs::read_to_string(connector.folder().join("x.rejects.jsonl")).unwrap();
        let reject: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(reject["path"], "customers[4].id");
        assert!(reject["reason"].as_str().unwrap().contains("whole number"));
        assert_eq!(reject.get("record").is_none(), settings.0 != "name", "{line}");
    }
}

#[test]
fn a_body_that_is_no_list_is_not_quoted_where_fields_are_left_out_or_hashed() {
    let simulator = simulator(0);
    for body in [r#"{records: [{"name": "SECRET-1"}]}"#, "SECRET-2, a list"] {
        for is_private in [true, false] {
            simulator.reply_next(Reply::json(body.to_owned()));
            let connector = match is_private {
                true => connector(&simulator),
                false => Connector::of(&simulator),
            };
            let answer = connector.read("full_refresh").failed(Failure::Transient);
            assert_eq!(answer.error().contains(MARK), !is_private, "{}", answer.error());
        }
    }
}

#[test]
fn what_is_discovered_is_what_goes_out_and_needs_no_whole_configuration() {
    let config = json!({"exclude_fields": "code", "hash_fields": "name", "lookback_hours": "x"});
    let connector = Connector::configured(config);
    let expected = [
        "id",
        "accountingCode",
        "name",
        "active",
        "salesPerson",
        "salesPersonId",
        "customerType",
        "updatedOn",
    ];
    let airbyte = connector.run(&["discover", "--config", "config.json"]);
    let schema = airbyte.messages()[0]["catalog"]["streams"][0]["json_schema"].clone();
    let singer = connector.run(&["--config", "config.json", "--discover"]);
    let catalog: Value = serde_json::from_str(singer.text()).unwrap();
    let stream = &catalog["streams"][0];
    assert_eq!(stream["schema"], schema);
    assert_eq!(Vec::from_iter(schema["properties"].as_object().unwrap().keys()), expected);
    let name = &schema["properties"]["name"];
    assert_eq!(name["type"], json!(["null", "string"]));
    assert!(name["description"].as_str().unwrap().contains("HMAC-SHA-256"), "{name}");
    let described: Vec<&str> = stream["metadata"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["breadcrumb"][1].as_str())
        .collect();
    assert_eq!(described, expected);
    let schema_test = connector.run(&["--config", "config.json", "--test=schema"]);
    assert_eq!(of_tap(&schema_test)[0]["schema"], schema);
}

#[test]
fn a_field_that_is_not_known_fails_the_discovery_too() {
    let connector = Connector::configured(json!({"exclude_fields": "nmae"}));
    let airbyte = connector.run(&["discover", "--config", "config.json"]);
    assert_eq!(airbyte.code, Some(78), "{}", airbyte.told());
    assert!(airbyte.error().contains("did you mean `name`?"), "{}", airbyte.told());
    let singer = connector.run(&["--config", "config.json", "--discover"]);
    assert_eq!((singer.code, singer.text()), (Some(78), ""));
    assert!(singer.stderr.contains("did you mean `name`?"), "{}", singer.stderr);
}

#[test]
fn a_catalog_that_selects_what_is_left_out_is_warned_of_and_read() {
    let simulator = simulator(2);
    let connector = Connector::of(&simulator).with("exclude_fields", "salesPerson");
    let properties = json!({"name": {}, "salesPerson": {}, "_extra": {}, "unheard_of": {}});
    let answer = connector.read_catalog(&catalog("customers", "full_refresh", properties), None);
    let answer = answer.succeeded();
    assert_eq!(
        Vec::from_iter(answer.records()[0].as_object().unwrap().keys()),
        ["id", "name", "updatedOn"]
    );
    let warning = answer.warning();
    assert!(warning.contains("selects `salesPerson`, `_extra`"), "{warning}");

    let open = Connector::of(&simulator);
    let discovered = open.run(&["--discover"]);
    connector.write("catalog.json", &discovered.stdout);
    let answer = connector.run(&["--config", "config.json", "--catalog", "catalog.json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.stderr.contains("selects `salesPerson`, `_extra`"), "{}", answer.stderr);
    let schema = &of_tap(&answer)[0]["schema"]["properties"];
    assert!(schema.get("salesPerson").is_none() && schema.get("_extra").is_none());

    // Without properties everything is selected, and nothing is amiss.
    let answer = connector.read("full_refresh").succeeded();
    assert_eq!(answer.warnings(), Vec::<String>::new());
}

#[test]
fn a_schema_of_the_catalog_that_a_hash_would_not_fit_is_replaced() {
    let simulator = simulator(2);
    let connector = Connector::of(&simulator).with("hash_fields", "code").with("hash_key", KEY);
    let mut catalog: Value =
        serde_json::from_str(Connector::of(&simulator).run(&["--discover"]).text()).unwrap();
    catalog["streams"][0]["schema"]["properties"]["code"] =
        json!({"type": "string", "maxLength": 10});
    connector.write("catalog.json", catalog.to_string());
    let answer = connector.run(&["--config", "config.json", "--catalog", "catalog.json"]);
    let code = &of_tap(&answer)[0]["schema"]["properties"]["code"];
    assert_eq!((&code["type"], code.get("maxLength")), (&json!(["null", "string"]), None));
}

#[test]
fn other_fields_or_another_key_read_everything_again_with_a_warning() {
    let simulator = simulator(3);
    let of = |settings: &[(&str, &str)]| {
        let connector = Connector::of(&simulator);
        settings.iter().fold(connector, |connector, (key, value)| connector.with(key, *value))
    };
    let hashed: [&[(&str, &str)]; 4] = [
        &[("exclude_fields", "name")],
        &[("exclude_fields", "name,code")],
        &[("hash_fields", "name"), ("hash_key", KEY)],
        &[("hash_fields", "name"), ("hash_key", "another-key-of-sixteen")],
    ];
    for settings in hashed {
        let state = of(settings).read("incremental").succeeded().state();
        let again = of(settings).read_after(&state).succeeded();
        assert!(again.warnings().is_empty(), "{:?}", again.warnings());
        for other in hashed.into_iter().filter(|other| *other != settings).chain([&[][..]]) {
            let answer = of(other).read_after(&state).succeeded();
            assert!(answer.warning().contains("excluded or hashed"), "{}", answer.warning());
            assert_eq!(answer.sorted_ids().len(), 3);
        }
    }
}

#[test]
fn the_key_is_in_no_text_whatever_is_wrong() {
    let simulator = simulator(2);
    let connector = connector(&simulator).with("code", KEY).with("hash_fields", "nmae");
    for arguments in [
        &["--config", "config.json"][..],
        &["check", "--config", "config.json"],
        &["export", "--config", "config.json", "--to", "lake"],
    ] {
        let answer = connector.run(arguments);
        assert_absent(KEY, "stdout", &answer.stdout);
        assert_absent(KEY, "stderr", answer.stderr.as_bytes());
    }
}

#[test]
fn an_export_takes_fields_as_flags_and_the_key_from_the_environment_alone() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with_environment("KOMETSALES_HASH_KEY", KEY);
    simulator.reply_next(list(&RECORDS));
    let to = ["export", "--config", "config.json", "--to", "-"];
    let fields = ["--exclude-fields", "salesPerson,salesPersonId", "--hash-fields=name"];
    let answer = connector.run(&[&to[..], &fields].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let rows = StreamReader::try_new(answer.stdout.as_slice(), None).unwrap();
    let columns = [&COLUMNS[..], &["_extracted_at"]].concat();
    assert_rows(&rows.map(Result::unwrap).collect::<Vec<_>>(), &columns);
    let answer = connector.run(&[&to[..], &["--hash-key", KEY]].concat());
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);

    let connector = Connector::of(&simulator).with_environment("KOMETSALES_HASH_KEY_FILE", "key");
    connector.write("key", format!("{KEY}\n"));
    simulator.reply_next(list(&RECORDS));
    let answer = connector.run(&[&to[..], &fields].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}
