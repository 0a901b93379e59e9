//! `export --dry-run`: what would change is said, and nothing at all is written.

use kometsales::simulator::Reply;
use serde_json::{Value, json};

use super::places::{customer, export, lake, listed};
use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::store::{Options, Store};
use crate::support::{Connector, simulator};

const TIME: &str = "2024-01-01T00:00:00";

/// A list of customers: each an id and a name.
fn of(customers: &[(u32, &str)]) -> Reply {
    listed(&customers.iter().map(|(id, name)| customer(*id, name, TIME)).collect::<Vec<_>>())
}

#[track_caller]
fn done(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// The ids of each kind, and how many there are of it.
fn kinds(difference: &Value) -> [(u64, Vec<u64>); 5] {
    ["inserted", "updated", "deleted", "restored", "unchanged"].map(|kind| {
        let ids = difference[kind]["ids"].as_array().unwrap();
        let ids = ids.iter().map(|id| id.as_u64().unwrap()).collect();
        (difference[kind]["count"].as_u64().unwrap(), ids)
    })
}

fn everything(connector: &Connector) -> Lake {
    Lake::in_folder(connector.folder())
}

#[test]
fn a_dry_run_says_what_would_change_and_the_run_behind_it_does_that() {
    for mode in ["merge", "append", "history", "overwrite"] {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        let into = |reply: Reply, mode: &str, more: &[&str]| {
            simulator.reply_next(reply);
            let own = ["--json", "--full-refresh", "--mode", mode];
            done(&export(&connector, "lake", &[&own[..], more].concat()))
        };
        let usual = if mode == "overwrite" { "merge" } else { mode };
        into(of(&[(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]), usual, &[]);
        into(of(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]), usual, &[]);
        let next = || of(&[(1, "a"), (3, "new"), (4, "d"), (5, "e"), (6, "f")]);
        let before = everything(&connector);
        let dry = into(next(), mode, &["--dry-run"]);
        assert_eq!(everything(&connector), before, "{mode}");
        let expected = [(1, vec![6]), (1, vec![3]), (1, vec![2]), (1, vec![5]), (2, vec![1, 4])];
        assert_eq!(kinds(&dry), expected, "{mode}: {dry}");
        let facts = ["kind", "mode", "dry_run", "version", "received", "withheld", "is_complete"];
        let facts = facts.map(|fact| dry[fact].clone());
        let told = json!(["table", mode, true, 1, 5, 0, true]);
        assert_eq!(Value::from(facts.to_vec()), told, "{dry}");
        let real = into(next(), mode, &[]);
        if mode != "overwrite" {
            let told = ["rows", "unchanged", "deleted", "restored"].map(|member| &real[member]);
            assert_eq!(told, [&json!(3), &json!(2), &json!(1), &json!(1)], "{mode}");
        }
        let again = into(next(), mode, &["--dry-run"]);
        let counts = kinds(&again).map(|(count, _)| count);
        assert_eq!(counts, [0, 0, 0, 0, 5], "{mode}: it is equal now");
    }
}

#[test]
fn a_dry_run_makes_nothing_where_nothing_is() {
    let simulator = simulator(25);
    let connector = Connector::of(&simulator);
    let answer = export(&connector, "new/lake", &["--dry-run", "--json"]);
    let dry = done(&answer);
    let (count, ids) = &kinds(&dry)[0];
    assert_eq!((*count, ids.len(), &dry["version"]), (25, 10, &Value::Null), "{dry}");
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(!connector.folder().join("new").exists());

    let store = Store::start(Options::default());
    let connector = store
        .s3_environment()
        .iter()
        .fold(connector, |connector, (name, value)| connector.with_environment(name, value));
    for round in 0..2 {
        let dry =
            done(&export(&connector, "s3://bucket/p", &["--dry-run", "--full-refresh", "--json"]));
        assert_eq!(kinds(&dry)[if round == 0 { 0 } else { 4 }].0, 25, "{dry}");
        let asked = store.requests();
        let wrote = |line: &&String| !line.starts_with("GET ") && !line.starts_with("HEAD ");
        if round == 0 {
            assert_eq!(asked.iter().find(wrote), None, "not even to test the place");
            done(&export(&connector, "s3://bucket/p", &["--json"]));
        } else {
            let before = asked.iter().filter(wrote).count();
            done(&export(&connector, "s3://bucket/p", &["--dry-run", "--full-refresh", "--json"]));
            assert_eq!(store.requests().iter().filter(wrote).count(), before);
        }
    }
}

#[test]
fn a_dry_run_of_what_changed_compares_that_alone() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    let changed = simulator.change(3);
    let before = everything(&connector);
    let dry = done(&export(&connector, "lake", &["--dry-run", "--json"]));
    let mut expected = changed.clone();
    expected.sort_unstable();
    assert_eq!(kinds(&dry)[1], (3, expected), "{dry}");
    assert_eq!(dry["is_complete"], false);
    assert_eq!(everything(&connector), before);
}

