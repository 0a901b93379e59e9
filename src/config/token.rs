//! What a secret is not: what files, variables and copied texts add to one.

/// The API documents 50 for a token; a whole file in place of a secret is a mistake.
const MAX_SECRET_BYTES: usize = 200;

/// A shorter token is none, and would be found in every text that is searched for it.
pub(super) const MIN_TOKEN_CHARACTERS: usize = 8;

/// Quotes of every kind: documents and chats put curly ones in the place of straight ones.
const QUOTES: &str = "\"'`“”„‘’‚«»‹›";

/// Characters that are not seen, which copied texts have.
const UNSEEN: &str = "\u{ad}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}\u{feff}";

/// A key of this many characters or more may be the token, if it looks like one.
const MAX_NAME_CHARACTERS: usize = 20;

/// What is wrong with a text that should be a secret of at least this many characters.
pub(super) fn fault(secret: &str, least: usize) -> Option<String> {
    let is_around = |set: &str| {
        secret.starts_with(|c| set.contains(c)) || secret.ends_with(|c| set.contains(c))
    };
    let fault = if secret.trim().is_empty() {
        Some("is missing")
    } else if secret.trim() != secret || secret.contains(char::is_control) {
        Some("has blanks around it or a line break in it")
    } else if is_around(QUOTES) {
        Some("has quotes around it")
    } else if secret.contains(|c| UNSEEN.contains(c)) {
        Some("has characters in it that are not seen")
    } else if secret.chars().count() < least {
        return Some(format!("is shorter than {least} characters"));
    } else if secret.len() > MAX_SECRET_BYTES {
        return Some(format!("is longer than {MAX_SECRET_BYTES} bytes"));
    } else {
        None
    };
    fault.map(str::to_owned)
}

/// Whether a text in place of a name may be the token itself.
///
/// ```
/// use kometsales::config::may_be_token;
/// assert!(may_be_token("k0m3t-s3cr3t") && !may_be_token("time_zone") && !may_be_token("exprot"));
/// ```
pub fn may_be_token(text: &str) -> bool {
    let length = text.chars().count();
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    let is_long = length >= MAX_NAME_CHARACTERS && !text.contains(['_', ' ']);
    length >= MIN_TOKEN_CHARACTERS && (has_digit || is_long)
}
