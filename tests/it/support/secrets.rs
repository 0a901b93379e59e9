//! The forms in which a token may leak.

use std::fs;
use std::path::Path;

/// Every form of a token that is looked for, with its name.
pub(crate) fn forms(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    let percent = |kept: &str, digits: &str, blank: &str| -> String {
        token
            .bytes()
            .map(|byte| match byte {
                b' ' => blank.to_owned(),
                _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                    char::from(byte).to_string()
                }
                _ if digits == "upper" => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            })
            .collect()
    };
    let json = serde_json::Value::from(token).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let ascii: String = json
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) })
        .collect();
    let whole = |bytes: &[u8]| base64(bytes).trim_end_matches('=').to_owned();
    let mut forms = vec![
        ("as it is", token.to_owned()),
        ("percent-encoded", percent("-_.~", "upper", "%20")),
        ("percent-encoded in lower case", percent("-_.~", "lower", "%20")),
        ("form-encoded", percent("-_.*", "upper", "+")),
        ("form-encoded in lower case", percent("-_.*", "lower", "+")),
        ("escaped as in JSON", json.clone()),
        ("escaped as in JSON, twice", json.replace('\\', "\\\\").replace('"', "\\\"")),
        ("escaped as in JSON, slashes too", json.replace('/', "\\/")),
        ("escaped as in ASCII JSON", ascii.clone()),
        ("escaped as in ASCII JSON, slashes too", ascii.replace('/', "\\/")),
        ("in base64", whole(token.as_bytes())),
    ];
    let debug = format!("{token:?}");
    forms.push(("as Rust shows it", debug[1..debug.len() - 1].to_owned()));
    // Base64 in the middle of other text depends on where the token begins.
    for before in ["x", "xx"] {
        let text = whole(format!("{before}{token}").as_bytes());
        forms.push(("in base64", text[4..text.len() - 2].to_owned()));
    }
    forms.into_iter().map(|(name, form)| (name, form.into_bytes())).collect()
}

/// A piece of a token that is this long is as bad as the whole: an excerpt may end inside it.
const PIECE_CHARS: usize = 12;

/// Forms that no server sends back, but that a program could make, and pieces of a long token.
fn more_forms(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex = |digit: fn(u8) -> String| token.bytes().map(digit).collect::<String>();
    let percent = |byte: u8| match byte {
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%25{byte:02X}"),
    };
    let html = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#x27;")];
    let html = html.iter().fold(token.to_owned(), |text, (of, to)| text.replace(of, to));
    let safe = base64(token.as_bytes()).replace('+', "-").replace('/', "_");
    let mut forms = vec![
        ("in hexadecimal", hex(|byte| format!("{byte:02x}"))),
        ("in hexadecimal capitals", hex(|byte| format!("{byte:02X}"))),
        ("percent-encoded twice", hex(percent)),
        ("as HTML", html),
        ("in URL-safe base64", safe.trim_end_matches('=').to_owned()),
    ];
    let characters: Vec<char> = token.chars().collect();
    let pieces = characters.windows(PIECE_CHARS).map(|piece| ("in part", piece.iter().collect()));
    forms.extend(pieces);
    forms.into_iter().map(|(name, form)| (name, form.into_bytes())).collect()
}

/// Asserts that the bytes hold the token in no form.
#[track_caller]
pub(crate) fn assert_absent(token: &str, place: &str, bytes: &[u8]) {
    for (name, form) in forms(token).into_iter().chain(more_forms(token)) {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(!found, "{place} holds the token, {name}: {}", String::from_utf8_lossy(bytes));
    }
}

/// Asserts that no file of the folder, and no name of one, holds the token in any form.
#[track_caller]
pub(crate) fn assert_absent_in_folder(token: &str, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_absent(token, "a file's name", path.to_string_lossy().as_bytes());
        if path.is_dir() {
            assert_absent_in_folder(token, &path);
        } else {
            assert_absent(token, "a file", &fs::read(&path).unwrap());
        }
    }
}

/// RFC 4648, section 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit > three.len() { '=' } else { char::from(DIGITS[six]) });
        }
    }
    text
}
