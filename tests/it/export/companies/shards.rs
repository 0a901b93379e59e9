//! Runs that share the companies.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::{Many, Run};
use crate::support::answer::Answer;
use crate::support::{collect, wait};

#[test]
fn shards_are_disjoint_and_whole() {
    let many = Many::of(30, 3, &[]);
    for count in [1, 4, 16] {
        let mut seen = BTreeSet::new();
        for index in 0..count {
            let shard = format!("{index}/{count}");
            let run = many.export(&format!("lake-{count}"), &["--shard", &shard, "--jobs", "8"]);
            assert_eq!((run.code(), run.summary["shard"].as_str()), (0, Some(shard.as_str())));
            for name in run.lines.into_keys() {
                assert!(seen.insert(name.clone()), "{name} is in two shards");
            }
        }
        assert_eq!(seen.len(), 30, "{count}");
    }
}

#[test]
fn a_list_that_changes_between_shards_skips_nobody_who_stays() {
    let many = Many::of(24, 3, &[]);
    let mut exported = BTreeSet::new();
    for index in 0..4 {
        let shard = format!("{index}/4");
        exported.extend(many.export("lake", &["--shard", &shard]).lines.into_keys());
        // One goes and one comes, both before all others.
        fs::remove_file(many.tokens().join(format!("company-{:04}", index + 1))).unwrap();
        fs::write(many.tokens().join(format!("a-new-one-{index}")), format!("a-token-{index}"))
            .unwrap();
    }
    for number in 5..=24 {
        let name = format!("company-{number:04}");
        assert!(exported.contains(&name), "{name} was skipped");
    }
}

#[test]
fn companies_are_picked_by_name() {
    let many = Many::of(5, 3, &[]);
    let run = many.export("lake", &["--company", "company-0004", "--company", "company-0002"]);
    let names: Vec<&String> = run.lines.keys().collect();
    assert_eq!(names, ["company-0002", "company-0004"]);
    assert_eq!(many.simulator.requests().len(), 2);
}

#[test]
fn two_runs_at_once_leave_each_customer_once() {
    let many = Many::of(12, 20, &[]);
    for _ in 0..3 {
        let mut running = [many.start("lake", &[]), many.start("lake", &["--jobs", "2"])];
        for child in &mut running {
            let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
            let status = wait(child);
            let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
            let run = Run::of(Answer::new(status, stdout, &stderr, Duration::ZERO));
            assert_eq!((run.code(), run.summary["exported"].as_u64()), (0, Some(12)), "{run:?}");
        }
        for (name, _) in many.companies() {
            let mut ids = many.table("lake", &name).ids();
            assert_eq!(ids.len(), 20, "{name}");
            ids.dedup();
            assert_eq!(ids.len(), 20, "{name}");
            assert!(many.table("lake", &name).left_over().is_empty(), "{name}");
        }
        many.simulator.change(5);
    }
}
