//! Every order in which the steps of three exports can follow each other, with everything that a store may answer: the
//! decisions are those of [`judge`], what is made up is the order and the answers. A search looks at each state once.

use std::collections::{HashMap, HashSet};

use super::*;

/// Exports into one table.
const WRITERS: usize = 3;

/// Versions that they may make. An export that loses to others has as many attempts, each with a file of its own.
const VERSIONS: usize = 2;

/// What decides: [`judge`], or something worse.
type Judge = fn(&Path, &Bytes, Error, Result<Option<Bytes>>, bool, bool) -> Verdict;

/// What an answer said, whatever was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Said {
    Unavailable,
    Exists,
    Forbidden,
}

/// What is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Read {
    Nothing,
    Own,
    Another,
    Unreadable,
}

/// What an export does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    /// Lists the log, and uploads its file.
    Load,
    /// Creates the commit of this version.
    Create(usize),
    /// Reads it back after this answer.
    ReadBack(usize, Said),
    /// Removes its file, since another export's commit came first, and begins again.
    Remove,
    /// Removes its file, since the commit was refused.
    GiveUp,
    /// Looks whether the newest version is its own, since nothing says what became of the commit.
    Look,
    Acknowledged(usize),
    Refused,
    /// It was killed, or it failed and says that it does not know what became of its commit.
    Gone,
}

/// An export, and what the store has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Writer {
    step: Step,
    attempt: usize,
    /// Whether an answer to this attempt's creation may have been wrong.
    is_in_doubt: bool,
    /// For each attempt whether its file is there.
    files: [bool; VERSIONS],
    /// For each attempt the version of which a creation is still on its way.
    late: [Option<usize>; VERSIONS],
    /// For each version the attempt whose commit is there.
    commits: [Option<usize>; VERSIONS],
}

/// The exports, in order: which is which does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct State([Writer; WRITERS]);

/// What follows from an answer, what was read back, whether there is a doubt, and whether time is up.
type Judgements = HashMap<(Said, Read, bool, bool), Step>;

/// Asks a judge everything that there is to ask, of version 0.
fn judgements(judge: Judge) -> Judgements {
    let (path, own) = (Path::from("commit"), Bytes::from("own"));
    let mut judgements = Judgements::new();
    for said in [Said::Unavailable, Said::Exists, Said::Forbidden] {
        for read in [Read::Nothing, Read::Own, Read::Another, Read::Unreadable] {
            for (is_in_doubt, is_time_up) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let there = match read {
                    Read::Nothing => Ok(None),
                    Read::Own => Ok(Some(own.clone())),
                    Read::Another => Ok(Some(Bytes::from("another"))),
                    Read::Unreadable => Err(said_of(Said::Unavailable)),
                };
                let step = match judge(&path, &own, said_of(said), there, is_in_doubt, is_time_up) {
                    Verdict::Created => Step::Acknowledged(0),
                    Verdict::Again => Step::Create(0),
                    Verdict::Taken(_) => Step::Remove,
                    Verdict::Refused(_) => Step::GiveUp,
                    Verdict::InDoubt(_) => Step::Look,
                };
                judgements.insert((said, read, is_in_doubt, is_time_up), step);
            }
        }
    }
    judgements
}

impl State {
    fn first() -> Self {
        Self(
            [Writer {
                step: Step::Load,
                attempt: 0,
                is_in_doubt: false,
                files: [false; VERSIONS],
                late: [None; VERSIONS],
                commits: [None; VERSIONS],
            }; WRITERS],
        )
    }

    /// Whether the commit of a version is there.
    fn has(&self, version: usize) -> bool {
        self.0.iter().any(|writer| writer.commits[version].is_some())
    }

    /// The newest version.
    fn newest(&self) -> Option<usize> {
        (0..VERSIONS).rev().find(|version| self.has(*version))
    }

    fn at(mut self, writer: usize, step: Step) -> Self {
        self.0[writer].step = step;
        self
    }

    /// Creates the commit of a version, unless one is there.
    fn created(mut self, writer: usize, attempt: usize, version: usize) -> Self {
        if !self.has(version) {
            self.0[writer].commits[version] = Some(attempt);
        }
        self
    }

    fn without_file(mut self, writer: usize) -> Self {
        let own = &mut self.0[writer];
        own.files[own.attempt] = false;
        self
    }

    /// The same in order, without what no longer matters of exports that have ended: there are fewer states then.
    fn settled(mut self) -> Self {
        for own in &mut self.0 {
            if matches!(own.step, Step::Acknowledged(_) | Step::Refused | Step::Gone) {
                (own.attempt, own.is_in_doubt) = (0, false);
                for attempt in 0..VERSIONS {
                    let is_there = own.commits.contains(&Some(attempt));
                    own.files[attempt] &= is_there || own.late[attempt].is_some();
                }
            }
        }
        self.0.sort_unstable();
        self
    }

    /// Every state that may follow.
    fn next(&self, judgements: &Judgements) -> Vec<Self> {
        let mut all = Vec::new();
        for writer in 0..WRITERS {
            let before = all.len();
            self.steps(writer, judgements, &mut all);
            if all.len() > before {
                all.push(self.at(writer, Step::Gone));
            }
            for attempt in 0..VERSIONS {
                if let Some(version) = self.0[writer].late[attempt] {
                    let mut next = self.created(writer, attempt, version);
                    next.0[writer].late[attempt] = None;
                    all.push(next);
                }
            }
        }
        all
    }

