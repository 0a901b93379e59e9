use std::io::BufReader;

use super::super::not_found::says_not_found;
use super::*;

/// Keeps the elements of the list as they came.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    /// How many lists began.
    lists: u32,
    elements: Vec<String>,
    is_array: bool,
    /// With this many elements it has enough.
    enough: Option<usize>,
}

impl Elements for Kept {
    fn begin(&mut self) -> Result<(), Stop> {
        self.lists += 1;
        self.elements.clear();
        Ok(())
    }

    fn take(&mut self, parser: &mut Parser<'_>, list: &mut List) -> Result<(), Stop> {
        self.is_array = list.is_array();
        while list.advance(parser)? {
            let start = parser.position();
            match parser.value() {
                Ok(_) => list.took_element(),
                Err(stop) => {
                    parser.rewind(start);
                    return Err(stop);
                }
            }
            self.elements.push(parser.between(start, parser.position()).trim().to_owned());
        }
        Ok(())
    }

    fn has_enough(&self, _: &Envelope) -> bool {
        self.enough.is_some_and(|enough| self.elements.len() >= enough)
    }
}

/// Reads a reply through windows of several sizes, which has to come to the same.
fn read_bytes(reply: &[u8]) -> (Result<Envelope, Fault>, Kept) {
    let read_through = |size, capacity| {
        let mut kept = Kept::default();
        let input = BufReader::with_capacity(capacity, reply);
        let mut window = Window::sized(input, size, false);
        (read(&mut window, "customers", &mut kept), kept)
    };
    let (expected, kept) = read_through(256 * 1024, 8192);
    for (size, capacity) in [(8, 1), (13, 3), (64, 100)] {
        let (other, other_kept) = read_through(size, capacity);
        let shown = String::from_utf8_lossy(reply);
        match (&expected, &other) {
            // Through a small window some faults are seen before the bytes that are not text.
            (Err(Fault::NotUtf8 { .. }), Err(_)) => {}
            (Err(Fault::TooDeep { .. }), Err(Fault::TooDeep { .. })) => {}
            _ => assert_eq!(format!("{other:?}"), format!("{expected:?}"), "{shown}"),
        }
        if expected.is_ok() {
            assert_eq!(other_kept, kept, "{shown}");
        }
    }
    (expected, kept)
}

fn reads(reply: &str) -> (Envelope, Kept) {
    let (envelope, kept) = read_bytes(reply.as_bytes());
    (envelope.unwrap(), kept)
}

fn fails(reply: impl AsRef<[u8]>) -> Fault {
    read_bytes(reply.as_ref()).0.unwrap_err()
}

