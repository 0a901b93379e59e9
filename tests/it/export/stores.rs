//! `export` against object stores that misbehave: answers that are lost, conflicts in which nothing was
//! written, conditions that are ignored, other writers who are faster.

use std::time::Duration;

use kometsales::simulator::Simulator;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::replies::list;
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, at_once, simulator};

const BUCKET: &str = "bucket";

/// The commit of a version, as stores are asked for it.
fn commit(version: usize) -> String {
    format!("_delta_log/{version:020}.json")
}

/// A store's dialect: the scheme of its URLs, and what its client reads from the environment.
#[derive(Debug, Clone, Copy)]
enum Dialect {
    S3,
    Gcs,
}

const DIALECTS: [Dialect; 2] = [Dialect::S3, Dialect::Gcs];

impl Dialect {
    fn url(self, path: &str) -> String {
        match self {
            Dialect::S3 => format!("s3://{BUCKET}/{path}"),
            Dialect::Gcs => format!("gs://{BUCKET}/{path}"),
        }
    }

    fn connector(self, store: &Store, simulator: &Simulator) -> Connector {
        self.reaching(store, Connector::of(simulator).with("retry_window_seconds", 4))
    }

    /// The connector with the store in its environment.
    fn reaching(self, store: &Store, connector: Connector) -> Connector {
        let environment = match self {
            Dialect::S3 => store.s3_environment(),
            Dialect::Gcs => store.gcs_environment(),
        };
        environment
            .iter()
            .fold(connector, |connector, (name, value)| connector.with_environment(name, value))
    }

    /// While `slow` commits version 1, another writer with another setting reads and commits it.
    fn overtakes(
        self,
        store: &Store,
        slow: &Connector,
        setting: (&str, Value),
        more: [&'static str; 2],
    ) {
        let mut config = slow.config().clone();
        config[setting.0] = setting.1;
        let fast = move |store: &Store| {
            let fast = self.reaching(store, Connector::configured(config.clone()));
            done(&export(&fast, &self.url("p"), &more));
        };
        store.script(Rule::on("PUT", "").ending(&commit(1)).before(fast));
    }
}

fn export(connector: &Connector, to: &str, more: &[&str]) -> Answer {
    let arguments = ["export", "--config", "config.json", "--json", "--to", to];
    connector.run(&[&arguments[..], more].concat())
}

#[track_caller]
fn done(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

fn lake(store: &Store) -> Lake {
    Lake::in_store(store, BUCKET, "p/customers")
}

#[test]
fn a_table_in_a_bucket_is_made_and_kept_current() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(40));
        let connector = dialect.connector(&store, &simulator);
        let first = done(&export(&connector, &dialect.url("p"), &[]));
        assert_eq!(first["to"], dialect.url("p/customers"));
        simulator.change(3);
        let second = done(&export(&connector, &dialect.url("p"), &[]));
        assert_eq!((&second["version"], &second["rows"]), (&json!(1), &json!(3)), "{dialect:?}");
        assert_eq!(lake(&store).rows().len(), 40);
        assert_eq!(lake(&store).left_over(), [] as [&str; 0], "{dialect:?}");
        let shown = connector.run(&["show", &dialect.url("p"), "--json"]);
        assert_eq!(done(&shown)["rows"], 40, "{dialect:?}");
    }
}

#[test]
fn a_file_in_a_bucket_is_replaced_whole() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(40));
        let connector = dialect.connector(&store, &simulator);
        for _ in 0..2 {
            let summary = done(&export(&connector, &dialect.url("x.parquet"), &[]));
            assert_eq!(summary["rows"], 40, "{dialect:?}");
            assert_eq!(store.keys(BUCKET), ["x.parquet"], "{dialect:?}");
        }
    }
}

