//! When a run ends before every company had its turn.

use std::fs::File;
use std::process::Stdio;

use super::Many;
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, NOBODY, finish, wait};

#[test]
fn an_api_that_is_down_is_asked_for_a_few_companies_alone() {
    for jobs in [1, 8] {
        let many = Many::of(60, 3, &[]).setting("base_url", format!("{NOBODY}/api"));
        let run = many.export("lake", &["--jobs", &jobs.to_string()]);
        assert_eq!((run.code(), run.summary["stopped"].as_str()), (75, Some("transient")));
        let failed = run.summary["failed"].as_u64().unwrap();
        assert!((10..=10.max(2 * jobs) + jobs).contains(&failed), "{run:?}");
        assert!(run.lines.values().any(|line| line["outcome"] == "not_started"));
        assert!(!many.connector.folder().join("lake").exists());
    }
}

#[test]
fn when_all_are_refused_the_others_are_not_tried() {
    for (fault, code, kind) in [("unauthorized", 77, "auth"), ("missing", 78, "config")] {
        let many = Many::of(60, 3, &[fault]);
        let run = many.export("lake", &[]);
        assert_eq!((run.code(), run.summary["stopped"].as_str()), (code, Some(kind)));
        assert!(many.simulator.requests().len() <= 14, "{run:?}");
    }
    // Not where some are accepted.
    let mut faults: Vec<String> =
        (2..=60).map(|number| format!("unauthorized@company-{number:04}")).collect();
    let many = Many::of(60, 3, &faults.iter().map(String::as_str).collect::<Vec<_>>());
    let first = many.export("lake", &["--company", "company-0001"]);
    assert_eq!(first.code(), 0);
    faults.truncate(20);
    let many = Many::of(60, 3, &faults.iter().map(String::as_str).collect::<Vec<_>>());
    let run = many.export("lake", &["--jobs", "1"]);
    let exported = run.summary["exported"].as_u64().unwrap();
    assert!(exported == 40 || run.summary["stopped"] == "auth", "{run:?}");
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_any_request() {
    let store = Store::start(Options::default());
    store.script(Rule::on("PUT", "").answers(403).always());
    let many = Many::of(5, 3, &[]);
    let connector = store.s3_environment().iter().fold(
        Connector::configured(serde_json::json!({"base_url": many.simulator.base_url()})),
        |connector, (name, value)| connector.with_environment(name, value),
    );
    let tokens = many.tokens().display().to_string();
    let answer = connector.run(&[
        "export",
        "--companies",
        &tokens,
        "--config",
        "config.json",
        "--to",
        "s3://bucket/lake",
    ]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("may not be read or written"), "{}", answer.stderr);
    assert!(many.simulator.requests().is_empty());
}

#[test]
fn a_report_that_cannot_be_written_ends_the_run() {
    let many = Many::of(60, 3, &[]);
    many.connector.run(&["--version"]);
    let all =
        ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake", "--json"];
    let mut command = many.connector.command(&[&all[..], &["--jobs", "1"]].concat());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(wait(&mut child).code(), Some(70));
    assert!(many.simulator.requests().len() < 60);
    // A reader that leaves is never a message.
    let mut child = many.start("lake", &["--jobs", "1"]);
    drop(child.stdout.take());
    let stderr = crate::support::collect(child.stderr.take());
    assert_eq!(wait(&mut child).code(), Some(70));
    assert_eq!(stderr.join().unwrap(), b"");
}

#[test]
fn a_thousand_companies_are_asked_over_connections_that_are_kept() {
    // The simulator closes each connection, so this server keeps them.
    let server = super::kept::Kept::start();
    let lines: String = (0..40)
        .map(|number| {
            format!(
                "{{\"company\": \"c{number}\", \"authentication_token\": \"token-number-{number}\", \"base_url\": \"{}\"}}\n",
                server.base_url
            )
        })
        .collect();
    let connector = Connector::configured(serde_json::json!({}));
    let all = ["export", "--companies", "-", "--to", "lake", "--jobs", "2"];
    let answer = finish(connector.command(&all), lines.as_bytes());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let (connections, requests) = server.counted();
    assert_eq!(requests, 40);
    assert!(connections <= 3, "{connections} connections");
}
