//! What has to hold of every history.

use std::collections::{BTreeMap, BTreeSet};

use kometsales::error::Kind;
use kometsales::export::mode::TableMode;
use kometsales::model::Zone;
use object_store::path::Path;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::history::{Came, Done, History, Job};
use super::log::Version;
use super::model::{Applied, Keyed, Row, Rows, apply, newest, of_file};
use super::world::{HOUR, Process};

/// What does not hold.
pub(super) fn faults(history: &History) -> Vec<String> {
    let mut faults = history.versions.faults.clone();
    for done in &history.done {
        faults.extend(of_process(history, done).map(|why| format!("p{}: {why}", done.process)));
    }
    let mut tables = Tables::default();
    let mut rows = Rows::new();
    for number in 0..history.versions.list.len() {
        let there = tables.rows(history, number);
        let (expected, why) = tables.expected(history, number, &rows);
        if there != expected {
            let differ = difference(&there, &expected);
            faults.push(format!("version {number} is not what the model says ({why}): {differ}"));
        }
        faults.extend(state_ahead(history, number, &there));
        rows = there;
    }
    if let Some(last) = history.versions.list.last() {
        let gone = last.files.iter().filter(|file| !history.names.contains(*file));
        faults.extend(gone.map(|file| format!("{file} of the newest version is gone")));
    }
    faults.extend(missing_at_the_end(history, &rows));
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

fn micros(time: &Value) -> Option<i64> {
    Some(Zone::UTC.parse(time.as_str()?).unwrap().micros())
}

/// Files that were read, since most are in many versions.
#[derive(Default)]
struct Tables {
    files: BTreeMap<Path, Vec<Keyed>>,
}

impl Tables {
    /// The rows of a version.
    fn rows(&mut self, history: &History, number: usize) -> Rows {
        let mut rows = Rows::new();
        for file in &history.versions.list[number].files {
            let read = || of_file(&history.versions.archive[file]);
            for (key, row) in self.files.entry(file.clone()).or_insert_with(read) {
                assert!(
                    rows.insert(*key, *row).is_none(),
                    "{key:?} stands twice in version {number}"
                );
            }
        }
        rows
    }

    /// The rows that a version is to have, by those of the one before, and what made it.
    fn expected(&self, history: &History, number: usize, before: &Rows) -> (Rows, String) {
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
                let list = noted.map(|note| &note["state"]["list"]);
                let base = list.filter(|list| list["count"].is_u64());
                let base = base.and_then(|list| micros(&list["at"]));
                let at = extracted_at(history, done, version).unwrap_or(told.at);
                let is_complete = told.is_whole && !told.records.is_empty();
                let applied = Applied {
                    mode: *mode,
                    records: &told.records,
                    at,
                    proves: is_complete && base.is_some_and(|base| base <= at),
                    allow_shrink: *allow_shrink,
                    is_in_doubt: told.is_in_doubt,
                };
                apply(&mut rows, &applied);
            }
        }
        (rows, why)
    }
}

/// When the rows of an export count as extracted: what its files say, and its report.
fn extracted_at(history: &History, done: &Done, version: &Version) -> Option<i64> {
    let noted = version.added.iter().next().map(|file| {
        let bytes = history.versions.archive[file].clone();
        let reader = SerializedFileReader::new(bytes).unwrap();
        let entries = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let entry = entries.into_iter().find(|entry| entry.key == "kometsales.extracted_at");
        Zone::UTC.parse(&entry.unwrap().value.unwrap()).unwrap().micros()
    });
    let reported = match &done.came {
        Some(Ok(Came::Exported(report))) => Some(report.extracted_at.micros()),
        _ => None,
    };
    assert!(noted.is_none() || reported.is_none() || noted == reported, "{done:?}");
    noted.or(reported)
}

fn difference(there: &Rows, expected: &Rows) -> String {
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

/// Customers that a read from the cursor of a version would not bring, and of which the version has something else than
/// what Komet has.
fn state_ahead(history: &History, number: usize, rows: &Rows) -> Vec<String> {
    let cursor = micros(&history.versions.list[number].note["state"]["updatedOn"]);
    let Some(bound) = cursor.map(|cursor| cursor - HOUR) else { return Vec::new() };
    let (newest, forgotten) = (newest(rows), forgotten(history));
    let outdated = history.customers.iter().filter(|(id, customer)| {
        let is_behind = customer.updated.is_some_and(|updated| updated < bound);
        is_behind
            && !forgotten.contains(id)
            && newest.get(id).is_none_or(|(_, row)| row.customer != **customer)
    });
    let shown = outdated.map(|(id, customer)| {
        format!(
            "version {number} has a cursor before which {id} is {customer:?}, and it is {:?}",
            newest.get(id)
        )
    });
    shown.collect()
}

/// Customers that are not in the table after the last export.
fn missing_at_the_end(history: &History, rows: &Rows) -> Vec<String> {
    let (newest, forgotten) = (newest(rows), forgotten(history));
    let missing = history.customers.iter().filter(|(id, customer)| {
        let is_there = |row: &Row| row.customer == **customer && row.deleted.is_none();
        !forgotten.contains(id) && !newest.get(id).is_some_and(|(_, row)| is_there(row))
    });
    let shown = missing.map(|(id, customer)| {
        format!("at the end {id} is {customer:?}, and in the table {:?}", newest.get(id))
    });
    let mut faults: Vec<String> = shown.collect();
    let mut ids = BTreeSet::new();
    if history.usual == TableMode::Merge && !rows.keys().all(|(id, _)| ids.insert(*id)) {
        faults.push("a table of single rows has an id twice".to_owned());
    }
    faults
}
