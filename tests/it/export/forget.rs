//! `--forget`: customers are removed from every row of a table, and nothing else of it changes.

use std::collections::BTreeSet;
use std::fs;

use kometsales::error::Kind;
use kometsales::export::table::forget;
use kometsales::log::{Level, Log};
use kometsales::streams::customers::CUSTOMERS;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{at, store, table_at};
use super::places::{customer, export, into_table, lake, listed};
use crate::support::answer::Answer;
use crate::support::{Connector, at_once, simulator};

const MODES: [&str; 4] = ["merge", "append", "history", "overwrite"];

struct Silent;

impl Log for Silent {
    fn log(&self, _: Level, _: &str) {}
}

fn forgets(connector: &Connector, ids: &[&str]) -> Answer {
    // Neither a configuration nor a token.
    connector.run(&[&["export", "--to", "lake", "--forget"], ids].concat())
}

fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// A table of one mode with several versions of customers 1 to 5, in several files.
fn table(mode: &str) -> (kometsales::simulator::Simulator, Connector) {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let names = ["A", "B", "C"];
    for (round, name) in names.iter().enumerate() {
        let time = format!("2024-01-0{}T00:00:00", round + 1);
        let customers: Vec<String> =
            (1..=5).map(|id| customer(id, &format!("SECRET-{id}-{name}"), &time)).collect();
        simulator.reply_next(listed(&customers));
        into_table(&connector, &["--mode", mode, "--full-refresh"]);
    }
    (simulator, connector)
}

#[test]
fn every_row_of_a_customer_goes_and_nothing_else_changes() {
    at_once(&MODES, |mode| {
        let (simulator, connector) = table(mode);
        let asked = simulator.requests().len();
        let before = lake(&connector);
        let (note, version) = (before.note(), before.version());
        let answer = forgets(&connector, &["2", "4", "77", "--json"]);
        let forgotten = json_of(&answer);
        let of = |row: &&Value| ["2", "4"].contains(&row["id"].to_string().as_str());
        let all = before.rows();
        let gone = all.iter().filter(of).count();
        let rest: Vec<&Value> = all.iter().filter(|row| !of(row)).collect();
        let after = lake(&connector);
        assert_eq!(after.rows().iter().collect::<Vec<_>>(), rest, "{mode}");
        assert_eq!(after.version(), version + 1, "one commit");
        assert_eq!(after.left_over(), [] as [&str; 0]);
        assert_eq!(forgotten["forgotten"], json!([2, 4]));
        assert_eq!(forgotten["not_found"], json!([77]));
        assert_eq!(forgotten["rows"], json!(gone));
        assert_eq!(forgotten["table_rows"], json!(rest.len()));
        assert_eq!(
            (&forgotten["version"], &forgotten["committed"]),
            (&json!(version + 1), &json!(true))
        );
        for (member, value) in note.as_object().unwrap() {
            let is_kept = !["run", "made"].contains(&member.as_str());
            assert_eq!(after.note()[member] == *value, is_kept, "{mode}: {member}");
        }
        // The newest version of the log says nothing of them either.
        let actions = Value::from(after.commits().pop().unwrap()).to_string();
        assert!(!actions.contains("SECRET-2") && !actions.contains("SECRET-4"), "{actions}");
        assert_eq!(simulator.requests().len(), asked, "nothing is asked");
        for part in ["comes back", "vacuum", "--retain 0h --allow-short-retention", "30 days"] {
            assert!(answer.stderr.contains(part), "{part}: {}", answer.stderr);
        }
    });
}

#[test]
fn the_next_export_goes_on_from_the_cursor_and_brings_back_what_komet_still_has() {
    for mode in ["merge", "append", "history"] {
        let (simulator, connector) = table(mode);
        json_of(&forgets(&connector, &["2", "--json"]));
        simulator.reply_next(listed(&[customer(1, "D", "2024-01-04T00:00:00")]));
        let summary = into_table(&connector, &["--mode", mode]);
        assert_eq!((&summary["rows"], &summary["committed"]), (&json!(1), &json!(true)), "{mode}");
        assert!(simulator.requests().last().unwrap().parameter("updateAsOf").is_some());
        assert!(!lake(&connector).ids().contains(&2));
        simulator.reply_next(listed(&[customer(2, "E", "2024-01-05T00:00:00")]));
        into_table(&connector, &["--mode", mode]);
        assert!(lake(&connector).ids().contains(&2), "{mode}");
    }
}

