//! Singer's catalog and its state.

use std::collections::{BTreeMap, BTreeSet};

use kometsales::config::Config;
use kometsales::config::privacy::Privacy;
use kometsales::error::Kind;
use kometsales::model::Zone;
use kometsales::plan::Mode;
use kometsales::singer::catalog::{Catalog, Wanted};
use kometsales::singer::state::Bookmarks;
use kometsales::streams::ALL;
use kometsales::streams::customers::CUSTOMERS;
use serde_json::json;
use serde_json::value::RawValue;

use super::redaction::MARKER;
use super::state::kind_of;
use super::{outline, refused};

/// Checks bytes as a catalog of Singer.
pub fn check_catalog(bytes: &[u8]) -> String {
    let catalog = match Catalog::parse(bytes, "the test") {
        Ok(catalog) => catalog,
        Err(error) => {
            let causes = error.causes().unwrap_or_default();
            assert!(!format!("{error} {causes}").contains(MARKER), "{error}");
            return refused(&error, &[Kind::Config]);
        }
    };
    let outcomes =
        [Privacy::default(), some_privacy()].map(|privacy| match catalog.wanted(ALL, &privacy) {
            Err(error) => refused(&error, &[Kind::Config]),
            Ok((wanted, warnings)) => {
                wanted.iter().for_each(|one| one_wanted(one, &privacy));
                let warnings: Vec<String> = warnings.iter().map(|one| outline(one)).collect();
                let fields: Vec<_> =
                    wanted.iter().map(|one| (one.mode, one.selection.fields.len())).collect();
                format!("{fields:?} {warnings:?}")
            }
        });
    outcomes.join(" ")
}

fn some_privacy() -> Privacy {
    let config = br#"{"authentication_token": "abcdefgh", "exclude_fields": "salesPerson", "hash_fields": "name", "hash_key": "0123456789abcdef"}"#;
    Config::parse(config, "the test").unwrap().0.privacy
}

fn one_wanted(wanted: &Wanted, privacy: &Privacy) {
    let stream = wanted.stream;
    let Some(properties) = wanted.schema["properties"].as_object() else {
        panic!("a schema without properties: {}", wanted.schema)
    };
    // What is sent is described, and what is described is sent.
    let declared: BTreeSet<&str> = properties
        .keys()
        .map(String::as_str)
        .filter(|name| stream.fields.iter().any(|field| field.name == *name))
        .collect();
    let selection = privacy.selection(stream, wanted.selection.clone());
    let sent: BTreeSet<&str> =
        selection.fields.iter().map(|&index| stream.fields[index].name).collect();
    assert_eq!(sent, declared, "{}", wanted.schema);
    assert_eq!(wanted.selection.extra, properties.contains_key("_extra"), "{}", wanted.schema);
    for always in [Some(stream.key()), stream.cursor()].into_iter().flatten() {
        assert!(sent.contains(always.name), "`{}` is missing", always.name);
    }
    for name in privacy.excluded() {
        assert!(!properties.contains_key(name), "`{name}` is left out");
    }
    for required in wanted.schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().expect("a name");
        assert!(properties.contains_key(name), "`{name}` is required and not sent");
    }
    let method = match wanted.mode {
        Mode::FullRefresh => "FULL_TABLE",
        Mode::Incremental => "INCREMENTAL",
    };
    let again = json!({"streams": [{
        "tap_stream_id": stream.name, "schema": wanted.schema, "replication_method": method,
    }]});
    let again = Catalog::parse(again.to_string().as_bytes(), "the test").unwrap();
    let (again, warnings) = again.wanted(&[stream], privacy).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        (&again[0].selection, again[0].mode, &again[0].schema),
        (&wanted.selection, wanted.mode, &wanted.schema)
    );
}

/// Checks bytes as a state of Singer.
pub fn check_state(bytes: &[u8]) -> String {
    let bookmarks = match Bookmarks::parse(bytes, "the test") {
        Ok(bookmarks) => bookmarks,
        Err(error) => return refused(&error, &[Kind::Config]),
    };
    let warnings: Vec<String> =
        bookmarks.warnings(&[&CUSTOMERS]).iter().map(|one| outline(one)).collect();
    // What was read is written and read again, and what belongs to others stays.
    let again = Bookmarks::parse(bookmarks.to_json().as_bytes(), "the test").unwrap();
    assert_eq!(again, bookmarks);
    assert!(!bookmarks.to_json().contains('\n'));
    let zone = Zone::named("America/New_York").unwrap();
    let state = match bookmarks.of(&CUSTOMERS, zone) {
        Ok(state) => state,
        Err(error) => return format!("{} {warnings:?}", refused(&error, &[Kind::Config])),
    };
    let outcome = state.as_ref().map_or_else(|| "nothing".to_owned(), kind_of);
    let version = bookmarks.table_version(&CUSTOMERS);
    let state = state.unwrap_or_default();
    let mut next = bookmarks.clone();
    next.set(&CUSTOMERS, &state, version);
    let text = next.to_json();
    for text in [text.clone(), format!(r#"{{"type":"STATE","value":{text}}}"#)] {
        let read = Bookmarks::parse(text.as_bytes(), "the test").unwrap();
        assert_eq!(read.of(&CUSTOMERS, Zone::UTC).unwrap(), Some(state.clone()), "{text}");
        assert_eq!(read.table_version(&CUSTOMERS), version, "{text}");
        assert_eq!(read.list_count(&CUSTOMERS), state.list.and_then(|list| list.count), "{text}");
        assert_eq!(read.scope(&CUSTOMERS), state.scope, "{text}");
        assert_eq!(others(&read.to_json()), others(&bookmarks.to_json()), "{text}");
    }
    format!("{outcome} version {} {warnings:?}", version.is_some())
}

/// What a state has of others, word by word.
fn others(state: &str) -> BTreeMap<String, String> {
    type Members = BTreeMap<String, Box<RawValue>>;
    let members: Members = serde_json::from_str(state).expect("an object");
    let bookmarks: Option<Members> = members
        .get("bookmarks")
        .and_then(|bookmarks| serde_json::from_str(bookmarks.get()).expect("an object"));
    let theirs = |(name, json): (String, Box<RawValue>)| (name, json.get().to_owned());
    let bookmarks = bookmarks.into_iter().flatten().filter(|(name, _)| name != "customers");
    let bookmarks = bookmarks.map(|(name, json)| (format!("bookmarks.{name}"), json));
    let state = members.into_iter().filter(|(name, _)| name != "bookmarks");
    state.chain(bookmarks).map(theirs).collect()
}