#[test]
fn a_place_in_a_bucket_that_was_probably_not_meant_is_refused_before_the_api_is_asked() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(5));
        let connector = dialect.connector(&store, &simulator);
        done(&export(&connector, &dialect.url("p"), &[]));
        let itself = done(&export(&connector, &dialect.url("p/customers/"), &["--full-refresh"]));
        assert_eq!(
            (&itself["to"], &itself["version"]),
            (&dialect.url("p/customers").into(), &0.into())
        );
        store.put(BUCKET, "spark.parquet/part-0.parquet", b"PAR1");
        let (keys, asked) = (store.keys(BUCKET), simulator.requests().len());
        for (path, says) in [
            ("p/customers/customers", "is inside the table"),
            ("p/customers/x.parquet", "is inside the table"),
            ("p/customers/_delta_log", "is inside the log"),
            ("spark.parquet", "is a folder"),
            ("spark.parquet/x", "named as a Parquet file"),
            ("q.parqet", "q.parquet?"),
            ("q.csv", "q.parquet"),
            ("q.parquet.gz", "q.parquet?"),
        ] {
            for more in [&[][..], &["--check"]] {
                let answer = export(&connector, &dialect.url(path), more);
                assert_eq!(answer.code, Some(78), "{dialect:?} {path}: {}", answer.stderr);
                assert!(answer.stderr.contains(says), "{dialect:?} {path}: {}", answer.stderr);
            }
        }
        assert_eq!(simulator.requests().len(), asked);
        assert_eq!(store.keys(BUCKET), keys, "{dialect:?}");
        // The place is a table, and so is the one below it.
        store.put(BUCKET, "p/_delta_log/00000000000000000000.json", b"{}");
        let answer = export(&connector, &dialect.url("p"), &[]);
        assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("and so is"), "{}", answer.stderr);
    }
}

#[test]
fn a_commit_whose_answer_is_lost_or_doubtful_is_committed_once() {
    type Fault = fn(Rule) -> Rule;
    let faults: [(&str, Fault); 9] = [
        ("500 after it landed", |rule| rule.answers(500).after_applying()),
        ("503 before it landed", |rule| rule.answers(503)),
        ("closed after it landed", |rule| rule.closes().after_applying()),
        ("closed before it landed", |rule| rule.closes()),
        ("reset after it landed", |rule| rule.resets().after_applying()),
        ("reset before it landed", |rule| rule.resets()),
        ("409 and nothing written", |rule| rule.answers(409)),
        ("409 twice and nothing written", |rule| rule.answers(409).times(2)),
        ("409 after it landed", |rule| rule.answers(409).after_applying()),
    ];
    let table: Vec<_> = DIALECTS
        .iter()
        .flat_map(|dialect| faults.iter().map(move |(name, fault)| (*dialect, *name, *fault)))
        .collect();
    at_once(&table, |(dialect, name, fault)| {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator);
        for version in 0..2 {
            store.script(fault(Rule::on("PUT", "").ending(&commit(version))));
            let answer = export(&connector, &dialect.url("p"), &[]);
            assert_eq!(answer.code, Some(0), "{dialect:?}, {name}: {}", answer.stderr);
            assert_eq!(done(&answer)["version"], version, "{dialect:?}, {name}");
            simulator.change(2);
        }
        assert_eq!((lake(&store).version(), lake(&store).rows().len()), (1, 30));
        assert_eq!(lake(&store).left_over(), [] as [&str; 0], "{dialect:?}, {name}");
    });
}

#[test]
fn an_export_that_cannot_commit_says_so_and_the_next_one_goes_on() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 1);
        done(&export(&connector, &dialect.url("p"), &[]));
        simulator.change(3);
        store.script(Rule::on("PUT", "").ending(&commit(1)).answers(503).always());
        let answer = export(&connector, &dialect.url("p"), &[]);
        assert_eq!(answer.code, Some(75), "{dialect:?}: {}", answer.stderr);
        assert_eq!(lake(&store).version(), 0);
        // Nobody knows whether the commit will yet land, so what it names stays.
        assert!(!lake(&store).left_over().is_empty(), "{dialect:?}");
        store.forget_script();
        done(&export(&connector, &dialect.url("p"), &[]));
        assert_eq!((lake(&store).version(), lake(&store).rows().len()), (1, 30));
    }
}

