//! Writers at work: each does its jobs one after the other, in turns that the world gives.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kometsales::export::mode::TableMode;
use kometsales::export::{Destination, TablePlace};
use kometsales::interrupt::Interrupt;
use kometsales::network::Proxies;
use kometsales::store::{Options, Parts, Store};
use tokio::runtime::Runtime;

use super::store::Reached;
use super::world::{Faults, HOUR, Process, SECOND, World};

pub(super) const DAY: i64 = 24 * HOUR;

/// How far the clocks of writers are apart.
const MAX_SKEW: i64 = 15 * 60 * SECOND;

/// What a writer does.
#[derive(Debug)]
pub(super) struct Writer<J> {
    /// Its name: processes are numbered by it.
    pub(super) number: usize,
    /// Its jobs, each with the pause before it.
    pub(super) jobs: Vec<(i64, J)>,
    /// How far its clock is off.
    pub(super) skew: i64,
}

/// What a seed has writers do.
#[derive(Debug)]
pub(super) struct Scenario<J> {
    pub(super) usual: TableMode,
    pub(super) faults: Faults,
    pub(super) writers: Vec<Writer<J>>,
}

impl<J> Scenario<J> {
    pub(super) fn of(
        random: &mut fastrand::Rng,
        mut job: impl FnMut(&mut fastrand::Rng, TableMode) -> J,
    ) -> Self {
        let usual = [TableMode::Merge, TableMode::Append, TableMode::History][random.usize(..3)];
        let often = |random: &mut fastrand::Rng, rates: &[u32]| rates[random.usize(..rates.len())];
        let patience = often(random, &[0, 2, 8, 40]);
        let mut faults = Faults { patience, ..Faults::default() };
        if random.u32(..6) > 0 {
            faults.refusals = often(random, &[0, 12, 40, 120]);
            faults.lost_answers = often(random, &[0, 4, 10, 40]);
            faults.late = often(random, &[0, 4, 10, 40]);
            faults.crashes = often(random, &[0, 0, 40, 200]);
            faults.stalls = often(random, &[0, 20, 100]);
        }
        let skew = [0, 0, SECOND, MAX_SKEW][random.usize(..4)];
        // Some go on for months, so that the log is summed up and cleaned.
        let is_long = random.u32(..40) == 0;
        let writers = (0..random.usize(2..=4)).map(|number| {
            let count = if is_long { 6 } else { random.usize(1..=2) };
            let jobs = (0..count).map(|_| {
                let days = if is_long { random.i64(0..40 * DAY) } else { 0 };
                let pause = [0, days, random.i64(0..60 * SECOND), random.i64(0..2 * HOUR)];
                (pause[random.usize(..4)], job(random, usual))
            });
            Writer { number, jobs: jobs.collect(), skew: random.i64(-skew..=skew) }
        });
        let writers = writers.collect();
        Self { usual, faults, writers }
    }
}

/// The last writer, which comes when everything is quiet.
pub(super) fn last<J>(job: J) -> Vec<Writer<J>> {
    vec![Writer { number: 9, jobs: vec![(0, job)], skew: 0 }]
}

/// The only process of the last writer.
pub(super) const LAST: Process = 900;

/// Gives the turn on, however a writer ends.
struct Turn<'a>(&'a World, usize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// Has writers do their jobs, each as a process of its own.
pub(super) fn work<J: Debug + Send>(
    world: &Arc<World>,
    seed: u64,
    writers: Vec<Writer<J>>,
    one: impl Fn(Reached, J, i64) + Sync,
) {
    world.open(writers.len());
    let one = &one;
    std::thread::scope(|threads| {
        for (writer, Writer { number, jobs, skew }) in writers.into_iter().enumerate() {
            threads.spawn(move || {
                let runtime = runtime();
                runtime.block_on(world.first_turn(writer));
                let _turn = Turn(world, writer);
                for (count, (pause, job)) in jobs.into_iter().enumerate() {
                    runtime.block_on(world.pass(writer, pause));
                    let process = number * 100 + count;
                    begin(seed, process, 0);
                    world.note(|| format!("p{process} begins: {job:?}"));
                    one(Reached { world: world.clone(), writer, process }, job, skew);
                }
            });
        }
    });
}

/// What a process draws from here on is its own, and that of its step.
pub(super) fn begin(seed: u64, process: Process, step: usize) {
    fastrand::seed(seed ^ ((process as u64 + 1) << 32) ^ ((step as u64) << 48));
}

pub(super) fn runtime() -> Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    let build = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Arc::new(builder.worker_threads(2).enable_all().build().unwrap())
    };
    RUNTIME.get_or_init(build).clone()
}

pub(super) fn place() -> TablePlace {
    match "s3://lake/komet".parse() {
        Ok(Destination::Table(place)) => place,
        other => panic!("{other:?}"),
    }
}

/// The store of the table as a process has it.
pub(super) fn store(reached: &Reached) -> Store {
    let options = Options {
        settings: Vec::new(),
        retry_window: Duration::from_secs(20),
        single_writer: false,
        interrupt: Interrupt::default(),
        proxies: Proxies::default(),
    };
    let objects = Arc::new(reached.clone());
    let parts = Parts { objects: objects.clone(), clock: objects, runtime: runtime() };
    Store::of(&place().place, &options, parts)
}
