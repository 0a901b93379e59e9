//! A history of runs of many companies: what they are to do, drawn from a seed, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kometsales::error::Error;
use kometsales::export::Exported;
use kometsales::export::companies::{self, Line, Name, Outcome, Pace, Shard, Turn};
use kometsales::export::mode::TableMode;
use kometsales::export::report::Report;
use kometsales::export::table::{Ended, HandIn, SharedTable, TableOptions, forget};
use kometsales::interrupt::Interrupt;
use kometsales::model::Timestamp;
use kometsales::streams::customers::CUSTOMERS;
use object_store::path::Path;

use super::{COMPANIES, NAMES};
use crate::simulation::drive::{DAY, LAST, Scenario, begin, last, place, store, work};
use crate::simulation::history::vacuumed;
use crate::simulation::komet::Komet;
use crate::simulation::log::Versions;
use crate::simulation::reading::{Reading, Told};
use crate::simulation::store::Reached;
use crate::simulation::world::{Process, SECOND, World};

/// What a process does.
#[derive(Debug, Clone)]
pub(super) enum Job {
    Run {
        shard: Shard,
        mode: TableMode,
        is_whole: bool,
        allow_shrink: bool,
        is_dry_run: bool,
        /// For how long its vacuum keeps versions, where one follows.
        vacuum: Option<i64>,
    },
    Vacuum {
        retain: i64,
        is_dry_run: bool,
    },
    Forget {
        company: usize,
        id: i64,
    },
}

/// What a run says of a company.
#[derive(Debug)]
pub(super) enum Said {
    Exported(Box<Report>),
    /// There was nothing to commit.
    Unchanged,
    Compared,
    /// The kind of failure, and the message.
    Failed(&'static str, String),
    NotStarted,
}

/// What came of a process.
#[derive(Debug)]
pub(super) enum Came {
    Ran(Vec<(String, Said)>),
    Vacuumed,
    /// The version, and whether it was committed.
    Forgotten(u64, bool),
}

/// A process that has ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) process: Process,
    pub(super) job: Job,
    /// Of one that was killed, what was known by then is true.
    pub(super) came: Result<Came, Error>,
    pub(super) is_killed: bool,
    /// Writes and removals that it sent.
    pub(super) sent: usize,
    /// Companies of whose commit nobody knew at some time what became; for a removal that of its own.
    pub(super) in_doubt: BTreeSet<String>,
}

/// What a seed led to.
pub(in crate::simulation) struct History {
    pub(super) usual: TableMode,
    pub(super) has_faults: bool,
    pub(super) companies: Vec<&'static str>,
    pub(super) done: Vec<Done>,
    /// What the turns of a company in a run were told.
    pub(super) told: BTreeMap<(Process, String), Vec<Told>>,
    pub(super) versions: Versions,
    /// The objects that are there at the end.
    pub(super) names: BTreeSet<Path>,
    /// What Komet has of each company at the end.
    pub(super) komets: Vec<Komet>,
    pub(in crate::simulation) trace: Vec<String>,
}

/// What writers share.
struct Shared {
    seed: u64,
    world: Arc<World>,
    companies: Vec<&'static str>,
    komets: Vec<Mutex<Komet>>,
    told: Mutex<BTreeMap<(Process, String), Vec<Told>>>,
    done: Mutex<Vec<Done>>,
}

fn job(random: &mut fastrand::Rng, usual: TableMode, companies: usize) -> Job {
    let retain = [0, 0, 60 * SECOND, 7 * DAY][random.usize(..4)];
    match random.u32(..14) {
        0 | 1 => Job::Vacuum { retain, is_dry_run: random.u32(..4) == 0 },
        2 => Job::Forget { company: random.usize(..companies), id: random.i64(0..9) },
        kind => {
            let is_overwrite = kind < 5 && usual != TableMode::History;
            let shards = ["0/1", "0/1", "0/2", "1/2"];
            Job::Run {
                shard: shards[random.usize(..shards.len())].parse().unwrap(),
                mode: if is_overwrite { TableMode::Overwrite } else { usual },
                is_whole: is_overwrite || random.u32(..3) == 0,
                allow_shrink: random.bool(),
                is_dry_run: kind == 13,
                vacuum: (random.u32(..4) == 0).then_some(retain),
            }
        }
    }
}

