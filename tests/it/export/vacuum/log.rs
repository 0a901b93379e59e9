//! The clean-up of a table's log: what a checkpoint sums up, if it is old and no kept version needs it.

use std::fs::{self, File};
use std::path::PathBuf;

use arrow_array::{Array, BooleanArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{
    DAY, age, age_all, commit, commit_file, counts, everything, folder, names, put, run, table,
    vacuum,
};
use crate::export::places::into_table;
use crate::support::Connector;

fn checkpoint_file(connector: &Connector, version: u64) -> PathBuf {
    folder(connector).join(format!("_delta_log/{version:020}.checkpoint.parquet"))
}

/// The versions of the commits that are there.
fn commits(connector: &Connector) -> Vec<u64> {
    let entries = fs::read_dir(folder(connector).join("_delta_log")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut commits: Vec<u64> =
        names.filter_map(|name| name.strip_suffix(".json")?.parse().ok()).collect();
    commits.sort_unstable();
    commits
}

#[test]
fn entries_that_a_checkpoint_sums_up_go_when_they_are_old_and_no_kept_version_needs_them() {
    let (simulator, connector) = table(25);
    age_all(&connector, 29 * DAY);
    assert_eq!(counts(&vacuum(&connector, &["--retain", "60d"])), [0, 0, 0, 0]);
    assert_eq!(counts(&vacuum(&connector, &[])), [24, 0, 0, 0], "the log is younger than 30 days");
    age_all(&connector, 31 * DAY);
    assert_eq!(counts(&vacuum(&connector, &["--retain", "60d"]))[2], 0, "versions need it");
    let vacuumed = vacuum(&connector, &[]);
    // Twenty commits, and the checkpoint of the tenth.
    let log = names(&vacuumed["log"]);
    assert_eq!((counts(&vacuumed), log.len()), ([0, 0, 21, 0], 21), "{vacuumed}");
    assert!(log.iter().all(|name| name.starts_with("_delta_log/0")), "{log:?}");
    assert_eq!(commits(&connector), (20..25).collect::<Vec<_>>());
    assert!(checkpoint_file(&connector, 20).exists() && !checkpoint_file(&connector, 10).exists());
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 0, 0]);
    commit(&simulator, &connector, 7);
    assert_eq!(into_table(&connector, &["--full-refresh"])["table_rows"], 40);
    let shown = connector.run(&["show", "lake", "--json"]);
    let shown: Value = serde_json::from_str(shown.text()).unwrap();
    assert_eq!((&shown["rows"], &shown["version"]), (&json!(40), &json!(31)));
}

/// Gives the table a property.
fn set(connector: &Connector, name: &str, value: &str) {
    let path = commit_file(connector, 0);
    let text = fs::read_to_string(&path).unwrap();
    let with = format!(r#""configuration":{{"{name}":"{value}","#);
    fs::write(&path, text.replace(r#""configuration":{"#, &with).replace(",}", "}")).unwrap();
}

#[test]
fn the_tables_own_words_about_its_log_count() {
    for (name, value, days, removed) in [
        ("delta.logRetentionDuration", "interval 10 days", 15, 10),
        ("delta.logRetentionDuration", "interval 60 days", 40, 0),
        ("delta.enableExpiredLogCleanup", "false", 400, 0),
        ("delta.enableExpiredLogCleanup", "true", 40, 10),
    ] {
        let (simulator, connector) = table(1);
        set(&connector, name, value);
        commit(&simulator, &connector, 11);
        age_all(&connector, days * DAY);
        assert_eq!(counts(&vacuum(&connector, &[])), [11, 0, removed, 0], "{name} {value}");
    }
}

#[test]
fn a_checkpoint_that_a_vacuum_wrote_serves_the_next_one() {
    let (simulator, connector) = table(5);
    age_all(&connector, 40 * DAY);
    assert_eq!(counts(&vacuum(&connector, &["--dry-run"])), [4, 0, 0, 0]);
    assert!(!checkpoint_file(&connector, 4).exists(), "a dry run writes nothing");
    assert_eq!(counts(&vacuum(&connector, &[])), [4, 0, 0, 0]);
    assert!(checkpoint_file(&connector, 4).exists());
    // Whoever listed the log before the checkpoint was there may still read it.
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 0, 0]);
    age(&checkpoint_file(&connector, 4), 8 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 4, 0]);
    assert_eq!(commits(&connector), [4]);
    commit(&simulator, &connector, 2);
    assert_eq!(into_table(&connector, &["--full-refresh"])["table_rows"], 40);
}

