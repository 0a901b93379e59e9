//! Tables of which another program has deleted rows by marking them: what is marked is not there, and does not come back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use super::places::{customer, export, into_table, lake, listed};
use super::vacuum;
use crate::support::marks::mark;
use crate::support::{Connector, simulator};

fn folder(connector: &Connector) -> PathBuf {
    connector.folder().join("lake/customers")
}

fn shown(connector: &Connector) -> Value {
    let answer = connector.run(&["show", "lake", "--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// A table of this mode in which every seventh customer of those that did not change since is marked; the ones that changed, and the marked.
fn marked(
    mode: &str,
    customers: u64,
    changes: u64,
) -> (Simulator, Connector, Vec<i64>, BTreeSet<i64>) {
    let simulator = simulator(customers);
    let connector = Connector::of(&simulator);
    into_table(&connector, &["--mode", mode]);
    let changed = simulator.change(changes).into_iter().map(|id| id as i64).collect::<Vec<_>>();
    let ids = lake(&connector).ids();
    let marked = ids.into_iter().filter(|id| id % 7 == 0 && !changed.contains(id)).collect();
    mark(&folder(&connector), &marked);
    (simulator, connector, changed, marked)
}

#[test]
fn they_are_not_counted_and_not_copied() {
    for mode in ["merge", "append", "history"] {
        let (_simulator, connector, changed, marked) = marked(mode, 60, 5);
        let left = 60 - marked.len();
        assert_eq!(shown(&connector)["rows"], left, "{mode}");
        let summary = into_table(&connector, &["--mode", mode]);
        let more = if mode == "merge" { 0 } else { changed.len() };
        assert_eq!(summary["table_rows"], left + more, "{mode}: {summary}");
        let after = shown(&connector);
        assert_eq!((&after["rows"], &after["keys"]), (&json!(left + more), &json!(left)), "{mode}");
        if mode == "merge" {
            // The file with the marks is another now, and holds none of the rows.
            let ids = lake(&connector).ids();
            assert!(ids.len() == left && ids.iter().all(|id| !marked.contains(id)), "{ids:?}");
        }
    }
}

#[test]
fn what_a_reply_of_everything_still_has_is_there_again_once() {
    for mode in ["merge", "append", "overwrite", "history"] {
        let (_simulator, connector, changed, marked) = marked(mode, 60, 5);
        let summary = into_table(&connector, &["--mode", mode, "--full-refresh"]);
        let versions = if matches!(mode, "append" | "history") { changed.len() } else { 0 };
        let (rows, keys) = (60 + versions, 60);
        assert_eq!(summary["table_rows"], rows, "{mode}: {summary}");
        let after = shown(&connector);
        assert_eq!((&after["rows"], &after["keys"]), (&json!(rows), &json!(keys)), "{mode}");
        assert!(!marked.is_empty());
        let again = into_table(&connector, &["--mode", mode, "--full-refresh"]);
        assert!(mode == "overwrite" || again["rows"] == 0, "{mode}: {again}");
    }
}

#[test]
fn a_customer_that_is_marked_and_missing_is_not_marked_again() {
    for mode in ["merge", "append", "history"] {
        let simulator = simulator(60);
        let connector = Connector::of(&simulator);
        into_table(&connector, &["--mode", mode]);
        let gone: BTreeSet<i64> = simulator.remove(6).into_iter().map(|id| id as i64).collect();
        let marked: BTreeSet<i64> = gone.iter().copied().take(4).collect();
        mark(&folder(&connector), &marked);
        let summary = into_table(&connector, &["--mode", mode, "--full-refresh"]);
        assert_eq!(summary["deleted"], 2, "{mode}: {summary}");
        let after = shown(&connector);
        assert_eq!((&after["keys"], &after["deleted"]), (&json!(56), &json!(2)), "{mode}: {after}");
    }
}

#[test]
fn they_are_where_they_are_in_a_file_of_several_batches() {
    const CUSTOMERS: u64 = 10_000;
    for mode in ["merge", "append", "history"] {
        let (_simulator, connector, changed, marked) = marked(mode, CUSTOMERS, 200);
        let left = CUSTOMERS as usize - marked.len();
        let more = if mode == "merge" { 0 } else { changed.len() };
        assert_eq!(into_table(&connector, &["--mode", mode])["table_rows"], left + more, "{mode}");
        let after = shown(&connector);
        assert_eq!((&after["rows"], &after["keys"]), (&json!(left + more), &json!(left)), "{mode}");
        if mode == "merge" {
            assert!(lake(&connector).ids().iter().all(|id| !marked.contains(id)));
        }
        // Each of them, and no other, is new.
        let summary = into_table(&connector, &["--mode", mode, "--full-refresh"]);
        assert_eq!(summary["rows"], marked.len(), "{mode}: {summary}");
        assert_eq!(shown(&connector)["keys"], CUSTOMERS, "{mode}");
    }
}

#[test]
fn whose_customers_a_reply_has_is_judged_without_them() {
    let time = "2024-05-05T13:00:00";
    let of = |ids: std::ops::Range<u32>| -> Vec<String> {
        ids.map(|id| customer(id, "n", time)).collect()
    };
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    simulator.reply_next(listed(&of(1..20_001)));
    into_table(&connector, &[]);
    // Most of the customers of the reply are marked, far behind the first batch.
    let marked: BTreeSet<i64> = (15_000..15_060).collect();
    mark(&folder(&connector), &marked);
    let place = connector.folder().join("lake");
    let other = Connector::of(&simulator).with("authentication_token", "another-companys-token");
    simulator.reply_next(listed(&of(15_000..15_100)));
    let answer = export(&other, place.to_str().unwrap(), &[]);
    assert_eq!(answer.code, Some(65), "{}", answer.stderr);
    assert!(answer.stderr.contains("40 of 100 customers"), "{}", answer.stderr);
}

#[test]
fn whoever_is_forgotten_is_forgotten_and_the_marks_stay() {
    let (_simulator, connector, changed, marked) = marked("merge", 60, 5);
    let (gone, there) = (*marked.first().unwrap(), changed[0]);
    for (id, rows) in [(there, 1), (gone, 0)] {
        let forget = ["export", "--to", "lake", "--forget", &id.to_string(), "--json"];
        let answer = connector.run(&forget);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let summary: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!(summary["rows"], rows, "{summary}");
        assert_eq!(shown(&connector)["keys"], 60 - marked.len() - 1, "{id}");
    }
}

#[test]
fn a_file_of_marks_is_not_removed_and_a_dry_run_counts_what_is_there() {
    let (_simulator, connector, changed, marked) = marked("merge", 60, 5);
    let file = folder(&connector).join("deletion_vector_0e6ec1c1-4c5b-4c9a-8f9e-4a1c2d3e4f5a.bin");
    std::fs::write(&file, "x").unwrap();
    vacuum::age(&file, 60 * vacuum::DAY);
    let answer = connector.run(&["vacuum", "lake", "--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(file.exists());
    let answer = export(&connector, "lake", &["--dry-run", "--full-refresh", "--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let difference: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(difference["inserted"]["count"], marked.len(), "{difference}");
    assert_eq!(difference["updated"]["count"], changed.len(), "{difference}");
}
