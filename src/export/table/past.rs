//! What a table's log says of all versions that can be read, proved before anything is decided by it: commits without a
//! gap, every line of them, and checkpoints that hold what the commits say.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::log::{Log, Version};
use super::names::Entry;
use super::note::DOMAIN;
use super::retention::{Checkpoint, Commit, History};
use crate::error::{Error, Result};

/// A table's log, read.
pub(super) struct Past {
    pub(super) history: History<Path>,
    /// Every entry of the log, by version and name.
    pub(super) entries: Vec<(Entry, ObjectMeta)>,
    /// The commit of the newest version.
    pub(super) newest: Path,
    /// The names of files that commits name in other places. One of this name here may be meant after all.
    pub(super) elsewhere: HashSet<String>,
    /// Whether the log has commits from before a gap, which no version can be read from.
    has_gap: bool,
    /// What commits note, this program's domains alone: the version, the domain and the note.
    notes: Vec<(u64, String, String)>,
}

/// Why a log was not read.
pub(super) enum Unread {
    /// An entry went away meanwhile: somebody else cleans up.
    Moved,
    /// It cannot be read.
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A line of a commit, as far as it counts here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action<'a> {
    add: Option<Named>,
    remove: Option<Named>,
    domain_metadata: Option<Domain>,
    #[serde(borrow)]
    pub(super) protocol: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    path: String,
}

#[derive(Deserialize)]
struct Domain {
    domain: String,
    #[serde(default)]
    configuration: String,
}

impl Past {
    /// Reads the log of a table up to a version.
    pub(super) fn read(log: &Log, version: &Version) -> Result<Self, Unread> {
        let folder = log.folder.clone().join("_delta_log");
        let newest = version.number();
        let mut entries: Vec<(Entry, ObjectMeta)> = log
            .store
            .list(&folder)?
            .into_iter()
            .filter_map(|file| Some((Entry::named(file.location.filename()?)?, file)))
            .filter(|(entry, _)| entry.version() <= newest)
            .collect();
        entries.sort_by(|(one, a), (other, b)| {
            (one.version(), &a.location).cmp(&(other.version(), &b.location))
        });
        let commits: Vec<(u64, &ObjectMeta)> = entries
            .iter()
            .filter_map(|(entry, file)| match entry {
                Entry::Commit(version) => Some((*version, file)),
                _ => None,
            })
            .collect();
        // The commits without a gap, from the newest backwards.
        let length = (0..=newest)
            .rev()
            .zip(commits.iter().rev())
            .take_while(|(expected, (version, _))| expected == version)
            .count();
        let has_gap = length < commits.len();
        let commits = commits.split_at(commits.len() - length).1;
        let Some((first, _)) = commits.first().copied() else {
            return Err(damaged(log, &format!("commit {newest} is missing")).into());
        };
        let checkpoints = checkpoints(&entries);
        let start = match first {
            0 => None,
            first => {
                let serving = checkpoints.iter().find(|known| known.version + 1 >= first);
                let missing = || damaged(log, &format!("commit {} is missing", first - 1));
                let version = serving.ok_or_else(missing)?.version;
                Some((version, log.files_of(version)?.0))
            }
        };
        let mut past = Self {
            history: History { start, commits: Vec::new(), checkpoints },
            newest: folder.join(format!("{newest:020}.json")),
            elsewhere: HashSet::new(),
            has_gap,
            notes: Vec::new(),
            entries: Vec::new(),
        };
        past.read_commits(log, commits)?;
        past.entries = entries;
        past.prove(log, newest, version.files.iter().map(|file| &file.path))?;
        Ok(past)
    }

    fn read_commits(&mut self, log: &Log, commits: &[(u64, &ObjectMeta)]) -> Result<(), Unread> {
        let paths: Vec<Path> = commits.iter().map(|(_, file)| file.location.clone()).collect();
        let mut has_moved = false;
        log.store.read_each(&paths, |number, bytes| {
            let (version, file) = commits[number];
            let Some(bytes) = bytes else {
                has_moved = true;
                return Ok(());
            };
            let mut commit = Commit {
                version,
                written_at: file.last_modified,
                added: Vec::new(),
                removed: Vec::new(),
            };
            each_action(log, version, &bytes, |action| {
                if let Some(Domain { domain, configuration }) = action.domain_metadata
                    && domain.starts_with(DOMAIN)
                {
                    self.notes.push((version, domain, configuration));
                }
                let mut name = |named: Option<Named>| {
                    let Some(Named { path }) = named else { return Ok(None) };
                    let found = inside(log, &path, version)?;
                    if found.is_none() {
                        self.elsewhere.extend(path.rsplit('/').next().map(str::to_owned));
                    }
                    Ok(found)
                };
                commit.added.extend(name(action.add)?);
                commit.removed.extend(name(action.remove)?);
                Ok(())
            })?;
            self.history.commits.push(commit);
            Ok(())
        })?;
        if has_moved { Err(Unread::Moved) } else { Ok(()) }
    }

