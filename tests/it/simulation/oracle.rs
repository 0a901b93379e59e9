//! What has to hold of every history.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kometsales::error::Kind;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::model::Zone;
use object_store::path::Path;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::history::{Came, Done, History, Job};
use super::komet::Customer;
use super::log::Versions;
use super::model::{Applied, Keyed, Row, Rows, apply, newest, of_file};
use super::reading::Told;
use super::world::{HOUR, Process};

/// What does not hold.
pub(super) fn faults(history: &History) -> Vec<String> {
    let mut faults = history.versions.faults.clone();
    for done in &history.done {
        faults.extend(of_process(history, done).map(|why| format!("p{}: {why}", done.process)));
    }
    let mut read = Files::default();
    let mut rows = Rows::new();
    for (number, version) in history.versions.list.iter().enumerate() {
        let (there, twice) = read.rows(&history.versions.archive, &version.files);
        faults.extend(twice.map(|key| format!("{key:?} stands twice in version {number}")));
        let (expected, why) = expected(history, number, &rows);
        if there != expected {
            let differ = difference(&there, &expected);
            faults.push(format!("version {number} is not what the model says ({why}): {differ}"));
        }
        let ahead = state_ahead(&version.note, &history.customers, &forgotten(history), &there);
        faults.extend(ahead.into_iter().map(|why| format!("version {number} {why}")));
        rows = there;
    }
    faults.extend(gone_at_the_end(&history.versions, &history.names));
    let missing = missing_at_the_end(history.usual, &history.customers, &forgotten(history), &rows);
    faults.extend(missing);
    faults
}

/// The versions that a process has committed.
fn committed(history: &History, process: Process) -> Vec<usize> {
    let versions = history.versions.list.iter().enumerate();
    versions.filter(|(_, version)| version.process == process).map(|(number, _)| number).collect()
}

/// Whether what came of a process is what is there: one commit of a run that was acknowledged, none of one that was refused.
fn of_process(history: &History, done: &Done) -> Option<String> {
    let versions = committed(history, done.process);
    let fails = |what: &str| Some(format!("{what}, and its versions are {versions:?}"));
    if versions.len() > 1 {
        return fails("it is there more than once");
    }
    let Some(came) = &done.came else { return None };
    match came {
        Ok(Came::Exported(report)) if report.committed => {
            let is_there =
                report.version.map(|version| version as usize) == versions.first().copied();
            (!is_there).then(|| fails("it is acknowledged")).flatten()
        }
        Ok(Came::Forgotten(version, true)) if versions != [*version as usize] => {
            fails("it is acknowledged")
        }
        Ok(Came::Forgotten(_, true)) => None,
        Ok(Came::Compared) if done.sent > 0 => fails("a dry run writes"),
        Ok(_) if !versions.is_empty() => fails("it committed nothing"),
        Ok(_) => None,
        Err(error) if error.kind() == Kind::System => {
            fails(&format!("it stopped at a bug: {error}"))
        }
        Err(error) if !versions.is_empty() && !done.is_in_doubt => {
            fails(&format!("it is refused: {error}"))
        }
        Err(error)
            if !versions.is_empty() && error.to_string().contains("Nothing of this export") =>
        {
            fails(&format!("it is refused: {error}"))
        }
        Err(error) if is_unexpected(history, done, error.kind()) => {
            fails(&format!("it fails: {error}"))
        }
        Err(_) => None,
    }
}

/// Whether a failure has no cause: nothing goes wrong, and no vacuum takes away what it reads.
fn is_unexpected(history: &History, done: &Done, kind: Kind) -> bool {
    let takes_away = |done: &Done| match done.job {
        Job::Vacuum { .. } => true,
        Job::Export { vacuum, .. } => vacuum.is_some(),
        Job::Forget { .. } => false,
    };
    let is_quiet = !history.has_faults && !history.done.iter().any(takes_away);
    let may_have_no_table = matches!(done.job, Job::Forget { .. });
    let is_config = kind == Kind::Config && is_quiet && !may_have_no_table;
    done.process == history.last || is_config
}

pub(super) fn micros(time: &Value) -> Option<i64> {
    Some(Zone::UTC.parse(time.as_str()?).unwrap().micros())
}

/// Files that were read, since most are in many versions.
#[derive(Default)]
pub(super) struct Files(BTreeMap<Path, Vec<Keyed>>);

impl Files {
    /// The rows of files, and a key that is there twice.
    pub(super) fn rows<'a>(
        &mut self,
        archive: &BTreeMap<Path, Bytes>,
        files: impl IntoIterator<Item = &'a Path>,
    ) -> (Rows, Option<(i64, i64)>) {
        let (mut rows, mut twice) = (Rows::new(), None);
        for file in files {
            for (key, row) in
                self.0.entry(file.clone()).or_insert_with(|| of_file(&archive[file])).iter()
            {
                if rows.insert(*key, *row).is_some() {
                    twice = Some(*key);
                }
            }
        }
        (rows, twice)
    }
}

