//! The cutting of secrets out of texts, against a naive one: that reads every character of the text in every way in which it
//! may be meant, and looks for the secret in what comes out.

use std::collections::BTreeSet;

use kometsales::secret::{HashKey, Token};

/// A token that inputs are made up with: no text that comes out may show it.
pub const MARKER: &str = "k0m3t-s3cr3t";

/// Characters of a secret and of a text that are looked at: a naive search takes its time.
const MAX_SECRET: usize = 24;
const MAX_TEXT: usize = 400;

const REDACTED: &str = "[redacted]";

/// Checks the first line as a secret in the rest, and in the rest written in another way.
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (secret, text) = text.split_once('\n').unwrap_or((&text, ""));
    let secret: String = secret.chars().take(MAX_SECRET).collect();
    let text: String = text.chars().take(MAX_TEXT).collect();
    let token = Token::new(secret.clone());
    let redacted = token.redact(&text);
    assert_eq!(redacted, naive(&text, &secret), "{secret:?} in {text:?}");
    // The key of hashes goes out of a text as the token does.
    let key = Token::new(String::new()).hiding(Some(HashKey::new(secret.clone())));
    assert_eq!(key.redact(&text), redacted);
    if !secret.is_empty() && !secret.contains('§') {
        for turn in 0..4 {
            let spelled = spelled(&secret, bytes, turn);
            for written in
                [spelled.clone(), spelled.to_ascii_uppercase(), spelled.to_ascii_lowercase()]
            {
                let shown = token.redact(&format!("§{written}§"));
                assert_eq!(shown, format!("§{REDACTED}§"), "{secret:?} as {written:?}");
            }
        }
    }
    let count = redacted.matches(REDACTED).count().min(3);
    let length = text.chars().count() - redacted.replace(REDACTED, "").chars().count();
    format!("{count} {}", length.checked_div(secret.chars().count()).unwrap_or_default().min(12))
}

/// Whether a text shows a secret in one of its forms.
pub fn shows(text: &str, secret: &str) -> bool {
    !secret.is_empty() && naive(text, secret) != text
}

/// A text without a secret.
fn naive(text: &str, secret: &str) -> String {
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match longest(rest, secret) {
            Some(length) if length > 0 => {
                redacted.push_str(REDACTED);
                rest = &rest[length..];
            }
            _ => {
                redacted.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    redacted
}

/// How much of the beginning of a text is the secret, at the most.
fn longest(text: &str, secret: &str) -> Option<usize> {
    // What is no other way of writing a character is quickly looked at.
    let first = text.chars().next().filter(|first| !"\\%&+".contains(*first));
    if first
        .zip(secret.chars().next())
        .is_some_and(|(first, other)| !first.eq_ignore_ascii_case(&other))
    {
        return None;
    }
    let mut ends = BTreeSet::from([0]);
    for wanted in secret.chars() {
        let next = |end: &usize| {
            let meant = meanings(&text[*end..]).into_iter();
            let end = *end;
            meant
                .filter(move |(meant, _)| meant.eq_ignore_ascii_case(&wanted))
                .map(move |(_, length)| end + length)
        };
        ends = ends.iter().flat_map(next).collect();
    }
    ends.last().copied()
}

/// What the beginning of a text may mean: each character, and how much of the text it takes.
fn meanings(text: &str) -> Vec<(char, usize)> {
    let mut meanings = Vec::new();
    let Some(first) = text.chars().next() else { return meanings };
    meanings.push((first, first.len_utf8()));
    if first == '+' {
        meanings.push((' ', 1));
    }
    let run = text.len() - text.trim_start_matches('\\').len();
    for backslashes in 1..=run.min(8) {
        meanings.push(('\\', backslashes));
        let rest = &text[backslashes..];
        if let Some(escaped) = rest.chars().next().filter(|c| *c != '\\') {
            meanings.push((escaped, backslashes + escaped.len_utf8()));
            meanings.extend(unicode(rest).map(|(c, length)| (c, backslashes + length)));
        }
    }
    for sign in ["%", "%25"] {
        meanings.extend(percent(text, sign));
    }
    meanings.extend(entity(text));
    meanings
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let digits = text.get(..count)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    are_digits.then(|| u32::from_str_radix(digits, 16).unwrap())
}

/// `u00e9`, or two units with their own backslashes.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| digits(text.strip_prefix(['u', 'U'])?, 4);
    let first = unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 5));
    }
    let rest = text[5..].trim_start_matches('\\');
    let units = [first as u16, unit(rest)? as u16];
    let character = char::decode_utf16(units).next()?.ok()?;
    Some((character, text.len() - rest.len() + 5))
}

/// The bytes of one character, each behind the sign.
fn percent(text: &str, sign: &str) -> Option<(char, usize)> {
    let mut bytes = Vec::new();
    let mut rest = text;
    for _ in 0..4 {
        let behind = rest.strip_prefix(sign)?;
        bytes.push(digits(behind, 2)? as u8);
        rest = &behind[2..];
        if let Ok(character) = std::str::from_utf8(&bytes) {
            return Some((character.chars().next()?, text.len() - rest.len()));
        }
    }
    None
}

fn entity(text: &str) -> Option<(char, usize)> {
    let (name, rest) = text.strip_prefix('&')?.split_once(';')?;
    let length = text.len() - rest.len();
    for (known, meant) in [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')] {
        if name.eq_ignore_ascii_case(known) {
            return Some((meant, length));
        }
    }
    let number = name.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let code =
        digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix));
    Some((char::from_u32(code?.ok()?)?, length))
}

/// A secret with each of its characters written in one of the ways that are documented; bytes choose.
fn spelled(secret: &str, bytes: &[u8], turn: usize) -> String {
    let mut spelled = String::new();
    let choices = bytes.iter().rev().chain(std::iter::repeat(&7)).skip(turn);
    for (character, choice) in secret.chars().zip(choices) {
        let utf8 = character.to_string();
        let percent = |sign: &str| -> String {
            utf8.bytes().map(|byte| format!("{sign}{byte:02X}")).collect()
        };
        let unicode = |backslashes: &str| -> String {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units);
            units.iter().map(|unit| format!("{backslashes}u{unit:04x}")).collect()
        };
        let json = serde_json::to_string(&utf8).unwrap();
        let json = json[1..json.len() - 1].to_owned();
        // `\n` of JSON is no character behind a backslash, so control characters are written by their number.
        let json = if character.is_control() { unicode("\\") } else { json };
        spelled.push_str(&match (usize::from(*choice) + turn) % 10 {
            0 => percent("%"),
            1 => percent("%25"),
            2 => unicode("\\"),
            3 => unicode("\\\\"),
            4 => json,
            5 => json.replace('\\', "\\\\"),
            6 => format!("&#{};", u32::from(character)),
            7 => format!("&#x{:x};", u32::from(character)),
            8 if character == ' ' => "+".to_owned(),
            8 if character == '&' => "&amp;".to_owned(),
            8 if character == '"' => "&quot;".to_owned(),
            _ => utf8,
        });
    }
    spelled
}
