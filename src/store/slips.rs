//! Texts that are not a place but nearly one: they are refused with the place that was probably meant, since each of them
//! is also the name of a folder that nobody wants.

use std::path::Path as LocalPath;

use strsim::levenshtein;

use crate::error::{Error, Result};

/// The places that there are, for messages.
pub(super) const PLACES: &str = "s3://, gs://, az://, abfss://, file:/// or a local path";

/// Schemes of object stores that are reached.
pub(super) const REMOTE: [&str; 6] = ["s3", "s3a", "gs", "az", "abfs", "abfss"];

/// The scheme of this machine.
pub(super) const LOCAL: &str = "file";

/// Schemes that are like one of those, and are of another store.
const OTHERS: [&str; 2] = ["dbfs", "hdfs"];

/// What other programs call the same stores.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("gcs", "gs"),
    ("s3n", "s3"),
    ("azure", "az"),
    ("abs", "az"),
    ("adl", "abfss"),
    ("adls", "abfss"),
    ("wasb", "abfss"),
    ("wasbs", "abfss"),
];

/// What hosts of stores end with, and how their places are written.
const HOSTS: [(&str, &str); 4] = [
    (".amazonaws.com", "s3://bucket/path"),
    (".googleapis.com", "gs://bucket/path"),
    (
        ".core.windows.net",
        "az://container/path or abfss://container@account.dfs.core.windows.net/path",
    ),
    (".cloudflarestorage.com", "s3://bucket/path, with the host in AWS_ENDPOINT_URL"),
];

/// Refuses what is not a place but nearly one, by its text alone.
///
/// # Errors
/// `Config`: it is one. The message shows nothing that may be a secret.
pub(super) fn refuse(text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::config(format!("The place to export to is empty. Use {PLACES}.")));
    }
    refuse_quotes(text)?;
    if text.contains(char::is_control) {
        return Err(Error::config(format!(
            "The place to export to has a line break or another control character in it, which no store takes. Use {PLACES}."
        )));
    }
    refuse_variables(text)?;
    if let Some((scheme, rest)) = text.split_once("://") {
        return refuse_scheme(scheme, rest);
    }
    let first = text.split('/').next().unwrap_or_default();
    if let Some((scheme, _)) = first.split_once(':')
        && is_scheme(scheme)
    {
        return Err(without_slashes(text, scheme));
    }
    refuse_lost_colon(text, first)?;
    refuse_host(text, first)?;
    refuse_backslash(text)
}

/// `bucket.s3.amazonaws.com/x`: the address of a store without its scheme.
fn refuse_host(text: &str, first: &str) -> Result<()> {
    let host = first.to_ascii_lowercase();
    let Some((_, scheme)) = HOSTS.iter().find(|(ending, _)| host.ends_with(ending)) else {
        return Ok(());
    };
    if LocalPath::new(first).exists() {
        return Ok(());
    }
    let shown = shown(text);
    Err(Error::config(format!(
        "{shown} begins with the host of a store, and is no folder of this machine. Use {scheme}."
    )))
}

/// Quotes and blanks around a place, as files of settings and documents keep them, and what is not seen.
fn refuse_quotes(text: &str) -> Result<()> {
    let bare = text.trim_matches(is_around);
    if bare == text || LocalPath::new(text).exists() {
        return Ok(());
    }
    let meant = if may_be_shown(bare) { format!("Did you mean {bare}?") } else { String::new() };
    let fault = "The place to export to begins or ends with a quote or a blank, which would be a part of its name.";
    Err(Error::config(format!("{fault} {meant}").trim_end().to_owned()))
}

/// Whether a character around a text is no part of it: a blank, a quote, or what a copied text has there unseen.
fn is_around(c: char) -> bool {
    c.is_whitespace() || "\"'`“”„‘’‚«»‹›\u{200b}\u{2060}\u{feff}".contains(c)
}

/// What a shell replaces, unless it is in quotes.
fn refuse_variables(text: &str) -> Result<()> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if let Some(home) = rest.strip_prefix('~') {
        let is_home = home.is_empty() || home.starts_with('/');
        let meant = if is_home && may_be_shown(text) {
            format!("Did you mean \"$HOME\"{home}?")
        } else {
            "Use the whole path.".to_owned()
        };
        let shown = shown(text);
        return Err(Error::config(format!(
            "{shown} begins with ~, which the shell did not replace because of quotes. {meant}"
        )));
    }
    let first = rest.split(['/', '\\']).next().unwrap_or_default();
    let is_of_windows = first.len() > 2 && first.starts_with('%') && first.ends_with('%');
    // Names of buckets have none of these.
    let is_unfilled = rest.len() < text.len() && first.contains(['$', '{', '<']);
    if rest.starts_with('$') || is_of_windows || is_unfilled {
        let shown = shown(text);
        return Err(Error::config(format!(
            "{shown} begins with a variable that was not replaced by its value. Use double quotes or none in a shell, or write the value."
        )));
    }
    Ok(())
}

