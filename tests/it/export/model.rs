//! Exports into a table against a model of what they are to leave, whatever the replies hold; and tables of an older or a newer version of a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use kometsales::config::Config;
use kometsales::error::{Error, Kind};
use kometsales::export::difference::Difference;
use kometsales::export::file::ParquetFile;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Table, TableOptions, forget};
use kometsales::export::{Destination, Exported, TablePlace};
use kometsales::interrupt::Interrupt;
use kometsales::model::arrow::Selection;
use kometsales::model::stream::Declaration;
use kometsales::model::{Field, Stream, Timestamp, Type, Zone};
use kometsales::plan::{Mode, Plan, Request};
use kometsales::simulator::write_reply;
use kometsales::sink::Answer;
use kometsales::source::{Accepted, Scratch, prove};
use kometsales::state::State;
use kometsales::store::{Options, Place, Store};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::lake::Lake;

pub(super) fn store(place: &Path) -> Store {
    let options = Options {
        settings: Vec::new(),
        retry_window: Duration::from_secs(1),
        single_writer: false,
        interrupt: Interrupt::default(),
        proxies: kometsales::network::Proxies::default(),
    };
    Store::open(&Place::parse(place.to_str().unwrap()).unwrap(), &options).unwrap()
}

pub(super) fn table_at(place: &Path) -> TablePlace {
    match place.to_str().unwrap().parse() {
        Ok(Destination::Table(table)) => table,
        other => panic!("{other:?}"),
    }
}

fn config() -> Config {
    // Whatever a record says of its change, an incremental read does not leave it out.
    let config = br#"{"authentication_token": "abcdefgh", "lookback_hours": 720}"#;
    Config::parse(config, "test").unwrap().0
}

fn plan(stream: &'static Stream, mode: Mode, state: Option<State>) -> Plan {
    let selection = Selection::all(stream);
    let request = Request { stream, selection, mode, state, full_list_hours: None };
    Plan::new(&config(), request, at(1))
}

pub(super) fn accepted(plan: &Plan, reply: &[u8], now: Timestamp) -> Accepted {
    let scratch = Scratch::new(vec![std::env::temp_dir()]);
    prove(reply, plan, &config(), now, &scratch, &()).unwrap()
}

/// How an export is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) mode: TableMode,
    pub(super) is_incremental: bool,
    pub(super) allow_shrink: bool,
    pub(super) answers: Answers,
}

/// What the source says of every key that it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Gone,
    There,
    Unknown,
}

impl How {
    /// A read of everything that may change whatever it wants to.
    pub(super) fn of(mode: TableMode) -> Self {
        Self { mode, is_incremental: false, allow_shrink: true, answers: Answers::Gone }
    }
}

pub(super) fn open(
    place: &Path,
    stream: &'static Stream,
    how: How,
    now: Timestamp,
) -> Result<Table<'static>, Error> {
    open_to(place, stream, how, now, false)
}

fn open_to(
    place: &Path,
    stream: &'static Stream,
    how: How,
    now: Timestamp,
    is_dry_run: bool,
) -> Result<Table<'static>, Error> {
    let How { mode, allow_shrink, .. } = how;
    let is_whole = !how.is_incremental;
    let options = TableOptions { mode, is_whole, allow_shrink, is_dry_run, vacuum: None };
    Table::open(store(place), &table_at(place), stream, options, now, &())
}

/// Plans an export into an open table.
pub(super) fn planned(table: &Table<'_>, stream: &'static Stream, how: How) -> Plan {
    match how.is_incremental {
        true => plan(stream, Mode::Incremental, table.state()),
        false => plan(stream, Mode::FullRefresh, None),
    }
}

/// Takes a reply that was asked for at `now` into an open table.
pub(super) fn take(
    table: &mut Table<'_>,
    plan: &Plan,
    how: How,
    reply: &[u8],
    now: Timestamp,
) -> Result<Report, Error> {
    let limits = RejectLimits::kept(None);
    hand_over(accepted(plan, reply, now), plan, table, limits, &(), &|_| answer(how))?;
    Ok(table.report().unwrap().clone())
}

/// What a reply would change.
fn difference(place: &Path, how: How, reply: &[u8], now: Timestamp) -> Difference {
    let mut table = open_to(place, &CUSTOMERS, how, now, true).unwrap();
    let plan = planned(&table, &CUSTOMERS, how);
    let (accepted, limits) = (accepted(&plan, reply, now), RejectLimits::kept(None));
    hand_over(accepted, &plan, &mut table, limits, &(), &|_| answer(how)).unwrap();
    table.difference().unwrap().clone()
}

