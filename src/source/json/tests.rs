use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;

use super::*;

/// Walks over a document and the blanks behind it.
fn walk(document: &str) -> Result<(), Stop> {
    // A number ends where something follows.
    let ended = format!("{document}\n");
    let mut parser = Parser::new(&ended);
    let mut walk = Walk::new();
    while !walk.step(&mut parser)? {}
    match parser.peek() {
        Err(Stop::Short) => Ok(()),
        _ => Err(parser.malformed("the end of the document")),
    }
}

fn is_accepted(document: &str) -> bool {
    walk(document).is_ok()
}

/// Reads a whole document with the parser alone.
fn read(document: &str) -> serde_json::Value {
    let ended = format!("{document} ");
    let mut parser = Parser::new(&ended);
    read_value(&mut parser)
}

fn read_value(parser: &mut Parser<'_>) -> serde_json::Value {
    match parser.value().unwrap() {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(boolean) => boolean.into(),
        Value::Number(raw) => serde_json::from_str(raw).unwrap(),
        Value::Text(text) => text.decode(&mut String::new()).unwrap().into(),
        Value::Nested(raw) => read_nested(raw),
    }
}

fn read_nested(raw: &str) -> serde_json::Value {
    let mut parser = Parser::new(raw);
    let is_object = parser.peek().unwrap() == b'{';
    let (mut members, mut elements) = (serde_json::Map::new(), Vec::new());
    parser.advance();
    while !matches!(parser.peek().unwrap(), b'}' | b']') {
        if is_object {
            let name = parser.name().unwrap().decode(&mut String::new()).unwrap().to_owned();
            members.insert(name, read_value(&mut parser));
        } else {
            elements.push(read_value(&mut parser));
        }
        if parser.peek().unwrap() == b',' {
            parser.advance();
        }
    }
    parser.advance();
    assert_eq!(parser.position(), raw.len());
    if is_object { members.into() } else { elements.into() }
}

fn decoded(raw: &str) -> Option<String> {
    let text = Text { raw, is_escaped: true };
    text.decode(&mut String::from("left over")).map(str::to_owned)
}

/// Documents without blanks, parted by blanks.
const ACCEPTED: &str = r#"
    null true false 0 -0 7 -12 0.5 10.25 1e5 1E+5 1e-05 0e0 -0.0e-0 1e999999
    123456789012345678901234567890 "" "é🌹\u00e9" "\"\\\/\b\f\n\r\t\u0000\uABcd"
    "\ud83c\udf39\ud800\udc00x" [] {} [1] [1,2] [[],[[]],{}] {"a":1} {"":{},"a":[],"a":null}
"#;