impl History {
    pub(in crate::simulation) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed ^ 0xc0de);
        let companies = COMPANIES[..random.usize(2..=COMPANIES.len())].to_vec();
        let count = companies.len();
        let Scenario { usual, faults, writers } =
            Scenario::of(&mut random, |random, usual| job(random, usual, count));
        let world = Arc::new(World::new(seed, writers.len(), faults));
        let komets = (0..count).map(|at| Mutex::new(Komet::begin(&world, at as u32 * NAMES)));
        let shared = Shared {
            seed,
            komets: komets.collect(),
            companies,
            world,
            told: Mutex::default(),
            done: Mutex::default(),
        };
        let one = |reached: Reached, job, skew| shared.one(&reached, job, skew);
        work(&shared.world, seed, writers, one);
        shared.world.settle();
        // Everything is quiet: one more run reads of all companies what changed since their cursors.
        let job = Job::Run {
            shard: Shard::WHOLE,
            mode: usual,
            is_whole: false,
            allow_shrink: true,
            is_dry_run: false,
            vacuum: None,
        };
        work(&shared.world, seed, last(job), one);
        let Shared { world, companies, komets, told, done, .. } = shared;
        Self {
            usual,
            has_faults: faults.are_any(),
            companies,
            done: done.into_inner().unwrap(),
            told: told.into_inner().unwrap(),
            versions: world.versions(),
            names: world.names(),
            komets: komets.into_iter().map(|komet| komet.into_inner().unwrap()).collect(),
            trace: world.trace(),
        }
    }

    /// The process that came when everything was quiet.
    pub(super) const LAST: Process = LAST;
}

impl Shared {
    /// One process, from its start to its end.
    fn one(&self, reached: &Reached, job: Job, skew: i64) {
        let process = reached.process;
        let mut in_doubt = BTreeSet::new();
        let came = self.run(reached, &job, skew, &mut in_doubt);
        let is_killed = self.world.is_dead(process);
        let sent = self.world.sent(process);
        if let Ok(Came::Ran(lines)) = &came {
            for (company, said) in lines {
                self.world.note(|| match said {
                    Said::Exported(report) => {
                        format!("p{process} says of {company}: exported as {:?}", report.version)
                    }
                    other => format!("p{process} says of {company}: {other:?}"),
                });
            }
        }
        self.world.note(|| match &came {
            _ if is_killed => format!("p{process} is gone"),
            Err(error) => format!("p{process} fails: {error}"),
            Ok(_) => format!("p{process} is done"),
        });
        self.done.lock().unwrap().push(Done { process, job, came, is_killed, sent, in_doubt });
    }

    fn run(
        &self,
        reached: &Reached,
        job: &Job,
        skew: i64,
        in_doubt: &mut BTreeSet<String>,
    ) -> Result<Came, Error> {
        let store = store(reached);
        let now = || Timestamp::from_micros(self.world.now() + skew).unwrap();
        match job {
            Job::Vacuum { retain, is_dry_run } => {
                self.world.vacuums(reached.process, *retain);
                vacuumed(store, *retain, *is_dry_run).map(|()| Came::Vacuumed)
            }
            Job::Forget { company, id } => {
                let (keys, name) = (BTreeSet::from([*id]), self.companies[*company]);
                let forgotten = forget(store, &place(), &CUSTOMERS, Some(name), &keys, now(), &());
                if self.world.doubts(reached.process) > 0 {
                    in_doubt.insert(name.to_owned());
                }
                forgotten.map(|forgotten| Came::Forgotten(forgotten.version, forgotten.committed))
            }
            Job::Run { shard, mode, is_whole, allow_shrink, is_dry_run, vacuum } => {
                if let Some(retain) = vacuum {
                    self.world.vacuums(reached.process, *retain);
                }
                let options = TableOptions {
                    mode: *mode,
                    is_whole: *is_whole,
                    allow_shrink: *allow_shrink,
                    is_dry_run: *is_dry_run,
                    vacuum: vacuum.map(|retain| Duration::from_micros(retain.unsigned_abs())),
                };
                let table = SharedTable::open(store, &place(), &CUSTOMERS, options)?;
                let run = Run {
                    shared: self,
                    reached,
                    options,
                    table,
                    now: &now,
                    steps: Mutex::new(0),
                    in_doubt: Mutex::default(),
                };
                let lines = run.all(*shard)?;
                run.vacuum();
                in_doubt.extend(run.in_doubt.into_inner().unwrap());
                Ok(Came::Ran(lines))
            }
        }
    }
}

fn said(outcome: &Outcome) -> Said {
    match outcome {
        Outcome::Exported { report, .. } if report.committed => Said::Exported(report.clone()),
        Outcome::Exported { .. } => Said::Unchanged,
        Outcome::Compared { .. } => Said::Compared,
        Outcome::Failed { kind, message, .. } => Said::Failed(kind, message.clone()),
        Outcome::NotStarted { .. } => Said::NotStarted,
        Outcome::Checked { .. } => panic!("nobody is checked alone"),
    }
}

