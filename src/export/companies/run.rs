//! Several companies at work at once, each for itself: what fails of one is its line in the report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::name::{Name, Shard};
use super::queue::{Entry, Queue};
use super::report::{INTERRUPTED, Line, Outcome, Summary, seconds};
use super::stops::Stops;
use crate::error::{Error, Kind, Result};
use crate::export::difference::Difference;
use crate::export::report::Report;
use crate::export::table::{Ended, HandIn};
use crate::interrupt::Interrupt;

/// How a company's turn ended.
pub struct Turn {
    /// What was done.
    pub done: Result<Done>,
    /// Requests sent, those that failed included.
    pub requests: u32,
}

/// What was done for a company.
pub enum Done {
    /// It was exported.
    Exported(Box<Report>),
    /// Its table was compared with the reply, and nothing was written.
    Compared(Box<Difference>),
    /// Its place and its token were tested.
    Checked,
    /// It is uploaded, and waits for a commit together with others.
    HandedIn(Box<HandIn>),
}

/// Commits what companies have handed in, all at once.
pub type Commit<'a> = dyn Fn(Vec<HandIn>) -> Vec<(String, Ended)> + Sync + 'a;

/// How often another writer may overtake a company.
const MAX_OVERTAKEN: u32 = 30;

/// What many companies are exported with.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Companies at work at once.
    pub jobs: usize,
    /// The part of the companies that this run has.
    pub shard: Shard,
}

/// What the threads share.
struct Shared<'a> {
    queue: Queue<HandIn>,
    stops: Mutex<Stops>,
    interrupt: &'a Interrupt,
}

/// Gives each company its turn, and `report` gets a line as each ends, in that order. What companies hand in is committed by one
/// thread, and a company has ended when that is done. A run that ends early says so of the companies that are left.
///
/// # Errors
/// `System`: no thread could be started. The first error of `report`.
pub fn run(
    names: Vec<Name>,
    pace: Pace,
    interrupt: &Interrupt,
    turn: impl Fn(&Name) -> Turn + Sync,
    commit: &Commit<'_>,
    mut report: impl FnMut(&Line) -> Result<()>,
) -> Result<Summary> {
    let started = Instant::now();
    let jobs = pace.jobs.min(names.len());
    let shared =
        Shared { queue: Queue::of(names), stops: Mutex::new(Stops::new(pace.jobs)), interrupt };
    let mut summary = Summary::of(pace.shard);
    let mut failure = None;
    let mut give = |line: Line, summary: &mut Summary| {
        summary.take(&line.outcome);
        if let Err(error) = report(&line) {
            // Nobody hears of what comes next, so nothing begins any more.
            lock(&shared.stops).stop(Kind::System);
            failure.get_or_insert(error);
        }
    };
    std::thread::scope(|scope| {
        let (lines, ended) = channel();
        {
            let (lines, shared) = (lines.clone(), &shared);
            let thread = std::thread::Builder::new().name("commits".into());
            let spawned = thread.spawn_scoped(scope, move || commit_all(shared, commit, &lines));
            spawned.map_err(no_thread)?;
        }
        for number in 0..jobs {
            let (lines, shared, turn) = (lines.clone(), &shared, &turn);
            let work = move || work(shared, turn, &lines);
            let thread = std::thread::Builder::new().name("company".into());
            if let Err(error) = thread.spawn_scoped(scope, work) {
                // Those that were started do the work.
                if number == 0 {
                    shared.queue.close();
                    return Err(no_thread(error));
                }
                break;
            }
        }
        drop(lines);
        ended.into_iter().for_each(|line| give(line, &mut summary));
        Ok(())
    })?;
    let stopped = lock(&shared.stops).stopped();
    let left = shared.queue.left();
    let why = match stopped {
        _ if interrupt.is_asked() => INTERRUPTED,
        kind => kind.unwrap_or(Kind::System).name(),
    };
    for Entry { name, requests, started, overtaken } in left {
        let outcome = match overtaken {
            0 => Outcome::NotStarted { kind: why },
            // It had a turn, of which nothing was kept.
            _ => shared.judge(Err(shared.overtaken()), requests, started.elapsed()),
        };
        give(Line { company: name, outcome }, &mut summary);
    }
    match stopped {
        _ if interrupt.is_asked() => summary.stopped = Some(INTERRUPTED),
        Some(kind) => summary.stop(kind),
        None => {}
    }
    if let Some(error) = failure {
        return Err(error);
    }
    summary.seconds = seconds(started.elapsed());
    Ok(summary)
}

