//! Fields that may be people's: which of them are left out of every output, and which are hashed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{EXCLUDE, HASH, KEY};
use crate::model::Stream;
use crate::model::arrow::Selection;
use crate::model::json_schema::json_schema;
use crate::model::stream::EXTRA;
use crate::secret::{HashKey, Hasher};

/// Which fields are left out of every output, and which are hashed.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    excluded: BTreeSet<&'static str>,
    hashed: BTreeSet<&'static str>,
    key: Option<HashKey>,
}

impl Privacy {
    /// These fields are left out, and these are hashed under the key.
    pub(super) fn new(
        excluded: BTreeSet<&'static str>,
        hashed: BTreeSet<&'static str>,
        key: Option<HashKey>,
    ) -> Self {
        Self { excluded, hashed, key }
    }

    /// Whether any field is left out or hashed.
    pub fn is_set(&self) -> bool {
        !self.excluded.is_empty() || !self.hashed.is_empty()
    }

    /// Whether a field is left out. Unknown fields may be people's: they are, where anything is.
    pub fn excludes(&self, name: &str) -> bool {
        self.excluded.contains(name) || (self.is_set() && name == EXTRA)
    }

    /// Whether a field is hashed.
    pub fn hashes(&self, name: &str) -> bool {
        self.hashed.contains(name)
    }

    /// What hashes the values of a field; `None` if they stay as they are.
    pub fn hasher(&self, name: &str) -> Option<Hasher> {
        self.key.as_ref().filter(|_| self.hashes(name)).map(HashKey::hasher)
    }

    /// A warning where there is a key and nothing to hash.
    pub(super) fn unused_key(&self) -> Option<String> {
        let is_unused = self.key.is_some() && self.hashed.is_empty();
        is_unused.then(|| format!("`{KEY}` is set without `{HASH}`, so nothing is hashed."))
    }

    /// The fields that are left out, by name.
    pub fn excluded(&self) -> impl Iterator<Item = &'static str> {
        let extra = (self.is_set() && !self.excluded.contains(EXTRA)).then_some(EXTRA);
        self.excluded.iter().copied().chain(extra)
    }

    /// The fields that are hashed, by name.
    pub fn hashed(&self) -> impl Iterator<Item = &'static str> {
        self.hashed.iter().copied()
    }

    /// A fingerprint that another key does not have; `None` if nothing is hashed.
    pub fn fingerprint(&self) -> Option<String> {
        self.key.as_ref().filter(|_| !self.hashed.is_empty()).map(HashKey::fingerprint)
    }

    /// The part of a scope that these settings are: nothing where they are not set.
    pub fn scope(&self) -> impl Iterator<Item = (&'static str, String)> {
        let listed = |names: &BTreeSet<&str>| {
            let names: Vec<&str> = names.iter().copied().collect();
            Some(names.join(",")).filter(|names| !names.is_empty())
        };
        let parts = [
            (EXCLUDE, listed(&self.excluded)),
            (HASH, listed(&self.hashed)),
            (KEY, self.fingerprint()),
        ];
        parts.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    /// A selection without the fields that are left out.
    pub fn selection(&self, stream: &Stream, mut selection: Selection) -> Selection {
        selection.fields.retain(|field| !self.excludes(stream.fields[*field].name));
        selection.extra &= !self.excludes(EXTRA);
        selection
    }

    /// The JSON schema of a stream's records, as they go out.
    pub fn json_schema(&self, stream: &Stream) -> Value {
        let mut schema = json_schema(stream);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| !self.excludes(name));
            for (name, property) in properties {
                if self.hashes(name) {
                    property["description"] = self.documentation(property).into();
                }
            }
        }
        schema
    }

    fn documentation(&self, property: &Value) -> String {
        let text = property["description"].as_str().unwrap_or_default();
        format!("{text} Hashed: HMAC-SHA-256 in hexadecimal digits.")
    }

    /// A warning where a catalog `selects` a field that is left out.
    pub fn warning(&self, stream: &Stream, selects: impl Fn(&str) -> bool) -> Option<String> {
        let names = stream.fields.iter().map(|field| field.name).chain([EXTRA]);
        let gone: Vec<String> = names
            .filter(|name| self.excludes(name) && selects(name))
            .map(|name| format!("`{name}`"))
            .collect();
        (!gone.is_empty()).then(|| {
            format!(
                "Stream `{}`: the catalog selects {}, which `{EXCLUDE}` or `{HASH}` leaves out. Discover the schema again.",
                stream.name,
                gone.join(", ")
            )
        })
    }
}
