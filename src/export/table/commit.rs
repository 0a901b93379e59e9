//! The commit of a change to a table, or of the changes to several companies' parts of one table at once.

use std::collections::HashMap;
use std::sync::Arc;

use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::expressions::Scalar;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::data_layout::DataLayout;
use delta_kernel::transaction::{
    CommitResult, CommittedTransaction, UpdateTableOperation, WriteState,
};
use delta_kernel::{EngineData, FilteredEngineData, KernelError};

use super::committer::FirstCommit;
use super::log::{ENGINE, Log, Version};
use super::note::{DOMAIN, Note, domain_of};
use super::{actions, columns};
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::export::parquet::Written;
use crate::log::Log as Messages;
use crate::model::arrow::COMPANY;

/// Commits after which the log is summed up in a checkpoint.
const CHECKPOINT: u64 = 10;

/// What a commit changes, of a table or of one company's part of it.
pub(super) struct Change<'a> {
    /// Whose part of the table; `None` for a table of one company.
    pub(super) company: Option<&'a str>,
    pub(super) note: Note,
    pub(super) added: &'a [Written],
    /// Positions in [`Version::files`] of the version that is committed to.
    pub(super) removed: Vec<usize>,
    /// Columns that the table does not get.
    pub(super) left_out: Vec<String>,
    /// What the commit says of it.
    pub(super) metrics: Vec<(&'static str, u64)>,
}

/// What came of a commit.
pub(super) enum Committed {
    /// It is this version.
    As(u64),
    /// Somebody else's commit was first.
    Conflict,
    /// It failed, and it is not there: it was never sent, or every answer was a refusal.
    Refused(Error),
}

