//! What of a table has to stay, decided from what its log says and from nothing else: no store is asked here, and no
//! clock.
//!
//! A version can be read while its files are there, and the log from a checkpoint on that is not after it. Versions
//! that were the newest at any time since the retention began stay readable: what a reader began with is never older.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

/// A commit of the log.
#[derive(Debug, Clone)]
pub(super) struct Commit<N> {
    /// The version that it made.
    pub(super) version: u64,
    /// When the store wrote it.
    pub(super) written_at: DateTime<Utc>,
    /// Files that it adds.
    pub(super) added: Vec<N>,
    /// Files that it removes. One that it also adds is there afterwards.
    pub(super) removed: Vec<N>,
}

/// A whole checkpoint of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    /// The version that it sums up.
    pub(super) version: u64,
    /// When the store wrote the last part of it.
    pub(super) written_at: DateTime<Utc>,
}

/// What a log says.
#[derive(Debug, Clone)]
pub(super) struct History<N> {
    /// The oldest version that can be read, and its files, where that is one of a checkpoint. The version before the first
    /// has none.
    pub(super) start: Option<(u64, BTreeSet<N>)>,
    /// Every commit up to the newest, without a gap; the first is at most the one behind `start`.
    pub(super) commits: Vec<Commit<N>>,
    /// By their versions.
    pub(super) checkpoints: Vec<Checkpoint>,
}

/// For how long things are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// What time it is by the clock that dated the commits.
    pub(super) now: DateTime<Utc>,
    /// Versions.
    pub(super) versions: TimeDelta,
    /// Entries of the log; `None` for ever.
    pub(super) log: Option<TimeDelta>,
}

/// What has to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept<N> {
    /// The oldest version that stays readable.
    pub(super) oldest: u64,
    /// Whether it was there before the retention began: else older ones could not be read already.
    pub(super) is_older_than_retention: bool,
    /// The files of this version and of all later ones.
    pub(super) files: BTreeSet<N>,
    /// Every file that the log names.
    pub(super) named: BTreeSet<N>,
    /// The checkpoint from which on the log stays, where entries before it may go.
    pub(super) log_from: Option<u64>,
    /// Whether entries of the log are old enough to go, and stay because no checkpoint sums them up.
    pub(super) lacks_checkpoint: bool,
}

impl<N: Ord + Clone> History<N> {
    /// When each commit counts as written. Stores date what they write, but a clock may be set back: a commit that is
    /// dated before the one that it follows counts as written with it.
    fn times(&self) -> impl Iterator<Item = (u64, DateTime<Utc>)> + '_ {
        let mut latest = DateTime::<Utc>::MIN_UTC;
        self.commits.iter().map(move |commit| {
            latest = latest.max(commit.written_at);
            (commit.version, latest)
        })
    }

    /// The newest version before a time.
    fn newest_before(&self, time: DateTime<Utc>) -> Option<u64> {
        self.times().take_while(|(_, written)| *written < time).map(|(version, _)| version).last()
    }

    /// The oldest version that can be read.
    fn first(&self) -> u64 {
        self.start.as_ref().map_or(0, |(version, _)| *version)
    }

    /// The files of a version.
    pub(super) fn files(&self, version: u64) -> BTreeSet<N> {
        let (first, mut files) = match &self.start {
            Some((start, files)) => (start + 1, files.clone()),
            None => (0, BTreeSet::new()),
        };
        let later = self.commits.iter().filter(|commit| commit.version >= first);
        for commit in later.take_while(|commit| commit.version <= version) {
            for name in &commit.removed {
                files.remove(name);
            }
            files.extend(commit.added.iter().cloned());
        }
        files
    }

    /// What has to stay.
    pub(super) fn kept(&self, terms: &Terms) -> Kept<N> {
        let began = before(terms.now, terms.versions);
        let newest = self.newest_before(began).filter(|version| *version >= self.first());
        let oldest = newest.unwrap_or(self.first());
        let mut files = self.files(oldest);
        let later = self.commits.iter().filter(|commit| commit.version > oldest);
        files.extend(later.flat_map(|commit| commit.added.iter().cloned()));
        let commits = self.commits.iter();
        let named = commits.flat_map(|commit| commit.added.iter().chain(&commit.removed).cloned());
        let named = named.chain(self.start.iter().flat_map(|(_, files)| files.iter().cloned()));
        let mut kept = Kept {
            oldest,
            is_older_than_retention: newest.is_some(),
            files,
            named: named.collect(),
            log_from: None,
            lacks_checkpoint: false,
        };
        let old = terms.log.and_then(|log| self.newest_before(before(terms.now, log)));
        let Some(last) = old.map(|old| old.min(oldest)) else { return kept };
        // A reader that listed the log before a checkpoint was there needs what the checkpoint sums up.
        let serving = self.checkpoints.iter().rev();
        let serving = serving.filter(|checkpoint| checkpoint.written_at < began);
        kept.log_from =
            serving.map(|checkpoint| checkpoint.version).find(|version| *version <= last);
        let first = self.commits.first().map_or(0, |commit| commit.version);
        let newest = self.checkpoints.last().map_or(first, |checkpoint| checkpoint.version);
        kept.lacks_checkpoint = newest.max(first) < last;
        kept
    }
}

