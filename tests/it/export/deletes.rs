//! Customers that Komet Sales no longer lists: when a table marks them as deleted, and when it does not.

use std::collections::BTreeMap;

use kometsales::simulator::{Delivery, Fault, Reply, Simulator};
use serde_json::{Value, json};

use super::places::{customer, export, lake, listed};
use crate::support::answer::Answer;
use crate::support::replies::said;
use crate::support::{Connector, simulator};

const TIME: &str = "2024-01-01T00:00:00";

/// The modes that keep what is no longer listed.
const MODES: [&str; 3] = ["merge", "append", "history"];

/// A list of customers with these ids.
fn ids(ids: impl IntoIterator<Item = u32>) -> Reply {
    listed(&ids.into_iter().map(|id| customer(id, &format!("n{id}"), TIME)).collect::<Vec<_>>())
}

/// An export of everything that the simulator answers with a reply.
fn take(connector: &Connector, simulator: &Simulator, mode: &str, reply: Reply) -> Answer {
    simulator.reply_next(reply);
    export(connector, "lake", &["--json", "--full-refresh", "--mode", mode])
}

#[track_caller]
fn done(answer: &Answer) -> Value {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    serde_json::from_str(answer.text()).unwrap()
}

/// A company whose customers are told by replies alone, and the program. Questions are answered with an empty list,
/// unless a test queues another answer.
fn company() -> (Simulator, Connector) {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    (simulator, connector)
}

/// How many ids are marked, restored and withheld.
fn counts(summary: &Value) -> [u64; 3] {
    ["deleted", "restored", "withheld"].map(|member| summary[member].as_u64().unwrap())
}

/// The ids of the table, each with whether its newest row is deleted.
fn living(connector: &Connector) -> Vec<(i64, bool)> {
    let mut found: Vec<(i64, bool)> = Vec::new();
    for row in lake(connector).rows() {
        let one = (row["id"].as_i64().unwrap(), row["_deleted_at"].is_null());
        match found.last_mut() {
            Some(last) if last.0 == one.0 => *last = one,
            _ => found.push(one),
        }
    }
    found
}

/// The ids that were asked for one by one.
fn questions(simulator: &Simulator) -> Vec<String> {
    let requests = simulator.requests();
    requests.iter().filter_map(|request| request.parameter("id").map(str::to_owned)).collect()
}

#[test]
fn the_first_complete_list_is_the_base_and_the_next_marks_what_is_gone() {
    for mode in MODES {
        let (simulator, connector) = company();
        let first = done(&take(&connector, &simulator, mode, ids(1..=6)));
        assert_eq!(counts(&first), [0, 0, 0]);
        let second = done(&take(&connector, &simulator, mode, ids([1, 2, 4, 6])));
        assert_eq!(counts(&second), [2, 0, 0], "{mode}");
        assert_eq!((&second["rows"], &second["not_returned"]), (&json!(0), &json!(0)), "{mode}");
        let gone = living(&connector).into_iter().filter(|(_, is_living)| !is_living);
        assert_eq!(gone.map(|(id, _)| id).collect::<Vec<_>>(), [3, 5], "{mode}");
        let rows = lake(&connector).rows();
        let marked: Vec<&Value> = rows.iter().filter(|row| !row["_deleted_at"].is_null()).collect();
        for row in &marked {
            assert_eq!(row["_deleted_at"], second["extracted_at"], "the time of that list");
            assert_eq!(row["name"], json!(format!("n{}", row["id"])), "the values stay");
            let extracted = if mode == "append" { &second } else { &first };
            assert_eq!(row["_extracted_at"], extracted["extracted_at"], "{mode}");
        }
        assert_eq!(rows.len(), if mode == "append" { 8 } else { 6 });
        assert_eq!(second["table_rows"], rows.len());
        let mut asked = questions(&simulator);
        asked.sort();
        assert_eq!(asked, ["3", "5"], "{mode}");
        let third = done(&take(&connector, &simulator, mode, ids([1, 2, 4, 6])));
        assert_eq!((counts(&third), &third["committed"]), ([0, 0, 0], &json!(false)), "{mode}");
        assert_eq!(questions(&simulator).len(), 2, "what is marked is not asked for again");
    }
}

