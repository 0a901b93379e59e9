//! `export --companies --one-table`: one table of all companies, of which each has a part that nobody else's export touches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kometsales::simulator::Options;
use serde_json::{Value, json};

use super::signals::{end, signal};
use super::{Many, Run};
use crate::export::vacuum;
use crate::support::eventually;
use crate::support::lake::Lake;
use crate::support::store::{Options as StoreOptions, Rule, Store};

pub(super) const ONE: &str = "--one-table";

/// A company's rows as they are compared between two tables: of times that an export sets only whether they are there.
fn timeless(rows: Vec<Value>) -> Vec<Value> {
    let mut rows: Vec<Value> = rows
        .into_iter()
        .map(|mut row| {
            for time in ["_extracted_at", "_deleted_at", "_valid_from", "_valid_to"] {
                if let Some(time) = row.get_mut(time) {
                    *time = (!time.is_null()).into();
                }
            }
            row
        })
        .collect();
    rows.sort_by_key(|row| (row["id"].as_i64(), row.to_string()));
    rows
}

/// A note without what differs between two runs and two tables.
fn lasting(mut note: Value) -> Value {
    for key in ["run", "extracted_at", "overwritten_at"] {
        note.as_object_mut().unwrap().remove(key);
    }
    note["made"]["version"].take();
    note["state"]["list"].as_object_mut().map(|list| list.remove("at"));
    note
}

pub(super) fn rows_of(lake: &Lake, company: &str) -> Vec<Value> {
    lake.rows_below(&format!("company={company}/"))
}

pub(super) fn note_of(lake: &Lake, company: &str) -> Option<Value> {
    lake.noted(&format!("kometsales.{company}"))
}

/// The companies that have rows, each with its ids.
fn ids(many: &Many, lake: &Lake) -> BTreeMap<String, Vec<i64>> {
    let companies = many.companies().into_iter();
    let of = |name: String| {
        let ids = rows_of(lake, &name).iter().map(|row| row["id"].as_i64().unwrap()).collect();
        (name, ids)
    };
    companies
        .map(|(name, _)| of(name))
        .filter(|(_, ids): &(String, Vec<i64>)| !ids.is_empty())
        .collect()
}

#[test]
fn it_is_a_delta_table_partitioned_by_company_with_a_note_for_each() {
    let many = Many::of(70, 20, &["unauthorized@company-0002"]);
    let run = many.export("lake", &[ONE, "--jobs", "8"]);
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (77, Some(69)), "{run:?}");
    let commits = run.summary["commits"].as_u64().unwrap();
    assert!((1..=3).contains(&commits) && run.summary["rebases"] == 0, "{run:?}");
    let lake = many.shared("lake");
    assert_eq!(lake.commits().len() as u64, commits);
    let first = &lake.commits()[0];
    let metadata = first.iter().find(|action| action["metaData"].is_object()).unwrap();
    assert_eq!(metadata["metaData"]["partitionColumns"], json!(["company"]));
    let schema: Value =
        serde_json::from_str(metadata["metaData"]["schemaString"].as_str().unwrap()).unwrap();
    assert_eq!(schema["fields"][0]["name"], "company");
    assert_eq!(
        (&schema["fields"][0]["type"], &schema["fields"][0]["nullable"]),
        (&json!("string"), &json!(false))
    );
    let protocol = first.iter().find(|action| action["protocol"].is_object()).unwrap();
    assert_eq!(protocol["protocol"]["minReaderVersion"], 1);
    for (name, line) in &run.lines {
        if name == "company-0002" {
            assert!(rows_of(&lake, name).is_empty() && note_of(&lake, name).is_none());
            continue;
        }
        assert_eq!(rows_of(&lake, name).len(), 20, "{name}");
        let note = note_of(&lake, name).unwrap();
        assert_eq!((&note["run"], &note["made"]["rows"]), (&line["run"], &json!(20)));
        assert_eq!(note["made"]["version"], line["version"]);
    }
    assert!(lake.left_over().is_empty());
    assert!(lake.noted("kometsales").is_none());
    let again = many.export("lake", &[ONE]);
    assert_eq!((&again.summary["rows"], &again.summary["commits"]), (&json!(0), &json!(0)));
    assert!(many.shared("lake") == lake, "nothing has changed");
}

