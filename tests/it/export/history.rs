//! Histories: every version of a customer with the time at which it was valid.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use kometsales::export::mode::TableMode;
use kometsales::export::table::Table;
use kometsales::plan::Plan;
use kometsales::simulator::write_reply;
use kometsales::streams::customers::CUSTOMERS;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{Answers, How, at, lake as lake_in, open, planned, take};
use super::places::{customer, export, into_table, lake, listed, replying};
use crate::support::lake::Lake;
use crate::support::{Connector, simulator};

/// What a record says: its id, the second of its last change if it has one, and its name.
type Made = (i64, Option<u32>, u8);

fn reply(records: &[Made]) -> Vec<u8> {
    let records: Vec<Value> = records
        .iter()
        .map(|(id, second, name)| {
            let time = second.map(|second| format!("2026-01-01T00:00:{second:02}"));
            json!({"id": id, "name": format!("n{name}"), "updatedOn": time})
        })
        .collect();
    json!({"status": 1, "customers": records}).to_string().into_bytes()
}

type Values = (Option<u32>, u8);

/// A version of a row, its times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    from: u32,
    to: Option<u32>,
    extracted_at: u32,
    deleted_at: Option<u32>,
    values: Values,
}

type History = BTreeMap<i64, Vec<Version>>;

fn second(time: &Value) -> Option<u32> {
    Some(time.as_str()?[17..19].parse().unwrap())
}

fn values(row: &Value) -> Values {
    (second(&row["updatedOn"]), row["name"].as_str().unwrap()[1..].parse().unwrap())
}

fn id(row: &Value) -> i64 {
    row["id"].as_i64().unwrap()
}

/// The versions that a table has, in order. Holds what holds for every history.
fn history(lake: &Lake) -> History {
    let mut history = History::new();
    for row in lake.rows() {
        assert_eq!(row["_is_current"], row["_valid_to"].is_null(), "{row}");
        let version = Version {
            from: second(&row["_valid_from"]).unwrap(),
            to: second(&row["_valid_to"]),
            extracted_at: second(&row["_extracted_at"]).unwrap(),
            deleted_at: second(&row["_deleted_at"]),
            values: values(&row),
        };
        assert!(version.from <= version.extracted_at, "{row}");
        assert!(version.to.is_none_or(|to| to > version.from), "{row}");
        assert!(version.deleted_at.is_none() || version.deleted_at == version.to, "{row}");
        history.entry(id(&row)).or_default().push(version);
    }
    for versions in history.values_mut() {
        versions.sort();
        for pair in versions.windows(2) {
            assert!(pair[0].to.is_some_and(|to| to <= pair[1].from), "{versions:?}");
        }
    }
    history
}

/// What readers of the present see: of a history the current versions, of a merged table what is not deleted.
fn present(lake: &Lake) -> BTreeSet<(i64, Values)> {
    let rows = lake.rows();
    let is_current = |row: &&Value| {
        row["_deleted_at"].is_null()
            && *row.get("_is_current").unwrap_or(&json!(true)) == json!(true)
    };
    let current: Vec<_> =
        rows.iter().filter(is_current).map(|row| (id(row), values(row))).collect();
    let different: BTreeSet<_> = current.iter().copied().collect();
    assert_eq!(current.len(), different.len(), "{rows:?}");
    different
}

