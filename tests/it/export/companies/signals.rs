//! Runs that are ended in the middle, and the same run again.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kometsales::simulator::Options;

use super::{Many, Run};
use crate::support::answer::Answer;
use crate::support::{collect, eventually, wait};

pub(in crate::export) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

pub(in crate::export) fn end(mut child: Child) -> Answer {
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait(&mut child);
    Answer::new(status, stdout.join().unwrap(), &stderr.join().unwrap(), Duration::ZERO)
}

#[test]
fn a_signal_begins_no_more_companies_and_the_report_is_ended() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let latency = Duration::from_millis(300);
        let many = Many::with(Options {
            customers: 10,
            companies: Some(60),
            latency,
            ..Options::default()
        });
        let child = many.start("lake", &["--jobs", "2"]);
        eventually("a company is exported", || many.simulator.requests().len() > 2);
        let started = Instant::now();
        signal(&child, name);
        let answer = end(child);
        assert!(started.elapsed() < Duration::from_secs(3));
        assert_eq!(answer.signal, Some(number), "{}", answer.stderr);
        let run = Run::of(answer);
        assert_eq!(run.summary["stopped"], "interrupted");
        assert!(run.summary["not_started"].as_u64().unwrap() >= 6, "{run:?}");
        for (company, line) in &run.lines {
            let is_there = !many.table("lake", company).names().is_empty();
            assert_eq!(is_there, line["outcome"] == "exported", "{company}: {line}");
        }
    }
}

#[test]
fn a_stalled_company_does_not_keep_a_signal_waiting() {
    let many = Many::of(3, 10, &["stall:100@company-0001", "stall-headers@company-0002"]);
    let many = many.setting("request_timeout_seconds", 60);
    let child = many.start("lake", &[]);
    eventually("they are asked", || many.simulator.requests().len() == 3);
    let started = Instant::now();
    signal(&child, "TERM");
    let answer = end(child);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(answer.signal, Some(15));
    let run = Run::of(answer);
    assert_eq!(run.lines["company-0001"]["kind"], "interrupted", "{run:?}");
}

/// What readers see of each company, and what lies about.
fn state(many: &Many, to: &str) -> BTreeMap<String, (Vec<i64>, bool)> {
    let companies = many.companies().into_iter();
    companies
        .map(|(name, _)| {
            let table = many.table(to, &name);
            let is_clean = table.left_over().is_empty();
            (name, (table.ids(), is_clean))
        })
        .collect()
}

/// Runs that a signal ends at a random moment, and each again.
fn as_if_nothing_had_happened(name: &str) {
    let many = Many::of(8, 30, &[]);
    assert_eq!(many.export("whole", &[]).code(), 0);
    let whole = state(&many, "whole");
    for number in 0..25 {
        let to = format!("lake-{number}");
        // So many requests, and a moment more.
        let (requests, more) = (fastrand::usize(..9), Duration::from_micros(fastrand::u64(..7000)));
        let moment = format!("{name} {number}: {requests} requests and {more:?}");
        let child = many.start(&to, &["--jobs", "3"]);
        let asked = many.simulator.requests().len() + requests;
        let is_over = Instant::now() + Duration::from_millis(400);
        while many.simulator.requests().len() < asked && Instant::now() < is_over {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(more);
        signal(&child, name);
        let answer = end(child);
        if name == "TERM" && answer.signal.is_some() && !answer.stdout.is_empty() {
            let run = Run::of(answer);
            for (company, line) in &run.lines {
                let is_there = many.table(&to, company).names().len() > 1;
                assert_eq!(is_there, line["outcome"] == "exported", "{company} {line} {moment}");
            }
        }
        let again = many.export(&to, &[]);
        let exported = again.summary["exported"].as_u64();
        assert_eq!((again.code(), exported), (0, Some(8)), "{moment}: {again:?}");
        for (company, (ids, is_clean)) in state(&many, &to) {
            // `live` asserts that no file is added twice.
            assert_eq!(ids, whole[&company].0, "{company} {moment}");
            assert!(is_clean || name == "KILL", "{company} {moment}");
        }
        std::fs::remove_dir_all(many.connector.folder().join(&to)).unwrap();
    }
}

#[test]
fn after_a_signal_at_any_moment_the_same_run_again_is_as_if_nothing_had_happened() {
    as_if_nothing_had_happened("TERM");
}

#[test]
fn after_a_kill_at_any_moment_the_same_run_again_is_as_if_nothing_had_happened() {
    as_if_nothing_had_happened("KILL");
}
