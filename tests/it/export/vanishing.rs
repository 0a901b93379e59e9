//! Customers that vanish while something else happens: other writers, signals, the end of the program.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Instant;

use kometsales::simulator::{Delivery, Reply, Simulator};
use serde_json::{Value, json};

use super::places::{customer, listed};
use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, collect, eventually, simulator, wait};

const TIME: &str = "2024-01-01T00:00:00";
const BUCKET: &str = "bucket";

fn ids(ids: &[u32]) -> Reply {
    listed(&ids.iter().map(|id| customer(*id, &format!("n{id}"), TIME)).collect::<Vec<_>>())
}

fn connector(store: &Store, simulator: &Simulator) -> Connector {
    let connector = Connector::of(simulator).with("retry_window_seconds", 4);
    store
        .s3_environment()
        .iter()
        .fold(connector, |connector, (name, value)| connector.with_environment(name, value))
}

fn export(connector: &Connector, more: &[&str]) -> Answer {
    let arguments = ["export", "--config", "config.json", "--json", "--to", "s3://bucket/p"];
    connector.run(&[&arguments[..], more].concat())
}

#[track_caller]
fn done(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// The ids, each with whether its newest row is current.
fn living(store: &Store) -> Vec<(i64, bool)> {
    let mut found: Vec<(i64, bool)> = Vec::new();
    for row in Lake::in_store(store, BUCKET, "p/customers").rows() {
        let one = (row["id"].as_i64().unwrap(), row["_deleted_at"].is_null());
        match found.last_mut() {
            Some(last) if last.0 == one.0 => *last = one,
            _ => found.push(one),
        }
    }
    found
}

/// A rule by which another export of the same company commits first, where a version is committed.
fn overtaken(
    version: usize,
    simulator: &Arc<Simulator>,
    reply: Reply,
    more: &'static [&'static str],
) -> Rule {
    let simulator = Arc::clone(simulator);
    let fast = move |store: &Store| {
        simulator.reply_next(reply.clone());
        done(&export(&connector(store, &simulator), more));
    };
    Rule::on("PUT", "").ending(&format!("_delta_log/{version:020}.json")).before(fast)
}

#[test]
fn a_list_that_loses_to_newer_rows_marks_what_they_do_not_have() {
    for mode in ["merge", "append"] {
        let (store, simulator) = (Store::start(Options::default()), Arc::new(simulator(0)));
        let connector = connector(&store, &simulator);
        simulator.reply_next(ids(&[1, 2, 3, 4]));
        done(&export(&connector, &["--mode", mode]));
        let edited = listed(&[customer(2, "edited", "2024-06-01T00:00:00")]);
        let more: &[&str] =
            if mode == "merge" { &["--mode", "merge"] } else { &["--mode", "append"] };
        store.script(overtaken(1, &simulator, edited, more));
        simulator.reply_next(ids(&[1, 4]));
        let slow = done(&export(&connector, &["--full-refresh", "--mode", mode]));
        assert_eq!((&slow["deleted"], &slow["version"]), (&json!(1), &json!(2)), "{mode}: {slow}");
        assert_eq!(living(&store), [(1, true), (2, true), (3, false), (4, true)], "{mode}");
        let lake = Lake::in_store(&store, BUCKET, "p/customers");
        assert_eq!(lake.left_over(), [] as [&str; 0], "{mode}");
        let asked = simulator.requests();
        let questions = asked.iter().filter(|request| request.parameter("id").is_some());
        assert_eq!(questions.count(), 2, "what was asked for once is known");
    }
}

