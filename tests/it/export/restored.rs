//! Tables that another program took back to an older version: what was noted since then is not what the rows are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use super::companies::Many;
use super::places::{export, into_table, lake};
use crate::support::lake::Lake;
use crate::support::{Connector, simulator};

/// The commit that another program makes to go back to an older version.
pub(super) fn restore(lake: &Lake, version: usize) -> String {
    let commits = lake.commits();
    let live = |commits: &[Vec<Value>]| {
        let mut live = BTreeSet::new();
        for action in commits.iter().flatten() {
            live.extend(action["add"]["path"].as_str().map(str::to_owned));
            action["remove"]["path"].as_str().map(|path| live.remove(path));
        }
        live
    };
    let (now, then) = (live(&commits), live(&commits[..=version]));
    let added = |path: &String| {
        let mut adds = commits.iter().flatten().map(|action| &action["add"]);
        adds.find(|add| add["path"] == *path).unwrap().clone()
    };
    let mut actions = vec![json!({"commitInfo": {"timestamp": 1, "operation": "RESTORE",
        "operationParameters": {"version": version}, "engineInfo": "another"}})];
    for path in now.difference(&then) {
        let add = added(path);
        actions.push(json!({"remove": {"path": path, "deletionTimestamp": 1, "dataChange": true,
            "extendedFileMetadata": true, "partitionValues": add["partitionValues"], "size": add["size"]}}));
    }
    actions.extend(then.difference(&now).map(|path| json!({"add": added(path)})));
    actions.iter().map(|action| format!("{action}\n")).collect()
}

fn restore_in(table: &Path, version: usize) {
    let lake = Lake::in_folder(table);
    let commit = format!("_delta_log/{:020}.json", lake.version() + 1);
    fs::write(table.join(commit), restore(&lake, version)).unwrap();
}

/// A table of three versions that was taken back to the first one.
fn restored(mode: &str) -> (Simulator, Connector) {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    for _ in 0..3 {
        into_table(&connector, &["--mode", mode]);
        simulator.change(4);
    }
    restore_in(&connector.folder().join("lake/customers"), 0);
    assert_eq!(lake(&connector).rows().len(), 40);
    (simulator, connector)
}

#[test]
fn everything_is_read_again_once_and_the_table_is_what_it_should_be() {
    for mode in ["merge", "append", "history"] {
        let (simulator, connector) = restored(mode);
        let answer = export(&connector, "lake", &["--mode", mode, "--json"]);
        assert_eq!(answer.code, Some(0), "{mode}: {}", answer.stderr);
        assert!(answer.stderr.contains("so everything is read again"), "{mode}: {}", answer.stderr);
        assert!(answer.stderr.contains("(commit 3)"), "{mode}: {}", answer.stderr);
        let summary: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!(summary["received"], 40, "{mode}: {summary}");
        let whole = into_table(&connector, &["--mode", mode, "--full-refresh"]);
        assert_eq!((&whole["received"], &whole["rows"]), (&json!(40), &json!(0)), "{mode}");
        simulator.change(2);
        let answer = export(&connector, "lake", &["--mode", mode, "--json"]);
        assert!(!answer.stderr.contains("everything is read"), "{mode}: {}", answer.stderr);
        let summary: Value = serde_json::from_str(answer.text()).unwrap();
        assert!(summary["received"].as_u64() < Some(40), "{mode}: {summary}");
    }
}

#[test]
fn a_change_after_it_by_another_program_hides_it_as_little_as_a_dry_run_ends_it() {
    let (_simulator, connector) = restored("merge");
    let table = connector.folder().join("lake/customers");
    let optimized =
        r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"another"}}"#;
    fs::write(table.join(format!("_delta_log/{:020}.json", 4)), format!("{optimized}\n")).unwrap();
    for more in [&["--dry-run", "--json"][..], &["--json"]] {
        let answer = export(&connector, "lake", more);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert!(answer.stderr.contains("(commit 3)"), "{}", answer.stderr);
    }
    assert_eq!(into_table(&connector, &["--full-refresh"])["rows"], 0);
}

