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
fn characters_may_be_written_in_any_way() {
    let token = Token::new("a/é&🌹 %".into());
    for form in [
        "a/é&🌹 %",
        r"a\/\u00e9&\ud83c\udf39 %",
        r"a\\/\\u00E9&\\uD83C\\uDF39 %",
        "a%2F%C3%A9%26%F0%9F%8C%B9%20%25",
        "a%2f%c3%a9%26%f0%9f%8c%b9+%25",
        "a%252F%25C3%25A9%2526%25F0%259F%258C%25B9%2520%2525",
        "a&#47;&#xe9;&amp;&#127801;&#32;&#37;",
    ] {
        assert_eq!(token.redact(&format!("<{form}>")), "<[redacted]>", "{form}");
    }
    assert_eq!(token.redact("a/é&🌹 "), "a/é&🌹 ");
    assert_eq!(Token::new(String::new()).redact("abc"), "abc");
}

#[test]
fn a_server_that_answers_in_capitals_does_so_in_every_form() {
    let token = Token::new("a/é&\"".into());
    for form in [
        r"A\U002F\U00E9\U0026\U0022",
        "A%2F%C3%A9&AMP;&QUOT;",
        "A&#X2F;&#XE9;&#38;&#34;",
        r"%41/\u00e9&amp;&#34;",
        "\\u0041%2fé&\"",
        "&#65;/é&\"",
    ] {
        assert_eq!(token.redact(form), "[redacted]", "{form}");
    }
    // What begins with a sign is no number of a character.
    let token = Token::new("aé/".into());
    for other in [r"a\u+0e9/", "aé%+2f", "a%+c3%a9/", "aé&#+47;", "aé&#x+2f;"] {
        assert_eq!(token.redact(other), other);
    }
}

#[test]
fn a_plain_token_is_redacted_inside_a_sentence() {
    let token = Token::new("abc123".into());
    assert_eq!(token.redact("Token abc123 not found"), "Token [redacted] not found");
}

#[test]
fn the_key_of_hashes_is_not_shown_and_is_redacted_with_the_token() {
    let key = HashKey::new("a key of 16 & more".into());
    assert_eq!(format!("{key:?} {:?}", key.hasher()), "HashKey([redacted]) Hasher([redacted])");
    let token = Token::new("abcdefgh".into()).hiding(Some(key));
    let text = "<abcdefgh> <a key of 16 & more> <a+key+of+16+%26+more> <a key of 16 \\u0026 more>";
    let redacted = "<[redacted]> <[redacted]> <[redacted]> <[redacted]>";
    assert_eq!(token.redact(text), redacted);
    assert!(!format!("{token:?}").contains("key of"));
}

/// RFC 4231, case 2.
#[test]
fn a_hash_is_hmac_sha_256_in_lower_case() {
    let hasher = HashKey::new("Jefe".into()).hasher();
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hasher.hash("what do ya want for nothing?"), expected);
    assert_ne!(hasher.hash(""), HashKey::new("jefe".into()).hasher().hash(""));
}

#[test]
fn the_fingerprint_of_a_key_changes_with_it() {
    let fingerprint = |key: &str| HashKey::new(key.into()).fingerprint();
    assert_eq!(fingerprint("one"), fingerprint("one"));
    assert_ne!(fingerprint("one"), fingerprint("two"));
    assert_eq!(fingerprint("one").len(), 64);
}

#[test]
fn the_fingerprint_depends_on_the_token_and_the_text() {
    let (one, two) = (Token::new("one".into()), Token::new("two".into()));
    assert_eq!(one.fingerprint("a"), one.fingerprint("a"));
    assert_ne!(one.fingerprint("a"), one.fingerprint("b"));
    assert_ne!(one.fingerprint("a"), two.fingerprint("a"));
    assert_eq!(one.fingerprint("a").len(), 64);
}