#[test]
fn a_list_that_loses_to_a_newer_list_marks_nothing() {
    for mode in ["merge", "append"] {
        let (store, simulator) = (Store::start(Options::default()), Arc::new(simulator(0)));
        let connector = connector(&store, &simulator);
        simulator.reply_next(ids(&[1, 2, 3, 4]));
        done(&export(&connector, &["--mode", mode]));
        // The newer list has everybody again, and one more, so that it commits.
        let more: &[&str] = match mode {
            "merge" => &["--full-refresh", "--mode", "merge"],
            _ => &["--full-refresh", "--mode", "append"],
        };
        store.script(overtaken(1, &simulator, ids(&[1, 2, 3, 4, 5]), more));
        simulator.reply_next(ids(&[1, 4]));
        let slow = done(&export(&connector, &["--full-refresh", "--mode", mode]));
        assert_eq!((&slow["deleted"], &slow["committed"]), (&json!(0), &json!(false)), "{slow}");
        assert!(living(&store).iter().all(|(_, is_living)| *is_living), "{mode}");
    }
}

#[test]
fn rows_that_were_read_before_a_delete_do_not_undo_it() {
    for mode in ["merge", "append"] {
        let (store, simulator) = (Store::start(Options::default()), Arc::new(simulator(0)));
        let connector = connector(&store, &simulator);
        simulator.reply_next(ids(&[1, 2, 3]));
        done(&export(&connector, &["--mode", mode]));
        let more: &[&str] = match mode {
            "merge" => &["--full-refresh", "--mode", "merge"],
            _ => &["--full-refresh", "--mode", "append"],
        };
        store.script(overtaken(1, &simulator, ids(&[1, 3]), more));
        // It has 2 still, and a row of its own to commit.
        simulator.reply_next(ids(&[1, 2, 3, 9]));
        let slow = done(&export(&connector, &["--full-refresh", "--mode", mode]));
        assert_eq!((&slow["restored"], &slow["rows"]), (&json!(0), &json!(1)), "{mode}: {slow}");
        assert_eq!(living(&store), [(1, true), (2, false), (3, true), (9, true)], "{mode}");
    }
}

fn start(connector: &Connector, simulator: &Simulator) -> Child {
    let config = json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
        "retry_window_seconds": 4,
    });
    connector.write("config.json", config.to_string());
    connector
        .command(&["export", "--config", "config.json", "--to", "s3://bucket/p", "--full-refresh"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_program_that_is_killed_before_it_commits_has_marked_nothing_and_the_next_one_does() {
    let (store, simulator) = (Store::start(Options::default()), simulator(0));
    let connector = connector(&store, &simulator);
    simulator.reply_next(ids(&[1, 2, 3]));
    done(&export(&connector, &[]));
    store.script(Rule::on("PUT", "_delta_log").ending("00001.json").delays_before(60_000));
    simulator.reply_next(ids(&[1, 3]));
    let mut child = start(&connector, &simulator);
    eventually("the commit is sent", || store.count("PUT", "00001.json") == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(living(&store).iter().all(|(_, is_living)| *is_living));
    simulator.reply_next(ids(&[1, 3]));
    assert_eq!(done(&export(&connector, &["--full-refresh"]))["deleted"], 1);
    assert_eq!(living(&store), [(1, true), (2, false), (3, true)]);
}

#[test]
fn a_signal_while_a_question_waits_for_its_answer_ends_the_run() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let (store, simulator) = (Store::start(Options::default()), simulator(0));
        let connector = connector(&store, &simulator);
        simulator.reply_next(ids(&[1, 2, 3]));
        done(&export(&connector, &[]));
        let before = store.keys(BUCKET);
        simulator.reply_next(ids(&[1, 3]));
        simulator.reply_next(ids(&[]).delivered(Delivery::StallHeaders));
        let mut child = start(&connector, &simulator);
        let asks = || simulator.requests().iter().any(|asked| asked.parameter("id").is_some());
        eventually("a question is asked", asks);
        let asked = Instant::now();
        let sent = std::process::Command::new("kill")
            .args([&format!("-{name}"), &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let status = wait(&mut child);
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let answer = Answer::new(status, stdout, &stderr, asked.elapsed());
        assert_eq!(answer.signal, Some(number), "{}", answer.stderr);
        assert!(answer.elapsed.as_secs() < 5, "{:?}", answer.elapsed);
        assert!(answer.stderr.contains("Interrupted"), "{}", answer.stderr);
        assert_eq!(store.keys(BUCKET), before, "{name}");
    }
}
