//! Every order in which the steps of three exports can follow each other, with everything that a store may answer: the
//! decisions are those of [`judge`], what is made up is the order and the answers. A search looks at each state once.

use std::collections::HashSet;

use super::*;

/// Exports into one table.
const WRITERS: usize = 3;

/// Versions that they may make. What an export uploads for one of them has the number of its attempt.
const VERSIONS: usize = 3;

/// What decides: [`judge`], or something worse.
type Judge = fn(&Path, &Bytes, Error, Result<Option<Bytes>>, bool, bool) -> Verdict;

/// What an answer said, whatever was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Said {
    Unavailable,
    Exists,
    Precondition,
    Forbidden,
}

/// What an export does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    /// Lists the log.
    Load,
    /// Uploads its file, for this version.
    Upload(usize),
    /// Creates the commit of the version.
    Create(usize),
    /// Reads it back after this answer.
    ReadBack(usize, Said),
    /// Removes its file: another export's commit came first.
    Remove,
    /// Removes its file: the commit was refused.
    GiveUp,
    /// Looks whether the newest version is its own, since nobody says what became of the commit.
    Look,
    Acknowledged(usize),
    Refused,
    /// It failed, and says that it does not know what became of its commit.
    InDoubt,
    Crashed,
}

/// An export and how often it has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Writer {
    step: Step,
    attempt: usize,
    /// Whether an answer to this attempt's creation may have been wrong.
    is_in_doubt: bool,
}

/// An export's attempt, which its commit and its file are of.
type Attempt = (usize, usize);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    writers: [Writer; WRITERS],
    log: [Option<Attempt>; VERSIONS],
    /// For each attempt whether its file is there.
    files: [[bool; VERSIONS]; WRITERS],
    /// For each attempt the version of which a creation is still on its way.
    late: [[Option<usize>; VERSIONS]; WRITERS],
}

impl State {
    fn first() -> Self {
        Self {
            writers: [Writer { step: Step::Load, attempt: 0, is_in_doubt: false }; WRITERS],
            log: [None; VERSIONS],
            files: [[false; VERSIONS]; WRITERS],
            late: [[None; VERSIONS]; WRITERS],
        }
    }

    fn newest(&self) -> Option<(usize, Attempt)> {
        let numbered = self.log.iter().enumerate();
        numbered.filter_map(|(number, commit)| Some((number, (*commit)?))).last()
    }

    fn at(&self, writer: usize, step: Step) -> Self {
        let mut next = self.clone();
        next.writers[writer].step = step;
        next
    }

    /// Creates the commit of a version, unless one is there.
    fn created(&self, attempt: Attempt, version: usize) -> Self {
        let mut next = self.clone();
        next.log[version].get_or_insert(attempt);
        next
    }

    /// Every state that may follow.
    fn next(&self, judge: Judge) -> Vec<Self> {
        let mut all = Vec::new();
        for writer in 0..WRITERS {
            let steps = self.steps(writer, judge);
            if !steps.is_empty() {
                all.push(self.at(writer, Step::Crashed));
            }
            all.extend(steps);
            for attempt in 0..VERSIONS {
                if let Some(version) = self.late[writer][attempt] {
                    let mut next = self.created((writer, attempt), version);
                    next.late[writer][attempt] = None;
                    all.push(next);
                }
            }
        }
        all
    }

    fn steps(&self, writer: usize, judge: Judge) -> Vec<Self> {
        let Writer { step, attempt, is_in_doubt } = self.writers[writer];
        let own = (writer, attempt);
        match step {
            Step::Load => {
                let version = self.newest().map_or(0, |(newest, _)| newest + 1);
                vec![self.at(writer, Step::Upload(version)), self.at(writer, Step::Refused)]
            }
            Step::Upload(version) => {
                let mut next = self.at(writer, Step::Create(version));
                next.files[writer][attempt] = true;
                vec![next, self.at(writer, Step::Refused)]
            }
            Step::Create(version) => self.answers(own, version),
            Step::ReadBack(version, said) => {
                let read = || [Ok(self.log[version].map(bytes)), Err(said_of(Said::Unavailable))];
                let in_time = read().map(|there| (there, false));
                let judged = in_time.into_iter().chain(read().map(|there| (there, true)));
                let is_in_doubt = is_in_doubt || kind(&said_of(said)) == Kind::Transient;
                let judged = judged.map(|(there, is_time_up)| {
                    let (path, answer) = (Path::from("commit"), said_of(said));
                    match judge(&path, &bytes(own), answer, there, is_in_doubt, is_time_up) {
                        Verdict::Created => Step::Acknowledged(version),
                        Verdict::Again => Step::Create(version),
                        Verdict::Taken(_) => Step::Remove,
                        Verdict::Refused(_) => Step::GiveUp,
                        Verdict::InDoubt(_) => Step::Look,
                    }
                });
                judged
                    .map(|step| {
                        let mut next = self.at(writer, step);
                        next.writers[writer].is_in_doubt = is_in_doubt;
                        next
                    })
                    .collect()
            }
            Step::Remove => {
                let mut next = self.at(writer, Step::Load);
                next.files[writer][attempt] = false;
                next.writers[writer].attempt += 1;
                next.writers[writer].is_in_doubt = false;
                vec![next]
            }
            Step::GiveUp => {
                let mut next = self.at(writer, Step::Refused);
                next.files[writer][attempt] = false;
                vec![next]
            }
            Step::Look => {
                let step = match self.newest() {
                    Some((newest, (other, _))) if other == writer => Step::Acknowledged(newest),
                    _ => Step::InDoubt,
                };
                vec![self.at(writer, step), self.at(writer, Step::InDoubt)]
            }
            Step::Acknowledged(_) | Step::Refused | Step::InDoubt | Step::Crashed => Vec::new(),
        }
    }

