//! Tables that stay small: small files that a merge takes along, and what `vacuum` removes and keeps.

mod after_export;
mod files;
pub(super) mod log;
mod many;
mod one_table;
mod refusals;
mod small;
mod stores;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kometsales::simulator::Simulator;
use serde_json::Value;

use super::places::{into_table, lake};
use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::{Connector, simulator};

const HOUR: u64 = 3600;
pub(super) const DAY: u64 = 24 * HOUR;

/// A table of so many versions, each of one file, which the next one replaces.
fn table(versions: u64) -> (Simulator, Connector) {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    commit(&simulator, &connector, versions - 1);
    (simulator, connector)
}

/// Commits so many more versions.
fn commit(simulator: &Simulator, connector: &Connector, versions: u64) {
    for _ in 0..versions {
        simulator.change(5);
        assert_eq!(into_table(connector, &["--full-refresh"])["committed"], true);
    }
}

fn folder(connector: &Connector) -> PathBuf {
    connector.folder().join("lake/customers")
}

fn commit_file(connector: &Connector, version: u64) -> PathBuf {
    folder(connector).join(format!("_delta_log/{version:020}.json"))
}

/// Makes a file of this machine so many seconds old.
pub(super) fn age(file: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Makes everything below the table's place so old.
fn age_all(connector: &Connector, seconds: u64) {
    let place = connector.folder().join("lake");
    for name in Lake::in_folder(&place).names() {
        age(&place.join(name), seconds);
    }
}

/// Writes a file that old.
fn put(file: &Path, seconds: u64) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "x").unwrap();
    age(file, seconds);
}

fn run(connector: &Connector, more: &[&str]) -> Answer {
    connector.run(&[&["vacuum", "lake"], more].concat())
}

/// A vacuum that worked: what it says.
#[track_caller]
fn vacuum(connector: &Connector, more: &[&str]) -> Value {
    let answer = run(connector, &[&["--json"], more].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// How many files, orphans, entries of the log and files of rejected records a vacuum removed.
pub(super) fn counts(vacuumed: &Value) -> [u64; 4] {
    ["files", "orphans", "log", "rejects"].map(|part| vacuumed[part]["count"].as_u64().unwrap())
}

fn names(part: &Value) -> Vec<&str> {
    part["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// Everything below the table's place.
fn everything(connector: &Connector) -> Vec<String> {
    let place = Lake::in_folder(&connector.folder().join("lake"));
    place.names().into_iter().map(str::to_owned).collect()
}

/// The files of each version, read from commits that are all there.
fn versions(connector: &Connector) -> Vec<BTreeSet<String>> {
    let (mut live, mut versions) = (BTreeSet::new(), Vec::new());
    for commit in lake(connector).commits() {
        for action in &commit {
            if let Some(path) = action["remove"]["path"].as_str() {
                live.remove(path);
            }
        }
        live.extend(
            commit.iter().filter_map(|action| Some(action["add"]["path"].as_str()?.to_owned())),
        );
        versions.push(live.clone());
    }
    versions
}

/// Which versions can still be read, of those that were there.
fn readable(connector: &Connector, versions: &[BTreeSet<String>]) -> Vec<u64> {
    let there: BTreeMap<String, ()> =
        lake(connector).names().into_iter().map(|name| (name.to_owned(), ())).collect();
    let is_whole = |files: &BTreeSet<String>| files.iter().all(|file| there.contains_key(file));
    let whole = versions.iter().zip(0..).filter(|(files, _)| is_whole(files));
    whole.map(|(_, version)| version).collect()
}
