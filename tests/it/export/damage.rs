//! Tables that somebody damaged: refused, or recovered from what proves itself, and never read as if nothing had happened.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kometsales::simulator::Simulator;
use parquet::file::metadata::ParquetMetaDataReader;
use serde_json::{Value, json};

use super::places::{export, into_table, lake, listed, replying};
use crate::support::replies::said;
use crate::support::{Connector, simulator};

fn log(connector: &Connector, name: &str) -> PathBuf {
    connector.folder().join("lake/customers/_delta_log").join(name)
}

fn commit(connector: &Connector, version: u64) -> PathBuf {
    log(connector, &format!("{version:020}.json"))
}

/// A table of some versions, in each of which customers were changed.
fn table_of(versions: u64) -> (Simulator, Connector) {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    for _ in 1..versions {
        simulator.change(5);
        into_table(&connector, &["--full-refresh"]);
    }
    (simulator, connector)
}

fn refused(connector: &Connector, more: &[&str], why: &str) {
    let answer = export(connector, "lake", more);
    assert_eq!(answer.code, Some(78), "{more:?}: {}", answer.stderr);
    assert!(answer.stderr.contains(why), "{more:?}: {}", answer.stderr);
}

#[test]
fn an_emptied_commit_is_refused_before_anything_is_asked_and_an_overwrite_repairs_it() {
    for (version, content) in [(1, ""), (2, "\n"), (1, "{}")] {
        let (simulator, connector) = table_of(4);
        fs::write(commit(&connector, version), content).unwrap();
        let asked = simulator.requests().len();
        refused(&connector, &[], "holds nothing");
        refused(&connector, &["--full-refresh"], "holds nothing");
        assert_eq!(simulator.requests().len(), asked);
        let repaired = into_table(&connector, &["--mode", "overwrite"]);
        assert_eq!(repaired["table_rows"], 40);
    }
}

#[test]
fn a_commit_that_lost_some_of_its_actions_is_refused_by_the_rows_that_were_noted() {
    for (lost, mode, rows) in [("remove", "merge", 40), ("add", "append", 40)] {
        let simulator = simulator(40);
        let connector = Connector::of(&simulator);
        for _ in 0..4 {
            into_table(&connector, &["--mode", mode, "--full-refresh"]);
            simulator.change(5);
        }
        lose(&connector, 2..3, &[lost]);
        refused(&connector, &["--mode", mode], "rows, and its last commit left");
        assert_eq!(into_table(&connector, &["--mode", "overwrite"])["table_rows"], rows);
        into_table(&connector, &["--mode", mode]);
    }
}

#[test]
fn a_gap_in_the_log_is_refused() {
    let (_simulator, connector) = table_of(4);
    fs::remove_file(commit(&connector, 2)).unwrap();
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
}

/// The data files of the table.
fn data_files(connector: &Connector) -> Vec<PathBuf> {
    let entries = fs::read_dir(connector.folder().join("lake/customers")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect()
}

#[test]
fn statistics_that_cannot_be_are_not_believed() {
    let swapped = || {
        let (simulator, connector) = table_of(1);
        swap_bounds(&commit(&connector, 0));
        (simulator, connector)
    };
    let (simulator, connector) = swapped();
    simulator.change(5);
    // What changed since the cursor is compared with the files that may have it.
    assert_eq!(into_table(&connector, &[])["table_rows"], 40);
    assert_eq!(lake(&connector).ids().len(), 40);
    let (_simulator, connector) = swapped();
    let id = lake(&connector).ids()[20].to_string();
    let forgotten = connector.run(&["export", "--to", "lake", "--forget", &id, "--json"]);
    assert_eq!(forgotten.code, Some(0), "{}", forgotten.stderr);
    assert_eq!(lake(&connector).ids().len(), 39);
}

/// The statistics of a commit's files have the greatest key for the least one.
fn swap_bounds(commit: &Path) {
    let text = fs::read_to_string(commit).unwrap();
    let swapped = text.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(text) = action["add"]["stats"].as_str() {
            let mut stats: Value = serde_json::from_str(text).unwrap();
            let (least, most) = (stats["minValues"]["id"].take(), stats["maxValues"]["id"].take());
            assert!(least.as_i64() < most.as_i64(), "{text}");
            stats["minValues"]["id"] = most;
            stats["maxValues"]["id"] = least;
            action["add"]["stats"] = stats.to_string().into();
        }
        action.to_string() + "\n"
    });
    fs::write(commit, swapped.collect::<String>()).unwrap();
}