#[test]
fn an_id_that_returns_is_current_again_even_if_nothing_else_has_changed() {
    for mode in MODES {
        let (simulator, connector) = company();
        for reply in [ids(1..=3), ids([1, 3])] {
            done(&take(&connector, &simulator, mode, reply));
        }
        let back = done(&take(&connector, &simulator, mode, ids(1..=3)));
        assert_eq!(counts(&back), [0, 1, 0], "{mode}");
        assert_eq!((&back["rows"], &back["unchanged"]), (&json!(1), &json!(2)), "{mode}");
        assert_eq!(living(&connector), [(1, true), (2, true), (3, true)], "{mode}");
        let rows = lake(&connector).rows();
        let expected = BTreeMap::from([("merge", 3), ("history", 4), ("append", 5)]);
        assert_eq!(rows.len(), expected[mode], "{mode}");
        let again = done(&take(&connector, &simulator, mode, ids(1..=3)));
        assert_eq!(again["committed"], json!(false), "{mode}");
    }
}

#[test]
fn an_id_that_returns_with_an_older_date_is_current_with_what_it_has_now() {
    for mode in MODES {
        let (simulator, connector) = company();
        for reply in [ids(1..=3), ids([1, 3])] {
            done(&take(&connector, &simulator, mode, reply));
        }
        let older = customer(2, "older", "2019-01-01T00:00:00");
        let all = [customer(1, "n1", TIME), older, customer(3, "n3", TIME)];
        let back = done(&take(&connector, &simulator, mode, listed(&all)));
        assert_eq!(counts(&back), [0, 1, 0], "{mode}");
        let rows = lake(&connector).rows();
        let newest = rows.iter().rfind(|row| row["id"] == 2).unwrap();
        assert_eq!((&newest["name"], newest["_deleted_at"].is_null()), (&json!("older"), true));
    }
}

#[test]
fn what_changed_alone_restores_and_marks_nothing() {
    for mode in MODES {
        let (simulator, connector) = company();
        for reply in [ids(1..=3), ids([1, 3])] {
            done(&take(&connector, &simulator, mode, reply));
        }
        simulator.reply_next(ids([2]));
        let back = done(&export(&connector, "lake", &["--json", "--mode", mode]));
        assert_eq!(counts(&back), [0, 1, 0], "{mode}");
        let last = simulator.requests().pop().unwrap();
        assert!(last.parameter("updateAsOf").is_some(), "{last:?}");
        assert_eq!(living(&connector), [(1, true), (2, true), (3, true)], "{mode}");
    }
}

