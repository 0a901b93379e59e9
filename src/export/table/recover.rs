//! What a table's log proves of itself: whose table it is, the note that another tool's checkpoint has lost, and whether
//! commits are missing from it.

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
