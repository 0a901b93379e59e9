//! Tables in which fields are left out or hashed from some export on: every row is as if it had always been so, and
//! there is no way back but through Komet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use hmac::{Hmac, Mac};
use kometsales::config::Config;
use kometsales::error::{Error, Kind};
use kometsales::export::Exported;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Table, TableOptions};
use kometsales::log::{Level, Log};
use kometsales::model::Timestamp;
use kometsales::model::arrow::Selection;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::sink::{Answer, Sink};
use kometsales::source::{Scratch, prove};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{at, lake, store, table_at};
use super::places::{self, customer, listed};
use crate::support::{Connector, simulator};

const KEY: &str = "a-key-of-sixteen-or-more";
const MODES: [TableMode; 3] = [TableMode::Merge, TableMode::Append, TableMode::History];

/// Settings as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fields {
    exclude: &'static str,
    hash: &'static str,
    key: &'static str,
}

const OPEN: Fields = Fields { exclude: "", hash: "", key: KEY };

const fn hashed(hash: &'static str) -> Fields {
    Fields { hash, ..OPEN }
}

const fn excluded(exclude: &'static str) -> Fields {
    Fields { exclude, ..OPEN }
}

impl Fields {
    fn config(self) -> Config {
        let json = json!({
            "authentication_token": "abcdefgh", "exclude_fields": self.exclude,
            "hash_fields": self.hash, "hash_key": self.key,
            // So that no list is complete, and nothing is marked as deleted.
            "include_inactive": false,
        });
        Config::parse(json.to_string().as_bytes(), "test").unwrap().0
    }

    fn excludes(self, name: &str) -> bool {
        let is_set = !self.exclude.is_empty() || !self.hash.is_empty();
        self.exclude.split(',').any(|field| field == name) || (is_set && name == "_extra")
    }

    fn hashes(self, name: &str) -> bool {
        self.hash.split(',').any(|field| field == name)
    }

    /// A row of a table that was under others until now.
    fn of_row(self, before: Self, mut row: Value) -> Value {
        for (name, value) in row.as_object_mut().unwrap() {
            if self.excludes(name) {
                *value = Value::Null;
            } else if self.hashes(name) && !before.hashes(name) {
                *value = value.as_str().map_or(Value::Null, |text| hash(text).into());
            }
        }
        row
    }
}

/// HMAC-SHA-256 under [`KEY`].
fn hash(text: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Log for Warnings {
    fn log(&self, level: Level, message: &str) {
        if level == Level::Warn {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }
}

fn opened<'a>(
    place: &Path,
    mode: TableMode,
    second: u32,
    log: &'a Warnings,
) -> Result<Table<'a>, Error> {
    let how =
        TableOptions { mode, is_whole: true, allow_shrink: true, is_dry_run: false, vacuum: None };
    Table::open(store(place), &table_at(place), &CUSTOMERS, how, at(second), log)
}

fn plan(fields: Fields, now: Timestamp) -> (Config, Plan) {
    let config = fields.config();
    let selection = Selection::all(&CUSTOMERS);
    let request = Request {
        stream: &CUSTOMERS,
        selection,
        mode: Mode::FullRefresh,
        state: None,
        full_list_hours: None,
    };
    let plan = Plan::new(&config, request, now);
    (config, plan)
}

fn taken(table: &mut Table<'_>, fields: Fields, reply: &[u8], second: u32) -> Result<(), Error> {
    let (config, plan) = plan(fields, at(second));
    let scratch = Scratch::new(vec![std::env::temp_dir()]);
    let silent = Warnings::default();
    let accepted = prove(reply, &plan, &config, at(second), &scratch, &silent).unwrap();
    table.begin(&plan)?;
    hand_over(accepted, &plan, table, RejectLimits::kept(None), &silent, &|_| Answer::Gone)
        .map(drop)
}

/// Exports a reply; gives the report and the warnings.
fn export(
    place: &Path,
    mode: TableMode,
    fields: Fields,
    reply: &[u8],
    second: u32,
) -> Result<(Report, Vec<String>), Error> {
    let log = Warnings::default();
    let mut table = opened(place, mode, second, &log)?;
    taken(&mut table, fields, reply, second)?;
    let report = table.report().unwrap().clone();
    drop(table);
    Ok((report, log.0.into_inner().unwrap()))
}

