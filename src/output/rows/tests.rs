use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use proptest::prelude::*;

use super::*;
use crate::model::texts::{begin, schema};
use crate::streams::customers::CUSTOMERS;

/// A batch whose rows have these texts.
fn batch(rows: &[Vec<String>]) -> RecordBatch {
    let row = |texts: &Vec<String>| {
        let mut row = Vec::new();
        for text in texts {
            begin(&mut row, text.len());
            row.extend_from_slice(text.as_bytes());
        }
        row
    };
    of_bytes(rows.iter().map(row).collect())
}

fn of_bytes(rows: Vec<Vec<u8>>) -> RecordBatch {
    let nulled: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..rows.len() as u64));
    let texts: ArrayRef = Arc::new(BinaryArray::from_iter_values(rows));
    RecordBatch::try_new(schema(), vec![texts, nulled]).unwrap()
}

fn lines(lines: &Lines, batch: &RecordBatch) -> Vec<String> {
    let rows = lines.rows(batch).unwrap();
    let mut all = b"before".to_vec();
    let line = |row| {
        all.truncate("before".len());
        rows.write(row, &mut all).unwrap();
        String::from_utf8(all["before".len()..].to_vec()).unwrap()
    };
    (0..batch.num_rows()).map(line).collect()
}

/// `id`, `updatedOn` and `_extra`.
fn three() -> Selection {
    Selection::of(&CUSTOMERS, |name| name == EXTRA)
}

fn texts(texts: [&str; 3]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn a_row_is_one_object_in_the_order_of_the_selection_between_prefix_and_suffix() {
    let all = Lines::new(&CUSTOMERS, &Selection::all(&CUSTOMERS), "P", "S\n");
    let row: Vec<String> = (0..10).map(|value| value.to_string()).collect();
    let expected = r#"P{"id":0,"accountingCode":1,"name":2,"code":3,"active":4,"salesPerson":5,"salesPersonId":6,"customerType":7,"updatedOn":8,"_extra":9}S"#;
    assert_eq!(lines(&all, &batch(&[row])), [format!("{expected}\n")]);
    let few = Lines::new(&CUSTOMERS, &Selection::of(&CUSTOMERS, |_| false), "", "");
    let batch = batch(&[texts(["1", "null", ""])[..2].to_vec()]);
    assert_eq!(lines(&few, &batch), [r#"{"id":1,"updatedOn":null}"#]);
}

#[test]
fn a_slice_of_a_batch_has_its_own_rows() {
    let rows: Vec<_> = (0..9).map(|id| texts([&format!("{id}{id}"), "null", "{}"])).collect();
    let (three, whole) = (Lines::new(&CUSTOMERS, &three(), "", ""), batch(&rows));
    let slice = whole.slice(3, 4);
    assert_eq!(lines(&three, &slice), lines(&three, &whole)[3..7]);
    assert_eq!(three.rows(&slice).unwrap().nulled(1), 4);
}

#[test]
fn a_row_that_does_not_fit_its_line_is_an_error_and_leaves_nothing() {
    let three = Lines::new(&CUSTOMERS, &three(), "", "");
    for damaged in [
        vec![],
        b"\x011\x04null".to_vec(),
        b"\x011\x04null\x02{}\x011".to_vec(),
        b"\x011\x04null\x03{}".to_vec(),
        b"\x011\x04null\xff{}".to_vec(),
        b"\x011\x04null\xff\xff\xff\xff\xff{}".to_vec(),
    ] {
        let good = b"\x011\x04null\x02{}".to_vec();
        let batch = of_bytes(vec![damaged, good]);
        let (rows, mut line) = (three.rows(&batch).unwrap(), b"before".to_vec());
        let error = rows.write(0, &mut line).unwrap_err();
        assert_eq!((error.kind(), &line[..]), (crate::error::Kind::System, &b"before"[..]));
        assert!(rows.write(1, &mut line).is_ok());
        assert!(rows.write(2, &mut line).is_err(), "there is no such row");
    }
}

#[test]
fn a_batch_in_another_form_is_refused() {
    let three = Lines::new(&CUSTOMERS, &three(), "", "");
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let marks: ArrayRef = Arc::new(UInt64Array::from(vec![0]));
    for columns in [
        vec![(TEXTS, numbers.clone()), (NULLED, marks.clone())],
        vec![("x", numbers.clone()), (NULLED, marks)],
        vec![
            (TEXTS, Arc::new(BinaryArray::from_iter_values([b"x"])) as ArrayRef),
            (NULLED, numbers),
        ],
    ] {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        assert_eq!(three.rows(&batch).err().unwrap().kind(), crate::error::Kind::System);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn texts_of_every_length_are_copied_whole(
        lengths in prop::collection::vec([0..80_usize, 0..300_usize, 0..9_usize], 1..9),
        prefix in "[a-z]{0,70}",
        suffix in "[a-z]{0,70}",
    ) {
        let text = |length: usize, first: u8| -> String {
            (0..length).map(|at| char::from(first + (at % 26) as u8)).collect()
        };
        let rows: Vec<Vec<String>> = lengths
            .iter()
            .map(|[one, two, three]| vec![text(*one, b'a'), text(*two, b'A'), text(*three, b'a')])
            .collect();
        let three = Lines::new(&CUSTOMERS, &three(), &prefix, &suffix);
        let expected = rows.iter().map(|row| {
            let [id, updated, extra] = [&row[0], &row[1], &row[2]];
            format!(r#"{prefix}{{"id":{id},"updatedOn":{updated},"_extra":{extra}}}{suffix}"#)
        });
        prop_assert_eq!(lines(&three, &batch(&rows)), expected.collect::<Vec<_>>());
    }
}