    fn steps(&self, writer: usize, judgements: &Judgements, all: &mut Vec<Self>) {
        let Writer { step, attempt, is_in_doubt, commits, .. } = self.0[writer];
        match step {
            Step::Load => {
                all.push(self.at(writer, Step::Refused));
                let version = self.newest().map_or(0, |newest| newest + 1);
                if version < VERSIONS && attempt < VERSIONS {
                    let mut next = self.at(writer, Step::Create(version));
                    next.0[writer].files[attempt] = true;
                    all.push(next);
                }
            }
            Step::Create(version) => self.answers(writer, version, all),
            Step::ReadBack(version, said) => {
                let read = match (self.has(version), commits[version]) {
                    (false, _) => Read::Nothing,
                    (true, own) if own == Some(attempt) => Read::Own,
                    (true, _) => Read::Another,
                };
                let is_in_doubt = is_in_doubt || said != Said::Forbidden;
                for (read, is_time_up) in [
                    (read, false),
                    (read, true),
                    (Read::Unreadable, false),
                    (Read::Unreadable, true),
                ] {
                    let step = match judgements[&(said, read, is_in_doubt, is_time_up)] {
                        Step::Acknowledged(_) => Step::Acknowledged(version),
                        Step::Create(_) => Step::Create(version),
                        step => step,
                    };
                    let mut next = self.at(writer, step);
                    next.0[writer].is_in_doubt = is_in_doubt;
                    all.push(next);
                }
            }
            Step::Remove => {
                let mut next = self.without_file(writer).at(writer, Step::Load);
                next.0[writer].attempt += 1;
                next.0[writer].is_in_doubt = false;
                all.push(next);
            }
            Step::GiveUp => all.push(self.without_file(writer).at(writer, Step::Refused)),
            Step::Look => {
                if let Some(newest) = self.newest().filter(|newest| commits[*newest].is_some()) {
                    all.push(self.at(writer, Step::Acknowledged(newest)));
                }
                all.push(self.at(writer, Step::Gone));
            }
            Step::Acknowledged(_) | Step::Refused | Step::Gone => {}
        }
    }

    /// What may be done about a creation, and what may be said of it.
    fn answers(&self, writer: usize, version: usize, all: &mut Vec<Self>) {
        let said = |said| Step::ReadBack(version, said);
        // Nothing is done; where a commit is there, the library has sent it again, or nobody answers.
        let refused = [Said::Unavailable, Said::Exists, Said::Forbidden];
        all.extend(refused.map(|why| self.at(writer, said(why))));
        if self.has(version) {
            return;
        }
        let attempt = self.0[writer].attempt;
        let done = self.created(writer, attempt, version);
        for lost in [Said::Unavailable, Said::Exists] {
            let mut late = self.at(writer, said(lost));
            late.0[writer].late[attempt] = Some(version);
            all.extend([done.at(writer, said(lost)), late]);
        }
        all.push(done.at(writer, Step::Acknowledged(version)));
    }

    /// What does not hold, if something does not.
    fn fault(&self) -> Option<&'static str> {
        self.0.iter().find_map(|Writer { step, files, commits, .. }| {
            let there: Vec<usize> = commits.iter().flatten().copied().collect();
            match step {
                _ if there.len() > 1 => Some("an export is there twice"),
                _ if there.iter().any(|attempt| !files[*attempt]) => {
                    Some("a commit names a file that is gone")
                }
                Step::Acknowledged(version) if commits[*version].is_none() => {
                    Some("an export is acknowledged and not there")
                }
                Step::Refused if !there.is_empty() => Some("an export is refused and there"),
                _ => None,
            }
        })
    }
}

fn said_of(said: Said) -> Error {
    let path = String::new();
    match said {
        Said::Unavailable => Error::Generic { store: "store", source: "503 Slow Down".into() },
        Said::Exists => Error::AlreadyExists { path, source: "409 Conflict".into() },
        Said::Forbidden => Error::PermissionDenied { path, source: "403 Forbidden".into() },
    }
}

/// Looks at every state that can be reached. Gives how many there are, and the first fault.
fn search(judge: Judge) -> (usize, Option<String>) {
    let judgements = judgements(judge);
    let mut seen = HashSet::from([State::first()]);
    let mut open = vec![State::first()];
    while let Some(state) = open.pop() {
        if let Some(fault) = state.fault() {
            return (seen.len(), Some(format!("{fault}: {state:?}")));
        }
        let next = state.next(&judgements).into_iter().map(State::settled);
        open.extend(next.filter(|next| seen.insert(*next)));
    }
    (seen.len(), None)
}

#[test]
fn in_whatever_order_and_whatever_a_store_answers_a_commit_is_there_once_or_not_at_all() {
    let (states, fault) = search(judge);
    println!("{states} states of {WRITERS} exports and {VERSIONS} versions");
    assert_eq!(fault, None);
    assert!(states > 100_000, "{states}");
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