#[test]
fn a_table_whose_customers_are_all_forgotten_has_no_file_and_takes_the_next_export() {
    for mode in MODES {
        let (simulator, connector) = table(mode);
        let forgotten = json_of(&forgets(&connector, &["1,2,3,4,5", "--json"]));
        assert_eq!(
            (&forgotten["table_rows"], &forgotten["files"]),
            (&json!(0), &json!(0)),
            "{mode}"
        );
        assert!(lake(&connector).live().is_empty(), "{mode}");
        simulator.reply_next(listed(&[customer(1, "D", "2024-01-04T00:00:00")]));
        into_table(&connector, &["--mode", mode]);
        assert_eq!(lake(&connector).ids(), [1], "{mode}");
    }
}

#[test]
fn ids_that_are_not_there_are_reported_and_nothing_is_committed() {
    let (_simulator, connector) = table("merge");
    let before = lake(&connector);
    let answer = forgets(&connector, &["77,-3", "--json"]);
    let forgotten = json_of(&answer);
    assert_eq!(forgotten["not_found"], json!([-3, 77]));
    assert_eq!((&forgotten["committed"], &forgotten["rows"]), (&json!(false), &json!(0)));
    assert_eq!(lake(&connector).names(), before.names());
    assert_eq!(answer.stderr, "");
    let answer = forgets(&connector, &["5", "78"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let text = answer.text();
    assert!(
        text.starts_with("Forgot 1 customer (1 row): ") && text.contains("not there 78"),
        "{text}"
    );
}

#[test]
fn what_stays_is_copied_only_from_files_that_are_whole() {
    let (_simulator, connector) = table("merge");
    let folder = connector.folder().join("lake/customers");
    let file = folder.join(lake(&connector).live().first().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    bytes[200] ^= 1;
    fs::write(&file, bytes).unwrap();
    let before = lake(&connector);
    let answer = forgets(&connector, &["2"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert_eq!(lake(&connector).names(), before.names());
}

#[test]
fn every_customer_may_go() {
    for mode in MODES {
        let (simulator, connector) = table(mode);
        json_of(&forgets(&connector, &["1", "2", "3", "4", "5", "--json"]));
        assert_eq!(lake(&connector).rows(), [] as [Value; 0], "{mode}");
        simulator.reply_next(listed(&[customer(6, "F", "2024-01-06T00:00:00")]));
        into_table(&connector, &["--mode", mode, "--full-refresh"]);
        assert_eq!(lake(&connector).ids(), [6], "{mode}");
    }
}

#[test]
fn a_customer_who_is_alone_in_a_file_goes() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    for id in 1..=3 {
        simulator.reply_next(listed(&[customer(id, "N", "2024-01-01T00:00:00")]));
        into_table(&connector, &["--mode", "append"]);
    }
    assert_eq!(lake(&connector).live().len(), 3);
    let forgotten = json_of(&forgets(&connector, &["2", "--json"]));
    assert_eq!((&forgotten["rows"], &forgotten["files"]), (&json!(1), &json!(0)));
    assert_eq!(lake(&connector).ids(), [1, 3]);
}

#[test]
fn it_is_refused_where_it_means_nothing() {
    let (simulator, connector) = table("merge");
    let asked = simulator.requests().len();
    let run = |arguments: &[&str]| connector.run(&[&["export"], arguments].concat());
    for (arguments, code, part) in [
        (&["--to", "x.parquet", "--forget", "1"][..], 2, "--forget is for tables"),
        (&["--to", "-", "--forget", "1"], 2, "--forget is for tables"),
        (&["--to", "lake", "--forget", "1", "--mode", "merge"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--full-refresh"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--dry-run"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--vacuum", "7d"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--check"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--allow-shrink"], 2, "takes no --mode"),
        (&["--to", "lake", "--forget", "1", "--companies", "tokens"], 2, "for one table"),
        (&["--to", "lake", "--forget", "x"], 2, "'x'"),
        (&["--to", "lake", "--forget"], 2, "--forget"),
        (&["--to", "nowhere", "--forget", "1"], 78, "There is no table"),
    ] {
        let answer = run(arguments);
        assert_eq!(answer.code, Some(code), "{arguments:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(part), "{arguments:?}: {}", answer.stderr);
    }
    let log = connector.folder().join("other/customers/_delta_log");
    fs::create_dir_all(&log).unwrap();
    for name in fs::read_dir(connector.folder().join("lake/customers/_delta_log")).unwrap() {
        let name = name.unwrap();
        let text = fs::read_to_string(name.path()).unwrap();
        fs::write(log.join(name.file_name()), text.replace("kometsales", "somebody")).unwrap();
    }
    let answer = run(&["--to", "other", "--forget", "1"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("did not write"), "{}", answer.stderr);
    assert_eq!(simulator.requests().len(), asked);
}

#[test]
fn rejects_of_the_table_are_pointed_at() {
    let (simulator, connector) = table("merge");
    simulator.reply_next(listed(&[customer(1, "A", "2024-01-01T00:00:00"), "{}".to_owned()]));
    export(&connector, "lake", &["--full-refresh", "--allow-shrink"]);
    let answer = forgets(&connector, &["2"]);
    assert!(answer.stderr.contains("customers_rejects"), "{}", answer.stderr);
    assert!(answer.stderr.contains("--rejects 0d"), "{}", answer.stderr);
}

#[test]
fn several_at_once_and_an_export_between_them_lose_nothing() {
    let (simulator, connector) = table("append");
    let place = connector.folder().join("lake");
    let others = Connector::of(&simulator);
    simulator.reply_next(listed(&[customer(9, "N", "2024-01-09T00:00:00")]));
    let to = place.to_str().unwrap();
    at_once(&[1, 2, 3, 4, 0], |id| match id {
        0 => {
            let answer = export(&others, to, &["--mode", "append"]);
            assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        }
        id => {
            let keys = BTreeSet::from([*id]);
            let done =
                forget(store(&place), &table_at(&place), &CUSTOMERS, None, &keys, at(59), &Silent);
            assert_eq!(done.unwrap().forgotten, keys);
        }
    });
    let lake = lake(&connector);
    assert_eq!(lake.ids(), [5, 5, 5, 9]);
    assert_eq!(lake.left_over(), [] as [&str; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_is_what_was_there_without_them(
        mode in prop::sample::select(&["merge", "append", "history"][..]),
        lists in proptest::collection::vec(proptest::collection::btree_map(1u32..9, 0u8..3, 1..8), 1..4),
        keys in proptest::collection::btree_set(0i64..10, 1..5),
    ) {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        for list in &lists {
            let customers: Vec<String> = list
                .iter()
                .map(|(id, name)| customer(*id, &format!("n{name}"), "2024-01-01T00:00:00"))
                .collect();
            simulator.reply_next(listed(&customers));
            into_table(&connector, &["--mode", mode, "--full-refresh", "--allow-shrink"]);
        }
        let before = lake(&connector).rows();
        let place = connector.folder().join("lake");
        let done = forget(store(&place), &table_at(&place), &CUSTOMERS, None, &keys, at(59), &Silent).unwrap();
        let is_gone = |row: &Value| keys.contains(&row["id"].as_i64().unwrap());
        let there: BTreeSet<i64> = before.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        prop_assert_eq!(&done.forgotten, &(&there & &keys));
        prop_assert_eq!(&done.not_found, &(&keys - &there));
        prop_assert_eq!(done.committed, !done.forgotten.is_empty());
        let rest: Vec<Value> = before.into_iter().filter(|row| !is_gone(row)).collect();
        prop_assert_eq!(lake(&connector).rows(), rest);
    }
}

#[test]
fn a_table_that_only_takes_additions_is_refused() {
    let (_simulator, connector) = table("append");
    let commit = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let text = fs::read_to_string(&commit).unwrap();
    let changed =
        text.replace(r#""configuration":{}"#, r#""configuration":{"delta.appendOnly":"true"}"#);
    assert_ne!(text, changed);
    fs::write(&commit, changed).unwrap();
    let place = connector.folder().join("lake");
    let keys = BTreeSet::from([1]);
    let error = forget(store(&place), &table_at(&place), &CUSTOMERS, None, &keys, at(59), &Silent)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("only accepts additions"), "{error}");
}