fn answer(how: How) -> Answer {
    match how.answers {
        Answers::Gone => Answer::Gone,
        Answers::There => Answer::There,
        Answers::Unknown => Answer::Unknown(Error::transient("busy")),
    }
}

/// Exports a reply that was asked for at `now` into the table below `place`.
fn export(
    place: &Path,
    stream: &'static Stream,
    mode: TableMode,
    reply: &[u8],
    now: Timestamp,
) -> Result<Report, Error> {
    let how = How::of(mode);
    let mut table = open(place, stream, how, now)?;
    let plan = planned(&table, stream, how);
    take(&mut table, &plan, how, reply, now)
}

pub(super) fn lake(place: &Path) -> Lake {
    Lake::in_folder(&place.join("customers"))
}

pub(super) fn at(second: u32) -> Timestamp {
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

/// What a row is, apart from when it was extracted: its last change, its name, and since when it is deleted.
type Content = (Option<u32>, u8, Option<u32>);

/// Every version of every row, by id and by the second in which it was extracted; and the last whole list that was
/// noted: its second, and whether it was complete.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Model {
    rows: BTreeMap<(i64, u32), Content>,
    list: Option<(u32, bool)>,
}

/// A list as the model sees it.
struct List<'a> {
    records: &'a [Made],
    second: u32,
    is_whole: bool,
    is_complete: bool,
}

/// What a list changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    written: u64,
    deleted: u64,
    restored: u64,
    withheld: u64,
}

fn latest(second: u32, content: &Content) -> u32 {
    content.2.map_or(second, |deleted| second.max(deleted))
}

impl Model {
    fn versions(&self, id: i64) -> Vec<(u32, Content)> {
        let range = self.rows.range((id, 0)..=(id, 99));
        range.map(|((_, second), content)| (*second, *content)).collect()
    }

    /// The newest version of each id.
    fn newest(&self) -> BTreeMap<i64, (u32, Content)> {
        self.rows.iter().map(|((id, second), content)| (*id, (*second, *content))).collect()
    }

    fn apply(&mut self, how: How, list: &List<'_>) -> Counts {
        let mut winners: BTreeMap<i64, (Option<u32>, u8)> = BTreeMap::new();
        for (id, hour, name) in list.records {
            // `None` is less than any hour.
            if winners.get(id).is_none_or(|(greatest, _)| hour >= greatest) {
                winners.insert(*id, (*hour, *name));
            }
        }
        let mut counts = Counts::default();
        if how.mode == TableMode::Overwrite {
            self.rows.clear();
            counts.written = winners.len() as u64;
            self.rows.extend(
                winners.iter().map(|(id, (hour, name))| ((*id, list.second), (*hour, *name, None))),
            );
            return counts;
        }
        let before = self.clone();
        for (id, (hour, name)) in &winners {
            self.one(how.mode, *id, (*hour, *name, None), list.second, &mut counts);
        }
        let living: Vec<(i64, (u32, Content))> =
            before.newest().into_iter().filter(|(_, (_, content))| content.2.is_none()).collect();
        let gone: Vec<&(i64, (u32, Content))> = living
            .iter()
            .filter(|(id, (second, _))| !winners.contains_key(id) && *second <= list.second)
            .collect();
        let has_base =
            before.list.is_some_and(|(at, is_complete)| is_complete && at <= list.second);
        if !list.is_complete || !has_base {
            return counts;
        }
        let (missing, all) = (gone.len(), living.len());
        let is_too_many = missing > 10 && missing * 10 > all || missing * 2 > all && all != 1;
        if is_too_many && !how.allow_shrink || missing > 0 && how.answers != Answers::Gone {
            counts.withheld = missing as u64;
            return counts;
        }
        for (id, (second, (hour, name, _))) in gone {
            counts.deleted += 1;
            let content = (*hour, *name, Some(list.second));
            match how.mode {
                TableMode::Append => self.rows.insert((*id, list.second), content),
                _ => self.rows.insert((*id, *second), content),
            };
        }
        counts
    }

    /// Applies one row of a list.
    fn one(&mut self, mode: TableMode, id: i64, content: Content, at: u32, counts: &mut Counts) {
        let versions = self.versions(id);
        let is_before = |(second, there): &&(u32, Content)| latest(*second, there) <= at;
        let before = versions.iter().rfind(is_before);
        let after = versions.iter().find(|version| !is_before(version));
        let is_same =
            |version: Option<&(u32, Content)>| version.is_some_and(|(_, c)| *c == content);
        if is_same(before) || is_same(after) || (mode == TableMode::Merge && after.is_some()) {
            return;
        }
        counts.written += 1;
        counts.restored += u64::from(before.is_some_and(|(_, there)| there.2.is_some()));
        if mode == TableMode::Merge {
            self.rows.retain(|key, _| key.0 != id);
        }
        self.rows.insert((id, at), content);
    }

