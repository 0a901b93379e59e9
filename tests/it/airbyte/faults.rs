//! What can go wrong with a reply: how `read` fails and what `check` says. Nothing of a reply that was
//! refused or cut is emitted, and no state is saved.

use std::collections::BTreeSet;

use kometsales::simulator::{Delivery, FAULTS, Reply, Simulator};
use serde_json::Value;

use Failure::{Auth, Config, Data, Transient};

use crate::support::answer::{Answer, Failure};
use crate::support::replies::{list, said};
use crate::support::schema::assert_records_match;
use crate::support::{Connector, NOBODY, at_once, faulty, simulator};

/// Faults that fail a read of 1,000 customers.
const FAILING: &[(&str, Failure)] = &[
    ("status-zero", Auth),
    ("status-zero:Invalid value for id", Auth),
    ("token-refused", Auth),
    ("echo-token", Auth),
    ("unauthorized", Auth),
    ("forbidden", Auth),
    ("missing", Config),
    ("redirect", Config),
    ("rate-limit:60", Transient),
    ("rate-limit-date:60", Transient),
    ("server-error", Transient),
    ("server-error:500", Transient),
    ("server-error:502", Transient),
    ("server-error:504", Transient),
    ("server-error:599", Transient),
    ("web-page", Transient),
    ("plain-text", Transient),
    ("cut:0", Transient),
    ("cut:1", Transient),
    ("cut:30", Transient),
    ("cut:100000", Transient),
    ("cut-length:0", Transient),
    ("cut-length:100000", Transient),
    ("cut-chunked:0", Transient),
    ("cut-chunked:100000", Transient),
    ("cut-gzip", Transient),
    ("cut-gzip:1", Transient),
    ("cut-gzip:10000", Transient),
    ("wrong-gzip", Transient),
    ("reset:0", Transient),
    ("reset:100000", Transient),
    ("refuse", Transient),
    ("stall:0", Transient),
    ("stall:100000", Transient),
    ("stall-headers", Transient),
    ("bad-utf8", Data),
    ("status-missing", Data),
    ("not-an-object", Data),
    ("two-values", Data),
];

/// Faults under which every customer is read all the same.
const HARMLESS: &[&str] = &[
    "healthy",
    "no-date",
    "drip:1",
    "invalid-values",
    "mixed-types",
    "duplicate-keys",
    "duplicate-ids",
    "new-fields",
    "future",
    "fractions",
    "ignore-update-as-of",
    "status-last",
    "pretty",
    "bom",
];

/// Faults under which another number of customers is read, and nothing fails.
const FEWER: &[(&str, usize)] = &[("not-found", 0), ("empty-message", 0), ("one-object", 1)];

/// `read` of the simulator, which is asked once and may stall for a second.
fn read(customers: u64, fault: &str) -> Answer {
    let simulator = faulty(customers, &[fault]);
    impatient(&simulator, fault).read("full_refresh")
}

fn impatient(simulator: &Simulator, fault: &str) -> Connector {
    let seconds = if fault.starts_with("stall") { 1 } else { 20 };
    Connector::of(simulator).with("request_timeout_seconds", seconds)
}

fn read_reply(reply: impl Into<Reply>) -> Answer {
    let simulator = simulator(0);
    simulator.reply_next(reply.into());
    Connector::of(&simulator).read("full_refresh")
}

#[test]
fn every_fault_of_the_simulator_has_its_place_in_these_tables() {
    let failing = FAILING.iter().map(|(fault, _)| *fault);
    let fewer = FEWER.iter().map(|(fault, _)| *fault);
    let named = failing.chain(fewer).chain(HARMLESS.iter().copied()).chain(["bad-ids"]);
    let named: BTreeSet<&str> = named.map(|fault| fault.split(':').next().unwrap()).collect();
    let every: BTreeSet<&str> = FAULTS.iter().map(|form| form.name()).collect();
    assert_eq!(named, every);
}