#[test]
fn a_refusal_that_lasts_fails_at_once_whether_it_is_of_a_commit_or_an_upload() {
    let refused = [
        ("_delta_log/00000000000000000000.json", "p"),
        (".zstd.parquet", "p"),
        ("x.parquet", "x.parquet"),
    ];
    let statuses = [400, 405, 501].into_iter();
    let table: Vec<_> = statuses
        .flat_map(|status| refused.map(|(object, path)| (status, object, path)))
        .flat_map(|case| DIALECTS.map(|dialect| (dialect, case)))
        .collect();
    at_once(&table, |(dialect, (status, object, path))| {
        let case = format!("{dialect:?}, {status} for {object}");
        let (store, simulator) = (Store::start(Options::default()), simulator(10));
        let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 60);
        store.script(Rule::on("PUT", "").ending(object).answers(*status).always());
        let answer = export(&connector, &dialect.url(path), &[]);
        assert_eq!(answer.code, Some(78), "{case}: {}", answer.stderr);
        assert!(answer.elapsed < Duration::from_secs(20), "{case}: {:?}", answer.elapsed);
        assert!(answer.stderr.contains(&status.to_string()), "{case}: {}", answer.stderr);
        assert!(answer.stderr.contains("Check the place"), "{case}: {}", answer.stderr);
        let tries = store.requests().into_iter().filter(|request| request.contains(object));
        assert!(tries.filter(|request| request.starts_with("PUT")).count() <= 2, "{case}");
        assert_eq!(store.keys(BUCKET), [] as [&str; 0], "{case}");
    });
}

#[test]
fn a_commit_that_lands_though_its_export_gave_up_finds_its_files() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 1);
        done(&export(&connector, &dialect.url("p"), &[]));
        simulator.change(3);
        // It lands, and then nobody can be reached for a while: neither the answer comes nor what is there is seen.
        store.script(Rule::on("PUT", "").ending(&commit(1)).answers(503).after_applying().always());
        store.script(Rule::on("GET", "").ending(&commit(1)).answers(503).always());
        let answer = export(&connector, &dialect.url("p"), &[]);
        assert_eq!(answer.code, Some(75), "{dialect:?}: {}", answer.stderr);
        store.forget_script();
        assert_eq!((lake(&store).version(), lake(&store).rows().len()), (1, 30), "{dialect:?}");
        assert_eq!(done(&export(&connector, &dialect.url("p"), &[]))["committed"], false);
    }
}

#[test]
fn a_commit_that_may_have_landed_before_it_was_refused_keeps_its_files() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator);
        done(&export(&connector, &dialect.url("p"), &[]));
        simulator.change(3);
        // It lands, its answer is lost, and the right to see and to write it ends at that moment.
        store.script(Rule::on("PUT", "").ending(&commit(1)).answers(503).after_applying());
        store.script(Rule::on("PUT", "").ending(&commit(1)).answers(403).always());
        store.script(Rule::on("GET", "").ending(&commit(1)).answers(403).always());
        let answer = export(&connector, &dialect.url("p"), &[]);
        assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
        store.forget_script();
        assert_eq!((lake(&store).version(), lake(&store).rows().len()), (1, 30), "{dialect:?}");
        assert_eq!(done(&export(&connector, &dialect.url("p"), &[]))["committed"], false);
    }
}

#[test]
fn credentials_that_expire_between_upload_and_commit_leave_the_table_as_it_was() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator);
        done(&export(&connector, &dialect.url("p"), &[]));
        let before = lake(&store).rows();
        simulator.change(3);
        store.script(Rule::on("PUT", "").ending(&commit(1)).answers(403).before(|store| {
            store.script(Rule::on("*", "").answers(403).always());
        }));
        let answer = export(&connector, &dialect.url("p"), &[]);
        assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("credentials"), "{dialect:?}: {}", answer.stderr);
        assert_eq!((lake(&store).version(), lake(&store).rows()), (0, before), "{dialect:?}");
        store.forget_script();
        assert_eq!(done(&export(&connector, &dialect.url("p"), &[]))["version"], 1);
        assert_eq!(lake(&store).rows().len(), 30, "{dialect:?}");
    }
}