/// Its id, the hour of its last change, and three texts.
type Made = (i64, Option<u32>, Option<u8>, u8, Option<u8>);

fn reply(records: &[Made]) -> Vec<u8> {
    let records: Vec<Value> = records
        .iter()
        .map(|(id, hour, name, code, kind)| {
            json!({
                "id": id, "updatedOn": hour.map(|hour| format!("2025-01-01T{hour:02}:00:00")),
                "name": name.map(|name| format!("SECRET-{name}")), "code": format!("c{code}"),
                "customerType": kind.map(|kind| format!("{kind}")), "email": "SECRET-mail",
            })
        })
        .collect();
    json!({"status": 1, "customers": records}).to_string().into_bytes()
}

/// Every version of each id in order, without when it was extracted; of neighbours that are the same, one.
fn versions(place: &Path) -> BTreeMap<i64, Vec<Value>> {
    let mut versions = BTreeMap::<i64, Vec<Value>>::new();
    for mut row in lake(place).rows() {
        let members = row.as_object_mut().unwrap();
        for name in ["_extracted_at", "_valid_from", "_valid_to", "_is_current"] {
            members.remove(name);
        }
        // A table that was made without a field has no column of it.
        members.retain(|_, value| !value.is_null());
        let id = row["id"].as_i64().unwrap();
        let of_id = versions.entry(id).or_default();
        if of_id.last() != Some(&row) {
            of_id.push(row);
        }
    }
    versions
}

fn records() -> impl Strategy<Value = Vec<Made>> {
    let hour = prop_oneof![1 => Just(None), 4 => (0u32..3).prop_map(Some)];
    let name = prop::option::weighted(0.8, 0u8..3);
    let kind = prop::option::weighted(0.8, 0u8..2);
    proptest::collection::vec((0i64..6, hour, name, 0u8..2, kind), 1..9)
}

/// Settings of one table, one after the other.
fn stricter() -> impl Strategy<Value = Vec<Fields>> {
    prop::sample::select(vec![
        vec![OPEN, hashed("name")],
        vec![OPEN, excluded("name"), Fields { hash: "code", ..excluded("name") }],
        vec![OPEN, hashed("name,code"), Fields { hash: "code", ..excluded("name") }],
        vec![hashed("name"), hashed("code,name"), excluded("name,code,customerType")],
        vec![
            excluded("_extra"),
            excluded("customerType,_extra"),
            Fields { hash: "name", ..excluded("_extra,customerType") },
        ],
    ])
}

