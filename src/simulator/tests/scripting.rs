//! What a test or a user asks the simulator to play, and what it remembers.

use std::str::FromStr;
use std::time::{Duration, Instant};

use super::super::{FAULTS, Fault, Options, Reply, ScheduledFault, Simulator, describe_faults};
use super::{connect, exchange, list, simulator};
use crate::error::Kind;

fn started_with(faults: &[&str]) -> crate::error::Result<Simulator> {
    let faults = faults.iter().map(|text| text.parse()).collect::<crate::error::Result<_>>()?;
    Simulator::start(Options { customers: 3, faults, ..Options::default() })
}

#[test]
fn faults_are_read_from_text() {
    let read = |text: &str| Fault::from_str(text).unwrap();
    assert_eq!(read("cut:100"), Fault::Cut(100));
    assert_eq!(read("server-error"), Fault::ServerError(503));
    assert_eq!(read("server-error:502"), Fault::ServerError(502));
    assert_eq!(read("drip:5"), Fault::Drip(Duration::from_millis(5)));
    assert_eq!(read("status-zero:a:b@c"), Fault::StatusZero("a:b@c".to_owned()));
    assert_eq!(read("bad-ids"), Fault::BadIds(7));
    let scheduled = |text: &str| ScheduledFault::from_str(text).unwrap();
    assert_eq!(scheduled("pretty@3"), ScheduledFault { times: Some(3), ..Fault::Pretty.into() });
    assert_eq!(scheduled("pretty"), Fault::Pretty.into());
    assert_eq!(scheduled("status-zero:mail me@home").times, None);
}

#[test]
fn a_fault_that_cannot_be_is_refused_with_what_can() {
    let refused = |text: &str| {
        let error = ScheduledFault::from_str(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{text}");
        error.to_string()
    };
    let message = refused("stal:100");
    assert!(message.contains("`stal`") && message.contains("Did you mean `stall`?"), "{message}");
    assert!(refused("nothing-like-it").contains("simulate --help"));
    assert!(describe_faults().lines().all(|line| line.chars().count() <= 80));
    assert!(refused("cut").contains("cut:BYTES needs a whole number for BYTES, from 0 up"));
    assert!(refused("server-error:404").contains("from 500 to 599"));
    assert!(refused("pretty:3").contains("takes no argument"));
    for text in
        ["cut:-1", "cut:x", "drip:0", "rate-limit:x", "bad-ids:0", "pretty@0", "pretty@x", ""]
    {
        refused(text);
    }
}

#[test]
fn every_declared_fault_can_be_written_as_its_usage_says() {
    for form in FAULTS {
        let text = form.usage().replace(['[', ']'], "");
        let text = text.split_once(':').map_or(text.clone(), |(name, _)| match name {
            "server-error" => format!("{name}:500"),
            _ => format!("{name}:1"),
        });
        assert!(text.parse::<Fault>().is_ok(), "{text}");
        assert!(!form.meaning().is_empty() && form.usage().starts_with(form.name()));
        let same_name = FAULTS.iter().filter(|other| other.name() == form.name()).count();
        assert_eq!(same_name, 1, "{}", form.name());
    }
}

#[test]
fn scheduled_faults_are_played_one_after_the_other() {
    let simulator = started_with(&["server-error@2", "healthy@1", "rate-limit:1@1"]).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        // A request for something else takes no fault from the list's schedule.
        assert_eq!(exchange(&simulator, "GET /api/x.list HTTP/1.1\r\n\r\n").status(), 404);
        statuses.push(list(&simulator, "", "").status());
    }
    assert_eq!(statuses, [503, 503, 200, 429, 200]);
    let forever = started_with(&["unauthorized"]).unwrap();
    assert!((0..4).all(|_| list(&forever, "", "").status() == 401));
}

#[test]
fn a_schedule_of_which_a_part_is_never_played_is_refused() {
    let error = started_with(&["pretty", "drip:1@2"]).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("@TIMES"), "{error}");
}

#[test]
fn the_queue_goes_before_the_schedule() {
    let simulator = started_with(&["unauthorized"]).unwrap();
    simulator.reply_next(Fault::Healthy);
    simulator.reply_next(Reply::new(418, "text/plain", "tea").header("X-Pot", "short"));
    assert_eq!(list(&simulator, "", "").status(), 200);
    let tea = exchange(&simulator, "POST /anything HTTP/1.1\r\n\r\n");
    assert_eq!((tea.status(), tea.text().as_str()), (418, "tea"));
    assert_eq!(
        (tea.header("Content-Type"), tea.header("x-pot")),
        (Some("text/plain"), Some("short"))
    );
    assert_eq!(list(&simulator, "", "").status(), 401);
}

#[test]
fn a_made_up_reply_rules_its_headers() {
    let simulator = simulator(1);
    let ask = |reply: Reply| {
        simulator.reply_next(reply);
        exchange(&simulator, "GET / HTTP/1.1\r\n\r\n")
    };
    let bare = ask(Reply::json("{}").header("date", "").header("Content-Type", ""));
    assert_eq!((bare.header("Date"), bare.header("Content-Type")), (None, None));
    assert_eq!(bare.text(), "{}");
    let raw = ask(Reply::json("2\r\n{}\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked"));
    assert_eq!((raw.text().as_str(), raw.header("Content-Length")), ("{}", None));
}

#[test]
fn requests_are_remembered_as_they_came() {
    let simulator = simulator(1);
    let start = Instant::now();
    list(&simulator, "&name=a%26b+%C3%A9&name=2", "X-Test: yes\r\n");
    exchange(&simulator, "POST /api/other.list HTTP/1.1\r\n\r\n");
    let requests = simulator.requests();
    assert_eq!(requests.len(), 2);
    let first = &requests[0];
    assert_eq!((first.method.as_str(), first.path.as_str()), ("GET", "/api/customer.list"));
    let names: Vec<_> =
        first.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        names,
        [("authenticationToken", simulator.token()), ("name", "a&b é"), ("name", "2")]
    );
    assert_eq!((first.parameter("name"), first.header("x-test")), (Some("a&b é"), Some("yes")));
    assert!(first.arrived >= start && requests[1].arrived >= first.arrived);
    assert_eq!(requests[1].method, "POST");
}

#[test]
fn what_cannot_be_started_says_what_to_do() {
    let first = simulator(1);
    let port = first.address.port();
    assert_eq!(first.base_url(), format!("http://127.0.0.1:{port}/api"));
    let taken = Simulator::start(Options { port, ..Options::default() }).unwrap_err();
    assert_eq!(taken.kind(), Kind::Config);
    assert!(taken.to_string().contains(&format!("port {port} is taken")), "{taken}");
    for options in [
        Options { token: String::new(), ..Options::default() },
        Options { customers: u64::MAX, ..Options::default() },
    ] {
        assert_eq!(Simulator::start(options).unwrap_err().kind(), Kind::Config);
    }
}

#[test]
fn a_slow_request_and_a_too_long_one() {
    use std::io::{Read, Write};
    let simulator = simulator(1);
    let mut slow = connect(&simulator);
    for piece in ["GET /api/x", ".list HT", "TP/1.1\r\nHost: x\r\n", "\r\n"] {
        slow.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let long = format!("GET /?{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    assert_eq!(exchange(&simulator, &long).status(), 431);
}
