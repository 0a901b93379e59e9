//! The catalog: what is selected, how it is replicated, and the schema that is sent.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::{Value, json};

use super::tap::{
    Run, assert_rows_match, discover, metadata, selecting, stream, sync, sync_all, tap,
};
use crate::support::answer::Failure::Config;
use crate::support::{Connector, simulator};

/// Reads 300 customers with a catalog that was made from the discovered one.
fn read(change: impl FnOnce(&mut Value)) -> Run {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let mut catalog = discover(&connector);
    change(&mut catalog);
    sync(&connector, Some(&catalog), None).succeeded()
}

/// The columns of a schema.
fn columns(schema: &Value) -> Vec<&String> {
    schema["properties"].as_object().unwrap().keys().collect()
}

/// The columns of all rows, which are the same in each.
fn columns_of_rows(run: &Run) -> BTreeSet<String> {
    let of = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let rows: BTreeSet<_> = run.rows().iter().map(of).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

#[test]
fn without_a_catalog_everything_is_read_incrementally() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let run = sync_all(&connector).succeeded();
    let (rows, bookmark) = (run.rows(), run.bookmark());
    assert_eq!(rows.len(), 300);
    assert_eq!(run.schema(), stream(&mut discover(&connector))["schema"]);
    assert_rows_match(&rows, &run.schema());
    assert_eq!(bookmark["replication_key"], "updatedOn");
    let latest = rows.iter().filter_map(|row| row["updatedOn"].as_str()).max();
    assert_eq!(bookmark["replication_key_value"].as_str(), latest);
    let schema = &run.of("SCHEMA")[0];
    assert_eq!(schema["key_properties"], json!(["id"]));
    assert_eq!(schema["bookmark_properties"], json!(["updatedOn"]));
}

#[test]
fn the_schema_is_the_discovered_one_without_what_is_not_selected() {
    let mut given = Value::Null;
    let run = read(|catalog| {
        *catalog = selecting(catalog, &["name", "active"]);
        stream(catalog)["schema"]["required"] = json!(["id", "code", "name"]);
        given = stream(catalog)["schema"]["properties"].clone();
    });
    let (schema, kept) = (run.schema(), ["id", "name", "active", "updatedOn"]);
    assert_eq!(columns(&schema), kept);
    assert_eq!(schema["required"], json!(["id", "name"]));
    assert_eq!(columns_of_rows(&run), kept.map(String::from).into());
    for name in kept {
        assert_eq!(schema["properties"][name], given[name], "{name}");
    }
    assert_rows_match(&run.rows(), &schema);
}

#[test]
fn key_and_cursor_stay_when_they_are_deselected() {
    let run = read(|catalog| *catalog = selecting(catalog, &[]));
    assert_eq!(columns(&run.schema()), ["id", "updatedOn"]);
    assert_eq!(columns_of_rows(&run), ["id", "updatedOn"].map(String::from).into());
}

#[test]
fn selection_has_the_order_of_the_sdk() {
    for (entry, is_read) in [
        (json!({"inclusion": "unsupported", "selected": true}), false),
        (json!({"inclusion": "automatic", "selected": false}), true),
        (json!({"inclusion": "available", "selected": true, "selected-by-default": false}), true),
        (json!({"inclusion": "available", "selected": false, "selected-by-default": true}), false),
        (json!({"inclusion": "available", "selected-by-default": true}), true),
        (json!({"inclusion": "available", "selected-by-default": false}), false),
        // As the stream.
        (json!({"inclusion": "available"}), true),
        (json!({}), true),
    ] {
        let run = read(|catalog| *metadata(catalog, Some("code")) = entry.clone());
        assert_eq!(columns(&run.schema()).contains(&&"code".to_owned()), is_read, "{entry}");
        assert_eq!(columns_of_rows(&run).contains("code"), is_read, "{entry}");
    }
}