#[test]
fn a_list_that_is_not_complete_marks_nothing_and_says_why() {
    let reject = r#"{"name":"no id"}"#.to_owned();
    let kept = [customer(1, "n1", TIME), customer(2, "n2", TIME)];
    let with_reject = || listed(&[&kept[..], std::slice::from_ref(&reject)].concat());
    type Case = (&'static str, fn(Connector) -> Connector, Option<Reply>);
    let cases: [Case; 7] = [
        ("a record was rejected", |connector| connector, Some(with_reject())),
        ("no list", |connector| connector, Some(said("1", "OK"))),
        ("no list", |connector| connector, Some(said("0", "Customers not found"))),
        ("empty", |connector| connector, Some(listed(&[]))),
        ("filter", |connector| connector.with("location_id", 4), None),
        ("include_inactive", |connector| connector.with("include_inactive", false), None),
        ("start_date", |connector| connector.with("start_date", "2020-01-01"), None),
    ];
    for mode in MODES {
        for (why, set, reply) in cases.clone() {
            let (simulator, connector) = company();
            let connector = set(connector);
            for _ in 0..2 {
                done(&take(&connector, &simulator, mode, ids(1..=4)));
            }
            simulator.reply_next(reply.unwrap_or_else(|| ids(1..=2)));
            let more = ["--json", "--full-refresh", "--debug", "--mode", mode];
            let answer = export(&connector, "lake", &more);
            assert_eq!(counts(&done(&answer)), [0, 0, 0], "{why}: {}", answer.stderr);
            let said = answer.stderr.lines().find(|line| line.contains("is marked as deleted"));
            assert!(said.is_some_and(|said| said.contains(why)), "{why}: {}", answer.stderr);
            assert_eq!(living(&connector).len(), 4);
            assert!(living(&connector).iter().all(|(_, is_living)| *is_living), "{why}");
            assert_eq!(questions(&simulator).len(), 0, "{why}");
        }
    }
}

#[test]
fn a_list_behind_one_that_was_not_complete_or_of_other_settings_is_only_the_base() {
    for mode in MODES {
        let (simulator, connector) = company();
        done(&take(&connector, &simulator, mode, ids(1..=5)));
        // With a row that is new, so that it is noted.
        let mut partial: Vec<String> = (1..=4).map(|id| customer(id, "x", TIME)).collect();
        partial.push(r#"{"name":"no id"}"#.to_owned());
        done(&take(&connector, &simulator, mode, listed(&partial)));
        let base = done(&take(&connector, &simulator, mode, ids(1..=4)));
        assert_eq!((counts(&base), &base["not_returned"]), ([0, 0, 0], &json!(1)), "{mode}");
        let next = done(&take(&connector, &simulator, mode, ids(1..=4)));
        assert_eq!(counts(&next), [1, 0, 0], "{mode}");

        let other = connector.with("timezone", "America/Bogota");
        let answer = take(&other, &simulator, mode, ids(1..=3));
        assert_eq!(counts(&done(&answer)), [0, 0, 0], "{mode}");
        let next = done(&take(&other, &simulator, mode, ids(1..=3)));
        assert_eq!(counts(&next), [1, 0, 0], "{mode}");
    }
}

/// Takes out of a table what 0.1 did not write: the column and its statistics, and what is noted of a list. Its files
/// are those of a table that never had the column.
fn as_before(connector: &Connector) {
    let log = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(text) = action["metaData"]["schemaString"].as_str() {
            let mut schema: Value = serde_json::from_str(text).unwrap();
            let fields = schema["fields"].as_array_mut().unwrap();
            fields.retain(|field| field["name"] != "_deleted_at");
            action["metaData"]["schemaString"] = schema.to_string().into();
        }
        if let Some(text) = action["domainMetadata"]["configuration"].as_str() {
            let mut note: Value = serde_json::from_str(text).unwrap();
            note["state"].as_object_mut().unwrap().remove("list");
            action["domainMetadata"]["configuration"] = note.to_string().into();
        }
        if let Value::Object(members) = &mut action {
            members.retain(|_, member| !member.is_null());
        }
        action.to_string() + "\n"
    });
    let text: String = lines.collect();
    std::fs::write(log, text).unwrap();
}

fn has_column(connector: &Connector) -> bool {
    let commits = lake(connector).commits();
    let mut schemas =
        commits.iter().flatten().filter_map(|action| action["metaData"]["schemaString"].as_str());
    schemas.next_back().unwrap().contains("_deleted_at")
}

