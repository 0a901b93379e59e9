//! Rows come in two forms, as columns and as texts that become lines: both say the same, byte for byte.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::DataType;
use kometsales::model::Timestamp;
use kometsales::model::arrow::{NULLED, Selection};
use kometsales::model::stream::EXTRA;
use kometsales::source::prove;
use kometsales::streams::customers::CUSTOMERS;
use proptest::prelude::*;
use serde_json::json;

use super::properties::record;
use crate::fuzz::checks::reply::{Proved, Reading};

/// The lines that a general encoder makes of the columns, and the marks of each row.
fn general(reading: &Reading, reply: &[u8]) -> (Vec<String>, Vec<u64>) {
    let Reading { config, plan, scratch, now } = reading;
    let mut accepted = prove(reply, plan, config, *now, scratch, &()).unwrap();
    let (mut lines, mut nulled) = (Vec::new(), Vec::new());
    while let Some(batch) = accepted.batches.next_batch().unwrap() {
        let marks = batch.column_by_name(NULLED).unwrap().as_primitive::<UInt64Type>();
        nulled.extend(marks.values());
        let extra = batch.column_by_name(EXTRA).map(|extra| extra.as_string::<i32>().clone());
        for (row, line) in encoded(&batch).lines().enumerate() {
            lines.push(match &extra {
                None => line.to_owned(),
                // It is JSON, and not a text that holds some.
                Some(extra) => {
                    let extra = extra.iter().nth(row).unwrap().unwrap_or("null");
                    format!(r#"{},"_extra":{extra}}}"#, line.strip_suffix('}').unwrap())
                }
            });
        }
    }
    (lines, nulled)
}

/// The declared columns, with times as they are shown: a general encoder has milliseconds.
fn encoded(batch: &RecordBatch) -> String {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = columns.filter(|(field, _)| ![EXTRA, NULLED].contains(&field.name().as_str()));
    let columns = columns.map(|(field, column)| {
        let column: ArrayRef = match field.data_type() {
            DataType::Timestamp(_, _) => {
                let times = column.as_primitive::<TimestampMicrosecondType>().iter();
                let shown = |micros| Timestamp::from_micros(micros).unwrap().to_string();
                Arc::new(times.map(|time| time.map(shown)).collect::<StringArray>())
            }
            _ => column.clone(),
        };
        (field.name().clone(), column, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(&batch).unwrap();
    String::from_utf8(writer.into_inner()).unwrap()
}

fn assert_same(reading: &Reading, reply: &str) {
    let Proved { lines, nulled, .. } = reading.prove(reply.as_bytes()).unwrap();
    assert_eq!((lines, nulled), general(reading, reply.as_bytes()), "{reply}");
}

/// A reply of customers of these names.
fn named(names: impl Iterator<Item = String>) -> String {
    let customers: Vec<_> = names.map(|name| json!({"id": 1, "name": name, "x": [name]})).collect();
    json!({"status": 1, "customers": customers}).to_string()
}

#[test]
fn every_character_is_written_as_a_general_encoder_writes_it() {
    let characters = (0..=0x3000)
        .chain(0xE000..0xE100)
        .chain(0xFF00..0x10100)
        .chain(0x1F300..0x1F400)
        .chain([0x10_FFFF])
        .filter_map(char::from_u32);
    let names = characters.map(|character| format!("a{character}b{character}{character}"));
    assert_same(&Reading::everything(), &named(names));
}

#[test]
fn texts_of_every_length_with_a_special_character_anywhere_are_the_same() {
    let specials = ["\"", "\\", "\n", "\u{1f}", "\u{7f}", "é", "🌹", "\u{0}\u{8}\u{c}\r\t", "/"];
    let mut names: Vec<String> = (200..300).map(|length| "z".repeat(length)).collect();
    names.push("y".repeat(70_000));
    for length in 0..20 {
        for place in 0..=length {
            for special in specials {
                names.push("x".repeat(place) + special + &"y".repeat(length - place));
            }
        }
    }
    let reply = named(names.into_iter());
    assert_same(&Reading::everything(), &reply);
    // As some servers write it, and as others do.
    assert_same(&Reading::everything(), &reply.replace('/', r"\/"));
    assert_same(
        &Reading::everything(),
        &reply.replace('é', r"\u00E9").replace('🌹', r"\uD83C\uDF39"),
    );
}

#[test]
fn numbers_and_times_are_written_in_one_way_however_they_came() {
    let values = [
        "7",
        "\"7\"",
        "\"007\"",
        "\"-0\"",
        "-9223372036854775808",
        "\"9223372036854775807\"",
        "\"\"",
        "null",
        "true",
        "\"1\"",
        "\"FALSE\"",
        "0",
        "1.5",
        "\"2017-08-02T12:15:17\"",
        "\"2017-08-02 12:15:17\"",
        "\"2017-08-02t12:15:17\"",
        "\"2017-08-02T12:15:17Z\"",
        "\"2017-08-02T12:15:17.5\"",
        "\"2017-08-02T12:15:17.000\"",
        "\"2017-08-02T12:15:17-05:00\"",
        "\"0001-01-01T00:00:00\"",
        "\"9999-12-31T23:59:59.999999\"",
        "\"0000-01-01T00:00:00\"",
        "\"2017-02-29T00:00:00\"",
        "\"2017-08-02T12:15:1\\u0037\"",
    ];
    let fields = ["accountingCode", "active", "salesPersonId", "updatedOn"];
    let records: Vec<String> = fields
        .iter()
        .flat_map(|field| {
            values.iter().map(move |value| format!(r#"{{"id":"01","{field}":{value}}}"#))
        })
        .collect();
    let reply = format!(r#"{{"status":1,"customers":[{}]}}"#, records.join(","));
    for zone in ["UTC", "Etc/UTC", "America/Bogota", "America/New_York"] {
        let reading = Reading::new(&format!(r#""timezone": "{zone}""#), Selection::all(&CUSTOMERS));
        assert_same(&reading, &reply);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn lines_are_those_of_a_general_encoder_byte_for_byte(
        records in prop::collection::vec(record(), 0..30),
        zone in "UTC|America/(Bogota|New_York)|Europe/Amsterdam",
        privacy in prop_oneof![
            4 => Just(""),
            1 => Just(r#", "hash_fields": "name,code", "hash_key": "0123456789abcdef""#),
            1 => Just(r#", "exclude_fields": "name,active""#),
        ],
        wanted in 0..1024_u32,
    ) {
        let is_wanted = |name: &str| {
            let position = CUSTOMERS.fields.iter().position(|field| field.name == name);
            wanted >> position.unwrap_or(CUSTOMERS.fields.len()) & 1 == 1
        };
        let selection = Selection::of(&CUSTOMERS, is_wanted);
        let reading = Reading::new(&format!(r#""timezone": "{zone}"{privacy}"#), selection);
        assert_same(&reading, &format!(r#"{{"customers": [{}], "status": "1"}}"#, records.join(",\n")));
    }
}
