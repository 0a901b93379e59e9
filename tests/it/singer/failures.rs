//! How a run of the tap fails: its exit code, its last line, and no state.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use super::tap::{sync, sync_all, tap};
use crate::support::answer::Failure::{self, Auth, Config, Data, System, Transient};
use crate::support::{Connector, NOBODY, at_once, collect, faulty, simulator, wait};

const FAILING: &[(&str, Failure)] = &[
    ("unauthorized", Auth),
    ("forbidden", Auth),
    ("token-refused", Auth),
    ("status-zero", Auth),
    ("echo-token", Auth),
    ("missing", Config),
    ("redirect", Config),
    ("server-error:503", Transient),
    ("rate-limit:3600", Transient),
    ("refuse", Transient),
    ("reset:9000", Transient),
    ("cut:9000", Transient),
    ("cut-length:9000", Transient),
    ("cut-chunked:9000", Transient),
    ("cut-gzip", Transient),
    ("wrong-gzip", Transient),
    ("web-page", Transient),
    ("plain-text", Transient),
    ("bad-utf8", Data),
    ("status-missing", Data),
    ("bad-ids", Data),
];

#[test]
fn a_reply_that_fails_ends_without_a_state_and_with_its_exit_code() {
    let cursor = json!({"replication_key_value": "2019-02-28T00:00:01Z"});
    let state: Value = json!({"bookmarks": {"customers": cursor}});
    at_once(FAILING, |(fault, failure)| {
        println!("{fault}");
        let simulator = faulty(300, &[fault]);
        let run = sync(&Connector::of(&simulator), None, Some(&state));
        assert!(run.failed(*failure).len() > "CRITICAL ".len() + 20, "{}", run.0.stderr);
        // Rows go out only where the reply is known to be whole.
        assert_eq!(run.rows().is_empty(), *fault != "bad-ids", "{fault}");
    });
}

#[test]
fn records_without_an_id_fail_the_run_after_every_good_one() {
    let simulator = faulty(300, &["bad-ids:4"]);
    let run = sync_all(&Connector::of(&simulator));
    assert!(run.failed(Data).contains("customers["), "{}", run.0.stderr);
    assert_eq!(run.rows().len(), 296);
    let tolerant = Connector::of(&simulator).with("max_rejects", 4);
    assert_eq!(sync_all(&tolerant).succeeded().rows().len(), 296);
}

#[test]
fn nobody_listening_is_transient() {
    let simulator = simulator(1);
    let connector = Connector::of(&simulator).with("base_url", format!("{NOBODY}/api"));
    sync_all(&connector).failed(Transient);
}

#[test]
fn a_reader_that_goes_away_ends_the_run_with_system() {
    let simulator = simulator(5000);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    let mut command = connector.command(&["--config", "config.json"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let stderr = collect(child.stderr.take());
    assert_eq!(wait(&mut child).code(), Some(System.code()));
    let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn the_token_is_nowhere() {
    for fault in ["echo-token", "unauthorized", "web-page", "redirect", "healthy"] {
        let simulator = faulty(300, &[fault]);
        // It looks different in each encoding; every run is searched for it.
        let token = r#"t0k€n "&%/+ of-a-custömer\8812"#;
        let connector = Connector::of(&simulator).with("authentication_token", token);
        for debug in [&[][..], &["--debug"]] {
            tap(&connector, &[&["--config", "config.json"], debug].concat());
        }
    }
}