#[test]
fn a_table_of_0_1_gains_the_column_with_the_first_commit_that_writes_rows() {
    for mode in MODES {
        let (simulator, connector) = company();
        done(&take(&connector, &simulator, mode, ids(1..=5)));
        as_before(&connector);
        let files = lake(&connector).live();
        // The same list becomes the base; nothing is written, and no column is added.
        let base = done(&take(&connector, &simulator, mode, ids(1..=5)));
        assert_eq!((counts(&base), &base["rows"]), ([0, 0, 0], &json!(0)), "{mode}");
        assert_eq!((&base["version"], has_column(&connector)), (&json!(1), false), "{mode}");
        assert_eq!(lake(&connector).live(), files, "nothing is rewritten");
        let next = done(&take(&connector, &simulator, mode, ids(1..=4)));
        assert_eq!((counts(&next), has_column(&connector)), ([1, 0, 0], true), "{mode}");
        let commits = lake(&connector).commits();
        let protocols = commits.iter().flatten().filter(|action| !action["protocol"].is_null());
        assert_eq!(protocols.count(), 1, "the protocol is kept");
        assert_eq!(living(&connector).iter().filter(|(_, is_living)| *is_living).count(), 4);
        assert_eq!(export(&connector, "lake", &["--mode", mode]).code, Some(0));
        assert_eq!(connector.run(&["show", "lake"]).code, Some(0));
    }
}

#[test]
fn more_than_may_vanish_at_once_is_withheld_until_it_is_allowed() {
    for (all, left, is_marked) in [
        (30, 20, true),
        (30, 19, false),
        (120, 108, true),
        (120, 107, false),
        (20, 10, true),
        (19, 9, false),
        (2, 1, true),
        (3, 1, false),
    ] {
        let (simulator, connector) = company();
        done(&take(&connector, &simulator, "merge", ids(1..=all)));
        // What is there is applied whatever is withheld.
        let mut customers: Vec<String> = (1..=left).map(|id| customer(id, "new", TIME)).collect();
        customers.reverse();
        let answer = take(&connector, &simulator, "merge", listed(&customers));
        let (summary, missing) = (done(&answer), u64::from(all - left));
        assert_eq!(summary["rows"], left, "{all} {left}");
        if is_marked {
            assert_eq!(counts(&summary), [missing, 0, 0], "{all} {left}: {}", answer.stderr);
            continue;
        }
        assert_eq!(counts(&summary), [0, 0, missing], "{all} {left}");
        assert_eq!(summary["not_returned"], missing);
        let numbers = format!("{missing} of the {all} customers");
        assert!(answer.stderr.contains(&numbers), "{}", answer.stderr);
        assert!(answer.stderr.contains("--allow-shrink"), "{}", answer.stderr);
        assert_eq!(questions(&simulator), [] as [&str; 0], "withheld before anything is asked");
        simulator.reply_next(listed(&customers));
        let more = ["--json", "--full-refresh", "--allow-shrink"];
        let allowed = done(&export(&connector, "lake", &more));
        assert_eq!(counts(&allowed), [missing, 0, 0], "{all} {left}");
        assert_eq!(questions(&simulator).len(), usize::try_from(missing).unwrap().min(5));
    }
}

#[test]
fn the_only_customer_may_vanish() {
    for mode in MODES {
        let (simulator, connector) = company();
        done(&take(&connector, &simulator, mode, ids([1])));
        let next = done(&take(&connector, &simulator, mode, ids([2])));
        assert_eq!(counts(&next), [1, 0, 0], "{mode}");
        assert_eq!(living(&connector), [(1, false), (2, true)], "{mode}");
    }
}