#[test]
fn a_gap_that_an_interrupted_clean_up_left_behind_a_checkpoint_is_closed() {
    let (_simulator, connector) = table(14);
    fs::remove_file(commit_file(&connector, 3)).unwrap();
    // While the gap is within the retention, versions that are to be readable are not.
    let answer = run(&connector, &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("commit 3 is missing"), "{}", answer.stderr);
    age_all(&connector, 40 * DAY);
    let vacuumed = vacuum(&connector, &[]);
    assert_eq!(vacuumed["log"]["count"], 9, "{vacuumed}");
    assert_eq!(commits(&connector), (10..14).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_that_readers_are_not_led_to_does_not_replace_the_log() {
    let (_simulator, connector) = table(22);
    let hint = folder(&connector).join("_delta_log/_last_checkpoint");
    fs::write(&hint, json!({"version": 10, "size": 20}).to_string()).unwrap();
    age_all(&connector, 40 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[])), [21, 0, 0, 0]);
    assert!(checkpoint_file(&connector, 10).exists());
}

/// Takes the notes out of a checkpoint, as the writers of some other tools do.
pub(crate) fn without_notes(path: &PathBuf) {
    without(path, "domainMetadata");
}

/// Takes the actions of a kind out of a checkpoint.
fn without(path: &PathBuf, action: &str) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    for batch in batches {
        let actions = batch.column_by_name(action).unwrap();
        let kept: BooleanArray =
            (0..batch.num_rows()).map(|row| Some(actions.is_null(row))).collect();
        assert!(kept.true_count() < batch.num_rows());
        writer.write(&arrow_select::filter::filter_record_batch(&batch, &kept).unwrap()).unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn a_note_that_only_old_commits_have_keeps_the_log() {
    let (_simulator, connector) = table(12);
    without_notes(&checkpoint_file(&connector, 10));
    age_all(&connector, 40 * DAY);
    assert_eq!(counts(&vacuum(&connector, &[])), [11, 0, 0, 0]);
    assert_eq!(commits(&connector), (0..12).collect::<Vec<_>>());
}

#[test]
fn a_log_that_begins_right_behind_its_checkpoint_is_whole() {
    let (_simulator, connector) = table(14);
    for version in 0..=10 {
        fs::remove_file(commit_file(&connector, version)).unwrap();
    }
    assert_eq!(counts(&vacuum(&connector, &[])), [0, 0, 0, 0], "all versions are young");
    age_all(&connector, 40 * DAY);
    let vacuumed = vacuum(&connector, &[]);
    // The files of the versions 10, 11 and 12; those of older ones are named by nothing any more.
    assert_eq!(counts(&vacuumed), [3, 10, 0, 0], "{vacuumed}");
    assert_eq!(into_table(&connector, &["--full-refresh"])["table_rows"], 40);
}

#[test]
fn a_checkpoint_that_has_lost_files_replaces_no_log() {
    let (_simulator, connector) = table(14);
    without(&checkpoint_file(&connector, 10), "add");
    age_all(&connector, 40 * DAY);
    let before = everything(&connector);
    let answer = run(&connector, &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    let differ = "a checkpoint and the commits differ about version 10";
    assert!(answer.stderr.contains(differ), "{}", answer.stderr);
    assert_eq!(everything(&connector), before);
}

#[test]
fn what_killed_runs_left_half_written_in_the_log_goes_and_what_is_not_of_the_log_stays() {
    let (_simulator, connector) = table(2);
    let log = folder(&connector).join("_delta_log");
    let half = format!("{:020}.json#1", 2);
    put(&log.join(&half), 8 * DAY);
    let stays = ["_last_checkpoint#1", "_sidecars/x.parquet", "notes.txt", "notes.txt#1"];
    stays.iter().for_each(|name| put(&log.join(name), 8 * DAY));
    let vacuumed = vacuum(&connector, &[]);
    assert_eq!(names(&vacuumed["orphans"]), [format!("_delta_log/{half}")]);
    stays.iter().for_each(|name| assert!(log.join(name).exists(), "{name}"));
}