/// The rules as they are documented: a list of a time, and the ids that it deletes.
fn by_the_book(history: &mut History, records: &[Made], now: u32, deleted: &BTreeSet<i64>) {
    let mut winners: BTreeMap<i64, Values> = BTreeMap::new();
    for (id, changed, name) in records {
        if winners.get(id).is_none_or(|(greatest, _)| changed >= greatest) {
            winners.insert(*id, (*changed, *name));
        }
    }
    let knows_later =
        |last: &Version| last.extracted_at >= now || last.to.is_some_and(|to| to >= now);
    for (id, values) in winners {
        let versions = history.entry(id).or_default();
        let changed = values.0.filter(|changed| *changed <= now);
        let from = match versions.last_mut() {
            None => changed.unwrap_or(now),
            Some(last) if knows_later(last) => continue,
            Some(last) if last.to.is_none() && last.values == values => continue,
            Some(last) => {
                let is_later =
                    |time: &u32| *time > last.from && last.to.is_none_or(|to| *time > to);
                let from = changed.filter(is_later).unwrap_or(now);
                last.to = last.to.or(Some(from));
                from
            }
        };
        versions.push(Version { from, to: None, extracted_at: now, deleted_at: None, values });
    }
    for id in deleted {
        let last = history.get_mut(id).and_then(|versions| versions.last_mut()).unwrap();
        assert_eq!(last.to, None, "{id} is deleted twice");
        (last.to, last.deleted_at) = (Some(now), Some(now));
    }
}

/// An export: its records, and how it is made.
#[derive(Debug, Clone)]
struct Step {
    records: Vec<Made>,
    is_incremental: bool,
    allow_shrink: bool,
    answers: Answers,
    /// Whether the next export is faster, although it was asked for later.
    is_overtaken: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changed = prop_oneof![1 => Just(None), 5 => (0u32..11).prop_map(Some)];
    let records = proptest::collection::vec((0i64..6, changed, 0u8..3), 0..9);
    let answers = prop_oneof![6 => Just(Answers::Gone), 1 => Just(Answers::There)];
    let weighted = prop::bool::weighted;
    let step = (records, answers, weighted(0.3), weighted(0.8), weighted(0.3)).prop_map(
        |(records, answers, is_incremental, allow_shrink, is_overtaken)| Step {
            records,
            is_incremental,
            allow_shrink,
            answers,
            is_overtaken,
        },
    );
    proptest::collection::vec(step, 1..9)
}

/// An export that is planned and has its table open.
struct Begun<'s> {
    step: &'s Step,
    second: u32,
    how: How,
    table: Table<'static>,
    plan: Plan,
}

impl<'s> Begun<'s> {
    fn new(place: &Path, mode: TableMode, step: &'s Step, second: u32) -> Self {
        let how = How {
            mode,
            is_incremental: step.is_incremental,
            allow_shrink: step.allow_shrink,
            answers: step.answers,
        };
        let table = open(place, &CUSTOMERS, how, at(second)).unwrap();
        let plan = planned(&table, &CUSTOMERS, how);
        Self { step, second, how, table, plan }
    }

    fn end(mut self) -> kometsales::export::report::Report {
        let reply = reply(&self.step.records);
        take(&mut self.table, &self.plan, self.how, &reply, at(self.second)).unwrap()
    }
}

/// Two tables that take the same lists, and the model of the first one.
struct Both {
    history: tempfile::TempDir,
    merged: tempfile::TempDir,
    book: History,
}

impl Both {
    fn new() -> Self {
        let folder = || tempfile::tempdir().unwrap();
        Self { history: folder(), merged: folder(), book: History::new() }
    }