fn no_thread(error: std::io::Error) -> Error {
    Error::system(format!("A thread could not be started: {error}. Run again.")).caused_by(error)
}

/// Takes companies as long as there are some and nothing speaks against it.
fn work(shared: &Shared<'_>, turn: &(impl Fn(&Name) -> Turn + Sync), lines: &Sender<Line>) {
    while let Some(mut entry) = shared.next() {
        let ended = catch_unwind(AssertUnwindSafe(|| turn(&entry.name)));
        let ended = ended.unwrap_or_else(|_| Turn {
            done: Err(Error::bug(
                "The export of the company stopped, with the place that stderr names",
            )),
            requests: 0,
        });
        entry.requests += ended.requests;
        match ended.done {
            Ok(Done::HandedIn(handed_in)) => {
                lock(&shared.stops).accepted();
                shared.queue.hand_in(entry, *handed_in);
            }
            done => {
                let is_heard = shared.end(entry, done, lines);
                shared.queue.end();
                if !is_heard {
                    return;
                }
            }
        }
    }
}

/// Commits what is handed in, until nothing more comes.
fn commit_all(shared: &Shared<'_>, commit: &Commit<'_>, lines: &Sender<Line>) {
    while let Some(batch) = shared.queue.batch(|| shared.may_begin()) {
        let (mut entries, handed_in): (Vec<Entry>, Vec<HandIn>) = batch.into_iter().unzip();
        let ended = catch_unwind(AssertUnwindSafe(|| commit(handed_in))).unwrap_or_default();
        let mut again = Vec::new();
        for (company, ended) in ended {
            let place = entries.iter().position(|entry| entry.name.as_str() == company);
            let Some(mut entry) = place.map(|place| entries.swap_remove(place)) else { continue };
            let done = match ended {
                Ended::Committed(report) => Ok(report),
                Ended::Failed(error) => Err(error),
                Ended::Overtaken if entry.overtaken < MAX_OVERTAKEN && shared.may_begin() => {
                    entry.overtaken += 1;
                    again.push(entry);
                    continue;
                }
                Ended::Overtaken => Err(shared.overtaken()),
            };
            lock(&shared.stops).committed(done.as_ref().map(|_| ()));
            shared.end(entry, done.map(Done::Exported), lines);
        }
        // Of these nobody knows what became.
        for entry in entries {
            let why = "The commit of the company stopped, with the place that stderr names";
            shared.end(entry, Err(Error::bug(why)), lines);
        }
        shared.queue.committed(again);
    }
}

