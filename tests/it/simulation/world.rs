//! A made-up world for exports: an object store in memory, one clock, and turns. Of all writers one runs at any moment, and
//! at each request the seed decides who goes on, how long it takes and what goes wrong. So a seed is a whole history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, Result};
use tokio::sync::Notify;

use super::log::Versions;
use super::object::{Object, exists, gone, missing, unavailable};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3600 * SECOND;

/// 2026-01-01T06:00:00Z.
const BEGINNING: i64 = 1_767_247_200 * SECOND;

/// For how long writers stand still in a history, all together: less than the look-back.
const MAX_STALLS: i64 = HOUR / 4;

/// For how long a writer waits for its turn before the simulation itself is at fault.
const STUCK: Duration = Duration::from_secs(120);

/// What goes wrong, each once in so many requests; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    /// A request fails and nothing was done.
    pub(super) refusals: u32,
    /// It was done, and the answer says that it failed.
    pub(super) lost_answers: u32,
    /// The answer says that it failed, and it is done later.
    pub(super) late: u32,
    /// The writer is gone, before or after the request.
    pub(super) crashes: u32,
    /// A writer stands still for minutes.
    pub(super) stalls: u32,
    /// The writer whose turn it is goes on.
    pub(super) patience: u32,
}

impl Faults {
    /// Whether anything goes wrong; that writers stand still is nothing wrong.
    pub(super) fn are_any(self) -> bool {
        self.refusals + self.lost_answers + self.late + self.crashes > 0
    }
}

/// A writer's run, from its start to its end or its crash.
pub(super) type Process = usize;

/// A write or a removal on its way, of which nobody knows any more.
#[derive(Debug)]
struct Late {
    due: i64,
    process: Process,
    path: Path,
    /// What is written, and whether only where nothing is; `None` for a removal.
    written: Option<(Bytes, bool)>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    faults: Faults,
    now: i64,
    objects: BTreeMap<Path, Object>,
    writes: u64,
    late: Vec<Late>,
    /// Whose turn it is.
    turn: usize,
    /// For how much longer writers may stand still, all together.
    stalls: i64,
    /// When each writer wants to go on; `None` for one that has ended.
    wakes: Vec<Option<i64>>,
    dead: BTreeSet<Process>,
    /// Commits that were sent without an answer that says what became of them, and how often.
    doubts: BTreeMap<(Process, Path), usize>,
    sent: BTreeMap<Process, usize>,
    versions: Versions,
    trace: Vec<String>,
}

/// The world: see the module.
pub(super) struct World {
    state: Mutex<State>,
    turns: Vec<Notify>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    LostAnswer,
    Late,
    CrashBefore,
    CrashAfter,
}

