//! A history: what writers are to do, drawn from a seed, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use kometsales::config::Config;
use kometsales::error::Error;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Table, TableOptions, VacuumOptions, forget, tables, vacuum};
use kometsales::export::{Destination, Exported, TablePlace};
use kometsales::interrupt::Interrupt;
use kometsales::model::Timestamp;
use kometsales::model::arrow::Selection;
use kometsales::network::Proxies;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::sink::Answer;
use kometsales::source::{Scratch, prove};
use kometsales::store::{Options, Parts, Store};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use object_store::path::Path;
use tokio::runtime::Runtime;

use super::komet::{Customer, Komet, reply};
use super::log::Versions;
use super::store::Reached;
use super::world::{Faults, HOUR, Process, SECOND, World};

const DAY: i64 = 24 * HOUR;

/// After how many hours an export asks for the whole list again.
const FULL_LIST_HOURS: u64 = 168;

/// How far the clocks of writers are apart.
const MAX_SKEW: i64 = 15 * 60 * SECOND;

/// What a process does.
#[derive(Debug, Clone)]
pub(super) enum Job {
    Export {
        mode: TableMode,
        is_whole: bool,
        allow_shrink: bool,
        is_dry_run: bool,
        vacuum: Option<i64>,
    },
    Vacuum {
        retain: i64,
        is_dry_run: bool,
    },
    Forget {
        id: i64,
    },
}

/// What an export was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) records: BTreeMap<i64, Customer>,
    /// When it asked, by its own clock.
    pub(super) at: i64,
    pub(super) is_whole: bool,
    /// Whether a customer that it asked for was there.
    pub(super) is_in_doubt: bool,
}

/// What came of a process that was not killed.
#[derive(Debug)]
pub(super) enum Came {
    Exported(Box<Report>),
    Compared,
    Vacuumed,
    /// The version, and whether it was committed.
    Forgotten(u64, bool),
}

/// A process that has ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) process: Process,
    pub(super) job: Job,
    /// `None` if it was killed.
    pub(super) came: Option<Result<Came, Error>>,
    /// Writes and removals that it sent.
    pub(super) sent: usize,
    /// Whether nobody knew what became of its commit.
    pub(super) is_in_doubt: bool,
}

/// What a seed led to.
pub(super) struct History {
    pub(super) usual: TableMode,
    pub(super) has_faults: bool,
    pub(super) done: Vec<Done>,
    pub(super) told: BTreeMap<Process, Told>,
    pub(super) versions: Versions,
    /// The objects that are there at the end.
    pub(super) names: BTreeSet<Path>,
    /// The customers that Komet has at the end.
    pub(super) customers: BTreeMap<i64, Customer>,
    pub(super) trace: Vec<String>,
    /// The last process, which came when everything was quiet.
    pub(super) last: Process,
}

/// What writers share.
struct Shared {
    world: Arc<World>,
    komet: Mutex<Komet>,
    told: Mutex<BTreeMap<Process, Told>>,
    done: Mutex<Vec<Done>>,
}

fn runtime() -> Arc<Runtime> {
    static RUNTIME: OnceLock<Arc<Runtime>> = OnceLock::new();
    let build = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Arc::new(builder.worker_threads(2).enable_all().build().unwrap())
    };
    RUNTIME.get_or_init(build).clone()
}

fn place() -> TablePlace {
    match "s3://lake/komet".parse() {
        Ok(Destination::Table(place)) => place,
        other => panic!("{other:?}"),
    }
}

/// What a seed has writers do.
struct Scenario {
    usual: TableMode,
    faults: Faults,
    /// The jobs of each writer with the pause before each, and how far its clock is off.
    writers: Vec<(Vec<(i64, Job)>, i64)>,
}

