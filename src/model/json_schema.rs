//! The JSON schema of a stream's records, as Airbyte and Singer take it.

use serde_json::{Map, Value, json};

use super::stream::{EXTRA, EXTRA_DOCUMENTATION, Field, Stream, Type};

/// The draft-7 schema of one record. Timestamps carry Airbyte's `timestamp_with_timezone`
/// (`supported-data-types.md`), which Singer's targets ignore.
pub fn json_schema(stream: &Stream) -> Value {
    let mut properties: Map<String, Value> =
        stream.fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    properties.insert(
        EXTRA.to_owned(),
        json!({
            "type": ["null", "object"],
            "additionalProperties": true,
            "description": EXTRA_DOCUMENTATION,
        }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "description": stream.documentation,
        "additionalProperties": true,
        "required": [stream.key().name],
        "properties": properties,
    })
}

fn property(field: &Field) -> Value {
    let name = match field.kind {
        Type::Text | Type::Timestamp => "string",
        Type::Integer => "integer",
        Type::Boolean => "boolean",
    };
    let mut property = Map::new();
    let kind = if field.is_nullable() { json!(["null", name]) } else { json!(name) };
    property.insert("type".into(), kind);
    if field.kind == Type::Timestamp {
        property.insert("format".into(), json!("date-time"));
        property.insert("airbyte_type".into(), json!("timestamp_with_timezone"));
    }
    property.insert("description".into(), json!(field.documentation));
    Value::Object(property)
}
