//! Airbyte's configured catalog: which streams, fields and modes it asks for, against a look at its JSON.

use std::collections::BTreeSet;

use kometsales::airbyte::catalog::{Configured, Wanted, discovered};
use kometsales::config::privacy::Privacy;
use kometsales::error::Kind;
use kometsales::model::Stream;
use kometsales::model::stream::EXTRA;
use kometsales::plan::Mode;
use kometsales::streams::ALL;
use serde_json::{Map, Value, json};

use super::redaction::MARKER;
use super::refused;

/// Checks bytes as a configured catalog.
pub fn check(bytes: &[u8]) -> String {
    let configured = match Configured::parse(bytes, "the test") {
        Ok(configured) => configured,
        Err(error) => {
            // It may be another file that the user named by mistake, with the token in it.
            let causes = error.causes().unwrap_or_default();
            assert!(!format!("{error} {causes}").contains(MARKER), "{error}");
            return refused(&error, &[Kind::Config]);
        }
    };
    let warnings = configured.warnings(ALL, &Privacy::default());
    assert!(
        warnings.is_empty(),
        "nothing is left out, and so nothing is to be warned of: {warnings:?}"
    );
    let wanted = match configured.wanted(ALL) {
        Ok(wanted) => wanted,
        Err((error, name)) => {
            assert!(configured.names().contains(&name.as_str()), "{name}");
            return refused(&error, &[Kind::Config]);
        }
    };
    assert_eq!(configured.names(), wanted.iter().map(|one| one.stream.name).collect::<Vec<_>>());
    for (one, entry) in wanted.iter().zip(entries(bytes)) {
        let Some(schema) = entry else { continue };
        assert_eq!(names(one), expected(one.stream, &schema), "{schema}");
    }
    let again = json!({"streams": wanted.iter().map(configured_again).collect::<Vec<_>>()});
    let again = Configured::parse(again.to_string().as_bytes(), "the test").unwrap();
    assert_eq!(said(&again.wanted(ALL).unwrap()), said(&wanted));
    let modes: Vec<_> = wanted.iter().map(|one| (one.mode, one.selection.fields.len())).collect();
    format!("{modes:?}")
}

/// The schemas of its streams, in their order, or of those that `discover` prints; null where there is none. `None` is a list
/// in place of an object, which the parser takes too, and what has both forms.
fn entries(bytes: &[u8]) -> Vec<Option<Value>> {
    let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let json: Value = serde_json::from_slice(json).unwrap_or_default();
    let streams = [&json["streams"], &json["catalog"]["streams"]];
    let streams = streams.into_iter().find_map(Value::as_array).cloned().unwrap_or_default();
    let schema = |entry: &Value| {
        let inner = &entry["stream"];
        let stream = if inner.is_null() { entry } else { inner };
        let has_both = !inner.is_null() && entry.get("name").is_some();
        (stream["name"].is_string() && !has_both).then(|| stream["json_schema"].clone())
    };
    streams.iter().map(schema).collect()
}

/// The fields that a schema selects; all of them where it names none.
fn expected(stream: &Stream, schema: &Value) -> BTreeSet<&'static str> {
    let properties = schema["properties"].as_object();
    let selects = |name: &str| match properties.filter(|properties| !properties.is_empty()) {
        Some(properties) => properties.contains_key(name),
        None => true,
    };
    let always = [Some(stream.key()), stream.cursor()];
    let is_always = |name: &str| always.iter().flatten().any(|field| field.name == name);
    let all = stream.fields.iter().map(|field| field.name).chain([EXTRA]);
    all.filter(|name| is_always(name) || selects(name)).collect()
}

/// The names of the fields that are wanted.
fn names(wanted: &Wanted) -> BTreeSet<&'static str> {
    let declared = wanted.selection.fields.iter().map(|&index| wanted.stream.fields[index].name);
    declared.chain(wanted.selection.extra.then_some(EXTRA)).collect()
}

fn said(wanted: &[Wanted]) -> Vec<String> {
    let said = |one: &Wanted| format!("{} {:?} {:?}", one.stream.name, one.mode, one.selection);
    wanted.iter().map(said).collect()
}

/// What a host writes of it: the stream as `discover` describes it, without the fields that are not wanted.
fn configured_again(wanted: &Wanted) -> Value {
    let mut stream = discovered(&[wanted.stream], &Privacy::default())["streams"][0].take();
    let names = names(wanted);
    let properties: &mut Map<String, Value> =
        stream["json_schema"]["properties"].as_object_mut().unwrap();
    properties.retain(|name, _| names.contains(name.as_str()));
    let mode = match wanted.mode {
        Mode::FullRefresh => "full_refresh",
        Mode::Incremental => "incremental",
    };
    json!({"stream": stream, "sync_mode": mode, "destination_sync_mode": "append"})
}
