//! Which files of a table go, and which stay.

use std::fs;

use serde_json::json;

use super::{
    DAY, HOUR, age, age_all, commit, commit_file, counts, everything, folder, names, put, readable,
    run, table, vacuum, versions,
};
use crate::export::places::{into_table, lake};

#[test]
fn what_no_version_of_the_last_week_needs_goes_and_nothing_else() {
    let (simulator, connector) = table(6);
    age_all(&connector, 8 * DAY);
    commit(&simulator, &connector, 2);
    let before = versions(&connector);
    let vacuumed = vacuum(&connector, &[]);
    assert_eq!(counts(&vacuumed), [5, 0, 0, 0], "{vacuumed}");
    assert_eq!((&vacuumed["version"], &vacuumed["oldest_version"]), (&json!(7), &json!(5)));
    assert_eq!(
        (&vacuumed["retain_seconds"], &vacuumed["dry_run"]),
        (&json!(604_800), &json!(false))
    );
    assert!(vacuumed["files"]["bytes"].as_u64() > Some(1000), "{vacuumed}");
    assert_eq!(readable(&connector, &before), [5, 6, 7]);
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 0, 0]);
    commit(&simulator, &connector, 1);
    assert_eq!(lake(&connector).rows().len(), 40);
}

#[test]
fn the_version_that_was_newest_when_the_retention_began_stays() {
    let (_simulator, connector) = table(4);
    for (version, hours) in [(0, 40), (1, 30), (2, 20), (3, 10)] {
        age(&commit_file(&connector, version), hours * HOUR);
    }
    let before = versions(&connector);
    for (retain, oldest) in [("50h", 0), ("35h", 0), ("25h", 1), ("15h", 2), ("5h", 3)] {
        let more = ["--retain", retain, "--allow-short-retention"];
        assert_eq!(vacuum(&connector, &more)["oldest_version"], oldest, "{retain}");
        assert_eq!(readable(&connector, &before), (oldest..4).collect::<Vec<_>>(), "{retain}");
    }
}

#[test]
fn a_commit_dated_before_the_one_it_follows_stays_with_it() {
    let (_simulator, connector) = table(4);
    for (version, hours) in [(0, 40), (1, 10), (2, 30), (3, 5)] {
        age(&commit_file(&connector, version), hours * HOUR);
    }
    let before = versions(&connector);
    let more = ["--allow-short-retention", "--retain", "20h"];
    assert_eq!(vacuum(&connector, &more)["oldest_version"], 0);
    assert_eq!(readable(&connector, &before), [0, 1, 2, 3]);
}

#[test]
fn a_dry_run_names_what_would_go_and_writes_nothing() {
    let (_simulator, connector) = table(5);
    age_all(&connector, 8 * DAY);
    put(&folder(&connector).join(".kometsales-0123456789abcdef"), 8 * DAY);
    let before = everything(&connector);
    let dry = vacuum(&connector, &["--dry-run"]);
    assert_eq!((counts(&dry), &dry["dry_run"]), ([4, 1, 0, 0], &json!(true)));
    assert_eq!(everything(&connector), before);
    let shown = run(&connector, &["--dry-run"]);
    for name in names(&dry["files"]) {
        assert!(shown.text().contains(name), "{}", shown.text());
    }
    let wet = vacuum(&connector, &[]);
    assert_eq!((&wet["files"], &wet["orphans"]), (&dry["files"], &dry["orphans"]));
    let text = run(&connector, &[]);
    assert!(text.text().starts_with("Nothing to remove"), "{}", text.text());
}

#[test]
fn less_than_a_week_has_to_be_allowed() {
    let (_simulator, connector) = table(3);
    for retain in ["167h", "6d", "0s"] {
        let answer = run(&connector, &["--retain", retain]);
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(answer.stderr.contains("--allow-short-retention"), "{}", answer.stderr);
    }
    for retain in ["x", "7", "-1d", ""] {
        let answer = run(&connector, &["--retain", retain]);
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    }
    assert_eq!(counts(&vacuum(&connector, &["--retain", "168h"])), [0, 0, 0, 0]);
    let more = ["--retain", "0s", "--allow-short-retention"];
    assert_eq!(counts(&vacuum(&connector, &more)), [2, 0, 0, 0]);
}

