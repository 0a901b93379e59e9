//! A JSON schema as a warehouse takes it: an integer is no `1.0`, a date-time has its form, and no column is undeclared.

use serde_json::Value;

/// Whether it is a time as the product writes it: RFC 3339, in UTC, with at most six decimals.
pub(crate) fn is_time(text: &str) -> bool {
    let decimals = text.strip_suffix('Z').and_then(|text| text.get(19..));
    let decimals = decimals.map(|rest| rest.strip_prefix('.').unwrap_or(rest).len());
    decimals.is_some_and(|count| count <= 6) && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

/// Asserts that the schema allows every record and declares every column.
#[track_caller]
pub(crate) fn assert_records_match(records: &[Value], schema: &Value) {
    let options = jsonschema::draft7::options().with_format("date-time", is_time);
    let validator = options.should_validate_formats(true).build(schema).unwrap();
    let declared = schema["properties"].as_object().unwrap();
    for record in records {
        if let Some(error) = validator.iter_errors(record).next() {
            panic!("{}: {error} in {record}", error.instance_path());
        }
        for (name, value) in record.as_object().unwrap() {
            assert!(declared.contains_key(name), "the schema does not declare `{name}`: {record}");
            assert!(!value.is_f64(), "`{name}` is no integer: {record}");
        }
    }
}

#[test]
fn a_schema_is_taken_strictly() {
    let schema = serde_json::json!({"properties": {
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
    }});
    assert_records_match(
        &[serde_json::json!({"id": 1, "at": "2024-05-05T13:00:00.250000Z"})],
        &schema,
    );
    for wrong in [
        r#"{"id":1.0}"#,
        r#"{"id":"1"}"#,
        r#"{"name":"A"}"#,
        r#"{"at":"2024-05-05T13:00:00"}"#,
        r#"{"at":"2024-05-05T13:00:00+00:00"}"#,
        r#"{"at":"2024-13-05T13:00:00Z"}"#,
    ] {
        let record: Value = serde_json::from_str(wrong).unwrap();
        let is_refused =
            std::panic::catch_unwind(|| assert_records_match(&[record], &schema)).is_err();
        assert!(is_refused, "{wrong}");
    }
}
