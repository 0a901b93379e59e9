//! Exports into a table against a model of what they are to leave, whatever the replies hold; and tables of an older or a newer version of a stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use kometsales::config::Config;
use kometsales::error::{Error, Kind};
use kometsales::export::file::ParquetFile;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Table, TableOptions};
use kometsales::export::{Destination, Exported, TablePlace};
use kometsales::interrupt::Interrupt;
use kometsales::log::{Level, Log};
use kometsales::model::arrow::Selection;
use kometsales::model::stream::Declaration;
use kometsales::model::{Field, Stream, Timestamp, Type, Zone};
use kometsales::plan::{Mode, Plan, Request};
use kometsales::simulator::write_reply;
use kometsales::source::{Accepted, Scratch, prove};
use kometsales::store::{Options, Place, Store};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::lake::Lake;

struct Silent;

impl Log for Silent {
    fn log(&self, _: Level, _: &str) {}
}

fn store(place: &Path) -> Store {
    let options = Options {
        settings: Vec::new(),
        retry_window: Duration::from_secs(1),
        single_writer: false,
        interrupt: Interrupt::default(),
        proxies: kometsales::network::Proxies::default(),
    };
    Store::open(&Place::parse(place.to_str().unwrap()).unwrap(), &options).unwrap()
}

fn table_at(place: &Path) -> TablePlace {
    match place.to_str().unwrap().parse() {
        Ok(Destination::Table(table)) => table,
        other => panic!("{other:?}"),
    }
}

