//! What holds of any reply, through the door that the product itself uses for a body at hand.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Read};

use chrono_tz::Tz;
use kometsales::error::Kind;
use kometsales::model::arrow::Selection;
use kometsales::source::Scratch;
use kometsales::streams::customers::CUSTOMERS;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::reference;
use crate::fuzz::checks::reply::{Proved, Reading};
use crate::fuzz::checks::{reply, state};

const SMALL: &str = r#"{"status": "1", "message": "OK", "customers": [
  {"id": "25475", "accountingCode": "ACC10", "customerType": "PART-TIME FLORIST", "salesPerson": "Julian Mej\u00eda",
   "name": "2-14 BRIDAL CAKES", "salesPersonId": 1819, "active": "1", "code": "T3526", "updatedOn": "2017-08-02T12:15:17"},
  {"id": "29775", "customerType": "", "name": "Flores & \"SAS\" é🌹", "active": true, "new": [{"a": -1.5e3}, null]}], "x": {}}"#;

fn simulated(customers: u64) -> Vec<u8> {
    let mut reply = Vec::new();
    kometsales::simulator::write_reply(&mut reply, customers).unwrap();
    reply
}

fn proves(reply: &[u8]) -> Proved {
    Reading::everything().prove(reply).unwrap()
}

fn refused(reply: impl BufRead) -> Kind {
    Reading::everything().prove(reply).unwrap_err().kind()
}

/// A body that arrives in pieces of these sizes, again and again.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
    piece: usize,
}