#[test]
fn the_schema_that_was_supplied_is_the_one_that_is_sent() {
    let mut supplied = Value::Null;
    let run = read(|catalog| {
        let name = &mut stream(catalog)["schema"]["properties"]["name"];
        name["maxLength"] = json!(200);
        name["x-sql-datatype"] = json!("citext");
        supplied = stream(catalog)["schema"].clone();
    });
    assert_eq!(run.schema(), supplied);
}

#[test]
fn a_stream_that_is_not_selected_is_not_read_and_that_is_a_warning() {
    let changes: [fn(&mut Value); 3] = [
        |catalog| metadata(catalog, None)["selected"] = json!(false),
        |catalog| {
            stream(catalog)["stream"] = json!("orders");
            stream(catalog)["tap_stream_id"] = json!("orders");
        },
        |catalog| catalog["streams"] = json!([]),
    ];
    for change in changes {
        let run = read(change);
        assert_eq!((run.of("SCHEMA").len(), run.of("RECORD").len()), (0, 0));
        let warnings = run.logs("WARNING");
        assert!(warnings.iter().any(|line| line.contains("customers")), "{}", run.0.stderr);
    }
}

#[test]
fn the_replication_method_is_read_at_both_places() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let state = sync_all(&connector).succeeded().state();
    let changes: [fn(&mut Value); 2] = [
        |catalog| metadata(catalog, None)["replication-method"] = json!("FULL_TABLE"),
        |catalog| stream(catalog)["replication_method"] = json!("FULL_TABLE"),
    ];
    for change in changes {
        let mut catalog = discover(&connector);
        change(&mut catalog);
        let whole = sync(&connector, Some(&catalog), Some(&state)).succeeded();
        assert_eq!(whole.rows().len(), 300);
        let (now, before) = (whole.bookmark(), &state["bookmarks"]["customers"]);
        assert_eq!(now["replication_key_value"], before["replication_key_value"]);
        assert_eq!(now["scope"], before["scope"]);
    }
    let unchanged = sync(&connector, Some(&discover(&connector)), Some(&state)).succeeded();
    assert!(unchanged.rows().len() < 300);
}

#[test]
fn properties_is_another_name_for_catalog() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.write("catalog.json", selecting(&discover(&connector), &["name"]).to_string());
    let arguments = ["--config", "config.json", "--properties", "catalog.json"];
    let run = tap(&connector, &arguments).succeeded();
    assert_eq!(columns(&run.schema()), ["id", "name", "updatedOn"]);
}

#[test]
fn a_catalog_that_is_none_is_refused() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    for catalog in ["{", "[]", r#"{"streams": 7}"#] {
        connector.write("catalog.json", catalog);
        let arguments = ["--config", "config.json", "--catalog", "catalog.json"];
        tap(&connector, &arguments).failed(Config);
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn versions_are_activated_only_when_they_are_asked_for() {
    let simulator = simulator(300);
    for method in ["FULL_TABLE", "INCREMENTAL"] {
        for asked in [Some(json!(true)), Some(json!("true")), Some(json!(false)), None] {
            let mut connector = Connector::of(&simulator);
            if let Some(asked) = &asked {
                connector = connector.with("emit_activate_version_messages", asked.clone());
            }
            let mut catalog = discover(&connector);
            metadata(&mut catalog, None)["replication-method"] = json!(method);
            let before = Utc::now().timestamp();
            let run = sync(&connector, Some(&catalog), None).succeeded();
            let activated = run.of("ACTIVATE_VERSION");
            if asked.as_ref().is_none_or(|asked| *asked == json!(false)) {
                let types = ["SCHEMA", "RECORD", "STATE"].map(String::from);
                assert_eq!(run.types(), types.into(), "{method} {asked:?}");
                assert!(run.of("RECORD").iter().all(|record| record.get("version").is_none()));
                continue;
            }
            assert_eq!(activated.len(), 1, "{method} {asked:?}");
            let version = &activated[0]["version"];
            assert!((before..=Utc::now().timestamp()).contains(&version.as_i64().unwrap()));
            assert!(run.of("RECORD").iter().all(|record| record["version"] == *version));
        }
    }
}