#[test]
fn an_upload_in_parts_whose_completion_is_not_answered_is_there_once() {
    // Names that do not compress, more of them than one part holds.
    let customers: Vec<String> = (1..6000)
        .map(|id| {
            let name: String = std::iter::repeat_with(fastrand::alphanumeric).take(2000).collect();
            json!({"id": id, "name": name}).to_string()
        })
        .collect();
    let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
    type Fault = fn(Rule) -> Rule;
    let faults: [(&str, Fault); 3] = [
        ("500 after it landed", |rule| rule.answers(500).after_applying()),
        ("reset after it landed", |rule| rule.resets().after_applying()),
        ("500 before", |rule| rule.answers(500)),
    ];
    at_once(&faults, |(name, fault)| {
        let (store, simulator) = (Store::start(Options::default()), simulator(0));
        let connector = Dialect::S3.connector(&store, &simulator);
        simulator.reply_next(list(&customers));
        store.script(fault(Rule::on("POST", "uploadId=")));
        let summary = done(&export(&connector, &Dialect::S3.url("p"), &[]));
        assert_eq!(summary["rows"], customers.len(), "{name}");
        let completions = store.requests().into_iter();
        let completions =
            completions.filter(|line| line.starts_with("POST") && line.contains("uploadId="));
        assert!(completions.count() >= 1, "{name}");
        assert_eq!(lake(&store).rows().len(), customers.len(), "{name}");
        assert_eq!(lake(&store).left_over(), [] as [&str; 0], "{name}");
        assert_eq!(store.pending_uploads(), [] as [&str; 0], "{name}");
    });
}

#[test]
fn a_bucket_of_another_region_is_reported_before_the_api_is_asked() {
    let (store, simulator) = (Store::start(Options::default()), simulator(5));
    let connector = Dialect::S3.connector(&store, &simulator).with("retry_window_seconds", 60);
    store.script(Rule::on("*", "").answers(301).always());
    for more in [&[][..], &["--check"]] {
        let answer = export(&connector, &Dialect::S3.url("p"), more);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains("s3://bucket/p"), "{}", answer.stderr);
        assert!(answer.elapsed < Duration::from_secs(20), "{:?}", answer.elapsed);
    }
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn a_faster_writers_commit_is_loaded_and_the_rows_are_applied_to_it() {
    for (dialect, mode) in [
        (Dialect::S3, "merge"),
        (Dialect::Gcs, "merge"),
        (Dialect::S3, "append"),
        (Dialect::S3, "history"),
    ] {
        let (store, simulator) = (Store::start(Options::default()), simulator(30));
        let connector = dialect.connector(&store, &simulator);
        let mode = ["--mode", mode];
        done(&export(&connector, &dialect.url("p"), &mode));
        simulator.change(2);
        // While the slow one commits, a fast one reads, commits, and edits come after it.
        dialect.overtakes(&store, &connector, ("retry_window_seconds", json!(4)), mode);
        let slow = done(&export(&connector, &dialect.url("p"), &mode));
        let after = lake(&store);
        let rows = if mode[1] == "merge" { 30 } else { 32 };
        assert_eq!(after.rows().len(), rows, "{dialect:?} {mode:?}");
        // The fast one read later, so its rows win, and the slow one has nothing to add.
        assert_eq!((&slow["committed"], after.version()), (&json!(false), 1), "{slow}");
        assert_eq!(after.left_over(), [] as [&str; 0], "{dialect:?}");
    }
}

#[test]
fn an_export_that_sees_no_table_goes_on_top_of_the_one_that_another_writer_has_made_since() {
    let (store, simulator) = (Store::start(Options::default()), simulator(30));
    let connector = Dialect::S3.connector(&store, &simulator);
    let config = connector.config().clone();
    let fast = move |store: &Store| {
        let fast = Dialect::S3.reaching(store, Connector::configured(config.clone()));
        done(&export(&fast, &Dialect::S3.url("p"), &[]));
    };
    store.script(Rule::on("PUT", "").ending(".zstd.parquet").before(fast));
    let slow = done(&export(&connector, &Dialect::S3.url("p"), &[]));
    assert_eq!((&slow["rows"], &slow["unchanged"]), (&json!(0), &json!(30)), "{slow}");
    assert_eq!((lake(&store).rows().len(), lake(&store).left_over().len()), (30, 0));
}

