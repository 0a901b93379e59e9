//! The authentication token, as a type that cannot be printed.
//!
//! Komet takes the token in the query string, so it can turn up wherever a URL does. This type is the
//! only thing that can read it, and it offers just the three uses the product has: to authorise a
//! request, to key a fingerprint, and to be cut out of a text that is about to be shown.

use std::fmt;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;
use url::form_urlencoded::byte_serialize;

/// What stands in a text where the token was.
const REDACTED: &str = "[redacted]";

/// Komet's `authenticationToken`. `Debug` shows nothing of it, and it has no `Display` and no
/// `Serialize`.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// Takes the token as the user gave it.
    pub fn new(token: String) -> Self {
        Self(SecretString::from(token))
    }

    /// Adds the token to the query of a request, percent-encoded.
    pub fn authorize(&self, url: &mut Url) {
        url.query_pairs_mut().append_pair("authenticationToken", self.expose());
    }

    /// HMAC-SHA-256 of `text`, keyed by the token, as 64 hexadecimal digits. It changes with the token
    /// and tells nothing about it.
    pub fn fingerprint(&self, text: &str) -> String {
        // HMAC takes a key of any length; the error type exists for other algorithms.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.expose().as_bytes()) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// `text` without the token: as it is, percent-encoded, or escaped as in JSON.
    pub fn redact(&self, text: &str) -> String {
        let token = self.expose();
        if token.is_empty() {
            return text.to_owned();
        }
        let form: String = byte_serialize(token.as_bytes()).collect();
        let percent = form.replace('+', "%20");
        let json = serde_json::Value::from(token).to_string();
        let json = json.trim_matches('"').to_owned();
        let every_byte: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let mut forms = [
            every_byte.to_lowercase(),
            every_byte,
            percent.to_lowercase(),
            form.to_lowercase(),
            percent,
            form,
            json,
            token.to_owned(),
        ];
        // A longer form may hold a shorter one, which would leave its rest standing.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.iter().fold(text.to_owned(), |text, form| text.replace(form.as_str(), REDACTED))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the token")]
    fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "t0k&n%/ é\"x+y";

    #[test]
    fn debug_shows_nothing_of_the_token() {
        assert_eq!(format!("{:?}", Token::new(CANARY.into())), "Token([redacted])");
    }

    #[test]
    fn every_form_of_the_token_is_redacted() {
        let token = Token::new(CANARY.into());
        let mut url = Url::parse("https://example.com/api").unwrap();
        token.authorize(&mut url);
        let json = serde_json::to_string(CANARY).unwrap();
        let text = format!("{CANARY} {url} {json}");
        let redacted = token.redact(&text);
        assert_eq!(
            redacted,
            "[redacted] https://example.com/api?authenticationToken=[redacted] \"[redacted]\""
        );
    }

    #[test]
    fn a_plain_token_is_redacted_inside_a_sentence() {
        let token = Token::new("abc123".into());
        assert_eq!(token.redact("Token abc123 not found"), "Token [redacted] not found");
    }

    #[test]
    fn the_fingerprint_depends_on_the_token_and_the_text() {
        let (one, two) = (Token::new("one".into()), Token::new("two".into()));
        assert_eq!(one.fingerprint("a"), one.fingerprint("a"));
        assert_ne!(one.fingerprint("a"), one.fingerprint("b"));
        assert_ne!(one.fingerprint("a"), two.fingerprint("a"));
        assert_eq!(one.fingerprint("a").len(), 64);
    }
}