#[test]
fn every_mode_sees_the_part_of_its_company_alone() {
    for mode in ["merge", "append", "overwrite", "history"] {
        let many = Many::of(5, 60, &[]);
        let all = ["--mode", mode, "--jobs", "3"];
        for step in 0..5 {
            let more: &[&str] = if step % 2 == 0 { &["--full-refresh"] } else { &[] };
            let all = [&all[..], more].concat();
            let own = many.export("own", &all);
            let run = many.export("one", &[&all[..], &[ONE]].concat());
            assert_eq!((own.code(), run.code()), (0, 0), "{mode} {run:?}");
            let lake = many.shared("one");
            for (name, line) in &run.lines {
                let table = many.table("own", name);
                assert_eq!(timeless(rows_of(&lake, name)), timeless(table.rows()), "{mode} {step}");
                let note = note_of(&lake, name).unwrap();
                assert_eq!(lasting(note), lasting(table.note()), "{mode} {step} {name}");
                for key in ["rows", "unchanged", "deleted", "restored", "withheld", "table_rows"] {
                    assert_eq!(line[key], own.lines[name][key], "{mode} {step} {name} {key}");
                }
            }
            match step {
                0 => drop(many.simulator.change(7)),
                1 => drop((many.simulator.remove(4), many.simulator.change(3))),
                2 => drop(many.simulator.restore(2)),
                _ => drop(many.simulator.change(1)),
            }
        }
        let deleted = rows_of(&many.shared("one"), "company-0001");
        let has_marks = deleted.iter().any(|row| !row["_deleted_at"].is_null());
        assert_eq!(has_marks, mode != "overwrite", "{mode}");
    }
}

#[test]
fn a_company_that_shrinks_or_has_anothers_token_fails_alone_and_its_part_stays() {
    let many = Many::of(4, 40, &[]);
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
    let before = many.shared("lake");
    many.give("company-0001", "demo-token-0002");
    many.give("company-0002", "demo-token-0001");
    many.simulator.change(5);
    let run = many.export("lake", &[ONE]);
    assert_eq!((run.code(), run.summary["failed"].as_u64()), (65, Some(2)), "{run:?}");
    assert!(run.message("company-0001").contains("another company's token"), "{run:?}");
    let lake = many.shared("lake");
    for name in ["company-0001", "company-0002"] {
        assert_eq!(rows_of(&lake, name), rows_of(&before, name));
        assert_eq!(note_of(&lake, name), note_of(&before, name));
    }
    many.give("company-0001", "demo-token-0001");
    many.give("company-0002", "demo-token-0002");
    many.simulator.remove(30);
    let run = many.export("lake", &[ONE, "--mode", "overwrite"]);
    assert_eq!((run.code(), run.summary["failed"].as_u64()), (65, Some(4)), "{run:?}");
    assert!(run.message("company-0003").contains("the 40 rows"), "{run:?}");
    let run = many.export(
        "lake",
        &[ONE, "--mode", "overwrite", "--allow-shrink", "--company", "company-0003"],
    );
    assert_eq!(run.code(), 0, "{run:?}");
    let found: Vec<usize> = ids(&many, &many.shared("lake")).values().map(Vec::len).collect();
    assert_eq!(found, [40, 40, 10, 40]);
}

#[test]
fn the_two_layouts_refuse_each_others_tables_before_any_request() {
    let many = Many::of(3, 10, &[]);
    assert_eq!(many.export("one", &[ONE]).code(), 0);
    assert_eq!(many.export("own", &[]).code(), 0);
    let single = many.export_one("company-0001", "single", &[]);
    assert_eq!(single.code, Some(0));
    let asked = many.simulator.requests().len();
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to"];
    let refused = |arguments: &[&str], says: &str| {
        let answer = many.connector.run(arguments);
        assert_eq!(answer.code, Some(78), "{arguments:?} {}", answer.stderr);
        assert!(answer.stderr.contains(says), "{arguments:?} {}", answer.stderr);
    };
    refused(&[&all[..], &["one"]].concat(), "add --one-table");
    refused(&[&all[..], &["one/customers"]].concat(), "add --one-table");
    refused(&[&all[..], &["own", ONE]].concat(), "Leave --one-table out");
    refused(&[&all[..], &["single/company-0001", ONE]].concat(), "is that of one company");
    refused(&[&all[..], &["one", ONE, "--mode", "history"]].concat(), "Use --mode merge again");
    let own =
        json!({"authentication_token": "demo-token-0001", "base_url": many.simulator.base_url()});
    many.connector.write("own.json", own.to_string());
    for more in [&[][..], &["--full-refresh"], &["--mode", "overwrite"], &["--dry-run"]] {
        let single = ["export", "--config", "own.json", "--to", "one"];
        refused(&[&single[..], more].concat(), "--companies and --one-table");
    }
    assert_eq!(many.simulator.requests().len(), asked);
    for to in ["x.parquet", "-"] {
        let answer = many.connector.run(&[&all[..], &[to, ONE]].concat());
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    }
    // The table's own folder is the same place.
    let run = many.export("one/customers", &[ONE]);
    assert_eq!((run.code(), &run.summary["rows"]), (0, &json!(0)), "{run:?}");
}