#[test]
fn a_retention_that_the_table_names_counts_where_it_is_longer_and_none_is_given() {
    let (_simulator, connector) = table(3);
    let path = commit_file(&connector, 0);
    let text = fs::read_to_string(&path).unwrap();
    let longer = r#""configuration":{"delta.deletedFileRetentionDuration":"interval 20 days","#;
    let text = text.replace(r#""configuration":{"#, longer);
    fs::write(&path, text.replace(",}", "}")).unwrap();
    age_all(&connector, 15 * DAY);
    let vacuumed = vacuum(&connector, &[]);
    assert_eq!(counts(&vacuumed), [0, 0, 0, 0], "{vacuumed}");
    assert_eq!(vacuumed["retain_seconds"], 20 * DAY);
    assert_eq!(counts(&vacuum(&connector, &["--retain", "10d"])), [2, 0, 0, 0]);
}

#[test]
fn files_that_no_commit_named_go_after_a_week_if_they_are_named_as_this_program_names_them() {
    let (_simulator, connector) = table(1);
    let part = "part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet";
    let old = [
        part,
        "part-20260101T000000Z-0123456789abcdef-01-00012.zstd.parquet#1",
        ".kometsales-0123456789abcdef",
        ".kometsales-0123456789abcdef#12",
    ];
    let stays = [
        "notes.txt",
        "part-00000-6d6f3a57-c000.snappy.parquet",
        "_part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet",
        "_private/part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet",
        "below/part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet",
        "notes.txt#1",
        "part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet.bak",
    ];
    let files = folder(&connector);
    old.iter().chain(&stays).for_each(|name| put(&files.join(name), 8 * DAY));
    let young = "part-20260101T000000Z-fedcba9876543210-00-00000.zstd.parquet";
    put(&files.join(young), 6 * DAY);
    let more = ["--retain", "0s", "--allow-short-retention"];
    let vacuumed = vacuum(&connector, &more);
    let mut expected = old;
    expected.sort_unstable();
    let mut removed = names(&vacuumed["orphans"]);
    removed.sort_unstable();
    assert_eq!(removed, expected, "{vacuumed}");
    assert_eq!(counts(&vacuumed), [0, 4, 0, 0]);
    for name in stays.iter().chain([&young]) {
        assert!(files.join(name).exists(), "{name}");
    }
    old.iter().for_each(|name| assert!(!files.join(name).exists(), "{name}"));
}

#[test]
fn a_file_below_a_hidden_folder_stays_even_if_a_commit_named_it() {
    let (_simulator, connector) = table(2);
    let files = folder(&connector);
    for (version, action) in [(0, "add"), (1, "remove")] {
        let path = commit_file(&connector, version);
        let text = fs::read_to_string(&path).unwrap();
        let more = json!({action: {"path": "_change_data/x.parquet", "partitionValues": {}, "size": 1,
            "modificationTime": 0, "deletionTimestamp": 0, "dataChange": true}});
        fs::write(&path, format!("{text}{more}\n")).unwrap();
    }
    put(&files.join("_change_data/x.parquet"), 30 * DAY);
    age_all(&connector, 30 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[]))[0], 1);
    assert!(files.join("_change_data/x.parquet").exists());
}

#[test]
fn a_file_that_another_table_shares_is_not_touched() {
    let (_simulator, connector) = table(2);
    let elsewhere = connector.folder().join("elsewhere.parquet");
    put(&elsewhere, 30 * DAY);
    // It is named by a URL of another form, which may mean the same place.
    let named = "part-20260101T000000Z-0123456789abcdef-00-00000.zstd.parquet";
    put(&folder(&connector).join(named), 30 * DAY);
    let url = format!("s3://bucket/customers/{named}");
    for (version, action) in [(0, "add"), (1, "remove")] {
        let path = commit_file(&connector, version);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<String> =
            ["../../elsewhere.parquet", &url, &format!("file://{}", elsewhere.display())]
                .iter()
                .map(|path| {
                    json!({action: {"path": path, "partitionValues": {}, "size": 1,
                    "modificationTime": 0, "deletionTimestamp": 0, "dataChange": true}})
                    .to_string()
                })
                .collect();
        fs::write(&path, format!("{text}{}\n", lines.join("\n"))).unwrap();
    }
    age_all(&connector, 30 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[])), [1, 0, 0, 0]);
    assert!(elsewhere.exists() && folder(&connector).join(named).exists());
}

#[test]
fn rejected_records_go_after_a_month_or_as_long_as_is_asked_for() {
    let (_simulator, connector) = table(1);
    let rejects = connector.folder().join("lake/customers_rejects");
    let run_of = |day: u64| format!("202601{day:02}T000000Z-0123456789abcdef.jsonl");
    for day in [1, 29, 31] {
        put(&rejects.join(run_of(day)), day * DAY);
    }
    put(&rejects.join("notes.jsonl"), 90 * DAY);
    put(&rejects.join(format!("{}#1", run_of(2))), 31 * DAY);
    let vacuumed = vacuum(&connector, &[]);
    assert_eq!(names(&vacuumed["rejects"]), [format!("{}#1", run_of(2)), run_of(31)]);
    let vacuumed = vacuum(&connector, &["--rejects", "28d"]);
    assert_eq!(names(&vacuumed["rejects"]), [run_of(29)]);
    let vacuumed = vacuum(&connector, &["--rejects", "1h"]);
    assert_eq!(names(&vacuumed["rejects"]), [run_of(1)]);
    assert!(rejects.join("notes.jsonl").exists());
}

#[test]
fn an_append_keeps_every_file_since_none_is_replaced() {
    let simulator = crate::support::simulator(40);
    let connector = crate::support::Connector::of(&simulator);
    for _ in 0..4 {
        into_table(&connector, &["--mode", "append", "--full-refresh"]);
        simulator.change(5);
    }
    age_all(&connector, 90 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 0, 0]);
    assert_eq!(lake(&connector).rows().len(), 55);
}
