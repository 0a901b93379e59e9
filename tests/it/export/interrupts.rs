//! Ctrl-C and SIGTERM while `export` runs: before the commit everything is as it was, after it everything
//! is there.

use std::process::{Child, Stdio};
use std::time::Instant;

use kometsales::simulator::Simulator;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::replies::list;
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, LONGEST_RUN, collect, eventually, faulty, simulator, wait};

const BUCKET: &str = "bucket";
const SIGNALS: [(&str, i32); 2] = [("INT", 2), ("TERM", 15)];

fn connector(store: &Store, simulator: &Simulator) -> Connector {
    let connector = Connector::of(simulator).with("retry_window_seconds", 2);
    store
        .s3_environment()
        .iter()
        .fold(connector, |connector, (name, value)| connector.with_environment(name, value))
}

fn start(connector: &Connector, config: &serde_json::Value, to: &str) -> Child {
    connector.write("config.json", config.to_string());
    connector
        .command(&["export", "--config", "config.json", "--to", to])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn end(mut child: Child) -> Answer {
    let started = Instant::now();
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child);
    assert!(started.elapsed() < LONGEST_RUN);
    Answer::new(status, stdout.join().unwrap(), &stderr.join().unwrap(), started.elapsed())
}

fn config(simulator: &Simulator) -> serde_json::Value {
    json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
        "retry_window_seconds": 2,
    })
}

#[test]
fn a_signal_before_the_commit_leaves_the_table_as_it_was_and_removes_what_was_uploaded() {
    for (name, number) in SIGNALS {
        let (store, simulator) = (Store::start(Options::default()), simulator(50));
        let connector = connector(&store, &simulator);
        let first = end(start(&connector, &config(&simulator), "s3://bucket/p"));
        assert_eq!(first.code, Some(0), "{}", first.stderr);
        let before = store.keys(BUCKET);
        simulator.change(5);
        store.script(Rule::on("PUT", ".parquet").delays_before(1000));
        let child = start(&connector, &config(&simulator), "s3://bucket/p");
        eventually("a file is uploaded", || store.count("PUT", ".parquet") == 2);
        signal(&child, name);
        let answer = end(child);
        assert_eq!(answer.signal, Some(number), "{}", answer.stderr);
        assert!(answer.stderr.contains("existing data is unchanged"), "{}", answer.stderr);
        assert_eq!(store.keys(BUCKET), before, "{name}");
        assert_eq!(store.pending_uploads(), [] as [&str; 0]);
    }
}

#[test]
fn a_signal_while_a_file_is_uploaded_in_parts_leaves_none_of_them() {
    let (store, simulator) = (Store::start(Options::default()), simulator(0));
    let connector = connector(&store, &simulator);
    store.script(Rule::on("PUT", "partNumber=1").delays_before(1500).times(2));
    // Names that do not compress, more of them than one part holds.
    let customers: Vec<String> = (1..9000)
        .map(|id| {
            let name: String = std::iter::repeat_with(fastrand::alphanumeric).take(2000).collect();
            json!({"id": id, "name": name}).to_string()
        })
        .collect();
    let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
    for to in ["s3://bucket/p", "s3://bucket/x.parquet"] {
        simulator.reply_next(list(&customers));
        let child = start(&connector, &config(&simulator), to);
        eventually("a part is uploaded", || !store.pending_uploads().is_empty());
        signal(&child, "TERM");
        let answer = end(child);
        assert_eq!(answer.signal, Some(15), "{}", answer.stderr);
        assert_eq!(store.keys(BUCKET), [] as [&str; 0], "{to}");
        assert_eq!(store.pending_uploads(), [] as [&str; 0], "{to}");
    }
}

#[test]
fn a_signal_while_the_reply_arrives_ends_the_run_at_once() {
    for (name, number) in SIGNALS {
        let simulator = faulty(10, &["stall:20000"]);
        let connector = Connector::of(&simulator);
        let child = start(&connector, &config(&simulator), "lake");
        eventually("the API is asked", || !simulator.requests().is_empty());
        let asked = Instant::now();
        signal(&child, name);
        assert_eq!(end(child).signal, Some(number));
        assert!(asked.elapsed().as_secs() < 3, "{:?}", asked.elapsed());
        let left = Lake::in_folder(&connector.folder().join("lake"));
        assert_eq!(left.names(), [] as [&str; 0]);
    }
}

#[test]
fn a_commit_that_was_sent_is_seen_through() {
    let (store, simulator) = (Store::start(Options::default()), simulator(50));
    let connector = connector(&store, &simulator);
    store.script(Rule::on("PUT", "").ending("00000.json").delays_after(800));
    let child = start(&connector, &config(&simulator), "s3://bucket/p");
    eventually("the commit is sent", || store.count("PUT", "_delta_log/") == 1);
    signal(&child, "TERM");
    let answer = end(child);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.text().contains("version 0"), "{}", answer.text());
    let lake = Lake::in_store(&store, BUCKET, "p/customers");
    assert_eq!((lake.rows().len(), lake.left_over().len()), (50, 0));
}

#[test]
fn a_second_signal_ends_a_run_that_tidies_up() {
    let (store, simulator) = (Store::start(Options::default()), simulator(50));
    let connector = connector(&store, &simulator);
    store.script(Rule::on("PUT", ".parquet").delays_before(20_000));
    let child = start(&connector, &config(&simulator), "s3://bucket/p");
    eventually("a file is uploaded", || store.count("PUT", ".parquet") == 1);
    signal(&child, "TERM");
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&child, "TERM");
    let asked = Instant::now();
    assert_eq!(end(child).signal, Some(15));
    assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
    let lake = Lake::in_store(&store, BUCKET, "p/customers");
    assert!(!lake.names().iter().any(|name| name.starts_with("_delta_log")));
}