/// A run of many companies, of which one is at work at a time: the seed alone decides.
struct Run<'a> {
    shared: &'a Shared,
    reached: &'a Reached,
    options: TableOptions,
    table: SharedTable,
    now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Turns and commits so far.
    steps: Mutex<usize>,
    in_doubt: Mutex<BTreeSet<String>>,
}

impl Run<'_> {
    fn all(&self, shard: Shard) -> Result<Vec<(String, Said)>, Error> {
        let names = self.shared.companies.iter().map(|name| name.parse::<Name>().unwrap());
        let names = names.filter(|name| shard.has(name)).collect();
        let mut lines = Vec::new();
        let report = |line: &Line| {
            lines.push((line.company.to_string(), said(&line.outcome)));
            Ok(())
        };
        let turn = |name: &Name| Turn { done: self.turn(name), requests: 1 };
        let commit = |handed_in| self.commit(handed_in);
        let pace = Pace { jobs: 1, shard };
        companies::run(names, pace, &Interrupt::default(), turn, &commit, report)?;
        Ok(lines)
    }

    /// The vacuum behind the commits, where one is due.
    fn vacuum(&self) {
        self.begin();
        if let Some(removed) = self.table.vacuum(&()) {
            let process = self.reached.process;
            self.shared
                .world
                .note(|| format!("p{process} vacuums behind its commits: {removed:?}"));
        }
    }

    /// The threads of a run are new, and what they draw is the seed's.
    fn begin(&self) {
        let mut steps = self.steps.lock().unwrap();
        *steps += 1;
        begin(self.shared.seed, self.reached.process, *steps);
    }

    fn turn(&self, name: &Name) -> Result<companies::Done, Error> {
        self.begin();
        let Self { shared, reached, options, now, .. } = self;
        let mut table = self.table.table(name.as_str(), now(), &())?;
        let place = shared.companies.iter().position(|company| *company == name.as_str());
        let komet = &shared.komets[place.unwrap()];
        let token = format!("token-of-{name}");
        let reading = Reading { reached, komet, token: &token, options: *options, now: *now };
        let (told, done) = reading.export_to(&mut table);
        if let Some(told) = told {
            let mut all = shared.told.lock().unwrap();
            let turns = all.entry((reached.process, name.to_string())).or_default();
            turns.push(told);
            let turn = turns.len();
            shared.world.note(|| format!("p{} turn {turn} of {name} is told", reached.process));
        }
        done?;
        Ok(match (table.handed_in(), table.report(), table.difference()) {
            (Some(handed_in), ..) => companies::Done::HandedIn(Box::new(handed_in)),
            (_, Some(report), _) => companies::Done::Exported(Box::new(report.clone())),
            (.., Some(difference)) => companies::Done::Compared(Box::new(difference.clone())),
            _ => panic!("{name} has nothing to show"),
        })
    }

    /// Commits what companies have handed in, in one or more commits, as they would be if some had waited for longer.
    fn commit(&self, mut handed_in: Vec<HandIn>) -> Vec<(String, Ended)> {
        let world = &self.shared.world;
        let mut ended = Vec::new();
        while !handed_in.is_empty() {
            let all = handed_in.len();
            let count = if world.draw(3) == 0 { 1 + world.draw(all as u32) as usize } else { all };
            let piece: Vec<HandIn> = handed_in.drain(..count).collect();
            ended.extend(self.commit_at_once(piece, all));
        }
        ended
    }

    fn commit_at_once(&self, piece: Vec<HandIn>, all: usize) -> Vec<(String, Ended)> {
        self.begin();
        let (world, process) = (&self.shared.world, self.reached.process);
        let names: Vec<String> = piece.iter().map(|one| one.company().to_owned()).collect();
        world.note(|| format!("p{process} commits {} of {all}: {}", names.len(), names.join(", ")));
        let (doubts, rebases) = (world.doubts(process), self.table.rebases());
        let ended = self.table.commit(piece, (self.now)(), &());
        let is_in_doubt = world.doubts(process) > doubts;
        if is_in_doubt {
            self.in_doubt.lock().unwrap().extend(names);
        }
        let is_rebased = self.table.rebases() > rebases;
        let is_over = ended.iter().any(|(_, ended)| matches!(ended, Ended::Overtaken));
        let how = match (is_rebased, is_over) {
            (true, true) => " on top of others, beside who was overtaken",
            (true, false) => " on top of others",
            (false, _) => "",
        };
        let doubt = if is_in_doubt { ", in doubt" } else { "" };
        for (company, ended) in &ended {
            world.note(|| match ended {
                Ended::Committed(report) => {
                    format!("p{process} {company} is {:?}{how}{doubt}", report.version)
                }
                other => format!("p{process} {company}: {other:?}{doubt}"),
            });
        }
        ended
    }
}