    /// The ids that would be inserted, updated, deleted, restored and left unchanged.
    fn difference(&self, how: How, list: &List<'_>) -> [Vec<i64>; 5] {
        let mut after = self.clone();
        after.apply(how, list);
        let (before, after) = (self.newest(), after.newest());
        let mut found: [Vec<i64>; 5] = Default::default();
        let ids: BTreeSet<i64> = before.keys().chain(after.keys()).copied().collect();
        let is_listed = |id: i64| list.records.iter().any(|record| record.0 == id);
        for id in ids {
            let was = before.get(&id).map(|(_, content)| *content);
            let is = after.get(&id).map(|(_, content)| *content);
            let is_deleted =
                |content: Option<Content>| content.is_some_and(|(.., at)| at.is_some());
            let kind = match (was, is) {
                (None, _) => 0,
                (was, is) if is_deleted(was) && is.is_some() && !is_deleted(is) => 3,
                (was, is) if !is_deleted(was) && (is.is_none() || is_deleted(is)) => 2,
                (was, is) if is_listed(id) && was != is => 1,
                (_, Some(_)) if is_listed(id) => 4,
                _ => continue,
            };
            found[kind].push(id);
        }
        found
    }

    fn note(&mut self, list: &List<'_>, report: &Report) {
        let noted = list.is_whole.then_some((list.second, list.is_complete));
        if report.committed {
            self.list = self.list.max(noted);
        }
    }

    fn of(lake: &Lake) -> BTreeMap<(i64, u32), Content> {
        let second = |time: &Value| Some(time.as_str()?[17..19].parse().unwrap());
        let row = |row: &Value| {
            let hour = row["updatedOn"].as_str().map(|time| time[11..13].parse().unwrap());
            let name = row["name"].as_str().unwrap()[1..].parse().unwrap();
            let key = (row["id"].as_i64().unwrap(), second(&row["_extracted_at"]).unwrap());
            (key, (hour, name, second(&row["_deleted_at"])))
        };
        let rows = lake.rows();
        let found: BTreeMap<_, _> = rows.iter().map(row).collect();
        assert_eq!(found.len(), rows.len(), "a version stands twice: {rows:?}");
        found
    }
}

fn records() -> impl Strategy<Value = Vec<Made>> {
    let hour = prop_oneof![1 => Just(None), 4 => (0u32..3).prop_map(Some)];
    proptest::collection::vec((0i64..8, hour, 0u8..3), 0..12)
}

/// The ids of a difference, which are few enough to be listed.
fn sorted(difference: &Difference) -> [Vec<i64>; 5] {
    let Difference { inserted, updated, deleted, restored, unchanged, .. } = difference;
    [inserted, updated, deleted, restored, unchanged].map(|keys| {
        assert_eq!(keys.count, keys.ids.len() as u64);
        keys.ids.clone()
    })
}

/// An export: its records, whether one more of them is rejected, and how it is made.
#[derive(Debug, Clone)]
struct Step {
    records: Vec<Made>,
    has_reject: bool,
    is_overwrite: bool,
    is_incremental: bool,
    allow_shrink: bool,
    answers: Answers,
    /// Whether the next export is faster, although it was asked for later.
    is_overtaken: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bools = (
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.6),
        prop::bool::weighted(0.3),
    );
    let answers = prop_oneof![
        6 => Just(Answers::Gone),
        1 => Just(Answers::There),
        1 => Just(Answers::Unknown),
    ];
    let step = (records(), bools, answers).prop_map(|(records, bools, answers)| {
        let (has_reject, is_overwrite, is_incremental, allow_shrink, is_overtaken) = bools;
        Step {
            has_reject: has_reject && !records.is_empty(),
            records,
            is_overwrite,
            // What overwrites reads everything, and is not applied to what was extracted later.
            is_incremental: is_incremental && !is_overwrite,
            allow_shrink: allow_shrink || is_overwrite,
            answers,
            is_overtaken: is_overtaken && !is_overwrite,
        }
    });
    proptest::collection::vec(step, 1..8)
}

