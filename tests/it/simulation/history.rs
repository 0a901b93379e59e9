//! A history: what writers are to do, drawn from a seed, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kometsales::error::Error;
use kometsales::export::Exported;
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Table, TableOptions, VacuumOptions, forget, tables, vacuum};
use kometsales::model::Timestamp;
use kometsales::store::Store;
use kometsales::streams::customers::CUSTOMERS;
use object_store::path::Path;

use super::drive::{DAY, LAST, Scenario, last, place, store, work};
use super::komet::{Customer, Komet};
use super::log::Versions;
use super::reading::{Reading, Told};
use super::store::Reached;
use super::world::{Process, SECOND, World};

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
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let Scenario { usual, faults, writers } = Scenario::of(&mut random, job);
        let world = Arc::new(World::new(seed, writers.len(), faults));
        let shared = Shared {
            komet: Mutex::new(Komet::begin(&world, 0)),
            world,
            told: Mutex::default(),
            done: Mutex::default(),
        };
        work(&shared.world, seed, writers, |reached, job, skew| shared.one(&reached, job, skew));
        shared.world.settle();
        // Everything is quiet: one more export reads what changed since the cursor.
        let job = Job::Export {
            mode: usual,
            is_whole: false,
            allow_shrink: true,
            is_dry_run: false,
            vacuum: None,
        };
        work(&shared.world, seed, last(job), |reached, job, skew| shared.one(&reached, job, skew));
        let Shared { world, komet, told, done } = shared;
        Self {
            usual,
            has_faults: faults.are_any(),
            done: done.into_inner().unwrap(),
            told: told.into_inner().unwrap(),
            versions: world.versions(),
            names: world.names(),
            customers: komet.into_inner().unwrap().customers,
            trace: world.trace(),
            last: LAST,
        }
    }
}

impl Shared {
    /// One process, from its start to its end.
    fn one(&self, reached: &Reached, job: Job, skew: i64) {
        let process = reached.process;
        let came = self.run(reached, &job, skew);
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
        let (sent, is_in_doubt) = (self.world.sent(process), self.world.doubts(process) > 0);
        self.done.lock().unwrap().push(Done { process, job, came, sent, is_in_doubt });
    }

    fn run(&self, reached: &Reached, job: &Job, skew: i64) -> Result<Came, Error> {
        let store = store(reached);
        let now = || Timestamp::from_micros(self.world.now() + skew).unwrap();
        match job {
            Job::Export { .. } => self.export(reached, store, job, &now),
            Job::Vacuum { retain, is_dry_run } => {
                self.world.vacuums(reached.process, *retain);
                vacuumed(store, *retain, *is_dry_run).map(|()| Came::Vacuumed)
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
        now: &(dyn Fn() -> Timestamp + Sync),
    ) -> Result<Came, Error> {
        let Job::Export { mode, is_whole, allow_shrink, is_dry_run, vacuum } = job.clone() else {
            unreachable!("{job:?}")
        };
        let process = reached.process;
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
        let reading = Reading { reached, komet: &self.komet, token: "abcdefgh", options, now };
        let (told, done) = reading.export_to(&mut table);
        told.map(|told| self.told.lock().unwrap().insert(process, told));
        done?;
        Ok(match table.report() {
            Some(report) => Came::Exported(Box::new(report.clone())),
            None => Came::Compared,
        })
    }
}

/// A vacuum of the table that keeps every version which was the newest within this time.
pub(super) fn vacuumed(store: Store, retain: i64, is_dry_run: bool) -> Result<(), Error> {
    let options = VacuumOptions {
        retain: Some(Duration::from_micros(retain.unsigned_abs())),
        rejects: Duration::from_secs(60),
        is_dry_run,
    };
    let table = tables(&store, &place(), &CUSTOMERS)?.remove(0);
    vacuum(store, table, &CUSTOMERS, &options, &()).map(drop)
}