    /// What may be done about a creation, and what may be said of it.
    fn answers(&self, own: Attempt, version: usize) -> Vec<Self> {
        use Said::{Exists, Forbidden, Precondition, Unavailable};
        let writer = own.0;
        let all = [Unavailable, Exists, Precondition, Forbidden];
        let refused = all.map(|said| self.at(writer, Step::ReadBack(version, said)));
        if self.log[version].is_some() {
            // The library sends it again, and hears of what is there; or nobody answers.
            return refused.into();
        }
        let done = self.created(own, version);
        let lost = [Unavailable, Exists, Precondition].into_iter();
        let lost = lost.flat_map(|said| {
            let mut late = self.at(writer, Step::ReadBack(version, said));
            late.late[writer][own.1] = Some(version);
            [done.at(writer, Step::ReadBack(version, said)), late]
        });
        let plain = done.at(writer, Step::Acknowledged(version));
        lost.chain(refused).chain([plain]).collect()
    }

    /// What does not hold, if something does not.
    fn fault(&self) -> Option<String> {
        for (writer, Writer { step, .. }) in self.writers.iter().enumerate() {
            let own = |commit: &&Attempt| commit.0 == writer;
            let count = self.log.iter().flatten().filter(own).count();
            if count > 1 {
                return Some(format!("export {writer} is there twice"));
            }
            match step {
                Step::Acknowledged(version)
                    if self.log[*version].is_none_or(|is| is.0 != writer) =>
                {
                    return Some(format!("export {writer} is acknowledged and not there"));
                }
                Step::Refused if count > 0 => {
                    return Some(format!("export {writer} is refused and there"));
                }
                _ => {}
            }
        }
        let is_without_file = |(writer, attempt): &&Attempt| !self.files[*writer][*attempt];
        let without = self.log.iter().flatten().find(is_without_file);
        without.map(|commit| format!("the commit {commit:?} names a file that is not there"))
    }
}

fn bytes((writer, attempt): Attempt) -> Bytes {
    Bytes::from(format!("{writer}.{attempt}"))
}

fn said_of(said: Said) -> Error {
    let path = String::new();
    match said {
        Said::Unavailable => Error::Generic { store: "store", source: "503 Slow Down".into() },
        Said::Exists => Error::AlreadyExists { path, source: "409 Conflict".into() },
        Said::Precondition => Error::Precondition { path, source: "412".into() },
        Said::Forbidden => Error::PermissionDenied { path, source: "403 Forbidden".into() },
    }
}

/// Looks at every state that can be reached. Gives how many there are, and the first fault.
fn search(judge: Judge) -> (usize, Option<String>) {
    let mut seen = HashSet::from([State::first()]);
    let mut open = vec![State::first()];
    while let Some(state) = open.pop() {
        if let Some(fault) = state.fault() {
            return (seen.len(), Some(format!("{fault}: {state:?}")));
        }
        for next in state.next(judge) {
            if !seen.contains(&next) {
                seen.insert(next.clone());
                open.push(next);
            }
        }
    }
    (seen.len(), None)
}

#[test]
fn in_whatever_order_and_whatever_a_store_answers_a_commit_is_there_once_or_not_at_all() {
    let (states, fault) = search(judge);
    println!("{states} states of {WRITERS} exports");
    assert_eq!(fault, None);
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_search_finds_what_a_worse_judgement_leads_to() {
    // What says that it exists is believed.
    let believes: Judge = |path, own, answer, there, is_in_doubt, is_time_up| match answer {
        Error::AlreadyExists { .. } => Verdict::Taken(answer),
        answer => judge(path, own, answer, there, is_in_doubt, is_time_up),
    };
    // What is not there is taken for not sent.
    let gives_up: Judge = |path, own, answer, there, is_in_doubt, is_time_up| match there {
        Ok(None) => Verdict::Refused(answer),
        there => judge(path, own, answer, there, is_in_doubt, is_time_up),
    };
    // A refusal is taken for the answer to all that was sent before it.
    let forgets: Judge = |path, own, answer, there, _, is_time_up| {
        judge(path, own, answer, there, false, is_time_up)
    };
    // Whatever is there is taken for one's own.
    let is_vain: Judge = |path, own, answer, there, is_in_doubt, is_time_up| match there {
        Ok(Some(_)) => Verdict::Created,
        there => judge(path, own, answer, there, is_in_doubt, is_time_up),
    };
    for worse in [believes, gives_up, forgets, is_vain] {
        let (_, fault) = search(worse);
        assert!(fault.is_some());
    }
}