/// A scheme of another kind of store, or a misspelt one.
fn refuse_scheme(scheme: &str, rest: &str) -> Result<()> {
    let lower = scheme.to_ascii_lowercase();
    if lower == LOCAL || REMOTE.contains(&lower.as_str()) {
        return Ok(());
    }
    let meant = match meant_by(&lower) {
        Some(meant) if may_be_shown(&format!("{meant}://{rest}")) => {
            format!(" Did you mean {meant}://{rest}?")
        }
        Some(meant) => format!(" Did you mean {meant}://…?"),
        None => format!(" Use {PLACES}."),
    };
    // What is behind the scheme may hold a secret, and so may what is before it if it is none.
    let shown = if is_scheme(scheme) { scheme } else { "…" };
    Err(Error::config(format!("Cannot export to {shown}://….{meant}")))
}

/// `s3:/b/x`, `s3:b`, `C:\x`.
fn without_slashes(text: &str, scheme: &str) -> Error {
    let behind = text.get(scheme.len() + 1..).unwrap_or_default();
    if scheme.len() == 1 {
        return Error::config(format!(
            "{} is a path of Windows. Use a path of this machine, with / between its parts.",
            shown(text)
        ));
    }
    let behind = behind.replace('\\', "/");
    let behind = behind.trim_start_matches('/');
    let lower = scheme.to_ascii_lowercase();
    let (meant, slashes) = match meant_by(&lower) {
        Some(meant) => (format!("{meant}://{behind}"), "a slash"),
        None if lower == LOCAL => (format!("{LOCAL}:///{behind}"), "slashes"),
        None => {
            let insist = format!("; ./{text} insists on a folder of that name");
            let insist = if may_be_shown(text) { insist } else { String::new() };
            return Error::config(format!(
                "`{scheme}:` is not a kind of place that is known. Use {PLACES}{insist}."
            ));
        }
    };
    let (shown, meant) = if may_be_shown(&meant) {
        (format!("`{text}`"), meant)
    } else {
        ("The place to export to".to_owned(), format!("{lower}://…"))
    };
    Error::config(format!("{shown} lacks {slashes} behind `{scheme}:`. Did you mean {meant}?"))
}

/// `s3//b/x`, `s3;//b/x`.
fn refuse_lost_colon(text: &str, first: &str) -> Result<()> {
    let scheme = first.trim_end_matches(|c: char| c.is_ascii_punctuation()).to_ascii_lowercase();
    let is_known = scheme == LOCAL || REMOTE.contains(&scheme.as_str());
    let Some(behind) = text.get(first.len()..).and_then(|rest| rest.strip_prefix("//")) else {
        return Ok(());
    };
    if !is_known {
        return Ok(());
    }
    let (shown, meant) = match format!("{scheme}://{behind}") {
        meant if may_be_shown(&meant) => (format!("`{text}`"), meant),
        _ => ("The place to export to".to_owned(), format!("{scheme}://…")),
    };
    Err(Error::config(format!("{shown} lacks a colon behind `{scheme}`. Did you mean {meant}?")))
}

/// A path of this machine with a backslash in it.
///
/// # Errors
/// `Config`.
pub(super) fn refuse_backslash(text: &str) -> Result<()> {
    if !text.contains('\\') {
        return Ok(());
    }
    let meant = text.replace('\\', "/");
    // What begins with a slash is a path of this machine.
    let (shown, meant) = match text.starts_with('/') || may_be_shown(text) {
        true => (format!("`{text}`"), format!("Did you mean {meant}?")),
        false => (shown(text), "Use slashes.".to_owned()),
    };
    Err(Error::config(format!(
        "{shown} has a backslash, which libraries for tables take for a slash. {meant}"
    )))
}

/// The scheme that a known, another program's or a misspelt one means.
fn meant_by(scheme: &str) -> Option<&'static str> {
    let is_near = |known: &&&str| {
        scheme.len() > 1 && !OTHERS.contains(&scheme) && levenshtein(scheme, known) <= 1
    };
    let other = || OTHER_NAMES.iter().find(|(other, _)| *other == scheme).map(|(_, meant)| *meant);
    let exact = REMOTE.iter().find(|known| **known == scheme).copied();
    exact.or_else(other).or_else(|| REMOTE.iter().find(is_near).copied())
}

fn is_scheme(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|other| other.is_ascii_alphanumeric() || "+-.".contains(other))
}

/// A text for a message, unless it may hold credentials.
fn shown(text: &str) -> String {
    if may_be_shown(text) { format!("`{text}`") } else { "The place to export to".to_owned() }
}

/// Whether a text certainly holds no credentials: they are before an `@`, or in a query. The `@` of Azure is
/// behind a container.
fn may_be_shown(text: &str) -> bool {
    match text.split_once("://") {
        _ if text.contains(['?', '#']) => false,
        Some((scheme, rest)) if scheme.starts_with("abfs") => {
            let mut parts = rest.split('@');
            !parts.next().unwrap_or_default().contains(':') && parts.count() < 2
        }
        Some((LOCAL, path)) if path.starts_with('/') => true,
        _ => !text.contains('@'),
    }
}

#[cfg(test)]
mod tests;
