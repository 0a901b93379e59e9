//! `vacuum` against object stores: their clock, their refusals, and what other programs do meanwhile.

use std::process::{Child, Stdio};

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use super::{DAY, counts};
use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, collect, eventually, simulator, wait};

const BUCKET: &str = "bucket";
const TABLE: &str = "p/customers";
const SECONDS: i64 = DAY as i64;

fn connector(store: &Store, simulator: &Simulator, scheme: &str) -> Connector {
    let environment = if scheme == "s3" { store.s3_environment() } else { store.gcs_environment() };
    let connector = Connector::of(simulator).with("retry_window_seconds", 4);
    environment
        .iter()
        .fold(connector, |connector, (name, value)| connector.with_environment(name, value))
}

fn url(scheme: &str) -> String {
    format!("{scheme}://{BUCKET}/p")
}

/// A table of so many versions in a bucket.
fn table(scheme: &str, versions: u64) -> (Store, Simulator, Connector) {
    let (store, simulator) = (Store::start(Options::default()), simulator(40));
    let connector = connector(&store, &simulator, scheme);
    for _ in 0..versions {
        let to = url(scheme);
        let more = ["export", "--config", "config.json", "--full-refresh", "--to", &to];
        let answer = connector.run(&more);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        simulator.change(5);
    }
    (store, simulator, connector)
}

fn age_all(store: &Store, seconds: i64) {
    store.keys(BUCKET).iter().for_each(|key| store.age(BUCKET, key, seconds));
}

fn run(connector: &Connector, scheme: &str, more: &[&str]) -> Answer {
    connector.run(&[&["vacuum", &url(scheme), "--json"], more].concat())
}

#[track_caller]
fn vacuum(connector: &Connector, scheme: &str, more: &[&str]) -> Value {
    let answer = run(connector, scheme, more);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// The request for commits after a version.
fn look_again(version: u64) -> String {
    format!("start-after={TABLE}/_delta_log/{version:020}.json")
}

#[test]
fn ages_are_by_the_clock_of_the_store() {
    for scheme in ["s3", "gs"] {
        let (store, _simulator, connector) = table(scheme, 4);
        // The store's clock is behind: what is old by this machine's is young.
        age_all(&store, 8 * SECONDS);
        store.set_clock_ahead(-9 * SECONDS);
        assert_eq!(counts(&vacuum(&connector, scheme, &["--dry-run"]))[0], 3, "{scheme}");
        assert_eq!(counts(&vacuum(&connector, scheme, &[])), [0, 0, 0, 0], "{scheme}");
        // It is ahead.
        age_all(&store, -8 * SECONDS);
        store.set_clock_ahead(8 * SECONDS);
        assert_eq!(counts(&vacuum(&connector, scheme, &["--dry-run"])), [0, 0, 0, 0], "{scheme}");
        assert_eq!(counts(&vacuum(&connector, scheme, &[])), [3, 0, 0, 0], "{scheme}");
        let lake = Lake::in_store(&store, BUCKET, TABLE);
        assert_eq!(lake.rows().len(), 40);
        // What tells the time is gone.
        let hidden = |name: &&str| name.starts_with('.');
        assert_eq!(lake.names().into_iter().filter(hidden).count(), 0);
    }
}

#[test]
fn a_file_that_another_program_takes_back_meanwhile_stays() {
    let (store, _simulator, connector) = table("s3", 3);
    age_all(&store, 8 * SECONDS);
    let lake = Lake::in_store(&store, BUCKET, TABLE);
    let first = lake.commits()[0].clone();
    let back = first.into_iter().find(|action| action["add"].is_object()).unwrap();
    let name = back["add"]["path"].as_str().unwrap().to_owned();
    let commit = format!("{TABLE}/_delta_log/{:020}.json", 3);
    let restore = move |store: &Store| store.put(BUCKET, &commit, format!("{back}\n"));
    store.script(Rule::on("GET", &look_again(2)).before(restore));
    let vacuumed = vacuum(&connector, "s3", &[]);
    assert_eq!(counts(&vacuumed), [1, 0, 0, 0], "{vacuumed}");
    assert_eq!(Lake::in_store(&store, BUCKET, TABLE).version(), 3, "it came meanwhile");
    assert!(store.keys(BUCKET).contains(&format!("{TABLE}/{name}")));
}

#[test]
fn a_protocol_that_changes_meanwhile_stops_it() {
    let (store, _simulator, connector) = table("s3", 3);
    age_all(&store, 8 * SECONDS);
    let commit = format!("{TABLE}/_delta_log/{:020}.json", 3);
    let upgrade = move |store: &Store| {
        let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": ["fromTheFuture"], "writerFeatures": ["fromTheFuture"]}});
        store.put(BUCKET, &commit, format!("{protocol}\n"));
    };
    store.script(Rule::on("GET", &look_again(2)).before(upgrade));
    let before = store.keys(BUCKET).len();
    let answer = run(&connector, "s3", &[]);
    assert_eq!(answer.code, Some(75), "{}", answer.stderr);
    assert_eq!(store.keys(BUCKET).len(), before + 1);
}

#[test]
fn what_may_not_be_removed_is_an_error_and_the_log_that_names_it_stays() {
    for (first, removed) in [(1, 0), (2, 0)] {
        let (store, _simulator, connector) = table("s3", 12);
        age_all(&store, 40 * SECONDS);
        let before = store.keys(BUCKET).len();
        store.script(Rule::on("POST", "delete").nth(first).answers(403).always());
        let answer = run(&connector, "s3", &[]);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains("may not be"), "{}", answer.stderr);
        let own = usize::from(first == 1);
        assert_eq!(store.keys(BUCKET).len(), before - removed + own, "{:?}", store.keys(BUCKET));
    }
}