#[test]
fn a_data_file_that_lost_its_bytes_is_damage_and_not_a_passing_failure() {
    let (simulator, connector) = table_of(1);
    for path in data_files(&connector) {
        fs::write(path, "").unwrap();
    }
    simulator.change(5);
    refused(&connector, &["--full-refresh"], "is damaged: it is shorter than it was written");
    assert_eq!(into_table(&connector, &["--mode", "overwrite"])["table_rows"], 40);
}

#[test]
fn a_data_file_that_somebody_removed_is_named_with_what_to_do() {
    let (simulator, connector) = table_of(1);
    for path in data_files(&connector) {
        fs::remove_file(path).unwrap();
    }
    simulator.change(5);
    refused(
        &connector,
        &["--full-refresh"],
        ".parquet is not there: another program removed it. Run again;",
    );
    assert_eq!(into_table(&connector, &["--mode", "overwrite"])["table_rows"], 40);
}

/// Takes actions out of commits, as a checkpoint of another tool does to notes.
fn lose(connector: &Connector, versions: std::ops::Range<u64>, what: &[&str]) {
    for version in versions {
        let path = commit(connector, version);
        let text = fs::read_to_string(&path).unwrap();
        let is_kept =
            |line: &&str| !what.iter().any(|what| line.starts_with(&format!("{{\"{what}\"")));
        let kept: Vec<&str> = text.lines().filter(is_kept).collect();
        fs::write(&path, kept.join("\n") + "\n").unwrap();
    }
}

#[test]
fn a_note_that_is_lost_everywhere_is_made_anew_by_a_read_of_everything() {
    for (more, mode) in
        [(&["--full-refresh"][..], "merge"), (&["--mode", "overwrite"], "overwrite")]
    {
        let (_simulator, connector) = table_of(3);
        lose(&connector, 0..3, &["domainMetadata"]);
        refused(&connector, &[], "--full-refresh");
        let summary = into_table(&connector, more);
        assert_eq!((&summary["mode"], &summary["table_rows"]), (&json!(mode), &json!(40)));
        let next = into_table(&connector, &[]);
        assert_eq!(next["received"].as_u64().map(|rows| rows < 40), Some(true), "{next}");
    }
}

#[test]
fn a_mode_that_is_lost_with_the_note_is_seen_in_the_rows() {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    into_table(&connector, &["--mode", "append"]);
    simulator.change(5);
    into_table(&connector, &["--mode", "append"]);
    lose(&connector, 0..2, &["domainMetadata"]);
    refused(&connector, &["--full-refresh"], "--mode append");
    into_table(&connector, &["--mode", "append", "--full-refresh"]);
    assert_eq!(lake(&connector).rows().len(), 45);
}

#[test]
fn a_table_without_any_trace_of_this_program_is_refused_in_every_mode() {
    let (simulator, connector) = table_of(2);
    lose(&connector, 0..2, &["domainMetadata", "txn", "commitInfo"]);
    let asked = simulator.requests().len();
    for more in [&[][..], &["--full-refresh"], &["--mode", "overwrite"], &["--mode", "append"]] {
        refused(&connector, more, "did not write");
    }
    assert_eq!(simulator.requests().len(), asked);
}

#[test]
fn a_bit_that_turned_is_not_copied_into_the_next_file() {
    let (simulator, connector) = table_of(1);
    let folder = connector.folder().join("lake/customers");
    let file = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .unwrap();
    let whole = fs::read(&file).unwrap();
    simulator.change(5);
    let bytes = Bytes::from(whole.clone());
    let footer = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
    let entries = footer.file_metadata().key_value_metadata().unwrap();
    let noted = entries.iter().find(|entry| entry.key == "kometsales.hash").unwrap();
    let data: usize = noted.value.as_ref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    assert!(data > whole.len() / 4, "{data} of {}", whole.len());
    let mut refusals = 0;
    // Behind the column of keys, by which rows are found.
    for position in (data / 2..data).step_by(data / 24) {
        let mut damaged = whole.clone();
        damaged[position] ^= 4;
        fs::write(&file, damaged).unwrap();
        let answer = export(&connector, "lake", &[]);
        // Some damage the format notices by itself.
        assert_eq!(answer.code, Some(78), "{position}: {}", answer.stderr);
        refusals += usize::from(answer.stderr.contains("is damaged: its bytes"));
    }
    assert!(refusals > 3, "{refusals}");
    fs::write(&file, whole).unwrap();
    assert_eq!(into_table(&connector, &[])["rows"], 5);
}