#[test]
fn a_part_whose_note_is_lost_is_repaired_alone() {
    let many = Many::of(3, 20, &[]);
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
    let commit = many.connector.folder().join(format!("lake/customers/_delta_log/{:020}.json", 0));
    let text = std::fs::read_to_string(&commit).unwrap();
    let is_kept = |line: &&str| !line.contains("kometsales.company-0002");
    let kept: Vec<&str> = text.lines().filter(is_kept).collect();
    std::fs::write(&commit, kept.join("\n") + "\n").unwrap();
    let run = many.export("lake", &[ONE]);
    assert_eq!((run.code(), run.summary["failed"].as_u64()), (78, Some(1)), "{run:?}");
    assert!(run.message("company-0002").contains("--full-refresh"), "{run:?}");
    let run = many.export("lake", &[ONE, "--full-refresh", "--company", "company-0002"]);
    assert_eq!(run.code(), 0, "{run:?}");
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
    assert_eq!(ids(&many, &many.shared("lake")).len(), 3);
}

#[test]
fn notes_that_a_checkpoint_of_another_tool_has_lost_are_found_in_older_commits() {
    let many = Many::of(2, 20, &[]);
    for _ in 0..11 {
        assert_eq!(many.export("lake", &[ONE]).code(), 0);
        many.simulator.change(1);
    }
    let log = many.connector.folder().join("lake/customers/_delta_log");
    vacuum::log::without_notes(&log.join(format!("{:020}.checkpoint.parquet", 10)));
    let asked = many.simulator.requests().len();
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
    let requests = many.simulator.requests();
    let goes_on = requests[asked..].iter().all(|one| one.parameter("updateAsOf").is_some());
    assert!(goes_on && requests.len() == asked + 2, "both go on from where they were");
    assert_eq!(many.shared("lake").version(), 11);
}

#[test]
fn fields_that_one_company_leaves_out_are_null_in_its_rows_alone() {
    let many = Many::of(2, 20, &[]);
    let own = json!({"authentication_token": "demo-token-0001", "exclude_fields": "name"});
    std::fs::remove_file(many.tokens().join("company-0001")).unwrap();
    many.connector.write("tokens/company-0001.json", own.to_string());
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
    let names = |company: &str| {
        let rows = rows_of(&many.shared("lake"), company);
        rows.iter().filter(|row| row["name"].is_string()).count()
    };
    assert_eq!((names("company-0001"), names("company-0002")), (0, 20));
    let own = json!({"authentication_token": "demo-token-0002", "exclude_fields": "name"});
    std::fs::remove_file(many.tokens().join("company-0002")).unwrap();
    many.connector.write("tokens/company-0002.json", own.to_string());
    let run = many.export("lake", &[ONE]);
    assert_eq!((run.code(), names("company-0002")), (0, 0), "{run:?}");
    let said = &run.answer.stderr;
    assert!(said.contains("company-0002: Every row of the table"), "{said}");
    assert!(!said.contains("company-0001: Every row"), "{said}");
}

#[test]
fn a_dry_run_and_a_check_write_nothing() {
    let many = Many::of(3, 20, &["forbidden@company-0003"]);
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake", ONE];
    for more in ["--check", "--dry-run"] {
        let answer = many.connector.run(&[&all[..], &[more]].concat());
        assert_eq!(answer.code, Some(77), "{}", answer.stderr);
        assert!(!many.connector.folder().join("lake").exists(), "{more}");
    }
    assert_eq!(many.export("lake", &[ONE]).code(), 77);
    many.simulator.change(2);
    let before = many.shared("lake");
    let answer = many.connector.run(&[&all[..], &["--dry-run", "--json"]].concat());
    let lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["company"] == "company-0001").unwrap();
    assert_eq!((&line["updated"]["count"], &line["inserted"]["count"]), (&json!(2), &json!(0)));
    assert!(many.shared("lake") == before);
}

