//! `export` as a program: what holds for every place that rows can go to, and what a table's modes do.

use std::fs;

use kometsales::simulator::{Reply, Simulator};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::lake::{Lake, as_records, parquet_rows, stream_rows};
use crate::support::replies::{list, said, updated};
use crate::support::secrets;
use crate::support::{Connector, finish, simulator};

/// A place that rows can go to, as `--to` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Table,
    File,
    Stream,
}

const EVERYWHERE: [To; 3] = [To::Table, To::File, To::Stream];

impl To {
    fn argument(self) -> &'static str {
        match self {
            To::Table => "lake",
            To::File => "lake/customers.parquet",
            To::Stream => "-",
        }
    }

    /// The rows that are there now; of a stream those that the run said.
    fn rows(self, connector: &Connector, answer: &Answer) -> Vec<Value> {
        match self {
            To::Table => lake(connector).rows(),
            To::File => parquet_rows(&fs::read(connector.folder().join(self.argument())).unwrap()),
            To::Stream => stream_rows(&answer.stdout),
        }
    }

    /// Everything that was left behind, by name.
    fn left(self, connector: &Connector, answer: &Answer) -> Vec<String> {
        match self {
            To::Stream if answer.stdout.is_empty() => Vec::new(),
            To::Stream => vec!["stdout".to_owned()],
            _ => {
                let lake = Lake::in_folder(&connector.folder().join("lake"));
                lake.names().into_iter().map(str::to_owned).collect()
            }
        }
    }
}

pub(super) fn export(connector: &Connector, to: &str, more: &[&str]) -> Answer {
    let arguments = [&["export", "--config", "config.json", "--to", to], more].concat();
    connector.run(&arguments)
}

/// The table of the exports to `lake`.
pub(super) fn lake(connector: &Connector) -> Lake {
    Lake::in_folder(&connector.folder().join("lake/customers"))
}