fn mentions_vacuum(warnings: &[String]) -> bool {
    warnings.iter().any(|text| text.contains("vacuum"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_table_after_a_change_is_one_that_was_always_so(
        mode in prop::sample::select(&MODES[..]),
        steps in stricter(),
        lists in proptest::collection::vec(records(), 5),
    ) {
        let (changed, anew) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let last = *steps.last().unwrap();
        for ((number, list), second) in lists.iter().enumerate().zip(1..) {
            let fields = steps[number.min(steps.len() - 1)];
            if number > 0 && number < steps.len() {
                // The same list again: nothing has changed but the fields.
                let (again, before) = (reply(&lists[number - 1]), lake(changed.path()).rows());
                let (report, warnings) = export(changed.path(), mode, fields, &again, second).unwrap();
                let others = steps[number - 1];
                let expected: Vec<Value> =
                    before.into_iter().map(|row| fields.of_row(others, row)).collect();
                prop_assert_eq!(lake(changed.path()).rows(), expected);
                prop_assert_eq!((report.rows, report.committed), (0, true));
                prop_assert!(mentions_vacuum(&warnings), "{:?}", warnings);
            }
            let body = reply(list);
            let (_, warnings) = export(changed.path(), mode, fields, &body, second).unwrap();
            prop_assert!(!mentions_vacuum(&warnings), "{:?}", warnings);
            export(anew.path(), mode, last, &body, second).unwrap();
        }
        prop_assert_eq!(versions(changed.path()), versions(anew.path()));
        let lake = lake(changed.path());
        prop_assert_eq!(lake.left_over(), [] as [&str; 0]);
        let rows = Value::from(lake.rows()).to_string();
        prop_assert!(!rows.contains("SECRET-mail"), "{}", rows);
    }
}

const ROWS: [Made; 3] =
    [(1, Some(1), Some(1), 1, Some(1)), (2, None, None, 1, None), (3, Some(2), Some(2), 1, None)];

#[test]
fn rows_that_do_not_return_are_rewritten_too() {
    for mode in MODES {
        let place = tempfile::tempdir().unwrap();
        export(place.path(), mode, OPEN, &reply(&ROWS), 1).unwrap();
        export(place.path(), mode, OPEN, &reply(&[(9, None, Some(9), 9, None)]), 2).unwrap();
        let fields = Fields { exclude: "customerType", hash: "name", key: KEY };
        let (report, warnings) = export(place.path(), mode, fields, &reply(&ROWS[..1]), 3).unwrap();
        assert_eq!((report.rows, report.unchanged, report.table_rows), (0, 1, Some(4)), "{mode}");
        let warning = warnings.iter().find(|text| text.contains("vacuum")).unwrap();
        for part in [
            "without `_extra`, `customerType` and with hashes of `name`",
            "clear text",
            "statistics",
        ] {
            assert!(warning.contains(part), "{warning}");
        }
        let lake = lake(place.path());
        let names: Vec<Value> = lake.rows().iter().map(|row| row["name"].clone()).collect();
        let expected = ["SECRET-1", "", "SECRET-2", "SECRET-9"]
            .map(|name| if name.is_empty() { Value::Null } else { hash(name).into() });
        assert_eq!(names, expected, "{mode}");
        assert!(lake.rows().iter().all(|row| row["customerType"].is_null()));
        // What readers of the newest version read of the log has nothing of it either.
        let actions = lake.commits().pop().unwrap();
        assert!(!Value::from(actions).to_string().contains("SECRET"));
    }
}

#[test]
fn a_table_is_made_without_the_columns_that_are_left_out_and_gets_them_when_it_is_overwritten() {
    for mode in [TableMode::Merge, TableMode::Append, TableMode::Overwrite] {
        let place = tempfile::tempdir().unwrap();
        let columns = || {
            let commits = lake(place.path()).commits();
            let schema = commits
                .iter()
                .flatten()
                .rev()
                .find_map(|action| action["metaData"]["schemaString"].as_str());
            let schema: Value = serde_json::from_str(schema.unwrap()).unwrap();
            let fields = schema["fields"].as_array().unwrap().iter();
            fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        export(place.path(), mode, excluded("name,code"), &reply(&ROWS), 1).unwrap();
        let expected = [
            "id",
            "accountingCode",
            "active",
            "salesPerson",
            "salesPersonId",
            "customerType",
            "updatedOn",
            "_extracted_at",
            "_deleted_at",
        ];
        assert_eq!(columns(), expected);
        assert!(lake(place.path()).rows().iter().all(|row| row.get("name").is_none()));
        export(place.path(), mode, excluded("name,code"), &reply(&ROWS[1..]), 2).unwrap();
        assert_eq!(columns(), expected);
        let (report, _) =
            export(place.path(), TableMode::Overwrite, hashed("code"), &reply(&ROWS), 3).unwrap();
        assert_eq!(report.table_rows, Some(3));
        assert_eq!(columns().len(), expected.len() + 2);
        let rows = lake(place.path()).rows();
        assert_eq!((&rows[0]["name"], &rows[0]["code"]), (&json!("SECRET-1"), &json!(hash("c1"))));
        let (report, _) =
            export(place.path(), TableMode::Overwrite, excluded("name"), &reply(&ROWS), 4).unwrap();
        assert_eq!(report.table_rows, Some(3));
        assert!(lake(place.path()).rows().iter().all(|row| row["name"].is_null()));
    }
}

#[test]
fn there_is_no_way_back_without_reading_all_of_it_anew() {
    let other_key = Fields { key: "another-key-of-sixteen", ..hashed("name") };
    for (before, after, part) in [
        (
            excluded("name,code"),
            excluded("name"),
            "without `code`, which `exclude_fields` no longer names",
        ),
        (excluded("name"), OPEN, "without `_extra`"),
        (excluded("name"), hashed("name"), "without `name`"),
        (hashed("name"), OPEN, "without `_extra`"),
        (
            hashed("name,code"),
            hashed("code"),
            "hashes of `name`, which `hash_fields` no longer names",
        ),
        (hashed("name"), other_key, "hashes of `name` under another `hash_key`"),
    ] {
        for mode in MODES {
            let place = tempfile::tempdir().unwrap();
            export(place.path(), mode, before, &reply(&ROWS), 1).unwrap();
            let there = lake(place.path()).names().len();
            let error = export(place.path(), mode, after, &reply(&ROWS), 2).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            let text = error.to_string();
            assert_eq!(lake(place.path()).names().len(), there);
            if mode == TableMode::History {
                assert!(text.contains(part) && text.contains("to another place"), "{text}");
                continue;
            }
            assert!(text.contains(part) && text.contains("--mode overwrite"), "{text}");
            export(place.path(), TableMode::Overwrite, after, &reply(&ROWS), 3).unwrap();
            let rows = lake(place.path()).rows();
            assert_eq!(rows[0]["code"] == "c1", !after.hashes("code"), "{rows:?}");
        }
    }
    // A key that hashes nothing that stays is another one without harm.
    let place = tempfile::tempdir().unwrap();
    export(place.path(), TableMode::Merge, hashed("name"), &reply(&ROWS), 1).unwrap();
    let fields = Fields { exclude: "name", hash: "code", key: "another-key-of-sixteen" };
    export(place.path(), TableMode::Merge, fields, &reply(&ROWS), 2).unwrap();
}

#[test]
fn an_older_version_of_the_program_does_not_take_a_table_without_some_fields() {
    let place = tempfile::tempdir().unwrap();
    export(place.path(), TableMode::Merge, OPEN, &reply(&ROWS), 1).unwrap();
    assert_eq!(
        (&lake(place.path()).note()["version"], &lake(place.path()).note()["people"]),
        (&json!(1), &Value::Null)
    );
    export(place.path(), TableMode::Merge, hashed("name"), &reply(&ROWS), 2).unwrap();
    let note = lake(place.path()).note();
    assert_eq!((&note["version"], &note["people"]["hashed"]), (&json!(2), &json!(["name"])));
    assert!(!note.to_string().contains(KEY));
}

#[test]
fn a_lost_race_hashes_nothing_twice_and_leaves_nothing_clear() {
    let other = reply(&[(7, None, Some(7), 7, None)]);
    for mode in MODES {
        // Both are the first that hash.
        let place = tempfile::tempdir().unwrap();
        export(place.path(), mode, OPEN, &reply(&ROWS), 1).unwrap();
        let log = Warnings::default();
        let mut loser = opened(place.path(), mode, 3, &log).unwrap();
        export(place.path(), mode, hashed("name"), &reply(&ROWS), 2).unwrap();
        taken(&mut loser, hashed("name"), &other, 3).unwrap();
        let names = |place: &Path| -> Vec<Value> {
            lake(place).rows().iter().map(|row| row["name"].clone()).collect()
        };
        let expected: Vec<Value> = ["SECRET-1", "", "SECRET-2", "SECRET-7"]
            .map(|name| if name.is_empty() { Value::Null } else { hash(name).into() })
            .to_vec();
        assert_eq!(names(place.path()), expected, "{mode}");
        assert!(!mentions_vacuum(&log.0.lock().unwrap()), "the winner has said it");

        // The winner has written clear text once more.
        let place = tempfile::tempdir().unwrap();
        export(place.path(), mode, OPEN, &reply(&ROWS), 1).unwrap();
        let log = Warnings::default();
        let mut loser = opened(place.path(), mode, 3, &log).unwrap();
        export(place.path(), mode, OPEN, &other, 2).unwrap();
        taken(&mut loser, hashed("name"), &reply(&ROWS), 3).unwrap();
        assert_eq!(names(place.path()), expected, "{mode}");
        assert!(mentions_vacuum(&log.0.lock().unwrap()));

        // The loser would write clear text into a table that has none any more.
        let place = tempfile::tempdir().unwrap();
        export(place.path(), mode, OPEN, &reply(&ROWS), 1).unwrap();
        let log = Warnings::default();
        let mut loser = opened(place.path(), mode, 3, &log).unwrap();
        export(place.path(), mode, hashed("name"), &reply(&ROWS), 2).unwrap();
        let error = taken(&mut loser, OPEN, &other, 3).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert_eq!(names(place.path()), expected[..3], "{mode}");
        assert_eq!(lake(place.path()).left_over(), [] as [&str; 0]);
    }
}

#[test]
fn marks_of_deletion_stay_and_go_on_under_the_new_settings() {
    for mode in ["merge", "append", "history"] {
        let simulator = simulator(0);
        let open = Connector::of(&simulator);
        let place = open.folder().join("lake").to_str().unwrap().to_owned();
        let hashing = Connector::of(&simulator).with("hash_fields", "name").with("hash_key", KEY);
        let export = |connector: &Connector, ids: std::ops::RangeInclusive<u32>| {
            let customers: Vec<String> =
                ids.map(|id| customer(id, &format!("n{id}"), "2024-01-01T00:00:00")).collect();
            simulator.reply_next(listed(&customers));
            let more = ["--mode", mode, "--full-refresh", "--json"];
            let answer = places::export(connector, &place, &more);
            assert_eq!(answer.code, Some(0), "{}", answer.stderr);
            serde_json::from_str::<Value>(answer.text()).unwrap()["deleted"].clone()
        };
        let found = || {
            let mut newest = BTreeMap::new();
            for row in places::lake(&open).rows() {
                let gone = !row["_deleted_at"].is_null();
                newest.insert(row["id"].as_u64().unwrap(), (row["name"].clone(), gone));
            }
            newest
        };
        export(&open, 1..=6);
        assert_eq!(export(&open, 1..=5), json!(1), "{mode}");
        export(&hashing, 1..=5);
        let hashed = |id: u64, gone| (id, (json!(hash(&format!("n{id}"))), gone));
        let expected = BTreeMap::from_iter((1..=6).map(|id| hashed(id, id > 5)));
        assert_eq!(found(), expected, "{mode}");
        assert_eq!(export(&hashing, 1..=4), json!(1), "{mode}");
        let expected = BTreeMap::from_iter((1..=6).map(|id| hashed(id, id > 4)));
        assert_eq!(found(), expected, "{mode}");
        let rows = Value::from(places::lake(&open).rows()).to_string();
        assert!(!rows.contains(r#":"n"#), "{rows}");
    }
}

#[test]
fn a_dry_run_compares_under_the_new_settings_and_says_that_all_would_be_written() {
    let simulator = simulator(4);
    let open = Connector::of(&simulator);
    places::into_table(&open, &[]);
    let place = open.folder().join("lake").to_str().unwrap().to_owned();
    let hashing = Connector::of(&simulator).with("hash_fields", "name").with("hash_key", KEY);
    let answer = places::export(&hashing, &place, &["--dry-run", "--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let difference: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(
        (&difference["unchanged"]["count"], &difference["updated"]["count"]),
        (&json!(4), &json!(0))
    );
    assert!(answer.stderr.contains("would write every row"), "{}", answer.stderr);
    assert_eq!(places::lake(&open).version(), 0);
}

#[test]
fn a_table_that_has_lost_its_note_is_not_hashed_since_it_may_be_already() {
    let simulator = simulator(4);
    let connector = Connector::of(&simulator).with("hash_fields", "name").with("hash_key", KEY);
    places::into_table(&connector, &[]);
    let log = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().filter(|line| !line.contains("domainMetadata\":{"));
    std::fs::write(&log, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let before = places::lake(&connector).rows();
    let answer = places::export(&connector, "lake", &["--full-refresh"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("what is hashed already"), "{}", answer.stderr);
    assert_eq!(places::lake(&connector).rows(), before);
    let answer = places::export(&connector, "lake", &["--mode", "overwrite"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}