#[test]
fn an_overwrite_that_was_read_before_the_winner_is_a_conflict() {
    let dialect = Dialect::S3;
    let (store, simulator) = (Store::start(Options::default()), simulator(30));
    let connector = dialect.connector(&store, &simulator);
    let over = ["--mode", "overwrite"];
    done(&export(&connector, &dialect.url("p"), &over));
    dialect.overtakes(&store, &connector, ("retry_window_seconds", json!(4)), over);
    let slow = export(&connector, &dialect.url("p"), &over);
    assert_eq!(slow.code, Some(75), "{}", slow.stderr);
    assert!(slow.stderr.contains("run again"), "{}", slow.stderr);
    assert_eq!((lake(&store).version(), lake(&store).rows().len()), (1, 30));
    assert_eq!(lake(&store).left_over(), [] as [&str; 0]);
}

#[test]
fn a_bounded_read_does_not_survive_that_another_program_restores_a_version() {
    let dialect = Dialect::S3;
    let (store, simulator) = (Store::start(Options::default()), simulator(30));
    let connector = dialect.connector(&store, &simulator);
    for _ in 0..2 {
        done(&export(&connector, &dialect.url("p"), &[]));
        simulator.change(5);
    }
    let restore = super::restored::restore(&lake(&store), 0);
    let key = format!("p/customers/{}", commit(2));
    let back = move |store: &Store| store.put(BUCKET, &key, restore.clone());
    store.script(Rule::on("PUT", "").ending(&commit(2)).before(back));
    let slow = export(&connector, &dialect.url("p"), &[]);
    assert_eq!(slow.code, Some(75), "{}", slow.stderr);
    assert!(slow.stderr.contains("may have restored or replaced rows"), "{}", slow.stderr);
    assert_eq!(lake(&store).left_over(), [] as [&str; 0]);
    assert_eq!(done(&export(&connector, &dialect.url("p"), &[]))["received"], 30);
    assert_eq!(done(&export(&connector, &dialect.url("p"), &["--full-refresh"]))["rows"], 0);
}

#[test]
fn a_bounded_read_does_not_survive_an_overwrite_under_other_settings() {
    let dialect = Dialect::S3;
    let (store, simulator) = (Store::start(Options::default()), simulator(30));
    let connector = dialect.connector(&store, &simulator);
    done(&export(&connector, &dialect.url("p"), &[]));
    simulator.change(2);
    let (other, over) = (("include_inactive", json!(false)), ["--mode", "overwrite"]);
    dialect.overtakes(&store, &connector, other, over);
    let slow = export(&connector, &dialect.url("p"), &[]);
    assert_eq!(slow.code, Some(75), "{}", slow.stderr);
    // The next one sees the other scope, and reads everything.
    let next = done(&export(&connector, &dialect.url("p"), &[]));
    assert_eq!(next["received"], 30, "{next}");
    assert_eq!(lake(&store).rows().len(), 30);
}

#[test]
fn a_store_that_ignores_conditions_is_refused_before_the_api_is_asked_unless_there_is_one_writer() {
    for dialect in DIALECTS {
        let options = Options { ignores_conditions: true, ..Options::default() };
        let (store, simulator) = (Store::start(options), simulator(10));
        let connector = dialect.connector(&store, &simulator);
        for more in [&[][..], &["--check"]] {
            let answer = export(&connector, &dialect.url("p"), more);
            assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
            assert!(answer.stderr.contains("--single-writer"), "{}", answer.stderr);
        }
        assert_eq!((simulator.requests().len(), store.keys(BUCKET).len()), (0, 0), "{dialect:?}");
        for version in 0..2 {
            let summary = done(&export(&connector, &dialect.url("p"), &["--single-writer"]));
            assert_eq!(summary["version"], version, "{dialect:?}");
            simulator.change(1);
        }
        assert_eq!(lake(&store).rows().len(), 10);
        // One file needs no condition.
        done(&export(&connector, &dialect.url("x.parquet"), &[]));
    }
}

