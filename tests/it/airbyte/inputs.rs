//! What is wrong with the files that a user or a host gives: reported before anything is sent, by name, with
//! what is accepted, and without a value of a secret.

use std::path::Path;

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::answer::Failure::Config;
use crate::support::{Connector, catalog, finish, simulator, state_of};

const TOKEN: &str = "s3cr3t-token";

/// A configuration that would work.
fn valid(simulator: &Simulator) -> Value {
    json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
        "retry_window_seconds": 0,
    })
}

/// Runs a verb with files that are written as they are; `None` leaves a file out.
fn run(verb: &str, config: Option<&[u8]>, catalog: Option<&[u8]>, state: Option<&[u8]>) -> Answer {
    let connector = Connector::configured(json!({}));
    let files = [("--config", config), ("--catalog", catalog), ("--state", state)];
    let mut arguments = vec![verb.to_owned()];
    for (flag, content) in files {
        let name = format!("{}.json", flag.trim_start_matches('-'));
        let is_used = verb == "read" || flag == "--config";
        if let Some(content) = content {
            connector.write(&name, content);
        }
        if is_used && (content.is_some() || flag != "--state") {
            arguments.extend([flag.to_owned(), name]);
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    finish(connector.command(&arguments), b"")
}

fn everything() -> Vec<u8> {
    catalog("customers", "incremental", Value::Null).to_string().into_bytes()
}

/// Runs `check` and `read` with a configuration that is wrong, and gives what both said of it.
fn told_of(config: Option<&[u8]>) -> String {
    let checked = run("check", config, None, None);
    assert_eq!(checked.code, Some(0), "{}", checked.told());
    assert_eq!(checked.stderr, "");
    let statuses = checked.connection_statuses();
    assert_eq!(statuses[0]["status"], "FAILED", "{}", checked.told());
    let read = run("read", config, Some(&everything()), None).failed(Config);
    assert_eq!(read.error(), statuses[0]["message"].as_str().unwrap());
    read.error()
}

#[test]
fn a_configuration_that_is_no_json_object_is_reported_with_its_file() {
    for content in [
        None,
        Some(""),
        Some("{"),
        Some("[]"),
        Some("null"),
        Some("s3cr3t-token"),
        Some("\"s3cr3t-token\""),
        Some("{\"authentication_token\": \"s3cr3t-token"),
        Some("authentication_token: s3cr3t-token"),
        Some("{\"authentication_token\": \"s3cr3t-token\"} x"),
        Some("{\"authentication_token\": \"s3cr3t-token\",}"),
    ] {
        println!("{content:?}");
        let error = told_of(content.map(str::as_bytes));
        assert!(error.contains("config.json") && !error.contains(TOKEN), "{error}");
    }
    assert!(told_of(Some(b"\xff\xfe{\0}\0")).contains("config.json"));
}

#[test]
fn a_folder_in_place_of_the_configuration_is_reported() {
    let connector = Connector::configured(json!({}));
    let answer = finish(connector.command(&["check", "--config", "tmp"]), b"");
    let statuses = answer.connection_statuses();
    assert_eq!((answer.code, &statuses[0]["status"]), (Some(0), &json!("FAILED")));
    assert!(statuses[0]["message"].as_str().unwrap().contains("tmp"));
}

#[test]
fn a_setting_that_is_wrong_is_named_with_what_it_accepts() {
    for (key, value, accepted) in [
        ("authentication_token", json!(null), "token"),
        ("authentication_token", json!(""), "token"),
        ("authentication_token", json!(7), "token"),
        ("authentication_token", json!({"secret": TOKEN}), "token"),
        ("start_date", json!("01/31/2024"), "YYYY-MM-DD"),
        ("start_date", json!("2024-02-30"), "YYYY-MM-DD"),
        ("start_date", json!("2024-01-01T00:00:00Z"), "YYYY-MM-DD"),
        ("start_date", json!(20_240_101), "YYYY-MM-DD"),
        ("include_inactive", json!("yes"), "true"),
        ("include_inactive", json!([true]), "true"),
        ("timezone", json!("Bogota"), "IANA"),
        ("timezone", json!("+05:00"), "IANA"),
        ("lookback_hours", json!(721), "720"),
        ("lookback_hours", json!(-1), "720"),
        ("lookback_hours", json!("1h"), "720"),
        ("lookback_hours", json!(1.5), "720"),
        ("customer_id", json!("123456789012345678901"), "20 digits"),
        ("sales_person_id", json!("x"), "20 digits"),
        ("location_id", json!(-7), "20 digits"),
        ("name", json!("x".repeat(201)), "200"),
        ("code", json!("12345678901"), "10"),
        ("max_rejects", json!("many"), "whole number"),
        ("base_url", json!("http://api.kometsales.com/api"), "https"),
        ("base_url", json!("ftp://api.kometsales.com"), "https"),
        ("base_url", json!("https://me:s3cr3t-token@api.kometsales.com/api"), "https"),
        ("base_url", json!("api.kometsales.com"), "https"),
        ("request_timeout_seconds", json!(0), "whole number"),
        ("retry_window_seconds", json!("soon"), "whole number"),
    ] {
        println!("{key}: {value}");
        let mut config = json!({"authentication_token": TOKEN});
        config[key] = value;
        let error = told_of(Some(config.to_string().as_bytes()));
        assert!(error.contains(&format!("`{key}`")), "{error}");
        assert!(error.contains(accepted), "{error}");
        assert!(!error.contains(TOKEN), "{error}");
    }
}

#[test]
fn a_misspelt_key_of_the_token_is_reported_without_its_value() {
    let error = told_of(Some(json!({"authenticationToken": TOKEN}).to_string().as_bytes()));
    assert!(error.contains("`authentication_token`") && !error.contains(TOKEN), "{error}");
}

#[test]
fn every_wrong_setting_is_reported_at_once() {
    let config = json!({"start_date": "soon", "timezone": "Bogota", "lookback_hours": 1000});
    let error = told_of(Some(config.to_string().as_bytes()));
    for key in ["authentication_token", "start_date", "timezone", "lookback_hours"] {
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn settings_are_taken_as_text_too_and_an_empty_text_is_none() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator)
        .with("include_inactive", "False")
        .with("lookback_hours", "0")
        .with("customer_id", "7")
        .with("max_rejects", "3")
        .with("request_timeout_seconds", "20")
        .with("start_date", "")
        .with("timezone", "")
        .with("name", "")
        .with("code", Value::Null);
    let answer = connector.read("full_refresh").succeeded();
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
    let requests = simulator.requests();
    assert_eq!(requests[0].parameter("includeInactive"), Some("false"));
    assert_eq!(requests[0].parameter("id"), Some("7"));
    for absent in ["name", "code", "updateAsOf"] {
        assert_eq!(requests[0].parameter(absent), None, "{absent}");
    }
}

#[test]
fn a_key_that_is_not_known_is_a_warning() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator).with("start_dat", "2024-01-01").with("x", 1);
    let answer = connector.read("full_refresh").succeeded();
    let warnings = answer.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|w| w.contains("`start_dat`") && w.contains("`start_date`")));
    let checked = connector.check();
    assert_eq!(checked.connection_statuses()[0]["status"], "SUCCEEDED");
    assert_eq!(checked.warnings(), warnings);
}

