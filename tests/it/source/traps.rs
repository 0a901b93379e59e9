//! Replies that would do harm in silence: another list, another key, a clock that was wrong, a body without end.

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use kometsales::simulator::{Delivery, Reply};
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::answer::Failure::{Auth, Config, Data};
use crate::support::replies::{list, said};
use crate::support::{Connector, simulator, state_of};

/// A read of one reply.
fn read(reply: Reply) -> Answer {
    let simulator = simulator(0);
    simulator.reply_next(reply);
    Connector::of(&simulator).read("full_refresh")
}

#[test]
fn a_list_under_another_name_is_no_short_success() {
    let records = r#"[{"id":"1","name":"A"}]"#;
    for body in [
        format!(r#"{{"status":"1","clients":{records}}}"#),
        format!(r#"{{"clients":{records},"status":1}}"#),
        format!(r#"{{"status":true,"customers":null,"clients":{records}}}"#),
        r#"{"status":1,"customers":[],"clients":[ {}]}"#.to_owned(),
        format!(r#"{{"status":1,"customers":"","data":{records}}}"#),
        format!(r#"{{"status":1,"total":1,"tags":["a"],"Customers":{records}}}"#),
        format!(r#"{{"status":1,"data":{{"customers":{records}}}}}"#),
        format!(r#"{{"data":{{"total":1,"page":[[{records}]]}},"status":1}}"#),
        r#"{"tags":[[]],"data":[[{"id":1}]],"status":1,"errors":[]}"#.to_owned(),
    ] {
        let answer = read(Reply::json(body.clone())).failed(Data);
        let error = answer.error();
        assert!(
            ["clients", "data", "Customers"].iter().any(|name| error.contains(name)),
            "{error}"
        );
        for door in [
            &["--config", "config.json"][..],
            &["export", "--config", "config.json", "--to", "lake"],
        ] {
            let simulator = simulator(0);
            simulator.reply_next(Reply::json(body.clone()));
            let connector = Connector::of(&simulator).with("emit_activate_version_messages", true);
            let connector = if door[0] == "export" { Connector::of(&simulator) } else { connector };
            let answer = connector.run(door);
            assert_eq!(answer.code, Some(65), "{body}: {}", answer.stderr);
            assert_eq!(answer.text(), "", "{body}");
        }
    }
}

#[test]
fn a_reply_without_a_list_is_no_rows_and_activates_nothing() {
    for body in [
        r#"{"status":"1","message":"OK"}"#,
        r#"{"status":1,"customers":[],"errors":[],"tags":["a",{}],"page":{"of":1}}"#,
        r#"{"status":1,"customers":null}"#,
        r#"{"status":1,"customers":[],"page":{"sort":[{"by":"id"}]}}"#,
        r#"{"status":1,"page":{"sort":["id",{}],"of":{"x":[]}},"tags":[[],["a"]]}"#,
    ] {
        let answer = read(Reply::json(body)).succeeded();
        assert_eq!(answer.records().len(), 0, "{body}");
    }
    let tap = |body: &str| {
        let simulator = simulator(0);
        simulator.reply_next(Reply::json(body));
        let connector = Connector::of(&simulator).with("emit_activate_version_messages", true);
        let discovered = connector.run(&["--discover"]);
        let catalog = discovered.text().replace("INCREMENTAL", "FULL_TABLE");
        connector.write("catalog.json", catalog);
        let answer = connector.run(&["--config", "config.json", "--catalog", "catalog.json"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        answer.text().contains("ACTIVATE_VERSION")
    };
    assert!(!tap(r#"{"status":"1","message":"OK"}"#));
    assert!(tap(r#"{"status":"1","customers":[{"id":1}]}"#));
}

#[test]
fn only_customers_that_were_not_found_are_no_rows() {
    for message in [
        "Customers not found",
        "CUSTOMER NOT FOUND",
        "No customers found",
        "no customers were found.",
        "Customers were not found",
        "Records not found.OK",
        "No results found",
        "record not found",
        "No record found for the date",
    ] {
        assert_eq!(read(said("0", message)).succeeded().records().len(), 0, "{message}");
    }
    for message in
        ["Token not found", "Company not found", "Not found", "No token found", "customers", ""]
    {
        read(said("0", message)).failed(Auth);
    }
}

#[test]
fn a_reply_of_which_every_record_is_rejected_fails_in_every_door() {
    let renamed = || list(&[r#"{"customerId":"1"}"#, r#"{"customerId":"2"}"#]);
    for door in [
        &["read", "--config", "config.json", "--catalog", "catalog.json"][..],
        &["--config", "config.json"],
        &["export", "--config", "config.json", "--to", "lake"],
        &["export", "--config", "config.json", "--to", "x.parquet"],
        &["export", "--config", "config.json", "--to", "-"],
    ] {
        for most in [json!(0), json!(1000)] {
            let simulator = simulator(0);
            simulator.reply_next(renamed());
            let connector = Connector::of(&simulator).with("max_rejects", most);
            connector.prepare_read();
            let answer = connector.run(door);
            assert_eq!(answer.code, Some(65), "{door:?}: {}", answer.stderr);
            let told = format!("{}{}", answer.text(), answer.stderr);
            assert!(told.contains("customers[0].id") && told.contains('2'), "{told}");
            assert!(!told.contains("\"STATE\""), "{told}");
            assert!(!connector.folder().join("lake").exists(), "{door:?}");
        }
    }
}

#[test]
fn a_clock_that_was_wrong_once_hides_nothing() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    let one = |time: &str| list(&[&format!(r#"{{"id":"1","updatedOn":"{time}"}}"#)]);
    // A server that believes itself in 2031 does not move the cursor there.
    simulator
        .reply_next(one("2031-01-01T00:00:00").header("Date", "Wed, 01 Jan 2031 00:00:00 GMT"));
    let first = connector.read("incremental").succeeded();
    assert_eq!(first.stream_state().get("updatedOn"), None, "{}", first.text());
    // A state that has been moved there is not believed, and not kept.
    for cursor in ["2031-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        simulator.reply_next(one("2024-05-06T10:00:00"));
        let answer = connector.read_after(&state_of(json!({"updatedOn": cursor}))).succeeded();
        assert_eq!((answer.ids(), answer.cursor()), (vec![1], json!("2024-05-06T10:00:00Z")));
        assert!(answer.warning().contains("not believed"), "{}", answer.warning());
        assert_eq!(simulator.requests().last().unwrap().parameter("updateAsOf"), None);
    }
}

#[test]
fn a_reply_that_is_nearly_json_puts_no_customer_into_the_log() {
    for body in [
        r#"callback({"status":1,"customers":[{"id":"1","name":"Ana Secreta"}]})"#,
        r#")]}', {"status":1,"CUSTOMERS":[{"id":"1","name":"Ana Secreta"}]}"#,
        r#"{status:1,"customers":[{"name":"Ana Secreta"}]}"#,
        "<customers><name>Ana Secreta</name></customers>",
    ] {
        let answer = read(Reply::json(body));
        let said = format!("{}{}", answer.text(), answer.stderr);
        assert!(!said.contains("Ana") && said.to_lowercase().contains("customers…"), "{said}");
    }
}

#[test]
fn a_start_date_that_has_not_come_is_a_warning() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator).with("start_date", "2999-01-01");
    let answer = connector.read("full_refresh").succeeded();
    let warnings = answer.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("has not come")), "{warnings:?}");
    let export = connector.run(&["export", "--config", "config.json", "--to", "lake"]);
    assert!(export.stderr.contains("has not come"), "{}", export.stderr);
    for check in [
        &["check", "--config", "config.json"][..],
        &["check", "--config", "config.json", "--text"],
        &["--config", "config.json", "--test"],
        &["export", "--config", "config.json", "--check"],
    ] {
        let answer = connector.run(check);
        assert_eq!(answer.code, Some(0), "{check:?}: {}", answer.stderr);
        let said = format!("{}{}", answer.text(), answer.stderr);
        assert!(said.contains("has not come"), "{check:?}: {said}");
    }
}

#[test]
fn a_record_of_more_members_than_any_has_is_refused_with_the_figure() {
    let of = |members: usize| {
        let members: String = (1..members).map(|field| format!(r#","f{field}":{field}"#)).collect();
        Reply::json(format!(r#"{{"status":1,"customers":[{{"id":1{members}}}]}}"#))
    };
    let answer = read(of(10_000)).succeeded();
    assert_eq!(answer.records()[0]["_extra"].as_object().map(|extra| extra.len()), Some(9_999));
    let error = read(of(10_001)).failed(Data).error();
    assert!(error.contains("10,000 members"), "{error}");
}

#[test]
fn a_body_that_grows_without_end_is_refused_with_the_figures() {
    const MIB: usize = 1024 * 1024;
    let compressed = |blanks: usize| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(br#"{"status":1,"customers":[{"id":1}]"#).unwrap();
        for _ in 0..blanks {
            encoder.write_all(&[b' '; MIB]).unwrap();
        }
        encoder.write_all(b"}").unwrap();
        Reply::json(encoder.finish().unwrap()).header("Content-Encoding", "gzip")
    };
    assert_eq!(read(compressed(60)).succeeded().records().len(), 1);
    let error = read(compressed(80)).failed(Data).error();
    assert!(error.contains("more than 200 times"), "{error}");
}

#[test]
fn a_refusal_is_reported_soon_though_its_body_never_comes() {
    for (status, code) in [(401, Auth), (403, Auth), (302, Config), (404, Config), (407, Config)] {
        let reply = Reply::new(status, "text/html", "<html>").delivered(Delivery::Stall(3));
        let started = Instant::now();
        read(reply).failed(code);
        assert!(started.elapsed().as_secs() < 4, "{status}: {:?}", started.elapsed());
    }
}

#[test]
fn a_long_message_in_small_pieces_takes_a_check_no_time() {
    let simulator = simulator(0);
    let message = "x".repeat(60_000);
    let reply = said("0", &message).delivered(Delivery::Drip(std::time::Duration::from_micros(1)));
    simulator.reply_next(reply);
    let answer = Connector::of(&simulator).check();
    assert_eq!(answer.connection_statuses()[0]["status"], "FAILED");
}

#[test]
fn no_line_of_a_log_can_be_forged_and_no_terminal_commanded() {
    let forged = "x\nCRITICAL forged\u{1b}[31m\u{2028}y\u{202e}";
    let record = json!({"id": "1", forged: 1, "updatedOn": format!("bad\n{forged}")});
    let reply = json!({"status": "1", "customers": [record], "message": forged});
    for door in
        [&["--config", "config.json"][..], &["export", "--config", "config.json", "--to", "lake"]]
    {
        let simulator = simulator(0);
        simulator.reply_next(Reply::json(reply.to_string()));
        let answer = Connector::of(&simulator).run(door);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        assert!(answer.stderr.contains("forged"), "{}", answer.stderr);
        assert!(
            !answer.stderr.lines().any(|line| line.starts_with("CRITICAL")),
            "{}",
            answer.stderr
        );
        let hidden = ['\u{1b}', '\u{2028}', '\u{202e}'];
        assert!(!answer.stderr.contains(hidden), "{:?}", answer.stderr);
    }
    let refused = read(said("0", forged)).failed(Auth).error();
    assert!(!refused.contains(['\n', '\u{1b}', '\u{202e}']), "{refused:?}");
}

#[test]
fn a_token_in_capitals_is_cut_out_too() {
    const TOKEN: &str = "k0m3t-s3cr3t-Token-é";
    let simulator = simulator(0);
    for said_token in
        [TOKEN.to_ascii_uppercase(), TOKEN.to_ascii_lowercase(), "K0M3T-s3cr3t-tOKEN-é".to_owned()]
    {
        simulator.reply_next(said("0", &format!("no such token: {said_token}!")));
        let connector = Connector::of(&simulator).with("authentication_token", TOKEN);
        let error = connector.read("full_refresh").failed(Auth).error();
        assert!(error.contains("no such token: [redacted"), "{error}");
        assert!(!error.to_lowercase().contains("s3cr3t"), "{error}");
    }
}

#[test]
fn a_declared_character_set_and_odd_encodings_are_understood_or_named() {
    let latin = b"{\"status\":1,\"customers\":[{\"id\":1,\"name\":\"Mej\xeda\"}]}".to_vec();
    let reply = Reply::new(200, "application/json; charset=ISO-8859-1", latin);
    let error = read(reply).failed(Data).error();
    assert!(error.contains("declared as iso-8859-1"), "{error}");
    for encoding in ["none", "UTF-8", "identity"] {
        let reply = list(&[r#"{"id":"1"}"#]).header("Content-Encoding", encoding);
        assert_eq!(read(reply).succeeded().ids(), [1], "{encoding}");
    }
}

#[test]
fn a_catalog_that_asks_for_another_replication_key_is_answered_with_a_warning() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    let catalog = connector
        .run(&["--discover"])
        .text()
        .replace(r#""replication_key": "updatedOn""#, r#""replication_key": "id""#);
    assert!(catalog.contains(r#""replication_key": "id""#), "{catalog}");
    connector.write("catalog.json", catalog);
    let answer = connector.run(&["--config", "config.json", "--catalog", "catalog.json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("WARNING Stream `customers` has another replication key"),
        "{}",
        answer.stderr
    );
}