    fn begin<'s>(&self, step: &'s Step, second: u32) -> [Begun<'s>; 2] {
        let place = |mode| match mode {
            TableMode::History => self.history.path(),
            _ => self.merged.path(),
        };
        [TableMode::History, TableMode::Merge]
            .map(|mode| Begun::new(place(mode), mode, step, second))
    }

    fn end(&mut self, begun: [Begun<'_>; 2]) {
        let [history_export, merge] = begun;
        let (step, second) = (merge.step, merge.second);
        let before = present(&lake_in(self.merged.path()));
        let merged = merge.end();
        let report = history_export.end();
        let there = lake_in(self.history.path());
        let after = present(&lake_in(self.merged.path()));
        let ids = |rows: &BTreeSet<(i64, Values)>| rows.iter().map(|row| row.0).collect();
        let (before, ids_after): (BTreeSet<i64>, BTreeSet<i64>) = (ids(&before), ids(&after));
        let deleted: BTreeSet<i64> = before.difference(&ids_after).copied().collect();
        by_the_book(&mut self.book, &step.records, second, &deleted);
        assert_eq!(history(&there), self.book);
        assert_eq!(present(&there), after, "as of now a history is what a merge makes");
        assert_eq!(there.left_over(), [] as [&str; 0]);
        if step.is_overtaken && !report.committed {
            return;
        }
        let rows: usize = self.book.values().map(Vec::len).sum();
        assert_eq!(report.table_rows, Some(rows as u64));
        let counts = |report: &kometsales::export::report::Report| {
            (report.rows, report.unchanged, report.deleted, report.restored, report.withheld)
        };
        assert_eq!(counts(&report), counts(&merged));
    }

    /// A list that nothing was faster than says nothing new when it comes again.
    fn replay(&self, step: &Step) {
        let again = Step { is_incremental: true, ..step.clone() };
        let before = history(&lake_in(self.history.path()));
        let begun = Begun::new(self.history.path(), TableMode::History, &again, 50);
        // Without a cursor everything is read, and more may be marked than before.
        if begun.plan.cursor.is_some() {
            assert_eq!(begun.end().rows, 0);
            assert_eq!(history(&lake_in(self.history.path())), before);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_lists_come_a_history_is_what_the_book_says_and_now_what_a_merge_makes(
        steps in steps(),
    ) {
        let mut both = Both::new();
        let mut waiting: Option<[Begun<'_>; 2]> = None;
        for (step, second) in steps.iter().zip(1..) {
            let begun = both.begin(step, second);
            if step.is_overtaken && waiting.is_none() {
                waiting = Some(begun);
                continue;
            }
            both.end(begun);
            if let Some(begun) = waiting.take() {
                both.end(begun);
            }
        }
        match (waiting.take(), steps.last()) {
            (Some(begun), _) => both.end(begun),
            (None, Some(last)) if steps.iter().all(|step| !step.is_overtaken) => {
                both.replay(last);
            }
            (None, _) => {}
        }
    }
}

#[test]
fn of_two_exports_in_the_same_microsecond_the_second_to_commit_is_the_later_one() {
    let place = tempfile::tempdir().unwrap();
    let step = |name| Step {
        records: vec![(1, None, name)],
        is_incremental: false,
        allow_shrink: true,
        answers: Answers::Gone,
        is_overtaken: false,
    };
    let steps = [0, 1, 2].map(step);
    let begin = |step, second| Begun::new(place.path(), TableMode::History, step, second);
    begin(&steps[0], 3).end();
    let (one, other) = (begin(&steps[1], 5), begin(&steps[2], 5));
    assert_eq!((one.end().rows, other.end().rows), (1, 1));
    let mut rows = lake_in(place.path()).rows();
    rows.sort_by_key(|row| row["name"].to_string());
    let validity = |row: &Value| (row["_valid_from"].clone(), row["_valid_to"].clone());
    let times = ["2026-01-01T00:00:03Z", "2026-01-01T00:00:05Z", "2026-01-01T00:00:05.000001Z"];
    let expected: Vec<_> = [0, 1, 2]
        .map(|at| (json!(times[at]), times.get(at + 1).map_or(Value::Null, |end| json!(end))))
        .into();
    assert_eq!(rows.iter().map(validity).collect::<Vec<_>>(), expected);
}

/// The versions of a customer in the table of the program.
fn versions(connector: &Connector, customer: i64) -> Vec<Value> {
    let rows = lake(connector).rows().into_iter();
    rows.filter(|row| id(row) == customer).collect()
}

const HISTORY: [&str; 2] = ["--mode", "history"];

#[test]
fn an_edit_ends_a_version_and_begins_the_next_at_its_time_or_else_at_that_of_the_list() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    replying(
        &simulator,
        &[(1, "a", "2024-01-01T00:00:00"), (2, "undated", ""), (3, "ahead", "2999-01-01T00:00:00")],
    );
    let first = into_table(&connector, &HISTORY);
    replying(&simulator, &[(1, "b", "2024-03-01T00:00:00"), (2, "undated", "")]);
    let second = into_table(&connector, &HISTORY);
    assert_eq!(
        (&second["rows"], &second["unchanged"], &second["table_rows"], &second["mode"]),
        (&json!(1), &json!(1), &json!(4), &json!("history")),
    );
    // The same date with another name, and a date that goes back.
    replying(
        &simulator,
        &[
            (1, "c", "2024-03-01T00:00:00"),
            (2, "dated", "2020-01-01T00:00:00"),
            (3, "ahead", "2999-01-01T00:00:00"),
        ],
    );
    let third = into_table(&connector, &["--mode", "history", "--full-refresh"]);
    let validity = |row: &Value| {
        (
            row["name"].clone(),
            row["_valid_from"].clone(),
            row["_valid_to"].clone(),
            row["_is_current"].clone(),
        )
    };
    let found = |customer| versions(&connector, customer).iter().map(validity).collect::<Vec<_>>();
    let version = |name: &str, from: &Value, to: &Value| {
        (json!(name), from.clone(), to.clone(), json!(to.is_null()))
    };
    let (january, march) = (json!("2024-01-01T00:00:00Z"), json!("2024-03-01T00:00:00Z"));
    let (none, third) = (Value::Null, &third["extracted_at"]);
    assert_eq!(
        found(1),
        [version("a", &january, &march), version("b", &march, third), version("c", third, &none)]
    );
    assert_eq!(
        found(2),
        [version("undated", &first["extracted_at"], third), version("dated", third, &none)]
    );
    assert_eq!(found(3), [version("ahead", &first["extracted_at"], &none)]);
    let shown = connector.run(&["show", "lake", "--json"]);
    let shown: Value = serde_json::from_str(shown.text()).unwrap();
    assert_eq!(
        (&shown["mode"], &shown["rows"], &shown["keys"], &shown["active"]),
        (&json!("history"), &json!(6), &json!(3), &json!(3))
    );
}

#[test]
fn the_same_list_again_is_no_commit() {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    into_table(&connector, &HISTORY);
    simulator.change(5);
    let changed = into_table(&connector, &HISTORY);
    assert_eq!((&changed["rows"], &changed["table_rows"]), (&json!(5), &json!(45)));
    for more in [&HISTORY[..], &["--mode", "history", "--full-refresh"]] {
        let again = into_table(&connector, more);
        assert_eq!((&again["rows"], &again["committed"]), (&json!(0), &json!(false)), "{again}");
        assert_eq!(again["version"], changed["version"]);
    }
}

#[test]
fn a_customer_that_is_gone_ends_and_one_that_returns_leaves_a_gap() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let all: Vec<String> = (1..=20).map(|id| customer(id, "same", "2024-01-01T00:00:00")).collect();
    let mut summaries = Vec::new();
    for list in [&all[..], &all[1..], &all[..], &all[..]] {
        simulator.reply_next(listed(list));
        summaries.push(into_table(&connector, &["--mode", "history", "--full-refresh"]));
    }
    let counts = |summary: &Value| {
        ["rows", "deleted", "restored", "table_rows"].map(|name| summary[name].as_u64().unwrap())
    };
    let expected = [[20, 0, 0, 20], [0, 1, 0, 20], [1, 0, 1, 21], [0, 0, 0, 21]];
    assert_eq!(summaries.iter().map(counts).collect::<Vec<_>>(), expected);
    assert_eq!(summaries[3]["committed"], json!(false));
    let found = versions(&connector, 1);
    let gone = &summaries[1]["extracted_at"];
    let of = |row: &Value| {
        ["_valid_from", "_valid_to", "_deleted_at", "_is_current"].map(|name| row[name].clone())
    };
    assert_eq!(
        of(&found[0]),
        [json!("2024-01-01T00:00:00Z"), gone.clone(), gone.clone(), json!(false)]
    );
    assert_eq!(
        of(&found[1]),
        [summaries[2]["extracted_at"].clone(), Value::Null, Value::Null, json!(true)]
    );
    assert_eq!(found[0]["name"], "same", "values stay");
}

#[test]
fn histories_and_other_tables_refuse_each_other_before_anything_is_asked() {
    for (has, others) in [
        ("history", &["merge", "append", "overwrite"][..]),
        ("merge", &["history"]),
        ("append", &["history"]),
        ("overwrite", &["history"]),
    ] {
        let simulator = simulator(10);
        let connector = Connector::of(&simulator);
        into_table(&connector, &["--mode", has]);
        let asked = simulator.requests().len();
        for other in others {
            let answer = export(&connector, "lake", &["--mode", other, "--full-refresh"]);
            assert_eq!(answer.code, Some(78), "{has} {other}: {}", answer.stderr);
            let hint = if has == "overwrite" {
                "--mode merge or append"
            } else {
                &format!("--mode {has}")
            };
            assert!(answer.stderr.contains(hint), "{}", answer.stderr);
        }
        assert_eq!(simulator.requests().len(), asked);
        assert_eq!(lake(&connector).version(), 0);
    }
}

/// Takes actions of these kinds out of every commit.
fn lose(connector: &Connector, kinds: &[&str]) {
    let log = connector.folder().join("lake/customers/_delta_log");
    for entry in fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let is_kept =
                |line: &&str| !kinds.iter().any(|kind| line.starts_with(&format!("{{\"{kind}\"")));
            let kept: Vec<&str> = text.lines().filter(is_kept).collect();
            fs::write(&path, kept.join("\n") + "\n").unwrap();
        }
    }
}