#[test]
fn a_table_that_others_only_tended_goes_on_where_it_was() {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    simulator.change(4);
    let table = connector.folder().join("lake/customers");
    let optimized =
        r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"another"}}"#;
    fs::write(table.join(format!("_delta_log/{:020}.json", 1)), format!("{optimized}\n")).unwrap();
    let answer = export(&connector, "lake", &["--json"]);
    assert_eq!((answer.code, answer.stderr.contains("everything")), (Some(0), false));
}

#[test]
fn where_commits_of_others_are_gone_everything_is_read_again() {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    for _ in 0..11 {
        into_table(&connector, &["--full-refresh"]);
        simulator.change(2);
    }
    // Two commits of another program, summed up by its checkpoint; of the log it leaves the last one.
    let log = connector.folder().join("lake/customers/_delta_log");
    let checkpoint = |version: u64| log.join(format!("{version:020}.checkpoint.parquet"));
    fs::rename(checkpoint(10), checkpoint(12)).unwrap();
    fs::write(log.join("_last_checkpoint"), r#"{"version":12,"size":20}"#).unwrap();
    let tended = r#"{"commitInfo":{"timestamp":1,"operation":"OPTIMIZE","engineInfo":"another"}}"#;
    fs::write(log.join(format!("{:020}.json", 12)), format!("{tended}\n")).unwrap();
    for version in 0..=10 {
        fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let answer = export(&connector, "lake", &["--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.stderr.contains("so everything is read again"), "{}", answer.stderr);
    let summary: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!((&summary["received"], &summary["version"]), (&json!(40), &json!(13)), "{summary}");
}

#[test]
fn a_company_that_comes_later_reads_everything_too() {
    let many = Many::of(3, 40, &[]);
    let one = "--one-table";
    for _ in 0..3 {
        assert_eq!(many.export("lake", &[one]).code(), 0);
        many.simulator.change(4);
    }
    restore_in(&many.connector.folder().join("lake/customers"), 0);
    // Twice, so that no note of the first company is from right after it.
    for _ in 0..2 {
        assert_eq!(many.export("lake", &[one, "--company", "company-0001"]).code(), 0);
        many.simulator.change(1);
    }
    let run = many.export("lake", &[one]);
    assert_eq!(run.code(), 0);
    for (name, received) in [("company-0002", 40), ("company-0003", 40)] {
        assert_eq!(run.lines[name]["received"], received, "{name}: {run:?}");
    }
    assert!(run.lines["company-0001"]["received"].as_u64() < Some(40), "{run:?}");
    let whole = many.export("lake", &[one, "--full-refresh"]);
    assert_eq!(whole.summary["rows"], 0, "{whole:?}");
}

#[test]
fn what_was_left_out_since_is_left_out_again_and_what_may_be_hashed_is_not_hashed_twice() {
    let simulator = simulator(20);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    let gone: BTreeSet<u64> = simulator.remove(1).into_iter().collect();
    let connector = connector.with("exclude_fields", "name");
    into_table(&connector, &["--full-refresh"]);
    restore_in(&connector.folder().join("lake/customers"), 0);
    let has_names = || lake(&connector).rows().iter().any(|row| !row["name"].is_null());
    assert!(has_names());
    // A customer that is forgotten meanwhile hides nothing of it.
    let ids = lake(&connector).ids();
    let forgotten = ids.iter().find(|id| !gone.contains(&(**id as u64))).unwrap().to_string();
    let forget = connector.run(&["export", "--to", "lake", "--forget", &forgotten]);
    assert_eq!(forget.code, Some(0), "{}", forget.stderr);
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.stderr.contains("so everything is read again"), "{}", answer.stderr);
    assert!(!has_names(), "{gone:?} is not listed any more, and is there still");
    assert_eq!(lake(&connector).rows().len(), 20);
    assert!(!export(&connector, "lake", &[]).stderr.contains("everything is read"));

    let connector = Connector::of(&simulator)
        .with("hash_fields", "name")
        .with("hash_key", "a-key-of-32-bytes-or-more-as-it-has-to-be");
    for _ in 0..2 {
        into_table(&connector, &[]);
        simulator.change(2);
    }
    restore_in(&connector.folder().join("lake/customers"), 0);
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("not known what is hashed already"), "{}", answer.stderr);
    into_table(&connector, &["--mode", "overwrite"]);
    simulator.change(2);
    assert!(into_table(&connector, &[])["received"].as_u64() < Some(19));
}
