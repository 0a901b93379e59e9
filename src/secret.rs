//! The authentication token and the key of hashes, as types that cannot be printed.
//!
//! Komet takes the token in the query string, so it can turn up wherever a URL does. These types are the
//! only things that can read a secret, and they offer just the uses the product has: to authorise a
//! request, to key a fingerprint or a hash, and to be cut out of a text that is about to be shown.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

/// What a text has in the place of the token.
const REDACTED: &str = "[redacted]";

/// Backslashes before a character that was escaped three times.
const MAX_BACKSLASHES: usize = 8;

/// What [`HashKey::fingerprint`] hashes. No value of a field is ever like it.
const NAME_OF_A_KEY: &str = "\0kometsales hash_key\0";

/// Komet's `authenticationToken`. `Debug` shows nothing of it, and it has no `Display` and no
/// `Serialize`.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    /// The key of hashes, which is cut out of every text together with the token.
    hash_key: Option<HashKey>,
}

impl Token {
    /// Takes the token as the user gave it.
    pub fn new(token: String) -> Self {
        Self { secret: SecretString::from(token), hash_key: None }
    }

    /// The same token. Wherever it is cut out of a text, the key of hashes is now cut out too.
    #[must_use]
    pub fn hiding(self, hash_key: Option<HashKey>) -> Self {
        Self { hash_key, ..self }
    }

    /// Adds the token to the query of a request, percent-encoded.
    pub fn authorize(&self, url: &mut Url) {
        url.query_pairs_mut().append_pair("authenticationToken", self.expose());
    }

    /// HMAC-SHA-256 of `text`, keyed by the token, as 64 hexadecimal digits. It changes with the token
    /// and shows nothing of it.
    pub fn fingerprint(&self, text: &str) -> String {
        Hasher::keyed_by(&self.secret).hash(text)
    }

    /// How many characters it has.
    pub fn characters(&self) -> usize {
        self.expose().chars().count()
    }

    /// The same token in lower case, as some servers quote it.
    pub fn lower_case(&self) -> Self {
        Self::new(self.expose().to_ascii_lowercase()).hiding(self.hash_key.clone())
    }

    /// `text` without the token and the key of hashes, however they are written there: as they are,
    /// percent-encoded, or escaped as in JSON or HTML, once or twice, each character in a way of its own.
    pub fn redact(&self, text: &str) -> String {
        let redacted = redact(text, self.expose());
        match &self.hash_key {
            Some(key) => redact(&redacted, expose(&key.0)),
            None => redacted,
        }
    }

    fn expose(&self) -> &str {
        expose(&self.secret)
    }
}

/// The setting `hash_key`. `Debug` shows nothing of it, and it has no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct HashKey(SecretString);

impl HashKey {
    /// Takes the key as the user gave it.
    pub fn new(key: String) -> Self {
        Self(SecretString::from(key))
    }

    /// What hashes values under the key.
    pub fn hasher(&self) -> Hasher {
        Hasher::keyed_by(&self.0)
    }

    /// 64 hexadecimal digits that change with the key and reveal nothing about it.
    pub fn fingerprint(&self) -> String {
        self.hasher().hash(NAME_OF_A_KEY)
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey([redacted])")
    }
}