#[test]
fn a_place_that_may_not_be_written_or_is_not_there_is_reported_before_the_api_is_asked() {
    for dialect in DIALECTS {
        for (status, code) in [(403, 78), (404, 78), (401, 78), (503, 75)] {
            let (store, simulator) = (Store::start(Options::default()), simulator(10));
            let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 1);
            store.script(Rule::on("*", "").answers(status).always());
            let answer = export(&connector, &dialect.url("p"), &[]);
            assert_eq!(answer.code, Some(code), "{dialect:?} {status}: {}", answer.stderr);
            assert!(answer.stderr.contains(&dialect.url("p")), "{}", answer.stderr);
            assert_eq!(simulator.requests().len(), 0, "{dialect:?} {status}");
        }
    }
}

#[test]
fn a_check_of_a_table_that_is_there_tests_whether_it_may_be_written() {
    for dialect in DIALECTS {
        let (store, simulator) = (Store::start(Options::default()), simulator(10));
        let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 1);
        let url = dialect.url("p");
        done(&export(&connector, &url, &[]));
        let check = ["export", "--config", "config.json", "--to", &url, "--check"];
        assert_eq!(connector.run(&check).code, Some(0), "{dialect:?}");
        let before = (store.keys(BUCKET), simulator.requests().len());
        store.script(Rule::on("PUT", "").answers(403).always());
        let answer = connector.run(&check);
        assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
        assert_eq!((store.keys(BUCKET), simulator.requests().len()), before, "{dialect:?}");
    }
}

#[test]
fn an_upload_that_fails_leaves_nothing_behind() {
    for dialect in DIALECTS {
        for path in ["p", "x.parquet"] {
            let (store, simulator) = (Store::start(Options::default()), simulator(10));
            let connector = dialect.connector(&store, &simulator).with("retry_window_seconds", 1);
            store.script(Rule::on("PUT", ".parquet").answers(403).always());
            let answer = export(&connector, &dialect.url(path), &[]);
            assert_eq!(answer.code, Some(78), "{dialect:?}: {}", answer.stderr);
            assert_eq!(store.keys(BUCKET), [] as [&str; 0], "{dialect:?}");
            assert_eq!(store.pending_uploads(), [] as [&str; 0], "{dialect:?}");
        }
    }
}

#[test]
fn rejected_records_are_there_before_the_commit() {
    let dialect = Dialect::S3;
    let (store, simulator) = (Store::start(Options::default()), simulator(0));
    simulator.reply_next(list(&[r#"{"id":"1"}"#, "null"]));
    let connector = dialect.connector(&store, &simulator);
    let summary = done(&export(&connector, &dialect.url("p"), &[]));
    let rejects = summary["rejects_to"].as_str().unwrap().strip_prefix("s3://bucket/").unwrap();
    assert_eq!(rejects, format!("p/customers_rejects/{}.jsonl", summary["run"].as_str().unwrap()));
    let puts: Vec<String> =
        store.requests().into_iter().filter(|request| request.starts_with("PUT")).collect();
    let place = |part: &str| puts.iter().position(|request| request.contains(part)).unwrap();
    assert!(place(rejects) < place(&commit(0)), "{puts:?}");
}

#[test]
fn listings_in_small_pages_lose_nothing() {
    for dialect in DIALECTS {
        let options = Options { page_size: Some(2), ..Options::default() };
        let (store, simulator) = (Store::start(options), simulator(20));
        let connector = dialect.connector(&store, &simulator);
        for version in 0..13 {
            let summary = done(&export(&connector, &dialect.url("p"), &[]));
            assert_eq!(summary["version"], version, "{dialect:?}");
            simulator.change(1);
        }
        assert_eq!(lake(&store).rows().len(), 20, "{dialect:?}");
    }
}
