//! What the store's log says, followed write by write without the product's help, with all that was ever written: what is
//! wrong is found at the moment at which it happens.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use object_store::path::Path;
use serde_json::Value;

use super::world::Process;

/// Where the table is.
pub(super) const TABLE: &str = "komet/customers";

/// A version of the table.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// Who committed it.
    pub(super) process: Process,
    /// When its commit arrived.
    pub(super) at: i64,
    /// The files that it adds.
    pub(super) added: BTreeSet<Path>,
    /// All of its files.
    pub(super) files: BTreeSet<Path>,
    /// What it notes.
    pub(super) note: Value,
    /// What it notes of companies, where the table is that of many.
    pub(super) noted: BTreeMap<String, Value>,
    /// What is noted of companies by it and the versions before.
    pub(super) notes: BTreeMap<String, Value>,
}

impl Version {
    /// The files of a company, in a table of many.
    pub(super) fn files_of(&self, company: &str) -> BTreeSet<&Path> {
        self.files.iter().filter(|file| company_of(file) == Some(company)).collect()
    }
}

/// The company in whose folder a file is.
fn company_of(file: &Path) -> Option<&str> {
    file.as_ref().strip_prefix(TABLE)?.strip_prefix("/company=")?.split('/').next()
}

/// Every version that there was.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    pub(super) list: Vec<Version>,
    /// Every file of the table that was ever written.
    pub(super) archive: BTreeMap<Path, Bytes>,
    /// What must not happen and did.
    pub(super) faults: Vec<String>,
    /// Vacuums: for how long each keeps versions, and when it looked at the clock.
    vacuums: BTreeMap<Process, (i64, Option<i64>)>,
}

impl Versions {
    /// The version that a path is the commit of.
    pub(super) fn number(path: &Path) -> Option<usize> {
        let name = path.as_ref().strip_prefix(TABLE)?.strip_prefix("/_delta_log/")?;
        let digits = name.strip_suffix(".json")?;
        (digits.len() == 20).then(|| digits.parse().ok())?
    }

    /// A process is a vacuum that keeps every version which was the newest within this time.
    pub(super) fn vacuums(&mut self, process: Process, retain: i64) {
        self.vacuums.insert(process, (retain, None));
    }

    /// An object is written, which was there before or not.
    pub(super) fn written(
        &mut self,
        process: Process,
        path: &Path,
        bytes: Bytes,
        now: i64,
        is_replaced: bool,
        there: &BTreeSet<Path>,
    ) {
        let is_probe = path.filename().is_some_and(|name| name.starts_with('.'));
        if is_probe && let Some((_, at)) = self.vacuums.get_mut(&process) {
            *at = Some(now);
        }
        if let Some(number) = Self::number(path) {
            if is_replaced || number != self.list.len() {
                self.faults
                    .push(format!("p{process} writes commit {number} of {}", self.list.len()));
            }
            self.committed(process, &bytes, now, there);
        } else if path.as_ref().ends_with(".zstd.parquet") {
            if is_replaced {
                self.faults.push(format!("p{process} replaces {path}"));
            }
            self.archive.insert(path.clone(), bytes);
        }
    }

    fn committed(&mut self, process: Process, bytes: &[u8], now: i64, there: &BTreeSet<Path>) {
        let mut files = self.list.last().map(|version| version.files.clone()).unwrap_or_default();
        let (mut added, mut note) = (BTreeSet::new(), Value::Null);
        let mut noted = BTreeMap::new();
        let place = |path: &Value| Path::from(format!("{TABLE}/{}", path.as_str().unwrap()));
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).unwrap();
            if let Some(remove) = action.get("remove")
                && !files.remove(&place(&remove["path"]))
            {
                self.faults.push(format!("p{process} removes what is not there: {remove}"));
            }
            if let Some(add) = action.get("add") {
                let path = place(&add["path"]);
                if !files.insert(path.clone()) {
                    self.faults.push(format!("p{process} adds twice: {path}"));
                }
                if add["partitionValues"]["company"].as_str() != company_of(&path) {
                    self.faults.push(format!("p{process} adds a file in another's folder: {add}"));
                }
                added.insert(path);
            }
            let Some(domain) = action["domainMetadata"]["domain"].as_str() else { continue };
            let configuration = action["domainMetadata"]["configuration"].as_str().unwrap();
            if domain == "kometsales" {
                note = serde_json::from_str(configuration).unwrap();
            } else if let Some(company) = domain.strip_prefix("kometsales.") {
                let note = serde_json::from_str(configuration).unwrap();
                if noted.insert(company.to_owned(), note).is_some() {
                    self.faults.push(format!("p{process} notes {company} twice in a commit"));
                }
            }
        }
        for gone in files.difference(there) {
            self.faults.push(format!("p{process} commits without {gone}"));
        }
        let mut notes = self.list.last().map(|version| version.notes.clone()).unwrap_or_default();
        notes.extend(noted.clone());
        self.list.push(Version { process, at: now, added, files, note, noted, notes });
    }

    /// An object is removed.
    pub(super) fn removed(&mut self, process: Process, path: &Path) {
        let naming: Vec<usize> =
            (0..self.list.len()).filter(|number| self.list[*number].files.contains(path)).collect();
        let Some(last) = naming.last().copied() else { return };
        match self.vacuums.get(&process) {
            None => self.faults.push(format!("p{process} removes {path} of version {last}")),
            Some((retain, at)) => {
                let since = at.map_or(i64::MIN, |at| at - retain);
                // A version was the newest until the next one arrived.
                let until = self.list.get(last + 1).map_or(i64::MAX, |next| next.at);
                if until > since {
                    let fault = format!("vacuum p{process} removes {path} of version {last}");
                    self.faults.push(fault);
                }
            }
        }
    }
}