#[test]
fn it_is_shown_vacuumed_and_customers_of_one_company_are_forgotten() {
    let many = Many::of(3, 20, &[]);
    for _ in 0..3 {
        assert_eq!(many.export("lake", &[ONE, "--full-refresh"]).code(), 0);
        many.simulator.change(5);
    }
    many.simulator.remove(1);
    assert_eq!(many.export("lake", &[ONE, "--full-refresh"]).code(), 0);
    let answer = many.connector.run(&["show", "lake", "--json"]);
    let shown: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(
        (&shown["rows"], &shown["mode"], &shown["cursor"]),
        (&json!(60), &json!("merge"), &Value::Null)
    );
    let companies = shown["companies"].as_array().unwrap();
    assert_eq!(companies.len(), 3, "{shown}");
    for total in ["rows", "keys", "deleted", "active", "bytes", "files"] {
        let sum: u64 = companies.iter().map(|one| one[total].as_u64().unwrap()).sum();
        assert_eq!(shown[total], sum, "{total}: {shown}");
    }
    let months = shown["months"].as_object().unwrap().values().filter_map(Value::as_u64);
    assert_eq!(months.sum::<u64>(), 57, "{shown}");
    assert_eq!((&shown["keys"], &shown["deleted"]), (&json!(60), &json!(3)), "{shown}");
    assert_eq!(
        (&companies[1]["company"], &companies[1]["rows"]),
        (&json!("company-0002"), &json!(20))
    );
    assert!(companies[1]["cursor"].is_string() && shown["runs"][0]["companies"] == 3, "{shown}");
    let text = many.connector.run(&["show", "lake"]);
    assert!(text.text().contains("   of      3 companies\n"), "{}", text.text());
    // The first line is the place, which is as long as it is.
    assert!(text.text().lines().skip(1).all(|line| line.chars().count() <= 80), "{}", text.text());

    let folder = many.connector.folder().join("lake/customers");
    let orphan =
        "company=company-0001/part-20200101T000000Z-0123456789abcdef-00-00000.zstd.parquet";
    std::fs::write(folder.join(orphan), "x").unwrap();
    std::fs::write(folder.join("company=company-0001/#1"), "x").unwrap();
    for name in many.shared("lake").names() {
        vacuum::age(&folder.join(name), 8 * vacuum::DAY);
    }
    let rows = many.shared("lake").rows();
    let answer = many.connector.run(&["vacuum", "lake", "--json"]);
    assert_eq!(
        vacuum::counts(&serde_json::from_str(answer.text()).unwrap()),
        [9, 1, 0, 0],
        "{}",
        answer.text()
    );
    assert_eq!(many.shared("lake").rows(), rows);

    let ids = ids(&many, &many.shared("lake"));
    let id = ids["company-0002"][3].to_string();
    let forget = ["export", "--to", "lake", "--forget", &id];
    let answer = many.connector.run(&forget);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("Say with --company"), "{}", answer.stderr);
    let other = many.connector.run(&[&forget[..], &["--company", "company-0001"]].concat());
    assert!(other.text().starts_with("None of them is there"), "{}", other.text());
    let done = many.connector.run(&[&forget[..], &["--company", "company-0002"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let lake = many.shared("lake");
    assert_eq!((rows_of(&lake, "company-0002").len(), lake.rows().len()), (19, 59));
    let nobody = many.connector.run(&[&forget[..], &["--company", "company-9"]].concat());
    assert!(nobody.stderr.contains("no company `company-9`"), "{}", nobody.stderr);
    // What is noted of the rows is true: the next export finds nothing damaged.
    assert_eq!(many.export("lake", &[ONE]).code(), 0);
}

#[test]
fn a_signal_begins_no_more_companies_and_commits_what_is_handed_in() {
    let latency = Duration::from_millis(200);
    let many =
        Many::with(Options { customers: 10, companies: Some(16), latency, ..Options::default() });
    let child = many.start("lake", &["--jobs", "2", ONE]);
    eventually("some are handed in", || many.simulator.requests().len() > 6);
    let started = Instant::now();
    signal(&child, "TERM");
    let answer = end(child);
    assert!(started.elapsed() < Duration::from_secs(4));
    assert_eq!(answer.signal, Some(15), "{}", answer.stderr);
    let run = Run::of(answer);
    assert_eq!(
        (&run.summary["stopped"], &run.summary["commits"]),
        (&json!("interrupted"), &json!(1))
    );
    assert!(run.summary["exported"].as_u64().unwrap() >= 4, "{run:?}");
    let lake = many.shared("lake");
    for (company, line) in &run.lines {
        let is_there = !rows_of(&lake, company).is_empty();
        assert_eq!(is_there, line["outcome"] == "exported", "{company}: {line}");
    }
    assert!(lake.left_over().is_empty(), "{:?}", lake.left_over());
}

#[test]
fn after_any_end_the_same_run_again_is_as_if_nothing_had_happened() {
    let many = Many::of(70, 10, &[]);
    assert_eq!(many.export("whole", &[ONE]).code(), 0);
    let whole = ids(&many, &many.shared("whole"));
    assert_eq!(whole.len(), 70);
    let mut ended_before = 0;
    for moment in 0..20_u64 {
        let to = format!("lake-{moment}");
        let name = if moment % 4 == 0 { "TERM" } else { "KILL" };
        let child = many.start(&to, &["--jobs", "3", ONE]);
        let asked = many.simulator.requests().len() + (moment as usize * 17) % 71;
        let is_over = Instant::now() + Duration::from_secs(2);
        while many.simulator.requests().len() < asked && Instant::now() < is_over {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(moment % 7 * 10));
        signal(&child, name);
        let answer = end(child);
        let between = many.shared(&to);
        // A company has all of its rows and its note, or neither.
        let there = if between.names().is_empty() { BTreeMap::new() } else { ids(&many, &between) };
        ended_before += u32::from(there.len() < 70);
        for (company, ids) in &there {
            assert_eq!(ids, &whole[company], "{company} {name} {moment}");
            assert!(note_of(&between, company).is_some());
        }
        if name == "TERM" && answer.signal.is_some() && !answer.stdout.is_empty() {
            let run = Run::of(answer);
            let exported = run.lines.iter().filter(|(_, line)| line["outcome"] == "exported");
            let exported: BTreeSet<&String> = exported.map(|(company, _)| company).collect();
            assert_eq!(there.keys().collect::<BTreeSet<_>>(), exported, "{moment}");
        }
        let again = many.export(&to, &[ONE]);
        assert_eq!((again.code(), again.summary["exported"].as_u64()), (0, Some(70)), "{again:?}");
        let lake = many.shared(&to);
        // `live`, below, asserts that no file is added twice.
        assert_eq!(ids(&many, &lake), whole, "{name} {moment}");
        assert!(lake.left_over().is_empty() || name == "KILL", "{name} {moment}");
        std::fs::remove_dir_all(many.connector.folder().join(&to)).unwrap();
    }
    assert!(ended_before >= 5, "the moments were all too late: {ended_before}");
}

fn commit(version: usize) -> String {
    format!("_delta_log/{version:020}.json")
}

fn bucket(store: &Store) -> Lake {
    Lake::in_store(store, "bucket", "p/customers")
}

#[test]
fn a_commit_whose_answer_is_lost_is_committed_once_for_all() {
    for (name, rule) in [
        (
            "closed after it landed",
            Rule::on("PUT", "").ending(&commit(0)).closes().after_applying(),
        ),
        (
            "500 after it landed",
            Rule::on("PUT", "").ending(&commit(0)).answers(500).after_applying(),
        ),
        ("409 and nothing written", Rule::on("PUT", "").ending(&commit(0)).answers(409)),
    ] {
        let store = Store::start(StoreOptions::default());
        let many = Many::of(5, 10, &[]).setting("retry_window_seconds", 4).in_bucket(&store);
        store.script(rule);
        let run = many.export("s3://bucket/p", &[ONE]);
        assert_eq!((run.code(), run.summary["exported"].as_u64()), (0, Some(5)), "{name} {run:?}");
        let lake = bucket(&store);
        assert_eq!((ids(&many, &lake).len(), lake.commits().len()), (5, 1), "{name}");
        assert_eq!(lake.left_over(), [] as [&str; 0], "{name}");
    }
}

#[test]
fn a_commit_in_doubt_is_looked_for_and_what_may_be_in_it_stays() {
    // The commit lands, its answer is lost, and it cannot be read back for as long as anybody tries.
    let store = Store::start(StoreOptions::default());
    let many = Many::of(12, 10, &[]).setting("retry_window_seconds", 0).in_bucket(&store);
    store.script(Rule::on("PUT", "").ending(&commit(0)).answers(503).after_applying().always());
    store.script(Rule::on("GET", "").ending(&commit(0)).answers(503).always());
    let run = many.export("s3://bucket/p", &[ONE]);
    assert_eq!((run.code(), run.summary["failed"].as_u64()), (75, Some(12)), "{run:?}");
    let lake = bucket(&store);
    assert_eq!(ids(&many, &lake).len(), 12, "the files that the commit names are there");
}

#[test]
fn a_place_that_takes_no_commit_ends_the_run() {
    let store = Store::start(StoreOptions::default());
    let many = Many::of(120, 5, &[]).setting("retry_window_seconds", 0).in_bucket(&store);
    store.script(Rule::on("PUT", "").ending(&commit(0)).answers(503).always());
    let run = many.export("s3://bucket/p", &[ONE, "--jobs", "2"]);
    assert_eq!((run.code(), run.summary["stopped"].as_str()), (75, Some("transient")), "{run:?}");
    assert!(run.summary["not_started"].as_u64().unwrap() > 10, "{run:?}");
    assert_eq!(run.summary["exported"], 0);
}

/// While the first commit of a run is on its way, another run commits some of its companies.
fn overtaken_by(companies: &'static [&'static str]) -> (Many, Run, Lake) {
    let store = Store::start(StoreOptions::default());
    let many = Many::of(6, 10, &[]).setting("retry_window_seconds", 4).in_bucket(&store);
    assert_eq!(many.export("s3://bucket/p", &[ONE]).code(), 0);
    many.simulator.change(3);
    let other = Many::of(6, 10, &[]).in_bucket(&store);
    let other = other.setting("base_url", many.simulator.base_url());
    let fast = move |_: &Store| {
        let picked = companies.iter().flat_map(|name| ["--company", name]);
        let more: Vec<&str> = [ONE].into_iter().chain(picked).collect();
        let run = other.export("s3://bucket/p", &more);
        assert_eq!(run.code(), 0, "{run:?}");
    };
    store.script(Rule::on("PUT", "").ending(&commit(1)).before(fast));
    let run = many.export("s3://bucket/p", &[ONE]);
    let lake = bucket(&store);
    (many, run, lake)
}

#[test]
fn a_lost_race_costs_nothing_but_for_who_was_overtaken() {
    let (many, run, lake) = overtaken_by(&["company-0001", "company-0002"]);
    assert_eq!((run.code(), run.summary["exported"].as_u64()), (0, Some(6)), "{run:?}");
    assert!(run.summary["rebases"].as_u64().unwrap() > 0, "{run:?}");
    for (name, line) in &run.lines {
        // Whoever was overtaken asked again, and found that all is there.
        let is_overtaken = ["company-0001", "company-0002"].contains(&name.as_str());
        assert_eq!(line["requests"], if is_overtaken { 2 } else { 1 }, "{name}");
        assert_eq!(line["committed"], !is_overtaken, "{name}");
    }
    assert_eq!(lake.commits().len(), 3, "the first, that of the other, and that on top of it");
    assert_eq!((ids(&many, &lake).len(), lake.rows().len()), (6, 60));
    assert_eq!(lake.left_over(), [] as [&str; 0]);
}

#[test]
fn whoever_is_overtaken_whole_commits_nothing() {
    let names = [
        "company-0001",
        "company-0002",
        "company-0003",
        "company-0004",
        "company-0005",
        "company-0006",
    ];
    let (_, run, lake) = overtaken_by(Box::leak(Box::new(names)));
    assert_eq!((run.code(), &run.summary["commits"]), (0, &json!(0)), "{run:?}");
    assert_eq!((lake.commits().len(), lake.rows().len()), (2, 60));
    assert_eq!(lake.left_over(), [] as [&str; 0]);
}
