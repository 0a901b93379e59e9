//! `export --vacuum`: after a commit, at most once a day, and never a reason for an export to fail.

use std::fs;

use super::{DAY, age_all, commit_file, table};
use crate::export::places::{export, into_table, lake};

const VACUUM: [&str; 3] = ["--full-refresh", "--vacuum", "7d"];

#[test]
fn it_follows_a_commit_at_most_once_a_day() {
    let (simulator, connector) = table(4);
    age_all(&connector, 8 * DAY);
    assert_eq!(into_table(&connector, &VACUUM)["vacuumed"], serde_json::Value::Null, "no commit");
    simulator.change(5);
    let first = into_table(&connector, &VACUUM);
    assert_eq!(first["vacuumed"]["count"], 3, "{first}");
    let noted = lake(&connector).note()["vacuumed_at"].clone();
    assert_eq!(noted, first["extracted_at"]);
    age_all(&connector, 8 * DAY);
    simulator.change(5);
    assert_eq!(into_table(&connector, &VACUUM)["vacuumed"], serde_json::Value::Null);
    simulator.change(5);
    into_table(&connector, &["--full-refresh"]);
    assert_eq!(lake(&connector).note()["vacuumed_at"], noted, "it is noted on");
    // A day later, and by a clock that was wrong.
    for other in ["2020-01-01T00:00:00Z", "2990-01-01T00:00:00Z"] {
        let newest = commit_file(&connector, lake(&connector).version() as u64);
        let text = fs::read_to_string(&newest).unwrap();
        let note = lake(&connector).note();
        let noted = |time: &str| format!(r#"\"vacuumed_at\":\"{time}\""#);
        let now = noted(note["vacuumed_at"].as_str().unwrap());
        assert!(text.contains(&now), "{text}");
        fs::write(&newest, text.replace(&now, &noted(other))).unwrap();
        age_all(&connector, 8 * DAY);
        simulator.change(5);
        let summary = into_table(&connector, &VACUUM);
        assert!(summary["vacuumed"]["count"].as_u64() > Some(0), "{other}: {summary}");
    }
    age_all(&connector, 8 * DAY);
    simulator.change(5);
    let text = export(&connector, "lake", &VACUUM);
    assert!(!text.text().contains("vacuum"), "{}", text.text());
}

#[test]
fn its_failure_is_a_warning_and_it_is_tried_again_a_day_later() {
    let (simulator, connector) = table(12);
    // The checkpoint of the tenth serves the export.
    fs::write(commit_file(&connector, 3), "x\n\n\n").unwrap();
    simulator.change(5);
    for is_tried in [true, false] {
        let answer = export(&connector, "lake", &[&VACUUM[..], &["--json"]].concat());
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert_eq!(
            answer.stderr.contains("the vacuum after it failed"),
            is_tried,
            "{}",
            answer.stderr
        );
        assert_eq!(answer.stderr.contains("commit 3"), is_tried, "{}", answer.stderr);
        simulator.change(5);
    }
}

#[test]
fn it_is_for_tables_and_for_a_week_at_least() {
    let (_simulator, connector) = table(1);
    for (to, retain, why) in [
        ("lake", "167h", "--allow-short-retention"),
        ("lake", "x", "168h"),
        ("x.parquet", "7d", "no older versions"),
        ("-", "7d", "no older versions"),
    ] {
        let answer = export(&connector, to, &["--vacuum", retain]);
        assert_eq!(answer.code, Some(2), "{to} {retain}: {}", answer.stderr);
        assert!(answer.stderr.contains(why), "{to} {retain}: {}", answer.stderr);
    }
}