impl Scenario {
    fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let usual = [TableMode::Merge, TableMode::Append, TableMode::History][random.usize(..3)];
        let often = |random: &mut fastrand::Rng, rates: &[u32]| rates[random.usize(..rates.len())];
        let patience = often(&mut random, &[0, 2, 8, 40]);
        let mut faults = Faults { patience, ..Faults::default() };
        if random.u32(..6) > 0 {
            faults.refusals = often(&mut random, &[0, 12, 40, 120]);
            faults.lost_answers = often(&mut random, &[0, 4, 10, 40]);
            faults.late = often(&mut random, &[0, 4, 10, 40]);
            faults.crashes = often(&mut random, &[0, 0, 40, 200]);
            faults.stalls = often(&mut random, &[0, 20, 100]);
        }
        let skew = [0, 0, SECOND, MAX_SKEW][random.usize(..4)];
        // Some go on for months, so that the log is summed up and cleaned.
        let is_long = random.u32(..40) == 0;
        let writers = (0..random.usize(2..=4)).map(|_| {
            let count = if is_long { 6 } else { random.usize(1..=2) };
            let jobs = (0..count).map(|_| {
                let days = if is_long { random.i64(0..40 * DAY) } else { 0 };
                let pause = [0, days, random.i64(0..60 * SECOND), random.i64(0..2 * HOUR)];
                (pause[random.usize(..4)], job(&mut random, usual))
            });
            (jobs.collect(), random.i64(-skew..=skew))
        });
        let writers = writers.collect();
        Self { usual, faults, writers }
    }
}

fn job(random: &mut fastrand::Rng, usual: TableMode) -> Job {
    let retain = [0, 0, 60 * SECOND, 7 * DAY][random.usize(..4)];
    match random.u32(..14) {
        0 => Job::Vacuum { retain, is_dry_run: random.u32(..4) == 0 },
        1 => Job::Forget { id: random.i64(0..9) },
        kind => {
            let is_overwrite = kind < 4 && usual != TableMode::History;
            Job::Export {
                mode: if is_overwrite { TableMode::Overwrite } else { usual },
                is_whole: is_overwrite || random.u32(..3) == 0,
                allow_shrink: random.bool(),
                is_dry_run: kind == 13,
                vacuum: (random.u32(..6) == 0).then_some(retain),
            }
        }
    }
}

impl History {
    pub(super) fn of(seed: u64) -> Self {
        let Scenario { usual, faults, writers } = Scenario::of(seed);
        let world = Arc::new(World::new(seed, writers.len(), faults));
        let shared = Shared {
            komet: Mutex::new(Komet::begin(&world)),
            world,
            told: Mutex::default(),
            done: Mutex::default(),
        };
        shared.work(seed, writers);
        shared.world.settle();
        // Everything is quiet: one more export reads what changed since the cursor.
        let last = 900;
        let job = Job::Export {
            mode: usual,
            is_whole: false,
            allow_shrink: true,
            is_dry_run: false,
            vacuum: None,
        };
        shared.world.open(1);
        shared.writer(seed, 9, 0, vec![(0, job)], 0);
        let Shared { world, komet, told, done } = shared;
        Self {
            usual,
            has_faults: faults.refusals + faults.lost_answers + faults.late + faults.crashes > 0,
            done: done.into_inner().unwrap(),
            told: told.into_inner().unwrap(),
            versions: world.versions(),
            names: world.names(),
            customers: komet.into_inner().unwrap().customers,
            trace: world.trace(),
            last,
        }
    }
}

/// Gives the turn on, however a writer ends.
struct Turn<'a>(&'a World, usize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

impl Shared {
    fn work(&self, seed: u64, writers: Vec<(Vec<(i64, Job)>, i64)>) {
        self.world.open(writers.len());
        std::thread::scope(|threads| {
            for (writer, (jobs, skew)) in writers.into_iter().enumerate() {
                threads.spawn(move || self.writer(seed, writer, writer, jobs, skew));
            }
        });
    }

    /// One writer does its jobs, each as a process of its own.
    fn writer(&self, seed: u64, number: usize, writer: usize, jobs: Vec<(i64, Job)>, skew: i64) {
        let runtime = runtime();
        runtime.block_on(self.world.first_turn(writer));
        let _turn = Turn(&self.world, writer);
        for (count, (pause, job)) in jobs.into_iter().enumerate() {
            runtime.block_on(self.world.pass(writer, pause));
            let process = number * 100 + count;
            fastrand::seed(seed ^ ((process as u64 + 1) << 32));
            self.world.note(|| format!("p{process} begins: {job:?}"));
            let reached = Reached { world: self.world.clone(), writer, process };
            let came = self.run(&reached, &job, skew);
            let came = (!self.world.is_dead(process)).then_some(came);
            self.world.note(|| match &came {
                None => format!("p{process} is gone"),
                Some(Err(error)) => format!("p{process} fails: {error}"),
                Some(Ok(Came::Exported(report))) => {
                    let Report { version, committed, .. } = **report;
                    format!("p{process} has exported: {version:?}, committed: {committed}")
                }
                Some(Ok(_)) => format!("p{process} is done"),
            });
            let (sent, is_in_doubt) = (self.world.sent(process), self.world.is_in_doubt(process));
            self.done.lock().unwrap().push(Done { process, job, came, sent, is_in_doubt });
        }
    }

