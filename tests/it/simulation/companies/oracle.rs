//! What has to hold of every history of companies that share a table, of each company for itself.

use std::collections::BTreeSet;

use kometsales::export::report::Report;
use object_store::path::Path;
use serde_json::Value;

use super::NAMES;
use super::history::{Came, Done, History, Job, Said};
use crate::simulation::log::Version;
use crate::simulation::model::{Rows, apply};
use crate::simulation::oracle::{
    Files, applied, difference, extracted_at, gone_at_the_end, missing_at_the_end, state_ahead,
};
use crate::simulation::world::Process;

/// What does not hold.
pub(in crate::simulation) fn faults(history: &History) -> Vec<String> {
    let mut faults = history.versions.faults.clone();
    for done in &history.done {
        let why = of_process(history, done).into_iter();
        faults.extend(why.map(|why| format!("p{}: {why}", done.process)));
    }
    faults.extend(strangers(history));
    for (place, company) in history.companies.iter().enumerate() {
        let of_company = Company { history, place, company };
        faults.extend(of_company.faults().into_iter().map(|why| format!("{company}: {why}")));
    }
    faults.extend(gone_at_the_end(&history.versions, &history.names));
    faults.extend(left_over(history));
    faults
}

/// Files and notes that are of no company.
fn strangers(history: &History) -> Vec<String> {
    let is_known = |name: &str| history.companies.contains(&name);
    let mut faults = Vec::new();
    for (number, version) in history.versions.list.iter().enumerate() {
        let noted = version.noted.keys().filter(|name| !is_known(name));
        faults.extend(noted.map(|name| format!("version {number} notes {name}")));
        if !version.note.is_null() {
            faults.push(format!("version {number} is noted as that of one company"));
        }
        let own = history.companies.iter().map(|company| version.files_of(company).len());
        if own.sum::<usize>() != version.files.len() {
            faults.push(format!("version {number} has a file of nobody: {:?}", version.files));
        }
    }
    faults
}

/// Files of runs that lost a race and are still there, where nothing went wrong.
fn left_over(history: &History) -> Vec<String> {
    if history.has_faults {
        return Vec::new();
    }
    let named: BTreeSet<&Path> =
        history.versions.list.iter().flat_map(|version| &version.files).collect();
    let left = history.versions.archive.keys().filter(|file| history.names.contains(*file));
    let left = left.filter(|file| !named.contains(file));
    left.map(|file| format!("{file} is left over")).collect()
}

/// The versions in which a process notes a company.
fn noted(history: &History, process: Process, company: &str) -> Vec<usize> {
    let versions = history.versions.list.iter().enumerate();
    let own = versions.filter(|(_, version)| version.process == process);
    own.filter(|(_, version)| version.noted.contains_key(company)).map(|(at, _)| at).collect()
}

/// What of a process is not as it said.
fn of_process(history: &History, done: &Done) -> Vec<String> {
    let mut faults = Vec::new();
    let mut heard = BTreeSet::new();
    match &done.came {
        Ok(Came::Ran(lines)) => {
            for (company, said) in lines {
                if !heard.insert(company.as_str()) {
                    faults.push(format!("{company} ends twice"));
                }
                faults.extend(of_company(history, done, company, said));
            }
        }
        Ok(Came::Forgotten(version, is_committed)) => {
            let Job::Forget { company, .. } = done.job else { unreachable!("{done:?}") };
            let versions = noted(history, done.process, history.companies[company]);
            let expected = if *is_committed { vec![*version as usize] } else { Vec::new() };
            if versions != expected {
                faults.push(format!("it says {done:?}, and its versions are {versions:?}"));
            }
        }
        Ok(Came::Vacuumed) => {}
        Err(error) => {
            let said = Said::Failed(error.kind().name(), error.to_string());
            let company = match done.job {
                Job::Forget { company, .. } => history.companies[company],
                _ => "",
            };
            faults.extend(of_company(history, done, company, &said));
        }
    }
    let is_dry_run = matches!(
        done.job,
        Job::Run { is_dry_run: true, .. } | Job::Vacuum { is_dry_run: true, .. }
    );
    if is_dry_run && done.sent > 0 {
        faults.push("a dry run writes".to_owned());
    }
    // Whatever it says, it commits a company once, and none that it says nothing of.
    for (at, version) in history.versions.list.iter().enumerate() {
        if version.process != done.process {
            continue;
        }
        let is_unheard = |company: &&String| match done.job {
            Job::Run { .. } => !done.is_killed && !heard.contains(company.as_str()),
            Job::Forget { company: own, .. } => history.companies[own] != company.as_str(),
            Job::Vacuum { .. } => true,
        };
        let unheard: Vec<_> = version.noted.keys().filter(is_unheard).collect();
        if !unheard.is_empty() || version.noted.is_empty() {
            faults.push(format!("version {at} of it is of {unheard:?}"));
        }
    }
    for company in &history.companies {
        let versions = noted(history, done.process, company);
        if versions.len() > 1 {
            faults.push(format!("{company} is there more than once: {versions:?}"));
        }
    }
    faults
}

