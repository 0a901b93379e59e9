//! Files and logs as readers of the last five years take them. The readers themselves are in `tests/hosts/export`.

use std::fs;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use super::places::{export, into_table, lake, replying};
use crate::support::{Connector, simulator};

/// The footers of all data files that an export into a table, or into a file, has left.
fn footers(connector: &Connector) -> Vec<ParquetMetaData> {
    let files = [connector.folder().join("lake/customers"), connector.folder().to_owned()];
    let entries = files.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let parquet = paths.filter(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    parquet
        .map(|path| {
            let file = Bytes::from(fs::read(path).unwrap());
            SerializedFileReader::new(file).unwrap().metadata().clone()
        })
        .collect()
}

/// A file, and a table of several merges, one of which copies rows.
fn exported() -> Connector {
    let simulator = simulator(3000);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    simulator.change(5);
    into_table(&connector, &[]);
    assert_eq!(export(&connector, "x.parquet", &[]).code, Some(0));
    connector
}

#[test]
fn no_column_has_an_encoding_that_an_older_reader_refuses_or_misreads() {
    let connector = exported();
    let footers = footers(&connector);
    assert_eq!(footers.len(), 3);
    for footer in &footers {
        for group in footer.row_groups() {
            for column in group.columns() {
                for encoding in column.encodings() {
                    let is_old = matches!(
                        encoding,
                        Encoding::PLAIN | Encoding::RLE | Encoding::RLE_DICTIONARY
                    );
                    assert!(is_old, "{encoding} in {}", column.column_path());
                }
            }
        }
    }
}

#[test]
fn every_column_of_a_file_has_its_number() {
    for (position, footer) in footers(&exported()).iter().enumerate() {
        let schema = footer.file_metadata().schema_descr();
        let ids: Vec<(String, i32)> = schema
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.self_type().get_basic_info().id()))
            .collect();
        let declared = ids.iter().take(9).map(|(_, id)| *id);
        assert!(declared.eq(1..=9), "{ids:?}");
        let own: Vec<(&str, i32)> =
            ids.iter().skip(9).map(|(name, id)| (name.as_str(), *id)).collect();
        let of_tables = [("_extra", 1001), ("_extracted_at", 1002), ("_deleted_at", 1003)];
        // The last one is a file of its own.
        assert_eq!(own, of_tables[..if position == 2 { 2 } else { 3 }]);
    }
}

#[test]
fn a_new_table_has_reader_version_1_a_name_a_description_and_comments() {
    let connector = exported();
    let first = lake(&connector).commits().remove(0);
    let action = |kind: &str| first.iter().find_map(|action| action.get(kind)).unwrap();
    let protocol = action("protocol");
    assert_eq!(
        (&protocol["minReaderVersion"], &protocol["minWriterVersion"]),
        (&json!(1), &json!(7))
    );
    assert_eq!(protocol.get("readerFeatures"), None, "{protocol}");
    let metadata = action("metaData");
    assert_eq!(metadata["name"], "customers");
    assert!(metadata["description"].as_str().unwrap().starts_with("The customers"), "{metadata}");
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    for field in schema["fields"].as_array().unwrap() {
        let comment = field["metadata"]["comment"].as_str().unwrap();
        assert!(comment.ends_with('.'), "{field}");
        assert_eq!(field["metadata"].as_object().unwrap().len(), 1, "{field}");
    }
}

#[test]
fn a_table_of_reader_version_3_stays_readable_and_writable() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    // As 0.1 wrote it.
    let log = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let new = fs::read_to_string(&log).unwrap();
    let mut old = new.replace(
        r#""minReaderVersion":1,"minWriterVersion":7,"#,
        r#""minReaderVersion":3,"minWriterVersion":7,"readerFeatures":[],"#,
    );
    while let Some(at) = old.find(r#"{\"comment\":"#) {
        let end = at + old[at..].find('}').unwrap();
        old.replace_range(at..=end, "{}");
    }
    assert!(old.contains(r#"\"metadata\":{}"#), "{old}");
    fs::write(&log, old).unwrap();
    for version in 1..13 {
        simulator.change(2);
        assert_eq!(into_table(&connector, &[])["version"], version);
    }
    let table = lake(&connector);
    assert!(table.names().iter().any(|name| name.ends_with(".checkpoint.parquet")));
    assert_eq!(table.rows().len(), 30);
    let shown = connector.run(&["show", "lake", "--json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
}

#[test]
fn a_bound_of_a_table_whose_year_would_have_five_digits_is_left_out() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let bounds = |name: &str| {
        let statistics = lake(&connector).commits().into_iter().flatten().find_map(|action| {
            serde_json::from_str::<Value>(action["add"]["stats"].as_str()?).ok()
        });
        let statistics = statistics.unwrap();
        (statistics["minValues"][name].clone(), statistics["maxValues"].get(name).cloned())
    };
    replying(
        &simulator,
        &[(1, "a", "0001-01-01T00:00:00"), (2, "b", "9999-12-31T23:59:59.9999999")],
    );
    into_table(&connector, &[]);
    assert_eq!(bounds("updatedOn"), (json!("0001-01-01T00:00:00.000Z"), None));
    // A bound that stays within its year is there.
    fs::remove_dir_all(connector.folder().join("lake")).unwrap();
    replying(&simulator, &[(1, "a", "9999-12-31T23:59:59.998001")]);
    into_table(&connector, &[]);
    assert_eq!(bounds("updatedOn").1, Some(json!("9999-12-31T23:59:59.999Z")));
}