    fn run(&self, reached: &Reached, job: &Job, skew: i64) -> Result<Came, Error> {
        let options = Options {
            settings: Vec::new(),
            retry_window: Duration::from_secs(20),
            single_writer: false,
            interrupt: Interrupt::default(),
            proxies: Proxies::default(),
        };
        let objects = Arc::new(reached.clone());
        let parts = Parts { objects: objects.clone(), clock: objects, runtime: runtime() };
        let store = Store::of(&place().place, &options, parts);
        let now = || Timestamp::from_micros(self.world.now() + skew).unwrap();
        match job {
            Job::Export { .. } => self.export(reached, store, job, &now),
            Job::Vacuum { retain, is_dry_run } => {
                self.world.vacuums(reached.process, *retain);
                let options = VacuumOptions {
                    retain: Some(Duration::from_micros(retain.unsigned_abs())),
                    rejects: Duration::from_secs(60),
                    is_dry_run: *is_dry_run,
                };
                let table = tables(&store, &place(), &CUSTOMERS)?.remove(0);
                vacuum(store, table, &CUSTOMERS, &options, &())?;
                Ok(Came::Vacuumed)
            }
            Job::Forget { id } => {
                let keys = BTreeSet::from([*id]);
                let forgotten = forget(store, &place(), &CUSTOMERS, None, &keys, now(), &())?;
                Ok(Came::Forgotten(forgotten.version, forgotten.committed))
            }
        }
    }

    fn export(
        &self,
        reached: &Reached,
        store: Store,
        job: &Job,
        now: &dyn Fn() -> Timestamp,
    ) -> Result<Came, Error> {
        let Job::Export { mode, is_whole, allow_shrink, is_dry_run, vacuum } = job.clone() else {
            unreachable!("{job:?}")
        };
        let Reached { writer, process, .. } = *reached;
        if let Some(retain) = vacuum {
            self.world.vacuums(process, retain);
        }
        let options = TableOptions {
            mode,
            is_whole,
            allow_shrink,
            is_dry_run,
            vacuum: vacuum.map(|retain| Duration::from_micros(retain.unsigned_abs())),
        };
        let mut table = Table::open(store, &place(), &CUSTOMERS, options, now(), &())?;
        let config = Config::parse(br#"{"authentication_token": "abcdefgh"}"#, "test").unwrap().0;
        let (how, state) = match is_whole || mode == TableMode::Overwrite {
            true => (Mode::FullRefresh, None),
            false => (Mode::Incremental, table.state()),
        };
        let selection = Selection::all(&CUSTOMERS);
        let full_list_hours = Some(FULL_LIST_HOURS);
        let request = Request { stream: &CUSTOMERS, selection, mode: how, state, full_list_hours };
        let plan = Plan::new(&config, request, now());
        // The request is on its way, and the answer.
        let asked_at = now();
        runtime().block_on(self.world.pass(writer, 0));
        let since =
            plan.asked.map(|day| Timestamp::from(day.and_time(chrono::NaiveTime::MIN).and_utc()));
        let records = self.komet.lock().unwrap().asked(&self.world, since);
        runtime().block_on(self.world.pass(writer, 0));
        // Dated customers from before the bound are left out: the read that set the cursor has brought them.
        let is_kept = |customer: &Customer| match (plan.bound, customer.updated) {
            (Some(bound), Some(updated)) => updated >= bound.micros(),
            _ => true,
        };
        let kept = records.iter().filter(|(_, customer)| is_kept(customer));
        let told = Told {
            records: kept.copied().collect(),
            at: asked_at.micros(),
            is_whole: plan.is_whole,
            is_in_doubt: false,
        };
        self.told.lock().unwrap().insert(process, told);
        let scratch = Scratch::new(vec![std::env::temp_dir()]);
        let accepted = prove(&reply(&records)[..], &plan, &config, asked_at, &scratch, &())?;
        let ask = |id: i64| {
            if self.komet.lock().unwrap().customers.contains_key(&id) {
                self.told.lock().unwrap().get_mut(&process).unwrap().is_in_doubt = true;
                return Answer::There;
            }
            Answer::Gone
        };
        hand_over(accepted, &plan, &mut table, RejectLimits::kept(None), &(), &ask)?;
        Ok(match table.report() {
            Some(report) => Came::Exported(Box::new(report.clone())),
            None => Came::Compared,
        })
    }
}