/// HMAC-SHA-256 under one secret, made ready once.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    fn keyed_by(secret: &SecretString) -> Self {
        // HMAC takes a key of any length, so this is a way to write what cannot fail.
        let mac = Hmac::new_from_slice(expose(secret).as_bytes());
        Self(mac.unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// The hash of a text in UTF-8, as 64 lower-case hexadecimal digits.
    pub fn hash(&self, text: &str) -> String {
        let mut digits = String::with_capacity(64);
        self.append_hash(text, &mut digits);
        digits
    }

    /// Appends the hash of a text to another.
    pub fn append_hash(&self, text: &str, digits: &mut String) {
        const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        for byte in mac.finalize().into_bytes() {
            for half in [byte >> 4, byte & 15] {
                digits.push(char::from(HEXADECIMAL[usize::from(half)]));
            }
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher([redacted])")
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads a secret")]
fn expose(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// A text without a secret.
fn redact(text: &str, secret: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match end_of_token(rest, secret) {
            Some(end) if end > 0 => {
                redacted.push_str(REDACTED);
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {
                redacted.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    redacted
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Where the token ends if the text begins with it in one of its forms.
fn end_of_token(text: &str, token: &str) -> Option<usize> {
    let mut ends = vec![0];
    for character in token.chars() {
        let mut next: Vec<usize> = ends
            .iter()
            .filter_map(|&at| Some((at, text.get(at..)?)))
            .flat_map(|(at, rest)| {
                forms(rest, character).into_iter().flatten().map(move |end| at + end)
            })
            .collect();
        next.sort_unstable();
        next.dedup();
        ends = next;
        if ends.is_empty() {
            return None;
        }
    }
    ends.last().copied()
}

/// Whether a text begins with a character, in any case of an ASCII letter: some servers answer in capitals.
fn begins_with(text: &str, character: char) -> bool {
    text.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&character))
}

/// How long a character is at the beginning of a text, in each form that it may have there.
fn forms(text: &str, character: char) -> [Option<usize>; 7] {
    let backslashes = text.bytes().take(MAX_BACKSLASHES).take_while(|&byte| byte == b'\\').count();
    let unescaped = text.get(backslashes..).unwrap_or_default();
    let plain = |text: &str| begins_with(text, character).then_some(character.len_utf8());
    let escaped = if character == '\\' {
        (backslashes > 0).then_some(backslashes)
    } else {
        plain(unescaped).map(|length| backslashes + length)
    };
    let unicode = unescaped
        .strip_prefix(['u', 'U'])
        .and_then(|rest| starts_with_utf16(rest, character))
        .filter(|_| backslashes > 0)
        .map(|length| backslashes + 1 + length);
    let plus = (character == ' ' && text.starts_with('+')).then_some(1);
    [
        plain(text),
        escaped,
        unicode,
        plus,
        percent(text, character, "%"),
        percent(text, character, "%25"),
        entity(text, character),
    ]
}

/// Hexadecimal digits after `\u`, and of a second unit with its own backslashes if there is one.
fn starts_with_utf16(text: &str, character: char) -> Option<usize> {
    let mut units = [0; 2];
    let mut rest = text;
    let is_same = |read: u32, unit: u32| {
        read == unit
            || char::from_u32(read).is_some_and(|read| read.eq_ignore_ascii_case(&character))
    };
    for (index, unit) in character.encode_utf16(&mut units).iter().enumerate() {
        if index > 0 {
            rest = rest.trim_start_matches('\\').strip_prefix(['u', 'U'])?;
        }
        let (digits, after) = rest.split_at_checked(4)?;
        if !is_same(number(digits, 16)?, u32::from(*unit)) {
            return None;
        }
        rest = after;
    }
    Some(text.len() - rest.len())
}

/// `%C3%A9`, in either case; encoded again, `%` is `%25`.
fn percent(text: &str, character: char, sign: &str) -> Option<usize> {
    let mut rest = text;
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let (digits, after) = rest.strip_prefix(sign)?.split_at_checked(2)?;
        let read = u8::try_from(number(digits, 16)?).ok()?;
        if !read.eq_ignore_ascii_case(&byte) {
            return None;
        }
        rest = after;
    }
    Some(text.len() - rest.len())
}

/// `&amp;`, `&#38;`, `&#x26;`, in any case: HTML has some of the names in capitals too.
fn entity(text: &str, character: char) -> Option<usize> {
    let (name, rest) = text.strip_prefix('&')?.split_once(';')?;
    let named = match name.to_ascii_lowercase().as_str() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        name => {
            let code = name.strip_prefix('#')?;
            let code = match code.strip_prefix('x') {
                Some(hexadecimal) => number(hexadecimal, 16),
                None => number(code, 10),
            };
            char::from_u32(code?)
        }
    };
    named?.eq_ignore_ascii_case(&character).then_some(text.len() - rest.len())
}

/// The number that digits are. A sign is none of them.
fn number(digits: &str, radix: u32) -> Option<u32> {
    let are_digits = digits.chars().all(|c| c.is_digit(radix));
    u32::from_str_radix(digits, radix).ok().filter(|_| are_digits)
}

/// Cuts secrets out of texts, each from the moment at which it is known.
#[derive(Debug, Default)]
pub struct Redactor(RwLock<Vec<Token>>);

impl Redactor {
    /// From now on this secret is cut out as well.
    pub fn hide(&self, secret: &Token) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(secret.clone());
    }

    /// The text without any of the secrets.
    pub fn redact(&self, text: &str) -> String {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| secret.redact(&text))
    }
}

impl FromIterator<Token> for Redactor {
    fn from_iter<I: IntoIterator<Item = Token>>(secrets: I) -> Self {
        Self(RwLock::new(secrets.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests;
