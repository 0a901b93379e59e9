//! One table of many companies, several writers and the races that they lose, against a naive model of what is to be there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kometsales::export::Exported;
use kometsales::export::mode::TableMode;
use kometsales::export::table::{Ended, HandIn, SharedTable, TableOptions};
use kometsales::model::{Timestamp, Zone};
use kometsales::sink::Answer;
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::export::model::{How, accepted, lake, planned, store, table_at};
use crate::support::lake::Lake;

const COMPANIES: [&str; 3] = ["rosas", "lirios.2", "Claveles-3"];

/// The customers of a reply: each with the number in its name.
type Customers = Vec<(i64, u8)>;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A writer exports a company, of which Komet has these customers, and hands it in.
    Export { writer: usize, company: usize, customers: Customers },
    /// A writer commits what it has.
    Commit { writer: usize },
    /// A writer is killed, and another one takes its place.
    Kill { writer: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let writer = 0..3_usize;
    let customers = proptest::collection::btree_map(0..6_i64, 0..4_u8, 0..5);
    prop_oneof![
        6 => (writer.clone(), 0..COMPANIES.len(), customers).prop_map(|(writer, company, customers)| {
            Step::Export { writer, company, customers: customers.into_iter().collect() }
        }),
        3 => writer.clone().prop_map(|writer| Step::Commit { writer }),
        1 => writer.prop_map(|writer| Step::Kill { writer }),
    ]
}

/// What is to be there of a company.
#[derive(Debug, Default)]
struct Company {
    /// The name of each customer.
    rows: BTreeMap<i64, u8>,
    /// The run that noted last.
    run: Option<String>,
    /// How often its part has changed.
    changes: u32,
}

/// A run, and what it has handed in: for each company the customers of the reply, and how often the part had changed.
struct Writer {
    mode: TableMode,
    table: SharedTable,
    waiting: Vec<(usize, Customers, u32, HandIn)>,
}

impl Writer {
    fn open(place: &Path, mode: TableMode) -> Self {
        let options = TableOptions {
            mode,
            is_whole: mode == TableMode::Overwrite,
            allow_shrink: true,
            is_dry_run: false,
            vacuum: None,
        };
        let table = SharedTable::open(store(place), &table_at(place), &CUSTOMERS, options).unwrap();
        Self { mode, table, waiting: Vec::new() }
    }
}