    /// That a version has the files that the commits up to it lead to.
    fn prove<'a>(
        &self,
        log: &Log,
        version: u64,
        files: impl Iterator<Item = &'a Path>,
    ) -> Result<()> {
        let inside = files.filter(|path| path.prefix_matches(&log.folder));
        if self.history.files(version) == inside.cloned().collect() {
            return Ok(());
        }
        Err(damaged(log, &format!("a checkpoint and the commits differ about version {version}")))
    }

    /// That a checkpoint, read, holds the files that the commits up to it lead to. False if it does not hold the notes, so
    /// that the commits have to stay.
    pub(super) fn prove_checkpoint(&self, log: &Log, version: u64) -> Result<bool> {
        let (files, snapshot) = log.files_of(version)?;
        self.prove(log, version, files.iter())?;
        let mut notes: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, domain, note) in self.notes.iter().filter(|(noted, ..)| *noted <= version) {
            notes.insert(domain, note);
        }
        let there = log.domains(&snapshot)?;
        let is_there = |domain: &str, note: &str| there.get(domain).is_some_and(|own| own == note);
        let has_all = notes.iter().all(|(domain, note)| is_there(domain, note));
        Ok(has_all && there.keys().any(|domain| domain.starts_with(DOMAIN)))
    }

    /// Refuses a log with a gap that is not older than what has to stay.
    pub(super) fn refuse_gap(&self, log: &Log, is_older: bool) -> Result<()> {
        if !self.has_gap || is_older {
            return Ok(());
        }
        let first = self.history.commits.first().map_or(0, |commit| commit.version);
        Err(damaged(log, &format!("commit {} is missing", first.saturating_sub(1))))
    }
}

/// The checkpoints of which all parts are there.
fn checkpoints(entries: &[(Entry, ObjectMeta)]) -> Vec<Checkpoint> {
    let mut parts: BTreeMap<(u64, u64), (u64, DateTime<Utc>)> = BTreeMap::new();
    for (entry, file) in entries {
        if let Entry::Checkpoint(version, of) = entry {
            let (there, written_at) = parts.entry((*version, *of)).or_default();
            *there += 1;
            *written_at = file.last_modified.max(*written_at);
        }
    }
    let whole = parts.into_iter().filter(|((_, of), (there, _))| there >= of);
    let mut whole: Vec<_> =
        whole.map(|((version, _), (_, written_at))| Checkpoint { version, written_at }).collect();
    whole.dedup_by_key(|checkpoint| checkpoint.version);
    whole
}

/// Reads the actions of a commit.
///
/// # Errors
/// `Config`: a line is not one.
pub(super) fn each_action(
    log: &Log,
    version: u64,
    bytes: &[u8],
    mut take: impl FnMut(Action<'_>) -> Result<()>,
) -> Result<()> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let action = serde_json::from_slice(line).map_err(|error| {
            damaged(log, &format!("line {} of commit {version} is not JSON", number + 1))
                .caused_by(error)
        })?;
        take(action)?;
    }
    Ok(())
}

/// The files that a commit adds, for who looks at new commits.
pub(super) fn added(log: &Log, version: u64, action: Action<'_>) -> Result<Option<Path>> {
    match action.add {
        Some(Named { path }) => inside(log, &path, version),
        None => Ok(None),
    }
}

/// A file as commits name it: relative to the table's folder, or a whole URL. `None` for one that is somewhere else, as
/// those of a clone are.
fn inside(log: &Log, path: &str, version: u64) -> Result<Option<Path>> {
    let unreadable = || damaged(log, &format!("commit {version} names a file that cannot be one"));
    let url = log.root.join(path).map_err(|error| unreadable().caused_by(error))?;
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned));
    if place(&url) != place(&log.root) {
        return Ok(None);
    }
    let path = Path::from_url_path(url.path()).map_err(|error| unreadable().caused_by(error))?;
    Ok(path.prefix_matches(&log.folder).then_some(path))
}

fn damaged(log: &Log, what: &str) -> Error {
    Error::config(format!(
        "The log of the table at {} cannot be relied on: {what}. Nothing was removed: restore the log first.",
        log.place()
    ))
}