impl<'a> Pieces<'a> {
    fn new(rest: &'a [u8], sizes: Vec<usize>) -> Self {
        Self { rest, sizes: sizes.into_iter().cycle(), piece: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.piece == 0 {
            self.piece = self.sizes.next().unwrap();
        }
        Ok(&self.rest[..self.piece.min(self.rest.len())])
    }

    fn consume(&mut self, amount: usize) {
        self.rest = &self.rest[amount..];
        self.piece -= amount;
    }
}

#[test]
fn every_cut_of_a_reply_is_refused_and_worth_another_try() {
    assert_eq!(proves(SMALL.as_bytes()).lines.len(), 2);
    for (cut, _) in SMALL.char_indices() {
        assert_eq!(refused(&SMALL.as_bytes()[..cut]), Kind::Transient, "{}", &SMALL[..cut]);
    }
}

#[test]
fn a_reply_that_is_cut_inside_a_character_is_worth_another_try_as_well() {
    for cut in (0..SMALL.len()).filter(|&cut| !SMALL.is_char_boundary(cut)) {
        assert_eq!(refused(&SMALL.as_bytes()[..cut]), Kind::Transient, "cut at byte {cut}");
    }
}

#[test]
fn a_refusal_is_reported_as_what_the_server_said_whatever_is_in_place_of_the_list() {
    for list in ["null", "[]", "{}", "\"\"", "false", "0"] {
        for reply in [
            format!(r#"{{"status": 0, "message": "Invalid token", "customers": {list}}}"#),
            format!(r#"{{"customers": {list}, "message": "Invalid token", "status": "0"}}"#),
        ] {
            let error = Reading::everything().prove(reply.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Auth, "{reply}: {error}");
            assert!(error.to_string().contains("“Invalid token”"), "{error}");
        }
    }
}

#[test]
fn a_download_that_breaks_is_refused_and_worth_another_try() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    for whole in [&b""[..], &SMALL.as_bytes()[..100], SMALL.as_bytes()] {
        assert_eq!(refused(BufReader::new(whole.chain(Broken))), Kind::Transient);
    }
}

#[test]
fn a_reply_larger_than_memory_should_hold_spills_to_a_file_and_comes_back_whole() {
    let reply = simulated(100_000);
    let folder = tempfile::tempdir().unwrap();
    let spilled =
        Reading { scratch: Scratch::new(vec![folder.path().to_owned()]), ..Reading::everything() };
    let spilled = spilled.prove(reply.as_slice()).unwrap();
    let has_no_folder = |proved: &Proved| {
        proved.receipt.warnings.iter().any(|warning| warning.contains("temporary folder"))
    };
    assert!(!has_no_folder(&spilled));
    assert_eq!(spilled.receipt.bytes, reply.len() as u64);
    // Without a folder it has to stay in memory, which is said: so it did spill before.
    let held = proves(&reply);
    assert!(has_no_folder(&held));
    assert_eq!(held.lines, spilled.lines);
    assert_eq!(held.state, spilled.state);

    let reply: Value = serde_json::from_slice(&reply).unwrap();
    let customers = reply["customers"].as_array().unwrap();
    assert_eq!(customers.len(), spilled.lines.len());
    for (customer, line) in customers.iter().zip(&spilled.lines).step_by(97) {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!(customer["id"], row["id"].to_string());
        assert_eq!((&customer["name"], &customer["code"]), (&row["name"], &row["code"]));
        assert_eq!(format!("{}Z", customer["updatedOn"].as_str().unwrap()), row["updatedOn"]);
    }
}

/// A reply of one record whose name has this many characters, between two others.
fn with_a_name_of(length: u64) -> impl BufRead {
    let head = Cursor::new(&br#"{"customers":[{"id":1},{"id":2,"name":""#[..]);
    let tail = Cursor::new(&br#""},{"id":3}],"status":1}"#[..]);
    head.chain(BufReader::with_capacity(1 << 20, std::io::repeat(b'x').take(length))).chain(tail)
}

#[test]
fn a_record_may_have_64_mebibytes_and_no_more() {
    let large = Reading::everything().prove(with_a_name_of(5 << 20)).unwrap();
    let lengths: Vec<usize> = large.lines.iter().map(String::len).collect();
    assert_eq!((lengths.len(), lengths[1] - lengths[0]), (3, (5 << 20) - 2));
    // With what surrounds its name.
    let largest = (64 << 20) - r#"{"id":2,"name":""}"#.len() as u64;
    assert_eq!(Reading::everything().prove(with_a_name_of(largest)).unwrap().lines.len(), 3);
    let error = Reading::everything().prove(with_a_name_of(largest + 1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Data);
    assert!(error.to_string().contains("64 MiB"), "{error}");
}

#[test]
fn a_record_of_very_many_unknown_fields_keeps_all_of_them() {
    let members: String = (0..9_999).map(|field| format!(r#","field{field}":{field}"#)).collect();
    let proved = proves(format!(r#"{{"status":1,"customers":[{{"id":1{members}}}]}}"#).as_bytes());
    assert!(proved.lines[0].contains(r#""field9998":9998"#));
}

/// A time in the documented form, or nearly.
fn time() -> impl Strategy<Value = String> {
    let date = prop_oneof![
        4 => "20[0-3][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
        1 => "(0000|0001|9999|1900|2024)-(00|01|02|12|13)-(00|01|29|30|31|32)",
        1 => "2024-(03-10|11-03|03-31|10-27)",
    ];
    let clock =
        prop_oneof!["([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", "(02|24|12):(30|60):(00|60)"];
    let end = prop_oneof![
        6 => Just(String::new()),
        1 => r"\.[0-9]{1,9}",
        1 => r"(\.[0-9]{3})?(Z|[+-](0[0-9]|1[0-4])(:?(00|30))?)",
        1 => "( |\\.|Z |x|\\+1|\\+24:00|\\+00:60| PM)",
    ];
    (date, "T|T|T| ", clock, end)
        .prop_map(|(date, t, clock, end)| format!("\"{date}{t}{clock}{end}\""))
}

/// A JSON value in any of the forms that were seen, and in some that were not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => r#""[a-zA-Z &é🌹]{0,12}""#,
        2 => time(),
        1 => r#""(1|0|true|TRUE|False|yes|null| 1|\\u0031|)""#,
        1 => r#""-?[0-9]{1,20}""#,
        1 => r#""(a\\n|\\"|\\\\|\\/|\\u00e9|\\ud83c\\udf39|\\ud800|\\udc00x|é){0,4}""#,
        1 => "null|true|false|0|1|-0|2|0\\.0|1e3|-1\\.50",
        1 => "-?[1-9][0-9]{0,19}",
        1 => "922337203685477580[78]|-922337203685477580[89]|9007199254740993",
        1 => r#"\{\}|\[\]|\{"a": \[1, \{"b":\n null\}\]\}|\[ "x",\r\n 1 \]"#,
    ]
}

/// The name of a declared field, at times with an escape, or of an unknown one.
fn name() -> impl Strategy<Value = String> {
    let declared =
        (0..CUSTOMERS.fields.len(), any::<Index>(), 0..5).prop_map(|(field, at, turn)| {
            let name = CUSTOMERS.fields[field].name;
            let at = at.index(name.len());
            let escaped = format!("\\u{:04x}", name.as_bytes()[at]);
            if turn == 0 {
                [&name[..at], &escaped, &name[at + 1..]].concat()
            } else {
                name.to_owned()
            }
        });
    prop_oneof![9 => declared, 1 => "x|y|Id|names|_extra|_nulled|é|| id".prop_map(String::from)]
}

/// An element of the list, nearly always an object with an id.
pub(super) fn record() -> impl Strategy<Value = String> {
    let id = prop_oneof![9 => r#""?[1-9][0-9]{0,17}"#, 1 => Just("null".to_owned())]
        .prop_map(|id| if id.starts_with('"') { id + "\"" } else { id });
    let members = prop::collection::vec((name(), value()), 0..12);
    let object = (prop::option::weighted(0.95, (any::<Index>(), id)), members, "|| |\n\t|\r\n  ")
        .prop_map(|(id, mut members, blank)| {
            if let Some((at, id)) = id {
                members.insert(at.index(members.len() + 1), ("id".to_owned(), id));
            }
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| {
                    // The slow decoder cannot show a lone surrogate in an unknown field.
                    let is_declared = name.contains('\\')
                        || CUSTOMERS.fields.iter().any(|field| field.name == name);
                    let shown = value.replace(r"\ud800", "").replace(r"\udc00", "");
                    let value = if is_declared { value } else { shown };
                    format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}")
                })
                .collect();
            format!("{{{}}}", members.join(","))
        });
    prop_oneof![30 => object, 1 => value(), 1 => Just("{}".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_decoded_is_what_a_slow_decoder_makes_of_it(
        records in prop::collection::vec(record(), 0..30),
        zone in "UTC|America/(Bogota|New_York)|Europe/Amsterdam",
        starts in any::<bool>(),
        capacity in 1..300_usize,
    ) {
        let start = if starts { r#", "start_date": "2015-06-01""# } else { "" };
        let settings = format!(r#""timezone": "{zone}"{start}"#);
        let reading = Reading::new(&settings, Selection::all(&CUSTOMERS));
        let reply = format!(r#"{{"customers": [{}], "status": "1"}}"#, records.join(",\n"));
        let proved = reading.prove(BufReader::with_capacity(capacity, reply.as_bytes())).unwrap();

        let zone: Tz = zone.parse().unwrap();
        let rows: Vec<_> = records.iter().map(|record| reference::decode(record, zone)).collect();
        let instant = |micros| chrono::DateTime::from_timestamp_micros(micros).unwrap();
        let bound = reading.plan.bound.map(|bound| instant(bound.micros()));
        let (kept, left_out): (Vec<_>, Vec<_>) =
            rows.iter().flatten().partition(|row| row.updated >= bound || row.updated.is_none());
        let decoded: Vec<Value> =
            proved.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<&Value> = kept.iter().map(|row| &row.values).collect();
        prop_assert_eq!(decoded.iter().collect::<Vec<_>>(), expected, "{}", reply);
        prop_assert_eq!(proved.nulled, kept.iter().map(|row| row.nulled).collect::<Vec<_>>());
        prop_assert_eq!(proved.receipt.left_out, left_out.len() as u64);

        let rejected = |at: &usize| rows[*at].is_none();
        let places: BTreeSet<String> =
            (0..rows.len()).filter(rejected).map(|at| format!("customers[{at}]")).collect();
        let paths = proved.rejects.iter().map(|(path, _)| path.trim_end_matches(".id").to_owned());
        prop_assert_eq!(paths.collect::<BTreeSet<_>>(), places);

        let now = instant(reading.now.micros());
        let updated = rows.iter().flatten().filter_map(|row| row.updated);
        let cursor = updated.filter(|at| *at <= now).max();
        prop_assert_eq!(proved.state.cursor.map(|cursor| instant(cursor.micros())), cursor);
    }

    #[test]
    fn rows_do_not_depend_on_how_a_reply_arrives(
        sizes in prop::collection::vec(prop_oneof![1..9_usize, 1000..300_000_usize], 1..6),
    ) {
        let reply = simulated(3000);
        let pieces = Reading::everything().prove(Pieces::new(&reply, sizes)).unwrap();
        let whole = proves(&reply);
        prop_assert_eq!(pieces.lines.len(), 3000);
        prop_assert_eq!(pieces.lines, whole.lines);
        prop_assert_eq!(pieces.state, whole.state);
    }

    #[test]
    fn a_long_reply_that_is_cut_anywhere_is_refused(
        at in any::<Index>(),
        capacity in 1..100_000_usize,
    ) {
        let reply = simulated(3000);
        let cut = at.index(reply.len());
        let body = BufReader::with_capacity(capacity, &reply[..cut]);
        let error = Reading::everything().prove(body).unwrap_err();
        if std::str::from_utf8(&reply[..cut]).is_ok() {
            prop_assert_eq!(error.kind(), Kind::Transient, "{}", error);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_are_what_was_proved(
        pieces in prop::collection::vec(
            prop_oneof![
                any::<u8>().prop_map(|byte| vec![byte]),
                r#"[{}\[\]",:01e.\\ -]|null|true|\\u00|"id":|"status":1|"customers":"#
                    .prop_map(String::into_bytes),
            ],
            0..100,
        ),
    ) {
        let bytes = pieces.concat();
        reply::check(&bytes);
        state::check(&bytes);
    }

    #[test]
    fn a_reply_with_damage_is_refused_or_is_what_was_proved(
        damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3), 1..4),
    ) {
        let mut bytes = SMALL.as_bytes().to_vec();
        for (at, byte, kind) in damage {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        reply::check(&bytes);
    }
}
