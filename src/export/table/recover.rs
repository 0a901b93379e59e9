//! What a table's log proves of itself: whose table it is, the note that another tool's checkpoint has lost, whether
//! commits are missing from it, and whether another program put older rows in the place of its own.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectMeta;
use serde_json::Value;

use super::note::DOMAIN;
use crate::error::Result;
use crate::store::Store;

/// A commit of fewer bytes has no action in it.
const MIN_COMMIT_BYTES: u64 = 3;

/// The number of a commit; `None` for everything else in a log.
pub(super) fn commit_number(file: &ObjectMeta) -> Option<u64> {
    let name = file.location.filename()?.strip_suffix(".json")?;
    (name.len() == 20).then(|| name.parse().ok())?
}

/// The first commit that holds nothing: what it said is lost, and readers go on as if it had said nothing.
pub(super) fn emptied(listed: &[ObjectMeta]) -> Option<u64> {
    let empty = listed.iter().filter(|file| file.size < MIN_COMMIT_BYTES);
    empty.filter_map(commit_number).min()
}

/// The newest commit after version `after` by which another program may have put older rows in the place of those there were: one that
/// restores a version or overwrites the table, or the newest of all where some are not there any more.
///
/// # Errors
/// `Transient`: the store cannot be reached.
pub(super) fn restored(
    store: &Store,
    listed: &[ObjectMeta],
    after: Option<u64>,
    newest: u64,
) -> Result<Option<u64>> {
    let first = after.map_or(0, |after| after + 1);
    let later = listed.iter().filter_map(|file| Some((commit_number(file)?, &file.location)));
    let mut later: Vec<_> = later.filter(|(number, _)| (first..=newest).contains(number)).collect();
    later.sort();
    for (number, path) in later.iter().rev() {
        if is_replacing(&store.read(path)?) {
            return Ok(Some(*number));
        }
    }
    let is_whole = after.is_none() || later.len() as u64 == (newest + 1).saturating_sub(first);
    Ok((!is_whole).then_some(newest))
}

/// Whether a commit says that it restores an older version or overwrites the table, in the words that Spark, Databricks and delta-rs have
/// for it.
fn is_replacing(commit: &[u8]) -> bool {
    let actions = commit.split(|byte| *byte == b'\n');
    let mut actions = actions.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    actions.any(|action| {
        let commit = &action["commitInfo"];
        let operation = commit["operation"].as_str().unwrap_or_default();
        let mode = commit["operationParameters"]["mode"].as_str().unwrap_or_default();
        operation == "RESTORE"
            || operation.contains("REPLACE TABLE")
            || (operation == "WRITE" && mode.eq_ignore_ascii_case("overwrite"))
    })
}

/// What older commits still say of a table whose newest checkpoint lost it.
#[derive(Default)]
pub(super) struct Traces {
    /// The newest of the notes that were looked for, by their domains.
    pub(super) notes: BTreeMap<String, String>,
    /// Whether a commit names this program.
    pub(super) is_ours: bool,
}

/// Looks through the commits that are there, newest first, for the notes of these domains.
///
/// # Errors
/// `Transient`: the store cannot be reached.
pub(super) fn traces(
    store: &Store,
    listed: &[ObjectMeta],
    domains: &BTreeSet<String>,
) -> Result<Traces> {
    let mut commits: Vec<_> =
        listed.iter().filter_map(|file| Some((commit_number(file)?, &file.location))).collect();
    commits.sort();
    let mut traces = Traces::default();
    for (_, path) in commits.into_iter().rev() {
        traces.take(&store.read(path)?, domains);
        if traces.is_ours && traces.notes.len() == domains.len() {
            break;
        }
    }
    Ok(traces)
}

impl Traces {
    /// Takes a commit that is older than those before.
    fn take(&mut self, commit: &[u8], domains: &BTreeSet<String>) {
        let actions = commit.split(|byte| *byte == b'\n');
        for action in actions.filter_map(|line| serde_json::from_slice::<Value>(line).ok()) {
            let engine = action["commitInfo"]["engineInfo"].as_str().unwrap_or_default();
            let application = action["txn"]["appId"].as_str().unwrap_or_default();
            self.is_ours |= engine.starts_with("kometsales/") || application == DOMAIN;
            let noted = &action["domainMetadata"];
            if let Some(domain) = noted["domain"].as_str().filter(|one| domains.contains(*one))
                && let Some(text) = noted["configuration"].as_str()
            {
                self.notes.entry(domain.to_owned()).or_insert_with(|| text.to_owned());
            }
        }
        self.is_ours |= !self.notes.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The traces of commits, newest first.
    fn traces(commits: &[&str]) -> Traces {
        let domains = BTreeSet::from([DOMAIN.to_owned()]);
        let mut traces = Traces::default();
        commits.iter().for_each(|commit| traces.take(commit.as_bytes(), &domains));
        traces
    }

    #[test]
    fn what_restores_or_overwrites_is_known_and_what_tends_a_table_is_not() {
        let says = |operation: &str, parameters: &str| {
            let info =
                format!(r#"{{"operation":"{operation}","operationParameters":{parameters}}}"#);
            is_replacing(format!("{{\"protocol\":{{}}}}\n{{\"commitInfo\":{info}}}\n").as_bytes())
        };
        assert!(says("RESTORE", r#"{"version":"3"}"#));
        assert!(says("CREATE OR REPLACE TABLE AS SELECT", "{}") && says("REPLACE TABLE", "{}"));
        assert!(
            says("WRITE", r#"{"mode":"Overwrite"}"#) && says("WRITE", r#"{"mode":"overwrite"}"#)
        );
        for other in ["OPTIMIZE", "DELETE", "UPDATE", "MERGE", "SET TBLPROPERTIES", "VACUUM END"] {
            assert!(!says(other, "{}"), "{other}");
        }
        assert!(!says("WRITE", r#"{"mode":"Append"}"#) && !is_replacing(b"{"));
    }

    #[test]
    fn each_kind_of_trace_is_enough() {
        let others = r#"{"commitInfo":{"engineInfo":"delta-rs:1"}}"#;
        let engine = r#"{"commitInfo":{"engineInfo":"kometsales/0.1.0"}}"#;
        let transaction = r#"{"txn":{"appId":"kometsales","version":1}}"#;
        let note = r#"{"domainMetadata":{"domain":"kometsales","configuration":"newest"}}"#;
        let older = r#"{"domainMetadata":{"domain":"kometsales","configuration":"older"}}"#;
        let stranger = r#"{"domainMetadata":{"domain":"delta.rowTracking","configuration":"x"}}"#;
        assert!(!traces(&[others, stranger, "{", ""]).is_ours);
        for one in [engine, transaction, note] {
            assert!(traces(&[one]).is_ours, "{one}");
            assert!(traces(&[one, others]).is_ours, "{one} before others");
            assert!(traces(&[others, one]).is_ours, "{one} after others");
            let together = format!("{others}\n{one}\n{stranger}");
            assert!(traces(&[&together]).is_ours, "{together}");
        }
        assert_eq!(traces(&[others, note, older]).notes[DOMAIN], "newest");
        assert!(traces(&[engine, stranger]).notes.is_empty());
    }
}