fn config() -> Config {
    Config::parse(br#"{"authentication_token": "abcdefgh"}"#, "test").unwrap().0
}

fn plan(stream: &'static Stream) -> Plan {
    let selection = Selection::all(stream);
    let request =
        Request { stream, selection, mode: Mode::FullRefresh, state: None, full_list_hours: None };
    Plan::new(&config(), request, at(1))
}

fn accepted(stream: &'static Stream, reply: &[u8], now: Timestamp) -> Accepted {
    let scratch = Scratch::new(vec![std::env::temp_dir()]);
    prove(reply, &plan(stream), &config(), now, &scratch, &Silent).unwrap()
}

/// Exports a reply that was asked for at `now` into the table below `place`.
fn export(
    place: &Path,
    stream: &'static Stream,
    mode: TableMode,
    reply: &[u8],
    now: Timestamp,
) -> Result<Report, Error> {
    let how = TableOptions { mode, is_whole: true, allow_shrink: true };
    let mut table = Table::open(store(place), &table_at(place), stream, how, now, &Silent)?;
    let accepted = accepted(stream, reply, now);
    hand_over(accepted, &plan(stream), &mut table, RejectLimits::kept(None), &Silent)?;
    Ok(table.report().unwrap().clone())
}

fn lake(place: &Path) -> Lake {
    Lake::in_folder(&place.join("customers"))
}

fn at(second: u32) -> Timestamp {
    Zone::UTC.parse(&format!("2026-01-01T00:00:{second:02}")).unwrap()
}

/// A record of a made-up reply: its id, the hour of its last change if it has one, and its name.
type Made = (i64, Option<u32>, u8);

fn reply(records: &[Made]) -> Vec<u8> {
    let records: Vec<Value> = records
        .iter()
        .map(|(id, hour, name)| {
            let time = hour.map(|hour| format!("2025-01-01T{hour:02}:00:00"));
            json!({"id": id, "name": format!("n{name}"), "updatedOn": time})
        })
        .collect();
    json!({"status": 1, "customers": records}).to_string().into_bytes()
}

/// What a row is, apart from when it was extracted.
type Content = (Option<u32>, u8);

/// Every version of every row, by id and by the second in which it was extracted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Model(BTreeMap<(i64, u32), Content>);

impl Model {
    fn apply(&mut self, mode: TableMode, records: &[Made], second: u32) {
        let mut winners: BTreeMap<i64, Content> = BTreeMap::new();
        for (id, hour, name) in records {
            // `None` is less than any hour.
            if winners.get(id).is_none_or(|(greatest, _)| hour >= greatest) {
                winners.insert(*id, (*hour, *name));
            }
        }
        if mode == TableMode::Overwrite {
            self.0.clear();
        }
        for (id, content) in winners {
            let newest = self.0.range((id, 0)..=(id, 99)).next_back();
            if newest.is_some_and(|(_, there)| *there == content) && mode != TableMode::Overwrite {
                continue;
            }
            if mode == TableMode::Merge {
                self.0.retain(|key, _| key.0 != id);
            }
            self.0.insert((id, second), content);
        }
    }

    fn of(lake: &Lake) -> Self {
        let row = |row: &Value| {
            let hour = row["updatedOn"].as_str().map(|time| time[11..13].parse().unwrap());
            let second = row["_extracted_at"].as_str().unwrap()[17..19].parse().unwrap();
            let name = row["name"].as_str().unwrap()[1..].parse().unwrap();
            ((row["id"].as_i64().unwrap(), second), (hour, name))
        };
        let rows = lake.rows();
        let model = Self(rows.iter().map(row).collect());
        assert_eq!(model.0.len(), rows.len(), "a version stands twice: {rows:?}");
        model
    }
}

fn records() -> impl Strategy<Value = Vec<Made>> {
    let hour = prop_oneof![1 => Just(None), 4 => (0u32..3).prop_map(Some)];
    proptest::collection::vec((0i64..8, hour, 0u8..3), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_exported_the_table_is_what_the_model_says(
        is_history in any::<bool>(),
        exports in proptest::collection::vec((records(), prop::bool::weighted(0.2)), 1..6),
    ) {
        let place = tempfile::tempdir().unwrap();
        let usual = if is_history { TableMode::Append } else { TableMode::Merge };
        let mut model = Model::default();
        for ((records, is_overwrite), second) in exports.iter().zip(1..) {
            let mode = if *is_overwrite { TableMode::Overwrite } else { usual };
            let before = model.clone();
            model.apply(mode, records, second);
            let report = export(place.path(), &CUSTOMERS, mode, &reply(records), at(second)).unwrap();
            let lake = lake(place.path());
            prop_assert_eq!(&Model::of(&lake), &model);
            prop_assert_eq!(lake.left_over(), [] as [&str; 0]);
            prop_assert_eq!(report.table_rows, Some(model.0.len() as u64));
            if mode != TableMode::Overwrite {
                let new = model.0.iter().filter(|(key, row)| before.0.get(key) != Some(row));
                prop_assert_eq!(report.rows, new.count() as u64);
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_loses_no_change() {
    for mode in [TableMode::Merge, TableMode::Append] {
        let place = tempfile::tempdir().unwrap();
        export(place.path(), &CUSTOMERS, mode, &reply(&[(1, None, 0)]), at(40)).unwrap();
        let report =
            export(place.path(), &CUSTOMERS, mode, &reply(&[(1, Some(1), 1)]), at(20)).unwrap();
        assert_eq!((report.rows, report.extracted_at > at(40)), (1, true), "{mode:?}");
        let rows = lake(place.path()).rows();
        let newest = rows.iter().find(|row| row["_extracted_at"] == "2026-01-01T00:00:40.000001Z");
        assert_eq!(newest.unwrap()["name"], "n1", "the later one is the newest: {rows:?}");
    }
}

#[test]
fn only_files_that_hold_touched_ids_are_rewritten() {
    let place = tempfile::tempdir().unwrap();
    let merge = |records: &[Made], second| {
        export(place.path(), &CUSTOMERS, TableMode::Merge, &reply(records), at(second)).unwrap()
    };
    merge(&[(1, None, 0), (2, None, 0)], 1);
    merge(&[(11, None, 0), (13, None, 0)], 2);
    merge(&[(12, None, 0), (22, None, 0)], 3);
    let before = lake(place.path()).live();
    assert_eq!(before.len(), 3, "new ids make a new file");
    merge(&[(2, None, 0), (12, None, 1)], 4);
    let after = lake(place.path()).live();
    assert_eq!(before.intersection(&after).count(), 2, "{before:?} {after:?}");
    assert_eq!(lake(place.path()).ids(), [1, 2, 11, 12, 13, 22]);
}

static OLD: Stream = Stream::new(Declaration {
    name: "customers",
    method: "customer.list",
    list: "customers",
    record: "customer",
    documentation: "",
    fields: &[
        Field::key("id", Type::Integer, ""),
        Field::nullable("name", Type::Text, ""),
        Field::cursor("updatedOn", Type::Timestamp, ""),
    ],
    filters: &[],
    since: Some("updateAsOf"),
    inactive: None,
});

static NEW: Stream = Stream::new(Declaration {
    name: "customers",
    method: "customer.list",
    list: "customers",
    record: "customer",
    documentation: "",
    fields: &[
        Field::key("id", Type::Integer, ""),
        Field::nullable("name", Type::Text, ""),
        Field::nullable("city", Type::Text, ""),
        Field::cursor("updatedOn", Type::Timestamp, ""),
    ],
    filters: &[],
    since: Some("updateAsOf"),
    inactive: None,
});

#[test]
fn a_field_that_the_product_has_learnt_becomes_a_column_of_the_table() {
    for mode in [TableMode::Merge, TableMode::Append, TableMode::Overwrite] {
        let place = tempfile::tempdir().unwrap();
        let first =
            br#"{"status":1,"customers":[{"id":1,"name":"a","city":"Cali"},{"id":2,"name":"b"}]}"#;
        export(place.path(), &OLD, mode, first, at(1)).unwrap();
        assert_eq!(lake(place.path()).rows()[0]["_extra"], r#"{"city":"Cali"}"#);
        let second = br#"{"status":1,"customers":[{"id":1,"name":"a","city":"Cali"},{"id":2,"name":"b"},{"id":3,"city":"Pasto"}]}"#;
        let report = export(place.path(), &NEW, mode, second, at(2)).unwrap();
        let lake = lake(place.path());
        let rows = lake.rows();
        let cities: Vec<_> =
            rows.iter().map(|row| (&row["id"], &row["city"], &row["_extra"])).collect();
        let expected: &[_] = if mode == TableMode::Append {
            &[(1, Value::Null), (1, json!("Cali")), (2, Value::Null), (3, json!("Pasto"))]
        } else {
            &[(1, json!("Cali")), (2, Value::Null), (3, json!("Pasto"))]
        };
        let found: Vec<_> =
            cities.iter().map(|(id, city, _)| (id.as_i64().unwrap(), (*city).clone())).collect();
        assert_eq!(found, expected, "{mode:?}");
        // The customer without a city is the same, and not written again.
        let written = if mode == TableMode::Overwrite { 3 } else { 2 };
        assert_eq!(report.rows, written, "{mode:?}");
        let schema = lake.commits()[1]
            .iter()
            .find_map(|action| action["metaData"]["schemaString"].as_str().map(str::to_owned));
        assert!(schema.unwrap().contains(r#""name":"city""#), "{mode:?}");
        // The older version does not know the column, and would lose it.
        let error = export(place.path(), &OLD, mode, first, at(3)).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains("`city`"), "{error}");
    }
}

#[test]
fn a_long_file_has_several_row_groups_each_sorted_by_key_with_statistics_and_a_page_index() {
    const CUSTOMERS_OF_TWO_GROUPS: u64 = 120_000;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.parquet");
    let mut body = Vec::new();
    write_reply(&mut body, CUSTOMERS_OF_TWO_GROUPS).unwrap();
    let mut file = ParquetFile::open(store(&path), &CUSTOMERS, false, at(1)).unwrap();
    let accepted = accepted(&CUSTOMERS, &body, at(1));
    hand_over(accepted, &plan(&CUSTOMERS), &mut file, RejectLimits::listed(None), &Silent).unwrap();
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 2);
    let mut rows = 0;
    for number in 0..2 {
        let group = metadata.row_group(number);
        assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
        for column in group.columns() {
            assert!(column.statistics().is_some(), "{:?}", column.column_path());
            assert!(column.column_index_range().is_some() && column.offset_index_range().is_some());
        }
        let group = reader.get_row_group(number).unwrap();
        let ids: Vec<i64> = group
            .get_row_iter(None)
            .unwrap()
            .map(|row| parquet::record::RowAccessor::get_long(&row.unwrap(), 0).unwrap())
            .collect();
        assert!(ids.is_sorted());
        rows += ids.len() as u64;
    }
    assert_eq!(rows, CUSTOMERS_OF_TWO_GROUPS);
    let footer = metadata.file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| {
        footer.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone())
    };
    assert_eq!(value("kometsales.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(value("kometsales.schema_version").as_deref(), Some("1"));
    assert_eq!(value("kometsales.extracted_at"), Some(at(1).to_string()));
}