#[test]
fn a_read_that_fails_emits_nothing_and_says_why_in_the_way_of_the_protocol() {
    at_once(FAILING, |(fault, failure)| {
        println!("{fault}");
        let answer = read(1000, fault).failed(*failure);
        assert_eq!(answer.statuses(), ["STARTED", "INCOMPLETE"]);
        assert_eq!(answer.errors()[0]["stream_descriptor"]["name"], "customers");
    });
}

#[test]
fn records_without_an_id_fail_the_read_after_every_good_one() {
    let answer = read(100, "bad-ids").failed_after_records(Data);
    assert_eq!(answer.records().len(), 93);
    assert_eq!(answer.statuses(), ["STARTED", "RUNNING", "INCOMPLETE"]);
    assert!(answer.error().contains('7') && answer.error().contains("customers[1].id"));
}

#[test]
fn harmless_oddities_lose_no_customer_and_fit_the_schema() {
    let schema = declared_schema();
    at_once(HARMLESS, |fault| {
        println!("{fault}");
        let customers = if fault.starts_with("drip") { 50 } else { 1000 };
        let answer = read(customers, fault).succeeded();
        assert_records_match(&answer.records(), &schema);
        let ids = answer.ids();
        let distinct = ids.iter().collect::<BTreeSet<_>>().len();
        assert_eq!(ids.len() as u64, customers);
        assert_eq!(distinct == ids.len(), *fault != "duplicate-ids");
        let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let cursor = answer.cursor();
        assert!(cursor.as_str().is_none_or(|cursor| cursor <= now.as_str()), "{cursor}");
    });
}

/// The schema that `discover` declares.
fn declared_schema() -> Value {
    let answer = Connector::configured(serde_json::json!({})).run(&["discover"]);
    answer.messages()[0]["catalog"]["streams"][0]["json_schema"].clone()
}

#[test]
fn odd_forms_of_the_same_values_give_the_same_records() {
    let plain = read(200, "healthy").succeeded().records();
    for fault in ["status-last", "pretty", "bom", "duplicate-keys", "mixed-types"] {
        assert!(read(200, fault).succeeded().records() == plain, "{fault}");
    }
}

#[test]
fn an_empty_result_and_a_single_object_are_no_faults() {
    for (fault, rows) in FEWER {
        println!("{fault}");
        assert_eq!(read(1000, fault).succeeded().records().len(), *rows);
    }
}

#[test]
fn a_reply_that_is_not_the_documented_shape_is_a_fault_of_its_data() {
    for body in [
        "{}",
        "null",
        "[]",
        "7",
        r#""text""#,
        "true",
        r#"[{"id":"1"}]"#,
        r#"{"message":"OK","customers":[{"id":"1"}]}"#,
        r#"{"status":null,"customers":[{"id":"1"}]}"#,
        r#"{"status":"","customers":[{"id":"1"}]}"#,
        r#"{"status":"2","customers":[{"id":"1"}]}"#,
        r#"{"status":2,"customers":[{"id":"1"}]}"#,
        r#"{"status":"OK","customers":[{"id":"1"}]}"#,
        r#"{"status":"true","customers":[{"id":"1"}]}"#,
        r#"{"status":"false","message":"Customers not found"}"#,
        r#"{"status":["1"],"customers":[{"id":"1"}]}"#,
        r#"{"status":"1","customers":7}"#,
        r#"{"status":"1","customers":"none"}"#,
        r#"{"status":"1","customers":[{"id":"1"}]}{"status":"1"}"#,
        r#"{"status":"1","customers":[{"id":"1"}]} []"#,
    ] {
        println!("{body}");
        read_reply(Reply::json(body)).failed(Data);
    }
    let mut bytes = br#"{"status":"1","customers":[{"id":"1","name":"caf"#.to_vec();
    bytes.extend_from_slice(b"\xe9\"}]}");
    read_reply(Reply::json(bytes)).failed(Data);
}