impl Step {
    fn how(&self, usual: TableMode) -> How {
        How {
            mode: if self.is_overwrite { TableMode::Overwrite } else { usual },
            is_incremental: self.is_incremental,
            allow_shrink: self.allow_shrink,
            answers: self.answers,
        }
    }

    fn reply(&self) -> Vec<u8> {
        let mut reply: Value = serde_json::from_slice(&reply(&self.records)).unwrap();
        if self.has_reject {
            reply["customers"].as_array_mut().unwrap().push(json!({"id": "x"}));
        }
        reply.to_string().into_bytes()
    }

    /// The list as the model sees it.
    fn list<'s>(&'s self, plan: &Plan, second: u32) -> List<'s> {
        let is_complete = plan.is_whole && !self.records.is_empty() && !self.has_reject;
        List { records: &self.records, second, is_whole: plan.is_whole, is_complete }
    }
}

/// An export that is planned and has its table open.
struct Begun<'s> {
    step: &'s Step,
    how: How,
    table: Table<'static>,
    plan: Plan,
    second: u32,
}

impl<'s> Begun<'s> {
    fn new(place: &Path, step: &'s Step, usual: TableMode, second: u32) -> Self {
        let how = step.how(usual);
        let table = open(place, &CUSTOMERS, how, at(second)).unwrap();
        let plan = planned(&table, &CUSTOMERS, how);
        Self { step, how, table, plan, second }
    }