#[test]
fn members_may_come_in_any_order() {
    let members = [r#""status": "1""#, r#""message": "OK""#, r#""customers": [{"id": 1}, 2]"#];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (envelope, kept) = reads(&format!("{{{}}}", order.map(|at| members[at]).join(", ")));
        assert_eq!(envelope.status, Some(Status::Success));
        assert_eq!(envelope.message, "OK");
        assert_eq!(envelope.duplicates, 0);
        assert!(envelope.is_whole);
        assert_eq!(kept.elements, [r#"{"id": 1}"#, "2"]);
        assert!(kept.is_array);
    }
}

#[test]
fn the_status_is_one_or_zero_in_three_forms_or_it_is_unknown() {
    let status = |value: &str| reads(&format!(r#"{{"status": {value}}}"#)).0.status.unwrap();
    for value in ["1", r#""1""#, "true", r#""\u0031""#] {
        assert_eq!(status(value), Status::Success, "{value}");
    }
    for value in ["0", r#""0""#, "false", r#""\u0030""#] {
        assert_eq!(status(value), Status::Failure, "{value}");
    }
    for value in
        ["null", "2", "-1", "-0", "1.0", "10", r#""OK""#, r#"" 1""#, r#""""#, "[1]", r#"{"1":1}"#]
    {
        assert_eq!(status(value), Status::Unknown, "{value}");
    }
    assert_eq!(reads("{}").0.status, None);
}

#[test]
fn of_a_member_that_comes_twice_the_last_one_counts() {
    let (envelope, kept) = reads(
        r#"{"status": 0, "message": "no", "customers": [1, 2], "x": 1, "x": 2,
            "st\u0061tus": 1, "message": "yes", "customers": [3]}"#,
    );
    assert_eq!(envelope.status, Some(Status::Success));
    assert_eq!(envelope.message, "yes");
    assert_eq!(envelope.duplicates, 3);
    assert_eq!((kept.lists, kept.elements), (2, vec!["3".to_owned()]));
    let (_, kept) = reads(r#"{"customers": [1, 2], "customers": null}"#);
    assert_eq!((kept.lists, kept.elements.len()), (2, 0));
}

#[test]
fn a_list_counts_even_if_something_else_of_its_name_stood_before_it() {
    for first in ["7", "\"OK\"", "false"] {
        let (_, kept) = reads(&format!(r#"{{"customers": {first}, "customers": [1]}}"#));
        assert_eq!(kept.elements, ["1"]);
    }
}

#[test]
fn the_message_is_kept_as_text_in_whatever_form_it_comes() {
    for (value, expected) in [
        (r#""Customers not found""#, "Customers not found"),
        (r#""a\n\u00e9\"""#, "a\né\""),
        (r#""\ud800 x""#, r"\ud800 x"),
        (r#""""#, ""),
        ("null", ""),
        ("true", "true"),
        ("false", "false"),
        ("-1.5", "-1.5"),
        (r#"["a", 1]"#, r#"["a", 1]"#),
        (r#"{"code": 7}"#, r#"{"code": 7}"#),
    ] {
        let (envelope, _) = reads(&format!(r#"{{"message": {value}}}"#));
        assert_eq!(envelope.message, expected, "{value}");
    }
    let (envelope, _) = reads(&format!(r#"{{"message": "{}"}}"#, "é".repeat(100_000)));
    assert_eq!(envelope.message, "é".repeat(MAX_MESSAGE_CHARS));
}

#[test]
fn a_list_may_be_missing_null_empty_or_one_object() {
    for (reply, lists, elements) in [
        (r#"{"status": 1}"#, 0, &[][..]),
        ("{}", 0, &[]),
        (r#"{"customers": null}"#, 1, &[]),
        (r#"{"customers": []}"#, 1, &[]),
        (r#"{"customers": [ ]}"#, 1, &[]),
        (r#"{"customers": {"id": 7}}"#, 1, &[r#"{"id": 7}"#]),
        (r#"{"customers": {}}"#, 1, &["{}"]),
        (r#"{"cust\u006fmers": [[]]}"#, 1, &["[]"]),
        (r#"{"Customers": [1], "customer": [1]}"#, 0, &[]),
        (r#"{"customers": [1 , "a",null, [ ] ,{ }]}"#, 1, &["1", "\"a\"", "null", "[ ]", "{ }"]),
    ] {
        let (envelope, kept) = reads(reply);
        assert!(envelope.is_whole);
        assert_eq!(kept.lists, lists, "{reply}");
        assert_eq!(kept.elements, elements, "{reply}");
    }
    assert!(!reads(r#"{"customers": {"id": 7}}"#).1.is_array);
}

#[test]
fn a_list_that_is_a_scalar_is_not_the_documented_shape() {
    for value in ["7", "\"[]\"", "true"] {
        assert!(reads(&format!(r#"{{"status": 1, "customers": {value}}}"#)).0.list_is_scalar);
    }
    for value in ["null", "\"\"", "[]", "{}"] {
        assert!(!reads(&format!(r#"{{"status": 1, "customers": {value}}}"#)).0.list_is_scalar);
    }
    assert!(matches!(fails(r#"{"customers": nothing}"#), Fault::Malformed { at: 14, .. }));
}

#[test]
fn members_that_are_not_known_are_walked_over_whatever_their_size() {
    let large = "[{\"status\": 0, \"customers\": [7]}, 1.5e3],".repeat(50_000);
    let reply = format!(
        r#"{{"a": [{large} 0], "status": 1, "b": {{"x": [{large} 0]}}, "customers": [1], "": "{}"}}"#,
        "text ".repeat(200_000)
    );
    let mut kept = Kept::default();
    let mut window = Window::new(reply.as_bytes());
    let envelope = read(&mut window, "customers", &mut kept).unwrap();
    assert_eq!((envelope.status, envelope.duplicates), (Some(Status::Success), 0));
    assert_eq!(kept.elements, ["1"]);
    assert_eq!(window.position(), reply.len() as u64);
}

#[test]
fn a_byte_order_mark_and_blanks_around_the_reply_are_skipped() {
    for reply in [
        "\u{feff}{\"status\":1}",
        " \n\r\t{\"status\":1}",
        "\u{feff}\n{\"status\":1}",
        "{\"status\":1} \n\r\t ",
        "{ \"status\" :\n1\t}",
    ] {
        assert_eq!(reads(reply).0.status, Some(Status::Success), "{reply:?}");
    }
    let blanks = " ".repeat(600_000);
    let spaced = format!("{blanks}{{{blanks}\"status\"{blanks}:{blanks}1{blanks}}}{blanks}");
    let mut window = Window::new(spaced.as_bytes());
    assert!(read(&mut window, "customers", &mut Kept::default()).unwrap().is_whole);
    assert_eq!(window.position(), spaced.len() as u64);
    assert!(matches!(fails("\u{feff}\u{feff}{}"), Fault::NotJson));
}

#[test]
fn what_follows_the_object_is_reported_as_another_value_or_as_garbage() {
    for rest in ["{}", " {\"status\": 1}", "\n[]", "null", "\"a\"", " 7 ", "7", "{\"status\": "] {
        let fault = fails(format!("{{}}{rest}"));
        let at = 2 + (rest.len() - rest.trim_start().len()) as u64;
        assert!(matches!(fault, Fault::MoreThanOneValue { at: other } if other == at), "{rest}");
    }
    for rest in ["}", "]", ",", "x", "<html>", " \0", "{]", "\u{a0}", "\u{feff}"] {
        let fault = fails(format!("{{}}{rest}"));
        assert!(matches!(fault, Fault::Malformed { .. }), "{rest}: {fault:?}");
    }
}

#[test]
fn json_that_is_no_object_is_distinguished_from_what_is_no_json() {
    for reply in
        ["[]", "[{\"status\": 1}]", "null", "true", "7", "-1.5 ", " \"text\" \n", "[1] [2]"]
    {
        assert!(matches!(fails(reply), Fault::NotAnObject), "{reply}");
    }
    for reply in [
        "<!DOCTYPE html><html></html>",
        "Service Unavailable",
        "OK",
        "not found",
        "01",
        "1 x",
        " 1 x",
        "-1 x",
        "-",
        "\"text",
        "[\"a\", ",
        "\0",
    ] {
        assert!(matches!(fails(reply), Fault::NotJson), "{reply}");
    }
    assert!(matches!(fails(b"<p>caf\xE9</p>"), Fault::NotJson));
}

#[test]
fn an_array_that_ends_early_is_no_json() {
    for reply in ["[1", "[1, 2", "[\"a\", -1.5", "[[], 7"] {
        assert!(matches!(fails(reply), Fault::NotJson), "{reply}");
    }
}

#[test]
fn a_reply_that_ends_early_is_cut_and_the_bytes_are_counted() {
    let whole = r#"{"status": "1", "message": "OK", "customers": [{"id": "1", "x": [1.5, null]}]}"#;
    for cut in 0..whole.len() {
        let fault = fails(&whole[..cut]);
        let Fault::Cut { after } = fault else { panic!("{cut}: {fault:?}") };
        assert_eq!(after, cut as u64);
    }
    for (reply, length) in [(" \n", 2), ("\u{feff}", 3), ("\u{feff} {", 5)] {
        assert!(matches!(fails(reply), Fault::Cut { after } if after == length), "{reply:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_reported_with_their_position() {
    assert!(matches!(fails(b"{\"message\": \"caf\xE9\"}"), Fault::NotUtf8 { at: 16 }));
    assert!(matches!(fails(b"{\"customers\": [\"\xED\xA0\x80\"]}"), Fault::NotUtf8 { at: 16 }));
}

#[test]
fn what_is_malformed_is_reported_with_its_position_in_the_reply() {
    for (reply, position) in [
        (r#"{,"status": 1}"#, 1),
        (r#"{"status": 1,}"#, 13),
        (r#"{"status": 1 "message": ""}"#, 13),
        (r#"{"status" 1}"#, 10),
        (r#"{status: 1}"#, 1),
        (r#"{"status": 1]"#, 12),
        (r#"{"customers": [1,]}"#, 17),
        (r#"{"customers": [,1]}"#, 15),
        (r#"{"customers": [1 2]}"#, 17),
        (r#"{"customers": [1}"#, 16),
        (r#"{"other": [1,]}"#, 13),
    ] {
        let fault = fails(reply);
        assert!(
            matches!(fault, Fault::Malformed { at, .. } if at == position),
            "{reply}: {fault:?}"
        );
    }
    let at_the_depth = |before: &str| {
        let fault = fails(format!("{{{before}\"other\": {}", "[".repeat(1000)));
        let Fault::TooDeep { at } = fault else { panic!("{fault:?}") };
        at
    };
    assert_eq!(at_the_depth(r#""status": 1, "#), at_the_depth("") + 13);
    assert_eq!(at_the_depth(&" ".repeat(100_000)), at_the_depth("") + 100_000);
}

#[test]
fn whoever_has_enough_need_not_see_the_rest() {
    let reply = br#"{"customers": [1, 2, 3, 4], "status": 1} and so on"#;
    let mut kept = Kept { enough: Some(2), ..Kept::default() };
    let envelope = read(&mut Window::sized(&reply[..], 20, false), "customers", &mut kept).unwrap();
    assert!(!envelope.is_whole);
    assert_eq!(envelope.status, None);
    assert!(kept.elements.starts_with(&["1".into(), "2".into()]));
}

#[test]
fn a_message_says_that_nothing_was_found_in_these_words_and_no_others() {
    let says = |message| says_not_found(message, "customers", "customer");
    for message in [
        "customers not found",
        "Customers not found",
        "CUSTOMERS NOT FOUND.",
        "Customers not found.OK",
        "Customers not found for this date",
        "Customers not foundOK",
        "Customers were not found",
        "customer not found",
        "Customer were not found",
        "customers not founded",
        "No customers found",
        "no customer found!",
        "No customers were found",
        "Records not found",
        "record not found",
        "No records found.",
        "NO RECORDS WERE FOUND",
        "No record found",
        "Results not found",
        "result not found",
        "No results found: try again",
        "No result were found",
    ] {
        assert!(says(message), "{message}");
    }
    for message in [
        "",
        "OK",
        "found",
        "not found",
        "Token not found",
        "Customer token not found",
        "No customer token found",
        "Token not found, customers not found",
        "Company not found",
        "Orders not found",
        "No orders found",
        "customers found",
        "Customers were found",
        "No customers not found",
        "Not customers found",
        "Customers not",
        "No customers",
        "Customers could not be found",
        "Customers not yet found",
        "customersnot found",
        "Customer's token not found",
        "Customers-token not found",
        "Nothing found",
        "Not found: customers",
    ] {
        assert!(!says(message), "{message}");
    }
    assert!(says_not_found("No orders were found", "orders", "order"));
    assert!(!says_not_found("No customers were found", "orders", "order"));
}