/// An export to the table that worked: its summary.
pub(super) fn into_table(connector: &Connector, more: &[&str]) -> Value {
    let answer = export(connector, "lake", &[&["--json"], more].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

pub(super) fn customer(id: u32, name: &str, updated_on: &str) -> String {
    json!({"id": id.to_string(), "name": name, "active": "1", "updatedOn": updated_on}).to_string()
}

pub(super) fn listed(customers: &[String]) -> Reply {
    list(&customers.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(super) fn replying(simulator: &Simulator, customers: &[(u32, &str, &str)]) {
    let customers: Vec<String> =
        customers.iter().map(|(id, name, time)| customer(*id, name, time)).collect();
    simulator.reply_next(listed(&customers));
}

#[test]
fn every_place_has_every_value_that_read_emits_for_the_same_reply() {
    let elements = [
        r#"{"id":"9223372036854775807","name":"a\u0000b \"q\" é🌹","code":"007","active":"0","salesPersonId":"12","updatedOn":"2017-08-02 12:15:17"}"#,
        r#"{"id":-3,"active":true,"customerType":"","accountingCode":null,"updatedOn":""}"#,
        r#"{"id":7,"active":"maybe","salesPerson":5,"salesPersonId":"1e3","updatedOn":"yesterday","loyalty":{"tier":[1,null]}}"#,
        r#"{"id":8,"name":"","code":{"no":1},"zone":"North","updatedOn":"2019-02-28T00:00:01-05:00"}"#,
    ];
    for to in EVERYWHERE {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        simulator.reply_next(list(&elements));
        let mut expected = connector.read("full_refresh").succeeded().records();
        expected.sort_by_key(|record| record["id"].as_i64());
        simulator.reply_next(list(&elements));
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        assert_eq!(as_records(to.rows(&connector, &answer)), expected, "{to:?}");
    }
}

#[test]
fn a_reply_that_is_refused_or_cut_leaves_nothing_and_what_there_was_as_it_was() {
    let refused = || said("0", "Invalid token");
    let cut = || Reply::json(r#"{"status":"1","customers":[{"id":"1"},{"id":"#.to_owned());
    for to in EVERYWHERE {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        for (reply, code) in [(refused(), 77), (cut(), 75)] {
            simulator.reply_next(reply);
            let answer = export(&connector, to.argument(), &[]);
            assert_eq!(answer.code, Some(code), "{to:?}: {}", answer.stderr);
            assert_eq!(to.left(&connector, &answer), [] as [String; 0], "{to:?}");
        }
        replying(&simulator, &[(1, "one", "2024-01-01T00:00:00")]);
        let first = export(&connector, to.argument(), &[]);
        assert_eq!(first.code, Some(0), "{to:?}: {}", first.stderr);
        let there = to.left(&connector, &first);
        simulator.reply_next(cut());
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(75), "{to:?}");
        if to != To::Stream {
            assert_eq!(to.left(&connector, &answer), there);
        }
        assert_eq!(to.rows(&connector, &first).len(), 1, "{to:?}");
    }
}

#[test]
fn a_reply_of_no_customers_is_a_place_without_rows_that_can_be_read() {
    for to in EVERYWHERE {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        assert_eq!(to.rows(&connector, &answer), [] as [Value; 0], "{to:?}");
    }
}

#[test]
fn an_id_that_comes_twice_is_one_row_of_a_table_and_all_of_a_file_and_a_stream() {
    let customers = [
        (7, "old", "2024-01-01T00:00:00"),
        (8, "undated first", ""),
        (7, "new", "2024-03-01T00:00:00"),
        (9, "only", "2024-01-01T00:00:00"),
        (8, "undated later", ""),
        (7, "middle", "2024-02-01T00:00:00"),
    ];
    for to in EVERYWHERE {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        replying(&simulator, &customers);
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        let rows = as_records(to.rows(&connector, &answer));
        let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
        match to {
            To::Table => assert_eq!(names, ["new", "undated later", "only"]),
            _ => assert_eq!(names.len(), customers.len(), "{to:?}"),
        }
        assert_eq!(lake(&connector).left_over(), [] as [&str; 0]);
    }
}

#[test]
fn rejected_records_are_kept_whole_beside_the_rows_and_reported() {
    let elements =
        [r#"{"id":"1","name":"good"}"#, r#"{"id":"x1", "name" : "bad"}"#, "null", r#"{"id":"2"}"#];
    for to in EVERYWHERE {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        simulator.reply_next(list(&elements));
        let answer = export(&connector, to.argument(), &["--json"]);
        if to == To::Stream {
            assert_eq!(answer.code, Some(65), "{}", answer.stderr);
            // What is broken off must not look whole.
            let reader = arrow_ipc::reader::StreamReader::try_new(answer.stdout.as_slice(), None);
            assert!(reader.unwrap().any(|batch| batch.is_err()));
            continue;
        }
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        let summary: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!((&summary["rejects"], &summary["rows"]), (&json!(2), &json!(2)), "{summary}");
        let lines = fs::read_to_string(summary["rejects_to"].as_str().unwrap()).unwrap();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = [
            json!({"path": "customers[1].id", "reason": lines[0]["reason"], "record": {"id": "x1", "name": "bad"}}),
            json!({"path": "customers[2]", "reason": "it is not an object", "record": null}),
        ];
        assert_eq!(lines, expected, "{to:?}");
        assert!(answer.stderr.contains("customers[1].id"), "{}", answer.stderr);
        assert_eq!(to.rows(&connector, &answer).len(), 2, "{to:?}");
    }
}

#[test]
fn more_rejected_records_than_allowed_fail_before_anything_is_written() {
    for to in [To::Table, To::File] {
        let simulator = simulator(0);
        simulator.reply_next(list(&[r#"{"id":"1"}"#, "null", "7"]));
        let connector = Connector::of(&simulator).with("max_rejects", 1);
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(65), "{to:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("customers[1]"), "{}", answer.stderr);
        assert_eq!(to.left(&connector, &answer), [] as [String; 0], "{to:?}");
    }
}

#[test]
fn rejects_of_a_file_that_was_replaced_do_not_stay_beside_the_new_one() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let beside = connector.folder().join("lake/customers.rejects.jsonl");
    for (elements, is_there) in [(vec![r#"{"id":"1"}"#, "7"], true), (vec![r#"{"id":"1"}"#], false)]
    {
        simulator.reply_next(list(&elements));
        assert_eq!(export(&connector, To::File.argument(), &[]).code, Some(0));
        assert_eq!(beside.exists(), is_there);
    }
}

#[test]
fn the_token_is_in_no_file_and_no_message() {
    for to in EVERYWHERE {
        let simulator = simulator(20);
        let connector = Connector::of(&simulator).with_environment("LOG_LEVEL", "debug");
        let answer = export(&connector, to.argument(), &[]);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        secrets::assert_absent(simulator.token(), "stdout", &answer.stdout);
        secrets::assert_absent(simulator.token(), "stderr", answer.stderr.as_bytes());
        if to != To::Stream {
            secrets::assert_absent_in_folder(simulator.token(), &connector.folder().join("lake"));
        }
    }
}

#[test]
fn a_table_is_kept_current_by_exporting_again_and_what_is_the_same_is_not_written_again() {
    let simulator = simulator(300);
    let connector = Connector::of(&simulator);
    let first = into_table(&connector, &[]);
    assert_eq!((&first["rows"], &first["version"]), (&json!(300), &json!(0)), "{first}");
    let edited = simulator.change(5);
    let second = into_table(&connector, &[]);
    assert_eq!((&second["rows"], &second["version"]), (&json!(5), &json!(1)), "{second}");
    assert_eq!(second["table_rows"], 300);
    let third = into_table(&connector, &[]);
    assert_eq!((&third["committed"], &third["version"]), (&json!(false), &json!(1)), "{third}");
    assert_eq!(third["unchanged"], 5);
    let rows = lake(&connector).rows();
    let mut expected = connector.read("full_refresh").succeeded().records();
    expected.sort_by_key(|record| record["id"].as_i64());
    assert_eq!(as_records(rows.clone()), expected);
    let later: Vec<u64> = rows
        .iter()
        .filter(|row| row["_extracted_at"] == second["extracted_at"])
        .map(|row| row["id"].as_u64().unwrap())
        .collect();
    let mut edited = edited;
    edited.sort_unstable();
    assert_eq!(later, edited, "only the rows that changed are of the second run");
    assert_eq!(lake(&connector).note()["state"]["updatedOn"], third["cursor"]);
}

#[test]
fn appended_rows_are_every_version_and_a_version_that_is_known_is_not_appended_again() {
    let simulator = simulator(50);
    let connector = Connector::of(&simulator);
    into_table(&connector, &["--mode", "append"]);
    simulator.change(3);
    let second = into_table(&connector, &["--mode", "append"]);
    assert_eq!((&second["rows"], &second["table_rows"]), (&json!(3), &json!(53)), "{second}");
    let whole = into_table(&connector, &["--mode", "append", "--full-refresh"]);
    assert_eq!((&whole["rows"], &whole["unchanged"]), (&json!(0), &json!(50)), "{whole}");
    assert_eq!(lake(&connector).rows().len(), 53);
    let removes = lake(&connector).commits().into_iter().flatten();
    assert_eq!(removes.filter(|action| action["remove"].is_object()).count(), 0);
}

#[test]
fn overwriting_leaves_exactly_the_reply_in_one_commit() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let time = "2024-01-01T00:00:00";
    replying(&simulator, &[(1, "a", time), (2, "b", time), (3, "c", time)]);
    into_table(&connector, &[]);
    replying(&simulator, &[(2, "b", time), (4, "d", time), (4, "later", time)]);
    let over = into_table(&connector, &["--mode", "overwrite"]);
    assert_eq!((&over["version"], &over["table_rows"]), (&json!(1), &json!(2)), "{over}");
    let rows = as_records(lake(&connector).rows());
    let kept: Vec<_> = rows.iter().map(|row| (row["id"].as_i64(), row["name"].as_str())).collect();
    assert_eq!(kept, [(Some(2), Some("b")), (Some(4), Some("later"))]);
}

#[test]
fn an_overwrite_keeps_the_mode_of_a_table_and_one_that_it_made_takes_merge_or_append() {
    let time = "2024-01-01T00:00:00";
    for (mode, other) in [("append", "merge"), ("merge", "append")] {
        for is_made_by_it in [false, true] {
            let simulator = simulator(0);
            let connector = Connector::of(&simulator);
            if is_made_by_it {
                replying(&simulator, &[(1, "a", time)]);
                into_table(&connector, &["--mode", "overwrite"]);
            }
            replying(&simulator, &[(2, "b", time)]);
            into_table(&connector, &["--mode", mode, "--full-refresh", "--allow-shrink"]);
            for _ in 0..2 {
                replying(&simulator, &[(2, "b", time), (4, "d", time)]);
                let over = into_table(&connector, &["--mode", "overwrite"]);
                assert_eq!(over["mode"], "overwrite");
            }
            let shown = connector.run(&["show", "lake", "--json"]);
            let shown: Value = serde_json::from_str(shown.text()).unwrap();
            assert_eq!(
                (&shown["mode"], &shown["runs"][0]["mode"]),
                (&json!(mode), &json!("overwrite"))
            );
            let refused = export(&connector, "lake", &["--mode", other]);
            assert_eq!(refused.code, Some(78), "{}", refused.stderr);
            assert!(refused.stderr.contains(&format!("--mode {mode}")), "{}", refused.stderr);
            replying(&simulator, &[(2, "c", time)]);
            let summary = into_table(&connector, &["--mode", mode]);
            assert_eq!(summary["rows"], 1, "{mode} {is_made_by_it}");
        }
    }
}

#[test]
fn less_than_half_of_the_rows_do_not_replace_them_unless_that_is_allowed() {
    let time = "2024-01-01T00:00:00";
    let five: Vec<_> = (1..=5).map(|id| (id, "a", time)).collect();
    for (to, mode) in [(To::Table, &["--mode", "overwrite"][..]), (To::File, &[])] {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        replying(&simulator, &five);
        assert_eq!(export(&connector, to.argument(), mode).code, Some(0));
        replying(&simulator, &five[..2]);
        let answer = export(&connector, to.argument(), mode);
        assert_eq!(answer.code, Some(65), "{to:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("--allow-shrink"), "{}", answer.stderr);
        assert_eq!(to.rows(&connector, &answer).len(), 5);
        replying(&simulator, &five[..3]);
        assert_eq!(export(&connector, to.argument(), mode).code, Some(0), "{to:?}");
        if to == To::Table {
            // Five records, and one customer.
            replying(&simulator, &[five[0]; 5]);
            let answer = export(&connector, to.argument(), mode);
            assert_eq!(answer.code, Some(65), "{}", answer.stderr);
            assert_eq!(lake(&connector).left_over(), [] as [&str; 0]);
        }
        replying(&simulator, &five[..1]);
        let allowed = [mode, &["--allow-shrink"]].concat();
        let answer = export(&connector, to.argument(), &allowed);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        assert_eq!(to.rows(&connector, &answer).len(), 1, "{to:?}");
    }
}

#[test]
fn append_and_merge_refuse_each_others_tables_before_the_api_is_asked() {
    for (first, second) in [("append", "merge"), ("merge", "append")] {
        let simulator = simulator(3);
        let connector = Connector::of(&simulator);
        into_table(&connector, &["--mode", first]);
        let asked = simulator.requests().len();
        let answer = export(&connector, "lake", &["--mode", second]);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("--mode {first}")), "{}", answer.stderr);
        assert_eq!((simulator.requests().len(), lake(&connector).version()), (asked, 0));
    }
}

#[test]
fn another_scope_reads_everything_and_counts_the_rows_that_stay() {
    let simulator = simulator(0);
    let time = "2024-01-01T00:00:00";
    let connector = Connector::of(&simulator);
    replying(&simulator, &[(1, "a", time), (2, "b", time), (3, "c", time)]);
    into_table(&connector, &[]);
    let connector = connector.with("code", "B");
    replying(&simulator, &[(2, "b", time)]);
    let answer = export(&connector, "lake", &["--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.stderr.contains("everything is read again"), "{}", answer.stderr);
    let summary: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!((&summary["not_returned"], &summary["rows"]), (&json!(2), &json!(0)), "{summary}");
    assert_eq!(summary["version"], 1, "the new scope is committed");
    assert!(
        !simulator.requests().last().unwrap().query.iter().any(|(name, _)| name == "updateAsOf")
    );
    assert_eq!(lake(&connector).ids(), [1, 2, 3]);
}

#[test]
fn a_full_refresh_asks_for_everything_and_keeps_the_rows() {
    let simulator = simulator(20);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    let again = into_table(&connector, &["--full-refresh"]);
    assert_eq!((&again["received"], &again["committed"]), (&json!(20), &json!(false)), "{again}");
    assert_eq!(again["not_returned"], 0);
}

#[test]
fn a_table_of_somebody_else_and_one_that_is_broken_are_refused() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    let log = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let whole = fs::read_to_string(&log).unwrap();
    let without = |word: &str| -> String {
        whole.lines().filter(|line| !line.contains(word)).map(|line| format!("{line}\n")).collect()
    };
    for (text, says) in [
        (without("domainMetadata\":{"), "has lost what"),
        (without("\"protocol\":"), "cannot be read"),
        (whole.replace(r#"\"version\":1"#, r#"\"version\":2"#), "newer version"),
        (
            whole.replace("\"domainMetadata\",\"inv", "\"rowTracking\",\"futureFeature\",\"inv"),
            "cannot be",
        ),
        (whole.replace(r#"\"name\":\"active\""#, r#"\"name\":\"other\""#), "column"),
        (
            whole
                .replace(r#""configuration":{}"#, r#""configuration":{"delta.appendOnly":"true"}"#),
            "only accepts additions",
        ),
        (
            whole.replace(
                r#""configuration":{}"#,
                r#""configuration":{"delta.enableRowTracking":"true"}"#,
            ),
            "tracks its rows",
        ),
    ] {
        assert_ne!(text, whole, "{says}");
        fs::write(&log, text).unwrap();
        let asked = simulator.requests().len();
        let answer = export(&connector, "lake", &[]);
        assert_eq!(answer.code, Some(78), "{says}: {}", answer.stderr);
        assert!(answer.stderr.contains(says), "{says}: {}", answer.stderr);
        assert_eq!(simulator.requests().len(), asked, "{says}");
    }
}

#[test]
fn a_folder_may_be_called_anything() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    for name in ["with blank", "100%", "what?", "a#b", "über", "a+b&c=d"] {
        for version in 0..2 {
            let answer = export(&connector, name, &["--json"]);
            assert_eq!(answer.code, Some(0), "{name}: {}", answer.stderr);
            let summary: Value = serde_json::from_str(answer.text()).unwrap();
            assert_eq!(summary["version"], version, "{name}");
            simulator.change(1);
        }
        let table = Lake::in_folder(&connector.folder().join(name).join("customers"));
        assert_eq!(table.rows().len(), 5, "{name}");
    }
    // What looks encoded would be decoded on the way through the table's library.
    let answer = export(&connector, "50%41", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("another name"), "{}", answer.stderr);
    assert_eq!(export(&connector, "50%41.parquet", &[]).code, Some(0));
}

#[test]
fn many_exports_are_summed_up_in_a_checkpoint() {
    let simulator = simulator(30);
    let connector = Connector::of(&simulator);
    for _ in 0..13 {
        into_table(&connector, &[]);
        simulator.change(2);
    }
    let table = lake(&connector);
    assert!(table.names().iter().any(|name| name.ends_with(".checkpoint.parquet")));
    assert!(table.names().contains(&"_delta_log/_last_checkpoint"));
    let last = into_table(&connector, &[]);
    assert_eq!((&last["version"], &last["table_rows"]), (&json!(13), &json!(30)), "{last}");
}

#[test]
fn the_token_of_the_environment_makes_a_configuration_optional_and_wins_over_one_in_the_file() {
    let simulator = simulator(4);
    let connector = Connector::of(&simulator)
        .with_environment("KOMETSALES_AUTHENTICATION_TOKEN", simulator.token())
        .with("authentication_token", "");
    assert_eq!(export(&connector, "x.parquet", &[]).code, Some(0));
    let connector = connector.with("authentication_token", "wrong-token");
    assert_eq!(export(&connector, "x.parquet", &[]).code, Some(0));
    let bare = Connector::configured(json!({}));
    let answer = bare.run(&["export", "--to", "x.parquet"]);
    assert_eq!(answer.code, Some(78));
    assert!(answer.stderr.contains("KOMETSALES_AUTHENTICATION_TOKEN"), "{}", answer.stderr);
}

#[test]
fn a_check_tests_the_place_and_the_token_and_leaves_nothing() {
    let simulator = simulator(4);
    let connector = Connector::of(&simulator);
    for to in [To::Table, To::File] {
        let answer = export(&connector, to.argument(), &["--check"]);
        assert_eq!(answer.code, Some(0), "{to:?}: {}", answer.stderr);
        assert_eq!(to.left(&connector, &answer), [] as [String; 0], "{to:?}");
        fs::write(connector.folder().join("occupied"), "").unwrap();
        let answer = export(&connector, &format!("occupied/{}", to.argument()), &["--check"]);
        assert_eq!(answer.code, Some(78), "{to:?}: {}", answer.stderr);
    }
    let connector = connector.with("authentication_token", "wrong-token");
    assert_eq!(export(&connector, "lake", &["--check"]).code, Some(77));
}

#[test]
fn options_that_contradict_each_other_are_a_usage_error() {
    let connector = Connector::configured(json!({"authentication_token": "abcdefgh"}));
    for more in [
        &["--to", "x.parquet", "--mode", "append"][..],
        &["--to", "-", "--mode", "merge"],
        &["--to", "-", "--check"],
        &["--to", "t", "--mode", "replace"],
        &[],
    ] {
        let arguments = [&["export", "--config", "config.json"], more].concat();
        assert_eq!(connector.run(&arguments).code, Some(2), "{more:?}");
    }
}

#[test]
fn the_summary_says_rows_rejects_bytes_seconds_version_and_cursor() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    simulator.reply_next(updated(&["2024-01-01T00:00:00", "2024-01-02T00:00:00"]));
    let answer = export(&connector, "lake", &[]);
    let place = connector.folder().join("lake/customers");
    let first = answer.text().lines().next().unwrap();
    assert_eq!(first, format!("Exported to {}, merge, version 0", place.display()));
    for line in [
        "rows     2 customers written, 2 rows in the table",
        "rejects  none",
        "cursor   2024-01-02T00:00:00Z",
    ] {
        assert!(answer.text().contains(line), "{line}: {}", answer.text());
    }
    assert!(answer.text().contains(" in 1 file\n   seconds  0."), "{}", answer.text());
    assert_eq!(answer.stderr, "", "a run that is not watched says nothing else");
}

#[test]
fn show_says_what_is_in_a_table_and_in_a_file() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let elements = [
        r#"{"id":"1","active":"1","updatedOn":"2024-01-05T00:00:00"}"#,
        r#"{"id":"2","active":"0","updatedOn":"2024-03-05T00:00:00"}"#,
        r#"{"id":"3","active":"1","updatedOn":"2024-03-06T00:00:00"}"#,
        r#"{"id":"4"}"#,
    ];
    for (to, kind) in [("lake", "table"), ("x.parquet", "file")] {
        simulator.reply_next(list(&elements));
        assert_eq!(export(&connector, to, &[]).code, Some(0));
        let shown = connector.run(&["show", to, "--json"]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let shown: Value = serde_json::from_str(shown.text()).unwrap();
        assert_eq!(shown["kind"], kind);
        assert_eq!((&shown["rows"], &shown["active"]), (&json!(4), &json!(2)), "{shown}");
        assert_eq!(shown["months"], json!({"2024-01": 1, "2024-03": 2, "unknown": 1}));
        let text = connector.run(&["show", to]);
        assert!(text.text().contains("2024-03  ████"), "{}", text.text());
    }
    let shown = connector.run(&["show", "lake/customers", "--json"]);
    let shown: Value = serde_json::from_str(shown.text()).unwrap();
    assert_eq!((&shown["version"], &shown["cursor"]), (&json!(0), &json!("2024-03-06T00:00:00Z")));
    assert_eq!(
        (&shown["runs"][0]["rows"], &shown["runs"][0]["mode"]),
        (&json!(4), &json!("merge"))
    );
    let nothing = connector.run(&["show", "nowhere"]);
    assert_eq!(nothing.code, Some(78), "{}", nothing.stderr);
}

#[test]
fn show_counts_each_customer_of_an_append_table_once() {
    let simulator = simulator(20);
    let connector = Connector::of(&simulator);
    into_table(&connector, &["--mode", "append"]);
    simulator.change(4);
    into_table(&connector, &["--mode", "append"]);
    let shown = connector.run(&["show", "lake", "--json"]);
    let shown: Value = serde_json::from_str(shown.text()).unwrap();
    assert_eq!((&shown["rows"], &shown["keys"]), (&json!(24), &json!(20)), "{shown}");
    let months: u64 = shown["months"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!((months, shown["runs"].as_array().unwrap().len()), (20, 2));
}

#[test]
fn a_bar_with_count_rate_and_time_left_is_shown_on_a_terminal() {
    let simulator = simulator(50);
    let connector = Connector::of(&simulator);
    connector.write(
        "config.json",
        json!({"authentication_token": simulator.token(), "base_url": simulator.base_url()})
            .to_string(),
    );
    let program = env!("CARGO_BIN_EXE_kometsales");
    let command = format!("{program} export --config config.json --to lake");
    // It gives the program a terminal of its own.
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(connector.folder());
    script.env("TERM", "xterm");
    let answer = finish(script, b"");
    let shown = answer.text();
    assert_eq!(answer.code, Some(0), "{shown}");
    for part in ["Receiving", "Writing", "50 of 50", " a second", " left", "Exported to "] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
}
