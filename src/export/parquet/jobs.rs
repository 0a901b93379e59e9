//! Columns that are to be encoded, for whichever thread has time.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// One piece of work.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Work that is offered to other threads.
#[derive(Clone, Default)]
pub(super) struct Jobs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

/// Closes the jobs when it is dropped, whatever it is dropped for.
pub(super) struct Closing(Jobs);

impl Jobs {
    /// What closes them, so that whoever helps to the end returns.
    pub(super) fn close_when_dropped(&self) -> Closing {
        Closing(self.clone())
    }

    /// Offers more work.
    pub(super) fn add(&self, jobs: impl IntoIterator<Item = Job>) {
        self.waiting().jobs.extend(jobs);
        self.0.changed.notify_all();
    }

    /// Does one piece of work, if there is one.
    pub(super) fn help(&self) -> bool {
        let job = self.waiting().jobs.pop_front();
        job.map(|job| job()).is_some()
    }

    /// Does what there is to do, until no more will come.
    pub(super) fn help_to_the_end(&self) {
        loop {
            let mut waiting = self.waiting();
            let job = loop {
                if let Some(job) = waiting.jobs.pop_front() {
                    break job;
                }
                if waiting.is_closed {
                    return;
                }
                waiting = self.0.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            job();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        // What is left is of files that were given up.
        waiting.jobs.clear();
        waiting.is_closed = true;
        drop(waiting);
        self.0.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_piece_of_work_is_done_once_and_who_helps_to_the_end_returns() {
        let (jobs, done) = (Jobs::default(), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|scope| {
            let closing = jobs.close_when_dropped();
            scope.spawn(|| jobs.help_to_the_end());
            scope.spawn(|| jobs.help_to_the_end());
            for _ in 0..10 {
                let done = || {
                    let done = done.clone();
                    Box::new(move || _ = done.fetch_add(1, Ordering::SeqCst)) as Job
                };
                jobs.add([done(), done(), done()]);
                jobs.help();
            }
            while jobs.help() {}
            drop(closing);
        });
        assert_eq!(done.load(Ordering::SeqCst), 30);
        assert!(!jobs.help());
    }
}