#[test]
fn a_history_that_has_lost_its_note_is_known_by_its_columns() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    into_table(&connector, &HISTORY);
    lose(&connector, &["domainMetadata"]);
    for mode in ["merge", "append", "overwrite"] {
        let answer = export(&connector, "lake", &["--mode", mode, "--full-refresh"]);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains("--mode history"), "{}", answer.stderr);
    }
    simulator.change(3);
    let summary = into_table(&connector, &["--mode", "history", "--full-refresh"]);
    assert_eq!((&summary["rows"], &summary["table_rows"]), (&json!(3), &json!(33)));
    assert_eq!(lake(&connector).note()["mode"], "history");
}

#[test]
fn nobody_is_advised_to_overwrite_a_damaged_history() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    into_table(&connector, &HISTORY);
    simulator.change(3);
    let folder = connector.folder().join("lake/customers");
    let file = folder.join(lake(&connector).live().first().unwrap());
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 3] ^= 4;
    fs::write(&file, damaged).unwrap();
    let answer = export(&connector, "lake", &HISTORY);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(!answer.stderr.contains("overwrite"), "{}", answer.stderr);
    fs::write(&file, whole).unwrap();
    into_table(&connector, &HISTORY);
    fs::write(folder.join("_delta_log").join(format!("{:020}.json", 1)), "").unwrap();
    let answer = export(&connector, "lake", &HISTORY);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("damaged"), "{}", answer.stderr);
    assert!(!answer.stderr.contains("overwrite"), "{}", answer.stderr);
}