const REFUSED: &str = r#"
    nul nulll True NaN Infinity - -a +1 01 -01 00 1. .5 1.e5 1e 1e+ 1e5.0 0x1 1_000 'a'
    " "a "\ "\" "\a" "\'" "\x41" "\U0041" "\u" "\u12" "\u12G4" "\u+123" "\u00é9"
    [ ] [1 [1, [,] [1,] [,1] [1,,2] [1:2] [1} [1]] [1"a"]
    { } {"a" {"a": {"a":} {"a"} {"a",1} {"a":1 {"a":1,} {,} {,"a":1} {"a":1] {"a"::1}
    {"a":1"b":2} {a:1} {1:1} {null:1} {"a":1}} {"a":1}{} //a /*a*/1
"#;

#[test]
fn what_the_grammar_allows_is_accepted() {
    let with_blanks = [
        "[ ]",
        "{ }",
        "\"\u{7f}\u{80}\u{2028}\u{10ffff}\"",
        " \n\r\t[ 1 , \t{ \"a\" : \n\"b\" } ]\r\n ",
    ];
    for document in ACCEPTED.split_whitespace().chain(with_blanks) {
        assert!(is_accepted(document), "{document}");
        assert!(serde_json::from_str::<IgnoredAny>(document).is_ok(), "{document}");
    }
}

#[test]
fn what_the_grammar_does_not_allow_is_refused() {
    let with_blanks = [
        "",
        " ",
        "tru e",
        "1 2",
        "- 1",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "\"\\u 123\"",
        "\"a\nb\"",
        "\"a\\\nb\"",
        "// a\n1",
        "\u{feff}1",
    ];
    for document in REFUSED.split_whitespace().chain(with_blanks) {
        assert!(!is_accepted(document), "{document}");
        assert!(serde_json::from_str::<IgnoredAny>(document).is_err(), "{document}");
    }
}

#[test]
fn every_control_character_in_a_string_is_refused_and_only_those() {
    for code in 0..0x300 {
        let Some(character) = char::from_u32(code) else { continue };
        let is_allowed = code >= 0x20 && !matches!(character, '"' | '\\');
        assert_eq!(is_accepted(&format!("\"{character}\"")), is_allowed, "{code:#x}");
    }
}

#[test]
fn only_four_characters_are_blanks() {
    for code in 0..0x300 {
        let Some(character) = char::from_u32(code) else { continue };
        let is_blank = matches!(character, ' ' | '\n' | '\r' | '\t');
        assert_eq!(is_accepted(&format!("{character}[]")), is_blank, "{code:#x}");
        assert_eq!(is_accepted(&format!("[]{character}")), is_blank, "{code:#x}");
    }
}

#[test]
fn every_character_behind_a_backslash_is_judged() {
    for code in 0..0x300 {
        let Some(character) = char::from_u32(code) else { continue };
        let is_known = "\"\\/bfnrt".contains(character);
        assert_eq!(is_accepted(&format!("\"\\{character}\"")), is_known, "{code:#x}");
    }
}

#[test]
fn what_is_malformed_is_reported_with_its_position() {
    for (document, position) in [
        ("[1,]", 3),
        ("{\"a\" 1}", 5),
        ("[01]", 2),
        ("[1.x]", 3),
        ("[1ex]", 3),
        ("[tru]", 1),
        ("[\"a\tb\"]", 3),
        (r#"["\q"]"#, 3),
        (r#"["\u00x0"]"#, 6),
        ("[1}", 2),
    ] {
        let Err(Stop::Malformed { at, .. }) = walk(document) else { panic!("{document}") };
        assert_eq!(at, position, "{document}");
    }
}

#[test]
fn values_nest_128_deep_and_no_deeper() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(is_accepted(&nested(128)));
    assert!(matches!(walk(&nested(129)), Err(Stop::TooDeep { .. })));
    assert!(matches!(Parser::new(&nested(129)).value(), Err(Stop::TooDeep { .. })));
    let alternating = "[{\"a\":".repeat(64) + "1" + &"}]".repeat(64);
    assert!(is_accepted(&alternating));
    assert!(matches!(walk(&format!("[{alternating}]")), Err(Stop::TooDeep { .. })));
    // How deep it has been does not matter to what follows.
    assert!(is_accepted(&format!("[{0},{0}]", nested(127))));
    assert!(!is_accepted(&("[".repeat(128) + &"]".repeat(127) + "}")));
}

#[test]
fn ten_million_brackets_do_not_overflow_a_small_stack() {
    let read = || {
        for opening in ["[", "{\"a\":"] {
            let document = opening.repeat(10_000_000 / opening.len());
            assert!(matches!(walk(&document), Err(Stop::TooDeep { .. })));
            assert!(matches!(Parser::new(&document).value(), Err(Stop::TooDeep { .. })));
        }
        assert!(is_accepted(&format!("[{}[]]", "[[[]]],".repeat(20_000))));
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(read).unwrap().join().unwrap();
}

const EVERYTHING: &str = r#"{"text": "a\"\\\/\b\f\n\r\t\u00E9é🌹\ud83c\udf39",
  "num\u0062er": [0, -0, 12.5e+3, 1E-2, 123456789012345678901234567890],
	"literals": [true,false,null],"empty": [{}, [], "", [ ], { }], "n": {"a": {"a": [[1]]}}}"#;

#[test]
fn every_beginning_of_a_document_is_short_and_goes_on_where_it_stopped() {
    assert!(is_accepted(EVERYTHING));
    for (cut, _) in EVERYTHING.char_indices() {
        let (beginning, _) = EVERYTHING.split_at(cut);
        assert!(matches!(Parser::new(beginning).value(), Err(Stop::Short)), "{beginning}");
        let mut parser = Parser::new(beginning);
        let mut walk = Walk::new();
        let stop = loop {
            match walk.step(&mut parser) {
                Ok(ended) => assert!(!ended, "{beginning}"),
                Err(stop) => break stop,
            }
        };
        assert!(matches!(stop, Stop::Short), "{beginning}: {stop:?}");
        let mut rest = Parser::new(&EVERYTHING[parser.position()..]);
        while !walk.step(&mut rest).unwrap() {}
        assert_eq!(parser.position() + rest.position(), EVERYTHING.len());
    }
}

#[test]
fn every_beginning_of_a_scalar_is_short() {
    for document in ["true", "false", "null", r#""a\u00e9\n""#, "-120.50e+10"] {
        let is_number = document.starts_with('-');
        for cut in 0..document.len() + usize::from(is_number) {
            let mut parser = Parser::new(&document[..cut]);
            assert!(matches!(parser.value(), Err(Stop::Short)), "{}", &document[..cut]);
            let mut parser = Parser::new(&document[..cut]);
            assert!(matches!(Walk::new().step(&mut parser), Err(Stop::Short)));
            assert_eq!(parser.position(), 0);
        }
    }
}

#[test]
fn values_are_shown_as_they_are_written() {
    let text = |raw, is_escaped| Value::Text(Text { raw, is_escaped });
    for (document, expected) in [
        ("null ", Value::Null),
        ("true ", Value::Boolean(true)),
        (" false ", Value::Boolean(false)),
        ("-1.50e2,", Value::Number("-1.50e2")),
        ("9007199254740993]", Value::Number("9007199254740993")),
        (r#""a b" "#, text("a b", false)),
        (r#""" "#, text("", false)),
        (r#""\u0041" "#, text(r"\u0041", true)),
        (" [ 1,  2 ] ,", Value::Nested("[ 1,  2 ]")),
        (r#"{"]": "}"}} "#, Value::Nested(r#"{"]": "}"}"#)),
    ] {
        assert_eq!(Parser::new(document).value().unwrap(), expected, "{document}");
    }
}

#[test]
fn escapes_are_decoded() {
    for (raw, expected) in [
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u0000\u001f\u0041\u00e9\u00E9\uFFFF", "\0\u{1f}Aéé\u{ffff}"),
        (r"\\u0041\\n", r"\u0041\n"),
        (r"\\\\", r"\\"),
        (r"a\nb\nc", "a\nb\nc"),
        (r"\ud83c\udf39", "🌹"),
        (r"\uD800\uDC00\uDBFF\uDFFF", "\u{10000}\u{10ffff}"),
        (r"x\ud83c\udf39\ud83c\udf39y", "x🌹🌹y"),
        ("", ""),
    ] {
        assert_eq!(decoded(raw).as_deref(), Some(expected), "{raw}");
    }
}

#[test]
fn a_surrogate_without_its_partner_is_no_text() {
    for raw in [
        r"\ud800",
        r"\udfff",
        r"\udc00\ud800",
        r"\ud800\ud800",
        r"\ud800\u0041",
        r"\ud800\n",
        r"\ud800udc00",
        r"\ud800 \udc00",
        r"\ud83c\udf39\udf39",
        r"a\udbffé",
    ] {
        assert_eq!(decoded(raw), None, "{raw}");
    }
}

fn text(escapes: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[^\"\\\\\u{0}-\u{1f}]{1,9}",
        r#"\\["\\/bfnrt]"#,
        r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}",
        escapes,
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Documents with blanks, escapes and numbers in every form; `escapes` is a pattern of `\u` escapes.
fn document(escapes: &'static str) -> impl Strategy<Value = String> {
    let number = r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?";
    let scalar = prop_oneof!["null|true|false", number, text(escapes)];
    let blanks = || "[ \n\r\t]{0,2}";
    scalar.prop_recursive(5, 40, 6, move |inner| {
        let padded = (blanks(), inner, blanks()).prop_map(|(a, value, b)| a + &value + &b);
        let member = (blanks(), text(escapes), blanks(), padded.clone())
            .prop_map(|(a, name, b, value)| format!("{a}{name}{b}:{value}"));
        let list = |items: Vec<String>| if items.is_empty() { " ".into() } else { items.join(",") };
        prop_oneof![
            prop::collection::vec(padded, 0..6).prop_map(move |items| format!("[{}]", list(items))),
            prop::collection::vec(member, 0..6)
                .prop_map(move |items| format!("{{{}}}", list(items))),
        ]
    })
}

/// Changes, removes and inserts characters, those that mean something to JSON above all.
fn mutated(document: &str, mutations: &[(Index, u8, char)]) -> String {
    let mut characters: Vec<char> = document.chars().collect();
    for (index, kind, character) in mutations {
        let at = index.index(characters.len() + 1);
        match kind {
            0 => characters.insert(at, *character),
            1 if at < characters.len() => drop(characters.remove(at)),
            2 if at < characters.len() => characters[at] = *character,
            _ => {}
        }
    }
    characters.into_iter().collect()
}

fn mutations() -> impl Strategy<Value = Vec<(Index, u8, char)>> {
    let character = "[\"\\\\{}\\[\\]:,0-9.eE+ntu\\-\u{0}\u{1f}\u{7f}é🌹 ]"
        .prop_map(|one| one.chars().next().unwrap_or(' '));
    prop::collection::vec((any::<Index>(), 0..3u8, character), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_serde_accepts_is_accepted_and_nothing_else(
        document in document(r"\\u[0-9a-fA-F]{4}"),
        mutations in mutations(),
    ) {
        prop_assert!(is_accepted(&document));
        let mutated = mutated(&document, &mutations);
        let expected = serde_json::from_str::<IgnoredAny>(&mutated).is_ok();
        prop_assert_eq!(is_accepted(&mutated), expected, "{}", mutated);
    }

    #[test]
    fn values_are_those_that_serde_reads(
        document in document(r"\\u[0-9abcefABCEF][0-9a-fA-F]{3}"),
    ) {
        let expected: serde_json::Value = serde_json::from_str(&document).unwrap();
        prop_assert_eq!(read(&document), expected);
    }

    #[test]
    fn a_walk_in_pieces_ends_where_a_walk_in_one_ends(
        document in document(r"\\u[0-9a-fA-F]{4}"),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let whole = document + " ";
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len())).collect();
        ends.retain(|&end| whole.is_char_boundary(end));
        ends.sort_unstable();
        ends.push(whole.len());
        let (mut walk, mut start, mut is_over) = (Walk::new(), 0, false);
        for end in ends {
            let mut parser = Parser::new(&whole[start..end]);
            while !is_over {
                match walk.step(&mut parser) {
                    Ok(ended) => is_over = ended,
                    Err(stop) => {
                        prop_assert!(matches!(stop, Stop::Short), "{:?}", stop);
                        break;
                    }
                }
            }
            start += parser.position();
        }
        prop_assert!(is_over);
        prop_assert!(whole[start..].trim().is_empty());
    }
}