#[test]
fn another_companys_rows_never_get_in() {
    let of = |first: u32, count: u32| -> Vec<(u32, String, &'static str)> {
        (first..first + count).map(|id| (id, format!("n{id}"), "2024-05-05T13:00:00")).collect()
    };
    let reply = |simulator: &Simulator, customers: &[(u32, String, &'static str)]| {
        let customers: Vec<(u32, &str, &str)> =
            customers.iter().map(|(id, name, time)| (*id, name.as_str(), *time)).collect();
        replying(simulator, &customers);
    };
    for mode in ["merge", "append", "overwrite", "history"] {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        reply(&simulator, &of(1, 100));
        into_table(&connector, &["--mode", mode]);
        let other =
            Connector::of(&simulator).with("authentication_token", "another-companys-token");
        let place = connector.folder().join("lake");
        let to = place.to_str().unwrap();
        reply(&simulator, &of(98, 100));
        let answer = export(&other, to, &["--mode", mode]);
        assert_eq!(answer.code, Some(65), "{mode}: {}", answer.stderr);
        assert!(
            answer.stderr.contains("3 of 100 customers are those of the table"),
            "{}",
            answer.stderr
        );
        assert!(answer.stderr.contains("another company's token?"), "{}", answer.stderr);
        assert_eq!(lake(&connector).rows().len(), 100, "{mode}");
        // Half of them is the same company under a new token.
        reply(&simulator, &of(51, 100));
        let answer = export(&other, to, &["--mode", mode, "--json"]);
        assert_eq!(answer.code, Some(0), "{mode}: {}", answer.stderr);
        reply(&simulator, &of(500, 100));
        let answer = export(&connector, "lake", &["--mode", mode, "--allow-shrink"]);
        assert_eq!(answer.code, Some(0), "{mode}: {}", answer.stderr);
    }
}

#[test]
fn a_reply_of_nobody_does_not_make_another_company_known() {
    let time = "2024-05-05T13:00:00";
    let nobody = || said("0", "Customers not found");
    for mode in ["merge", "append", "history"] {
        for is_lost in [false, true] {
            let simulator = simulator(0);
            let connector = Connector::of(&simulator);
            replying(&simulator, &[(1, "A", time), (2, "B", time)]);
            into_table(&connector, &["--mode", mode]);
            if is_lost {
                lose(&connector, 0..1, &["domainMetadata"]);
            }
            let more = ["--mode", mode, "--full-refresh", "--json"];
            let connector = connector.with("authentication_token", "another-companys-token");
            for reply in [nobody(), listed(&[])] {
                simulator.reply_next(reply);
                let answer = export(&connector, "lake", &more);
                assert_eq!(answer.code, Some(0), "{mode}: {}", answer.stderr);
                let summary: Value = serde_json::from_str(answer.text()).unwrap();
                assert_eq!(summary["committed"], false, "{mode}: {summary}");
                replying(&simulator, &[(3, "C", time), (4, "D", time)]);
                let answer = export(&connector, "lake", &more);
                assert_eq!(answer.code, Some(65), "{mode}: {}", answer.stderr);
            }
            assert_eq!(lake(&connector).rows().len(), 2, "{mode}");
        }
    }
}

#[test]
fn filters_that_differ_are_named_when_customers_are_others() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with("location_id", "7").with("name", "Flores");
    replying(&simulator, &[(1, "A", "2024-05-05T13:00:00"), (2, "B", "2024-05-05T13:00:00")]);
    into_table(&connector, &[]);
    let connector = connector.with("location_id", "8").with("name", Value::Null);
    replying(&simulator, &[(3, "C", "2024-05-05T13:00:00"), (4, "D", "2024-05-05T13:00:00")]);
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(65), "{}", answer.stderr);
    assert!(answer.stderr.contains("`location_id`, `name` differ"), "{}", answer.stderr);
}