#[test]
fn the_columns_of_a_history_are_behind_those_of_a_table() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    into_table(&connector, &HISTORY);
    let commits = lake(&connector).commits();
    let schema = commits[0].iter().find_map(|action| action["metaData"]["schemaString"].as_str());
    let schema: Value = serde_json::from_str(schema.unwrap()).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    let last: Vec<_> = fields[fields.len() - 5..]
        .iter()
        .map(|field| (field["name"].as_str().unwrap(), field["nullable"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        last,
        [
            ("_extracted_at", false),
            ("_deleted_at", true),
            ("_valid_from", false),
            ("_valid_to", true),
            ("_is_current", false)
        ]
    );
    assert!(fields.iter().all(|field| field["metadata"]["comment"].is_string()), "{fields:?}");
    // The first list is a version of each, and the log has the statistics of the times.
    let add = commits[0].iter().find_map(|action| action["add"]["stats"].as_str()).unwrap();
    let stats: Value = serde_json::from_str(add).unwrap();
    assert_eq!(stats["nullCount"]["_valid_to"], 5);
    assert!(stats["minValues"]["_valid_from"].is_string(), "{stats}");
}

#[test]
fn only_files_that_hold_what_ends_are_rewritten() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let time = |day: u32| format!("2024-01-{day:02}T00:00:00");
    for (ids, day) in [([1, 2], 1), ([11, 12], 2), ([21, 22], 3)] {
        let [one, other] = ids;
        replying(&simulator, &[(one, "a", &time(day)), (other, "a", &time(day))]);
        into_table(&connector, &HISTORY);
    }
    let before = lake(&connector).live();
    assert_eq!(before.len(), 3);
    replying(&simulator, &[(2, "a", &time(1)), (12, "b", &time(4))]);
    let summary = into_table(&connector, &HISTORY);
    assert_eq!((&summary["rows"], &summary["files"]), (&json!(1), &json!(1)));
    let after = lake(&connector).live();
    assert_eq!(before.intersection(&after).count(), 2, "{before:?} {after:?}");
}

