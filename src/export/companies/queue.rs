//! Companies on their way through a run: those that wait for their turn, those at work, and those that have handed in what
//! waits for a commit together with others.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::name::Name;
use super::spacing::Spacing;

/// So many companies are committed at once at the least, unless they are the last or one has waited.
const BATCH: usize = 64;

/// For how long what is handed in waits for others.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether the run is to end.
const POLL: Duration = Duration::from_millis(50);

/// A company on its way.
pub(super) struct Entry {
    pub(super) name: Name,
    /// Requests sent so far.
    pub(super) requests: u32,
    /// When its first turn began.
    pub(super) started: Instant,
    /// How often another writer has overtaken it.
    pub(super) overtaken: u32,
}

/// What the threads of a run share.
pub(super) struct Queue<H> {
    state: Mutex<State<H>>,
    changed: Condvar,
}

struct State<H> {
    waiting: VecDeque<Entry>,
    at_work: usize,
    handed_in: Vec<(Entry, H)>,
    /// When the first of them was handed in.
    since: Option<Instant>,
    /// Companies whose commit is under way: they may have to begin again.
    committing: usize,
    spacing: Spacing,
    is_closed: bool,
}

impl<H> Queue<H> {
    pub(super) fn of(names: Vec<Name>) -> Self {
        let started = Instant::now();
        let entry = |name| Entry { name, requests: 0, started, overtaken: 0 };
        let state = State {
            waiting: names.into_iter().map(entry).collect(),
            at_work: 0,
            handed_in: Vec::new(),
            since: None,
            committing: 0,
            spacing: Spacing::default(),
            is_closed: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<H>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<H>>) -> MutexGuard<'a, State<H>> {
        self.wait_for(state, POLL)
    }

    fn wait_for<'a>(
        &self,
        state: MutexGuard<'a, State<H>>,
        most: Duration,
    ) -> MutexGuard<'a, State<H>> {
        self.changed.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The next company, as soon as it is known that there is one; `None` if there will be none.
    pub(super) fn next(&self, may_begin: impl Fn() -> bool) -> Option<Entry> {
        let mut state = self.lock();
        while may_begin() && !state.is_closed {
            let now = Instant::now();
            if let Some(wait) = state.spacing.wait(now).filter(|_| !state.waiting.is_empty()) {
                state = self.wait_for(state, wait);
                continue;
            }
            if let Some(mut entry) = state.waiting.pop_front() {
                state.at_work += 1;
                state.spacing.begin(now);
                if entry.overtaken == 0 {
                    entry.started = now;
                }
                return Some(entry);
            }
            if state.is_settled() {
                return None;
            }
            state = self.wait(state);
        }
        None
    }

    /// A company that was at work has ended.
    pub(super) fn end(&self) {
        self.lock().at_work -= 1;
        self.changed.notify_all();
    }

    /// A company that was at work waits for its commit.
    pub(super) fn hand_in(&self, entry: Entry, handed_in: H) {
        let mut state = self.lock();
        state.at_work -= 1;
        state.since.get_or_insert_with(Instant::now);
        state.handed_in.push((entry, handed_in));
        drop(state);
        self.changed.notify_all();
    }

    /// What is to be committed next, as soon as it is time; `None` if there will be nothing.
    pub(super) fn batch(&self, may_begin: impl Fn() -> bool) -> Option<Vec<(Entry, H)>> {
        let mut state = self.lock();
        loop {
            let is_last =
                state.at_work == 0 && (state.waiting.is_empty() || state.is_closed || !may_begin());
            if state.handed_in.is_empty() && is_last {
                return None;
            }
            let waited = state.since.map(|since| since.elapsed());
            let is_due = state.handed_in.len() >= BATCH
                || waited.is_some_and(|waited| is_last || waited >= PATIENCE);
            if is_due {
                state.since = None;
                let batch = std::mem::take(&mut state.handed_in);
                state.committing = batch.len();
                return Some(batch);
            }
            state = self.wait(state);
        }
    }

    /// The commit is over, and these companies begin again.
    pub(super) fn committed(&self, again: Vec<Entry>) {
        let mut state = self.lock();
        state.committing = 0;
        state.waiting.extend(again);
        drop(state);
        self.changed.notify_all();
    }

    /// Nothing begins any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// The companies whose turn never came, or never again.
    pub(super) fn left(&self) -> Vec<Entry> {
        self.lock().waiting.drain(..).collect()
    }
}

impl<H> State<H> {
    /// Whether nobody may have to begin again.
    fn is_settled(&self) -> bool {
        self.at_work == 0 && self.handed_in.is_empty() && self.committing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(count: usize) -> Queue<usize> {
        Queue::of((0..count).map(|number| format!("company-{number}").parse().unwrap()).collect())
    }

    fn hand_in(queue: &Queue<usize>, count: usize) {
        for number in 0..count {
            let entry = queue.next(|| true).unwrap();
            queue.hand_in(entry, number);
        }
    }

    #[test]
    fn a_batch_is_full_or_the_last() {
        let queue = queue(BATCH + 6);
        hand_in(&queue, BATCH);
        assert_eq!(queue.batch(|| true).unwrap().len(), BATCH, "though others wait for their turn");
        queue.committed(Vec::new());
        hand_in(&queue, 6);
        assert_eq!(queue.batch(|| true).unwrap().len(), 6, "nobody else is there");
        queue.committed(Vec::new());
        assert!(queue.batch(|| true).is_none() && queue.next(|| true).is_none());
    }

    #[test]
    fn what_is_handed_in_is_committed_where_the_run_ends_early() {
        let queue = queue(10);
        hand_in(&queue, 3);
        assert!(queue.next(|| false).is_none());
        assert_eq!(queue.batch(|| false).unwrap().len(), 3);
        queue.committed(Vec::new());
        assert!(queue.batch(|| false).is_none());
        assert_eq!(queue.left().len(), 7);
    }

    #[test]
    fn who_is_overtaken_has_another_turn() {
        let queue = queue(1);
        hand_in(&queue, 1);
        let batch = queue.batch(|| true).unwrap();
        let again = batch.into_iter().map(|(entry, _)| Entry { overtaken: 1, ..entry });
        // A thread that looks for work meanwhile waits for it.
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| queue.next(|| true));
            queue.committed(again.collect());
            let entry = waits.join().unwrap().unwrap();
            assert_eq!((entry.name.as_str(), entry.overtaken), ("company-0", 1));
        });
        queue.end();
        assert!(queue.batch(|| true).is_none() && queue.next(|| true).is_none());
    }
}