impl Shared<'_> {
    fn may_begin(&self) -> bool {
        !self.interrupt.is_asked() && lock(&self.stops).stopped().is_none()
    }

    /// Who ends a company is judged before the next one begins.
    fn next(&self) -> Option<Entry> {
        self.queue.next(|| self.may_begin())
    }

    /// Tells what became of a company. False if nobody hears it.
    fn end(&self, entry: Entry, done: Result<Done>, lines: &Sender<Line>) -> bool {
        let outcome = self.judge(done, entry.requests, entry.started.elapsed());
        lines.send(Line { company: entry.name, outcome }).is_ok()
    }

    /// Why a company that another writer has overtaken does not begin again.
    fn overtaken(&self) -> Error {
        match self.interrupt.is_asked() {
            true => Interrupt::error(),
            false => Error::transient(
                "Another run committed the company first. Nothing of this export was kept: run again.",
            ),
        }
    }

    fn judge(&self, done: Result<Done>, requests: u32, took: Duration) -> Outcome {
        let is_interrupted = done.as_ref().is_err_and(|error| self.interrupt.caused(error));
        if !is_interrupted {
            lock(&self.stops).take(done.as_ref().map(|_| ()));
        }
        let seconds = seconds(took);
        match done {
            Ok(Done::Exported(report)) => Outcome::Exported { report, requests, seconds },
            Ok(Done::Compared(difference)) => Outcome::Compared { difference, requests, seconds },
            Ok(Done::Checked) => Outcome::Checked { requests, seconds },
            Ok(Done::HandedIn(_)) => {
                let error = Error::bug("What a company handed in was not committed");
                Outcome::failed(&error, false, requests, took)
            }
            Err(error) => Outcome::failed(&error, is_interrupted, requests, took),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const PACE: Pace = Pace { jobs: 4, shard: Shard::WHOLE };

    fn names(count: usize) -> Vec<Name> {
        (0..count).map(|number| format!("company-{number}").parse().unwrap()).collect()
    }

    /// Nothing is handed in.
    fn none(_: Vec<HandIn>) -> Vec<(String, Ended)> {
        Vec::new()
    }

    fn failed(kind: Kind) -> Turn {
        Turn { done: Err(Error::new(kind, "it failed")), requests: 1 }
    }

    fn checked() -> Turn {
        Turn { done: Ok(Done::Checked), requests: 1 }
    }

    #[test]
    fn a_panic_in_one_company_is_that_companys() {
        let turn = |name: &Name| match name.as_str() {
            "company-3" => panic!("a bug"),
            _ => checked(),
        };
        let mut lines = Vec::new();
        let report = |line: &Line| {
            lines.push(serde_json::to_value(line).unwrap());
            Ok(())
        };
        let summary = run(names(20), PACE, &Interrupt::default(), turn, &none, report).unwrap();
        assert_eq!((summary.checked, summary.failed, summary.exit_code()), (19, 1, 70));
        assert_eq!((lines.len(), summary.stopped), (20, None));
        let line = lines.iter().find(|line| line["company"] == "company-3").unwrap();
        assert!(line["kind"] == "system" && line["message"].to_string().contains("bug"), "{line}");
    }

    #[test]
    fn as_many_are_at_work_as_the_pace_says() {
        for jobs in [1, 3, 64] {
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let turn = |_: &Name| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(2));
                now.fetch_sub(1, Ordering::SeqCst);
                checked()
            };
            let pace = Pace { jobs, ..PACE };
            let summary =
                run(names(40), pace, &Interrupt::default(), turn, &none, |_| Ok(())).unwrap();
            assert_eq!((summary.companies, summary.requests), (40, 40));
            assert!(most.load(Ordering::SeqCst) <= jobs, "{jobs}");
        }
    }

    #[test]
    fn an_api_that_is_down_is_asked_for_a_few_companies_alone() {
        for jobs in [1, 4, 16] {
            let pace = Pace { jobs, ..PACE };
            let turn = |_: &Name| failed(Kind::Transient);
            let summary =
                run(names(300), pace, &Interrupt::default(), turn, &none, |_| Ok(())).unwrap();
            let most = 10.max(2 * jobs) + jobs;
            assert!(summary.failed as usize <= most, "{summary:?}");
            assert_eq!(summary.failed + summary.not_started, 300);
            assert_eq!((summary.stopped, summary.exit_code()), (Some("transient"), 75));
        }
    }

    #[test]
    fn whoever_asks_for_the_end_is_heard_before_the_next_company() {
        let interrupt = Interrupt::default();
        interrupt.hold().unwrap();
        let turn = |name: &Name| match name.as_str() {
            "company-5" => {
                interrupt.ask();
                Turn { done: Err(Interrupt::error()), requests: 1 }
            }
            _ => checked(),
        };
        let pace = Pace { jobs: 1, ..PACE };
        let summary = run(names(20), pace, &interrupt, turn, &none, |_| Ok(())).unwrap();
        assert_eq!((summary.checked, summary.failed, summary.not_started), (5, 1, 14));
        assert_eq!(summary.stopped, Some(INTERRUPTED));
        assert_eq!(summary.kinds.get(INTERRUPTED), Some(&1));
    }

    #[test]
    fn a_report_that_nobody_reads_ends_the_run() {
        let turn = |_: &Name| checked();
        let report = |_: &Line| Err(Error::output_closed());
        let pace = Pace { jobs: 1, ..PACE };
        let error = run(names(300), pace, &Interrupt::default(), turn, &none, report).unwrap_err();
        assert!(error.is_quiet());
    }
}
