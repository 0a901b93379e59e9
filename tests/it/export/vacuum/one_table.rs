//! `export --companies --one-table --vacuum`: one vacuum of the table of all after the last commit of a run, at most once a day.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kometsales::simulator::Options;
use serde_json::{Value, json};

use super::{DAY, age, put};
use crate::export::companies::{Many, Run, end, signal};
use crate::support::eventually;
use crate::support::lake::Lake;
use crate::support::store::{Options as StoreOptions, Rule, Store};

const WHOLE: [&str; 2] = ["--one-table", "--full-refresh"];
const VACUUM: [&str; 4] = ["--one-table", "--full-refresh", "--vacuum", "7d"];

/// A table of many companies with so many versions, each of which replaces every file of the one before.
fn table(companies: u32, versions: u64) -> Many {
    let many = Many::of(companies, 20, &[]);
    for _ in 0..versions {
        assert_eq!(many.export("lake", &WHOLE).code(), 0);
        many.simulator.change(20);
    }
    many
}

fn folder(many: &Many) -> PathBuf {
    many.connector.folder().join("lake/customers")
}

fn commit_file(many: &Many, version: usize) -> PathBuf {
    folder(many).join(format!("_delta_log/{version:020}.json"))
}

fn age_all(many: &Many, seconds: u64) {
    many.shared("lake").names().iter().for_each(|name| age(&folder(many).join(name), seconds));
}

/// A run that worked: what its vacuum removed.
#[track_caller]
fn vacuumed(many: &Many, more: &[&str]) -> Value {
    let run = many.export("lake", more);
    assert_eq!(run.code(), 0, "{run:?}");
    assert!(!run.answer.stderr.contains("WARN"), "{}", run.answer.stderr);
    assert!(run.lines.values().all(|line| line["vacuumed"].is_null()), "{run:?}");
    run.summary["vacuumed"].clone()
}

/// When a vacuum was noted, by company.
fn noted_time(lake: &Lake, company: &str) -> Value {
    lake.noted(&format!("kometsales.{company}")).unwrap()["vacuumed_at"].clone()
}

/// The data files, named by a version or not.
fn data(lake: &Lake) -> BTreeSet<String> {
    let names = lake.names().into_iter().filter(|name| !name.starts_with("_delta_log/"));
    names.map(str::to_owned).collect()
}

