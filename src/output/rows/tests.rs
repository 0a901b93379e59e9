use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::{Field, Schema};
use chrono::DateTime;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::arrow::{Selection, schema};
use crate::model::stream::Type;
use crate::streams::customers::CUSTOMERS;

const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;

/// One row: its whole numbers, boolean, time, texts, unknown fields and marks.
#[derive(Debug, Clone, Default)]
struct Row {
    id: i64,
    number: Option<i64>,
    active: Option<bool>,
    updated: Option<i64>,
    texts: [Option<String>; 5],
    extra: Option<String>,
    nulled: u64,
}

fn batch(rows: &[Row], selection: &Selection) -> RecordBatch {
    let mut texts = 0;
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (index, field) in CUSTOMERS.fields.iter().enumerate() {
        let array: ArrayRef = match field.kind {
            Type::Integer if index == CUSTOMERS.key_index() => {
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.id)))
            }
            Type::Integer => Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>()),
            Type::Boolean => Arc::new(rows.iter().map(|row| row.active).collect::<BooleanArray>()),
            Type::Timestamp => {
                let times: TimestampMicrosecondArray = rows.iter().map(|row| row.updated).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            Type::Text => {
                texts += 1;
                let values = rows.iter().map(|row| row.texts[texts - 1].as_deref());
                Arc::new(values.collect::<StringArray>())
            }
        };
        if selection.fields.contains(&index) {
            arrays.push(array);
        }
    }
    if selection.extra {
        let extra = rows.iter().map(|row| row.extra.as_deref());
        arrays.push(Arc::new(extra.collect::<StringArray>()));
    }
    arrays.push(Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.nulled))));
    RecordBatch::try_new(schema(&CUSTOMERS, selection), arrays).unwrap()
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let rows = Rows::of(batch).unwrap();
    let line = |row| {
        let mut line = Vec::new();
        rows.write(row, &mut line);
        String::from_utf8(line).unwrap()
    };
    (0..batch.num_rows()).map(line).collect()
}

/// What `arrow-json` makes of the declared fields.
fn general_lines(batch: &RecordBatch) -> Vec<String> {
    let is_declared = |name: &str| CUSTOMERS.fields.iter().any(|field| field.name == name);
    let fields = batch.schema_ref().fields();
    let declared: Vec<usize> =
        (0..fields.len()).filter(|&index| is_declared(fields[index].name())).collect();
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    writer.write(&batch.project(&declared).unwrap()).unwrap();
    let lines = String::from_utf8(writer.into_inner()).unwrap();
    lines.lines().map(str::to_owned).collect()
}

/// A line as it is without `_extra`, which is last.
fn without_extra(line: &str) -> String {
    match line.rfind(r#","_extra":null}"#) {
        Some(end) => format!("{}}}", &line[..end]),
        None => line.to_owned(),
    }
}

fn of_text(text: impl Into<String>) -> Row {
    Row { texts: [Some(text.into()), None, None, None, None], ..Row::default() }
}

#[test]
fn every_character_is_written_as_a_general_encoder_writes_it() {
    let rows: Vec<Row> = (0..=0x3000)
        .chain(0xE000..0xE100)
        .chain(0xFF00..0x10100)
        .chain(0x1F300..0x1F400)
        .chain([0x10_FFFF])
        .filter_map(char::from_u32)
        .map(|character| of_text(format!("a{character}b{character}{character}")))
        .collect();
    let batch = batch(&rows, &Selection::all(&CUSTOMERS));
    let written: Vec<String> = lines(&batch).iter().map(|line| without_extra(line)).collect();
    assert_eq!(written, general_lines(&batch));
}

#[test]
fn texts_of_every_length_with_a_special_character_anywhere_are_the_same() {
    let mut rows = Vec::new();
    for length in 0..20 {
        for place in 0..=length {
            for special in ["\"", "\\", "\n", "\u{1f}", "\u{7f}", "é", "🌹", "\u{0}\u{8}\u{c}\r\t"]
            {
                let text = "x".repeat(place) + special + &"y".repeat(length - place);
                rows.push(of_text(text));
            }
        }
    }
    let batch = batch(&rows, &Selection::all(&CUSTOMERS));
    let written: Vec<String> = lines(&batch).iter().map(|line| without_extra(line)).collect();
    assert_eq!(written, general_lines(&batch));
}