impl World {
    /// A world with so many writers. Nobody has a turn yet.
    pub(super) fn new(seed: u64, writers: usize, faults: Faults) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            faults,
            now: BEGINNING,
            objects: BTreeMap::new(),
            writes: 0,
            late: Vec::new(),
            turn: usize::MAX,
            stalls: MAX_STALLS,
            wakes: Vec::new(),
            dead: BTreeSet::new(),
            doubts: BTreeMap::new(),
            sent: BTreeMap::new(),
            versions: Versions::default(),
            trace: Vec::new(),
        };
        Self { state: Mutex::new(state), turns: (0..writers).map(|_| Notify::new()).collect() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the first of so many writers a turn.
    pub(super) fn open(&self, writers: usize) {
        let mut state = self.state();
        state.wakes = vec![Some(state.now); writers];
        state.draw();
        self.turns[state.turn].notify_one();
    }

    /// A process is a vacuum that keeps every version which was the newest within this time.
    pub(super) fn vacuums(&self, process: Process, retain: i64) {
        self.state().versions.vacuums(process, retain);
    }

    /// Waits for the first turn of a writer.
    pub(super) async fn first_turn(&self, writer: usize) {
        self.turn(writer).await;
    }

    async fn turn(&self, writer: usize) {
        while self.state().turn != writer {
            let turn = tokio::time::timeout(STUCK, self.turns[writer].notified());
            turn.await.expect("nobody gives the turn on");
        }
    }

    /// Lets time go by, and whoever the seed chooses.
    pub(super) async fn pass(&self, writer: usize, pause: i64) {
        {
            let mut state = self.state();
            state.pass(writer, pause);
            if state.turn == writer {
                return;
            }
            self.turns[state.turn].notify_one();
        }
        self.turn(writer).await;
    }

    /// Ends a writer: somebody else has the turn.
    pub(super) fn end(&self, writer: usize) {
        let mut state = self.state();
        state.wakes[writer] = None;
        if state.wakes.iter().any(Option::is_some) {
            state.draw();
            self.turns[state.turn].notify_one();
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.state().now
    }

    /// A number that the seed decides.
    pub(super) fn draw(&self, below: u32) -> u32 {
        self.state().random.u32(..below)
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.state().note(line());
    }

    pub(super) fn is_dead(&self, process: Process) -> bool {
        self.state().dead.contains(&process)
    }

    /// How many writes and removals of a process were sent.
    pub(super) fn sent(&self, process: Process) -> usize {
        self.state().sent.get(&process).copied().unwrap_or_default()
    }

    /// How often a commit of the process was sent of which nobody knew what became.
    pub(super) fn doubts(&self, process: Process) -> usize {
        let state = self.state();
        let own = state.doubts.iter().filter(|((doubted, _), _)| *doubted == process);
        own.map(|(_, times)| times).sum()
    }

    /// Everything that is on its way arrives, long after, and nothing goes wrong any more.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        state.now += HOUR;
        state.land();
        state.faults = Faults::default();
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    /// What the log says, and what is wrong with it.
    pub(super) fn versions(&self) -> Versions {
        self.state().versions.clone()
    }

    pub(super) fn names(&self) -> BTreeSet<Path> {
        self.state().objects.keys().cloned().collect()
    }

    // What a store does.

    pub(super) fn put(
        &self,
        process: Process,
        path: &Path,
        bytes: Bytes,
        is_creation: bool,
    ) -> Result<String> {
        let mut state = self.state();
        state.alive(process)?;
        *state.sent.entry(process).or_default() += 1;
        let fate = state.fate(true);
        state.tell(process, "put", path, fate);
        let is_commit = Versions::number(path).is_some();
        let answer = match fate {
            Fate::CrashBefore => return Err(state.crash(process)),
            Fate::Refused => Err(state.refusal(path, is_creation)),
            Fate::Late => {
                let due = state.now + state.random.i64(1..60 * SECOND);
                let written = Some((bytes, is_creation));
                state.late.push(Late { due, process, path: path.clone(), written });
                Err(state.lost(path, is_creation))
            }
            Fate::Done => state.write(process, path, bytes, is_creation),
            Fate::CrashAfter => {
                let _ = state.write(process, path, bytes, is_creation);
                return Err(state.crash(process));
            }
            Fate::LostAnswer => state
                .write(process, path, bytes, is_creation)
                .and_then(|_| Err(state.lost(path, is_creation))),
        };
        if is_commit && !matches!(fate, Fate::Done | Fate::Refused) {
            *state.doubts.entry((process, path.clone())).or_default() += 1;
        }
        answer
    }

    /// Whether a read is that of a writer alone in its thread of thought: all but those of the log, of which several may
    /// be on their way at once. Of the log only the one that resolves the last doubt is.
    pub(super) fn is_alone(&self, process: Process, path: &Path) -> bool {
        let is_of_log = path.parts().any(|part| part.as_ref() == "_delta_log");
        !is_of_log || self.state().is_doubted(process, path)
    }

    pub(super) fn get(&self, process: Process, path: &Path) -> Result<(ObjectMeta, Bytes)> {
        let mut state = self.state();
        state.alive(process)?;
        let is_of_log = path.parts().any(|part| part.as_ref() == "_delta_log");
        if !is_of_log || state.is_doubted(process, path) {
            let fate = state.fate(false);
            state.tell(process, "get", path, fate);
            match fate {
                Fate::CrashBefore => return Err(state.crash(process)),
                Fate::Refused => return Err(unavailable()),
                _ => {}
            }
        }
        let object = state.objects.get(path).ok_or_else(|| missing(path))?;
        Ok((object.meta(path), object.bytes.clone()))
    }

    pub(super) fn list(
        &self,
        process: Process,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        let mut state = self.state();
        state.alive(process)?;
        let fate = state.fate(false);
        let folder = prefix.cloned().unwrap_or_default();
        state.tell(process, "list", &folder, fate);
        match fate {
            Fate::CrashBefore => return Err(state.crash(process)),
            Fate::Refused => return Err(unavailable()),
            _ => {}
        }
        let is_below = |path: &Path| path.prefix_match(&folder).is_some() && *path != folder;
        let found = state.objects.iter();
        let found =
            found.filter(|(path, _)| is_below(path) && after.is_none_or(|last| *path > last));
        Ok(found.map(|(path, object)| object.meta(path)).collect())
    }

    pub(super) fn delete(&self, process: Process, path: &Path) -> Result<()> {
        let mut state = self.state();
        state.alive(process)?;
        *state.sent.entry(process).or_default() += 1;
        let fate = state.fate(true);
        state.tell(process, "delete", path, fate);
        match fate {
            Fate::CrashBefore => return Err(state.crash(process)),
            Fate::Refused => return Err(unavailable()),
            Fate::Late => {
                let due = state.now + state.random.i64(1..60 * SECOND);
                state.late.push(Late { due, process, path: path.clone(), written: None });
                return Err(unavailable());
            }
            _ => {}
        }
        state.remove(process, path);
        match fate {
            Fate::CrashAfter => Err(state.crash(process)),
            Fate::LostAnswer => Err(unavailable()),
            _ => Ok(()),
        }
    }
}

impl State {
    fn note(&mut self, line: String) {
        let now = self.now - BEGINNING;
        self.trace.push(format!("{:6}.{:06} {line}", now / SECOND, now % SECOND));
    }

    fn tell(&mut self, process: Process, verb: &str, path: &Path, fate: Fate) {
        let fate = if fate == Fate::Done { String::new() } else { format!(": {fate:?}") };
        self.note(format!("p{process} {verb} {path}{fate}"));
    }

    fn alive(&self, process: Process) -> Result<()> {
        if self.dead.contains(&process) { Err(gone()) } else { Ok(()) }
    }

    fn crash(&mut self, process: Process) -> Error {
        self.dead.insert(process);
        gone()
    }

    /// Whether it is the last commit of the process of which nobody knew what became.
    fn is_doubted(&self, process: Process, path: &Path) -> bool {
        let own = self.doubts.keys().filter(|(doubted, _)| *doubted == process);
        own.map(|(_, path)| path).max() == Some(path)
    }

    fn once_in(&mut self, many: u32) -> bool {
        many > 0 && self.random.u32(..many) == 0
    }

    fn fate(&mut self, is_write: bool) -> Fate {
        let Faults { refusals, lost_answers, late, crashes, .. } = self.faults;
        if self.once_in(crashes) {
            return if is_write && self.random.bool() {
                Fate::CrashAfter
            } else {
                Fate::CrashBefore
            };
        }
        if self.once_in(refusals) {
            return Fate::Refused;
        }
        match is_write {
            true if self.once_in(lost_answers) => Fate::LostAnswer,
            true if self.once_in(late) => Fate::Late,
            _ => Fate::Done,
        }
    }

    /// What a store says where nothing was done.
    fn refusal(&mut self, path: &Path, is_creation: bool) -> Error {
        match self.random.u32(..6) {
            // Conflicts in which nothing was written.
            0 if is_creation => exists(path),
            1 if is_creation => {
                Error::Precondition { path: path.to_string(), source: "409 Conflict".into() }
            }
            2 => Error::PermissionDenied { path: path.to_string(), source: "403 Forbidden".into() },
            _ => unavailable(),
        }
    }

    /// What a writer hears where the answer was lost: the library sent the request again.
    fn lost(&mut self, path: &Path, is_creation: bool) -> Error {
        if is_creation && self.random.bool() { exists(path) } else { unavailable() }
    }

    fn pass(&mut self, writer: usize, pause: i64) {
        let Faults { stalls, patience, .. } = self.faults;
        let stall = if self.once_in(stalls) { self.random.i64(0..=self.stalls) } else { 0 };
        self.stalls -= stall;
        self.now += self.random.i64(1_000..200_000);
        let is_patient = patience > 0 && !self.once_in(patience);
        if pause == 0 && stall == 0 && is_patient {
            self.land();
            return;
        }
        self.wakes[writer] = Some(self.now + pause + stall);
        self.draw();
    }

    /// Chooses whose turn it is.
    fn draw(&mut self) {
        let next = self.wakes.iter().flatten().min().copied().unwrap_or(self.now);
        self.now = self.now.max(next);
        self.land();
        let now = self.now;
        let ready = self.wakes.iter().enumerate();
        let ready: Vec<usize> = ready
            .filter(|(_, wake)| wake.is_some_and(|wake| wake <= now))
            .map(|(writer, _)| writer)
            .collect();
        if !ready.is_empty() {
            self.turn = ready[self.random.usize(..ready.len())];
        }
    }

    /// What is due arrives.
    fn land(&mut self) {
        let now = self.now;
        while let Some(at) = self.late.iter().position(|late| late.due <= now) {
            let Late { process, path, written, .. } = self.late.remove(at);
            self.note(format!("p{process} late {path}"));
            match written {
                Some((bytes, is_creation)) => {
                    let _ = self.write(process, &path, bytes, is_creation);
                }
                None => self.remove(process, &path),
            }
        }
    }

    fn write(
        &mut self,
        process: Process,
        path: &Path,
        bytes: Bytes,
        is_creation: bool,
    ) -> Result<String> {
        if is_creation && self.objects.contains_key(path) {
            return Err(exists(path));
        }
        self.writes += 1;
        let object = Object { bytes: bytes.clone(), modified: self.now, number: self.writes };
        let before = self.objects.insert(path.clone(), object);
        let there: BTreeSet<Path> = self.objects.keys().cloned().collect();
        self.versions.written(process, path, bytes, self.now, before.is_some(), &there);
        Ok(self.writes.to_string())
    }

    fn remove(&mut self, process: Process, path: &Path) {
        if self.objects.remove(path).is_some() {
            self.versions.removed(process, path);
        }
    }
}
