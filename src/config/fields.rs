//! The fields that settings may name.

use crate::model::stream::{EXTRA, Role};
use crate::model::{Field, Type};
use crate::streams::ALL;

/// The settings that name fields, and the key that one of them needs.
pub(super) const EXCLUDE: &str = "exclude_fields";
pub(super) const HASH: &str = "hash_fields";
pub(super) const KEY: &str = "hash_key";

/// Characters of a name that a message shows.
const MAX_SHOWN_CHARACTERS: usize = 60;

/// A name that is at least this much like another was probably meant to be it (Jaro-Winkler, 0 to 1).
const LIKELY_MEANT: f64 = 0.8;

/// The field of a name, or why it cannot be left out or hashed.
pub(super) fn named(key: &str, name: &str) -> Result<&'static str, String> {
    let declared: Vec<&Field> = fields().filter(|field| field.name == name).collect();
    let is_hash = key == HASH;
    if declared.iter().any(|field| matches!(field.role, Role::Key | Role::Cursor)) {
        return Err(format!("names `{name}`, which every output needs"));
    }
    if is_hash && (name == EXTRA || declared.iter().any(|field| field.kind != Type::Text)) {
        let texts = accepted(true).join(", ");
        return Err(format!("names `{name}`, which is not a text field ({texts})"));
    }
    if name == EXTRA {
        return Ok(EXTRA);
    }
    declared.first().map(|field| field.name).ok_or_else(|| {
        let shown: String = name.chars().take(MAX_SHOWN_CHARACTERS).collect();
        // Names with something else than commas between them are like all of these.
        let is_one = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let meant = nearest(name, is_hash).filter(|_| is_one);
        let meant = match meant {
            Some(name) => format!(" (did you mean `{name}`?)"),
            None => format!(" (available: {})", accepted(is_hash).join(", ")),
        };
        format!("names the unknown field `{}`{meant}", shown.escape_debug())
    })
}

/// The fields of every stream.
fn fields() -> impl Iterator<Item = &'static Field> {
    ALL.iter().flat_map(|stream| stream.fields)
}

/// The one of the accepted fields that was probably meant.
fn nearest(name: &str, only_text: bool) -> Option<&'static str> {
    let alike = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let nearest =
        accepted(only_text).into_iter().max_by(|one, other| alike(one).total_cmp(&alike(other)));
    nearest.filter(|nearest| alike(nearest) > LIKELY_MEANT)
}

/// What a setting accepts, in words that follow "expected".
pub(super) fn expectation(only_text: bool) -> String {
    let kind = if only_text { "text fields" } else { "fields" };
    format!("{kind} with commas between them")
}

/// The names of the fields that a setting accepts.
fn accepted(only_text: bool) -> Vec<&'static str> {
    let is_plain = |field: &&Field| !matches!(field.role, Role::Key | Role::Cursor);
    let accepted = fields().filter(is_plain).filter(|field| !only_text || field.kind == Type::Text);
    let mut names: Vec<&str> = Vec::new();
    for field in accepted {
        if !names.contains(&field.name) {
            names.push(field.name);
        }
    }
    names
}
