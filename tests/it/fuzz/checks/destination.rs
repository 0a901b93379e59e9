//! A place to export to: it is refused without what may be a credential, or it is shown in a form that means the same.

use kometsales::error::Kind;
use kometsales::export::Destination;

use super::redaction::MARKER;
use super::refused;

/// Checks bytes as the value of `--to`.
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let destination = match text.parse::<Destination>() {
        Ok(destination) => destination,
        Err(error) => {
            let shown = error.to_string();
            if may_be_credential(&text) {
                assert!(!shown.contains(MARKER), "{text:?}: {shown}");
            }
            return refused(&error, &[Kind::Config]);
        }
    };
    let shown = match &destination {
        Destination::Stdout => "-".to_owned(),
        Destination::Table(table) => table.place.to_string(),
        Destination::File(place) => place.to_string(),
    };
    if text.contains("://") && may_be_credential(&text) {
        assert!(!shown.contains(MARKER), "{text:?} is {shown}");
    }
    let again = shown.parse::<Destination>();
    // A blank or a quote at the end of a name is taken where a slash is behind it, and for a slip where nothing is; and there
    // is no bucket of such a name.
    let is_odd = again.as_ref().is_err_and(|error| {
        let text = error.to_string();
        text.contains("ends with a quote") || text.contains("begins with a variable")
    });
    assert!(
        is_odd || again.as_ref().ok() == Some(&destination),
        "{text:?} is {shown:?}: {again:?}"
    );
    let kind = match &destination {
        Destination::Stdout => "stdout",
        Destination::Table(_) => "table",
        Destination::File(_) => "file",
    };
    let scheme = shown.split_once("://").map_or("", |(scheme, _)| scheme);
    let is_doubted = format!("{destination:?}").contains("doubt: Some");
    format!("{kind} {scheme} {is_doubted}")
}

/// Whether the marker certainly is where credentials are in what is written as a URL: before an `@`, or behind a `?` or a `#`.
/// A file may have an `@` in its path, and Azure has a container before it.
fn may_be_credential(text: &str) -> bool {
    let Some((before, behind)) = text.split_once(MARKER) else { return false };
    let Some((scheme, before)) = before.split_once(':') else { return false };
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_authority = !before.trim_start_matches('/').contains('/') && behind.contains('@');
    let has_users = ["s3", "s3a", "gs", "az", "http", "https"].contains(&scheme.as_str());
    is_scheme && (before.contains(['?', '#']) || (is_authority && has_users))
}