/// A time before another; the beginning of time where there is none.
fn before(time: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    time.checked_sub_signed(by).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000_000 + hour * 3600, 0).unwrap()
    }

    /// What a table went through: its commits from version 0 on, with the hour of each, the files that come, and which of
    /// those that are there go.
    type Step = (i64, Vec<u8>, Vec<usize>);

    #[derive(Debug)]
    struct Table {
        /// All of its commits, also those that the log has no more.
        commits: Vec<Commit<u8>>,
        /// The files of each version.
        live: Vec<BTreeSet<u8>>,
        history: History<u8>,
    }

    fn table(steps: Vec<Step>, checkpoints: &BTreeSet<u64>, cut: u64) -> Table {
        let (mut commits, mut live, mut files) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (version, (hour, added, removed)) in steps.into_iter().enumerate() {
            let there: Vec<u8> = files.iter().copied().collect();
            let pick = |number: &usize| there.get(number % there.len().max(1)).copied();
            let removed: Vec<u8> = removed.iter().filter_map(pick).collect();
            files.retain(|name| !removed.contains(name));
            files.extend(added.iter().copied());
            live.push(files.clone());
            let version = version as u64;
            commits.push(Commit { version, written_at: at(hour), added, removed });
        }
        let newest = commits.len() as u64 - 1;
        let written: Vec<Checkpoint> = checkpoints
            .iter()
            .filter(|version| **version <= newest)
            .map(|version| {
                // A checkpoint is written after its commit, here with the last of all.
                let written_at = commits.iter().map(|commit| commit.written_at).max().unwrap();
                let own = commits[*version as usize].written_at;
                let written_at = if version % 2 == 0 { own } else { written_at };
                Checkpoint { version: *version, written_at }
            })
            .collect();
        // A clean-up of before has left the log from a checkpoint on.
        let start = written.iter().find(|checkpoint| checkpoint.version >= cut);
        let start = start.map(|checkpoint| checkpoint.version).filter(|_| cut > 0);
        let from = start.unwrap_or(0);
        let history = History {
            start: start.map(|version| (version, live[version as usize].clone())),
            commits: commits.iter().filter(|commit| commit.version >= from).cloned().collect(),
            checkpoints: written.into_iter().filter(|known| known.version >= from).collect(),
        };
        Table { commits, live, history }
    }

    /// The versions that were the newest at some time since the retention began, the naive way: hour by hour.
    fn needed(table: &Table, began: i64, now: i64) -> BTreeSet<u64> {
        let mut needed = BTreeSet::from([table.commits.len() as u64 - 1]);
        for hour in began - 1..=now {
            // What is there at an hour is the newest version of which all commits have been written by then.
            let is_there = |commit: &&Commit<u8>| commit.written_at <= at(hour);
            if let Some(commit) = table.commits.iter().take_while(is_there).last() {
                needed.insert(commit.version);
            }
        }
        needed
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0..40_i64, vec(any::<u8>(), 0..3), vec(any::<usize>(), 0..3));
        (vec(step, 1..25), any::<bool>()).prop_map(|(mut steps, is_dated_well)| {
            if is_dated_well {
                steps.sort_by_key(|(hour, ..)| *hour);
            }
            steps
        })
    }

    proptest! {
        #[test]
        fn what_readers_since_the_retention_began_need_stays_and_nothing_else(
            steps in steps(),
            checkpoints in btree_set(0..25_u64, 0..5),
            cut in 0..6_u64,
            (now, retain, log) in (30..60_i64, 0..40_i64, proptest::option::of(0..40_i64)),
        ) {
            let table = table(steps, &checkpoints, cut);
            let terms = Terms {
                now: at(now),
                versions: TimeDelta::hours(retain),
                log: log.map(TimeDelta::hours),
            };
            let kept = table.history.kept(&terms);
            let first = table.history.first();
            let needed = needed(&table, now - retain, now);
            let readable: BTreeSet<u64> =
                needed.into_iter().filter(|version| *version >= first).collect();
            // Files: those of all needed versions, and of later ones, which no reader is refused.
            let oldest = readable.first().copied().unwrap_or(first);
            prop_assert!(kept.oldest <= oldest, "{} is needed, {} is kept", oldest, kept.oldest);
            let versions = kept.oldest..table.live.len() as u64;
            let files: BTreeSet<u8> =
                versions.flat_map(|version| table.live[version as usize].clone()).collect();
            prop_assert!(files.is_subset(&kept.files));
            // What was added and removed again in between is named by a version as well.
            let named_later = table.commits.iter().filter(|commit| commit.version > kept.oldest);
            let named_later = named_later.flat_map(|commit| commit.added.clone());
            let all: BTreeSet<u8> = files.into_iter().chain(named_later).collect();
            prop_assert_eq!(&kept.files, &all);
            prop_assert!(kept.files.is_subset(&kept.named));
            // Nothing is kept for a version that was replaced before the retention began.
            if let Some(commit) = table.commits.get(kept.oldest as usize + 1)
                && kept.oldest >= first
            {
                let latest = table.commits[..=commit.version as usize].iter();
                let from = table.history.commits[0].version as usize;
                let latest = latest.skip(from).map(|commit| commit.written_at).max().unwrap();
                prop_assert!(latest >= at(now - retain), "{commit:?}");
            }
        }

        #[test]
        fn the_log_stays_for_every_version_that_is_kept_and_for_as_long_as_it_is_to(
            steps in steps(),
            checkpoints in btree_set(0..25_u64, 0..5),
            cut in 0..6_u64,
            (now, retain, log) in (30..60_i64, 0..40_i64, 0..40_i64),
        ) {
            let table = table(steps, &checkpoints, cut);
            let terms = Terms {
                now: at(now),
                versions: TimeDelta::hours(retain),
                log: Some(TimeDelta::hours(log)),
            };
            let kept = table.history.kept(&terms);
            if let Some(from) = kept.log_from {
                // Every version that is kept can be put together from a checkpoint that stays.
                let stays: Vec<_> =
                    table.history.checkpoints.iter().filter(|known| known.version >= from).collect();
                for version in kept.oldest..table.live.len() as u64 {
                    prop_assert!(stays.iter().any(|known| known.version <= version));
                }
                let serving = stays.iter().find(|known| known.version == from).unwrap();
                prop_assert!(serving.written_at < at(now - retain), "readers may not have seen it");
                for commit in table.history.commits.iter().filter(|gone| gone.version < from) {
                    prop_assert!(commit.written_at < at(now - log), "{commit:?} is young");
                    prop_assert!(commit.version < kept.oldest);
                }
            }
            prop_assert_eq!(table.history.kept(&Terms { log: None, ..terms }).log_from, None);
        }
    }

    fn commit(version: u64, hour: i64) -> Commit<u8> {
        Commit { version, written_at: at(hour), added: Vec::new(), removed: Vec::new() }
    }

    #[test]
    fn the_version_that_was_newest_when_the_retention_began_is_kept() {
        let hours = [0, 10, 20, 30];
        let commits = hours.iter().zip(0..).map(|(hour, version)| commit(version, *hour));
        let history = History { start: None, commits: commits.collect(), checkpoints: Vec::new() };
        let oldest = |retain| {
            let versions = TimeDelta::hours(retain);
            history.kept(&Terms { now: at(40), versions, log: None }).oldest
        };
        assert_eq!([0, 9, 10, 11, 20, 29, 40, 99].map(oldest), [3, 3, 2, 2, 1, 1, 0, 0]);
    }

    #[test]
    fn a_commit_that_is_dated_before_the_one_it_follows_stays_with_it() {
        let commits =
            [(0, 0), (1, 30), (2, 5), (3, 35)].map(|(version, hour)| commit(version, hour));
        let history = History { start: None, commits: commits.into(), checkpoints: Vec::new() };
        let terms = Terms { now: at(40), versions: TimeDelta::hours(10), log: None };
        assert_eq!(history.kept(&terms).oldest, 0);
        let terms = Terms { versions: TimeDelta::hours(9), ..terms };
        assert_eq!(history.kept(&terms).oldest, 2);
    }

    #[test]
    fn a_checkpoint_is_lacking_where_old_entries_have_none_after_them() {
        let history = |checkpoints: &[(u64, i64)]| History {
            start: None,
            commits: (0..10).map(|version| commit(version, version as i64)).collect(),
            checkpoints: checkpoints
                .iter()
                .map(|(version, hour)| Checkpoint { version: *version, written_at: at(*hour) })
                .collect(),
        };
        let terms =
            Terms { now: at(100), versions: TimeDelta::hours(96), log: Some(TimeDelta::hours(95)) };
        for (checkpoints, from, lacks) in [
            (&[][..], None, true),
            (&[(9, 9)], None, false),
            (&[(3, 3)], Some(3), false),
            (&[(2, 2)], Some(2), true),
            (&[(2, 2), (3, 60)], Some(2), false),
        ] {
            let kept = history(checkpoints).kept(&terms);
            assert_eq!((kept.log_from, kept.lacks_checkpoint), (from, lacks), "{checkpoints:?}");
        }
    }
}