/// The answers to a question that prove nothing, with what the warning says.
fn doubts() -> Vec<(&'static str, Vec<Reply>)> {
    let page = || Reply::new(200, "text/html", "<html>Please log in</html>");
    vec![
        ("Komet Sales still has", vec![ids([2])]),
        ("could not serve", vec![Reply::new(500, "text/plain", "busy")]),
        ("refused the token", vec![Reply::new(401, "application/json", "{}")]),
        (
            "asks for fewer",
            vec![Reply::new(429, "application/json", "{}").header("Retry-After", "9")],
        ),
        ("is not JSON", vec![page()]),
        ("Token not found", vec![said("0", "Token not found")]),
        ("Customer not allowed", vec![said("0", "Customer not allowed")]),
        ("other customers", vec![ids([7])]),
        ("other customers", vec![listed(&[r#"{"name":"no id"}"#.to_owned()])]),
        ("a list of objects", vec![Reply::json(r#"{"status":1,"clients":[{"id":2}]}"#)]),
        ("no `status`", vec![Reply::json(r#"{"customers":[]}"#)]),
        ("was cut", vec![Reply::json(r#"{"status":1,"customers":["#)]),
    ]
}

#[test]
fn a_question_that_is_not_answered_with_no_rows_marks_nothing() {
    for mode in MODES {
        for (says, answers) in doubts() {
            let (simulator, connector) = company();
            done(&take(&connector, &simulator, mode, ids(1..=3)));
            simulator.reply_next(ids([1, 3]));
            answers.into_iter().for_each(|answer| simulator.reply_next(answer));
            let more = ["--json", "--full-refresh", "--mode", mode];
            let answer = export(&connector, "lake", &more);
            let summary = done(&answer);
            assert_eq!(counts(&summary), [0, 0, 1], "{says}: {}", answer.stderr);
            let warning = answer.stderr.lines().find(|line| line.contains("marked as deleted"));
            let warning = warning.unwrap_or_default();
            assert!(warning.contains(says), "{says}: {}", answer.stderr);
            assert!(warning.contains("customer 2 is"), "{says}: {}", answer.stderr);
            assert!(!answer.stderr.contains(simulator.token()), "{}", answer.stderr);
            assert!(living(&connector).iter().all(|(_, is_living)| *is_living), "{says}");
            // The next list is asked anew, and marks.
            let next = done(&take(&connector, &simulator, mode, ids([1, 3])));
            assert_eq!(counts(&next), [1, 0, 0], "{says}");
        }
    }
}

#[test]
fn a_customer_that_is_not_found_is_gone() {
    for answer in [
        said("0", "Customers not found.OK"),
        said("0", "No customers were found"),
        said("1", "OK"),
        Reply::json(r#"{"status":"1","customers":null}"#),
        listed(&[]),
    ] {
        let (simulator, connector) = company();
        done(&take(&connector, &simulator, "merge", ids(1..=3)));
        simulator.reply_next(ids([1, 3]));
        simulator.reply_next(answer);
        let next = done(&export(&connector, "lake", &["--json", "--full-refresh"]));
        assert_eq!(counts(&next), [1, 0, 0]);
        let asked = simulator.requests().pop().unwrap();
        let query: Vec<(&str, &str)> =
            asked.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(query[1..], [("id", "2"), ("includeInactive", "true")]);
    }
}

#[test]
fn a_question_without_an_answer_ends_with_its_time_and_marks_nothing() {
    let (simulator, connector) = company();
    let connector = connector.with("request_timeout_seconds", 1);
    done(&take(&connector, &simulator, "merge", ids(1..=3)));
    for delivery in [Delivery::StallHeaders, Delivery::Stall(4), Delivery::Refuse] {
        simulator.reply_next(ids([1, 3]));
        simulator.reply_next(ids([]).delivered(delivery));
        let answer = export(&connector, "lake", &["--json", "--full-refresh"]);
        assert_eq!(counts(&done(&answer)), [0, 0, 1], "{delivery:?}: {}", answer.stderr);
    }
}

#[test]
fn a_question_that_fails_in_passing_is_asked_again_within_the_window() {
    let (simulator, connector) = company();
    let connector = connector.with("retry_window_seconds", 20);
    done(&take(&connector, &simulator, "merge", ids(1..=3)));
    simulator.reply_next(ids([1, 3]));
    simulator.reply_next(Fault::ServerError(503));
    let answer = export(&connector, "lake", &["--json", "--full-refresh"]);
    assert_eq!(counts(&done(&answer)), [1, 0, 0], "{}", answer.stderr);
    assert_eq!(questions(&simulator), ["2", "2"]);
}

#[test]
fn no_more_than_five_are_asked_for_and_one_that_is_there_is_named() {
    let (simulator, connector) = company();
    done(&take(&connector, &simulator, "merge", ids(1..=40)));
    simulator.reply_next(ids(9..=40));
    for _ in 0..4 {
        simulator.reply_next(said("0", "Customers not found"));
    }
    // Whatever is asked for fifth, it is among them.
    simulator.reply_next(ids(1..=8));
    let answer = export(&connector, "lake", &["--json", "--full-refresh"]);
    assert_eq!(counts(&done(&answer)), [0, 0, 8], "{}", answer.stderr);
    let asked = questions(&simulator);
    assert_eq!(asked.len(), 5);
    let named = format!("customer {} is missing from it", asked[4]);
    assert!(answer.stderr.contains(&named), "{named}: {}", answer.stderr);
    let next = done(&take(&connector, &simulator, "merge", ids(9..=40)));
    assert_eq!((counts(&next), questions(&simulator).len()), ([8, 0, 0], 10));
}

#[test]
fn an_overwrite_leaves_no_row_of_what_is_gone_and_its_list_is_a_base() {
    for mode in ["merge", "append"] {
        let (simulator, connector) = company();
        for reply in [ids(1..=4), ids(1..=3)] {
            done(&take(&connector, &simulator, mode, reply));
        }
        let overwritten = done(&take(&connector, &simulator, "overwrite", ids(1..=3)));
        assert_eq!(counts(&overwritten), [0, 0, 0]);
        assert_eq!(living(&connector), [(1, true), (2, true), (3, true)]);
        let next = done(&take(&connector, &simulator, mode, ids(1..=2)));
        assert_eq!(counts(&next), [1, 0, 0], "{mode}");
    }
}

#[test]
fn files_and_streams_have_no_column_of_deletes() {
    let (simulator, connector) = company();
    simulator.reply_next(ids(1..=2));
    assert_eq!(export(&connector, "x.parquet", &[]).code, Some(0));
    let rows = crate::support::lake::parquet_rows(
        &std::fs::read(connector.folder().join("x.parquet")).unwrap(),
    );
    simulator.reply_next(ids(1..=2));
    let stream = crate::support::lake::stream_rows(&export(&connector, "-", &[]).stdout);
    for row in rows.iter().chain(&stream) {
        assert!(row.get("_deleted_at").is_none() && row.get("_extracted_at").is_some(), "{row}");
    }
}

#[test]
fn the_summary_and_show_count_deleted_customers_apart() {
    for mode in MODES {
        let (simulator, connector) = company();
        for reply in [ids(1..=5), ids([1, 2, 3, 5])] {
            done(&take(&connector, &simulator, mode, reply));
        }
        simulator.reply_next(ids([1, 3, 4, 5]));
        let answer = export(&connector, "lake", &["--full-refresh", "--mode", mode]);
        let text = answer.text();
        assert!(text.contains("deleted  1 customer "), "{text}");
        assert!(text.contains("restored 1 customer "), "{text}");
        let shown: Value =
            serde_json::from_str(connector.run(&["show", "lake", "--json"]).text()).unwrap();
        let facts = ["keys", "deleted", "active"].map(|member| shown[member].as_u64().unwrap());
        assert_eq!(facts, [5, 1, 4], "{shown}");
        assert_eq!(shown["months"], json!({"2024-01": 4}));
        let shown = connector.run(&["show", "lake"]);
        assert!(shown.text().contains("deleted 1 customer\n"), "{}", shown.text());
    }
}

#[test]
fn an_incremental_export_asks_for_the_whole_list_when_it_is_due() {
    for mode in MODES {
        let simulator = simulator(40);
        let connector = Connector::of(&simulator);
        let run =
            |connector: &Connector| done(&export(connector, "lake", &["--json", "--mode", mode]));
        run(&connector);
        let removed = simulator.remove(3);
        // A week has not passed: nobody asks, and so nobody knows.
        assert_eq!(counts(&run(&connector)), [0, 0, 0], "{mode}");
        let always = connector.with("full_list_hours", 0);
        let marked = run(&always);
        assert_eq!((counts(&marked), &marked["received"]), ([3, 0, 0], &json!(37)), "{mode}");
        let gone = living(&always).into_iter().filter(|(_, is_living)| !is_living);
        let mut expected: Vec<i64> = removed.iter().map(|id| i64::try_from(*id).unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(gone.map(|(id, _)| id).collect::<Vec<_>>(), expected, "{mode}");
        assert_eq!(run(&always)["committed"], false, "nothing is new");
        simulator.restore(1);
        assert_eq!(counts(&run(&always)), [0, 1, 0], "{mode}");
    }
}

#[test]
fn the_whole_list_repairs_an_edit_that_no_cursor_sees() {
    let (simulator, connector) = company();
    done(&take(&connector, &simulator, "merge", ids(1..=3)));
    let edited = [
        customer(1, "n1", TIME),
        customer(2, "renamed", "2019-01-01T00:00:00"),
        customer(3, "n3", TIME),
    ];
    simulator.reply_next(listed(&edited));
    let summary = done(&export(&connector, "lake", &["--json"]));
    assert_eq!(summary["rows"], 0, "what it does not move is not read: {summary}");
    simulator.reply_next(listed(&edited));
    let connector = connector.with("full_list_hours", 0);
    let summary = done(&export(&connector, "lake", &["--json"]));
    assert_eq!(summary["rows"], 1, "{summary}");
    assert_eq!(lake(&connector).rows()[1]["name"], "renamed");
}

/// Makes the list that a table of one version notes older by so many days.
fn age(connector: &Connector, days: i64) {
    let log = connector.folder().join("lake/customers/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(text) = action["domainMetadata"]["configuration"].as_str() {
            let mut note: Value = serde_json::from_str(text).unwrap();
            let at = note["state"]["list"]["at"].as_str().unwrap();
            let at = chrono::DateTime::parse_from_rfc3339(at).unwrap();
            let at = at - chrono::TimeDelta::try_days(days).unwrap();
            note["state"]["list"]["at"] = at.format("%Y-%m-%dT%H:%M:%SZ").to_string().into();
            action["domainMetadata"]["configuration"] = note.to_string().into();
        }
        action.to_string() + "\n"
    });
    let text: String = lines.collect();
    std::fs::write(log, text).unwrap();
}

#[test]
fn the_whole_list_is_asked_for_once_a_week_and_noted_even_if_nothing_has_changed() {
    for mode in MODES {
        let simulator = simulator(40);
        let connector = Connector::of(&simulator);
        let run = || done(&export(&connector, "lake", &["--json", "--mode", mode]));
        let asks_for_all =
            || simulator.requests().last().unwrap().parameter("updateAsOf").is_none();
        run();
        age(&connector, 6);
        assert_eq!((&run()["committed"], asks_for_all()), (&json!(false), false), "{mode}");
        age(&connector, 2);
        let due = run();
        let facts = (&due["rows"], &due["version"], asks_for_all());
        assert_eq!(facts, (&json!(0), &json!(1), true), "{mode}: {due}");
        assert_eq!(lake(&connector).note()["state"]["list"]["count"], 40);
        assert_eq!((&run()["committed"], asks_for_all()), (&json!(false), false), "{mode}");
    }
}

#[test]
fn ids_that_are_deleted_count_where_another_company_is_suspected() {
    let (simulator, connector) = company();
    for reply in [ids(1..=9), ids(5..=9)] {
        done(&take(&connector, &simulator, "merge", reply));
    }
    let other = connector.with("timezone", "America/Bogota");
    // All of them are of this table, although none of them is current in it.
    let back = done(&take(&other, &simulator, "merge", ids(1..=4)));
    assert_eq!(counts(&back), [0, 4, 0]);
    let strangers = take(&other.with("code", "X"), &simulator, "merge", ids(21..=24));
    assert_eq!(strangers.code, Some(65), "{}", strangers.stderr);
}