struct World {
    folder: tempfile::TempDir,
    writers: Vec<Writer>,
    model: Vec<Company>,
    /// The version of each run that was acknowledged.
    acknowledged: BTreeMap<String, u64>,
    clock: u32,
    overtaken: u32,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // All of them open the place while there is no table yet.
        let modes = [TableMode::Merge, TableMode::Overwrite, TableMode::Merge];
        let writers = modes.map(|mode| Writer::open(folder.path(), mode)).into();
        let model = COMPANIES.map(|_| Company::default()).into();
        let (acknowledged, clock, overtaken) = (BTreeMap::new(), 0, 0);
        Self { folder, writers, model, acknowledged, clock, overtaken }
    }

    fn now(&mut self) -> Timestamp {
        self.clock += 1;
        let (hour, minute) = (self.clock / 60, self.clock % 60);
        Zone::UTC.parse(&format!("2026-01-01T{hour:02}:{minute:02}:00")).unwrap()
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Export { writer, company, customers } => self.export(writer, company, customers),
            Step::Commit { writer } => self.commit(writer),
            Step::Kill { writer } => {
                let mode = self.writers[writer].mode;
                self.writers[writer] = Writer::open(self.folder.path(), mode);
            }
        }
    }

    fn export(&mut self, writer: usize, company: usize, customers: Customers) {
        let now = self.now();
        let Writer { table, waiting, mode } = &mut self.writers[writer];
        // A run has each company once.
        if waiting.iter().any(|(waits, ..)| *waits == company) {
            return;
        }
        let own = |id: i64| 100 * i64::try_from(company).unwrap() + id;
        let records: Vec<Value> = customers
            .iter()
            .map(|(id, name)| json!({"id": own(*id), "name": format!("n{name}")}))
            .collect();
        let reply = json!({"status": 1, "customers": records}).to_string().into_bytes();
        let how = How { is_incremental: *mode == TableMode::Merge, ..How::of(*mode) };
        let mut part = table.table(COMPANIES[company], now, &()).unwrap();
        let plan = planned(&part, &CUSTOMERS, how);
        let accepted = accepted(&plan, &reply, now);
        let ask = |_| Answer::Gone;
        hand_over(accepted, &plan, &mut part, RejectLimits::kept(None), &(), &ask).unwrap();
        match part.handed_in() {
            Some(handed_in) => {
                assert_eq!(handed_in.company(), COMPANIES[company]);
                assert!(part.report().is_none(), "nothing is reported before it is committed");
                let changes = self.model[company].changes;
                waiting.push((company, customers, changes, handed_in));
            }
            None => {
                // Nothing to write: the table has it all.
                assert!(!part.report().unwrap().committed);
                let there = &self.model[company].rows;
                assert!(customers.iter().all(|(id, name)| there.get(id) == Some(name)));
            }
        }
    }

    fn commit(&mut self, writer: usize) {
        let now = self.now();
        let Writer { table, waiting, mode } = &mut self.writers[writer];
        let mode = *mode;
        let mut expected = BTreeMap::new();
        let mut handed_in = Vec::new();
        for (company, customers, changes, one) in waiting.drain(..) {
            expected.insert(COMPANIES[company], (company, customers, changes));
            handed_in.push(one);
        }
        let ended = table.commit(handed_in, now, &());
        assert_eq!(ended.len(), expected.len());
        let (mut again, mut versions) = (Vec::new(), BTreeSet::new());
        for (name, ended) in ended {
            let (company, customers, changes) = expected.remove(&name[..]).unwrap();
            let there = &mut self.model[company];
            match ended {
                Ended::Committed(report) => {
                    assert_eq!(there.changes, changes, "another writer was faster: {name}");
                    if mode == TableMode::Overwrite {
                        there.rows.clear();
                    }
                    there.rows.extend(customers);
                    there.changes += 1;
                    there.run = Some(report.run.clone());
                    versions.extend(report.version);
                    let before = self.acknowledged.insert(report.run, report.version.unwrap());
                    assert_eq!(before, None);
                }
                Ended::Overtaken => {
                    assert_ne!(there.changes, changes, "nobody was faster: {name}");
                    again.push((company, customers));
                }
                Ended::Failed(error) => panic!("{name}: {error}"),
            }
        }
        assert!(versions.len() <= 1, "one commit for all: {versions:?}");
        self.look();
        if !again.is_empty() {
            self.overtaken += 1;
            for (company, customers) in again {
                self.export(writer, company, customers);
            }
            // Nobody comes between, so this is the last time.
            self.commit(writer);
        }
    }

    /// The table is what the model has.
    fn look(&self) {
        let lake = lake(self.folder.path());
        if lake.names().is_empty() {
            assert!(self.acknowledged.is_empty());
            return;
        }
        for (number, (name, company)) in COMPANIES.iter().zip(&self.model).enumerate() {
            let rows = lake.rows_below(&format!("company={name}/"));
            let first = 100 * i64::try_from(number).unwrap();
            let expected: Vec<(i64, String)> =
                company.rows.iter().map(|(id, name)| (first + id, format!("n{name}"))).collect();
            let found: Vec<(i64, String)> = rows
                .iter()
                .map(|row| (row["id"].as_i64().unwrap(), row["name"].as_str().unwrap().into()))
                .collect();
            assert_eq!(found, expected, "{name}");
            assert_eq!(run_of(&lake, name), company.run, "{name}");
        }
        self.each_in_one_version(&lake);
    }

    /// Every run that was acknowledged is in the version that it was told, with all its files, and in no other.
    fn each_in_one_version(&self, lake: &Lake) {
        let (mut noted, mut added) = (BTreeMap::new(), BTreeMap::new());
        for (version, actions) in lake.commits().iter().enumerate() {
            for action in actions {
                if let Some(path) = action["add"]["path"].as_str() {
                    let (folder, file) = path.split_once('/').unwrap();
                    let whose = action["add"]["partitionValues"]["company"].as_str().unwrap();
                    assert_eq!(folder, format!("company={whose}"));
                    let run = file.strip_prefix("part-").unwrap()[..33].to_owned();
                    let before = added.insert(run, version as u64);
                    assert!(before.is_none_or(|before| before == version as u64));
                }
                if let Some((_, note)) = note_of(action) {
                    let run = note["run"].as_str().unwrap().to_owned();
                    assert_eq!(noted.insert(run, version as u64), None, "noted twice");
                }
            }
        }
        assert_eq!(noted, self.acknowledged);
        for (run, version) in added {
            assert_eq!(self.acknowledged.get(&run), Some(&version), "rows without a state");
        }
    }
}

/// A company and what an action notes of it.
fn note_of(action: &Value) -> Option<(String, Value)> {
    let noted = &action["domainMetadata"];
    let company = noted["domain"].as_str()?.strip_prefix("kometsales.")?.to_owned();
    Some((company, serde_json::from_str(noted["configuration"].as_str()?).unwrap()))
}

fn run_of(lake: &Lake, company: &str) -> Option<String> {
    let commits = lake.commits();
    let mut notes = commits.iter().rev().flatten().filter_map(note_of);
    let (_, note) = notes.find(|(name, _)| name == company)?;
    Some(note["run"].as_str().unwrap().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whoever_loses_a_race_loses_nothing(steps in proptest::collection::vec(step(), 1..30)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.go(step));
        (0..3).for_each(|writer| world.commit(writer));
        let lake = lake(world.folder.path());
        if !lake.names().is_empty() {
            prop_assert!(lake.left_over().is_empty(), "{:?}", lake.left_over());
        }
    }
}

/// The races that the model is there for do come up: first commits, and commits of the same and of other companies.
#[test]
fn a_lost_race_is_won_on_the_next_version() {
    let mut world = World::new();
    let export =
        |writer, company, name| Step::Export { writer, company, customers: vec![(1, name)] };
    world.go(export(0, 0, 1));
    world.go(export(0, 1, 1));
    world.go(export(1, 0, 2));
    world.go(export(1, 2, 2));
    world.go(Step::Commit { writer: 0 });
    assert_eq!((world.writers[0].table.rebases(), world.overtaken), (0, 0));
    world.go(Step::Commit { writer: 1 });
    assert_eq!((world.writers[1].table.rebases(), world.overtaken), (1, 1));
    assert_eq!(
        world.writers[1].table.commits(),
        2,
        "one for what stays, one for what is done again"
    );
    assert_eq!(lake(world.folder.path()).commits().len(), 3);
}