#[test]
fn a_place_that_may_not_be_written_is_an_error_and_nothing_is_removed() {
    let (store, _simulator, connector) = table("s3", 3);
    age_all(&store, 40 * SECONDS);
    let before = store.keys(BUCKET);
    store.script(Rule::on("PUT", "").answers(403).always());
    let answer = run(&connector, "s3", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert_eq!(store.keys(BUCKET), before);
    assert_eq!(counts(&vacuum(&connector, "s3", &["--dry-run"]))[0], 2, "it needs to read alone");
}

#[test]
fn a_log_that_somebody_else_cleans_up_meanwhile_is_read_again() {
    let (store, _simulator, connector) = table("s3", 12);
    age_all(&store, 40 * SECONDS);
    let clean_up = |store: &Store| {
        for version in 0..10 {
            store.remove(BUCKET, &format!("{TABLE}/_delta_log/{version:020}.json"));
        }
    };
    store.script(Rule::on("GET", &format!("{:020}.json", 0)).before(clean_up));
    let vacuumed = vacuum(&connector, "s3", &[]);
    // The names of older files were in the commits that are gone, so these files are orphans now.
    assert_eq!(counts(&vacuumed), [2, 9, 0, 0], "{vacuumed}");
}

fn start(connector: &Connector, more: &[&str]) -> Child {
    connector
        .command(&[&["vacuum", &url("s3")], more].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_signal_ends_it_between_removals_and_the_next_one_goes_on() {
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let (store, _simulator, connector) = table("s3", 1);
        for file in 0..250 {
            let run = format!("20260101T000000Z-{file:016x}");
            let key = format!("{TABLE}/part-{run}-00-00000.zstd.parquet");
            store.put(BUCKET, &key, b"x".to_vec());
            store.age(BUCKET, &key, 8 * SECONDS);
        }
        let before = store.keys(BUCKET).len();
        // The first request is for what tells the time.
        let earlier = store.count("POST", "delete");
        store.script(Rule::on("POST", "delete").nth(2).delays_after(1500));
        let mut child = start(&connector, &[]);
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        eventually("files are removed", || store.count("POST", "delete") == earlier + 2);
        let sent = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let status = wait(&mut child);
        let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(number),
            "{stderr}"
        );
        assert!(stderr.contains("Run again to remove the rest"), "{stderr}");
        assert_eq!(stdout.join().unwrap(), b"");
        assert_eq!(store.keys(BUCKET).len(), before - 100);
        assert_eq!(counts(&vacuum(&connector, "s3", &[])), [0, 150, 0, 0]);
    }
}
