//! Rows that another program deletes by marking them: deletion vectors, as Delta's protocol describes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use roaring::RoaringTreemap;
use serde_json::{Value, json};

use super::lake::{Lake, json_rows};

/// What an array of bitmaps begins with.
const MAGIC: u32 = 1_681_511_377;

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Marks the rows of some keys in the newest version of a table, in a commit of its own.
pub(crate) fn mark(table: &Path, ids: &BTreeSet<i64>) {
    let lake = Lake::in_folder(table);
    let commits = lake.commits();
    let newest = |action: &str| {
        let mut actions = commits.iter().rev().flatten();
        actions.find(|one| one[action].is_object()).unwrap()[action].clone()
    };
    let (mut protocol, mut metadata) = (newest("protocol"), newest("metaData"));
    protocol["minReaderVersion"] = json!(3);
    protocol["readerFeatures"] = json!(["deletionVectors"]);
    let features = protocol["writerFeatures"].as_array_mut().unwrap();
    if !features.contains(&json!("deletionVectors")) {
        features.push(json!("deletionVectors"));
    }
    metadata["configuration"]["delta.enableDeletionVectors"] = json!("true");
    let engine =
        json!({"commitInfo": {"timestamp": 1, "operation": "DELETE", "engineInfo": "another"}});
    let mut actions = vec![engine, json!({"protocol": protocol}), json!({"metaData": metadata})];
    for path in lake.live() {
        let rows = positions(&table.join(&path), ids);
        if rows.is_empty() {
            continue;
        }
        let mut adds = commits.iter().rev().flatten().map(|action| &action["add"]);
        let mut add = adds.find(|add| add["path"] == *path).unwrap().clone();
        assert!(add.get("deletionVector").is_none(), "{path} has marks already");
        let remove = json!({"path": path, "deletionTimestamp": 1, "dataChange": true,
            "extendedFileMetadata": true, "partitionValues": add["partitionValues"], "size": add["size"]});
        add["deletionVector"] = vector(&rows);
        actions.extend([json!({"remove": remove}), json!({"add": add})]);
    }
    let lines: String = actions.iter().map(|action| format!("{action}\n")).collect();
    fs::write(table.join(format!("_delta_log/{:020}.json", commits.len())), lines).unwrap();
}

/// Where the rows of keys are in a file.
fn positions(file: &Path, ids: &BTreeSet<i64>) -> RoaringTreemap {
    let file = Bytes::from(fs::read(file).unwrap());
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let rows: Vec<Value> = batches.flat_map(|batch| json_rows(&batch.unwrap())).collect();
    let is_marked = |row: &Value| ids.contains(&row["id"].as_i64().unwrap());
    (0..).zip(&rows).filter(|(_, row)| is_marked(row)).map(|(position, _)| position).collect()
}

/// A vector that stands in the log itself.
fn vector(rows: &RoaringTreemap) -> Value {
    let mut bytes = MAGIC.to_le_bytes().to_vec();
    rows.serialize_into(&mut bytes).unwrap();
    let size = bytes.len();
    bytes.resize(size.next_multiple_of(4), 0);
    json!({"storageType": "i", "pathOrInlineDv": z85(&bytes), "sizeInBytes": size, "cardinality": rows.len()})
}

/// Base 85 as ZeroMQ has it.
fn z85(bytes: &[u8]) -> String {
    let mut text = String::new();
    for four in bytes.chunks(4) {
        let mut value = u32::from_be_bytes(four.try_into().unwrap());
        let mut digits = [0; 5];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(value % 85) as usize];
            value /= 85;
        }
        text.push_str(std::str::from_utf8(&digits).unwrap());
    }
    text
}
