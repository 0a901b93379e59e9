//! What the tap says of itself.

use serde_json::{Value, json};

use super::tap::{discover, metadata, stream, tap};
use crate::support::answer::Failure::Auth;
use crate::support::{Connector, simulator};

const FIELDS: [&str; 10] = [
    "id",
    "accountingCode",
    "name",
    "code",
    "active",
    "salesPerson",
    "salesPersonId",
    "customerType",
    "updatedOn",
    "_extra",
];

#[test]
fn discover_needs_neither_configuration_nor_network() {
    let connector = Connector::configured(json!({"lookback_hours": "many"}));
    let mut catalog = discover(&connector);
    connector.write("empty.json", "{}");
    for config in ["config.json", "empty.json"] {
        let configured = tap(&connector, &["--discover", "--config", config]).succeeded();
        assert_eq!(serde_json::from_str::<Value>(configured.0.text()).unwrap(), catalog);
    }
    let customers = stream(&mut catalog);
    assert_eq!(customers["tap_stream_id"], "customers");
    assert_eq!(customers["key_properties"], json!(["id"]));
    assert_eq!(customers["replication_key"], "updatedOn");
    let properties = customers["schema"]["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), FIELDS);
    let root = metadata(&mut catalog, None);
    assert_eq!(root["inclusion"], "available");
    assert_eq!(root["selected-by-default"], true);
    assert_eq!(root["table-key-properties"], json!(["id"]));
    assert_eq!(root["valid-replication-keys"], json!(["updatedOn"]));
    for field in FIELDS {
        let is_automatic = ["id", "updatedOn"].contains(&field);
        let inclusion = if is_automatic { "automatic" } else { "available" };
        assert_eq!(metadata(&mut catalog, Some(field))["inclusion"], inclusion, "{field}");
    }
}

#[test]
fn about_names_every_setting_and_capability_in_both_formats() {
    let connector = Connector::configured(json!({}));
    let json = tap(&connector, &["--about", "--format", "json"]).succeeded();
    let about: Value = serde_json::from_str(json.0.text()).unwrap();
    let markdown = tap(&connector, &["--about"]).succeeded();
    let settings = about["settings"]["properties"].as_object().unwrap().keys();
    let capabilities = about["capabilities"].as_array().unwrap().iter();
    let capabilities = capabilities.map(|name| name.as_str().unwrap().to_owned());
    let names: Vec<String> = settings.cloned().chain(capabilities).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(markdown.0.text().contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn test_asks_the_api_and_reads_nothing() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let done = tap(&connector, &["--test", "--config", "config.json"]).succeeded();
    assert_eq!((done.0.text(), simulator.requests().len()), ("", 1));
    let wrong = connector.with("authentication_token", "wr0ng-t0ken-8812&%");
    tap(&wrong, &["--test", "--config", "config.json"]).failed(Auth);
}

#[test]
fn test_schema_shows_the_schemas() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let done = tap(&connector, &["--test=schema", "--config", "config.json"]).succeeded();
    assert_eq!(done.types().into_iter().collect::<Vec<_>>(), ["SCHEMA"]);
    assert_eq!(done.schema(), stream(&mut discover(&connector))["schema"]);
    assert!(simulator.requests().is_empty());
}