#[test]
fn a_dry_run_is_refused_as_the_export_would_be() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let all: Vec<(u32, &str)> = (1..=10).map(|id| (id, "a")).collect();
    simulator.reply_next(of(&all));
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    let before = everything(&connector);
    simulator.reply_next(of(&all[..4]));
    let over = export(&connector, "lake", &["--dry-run", "--mode", "overwrite"]);
    assert_eq!(over.code, Some(65), "{}", over.stderr);
    let append = export(&connector, "lake", &["--dry-run", "--mode", "append"]);
    assert_eq!(append.code, Some(78), "{}", append.stderr);
    let other = connector.with("timezone", "America/Bogota");
    simulator.reply_next(of(&[(21, "x"), (22, "y")]));
    let strangers = export(&other, "lake", &["--dry-run"]);
    assert_eq!(strangers.code, Some(65), "{}", strangers.stderr);
    assert!(strangers.stderr.contains("another company"), "{}", strangers.stderr);
    // A list of which a record is rejected is compared, and its record is kept nowhere.
    simulator.reply_next(listed(&[customer(1, "a", TIME), r#"{"name":"no id"}"#.to_owned()]));
    let rejected = export(&other, "lake", &["--dry-run", "--json"]);
    assert_eq!(done(&rejected)["rejects"], 1);
    assert_eq!(everything(&other).names(), before.names());
}

#[test]
fn a_dry_run_withholds_what_the_export_would_withhold() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let all: Vec<(u32, &str)> = (1..=10).map(|id| (id, "a")).collect();
    simulator.reply_next(of(&all));
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    for (more, deleted, withheld) in [(&[][..], 0, 6), (&["--allow-shrink"], 6, 0)] {
        simulator.reply_next(of(&all[..4]));
        let own = ["--dry-run", "--full-refresh", "--json"];
        let answer = export(&connector, "lake", &[&own[..], more].concat());
        let dry = done(&answer);
        assert_eq!((kinds(&dry)[2].0, &dry["withheld"]), (deleted, &json!(withheld)), "{dry}");
        assert_eq!(answer.stderr.contains("more than may vanish"), withheld > 0);
    }
    assert_eq!(lake(&connector).version(), 0);
}

#[test]
fn a_dry_run_is_for_tables_and_contradicts_a_check() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    for (to, more, says) in [
        ("x.parquet", &["--dry-run"][..], "compares with a table"),
        ("-", &["--dry-run"], "compares with a table"),
        ("lake", &["--dry-run", "--check"], "--check"),
    ] {
        let answer = export(&connector, to, more);
        assert_eq!(answer.code, Some(2), "{to}: {}", answer.stderr);
        assert!(answer.stderr.contains(says), "{to}: {}", answer.stderr);
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn people_see_the_first_ten_ids_and_whether_the_table_is_equal() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    let first = export(&connector, "lake", &["--dry-run"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(
        first.text().starts_with("Would change, and nothing was written: "),
        "{}",
        first.text()
    );
    let line = first.text().lines().find(|line| line.contains("inserted")).unwrap().to_owned();
    assert!(line.contains("30 customers: ") && line.ends_with(", …"), "{line}");
    assert_eq!(line.matches(", ").count(), 10, "{line}");
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    let equal = export(&connector, "lake", &["--dry-run", "--full-refresh"]);
    assert!(equal.text().starts_with("Equal to the list of Komet Sales: "), "{}", equal.text());
    let same = export(&connector, "lake", &["--dry-run"]);
    assert!(same.text().starts_with("Nothing would change: "), "{}", same.text());
}