#[test]
fn it_follows_a_commit_at_most_once_a_day_whichever_company_was_committed() {
    let many = table(3, 3);
    age_all(&many, 8 * DAY);
    let one = [&VACUUM[..], &["--company", "company-0002"]].concat();
    assert_eq!(vacuumed(&many, &one)["count"], 6, "that of all, though one was committed");
    let lake = many.shared("lake");
    assert!(
        noted_time(&lake, "company-0002").is_string()
            && noted_time(&lake, "company-0001").is_null()
    );
    assert_eq!(data(&lake).len(), 4, "the last version that was old, and the newest");
    // Another company's note says when it was.
    age_all(&many, 8 * DAY);
    let others = ["--company", "company-0001", "--company", "company-0003"];
    assert_eq!(vacuumed(&many, &[&VACUUM[..], &others].concat()), Value::Null);
    let none = noted_time(&many.shared("lake"), "company-0001");
    assert!(none.is_null(), "what no vacuum follows notes none");
    let first = noted_time(&lake, "company-0002");
    many.simulator.change(20);
    assert_eq!(vacuumed(&many, &WHOLE), Value::Null);
    assert_eq!(noted_time(&many.shared("lake"), "company-0002"), first, "it is noted on");
    // A day later, and by a clock that was wrong.
    for other in ["2020-01-01T00:00:00Z", "2990-01-01T00:00:00Z"] {
        let newest = commit_file(&many, many.shared("lake").version());
        let text = fs::read_to_string(&newest).unwrap();
        let noted = |time: &str| format!(r#"\"vacuumed_at\":\"{time}\""#);
        let now = noted_time(&many.shared("lake"), "company-0002");
        let now = noted(now.as_str().unwrap());
        assert!(text.contains(&now), "{text}");
        fs::write(&newest, text.replace(&now, &noted(other))).unwrap();
        age_all(&many, 8 * DAY);
        many.simulator.change(20);
        assert!(vacuumed(&many, &VACUUM)["count"].as_u64() > Some(0), "{other}");
        many.simulator.change(20);
        assert_eq!(vacuumed(&many, &VACUUM), Value::Null, "{other}");
    }
    assert_eq!(many.shared("lake").rows().len(), 60);
}

#[test]
fn it_comes_after_the_last_commit_of_the_run() {
    let store = Store::start(StoreOptions::default());
    let many = Many::of(70, 3, &[]).in_bucket(&store);
    assert_eq!(many.export("s3://bucket/p", &WHOLE).code(), 0);
    let keys = store.keys("bucket").into_iter();
    let first: Vec<String> = keys.filter(|key| key.ends_with(".parquet")).collect();
    many.simulator.change(3);
    assert_eq!(many.export("s3://bucket/p", &WHOLE).code(), 0);
    many.simulator.change(3);
    let days = 8 * DAY as i64;
    store.keys("bucket").iter().for_each(|key| store.age("bucket", key, days));
    let count = |first: &[String], store: &Store| {
        first.iter().filter(|key| store.get("bucket", key).is_some()).count()
    };
    // What is there whenever a commit arrives.
    let there = Arc::new(Mutex::new(Vec::new()));
    let (watched, keys) = (there.clone(), first.clone());
    let watch = move |store: &Store| watched.lock().unwrap().push(count(&keys, store));
    store.script(Rule::on("PUT", "_delta_log/0").ending(".json").always().before(watch));
    let run = many.export("s3://bucket/p", &[&VACUUM[..], &["--jobs", "8"]].concat());
    assert_eq!((run.code(), &run.summary["vacuumed"]["count"]), (0, &json!(70)), "{run:?}");
    let there = there.lock().unwrap();
    assert_eq!(
        (run.summary["commits"].as_u64(), there.len() > 1),
        (Some(there.len() as u64), true)
    );
    assert!(there.iter().all(|count| *count == 70), "{there:?}");
    assert_eq!(count(&first, &store), 0);
}

#[test]
fn without_a_commit_there_is_none_and_nothing_is_written() {
    let many = table(2, 3);
    assert_eq!(many.export("lake", &WHOLE).code(), 0);
    age_all(&many, 8 * DAY);
    let before = many.shared("lake");
    assert_eq!(vacuumed(&many, &VACUUM), Value::Null);
    assert_eq!(vacuumed(&many, &["--one-table", "--vacuum", "7d"]), Value::Null);
    many.simulator.change(5);
    let dry = ["--one-table", "--full-refresh", "--vacuum", "7d", "--dry-run"];
    assert_eq!(many.export("lake", &dry).summary["compared"], 2);
    assert!(many.shared("lake") == before);
    assert!(vacuumed(&many, &VACUUM)["count"].as_u64() > Some(0), "it was due all the time");
}

#[test]
fn what_is_retained_stays_for_every_company_and_what_no_version_names_goes() {
    let many = table(3, 2);
    age_all(&many, 9 * DAY);
    // Replaced within the week: the version of nine days ago was the newest when the week began.
    assert_eq!(
        many.export("lake", &[&WHOLE[..], &["--company", "company-0001"]].concat()).code(),
        0
    );
    let (lake, week) = (many.shared("lake"), data(&many.shared("lake")));
    age(&commit_file(&many, lake.version()), 6 * DAY);
    let name = |company: &str, run: u32| {
        format!("company={company}/part-20200101T000000Z-{run:016x}-00-00000.zstd.parquet")
    };
    let gone = [name("company-0002", 1), name("nobody", 2)];
    let young = name("company-0003", 3);
    let foreign = "company=company-0001/theirs.parquet".to_owned();
    for (name, days) in gone.iter().map(|name| (name, 8)).chain([(&young, 6), (&foreign, 8)]) {
        put(&folder(&many).join(name), days * DAY);
    }
    let first: BTreeSet<String> = lake.commits()[0]
        .iter()
        .filter_map(|action| Some(action["add"]["path"].as_str()?.to_owned()))
        .collect();
    assert_eq!(first.len(), 3);
    many.simulator.change(20);
    let removed = vacuumed(&many, &VACUUM);
    assert_eq!(removed["count"], 5, "the three files of the first version, and two orphans");
    let after = data(&many.shared("lake"));
    for name in week.difference(&first).chain([&young, &foreign]) {
        assert!(after.contains(name), "{name}");
    }
    assert!(first.iter().chain(&gone).all(|name| !after.contains(name)), "{after:?}");
    assert_eq!(many.shared("lake").rows().len(), 60);
    assert_eq!(many.export("lake", &WHOLE).code(), 0);
}

#[test]
fn its_failure_is_a_warning_and_fails_no_company() {
    let many = table(2, 12);
    // The checkpoint of the tenth serves the export.
    fs::write(commit_file(&many, 3), "x\n\n\n").unwrap();
    for is_tried in [true, false] {
        let run = many.export("lake", &VACUUM);
        let said = &run.answer.stderr;
        assert_eq!((run.code(), &run.summary["exported"]), (0, &json!(2)), "{run:?}");
        assert_eq!(
            said.matches("the vacuum after it failed").count(),
            usize::from(is_tried),
            "{said}"
        );
        assert_eq!(said.contains("WARN") && said.contains("commit 3"), is_tried, "{said}");
        assert!(run.summary.get("vacuumed").is_none(), "{run:?}");
        assert!(run.lines.values().all(|line| line["committed"] == true), "{run:?}");
        many.simulator.change(20);
    }
}

#[test]
fn the_summary_for_people_says_what_went() {
    let many = table(2, 3);
    age_all(&many, 8 * DAY);
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake"];
    let answer = many.connector.run(&[&all[..], &VACUUM[..]].concat());
    assert!(answer.text().contains("\n   vacuum   4 files removed, "), "{}", answer.text());
}

#[test]
fn of_two_shards_at_once_one_vacuums_and_every_row_stays() {
    let many = table(12, 3);
    for round in 0..6 {
        age_all(&many, 8 * DAY);
        let shards = ["0/2", "1/2"];
        let running = shards.map(|shard| {
            many.start("lake", &[&VACUUM[..], &["--shard", shard, "--jobs", "2"]].concat())
        });
        let runs = running.map(|child| Run::of(end(child)));
        let who: Vec<bool> = runs.iter().map(|run| run.summary["vacuumed"].is_object()).collect();
        assert!(runs.iter().all(|run| run.code() == 0), "{runs:?}");
        assert_eq!(who.iter().filter(|vacuumed| **vacuumed).count(), 1, "{round}: {runs:?}");
        let lake = many.shared("lake");
        assert_eq!((lake.rows().len(), lake.left_over()), (240, Vec::new()), "round {round}");
        // As if a day had passed, for whoever reads commits.
        for name in lake.names().into_iter().filter(|name| name.contains("checkpoint")) {
            fs::remove_file(folder(&many).join(name)).unwrap();
        }
        for version in 0..=lake.version() {
            let file = commit_file(&many, version);
            let text = fs::read_to_string(&file).unwrap();
            fs::write(file, text.replace(r#"\"vacuumed_at\":\"20"#, r#"\"vacuumed_at\":\"19"#))
                .unwrap();
        }
        many.simulator.change(20);
    }
}

#[test]
fn vacuums_of_both_kinds_and_shards_at_once_all_succeed() {
    let many = table(8, 2);
    for round in 0..4 {
        let vacuum = ["vacuum", "lake", "--retain", "0s", "--allow-short-retention"];
        let mut command = many.connector.command(&vacuum);
        let vacuum = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let shards = ["0/2", "1/2"]
            .map(|shard| many.start("lake", &[&VACUUM[..], &["--shard", shard]].concat()));
        for run in shards.map(|child| Run::of(end(child))) {
            assert_eq!((run.code(), run.answer.stderr.contains("WARN")), (0, false), "{run:?}");
        }
        assert_eq!(end(vacuum).code, Some(0), "round {round}");
        let lake = many.shared("lake");
        assert_eq!((lake.rows().len(), lake.left_over()), (160, Vec::new()), "round {round}");
        many.simulator.change(20);
    }
}

#[test]
fn a_run_that_is_ended_commits_and_says_that_the_vacuum_is_left() {
    let latency = Duration::from_millis(200);
    let many =
        Many::with(Options { customers: 10, companies: Some(16), latency, ..Options::default() });
    let child = many.start("lake", &[&VACUUM[..], &["--jobs", "2"]].concat());
    eventually("some are handed in", || many.simulator.requests().len() > 6);
    signal(&child, "TERM");
    let answer = end(child);
    assert_eq!(answer.signal, Some(15), "{}", answer.stderr);
    let said = answer.stderr.clone();
    assert!(said.contains("the vacuum after it was interrupted"), "{said}");
    let run = Run::of(answer);
    assert_eq!((&run.summary["commits"], run.summary.get("vacuumed")), (&json!(1), None));
}

#[test]
fn where_each_company_has_a_table_a_vacuum_that_fails_is_a_warning_with_its_name() {
    let many = Many::of(2, 20, &[]);
    for _ in 0..12 {
        assert_eq!(many.export("lake", &["--full-refresh"]).code(), 0);
        many.simulator.change(20);
    }
    let broken = "lake/company-0002/customers/_delta_log/00000000000000000003.json";
    fs::write(many.connector.folder().join(broken), "x\n\n\n").unwrap();
    let run = many.export("lake", &["--full-refresh", "--vacuum", "7d"]);
    assert_eq!((run.code(), &run.summary["exported"]), (0, &json!(2)), "{run:?}");
    let said = &run.answer.stderr;
    assert!(said.contains("company-0002: The rows are committed, but the vacuum"), "{said}");
    assert!(!said.contains("company-0001"), "{said}");
    assert_eq!(run.lines["company-0001"]["vacuumed"]["count"], 0, "{run:?}");
    assert_eq!(run.lines["company-0002"]["vacuumed"], Value::Null, "{run:?}");
    assert_eq!(run.summary["vacuumed"], json!({"count": 0, "bytes": 0}));
}
