//! A vacuum that cannot rely on what it reads removes nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use kometsales::simulator::Simulator;

use super::{DAY, age_all, commit_file, everything, folder, run, table};
use crate::support::Connector;

/// A table of 14 versions, with a checkpoint of the tenth, of which most could go.
fn old_table() -> (Simulator, Connector) {
    let (simulator, connector) = table(14);
    age_all(&connector, 40 * DAY);
    (simulator, connector)
}

#[track_caller]
fn refused(connector: &Connector, why: &str) {
    let before = everything(connector);
    for more in [&[][..], &["--dry-run"], &["--retain", "0s", "--allow-short-retention"]] {
        let answer = run(connector, more);
        assert_eq!(answer.code, Some(78), "{why}: {}{}", answer.text(), answer.stderr);
        assert!(answer.stderr.contains(why), "{why}: {}", answer.stderr);
        assert_eq!(everything(connector), before, "{why}");
    }
}

#[test]
fn a_log_that_cannot_be_read_stops_everything_before_anything_is_removed() {
    type Damage = fn(&Connector);
    let checkpoint = |connector: &Connector| {
        folder(connector).join(format!("_delta_log/{:020}.checkpoint.parquet", 10))
    };
    let damages: [(&str, Damage); 8] = [
        ("a commit that is not JSON", |connector| {
            let path = commit_file(connector, 3);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replacen('{', "<", 1)).unwrap();
        }),
        ("a commit that was cut", |connector| {
            let path = commit_file(connector, 12);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, &text[..text.len() - 20]).unwrap();
        }),
        ("an empty commit", |connector| fs::write(commit_file(connector, 5), "").unwrap()),
        ("a commit behind the checkpoint is gone", |connector| {
            fs::remove_file(commit_file(connector, 12)).unwrap();
        }),
        ("the newest commit names a file that cannot be one", |connector| {
            let path = commit_file(connector, 4);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replacen("\"path\":\"part-", "\"path\":\"a/%2E%2E/%00part-", 1))
                .unwrap();
        }),
        ("a commit that is not text", |connector| {
            let path = commit_file(connector, 2);
            let mut bytes = fs::read(&path).unwrap();
            bytes[40] = 0xff;
            fs::write(path, bytes).unwrap();
        }),
        ("a newer protocol", |connector| {
            let path = commit_file(connector, 13);
            let text = fs::read_to_string(&path).unwrap();
            let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["fromTheFuture"],"writerFeatures":["fromTheFuture"]}}"#;
            fs::write(path, format!("{text}{protocol}\n")).unwrap();
        }),
        ("a newer writer's protocol", |connector| {
            let path = commit_file(connector, 13);
            let text = fs::read_to_string(&path).unwrap();
            let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["domainMetadata","invariants","fromTheFuture"]}}"#;
            fs::write(path, format!("{text}{protocol}\n")).unwrap();
        }),
    ];
    let (_simulator, connector) = old_table();
    assert!(checkpoint(&connector).exists());
    let (place, saved) = (connector.folder().join("lake"), connector.folder().join("saved"));
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy(&place, &saved);
    for (name, damage) in damages {
        damage(&connector);
        let before = everything(&connector);
        for more in [&[][..], &["--retain", "0s", "--allow-short-retention"]] {
            let answer = run(&connector, more);
            assert_eq!(answer.code, Some(78), "{name}: {}{}", answer.text(), answer.stderr);
            assert_eq!(everything(&connector), before, "{name}: {}", answer.stderr);
        }
        copy(&saved, &place);
    }
}

#[test]
fn a_checkpoint_that_cannot_be_read_or_differs_from_the_commits_stops_everything() {
    for is_cut in [true, false] {
        let (_simulator, connector) = old_table();
        let name = |version: u64| format!("_delta_log/{version:020}.checkpoint.parquet");
        let path = folder(&connector).join(name(10));
        if is_cut {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            let answer = run(&connector, &[]);
            assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        } else {
            // The checkpoint of another table, of which other files are.
            let (_other_simulator, other) = old_table();
            fs::copy(folder(&other).join(name(10)), &path).unwrap();
            super::age(&path, 40 * DAY);
        }
        let before = everything(&connector);
        for more in [&[][..], &["--retain", "0s", "--allow-short-retention"]] {
            let answer = run(&connector, more);
            assert_eq!(answer.code, Some(78), "{}", answer.stderr);
            assert_eq!(everything(&connector), before, "{}", answer.stderr);
        }
    }
}

#[test]
fn a_place_without_a_table_of_this_program_is_refused() {
    let (_simulator, connector) = table(2);
    age_all(&connector, 30 * DAY);
    let at = |place: &str| connector.run(&["vacuum", place]);
    for (place, code, why) in [
        ("nothing", 78, "There is no table"),
        ("x.parquet", 78, "no older versions"),
        ("-", 78, "no older versions"),
        ("lake/customers/_delta_log", 78, "inside the log"),
        ("s3:/b/x", 78, "s3://b/x"),
    ] {
        let answer = at(place);
        assert_eq!(answer.code, Some(code), "{place}: {}", answer.stderr);
        assert!(answer.stderr.contains(why), "{place}: {}", answer.stderr);
    }
    assert!(!connector.folder().join("nothing").exists());
    for version in 0..2 {
        let path = commit_file(&connector, version);
        let text = fs::read_to_string(&path).unwrap();
        let is_kept = |line: &&str| {
            ["domainMetadata", "txn", "commitInfo"]
                .iter()
                .all(|what| !line.starts_with(&format!("{{\"{what}\"")))
        };
        fs::write(path, text.lines().filter(is_kept).collect::<Vec<_>>().join("\n") + "\n")
            .unwrap();
    }
    age_all(&connector, 30 * DAY);
    refused(&connector, "did not write");
}
