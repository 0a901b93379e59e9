//! What holds of any input, however broken. The tests beside it check it on inputs that they make up, and the programs of
//! `fuzz/`, which takes this folder as its library, on what a fuzzer makes up.
//!
//! A check panics where something does not hold, and otherwise says in a few words what became of the input: whoever makes
//! inputs up keeps those of which nothing like it was ever said.

pub mod catalog;
pub mod configuration;
pub mod dates;
pub mod destination;
pub mod http;
pub mod note;
pub mod raw_reply;
pub mod redaction;
pub mod reply;
pub mod singer;
pub mod state;

use kometsales::error::{Error, Kind};

/// What is checked of one kind of input.
pub type Check = fn(&[u8]) -> String;

/// Every kind of input, by the name that its seeds and its program have.
pub const TARGETS: [(&str, Check); 11] = [
    ("catalog", catalog::check),
    ("configuration", configuration::check),
    ("dates", dates::check),
    ("destination", destination::check),
    ("http", http::check),
    ("note", note::check),
    ("redaction", redaction::check),
    ("reply", reply::check),
    ("singer_catalog", singer::check_catalog),
    ("singer_state", singer::check_state),
    ("state", state::check),
];

/// Checks an input of a kind.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.0 == name);
    target.unwrap_or_else(|| panic!("there is no target {name}")).1(bytes);
}

/// What an error says, once it is sure that a person can do something with it. `kinds` are those that are documented.
#[track_caller]
pub(crate) fn refused(error: &Error, kinds: &[Kind]) -> String {
    let text = error.to_string();
    assert!(kinds.contains(&error.kind()), "{:?}: {text}", error.kind());
    assert!(text.ends_with(['.', '?', ')']), "no whole sentence: {text}");
    assert!(!text.contains("bug in kometsales"), "{text}");
    format!("{:?}: {}", error.kind(), outline(&text))
}

/// A message without what is different in each: figures and quoted parts.
pub(crate) fn outline(text: &str) -> String {
    let mut outline = String::new();
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '`' | '“' | '”' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '0'..='9' if outline.ends_with('0') => {}
            '0'..='9' => outline.push('0'),
            _ => outline.push(character),
        }
    }
    outline
}