#[test]
fn versions_end_in_whichever_row_group_they_are() {
    const CUSTOMERS_OF_TWO_GROUPS: u64 = 107_000;
    let place = tempfile::tempdir().unwrap();
    let mut list = Vec::new();
    write_reply(&mut list, CUSTOMERS_OF_TWO_GROUPS).unwrap();
    let export = |list: &[u8], second| {
        let how = How::of(TableMode::History);
        let mut table = open(place.path(), &CUSTOMERS, how, at(second)).unwrap();
        let plan = planned(&table, &CUSTOMERS, how);
        take(&mut table, &plan, how, list, at(second)).unwrap()
    };
    export(&list, 1);
    let list = String::from_utf8(list).unwrap();
    let mut edited = String::new();
    let mut ids = BTreeSet::new();
    for (number, record) in list.split_inclusive("},").enumerate() {
        // Some at both ends of the list and of each group, which are not in the order of the list.
        let is_edited = number % 9_973 == 1;
        let renamed = record.replacen(r#""name":""#, r#""name":"New "#, 1);
        if is_edited {
            let id = record.split(r#""id":""#).nth(1).and_then(|rest| rest.split('"').next());
            ids.insert(id.unwrap().parse::<i64>().unwrap());
        }
        edited.push_str(if is_edited { &renamed } else { record });
    }
    let report = export(edited.as_bytes(), 2);
    assert_eq!((report.rows, ids.len()), (11, 11));
    let (mut ended, mut begun, mut rows) = (BTreeSet::new(), BTreeSet::new(), 0);
    let lake = lake_in(place.path());
    assert_eq!(lake.live().len(), 1);
    for name in lake.live() {
        let file = fs::File::open(place.path().join("customers").join(name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let time = |name| {
                let times = batch.column_by_name(name).unwrap();
                times.as_primitive::<TimestampMicrosecondType>().clone()
            };
            let (from, to) = (time("_valid_from"), time("_valid_to"));
            let current = batch.column_by_name("_is_current").unwrap().as_boolean().clone();
            let keys = batch.column(0).as_primitive::<Int64Type>();
            for (row, key) in keys.values().iter().enumerate() {
                rows += 1;
                assert_eq!(current.value(row), to.is_null(row));
                if to.is_valid(row) {
                    assert_eq!(to.value(row), at(2).micros());
                    ended.insert(*key);
                } else if from.value(row) == at(2).micros() {
                    begun.insert(*key);
                }
            }
        }
    }
    assert_eq!((rows, &ended, &begun), (CUSTOMERS_OF_TWO_GROUPS + 11, &ids, &ids));
}
