//! From the API's JSON to records: every form in which a value may come, and what is said of one that
//! cannot be.

use kometsales::simulator::Reply;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::answer::Failure::Data;
use crate::support::replies::list;
use crate::support::{Connector, catalog, simulator};

/// Reads a made-up reply, whole.
fn read(reply: Reply) -> Answer {
    let simulator = simulator(0);
    simulator.reply_next(reply);
    Connector::of(&simulator).read("full_refresh")
}

/// Reads one customer who has this value in a field, and gives it as it went out, and whether a change
/// of it was reported.
fn value(field: &str, json: &str) -> (Value, bool) {
    let answer = read(list(&[&format!(r#"{{"id":"1","{field}":{json}}}"#)])).succeeded();
    let record = &answer.record_messages()[0];
    let changes = record["meta"]["changes"].as_array().cloned().unwrap_or_default();
    let expected =
        json!({"field": field, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"});
    let is_changed = !changes.is_empty();
    if is_changed {
        assert_eq!(changes, [expected], "{field}: {json}");
        let warning = answer.warning();
        assert!(warning.contains(&format!("customers[0].{field}")), "{warning}");
    } else {
        assert_eq!(record.get("meta"), None, "{field}: {json}");
        assert!(answer.warnings().is_empty(), "{field}: {:?}", answer.warnings());
    }
    (record["data"][field].clone(), is_changed)
}

#[track_caller]
fn assert_values(field: &str, values: &[(&str, Value)]) {
    for (json, expected) in values {
        assert_eq!(value(field, json), (expected.clone(), false), "{field}: {json}");
    }
}

#[track_caller]
fn assert_invalid(field: &str, values: &[&str]) {
    for json in values {
        assert_eq!(value(field, json), (Value::Null, true), "{field}: {json}");
    }
}

#[test]
fn ids_come_as_numbers_and_as_text_of_up_to_64_bits() {
    let ids = [
        ("25475", 25_475),
        (r#""25475""#, 25_475),
        (r#""007""#, 7),
        ("9007199254740993", 9_007_199_254_740_993),
        (r#""9007199254740993""#, 9_007_199_254_740_993),
        ("9223372036854775807", i64::MAX),
        (r#""-9223372036854775808""#, i64::MIN),
        (r#""\u0031\u0032""#, 12),
    ];
    let elements = ids.map(|(json, _)| format!(r#"{{"id":{json}}}"#));
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    assert_eq!(read(list(&elements)).succeeded().ids(), ids.map(|(_, id)| id));
}

#[test]
fn whole_numbers_are_exact_and_everything_else_is_invalid() {
    assert_values(
        "salesPersonId",
        &[
            ("1819", json!(1819)),
            (r#""1819""#, json!(1819)),
            (r#""9223372036854775807""#, json!(i64::MAX)),
            ("null", Value::Null),
            (r#""""#, Value::Null),
        ],
    );
    assert_invalid(
        "salesPersonId",
        &[
            "9223372036854775808",
            r#""99999999999999999999""#,
            "1.5",
            "1e3",
            r#""abc""#,
            r#"" 7""#,
            "true",
            "[7]",
            "{}",
        ],
    );
}

#[test]
fn booleans_come_in_every_form_and_nothing_else_is_false() {
    for yes in ["1", r#""1""#, "true", r#""true""#, r#""TRUE""#, r#""True""#] {
        assert_eq!(value("active", yes), (json!(true), false), "{yes}");
    }
    for no in ["0", r#""0""#, "false", r#""false""#, r#""False""#] {
        assert_eq!(value("active", no), (json!(false), false), "{no}");
    }
    assert_values("active", &[("null", Value::Null), (r#""""#, Value::Null)]);
    assert_invalid("active", &["2", "-1", "1.0", r#""yes""#, r#""N""#, r#"" 1""#, "[]", "{}"]);
}

#[test]
fn text_is_kept_to_the_letter() {
    for field in ["name", "code", "accountingCode", "customerType", "salesPerson"] {
        assert_values(
            field,
            &[(r#""""#, json!("")), ("null", Value::Null), (r#"" 007 ""#, json!(" 007 "))],
        );
    }
    assert_values(
        "name",
        &[
            (r#""Julian Mejía""#, json!("Julian Mejía")),
            (r#""Meji\u0301a""#, json!("Meji\u{301}a")),
            (r#""Flores & Söhne \"La Ñ\"""#, json!("Flores & Söhne \"La Ñ\"")),
            (r#""a\\b\/c\b\f\n\r\t\u0000\u007f""#, json!("a\\b/c\u{8}\u{c}\n\r\t\0\u{7f}")),
            (r#""\ud83c\udf39 🌹""#, json!("🌹 🌹")),
            ("\"\u{2028}\u{feff}\u{85}\"", json!("\u{2028}\u{feff}\u{85}")),
        ],
    );
    let long = "ü".repeat(100_000);
    assert_values("code", &[(&format!("\"{long}\""), json!(long))]);
}

#[test]
fn a_number_or_boolean_in_a_text_field_is_its_literal_text() {
    assert_values(
        "code",
        &[
            ("123", json!("123")),
            ("12.50", json!("12.50")),
            ("-1e400", json!("-1e400")),
            ("12345678901234567890123", json!("12345678901234567890123")),
            ("true", json!("true")),
            ("false", json!("false")),
        ],
    );
    assert_invalid("code", &["{}", "[]", r#"["a"]"#, r#"{"a":"b"}"#]);
}

#[test]
fn half_a_surrogate_pair_is_invalid_text() {
    for json in [r#""\ud800""#, r#""a\udc00b""#, r#""\ud83c\ud83c""#, r#""\ud83cx""#] {
        assert_invalid("name", &[json]);
    }
}

#[test]
fn times_come_in_every_documented_form_and_nothing_else() {
    assert_values(
        "updatedOn",
        &[
            (r#""2017-08-02T12:15:17""#, json!("2017-08-02T12:15:17Z")),
            (r#""2017-08-02 12:15:17""#, json!("2017-08-02T12:15:17Z")),
            (r#""2017-08-02T12:15:17.25""#, json!("2017-08-02T12:15:17.250000Z")),
            (r#""2017-08-02T12:15:17.123456789Z""#, json!("2017-08-02T12:15:17.123456Z")),
            (r#""2017-08-02T12:15:17-05:00""#, json!("2017-08-02T17:15:17Z")),
            (r#""0001-01-01T00:00:00""#, json!("0001-01-01T00:00:00Z")),
            ("null", Value::Null),
            (r#""""#, Value::Null),
        ],
    );
    assert_invalid(
        "updatedOn",
        &[
            r#""yesterday""#,
            r#""2017-08-02""#,
            r#""2017-02-29T00:00:00""#,
            r#""0000-00-00T00:00:00""#,
            r#""08/02/2017 12:15:17""#,
            r#""2017-08-02T12:15:17 PM""#,
            r#"" 2017-08-02T12:15:17""#,
            "1501676117",
            "true",
            "{}",
        ],
    );
}

#[test]
fn every_change_of_a_record_is_reported_and_one_warning_for_each_field() {
    let bad = r#"{"id":"1","active":"maybe","code":{},"name":"A","updatedOn":"x"}"#;
    let answer = read(list(&[r#"{"id":"0"}"#, bad, bad])).succeeded();
    let messages = answer.record_messages();
    assert_eq!(messages[0].get("meta"), None);
    let changed: Vec<&str> = messages[1]["meta"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["field"].as_str().unwrap())
        .collect();
    assert_eq!(changed, ["code", "active", "updatedOn"]);
    assert_eq!(messages[1]["data"]["name"], "A");
    let warnings = answer.warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for warning in &warnings {
        assert!(warning.contains("customers[1].") && warning.contains(" 2 "), "{warning}");
    }
}

#[test]
fn an_invalid_value_in_a_field_that_is_not_selected_is_no_change() {
    let simulator = simulator(0);
    simulator.reply_next(list(&[r#"{"id":"1","code":{},"active":"maybe","terms":1}"#]));
    let selected = catalog("customers", "full_refresh", json!({"active": {}}));
    let answer = Connector::of(&simulator).read_catalog(&selected, None).succeeded();
    let message = &answer.record_messages()[0];
    assert_eq!(message["data"], json!({"id": 1, "active": null, "updatedOn": null}));
    assert_eq!(message["meta"]["changes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_byte_order_mark_and_blanks_around_the_reply_are_skipped() {
    for body in [
        "\u{feff}{\"status\":\"1\",\"customers\":[{\"id\":\"1\"}]}",
        " \r\n\t{\"status\":\"1\",\"customers\":[{\"id\":\"1\"}]}\r\n\t ",
        "{ \"status\" : 1 ,\n \"customers\" : [ { \"id\" : 1 } ] }\n",
    ] {
        assert_eq!(read(Reply::json(body)).succeeded().ids(), [1], "{body:?}");
    }
}

#[test]
fn the_last_of_members_with_one_name_counts() {
    let element = r#"{"id":"9","name":"first","id":"1","name":"second","x":1,"x":2}"#;
    let answer = read(list(&[element])).succeeded();
    let record = &answer.records()[0];
    assert_eq!((&record["id"], &record["name"]), (&json!(1), &json!("second")));
    assert_eq!(record["_extra"], json!({"x": 2}));
    let warnings = answer.warnings();
    let told = warnings.iter().filter(|warning| warning.contains("duplicate keys")).count();
    assert_eq!(told, 1, "{warnings:?}");
    let null_at_last = read(list(&[r#"{"id":"1","name":"A","name":null}"#])).succeeded();
    assert_eq!(null_at_last.records()[0]["name"], Value::Null);
    let envelope =
        r#"{"status":"0","customers":[{"id":"1"}],"customers":[{"id":"2"}],"status":"1"}"#;
    assert_eq!(read(Reply::json(envelope)).succeeded().ids(), [2]);
}

#[test]
fn every_record_of_a_duplicate_id_goes_out_in_its_order() {
    let answer = read(list(&[
        r#"{"id":"1","name":"a","updatedOn":"2024-01-02T00:00:00"}"#,
        r#"{"id":"2","name":"b"}"#,
        r#"{"id":"1","name":"c","updatedOn":"2024-01-01T00:00:00"}"#,
    ]));
    let answer = answer.succeeded();
    assert_eq!(answer.ids(), [1, 2, 1]);
    let names: Vec<Value> = answer.records().iter().map(|record| record["name"].clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn unknown_fields_are_kept_as_they_came_and_reported_once_for_each_name() {
    let nested =
        r#"{"limit":1500.50,"big":12345678901234567890,"holds":[true,null,{"réason":"\"late\""}]}"#;
    let answer = read(list(&[
        &format!(r#"{{"id":"1","terms":"NET 30","credit":{nested}}}"#),
        r#"{"id":"2"}"#,
        r#"{"id":"3","terms":null,"Name":"case matters"}"#,
    ]));
    let answer = answer.succeeded();
    let records = answer.records();
    assert_eq!(records[0]["_extra"]["terms"], "NET 30");
    assert_eq!(records[1]["_extra"], Value::Null);
    assert_eq!(records[2]["_extra"], json!({"terms": null, "Name": "case matters"}));
    assert!(answer.text().contains(nested), "numbers lost digits: {}", answer.text());
    let warnings = answer.warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for name in ["`terms`", "`credit`", "`Name`"] {
        assert_eq!(warnings.iter().filter(|w| w.contains(name)).count(), 1, "{warnings:?}");
    }
}

#[test]
fn an_unknown_field_with_line_breaks_stays_on_the_records_line() {
    let reply = Reply::json(
        "{\"status\":\"1\",\n\"customers\":[{\"id\":\"1\",\r\n\"x\":{\n\"a\":\r\n[1,\n2]}}]}",
    );
    assert_eq!(read(reply).succeeded().records()[0]["_extra"], json!({"x": {"a": [1, 2]}}));
}

#[test]
fn customers_as_one_object_are_one_row() {
    let body = r#"{"status":"1","customers":{"id":"7","name":"Flores SAS"}}"#;
    let answer = read(Reply::json(body)).succeeded();
    assert_eq!((answer.ids(), &answer.records()[0]["name"]), (vec![7], &json!("Flores SAS")));
    let bad = read(Reply::json(r#"{"status":"1","customers":{"name":"Flores SAS"}}"#));
    assert!(bad.failed(Data).error().contains("customers.id"));
}

#[test]
fn filters_arrive_as_they_were_written() {
    let simulator = simulator(0);
    let name = "Flores & Söhne 100% \"La Ñ\"/#?=+ \u{1f339}\\";
    let connector = Connector::of(&simulator)
        .with("name", name)
        .with("code", "00&7 %é")
        .with("customer_id", "12345678901234567890")
        .with("sales_person_id", 1819)
        .with("location_id", 4);
    connector.read("full_refresh").succeeded();
    let requests = simulator.requests();
    let sent: Vec<(&str, &str)> = requests[0]
        .query
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "authenticationToken")
        .collect();
    let mut expected = vec![
        ("id", "12345678901234567890"),
        ("name", name),
        ("code", "00&7 %é"),
        ("salesPersonId", "1819"),
        ("locationId", "4"),
        ("includeInactive", "true"),
    ];
    let mut sorted = sent.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
}

#[test]
fn a_name_is_the_same_however_it_is_escaped() {
    let element = r#"{"\u0069d":"1","\u006eame":"A","terms":1,"\u0074erms":2}"#;
    let answer = read(list(&[element])).succeeded();
    let record = &answer.records()[0];
    assert_eq!((&record["id"], &record["name"]), (&json!(1), &json!("A")));
    assert_eq!(record["_extra"], json!({"terms": 2}));
    let warnings = answer.warnings();
    let told = warnings.iter().filter(|warning| warning.contains("terms")).count();
    assert_eq!(told, 1, "{warnings:?}");
}

#[test]
fn a_record_of_more_than_64_mib_is_a_fault_of_the_data() {
    let mut body = br#"{"status":"1","customers":[{"id":"1","name":""#.to_vec();
    body.resize(body.len() + (64 << 20) + 1024, b'x');
    body.extend_from_slice(br#""}]}"#);
    assert!(read(Reply::json(body)).failed(Data).error().contains("64 MiB"));
}