#[test]
fn a_catalog_that_cannot_be_read_is_reported_with_its_file() {
    let simulator = simulator(10);
    let config = valid(&simulator).to_string();
    for content in [None, Some(""), Some("{"), Some("[]"), Some("{}"), Some(r#"{"streams": [{}]}"#)]
    {
        println!("{content:?}");
        let answer = run("read", Some(config.as_bytes()), content.map(str::as_bytes), None);
        assert_eq!(answer.code, Some(78), "{}", answer.told());
        assert_eq!(answer.errors()[0]["failure_type"], "config_error");
        assert!(answer.error().contains("catalog.json"), "{}", answer.error());
        assert!(answer.states().is_empty() && answer.records().is_empty());
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn a_catalog_of_what_does_not_exist_is_reported_by_name() {
    let simulator = simulator(10);
    let config = valid(&simulator).to_string();
    let stream = |name: &str, mode: &str| json!({"stream": {"name": name}, "sync_mode": mode});
    for (streams, named) in [
        (json!([stream("orders", "full_refresh")]), "orders"),
        (json!([stream("customers", "full_refresh"), stream("orders", "incremental")]), "orders"),
        (json!([stream("Customers", "full_refresh")]), "Customers"),
        (json!([stream("customers", "cdc")]), "cdc"),
        (json!([stream("customers", "incremental"), stream("customers", "incremental")]), "twice"),
    ] {
        println!("{streams}");
        let catalog = json!({ "streams": streams }).to_string();
        let answer = run("read", Some(config.as_bytes()), Some(catalog.as_bytes()), None);
        let answer = answer.failed(Config);
        assert!(answer.error().contains(named), "{}", answer.error());
        assert!(answer.statuses().iter().all(|status| status == "INCOMPLETE"));
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn a_state_that_cannot_be_read_is_never_taken_for_none() {
    let simulator = simulator(10);
    let config = valid(&simulator).to_string();
    let of = |state: Value| state_of(state).to_string();
    for state in [
        "{".to_owned(),
        "7".to_owned(),
        r#""2019-02-28T00:00:01Z""#.to_owned(),
        r#"[{"type": "STREAM"}]"#.to_owned(),
        r#"[{"type": "OTHER", "stream": {}}]"#.to_owned(),
        r#"{"updatedOn": "2019-02-28T00:00:01Z"}"#.to_owned(),
        of(json!({"updatedOn": "2019-02-28T00:00:01Z", "version": 2})),
        of(json!({"updatedOn": "2019-02-28T00:00:01Z", "version": 99})),
        of(json!({"updatedOn": "2019-02-28T00:00:01Z", "version": "one"})),
        of(json!({"updatedOn": "2019-02-28T00:00:01Z", "scope": 7})),
        of(json!({"updatedOn": "yesterday"})),
        of(json!({"updatedOn": 1_551_312_001})),
        of(json!({"updatedOn": ["2019-02-28T00:00:01Z"]})),
        of(json!({"updated_on": "2019-02-28T00:00:01Z"})),
        of(json!("2019-02-28T00:00:01Z")),
        of(json!([])),
    ] {
        println!("{state}");
        let (config, state) = (Some(config.as_bytes()), Some(state.as_bytes()));
        run("read", config, Some(&everything()), state).failed(Config);
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn a_state_file_that_is_not_there_is_reported_with_its_path() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.write("config.json", valid(&simulator).to_string());
    connector.write("catalog.json", everything());
    let arguments =
        ["read", "--config", "config.json", "--catalog", "catalog.json", "--state", "no.json"];
    let answer = finish(connector.command(&arguments), b"").failed(Config);
    assert!(answer.error().contains("no.json"), "{}", answer.error());
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn a_newer_state_says_that_the_connector_is_older() {
    let simulator = simulator(10);
    let state = state_of(json!({"updatedOn": "2019-02-28T00:00:01Z", "version": 2}));
    let error = Connector::of(&simulator).read_after(&state).failed(Config).error();
    assert!(error.contains("newer") && error.contains("customers"), "{error}");
}

#[test]
fn a_catalog_without_streams_reads_nothing_and_says_so() {
    let simulator = simulator(10);
    let answer = Connector::of(&simulator).read_catalog(&json!({"streams": []}), None);
    assert_eq!((answer.code, answer.messages().len()), (Some(0), 1), "{}", answer.told());
    assert!(answer.warning().contains("no streams"));
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn files_of_other_programs_with_a_byte_order_mark_are_read() {
    let simulator = simulator(10);
    let marked = |text: &[u8]| [b"\xEF\xBB\xBF", text].concat();
    let config = marked(valid(&simulator).to_string().as_bytes());
    let (catalog, state) = (marked(&everything()), marked(b"[]"));
    let answer = run("read", Some(&config), Some(&catalog), Some(&state)).succeeded();
    assert_eq!(answer.records().len(), 10);
}

#[test]
fn discover_and_spec_need_no_configuration_that_works() {
    let connector = Connector::configured(json!({}));
    assert!(!Path::new("nowhere.json").exists());
    for arguments in [&["spec"][..], &["discover"], &["discover", "--config", "nowhere.json"]] {
        let answer = finish(connector.command(arguments), b"");
        assert_eq!((answer.code, answer.messages().len()), (Some(0), 1), "{}", answer.told());
    }
}