#[test]
fn a_reply_that_is_cut_or_corrupt_or_no_json_may_be_another_next_time() {
    let html = "<!DOCTYPE html><html><body><h1>Please log in</h1></body></html>";
    for reply in [
        Reply::json(""),
        Reply::json(" \n"),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"}]"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"},"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"},{"id":"2"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"}],"status"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"},{"id":}]}"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"} {"id":"2"}]}"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"}],}"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"}]}}"#),
        Reply::json(r#"{"status":"1","customers":[{"id":"1"}]} Service restarted"#),
        Reply::json("{\"status\":\"1\",\"customers\":[{\"id\":\"1\"}]}\0"),
        Reply::new(200, "text/html", html),
        Reply::new(200, "application/json", html),
        Reply::new(200, "text/plain", "Service under maintenance"),
        Reply::new(503, "text/html", html),
        Reply::new(500, "application/json", r#"{"status":"0","message":"Token not found"}"#),
        Reply::new(429, "text/plain", ""),
        list(&[r#"{"id":"1"}"#]).header("Content-Encoding", "br"),
    ] {
        println!("{reply:?}");
        read_reply(reply).failed(Transient);
    }
}

#[test]
fn a_reply_in_place_of_json_is_quoted_with_its_status_and_its_type() {
    let long = format!("<html>\n<p>Please\tlog in {}</p>", "and wait ".repeat(1000));
    for (status, failure) in [(200, Transient), (502, Transient), (404, Config), (403, Auth)] {
        let reply = Reply::new(status, "text/html; charset=utf-8", long.as_str());
        let error = read_reply(reply).failed(failure).error();
        for part in ["127.0.0.1", "customer.list", &status.to_string(), "text/html", "log in"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(error.len() < 700 && !error.contains('\n'), "{error}");
    }
}

#[test]
fn every_http_status_that_is_documented_has_its_kind() {
    for (status, failure) in [
        (301, Config),
        (302, Config),
        (307, Config),
        (308, Config),
        (401, Auth),
        (403, Auth),
        (404, Config),
        (429, Transient),
        (500, Transient),
        (502, Transient),
        (503, Transient),
        (504, Transient),
    ] {
        println!("{status}");
        let body = r#"{"status":"1","message":"OK","customers":[{"id":"1"}]}"#;
        let reply = Reply::new(status, "application/json", body);
        read_reply(reply.header("Location", "https://elsewhere.example/")).failed(failure);
    }
}

#[test]
fn a_failure_under_http_200_quotes_the_servers_message() {
    for (status, message) in [
        (r#""0""#, "Token not found"),
        ("0", "User not found"),
        ("false", "The method is not allowed for this token"),
        ("0", "Order not found"),
        (r#""0""#, "No record was stored"),
        (r#""0""#, "The customers not found in cache: retry"),
        (r#""0""#, ""),
    ] {
        let body = format!(r#"{{"status":{status},"message":"{message}"}}"#);
        println!("{body}");
        let answer = read_reply(Reply::json(body)).failed(Auth);
        assert!(answer.error().contains(message), "{}", answer.error());
    }
}

#[test]
fn customers_that_were_not_found_are_no_rows_and_no_failure() {
    for message in [
        "Customers not found",
        "customers not found.OK",
        "CUSTOMERS WERE NOT FOUND",
        "Customer not found for the given filters",
        "No customers found",
        "No customers were found.",
        "no customer found",
        "Records not found",
        "Record not found!",
        "No results found",
        "result not found",
        "Results were not found",
    ] {
        println!("{message}");
        let answer = read_reply(said("0", message)).succeeded();
        assert_eq!(answer.records().len(), 0);
        let is_logged = answer.logs("INFO").iter().any(|line| line.contains(message));
        assert!(is_logged, "{}", answer.told());
    }
}

#[test]
fn a_failure_that_lists_customers_is_a_failure_whatever_it_says() {
    let body = r#"{"status":"0","message":"Customers not found","customers":[{"id":"1"}]}"#;
    read_reply(Reply::json(body)).failed(Auth);
    let last = r#"{"customers":[{"id":"1"}],"message":"Internal error","status":0}"#;
    read_reply(Reply::json(last)).failed(Auth);
}

#[test]
fn success_without_customers_is_no_rows() {
    for members in ["", r#","customers":null"#, r#","customers":[]"#] {
        let body = format!(r#"{{"status":1,"message":"Customers not found"{members}}}"#);
        assert_eq!(read_reply(Reply::json(body)).succeeded().records().len(), 0);
    }
}

#[test]
fn a_place_where_nobody_listens_cannot_be_reached() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator).with("base_url", format!("{NOBODY}/api"));
    assert!(connector.read("full_refresh").failed(Transient).error().contains("127.0.0.1"));
    assert_check(&connector.check(), Some(Transient));
    assert_eq!(simulator.requests().len(), 0);
}

#[test]
fn nothing_is_emitted_wherever_a_reply_ends() {
    let body = crate::support::replies::SAMPLE.as_bytes();
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    for length in (0..body.len()).step_by(13).chain([body.len() - 1]) {
        simulator.reply_next(Reply::json(body).delivered(Delivery::Cut(length as u64)));
        connector.read("full_refresh").failed(Transient);
    }
}

#[test]
fn check_answers_what_the_user_can_correct_and_fails_at_the_rest() {
    let mut every: Vec<(&str, Option<Failure>)> =
        FAILING.iter().map(|(fault, failure)| (*fault, Some(*failure))).collect();
    every.extend([("not-found", None), ("empty-message", None)]);
    at_once(&every, |(fault, failure)| {
        // The probe's reply lists nobody, so it is short and has no wrong characters.
        let cut = fault.replace("100000", "20").replace("10000", "5");
        let failure = failure.filter(|_| *fault != "bad-utf8");
        println!("{cut}");
        let simulator = faulty(1000, &[&cut]);
        let answer = impatient(&simulator, fault).check();
        assert_check(&answer, failure);
        assert_eq!(simulator.requests().len(), 1);
    });
}

#[track_caller]
fn assert_check(answer: &Answer, failure: Option<Failure>) {
    let told = answer.told();
    let statuses = answer.connection_statuses();
    match failure {
        None => {
            assert_eq!((answer.code, statuses.len()), (Some(0), 1), "{told}");
            assert_eq!(statuses[0]["status"], "SUCCEEDED", "{told}");
        }
        Some(Config | Auth) => {
            assert_eq!((answer.code, statuses.len()), (Some(0), 1), "{told}");
            assert_eq!(statuses[0]["status"], "FAILED", "{told}");
            assert!(statuses[0]["message"].as_str().is_some_and(|m| !m.is_empty()), "{told}");
            assert!(answer.errors().is_empty(), "{told}");
        }
        Some(failure) => {
            assert_eq!((answer.code, statuses.len()), (Some(failure.code()), 0), "{told}");
            assert_eq!(answer.errors().len(), 1, "{told}");
            assert_eq!(answer.errors()[0]["failure_type"], failure.failure_type(), "{told}");
        }
    }
    assert!(answer.statuses().is_empty() && answer.states().is_empty(), "{told}");
    assert_eq!(answer.stderr, "");
}

#[test]
fn a_token_of_another_company_is_refused() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator).with("authentication_token", "another-token");
    assert_check(&connector.check(), Some(Auth));
    connector.read("full_refresh").failed(Auth);
}

#[test]
fn check_asks_once_for_what_can_match_nobody() {
    let simulator = simulator(1000);
    let connector = Connector::of(&simulator).with("start_date", "2024-01-01").with("code", "a&b");
    assert_check(&connector.check(), None);
    let requests = simulator.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/api/customer.list");
    assert_eq!(requests[0].parameter("code"), Some("a&b"));
    let dates = requests[0].query.iter().filter(|(name, _)| name == "updateAsOf");
    assert!(dates.clone().count() == 1 && dates.clone().all(|(_, date)| date.as_str() > "2900"));
}