impl Log {
    /// Commits changes to a version, or the first version of a table, all at once. There is at least one.
    ///
    /// # Errors
    /// `Transient`: whether it was committed is not known. `Config`: it cannot be.
    pub(super) fn commit(
        &self,
        version: Option<&Version>,
        changes: &[Change<'_>],
        messages: &dyn Messages,
    ) -> Result<Committed> {
        let first = changes.first().ok_or_else(|| Error::bug("A commit has no change"))?;
        let number = version.map_or(0, |version| version.number() + 1);
        let commit = self.folder.clone().join("_delta_log").join(format!("{number:020}.json"));
        let done = match version {
            None => self.create(first, changes),
            Some(version) => self.update(version, first, changes),
        };
        let done = match done {
            Ok(Some(done)) => done,
            Ok(None) => return Ok(Committed::Conflict),
            Err(error) if !self.store.may_be_there(&commit) => {
                return Ok(Committed::Refused(self.explain("written", error)));
            }
            // It may have been committed after all. Whatever else is there says nothing of that. Another writer may have
            // committed other companies on top of it since: the version is the one that was asked for.
            Err(error) => match self.load() {
                Ok(Some(there)) if self.has_any(&there, changes) => {
                    return Ok(Committed::As(number));
                }
                _ => return Err(self.explain("written", error)),
            },
        };
        self.sum_up(&done, messages);
        Ok(Committed::As(done.commit_version()))
    }

    /// Whether one of the changes is in a version: then all of them are, since they are one commit.
    fn has_any(&self, there: &Version, changes: &[Change<'_>]) -> bool {
        changes.iter().any(|change| match change.company {
            None => there.note.as_ref().is_some_and(|note| note.run == change.note.run),
            Some(company) => {
                let note = self.note_of(there, company).ok().flatten();
                note.is_some_and(|note| note.run == change.note.run)
            }
        })
    }

    fn create(
        &self,
        first: &Change<'_>,
        changes: &[Change<'_>],
    ) -> Result<Option<CommittedTransaction>, KernelError> {
        // The kernel wants the folder of a table of this machine to be there.
        self.store.make_folder(&self.folder);
        let is_shared = first.company.is_some();
        let left_out = left_out(changes);
        let schema = columns::schema(first.note.table_mode, self.stream, &left_out, is_shared)?;
        let mut builder = create_table(self.root.as_str(), schema, ENGINE, true)
            .with_table_properties([("delta.feature.domainMetadata", "supported")])
            .with_transaction_id(DOMAIN, 0)
            .with_operation_metrics(metrics(changes));
        if is_shared {
            builder = builder.with_data_layout(DataLayout::partitioned([COMPANY]));
        }
        for (domain, note) in self.notes(changes) {
            builder = builder.with_domain_metadata(domain, note);
        }
        let transaction =
            builder.build(self.engine.as_ref(), Box::new(FirstCommit::of(self.stream)));
        let mut transaction = match transaction {
            Ok(transaction) => transaction,
            // Nothing has been sent yet: somebody else was first.
            Err(error) if is_there_already(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let state = transaction.write_state()?;
        for action in self.added(&state, changes)? {
            transaction.add_files(action);
        }
        match transaction.commit(self.engine.as_ref())? {
            CommitResult::Committed(done) => Ok(Some(done)),
            CommitResult::Conflicted(_) => Ok(None),
            CommitResult::Retryable(failed) => Err(failed.error),
        }
    }

    fn update(
        &self,
        version: &Version,
        first: &Change<'_>,
        changes: &[Change<'_>],
    ) -> Result<Option<CommittedTransaction>, KernelError> {
        let Version { snapshot, files, listed, .. } = version;
        let operation = match first.note.mode {
            TableMode::Merge | TableMode::History => UpdateTableOperation::Merge,
            TableMode::Append | TableMode::Overwrite => UpdateTableOperation::Write,
        };
        let last = snapshot.get_app_id_version(DOMAIN, self.engine.as_ref())?.unwrap_or_default();
        let mut builder = snapshot
            .clone()
            .update_table(operation, ENGINE, true)
            .with_transaction_id(DOMAIN, last + 1)
            .with_operation_metrics(metrics(changes));
        for (domain, note) in self.notes(changes) {
            builder = builder.with_domain_metadata(domain, note);
        }
        // A note alone needs no new column, with which an older program would refuse the table.
        if changes.iter().any(|change| !change.added.is_empty()) {
            let (there, left_out) = (snapshot.schema(), left_out(changes));
            let mode = first.note.table_mode;
            for field in columns::missing(&there, mode, self.stream, &left_out)? {
                builder = builder.add_column(field);
            }
        }
        let mut transaction =
            builder.build(self.engine.as_ref(), Box::new(FileSystemCommitter::new()))?;
        let state = transaction.write_state()?;
        for action in self.added(&state, changes)? {
            transaction.add_files(action);
        }
        for (number, data) in listed.iter().enumerate() {
            let mut removed = vec![false; data.num_rows()];
            let all = changes.iter().flat_map(|change| &change.removed);
            for file in all.filter_map(|file| files.get(*file)) {
                if file.place.0 == number {
                    removed[file.place.1] = true;
                }
            }
            if removed.contains(&true) {
                let data = Box::new(ArrowEngineData::new(data.clone()));
                transaction.remove_files(FilteredEngineData::try_new(data, removed)?);
            }
        }
        match transaction.commit(self.engine.as_ref())? {
            CommitResult::Committed(done) => Ok(Some(done)),
            CommitResult::Conflicted(_) => Ok(None),
            CommitResult::Retryable(failed) => Err(failed.error),
        }
    }

    /// What is noted, by domain.
    fn notes(&self, changes: &[Change<'_>]) -> Vec<(String, String)> {
        let note = |change: &Change<'_>| change.note.to_json(self.stream).to_string();
        changes.iter().map(|change| (domain_of(change.company), note(change))).collect()
    }

    /// The actions that add the files of changes, each with whose they are.
    fn added(
        &self,
        state: &Arc<WriteState>,
        changes: &[Change<'_>],
    ) -> Result<Vec<Box<dyn EngineData>>, KernelError> {
        let mut actions = Vec::new();
        for change in changes {
            let mut context = state.write_context_builder();
            if let Some(company) = change.company {
                let value = (COMPANY.to_owned(), Scalar::from(company));
                context = context.with_partition_values(HashMap::from([value]));
            }
            let context = context.build()?;
            let columns = change.note.table_mode.schema(self.stream);
            let folder = self.files_of_company(change.company);
            for file in change.added {
                actions.push(actions::add(
                    file,
                    &self.store.folder_url(&folder),
                    &columns,
                    &context,
                )?);
            }
        }
        Ok(actions)
    }

    /// Writes a checkpoint where it is time for one. The table is whole without it.
    fn sum_up(&self, done: &CommittedTransaction, messages: &dyn Messages) {
        if done.post_commit_stats().commits_since_checkpoint < CHECKPOINT {
            return;
        }
        let Some(snapshot) = done.post_commit_snapshot() else { return };
        if let Err(error) = snapshot.checkpoint(self.engine.as_ref(), None) {
            let error = self.explain("summed up", error);
            messages.warn(&format!("The rows are committed, but no checkpoint of the table's log could be written: {error}"));
        }
    }
}

/// The columns that none of the changes has.
fn left_out(changes: &[Change<'_>]) -> Vec<String> {
    let Some((first, others)) = changes.split_first() else { return Vec::new() };
    let is_nowhere = |name: &&String| others.iter().all(|other| other.left_out.contains(name));
    first.left_out.iter().filter(is_nowhere).cloned().collect()
}

fn is_there_already(error: &KernelError) -> bool {
    matches!(error.without_backtrace(), KernelError::TableAlreadyExistsAtPath(_))
}

/// What the changes say of themselves, added up.
fn metrics(changes: &[Change<'_>]) -> Vec<(String, Option<String>)> {
    let mut sums: Vec<(&'static str, u64)> = Vec::new();
    for (name, value) in changes.iter().flat_map(|change| &change.metrics) {
        match sums.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name, *value)),
        }
    }
    if changes.iter().any(|change| change.company.is_some()) {
        sums.push(("companies", changes.len() as u64));
    }
    sums.into_iter().map(|(name, sum)| (name.to_owned(), Some(sum.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use std::backtrace::Backtrace;

    use super::*;
    use crate::model::Zone;
    use crate::state::State;

    fn note() -> Note {
        Note {
            run: "a-run".into(),
            mode: TableMode::Merge,
            table_mode: TableMode::Merge,
            extracted_at: Zone::UTC.parse("2026-11-24T06:00:00").unwrap(),
            overwritten_at: None,
            state: State::default(),
            made: None,
            filters: None,
            vacuumed_at: None,
            people: Default::default(),
            restored: None,
        }
    }

    fn change(left_out: &[&str], company: Option<&'static str>, deleted: u64) -> Change<'static> {
        Change {
            company,
            note: note(),
            added: &[],
            removed: Vec::new(),
            left_out: left_out.iter().map(|name| (*name).to_owned()).collect(),
            metrics: vec![("deleted", deleted), ("rows", 1)],
        }
    }

    #[test]
    fn a_column_is_left_out_where_no_change_has_it() {
        assert_eq!(left_out(&[]), [] as [&str; 0]);
        assert_eq!(left_out(&[change(&["a", "b"], None, 0)]), ["a", "b"]);
        let changes = [change(&["a", "b", "c"], None, 0), change(&["c", "b"], None, 0)];
        assert_eq!(left_out(&changes), ["b", "c"]);
        assert_eq!(left_out(&[change(&["a"], None, 0), change(&[], None, 0)]), [] as [&str; 0]);
    }

    #[test]
    fn what_changes_say_is_added_up() {
        let said = |changes: &[Change<'_>]| {
            let metrics = metrics(changes).into_iter();
            metrics.map(|(name, value)| format!("{name} {}", value.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(said(&[change(&[], None, 3)]), ["deleted 3", "rows 1"]);
        let changes = [change(&[], Some("a"), 3), change(&[], Some("b"), 4)];
        assert_eq!(said(&changes), ["deleted 7", "rows 2", "companies 2"]);
    }

    #[test]
    fn a_table_that_is_there_is_known_however_the_error_is_wrapped() {
        let wrapped = |error| KernelError::Backtraced {
            source: Box::new(error),
            backtrace: Box::new(Backtrace::disabled()),
        };
        let there = || KernelError::TableAlreadyExistsAtPath("lake".into());
        assert!(is_there_already(&there()) && is_there_already(&wrapped(there())));
        let other = || KernelError::MissingVersion(7);
        assert!(!is_there_already(&other()) && !is_there_already(&wrapped(other())));
    }
}
