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
    // A blank or a quote at the end of a name is taken where a slash is behind it, and for a slip where nothing is.
    let is_odd = again.as_ref().is_err_and(|error| error.to_string().contains("ends with a quote"));
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

/// Whether the marker is where credentials are in what is written as a URL: before an `@`, or behind a `?` or a `#`. Azure
/// has a container before the `@`, and credentials behind a colon.
fn may_be_credential(text: &str) -> bool {
    let text = text.trim_matches(|c: char| {
        c.is_whitespace() || "\"'`“”„‘’‚«»‹›\u{200b}\u{2060}\u{feff}".contains(c)
    });
    let Some((before, behind)) = text.split_once(MARKER) else { return false };
    let Some((scheme, before)) = before.split_once(':') else { return false };
    // A path of this machine may have all of these in its names.
    if scheme.starts_with(['/', '.', '~']) || (scheme.contains('/') && !scheme.contains("//")) {
        return false;
    }
    let is_authority = !before.trim_start_matches('/').contains('/') && behind.contains('@');
    let is_file = scheme.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("file"));
    let is_path = is_file && text.contains("///");
    let is_container = scheme.to_ascii_lowercase().starts_with("abfs") && !before.contains(':');
    before.contains(['?', '#']) || (is_authority && !is_container && !is_path)
}