    /// Ends it, and holds that the table is what the model says.
    fn end(mut self, place: &Path, model: &mut Model) {
        let (reply, now) = (self.step.reply(), at(self.second));
        let report = take(&mut self.table, &self.plan, self.how, &reply, now).unwrap();
        let list = self.step.list(&self.plan, self.second);
        let counts = model.apply(self.how, &list);
        model.note(&list, &report);
        let lake = lake(place);
        assert_eq!(Model::of(&lake), model.rows);
        assert_eq!(lake.left_over(), [] as [&str; 0]);
        if self.step.is_overtaken && !report.committed {
            // It had nothing to add to the version that it began with, and never saw another.
            return;
        }
        assert_eq!(report.table_rows, Some(model.rows.len() as u64));
        let counted = Counts {
            written: report.rows,
            deleted: report.deleted.unwrap(),
            restored: report.restored.unwrap(),
            withheld: report.withheld.unwrap(),
        };
        assert_eq!(counted, counts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_exported_the_table_is_what_the_model_says(
        is_append in any::<bool>(),
        steps in steps(),
    ) {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        let usual = if is_append { TableMode::Append } else { TableMode::Merge };
        let mut model = Model::default();
        let mut waiting: Option<Begun<'_>> = None;
        for (step, second) in steps.iter().zip(1..) {
            // One that was overtaken by an overwrite is refused, which is another test.
            if step.is_overwrite && let Some(begun) = waiting.take() {
                begun.end(place, &mut model);
            }
            let before = Lake::in_folder(place);
            let difference = difference(place, step.how(usual), &step.reply(), at(second));
            prop_assert_eq!(&Lake::in_folder(place), &before, "a dry run writes nothing");
            let begun = Begun::new(place, step, usual, second);
            if step.is_overtaken && waiting.is_none() {
                waiting = Some(begun);
                continue;
            }
            let list = step.list(&begun.plan, second);
            prop_assert_eq!(&sorted(&difference), &model.difference(begun.how, &list));
            begun.end(place, &mut model);
            if let Some(begun) = waiting.take() {
                begun.end(place, &mut model);
            }
        }
        if let Some(begun) = waiting.take() {
            begun.end(place, &mut model);
        }
    }
}

#[test]
fn a_clock_that_goes_back_loses_no_change() {
    for mode in [TableMode::Merge, TableMode::Append, TableMode::History] {
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
        // What changed since the cursor: nothing follows from what is not in it.
        let how = How { is_incremental: true, ..How::of(TableMode::Merge) };
        let mut table = open(place.path(), &CUSTOMERS, how, at(second)).unwrap();
        let plan = planned(&table, &CUSTOMERS, how);
        take(&mut table, &plan, how, &reply(records), at(second)).unwrap()
    };
    merge(&[(1, Some(1), 0), (2, None, 0)], 1);
    merge(&[(11, None, 0), (13, None, 0)], 2);
    merge(&[(12, None, 0), (22, None, 0)], 3);
    let before = lake(place.path()).live();
    assert_eq!(before.len(), 3, "new ids make a new file");
    merge(&[(2, None, 0), (12, None, 1)], 4);
    let after = lake(place.path()).live();
    assert_eq!(before.intersection(&after).count(), 2, "{before:?} {after:?}");
    assert_eq!(lake(place.path()).ids(), [1, 2, 11, 12, 13, 22]);
}

/// Customers with these fields.
const fn customers(fields: &'static [Field]) -> Stream {
    Stream::new(Declaration {
        name: "customers",
        method: "customer.list",
        list: "customers",
        record: "customer",
        documentation: "",
        fields,
        filters: &[],
        since: Some("updateAsOf"),
        inactive: None,
    })
}

static OLD: Stream = customers(&[
    Field::key("id", Type::Integer, ""),
    Field::nullable("name", Type::Text, ""),
    Field::cursor("updatedOn", Type::Timestamp, ""),
]);

static NEW: Stream = customers(&[
    Field::key("id", Type::Integer, ""),
    Field::nullable("name", Type::Text, ""),
    Field::nullable("city", Type::Text, ""),
    Field::cursor("updatedOn", Type::Timestamp, ""),
]);

#[test]
fn a_field_that_the_product_has_learnt_becomes_a_column_of_the_table() {
    for mode in [TableMode::Merge, TableMode::Append, TableMode::Overwrite, TableMode::History] {
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
        let expected: &[_] = if matches!(mode, TableMode::Append | TableMode::History) {
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
fn a_removal_adds_no_column_that_the_product_has_learnt() {
    for mode in [TableMode::Merge, TableMode::Append, TableMode::Overwrite, TableMode::History] {
        let place = tempfile::tempdir().unwrap();
        let first = br#"{"status":1,"customers":[{"id":1,"name":"a","city":"Cali"},{"id":2}]}"#;
        export(place.path(), &OLD, mode, first, at(1)).unwrap();
        let (store, table) = (store(place.path()), table_at(place.path()));
        let keys = BTreeSet::from([2]);
        let forgotten = forget(store, &table, &NEW, None, &keys, at(2), &()).unwrap();
        assert_eq!((forgotten.rows, forgotten.files), (1, 1), "{mode:?}");
        let lake = lake(place.path());
        assert!(lake.commits()[1].iter().all(|action| action["metaData"].is_null()), "{mode:?}");
        let rows = lake.rows();
        assert_eq!(rows.len(), 1, "{mode:?}");
        assert!(rows[0].get("city").is_none(), "{mode:?}: {}", rows[0]);
        // The older version still knows what it is, and goes on with it.
        export(place.path(), &OLD, mode, first, at(3)).unwrap();
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
    let plan = plan(&CUSTOMERS, Mode::FullRefresh, None);
    let (accepted, limits) = (accepted(&plan, &body, at(1)), RejectLimits::listed(None));
    hand_over(accepted, &plan, &mut file, limits, &(), &|_| Answer::Gone).unwrap();
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

#[test]
fn rows_of_every_batch_and_row_group_are_marked_where_they_are() {
    const CUSTOMERS_OF_TWO_GROUPS: u64 = 110_000;
    let mut whole = Vec::new();
    write_reply(&mut whole, CUSTOMERS_OF_TWO_GROUPS).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    // The first piece begins the list, the last one ends it.
    let is_left_out = |number: usize| number % 1000 == 500;
    let (mut gone, mut fewer) = (Vec::new(), String::new());
    for (number, piece) in whole.split_inclusive('}').enumerate() {
        if is_left_out(number) {
            gone.push(piece.split('"').nth(3).unwrap().parse::<i64>().unwrap());
        } else {
            fewer.push_str(piece);
        }
    }
    gone.sort_unstable();
    for mode in [TableMode::Merge, TableMode::Append] {
        let place = tempfile::tempdir().unwrap();
        export(place.path(), &CUSTOMERS, mode, whole.as_bytes(), at(1)).unwrap();
        let report = export(place.path(), &CUSTOMERS, mode, fewer.as_bytes(), at(2)).unwrap();
        assert_eq!(report.deleted, Some(gone.len() as u64), "{mode:?}");
        let (mut deleted, mut rows) = (Vec::new(), 0);
        for batch in lake(place.path()).batches() {
            let keys = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>();
            let times = batch.column_by_name("_deleted_at").unwrap();
            rows += batch.num_rows() as u64;
            let marked = (0..batch.num_rows()).filter(|row| times.is_valid(*row));
            deleted.extend(marked.map(|row| keys.value(row)));
        }
        deleted.sort_unstable();
        assert_eq!(deleted, gone, "{mode:?}");
        assert_eq!(report.table_rows, Some(rows), "{mode:?}");
    }
}
