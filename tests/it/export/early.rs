//! Rows are encoded and uploaded while their reply arrives: nothing of it is seen before the reply is proved, and nothing is left of
//! one that is not.

use std::fs;

use kometsales::simulator::Reply;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::lake::{Lake, parquet_rows};
use crate::support::store::{Options, Rule, Store};
use crate::support::{Connector, faulty, simulator};

/// More than one row group and what may wait behind it, so that the first is uploaded before the last row has come; and where
/// their reply is cut behind it.
const MANY: (u64, &str) = (180_000, "cut:34500000");

/// More than two batches, so that some have been handed to the encoder; and where their reply is cut behind those.
const SOME: (u64, &str) = (20_000, "cut:3800000");

fn export(connector: &Connector, to: &str) -> Answer {
    connector.write("config.json", connector.config().to_string());
    connector.run(&["export", "--config", "config.json", "--to", to, "--json"])
}

fn ids(rows: &[Value]) -> Vec<i64> {
    let mut ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Customers of an id and a name that does not compress.
fn named(ids: std::ops::Range<u64>, bytes: usize) -> Vec<String> {
    ids.map(|id| {
        let name: String = std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect();
        json!({"id": id, "name": name}).to_string()
    })
    .collect()
}

fn body(lists: &[&[String]]) -> String {
    let lists: Vec<String> =
        lists.iter().map(|list| format!(r#""customers":[{}]"#, list.join(","))).collect();
    format!(r#"{{"status":"1","message":"OK",{}}}"#, lists.join(","))
}

fn in_s3(store: &Store, connector: Connector) -> Connector {
    let environment = store.s3_environment();
    environment
        .iter()
        .fold(connector, |connector, (name, value)| connector.with_environment(name, value))
}

#[test]
fn a_retry_begins_anew_and_every_row_is_there_once() {
    for to in ["lake", "lake/customers.parquet"] {
        let (customers, cut) = SOME;
        let simulator = faulty(customers, &[&format!("{cut}@1"), "healthy"]);
        let connector = Connector::of(&simulator).with("retry_window_seconds", 30);
        let answer = export(&connector, to);
        assert_eq!(answer.code, Some(0), "{to}: {}", answer.stderr);
        assert_eq!(simulator.requests().len(), 2, "{to}: {}", answer.stderr);
        let folder = connector.folder().join("lake");
        let rows = match to {
            "lake" => {
                let lake = Lake::in_folder(&folder.join("customers"));
                assert_eq!(lake.left_over(), [] as [&str; 0]);
                lake.rows()
            }
            _ => {
                assert_eq!(Lake::in_folder(&folder).names(), ["customers.parquet"]);
                parquet_rows(&fs::read(connector.folder().join(to)).unwrap())
            }
        };
        let ids = ids(&rows);
        assert_eq!(ids.len() as u64, customers, "{to}");
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{to}");
    }
}

#[test]
fn of_a_reply_that_is_not_proved_nothing_is_left() {
    for (to, (customers, cut)) in [("lake", MANY), ("lake", SOME), ("lake/customers.parquet", MANY)]
    {
        for (fault, code) in [(cut, 75), ("status-zero", 77)] {
            let simulator = faulty(customers, &[fault]);
            let connector = Connector::of(&simulator).with("retry_window_seconds", 0);
            let answer = export(&connector, to);
            assert_eq!(answer.code, Some(code), "{to}, {fault}: {}", answer.stderr);
            let left = Lake::in_folder(&connector.folder().join("lake"));
            assert_eq!(left.names(), [] as [&str; 0], "{to}, {fault}");
        }
    }
}

#[test]
fn parts_that_were_uploaded_before_a_reply_broke_are_given_up() {
    for to in ["s3://bucket/p", "s3://bucket/x.parquet"] {
        let (store, simulator) = (Store::start(Options::default()), simulator(0));
        let connector = in_s3(&store, Connector::of(&simulator)).with("retry_window_seconds", 0);
        let whole = body(&[&named(1..MANY.0, 150)]);
        simulator.reply_next(Reply::json(whole.strip_suffix("]}").unwrap()));
        let answer = export(&connector, to);
        assert_eq!(answer.code, Some(75), "{to}: {}", answer.stderr);
        assert!(store.count("PUT", "partNumber=1") > 0, "{to}: nothing came before the proof");
        assert_eq!(store.keys("bucket"), [] as [&str; 0], "{to}");
        assert_eq!(store.pending_uploads(), [] as [&str; 0], "{to}");
    }
}

#[test]
fn a_slow_place_holds_the_connection_of_the_api_a_little_and_misses_no_row() {
    let (store, simulator) = (Store::start(Options::default()), simulator(0));
    let connector = in_s3(&store, Connector::of(&simulator));
    // A row group of more than two parts: both that are on their way wait, and so does the encoder.
    simulator.reply_next(Reply::json(body(&[&named(1..150_000, 400)])));
    store.script(Rule::on("PUT", "partNumber").delays_before(7000).times(2));
    let answer = export(&connector, "s3://bucket/p");
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lake = Lake::in_store(&store, "bucket", "p/customers");
    assert_eq!(lake.ids(), (1..150_000).collect::<Vec<_>>());
    assert_eq!(lake.left_over(), [] as [&str; 0]);
}

#[test]
fn an_id_that_comes_again_much_later_is_one_row() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let twice = [named(1..20_001, 3), named(5..15_000, 5)].concat();
    simulator.reply_next(Reply::json(body(&[&twice])));
    let answer = export(&connector, "lake");
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lake = Lake::in_folder(&connector.folder().join("lake/customers"));
    assert_eq!(lake.ids(), (1..20_001).collect::<Vec<_>>());
    assert_eq!(lake.left_over(), [] as [&str; 0]);
    let later = |row: &&Value| row["name"].as_str().unwrap().len() == 5;
    assert_eq!(lake.rows().iter().filter(later).count(), 14_995);
}

#[test]
fn of_two_lists_under_one_name_the_second_is_there() {
    for to in ["lake", "lake/customers.parquet"] {
        let simulator = simulator(0);
        let connector = Connector::of(&simulator);
        let (void, good) = (named(1..20_000, 3), named(10_000..30_000, 3));
        simulator.reply_next(Reply::json(body(&[&void, &good])));
        let answer = export(&connector, to);
        assert_eq!(answer.code, Some(0), "{to}: {}", answer.stderr);
        let rows = match to {
            "lake" => Lake::in_folder(&connector.folder().join("lake/customers")).rows(),
            _ => parquet_rows(&fs::read(connector.folder().join(to)).unwrap()),
        };
        assert_eq!(ids(&rows), (10_000..30_000).collect::<Vec<_>>(), "{to}");
    }
}