/// Whether what a run said of a company is what is there: one commit of one that was acknowledged, none of one that was
/// refused.
fn of_company(history: &History, done: &Done, company: &str, said: &Said) -> Option<String> {
    let versions = noted(history, done.process, company);
    let fails = |what: &str| Some(format!("{company} {what}, and its versions are {versions:?}"));
    match said {
        Said::Exported(report) => {
            let is_there = |at: &usize| {
                let note = &history.versions.list[*at].noted[company];
                report.version == Some(*at as u64) && note["run"] == report.run.as_str()
            };
            let is_once = versions.len() == 1 && versions.iter().all(is_there);
            (!is_once).then(|| fails(&format!("is acknowledged as {:?}", report.version))).flatten()
        }
        Said::Unchanged | Said::Compared | Said::NotStarted if !versions.is_empty() => {
            fails(&format!("committed nothing ({said:?})"))
        }
        Said::NotStarted if is_quiet(history) => fails("had no turn"),
        Said::Unchanged | Said::Compared | Said::NotStarted => None,
        Said::Failed(_, _) if done.is_killed => None,
        Said::Failed("system", message) => fails(&format!("stopped at a bug: {message}")),
        Said::Failed(_, message) if !versions.is_empty() => {
            let is_sure = !done.in_doubt.contains(company) || message.contains("Nothing of this");
            is_sure.then(|| fails(&format!("is refused: {message}"))).flatten()
        }
        Said::Failed(kind, message) => {
            // An overwrite may be refused for what it would take away, and a removal find no table.
            let is_usual = *kind == "data" || matches!(done.job, Job::Forget { .. });
            let is_vacuum = matches!(done.job, Job::Vacuum { .. });
            let is_unexpected = is_quiet(history) && !is_usual && !is_vacuum;
            let is_last = done.process == History::LAST;
            (is_unexpected || is_last).then(|| fails(&format!("fails: {message}"))).flatten()
        }
    }
}

/// Whether nothing goes wrong in a history, and no vacuum takes away what others read.
fn is_quiet(history: &History) -> bool {
    let vacuums =
        |done: &Done| matches!(done.job, Job::Vacuum { .. } | Job::Run { vacuum: Some(_), .. });
    !history.has_faults && !history.done.iter().any(vacuums)
}

/// A company of a history.
struct Company<'a> {
    history: &'a History,
    place: usize,
    company: &'a str,
}

impl Company<'_> {
    fn faults(&self) -> Vec<String> {
        let Self { history, company, .. } = self;
        let forgotten = self.forgotten();
        let customers = &history.komets[self.place].customers;
        let (mut faults, mut read, mut rows) = (Vec::new(), Files::default(), Rows::new());
        for (number, version) in history.versions.list.iter().enumerate() {
            let note = version.noted.get(*company);
            let before = number.checked_sub(1).map(|last| &history.versions.list[last]);
            let files = version.files_of(company);
            let had = before.map(|before| before.files_of(company)).unwrap_or_default();
            let Some(note) = note else {
                if files != had {
                    faults.push(format!("version {number} changes it without a note"));
                }
                continue;
            };
            let (there, twice) = read.rows(&history.versions.archive, files);
            faults.extend(twice.map(|key| format!("{key:?} stands twice in version {number}")));
            let (expected, why) = self.expected(version, before, &rows);
            if there != expected {
                let differ = difference(&there, &expected);
                let what = format!("version {number} is not what the model says");
                faults.push(format!("{what} ({why}): {differ}"));
            }
            faults.extend(self.of_note(note, number, &there));
            let ahead = state_ahead(note, customers, &forgotten, &there);
            faults.extend(ahead.into_iter().map(|why| format!("version {number} {why}")));
            rows = there;
        }
        faults.extend(missing_at_the_end(history.usual, customers, &forgotten, &rows));
        faults
    }

    /// What a note does not say as it is, and rows beside it that are of others.
    fn of_note(&self, note: &Value, number: usize, rows: &Rows) -> Vec<String> {
        let mut faults = Vec::new();
        let made = &note["made"];
        if made["version"] != number || made["rows"] != rows.len() {
            faults.push(format!("version {number} has {} rows, and notes {made}", rows.len()));
        }
        let first = self.place as u32 * NAMES;
        let is_own = |name: u32| name > first && name < first + NAMES;
        let others = rows.iter().filter(|(_, row)| !is_own(row.customer.name));
        faults.extend(others.map(|row| format!("version {number} has a row of another: {row:?}")));
        faults
    }

    /// The rows that a version is to have, by those of the one before, and what made it.
    fn expected(&self, version: &Version, before: Option<&Version>, rows: &Rows) -> (Rows, String) {
        let Self { history, company, .. } = self;
        let done = history.done.iter().find(|done| done.process == version.process).unwrap();
        let mut rows = rows.clone();
        let why = format!("p{} {:?}", done.process, done.job);
        match &done.job {
            Job::Forget { id, .. } => rows.retain(|key, _| key.0 != *id),
            Job::Vacuum { .. } => {}
            Job::Run { mode, allow_shrink, .. } => {
                let turns = history.told.get(&(version.process, (*company).to_owned()));
                // Who is told again has been overtaken before.
                let Some(told) = turns.and_then(|turns| turns.last()) else {
                    return (rows, format!("{why}, which was told nothing"));
                };
                let noted = before.and_then(|before| before.notes.get(*company));
                let own = |file: &&&Path| version.added.contains(**file);
                let files = version.files_of(company);
                let report = self.report(done);
                let at = extracted_at(
                    &history.versions.archive,
                    files.iter().find(own).copied(),
                    report,
                );
                let how = (*mode, *allow_shrink);
                apply(&mut rows, &applied(told, noted, how, at.unwrap_or(told.at)));
            }
        }
        (rows, why)
    }

    fn report<'d>(&self, done: &'d Done) -> Option<&'d Report> {
        let Ok(Came::Ran(lines)) = &done.came else { return None };
        lines.iter().find_map(|(company, said)| match said {
            Said::Exported(report) if company == self.company => Some(&**report),
            _ => None,
        })
    }

    /// Its customers that were to be forgotten.
    fn forgotten(&self) -> BTreeSet<i64> {
        let forgotten = self.history.done.iter().filter_map(|done| match done.job {
            Job::Forget { company, id } if company == self.place => Some(id),
            _ => None,
        });
        forgotten.collect()
    }
}