/// The rows that a version is to have, by those of the one before, and what made it.
fn expected(history: &History, number: usize, before: &Rows) -> (Rows, String) {
    let version = &history.versions.list[number];
    let done = history.done.iter().find(|done| done.process == version.process).unwrap();
    let mut rows = before.clone();
    let why = format!("p{} {:?}", done.process, done.job);
    match &done.job {
        Job::Forget { id } => rows.retain(|key, _| key.0 != *id),
        Job::Vacuum { .. } => {}
        Job::Export { mode, allow_shrink, .. } => {
            let told = &history.told[&version.process];
            let noted = number.checked_sub(1).map(|last| &history.versions.list[last].note);
            let report = match &done.came {
                Some(Ok(Came::Exported(report))) => Some(&**report),
                _ => None,
            };
            let at = extracted_at(&history.versions.archive, version.added.iter().next(), report);
            let how = (*mode, *allow_shrink);
            apply(&mut rows, &applied(told, noted, how, at.unwrap_or(told.at)));
        }
    }
    (rows, why)
}

/// What was told to an export on top of what was noted before.
pub(super) fn applied<'a>(
    told: &'a Told,
    noted: Option<&Value>,
    (mode, allow_shrink): (TableMode, bool),
    at: i64,
) -> Applied<'a> {
    let list = noted.map(|note| &note["state"]["list"]);
    let base = list.filter(|list| list["count"].is_u64());
    let base = base.and_then(|list| micros(&list["at"]));
    let is_complete = told.is_whole && !told.records.is_empty();
    Applied {
        mode,
        records: &told.records,
        at,
        proves: is_complete && base.is_some_and(|base| base <= at),
        allow_shrink,
        is_in_doubt: told.is_in_doubt,
    }
}

/// When the rows of an export count as extracted: what one of its files says, and its report.
pub(super) fn extracted_at(
    archive: &BTreeMap<Path, Bytes>,
    file: Option<&Path>,
    report: Option<&Report>,
) -> Option<i64> {
    let noted = file.map(|file| {
        let reader = SerializedFileReader::new(archive[file].clone()).unwrap();
        let entries = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let entry = entries.into_iter().find(|entry| entry.key == "kometsales.extracted_at");
        Zone::UTC.parse(&entry.unwrap().value.unwrap()).unwrap().micros()
    });
    let reported = report.map(|report| report.extracted_at.micros());
    assert!(noted.is_none() || reported.is_none() || noted == reported, "{file:?} {report:?}");
    noted.or(reported)
}

pub(super) fn difference(there: &Rows, expected: &Rows) -> String {
    let keys: BTreeSet<_> = there.keys().chain(expected.keys()).collect();
    let differ = keys.into_iter().filter(|key| there.get(key) != expected.get(key));
    let shown = differ.map(|key| {
        format!("\n  {key:?}: {:?} is there, expected {:?}", there.get(key), expected.get(key))
    });
    shown.collect()
}

/// Customers that were to be forgotten: one that Komet still lists comes back with the next list of everything.
fn forgotten(history: &History) -> BTreeSet<i64> {
    let forgotten = history.done.iter().filter_map(|done| match done.job {
        Job::Forget { id } => Some(id),
        _ => None,
    });
    forgotten.collect()
}

/// Customers that a read from the cursor of a note would not bring, and of which the rows beside it have something else
/// than what Komet has.
pub(super) fn state_ahead(
    note: &Value,
    customers: &BTreeMap<i64, Customer>,
    forgotten: &BTreeSet<i64>,
    rows: &Rows,
) -> Vec<String> {
    let bound = micros(&note["state"]["updatedOn"]).map(|cursor| cursor - HOUR);
    let newest = newest(rows);
    let outdated = customers.iter().filter(|(id, customer)| {
        let is_behind = customer.updated.zip(bound).is_some_and(|(updated, bound)| updated < bound);
        is_behind
            && !forgotten.contains(id)
            && newest.get(id).is_none_or(|(_, row)| row.customer != **customer)
    });
    let shown = outdated.map(|(id, customer)| {
        let there = newest.get(id);
        format!("has a cursor before which {id} is {customer:?}, and it is {there:?}")
    });
    shown.collect()
}

/// Files of the newest version that are not there.
pub(super) fn gone_at_the_end(versions: &Versions, names: &BTreeSet<Path>) -> Vec<String> {
    let files = versions.list.last().into_iter().flat_map(|last| &last.files);
    let gone = files.filter(|file| !names.contains(*file));
    gone.map(|file| format!("{file} of the newest version is gone")).collect()
}

/// Customers that are not in the table after the last export.
pub(super) fn missing_at_the_end(
    usual: TableMode,
    customers: &BTreeMap<i64, Customer>,
    forgotten: &BTreeSet<i64>,
    rows: &Rows,
) -> Vec<String> {
    let newest = newest(rows);
    let missing = customers.iter().filter(|(id, customer)| {
        let is_there = |row: &Row| row.customer == **customer && row.deleted.is_none();
        !forgotten.contains(id) && !newest.get(id).is_some_and(|(_, row)| is_there(row))
    });
    let shown = missing.map(|(id, customer)| {
        format!("at the end {id} is {customer:?}, and in the table {:?}", newest.get(id))
    });
    let mut faults: Vec<String> = shown.collect();
    let mut ids = BTreeSet::new();
    if usual == TableMode::Merge && !rows.keys().all(|(id, _)| ids.insert(*id)) {
        faults.push("a table of single rows has an id twice".to_owned());
    }
    faults
}
