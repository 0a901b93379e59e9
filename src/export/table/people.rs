//! What a table notes of fields that may be people's: which of them its rows are without, and which are hashed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::privacy::Privacy;
use crate::export::mask::Mask;

/// What every row of a table is without, or has hashes of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::export) struct Noted {
    excluded: BTreeSet<String>,
    hashed: BTreeSet<String>,
    /// A fingerprint that another key of the hashes does not have.
    key: Option<String>,
}

impl Noted {
    /// What rows are that these settings let through.
    pub(super) fn of(privacy: &Privacy) -> Self {
        Self {
            excluded: privacy.excluded().map(str::to_owned).collect(),
            hashed: privacy.hashed().map(str::to_owned).collect(),
            key: privacy.fingerprint(),
        }
    }

    /// Whether any field is left out or hashed.
    pub(super) fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// Whether any field is hashed.
    pub(super) fn has_hashes(&self) -> bool {
        !self.hashed.is_empty()
    }

    /// The fields that rows are without, by name.
    pub(super) fn excluded(&self) -> Vec<String> {
        self.excluded.iter().cloned().collect()
    }

    /// The fields that rows have hashes of, by name.
    pub(super) fn hashed(&self) -> Vec<String> {
        self.hashed.iter().cloned().collect()
    }

    /// Its form in the note.
    pub(super) fn to_json(&self) -> Value {
        match self.is_set() {
            true => json!({"excluded": self.excluded, "hashed": self.hashed, "key": self.key}),
            false => Value::Null,
        }
    }

    /// Reads [`to_json`](Self::to_json)'s form; `None` if something else wrote it.
    pub(super) fn from_json(json: &Value) -> Option<Self> {
        if json.is_null() {
            return Some(Self::default());
        }
        Some(Self {
            excluded: serde_json::from_value(json["excluded"].clone()).ok()?,
            hashed: serde_json::from_value(json["hashed"].clone()).ok()?,
            key: serde_json::from_value(json["key"].clone()).ok()?,
        })
    }

    /// What has to become of rows like these under other settings.
    ///
    /// # Errors
    /// Which field they are without that would have to be there, or what else cannot be made of them.
    pub(super) fn change(&self, privacy: &Privacy) -> Result<Mask, String> {
        let is_gone = |name: &&String| !privacy.excludes(name);
        if let Some(name) = self.excluded.iter().find(is_gone) {
            return Err(format!("is without `{name}`, which `exclude_fields` no longer names"));
        }
        for name in self.hashed.iter().filter(is_gone) {
            if !privacy.hashes(name) {
                return Err(format!("has hashes of `{name}`, which `hash_fields` no longer names"));
            }
            if self.key != privacy.fingerprint() {
                return Err(format!("has hashes of `{name}` under another `hash_key`"));
            }
        }
        let new_hashes = privacy.hashed().filter(|name| !self.hashed.contains(*name));
        Ok(Mask {
            excluded: privacy.excluded().filter(|name| !self.excluded.contains(*name)).collect(),
            hashed: new_hashes.filter_map(|name| Some((name, privacy.hasher(name)?))).collect(),
        })
    }
}