#[test]
fn a_row_is_one_object_in_the_order_of_the_columns() {
    let row = Row {
        id: i64::MIN,
        number: Some(i64::MAX),
        active: Some(false),
        updated: Some(1_501_676_117_000_000),
        texts: ["ACC", "A \"B\" é", "007", "", "\\"].map(|text| Some(text.to_owned())),
        extra: Some(r#"{"x":[1, 2.50]}"#.to_owned()),
        nulled: 0,
    };
    let rows = [row, Row { nulled: 1 << 4, ..Row::default() }];
    let batch = batch(&rows, &Selection::all(&CUSTOMERS));
    let expected = [
        r#"{"id":-9223372036854775808,"accountingCode":"ACC","name":"A \"B\" é","code":"007","active":false,"salesPerson":"","salesPersonId":9223372036854775807,"customerType":"\\","updatedOn":"2017-08-02T12:15:17Z","_extra":{"x":[1, 2.50]}}"#,
        r#"{"id":0,"accountingCode":null,"name":null,"code":null,"active":null,"salesPerson":null,"salesPersonId":null,"customerType":null,"updatedOn":null,"_extra":null}"#,
    ];
    assert_eq!(lines(&batch), expected);
    let written = Rows::of(&batch).unwrap();
    assert_eq!((written.nulled(0), written.nulled(1)), (0, 1 << 4));
}

#[test]
fn a_slice_of_a_batch_has_its_own_rows() {
    let rows: Vec<Row> = (0..9)
        .map(|id| Row { id, active: (id % 2 == 0).then_some(true), ..of_text(id.to_string()) })
        .collect();
    let whole = batch(&rows, &Selection::all(&CUSTOMERS));
    assert_eq!(lines(&whole.slice(3, 4)), lines(&whole)[3..7]);
}

#[test]
fn times_at_the_edges_are_written_in_utc() {
    let micros = [FIRST, -1, 0, 1, 500_000, 951_782_400_000_000, LAST];
    let rows = micros.map(|micros| Row { updated: Some(micros), ..Row::default() });
    let shown: Vec<String> = lines(&batch(&rows, &Selection::of(&CUSTOMERS, |_| false)))
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["updatedOn"].to_string())
        .collect();
    let expected = [
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000001Z",
        "1970-01-01T00:00:00.500000Z",
        "2000-02-29T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    assert_eq!(shown, expected.map(|time| format!("\"{time}\"")));
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let number: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let marks: ArrayRef = Arc::new(UInt64Array::from(vec![0]));
    let of = |fields: Vec<(&str, DataType, ArrayRef)>| {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = fields
            .into_iter()
            .map(|(name, kind, array)| (Field::new(name, kind, true), array))
            .unzip();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        Rows::of(&batch).err().map(|error| (error.kind(), error.to_string()))
    };
    let marked = (NULLED, DataType::UInt64, marks.clone());
    for fields in [
        vec![("x", DataType::Float64, number.clone()), marked.clone()],
        vec![("x", DataType::UInt64, marks), marked],
    ] {
        let (kind, message) = of(fields).unwrap();
        assert_eq!(kind, crate::error::Kind::System);
        assert!(message.contains("`x`"), "{message}");
    }
    assert!(of(vec![(NULLED, DataType::Float64, number)]).is_some());
}

fn row() -> impl Strategy<Value = Row> {
    let text = || {
        let wild = prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter);
        prop::option::of(prop_oneof![
            "[a-zA-Z &é0-9]{0,30}",
            "[\u{0}-\u{7f}]{0,20}",
            "[\"\\\\\u{1f}\u{20}]{0,9}",
            wild
        ])
    };
    let number = || prop_oneof![any::<i64>(), -9..9_i64, Just(i64::MIN), Just(i64::MAX)];
    // A general encoder writes milliseconds with three digits; these have none or six.
    let time =
        (FIRST / 1_000_000..LAST / 1_000_000, 0..1_000_000_i64).prop_map(|(second, micros)| {
            second * 1_000_000 + if micros % 1000 == 0 { 0 } else { micros }
        });
    let extra = prop::option::of(r#"\{"[a-z]{1,3}":("é?"|-?[1-9][0-9]{0,20}|\[1, 2\])\}"#);
    let texts = [text(), text(), text(), text(), text()];
    (
        number(),
        prop::option::of(number()),
        any::<Option<bool>>(),
        prop::option::of(time),
        texts,
        extra,
        0..4_u64,
    )
        .prop_map(|(id, number, active, updated, texts, extra, nulled)| Row {
            id,
            number,
            active,
            updated,
            texts,
            extra,
            nulled,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_are_those_of_a_general_encoder_byte_for_byte(
        rows in prop::collection::vec(row(), 0..20),
        wanted in 0..512_u32,
    ) {
        let is_wanted = |name: &str| {
            let position = CUSTOMERS.fields.iter().position(|field| field.name == name);
            position.is_some_and(|at| wanted >> at & 1 == 1)
        };
        let all = Selection { extra: false, ..Selection::all(&CUSTOMERS) };
        for selection in [all, Selection::of(&CUSTOMERS, is_wanted)] {
            let batch = batch(&rows, &selection);
            prop_assert_eq!(lines(&batch), general_lines(&batch));
        }
    }

    #[test]
    fn unknown_fields_are_written_as_they_are_and_the_rest_as_without_them(
        rows in prop::collection::vec(row(), 1..20),
    ) {
        let batch = batch(&rows, &Selection::all(&CUSTOMERS));
        for ((line, general), row) in lines(&batch).iter().zip(general_lines(&batch)).zip(&rows) {
            let extra = row.extra.as_deref().unwrap_or("null");
            let general = general.strip_suffix('}').unwrap();
            prop_assert_eq!(line, &format!(r#"{general},"_extra":{extra}}}"#));
            prop_assert!(serde_json::from_str::<Value>(line).is_ok(), "{}", line);
        }
    }

    #[test]
    fn times_are_the_instants_that_they_were(micros in prop::collection::vec(FIRST..=LAST, 1..50)) {
        let rows: Vec<Row> =
            micros.iter().map(|&micros| Row { updated: Some(micros), ..Row::default() }).collect();
        let batch = batch(&rows, &Selection::of(&CUSTOMERS, |_| false));
        let written = lines(&batch);
        for ((line, general), micros) in written.iter().zip(general_lines(&batch)).zip(micros) {
            let instant = |line: &str| {
                let row: Value = serde_json::from_str(line).unwrap();
                let shown = row["updatedOn"].as_str().unwrap();
                DateTime::parse_from_rfc3339(shown).unwrap().timestamp_micros()
            };
            prop_assert_eq!(instant(line), micros);
            prop_assert_eq!(instant(&general), micros);
        }
    }
}
