//! When a request is sent again, and when it is given up. Whatever happened before, every record goes out
//! once.

use std::time::{Duration, Instant};

use kometsales::simulator::{Delivery, Fault, Reply, Simulator};

use crate::support::answer::Failure::{Auth, Config, Data, Transient};
use crate::support::{Connector, at_once, faulty, simulator};

const CUSTOMERS: u64 = 1000;

/// Every customer of the simulated company, from a read in which nothing went wrong.
fn everybody() -> Vec<i64> {
    Connector::of(&simulator(CUSTOMERS)).read("full_refresh").succeeded().sorted_ids()
}

/// The connector as users have it, but for the retry window.
fn patient(simulator: &Simulator, window: u64) -> Connector {
    Connector::of(simulator).with("retry_window_seconds", window)
}

#[test]
fn a_server_that_fails_twice_and_then_answers_is_read_once() {
    let simulator = faulty(CUSTOMERS, &["server-error@2"]);
    let answer = patient(&simulator, 60).read("full_refresh").succeeded();
    assert_eq!(answer.sorted_ids(), everybody());
    assert_eq!(simulator.requests().len(), 3);
    let warnings = answer.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("customer.list") && warnings[0].contains("503"), "{warnings:?}");
}

#[test]
fn pauses_begin_at_half_a_second_and_double() {
    let simulator = faulty(1, &["refuse@2"]);
    patient(&simulator, 60).read("full_refresh").succeeded();
    let arrived: Vec<Instant> =
        simulator.requests().iter().map(|request| request.arrived).collect();
    let pauses: Vec<f64> = arrived.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect();
    assert!((0.3..2.0).contains(&pauses[0]), "{pauses:?}");
    assert!((0.7..3.0).contains(&pauses[1]), "{pauses:?}");
}

#[test]
fn a_reply_that_breaks_in_the_middle_is_read_again_and_emitted_once() {
    let everybody = everybody();
    let faults = [
        "reset:100000@1",
        "cut:100000@1",
        "cut-length:100000@1",
        "cut-chunked:100000@1",
        "cut-gzip@1",
        "wrong-gzip@1",
        "stall:100000@1",
        "web-page@1",
    ];
    at_once(&faults, |fault| {
        let simulator = faulty(CUSTOMERS, &[fault]);
        let connector = patient(&simulator, 60).with("request_timeout_seconds", 2);
        let answer = connector.read("full_refresh").succeeded();
        assert_eq!(answer.sorted_ids(), everybody, "{fault}");
        assert_eq!(simulator.requests().len(), 2, "{fault}");
        assert_eq!(answer.warnings().len(), 1, "{fault}: {:?}", answer.warnings());
    });
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    for fault in ["rate-limit:1@1", "rate-limit-date:2@1"] {
        let simulator = faulty(1, &[fault]);
        patient(&simulator, 60).read("full_refresh").succeeded();
        let requests = simulator.requests();
        assert_eq!(requests.len(), 2, "{fault}");
        let pause = requests[1].arrived - requests[0].arrived;
        // A date is in whole seconds, so that it may be as much as one second sooner.
        assert!((0.95..6.0).contains(&pause.as_secs_f64()), "{fault}: {pause:?}");
    }
    let simulator = simulator(1);
    let busy = Reply::new(503, "text/plain", "busy").header("Retry-After", "1");
    simulator.reply_next(busy);
    patient(&simulator, 60).read("full_refresh").succeeded();
    let requests = simulator.requests();
    assert!(requests[1].arrived - requests[0].arrived > Duration::from_millis(950));
}

#[test]
fn a_pause_beyond_the_window_fails_at_once_and_says_when_to_come_back() {
    for (fault, window) in
        [("rate-limit:3600", 300), ("rate-limit-date:3600", 300), ("rate-limit:2", 1)]
    {
        let simulator = faulty(1, &[fault]);
        let before = chrono::Utc::now();
        let answer = patient(&simulator, window).read("full_refresh").failed(Transient);
        assert!(answer.elapsed < Duration::from_secs(8), "{fault}: {:?}", answer.elapsed);
        assert_eq!(simulator.requests().len(), 1, "{fault}");
        let error = answer.error();
        let asked = fault.split(':').nth(1).unwrap().parse::<i64>().unwrap();
        let said = error
            .split(|c: char| c.is_whitespace() || c == ',')
            .find_map(|word| word.parse::<chrono::DateTime<chrono::Utc>>().ok());
        let said = said.unwrap_or_else(|| panic!("{fault}: no time is in: {error}"));
        assert!(((said - before).num_seconds() - asked).abs() <= 8, "{fault}: {error}");
    }
}

#[test]
fn a_reply_that_trickles_ends_with_the_time_of_its_request() {
    let simulator = simulator(CUSTOMERS);
    // Something arrives all the time, and the whole would take minutes.
    let drip = Delivery::Drip(Duration::from_millis(200));
    simulator.reply_next(
        Reply::json("{\"status\":1,".to_owned() + &" ".repeat(1 << 20)).delivered(drip),
    );
    let connector = patient(&simulator, 0).with("request_timeout_seconds", 2);
    let answer = connector.read("full_refresh").failed(Transient);
    let took = answer.elapsed;
    assert!((2..12).contains(&took.as_secs()), "{took:?}");
    assert!(answer.states().is_empty());
}

#[test]
fn a_connection_that_is_never_made_ends_with_its_time() {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&nowhere.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    // Nobody is let in, and after these nobody else can wait there.
    let patience = Duration::from_millis(300);
    let waiting: Vec<_> =
        (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, patience)).collect();
    assert!(waiting.iter().any(Result::is_err), "everybody is let in");
    let connector = Connector::configured(serde_json::json!({
        "authentication_token": "abcdefgh",
        "base_url": format!("http://{address}/api"),
        "retry_window_seconds": 0,
        "request_timeout_seconds": 2,
    }));
    let answer = connector.read("full_refresh").failed(Transient);
    let took = answer.elapsed;
    assert!((2..12).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn without_a_window_a_request_is_sent_once() {
    for fault in ["server-error", "rate-limit:1", "refuse", "cut:50"] {
        let simulator = faulty(CUSTOMERS, &[fault]);
        let answer = patient(&simulator, 0).read("full_refresh").failed(Transient);
        assert_eq!(simulator.requests().len(), 1, "{fault}");
        assert!(answer.warnings().is_empty(), "{fault}: {:?}", answer.warnings());
    }
}

#[test]
fn no_try_starts_after_the_window() {
    let simulator = faulty(1, &["server-error"]);
    let answer = patient(&simulator, 2).read("full_refresh").failed(Transient);
    let requests = simulator.requests();
    assert!((2..=4).contains(&requests.len()), "{}", requests.len());
    let last = requests.last().unwrap().arrived - requests[0].arrived;
    assert!(last <= Duration::from_millis(2_600), "{last:?}");
    assert!(answer.error().contains(&format!("{} times", requests.len())), "{}", answer.error());
}

#[test]
fn a_server_that_asks_for_no_pause_at_all_is_not_asked_for_ever() {
    for (window, most) in [(0, 1), (1, 5)] {
        let simulator = faulty(1, &["rate-limit:0"]);
        let answer = patient(&simulator, window).read("full_refresh").failed(Transient);
        assert!(answer.elapsed < Duration::from_secs(8), "{:?}", answer.elapsed);
        // A token has a thousand requests a day.
        let sent = simulator.requests().len();
        assert!(sent <= most, "{sent} requests in a window of {window} s");
    }
}

#[test]
fn what_would_be_the_same_again_is_not_sent_again() {
    for (fault, kind) in [
        ("token-refused", Auth),
        ("unauthorized", Auth),
        ("missing", Config),
        ("redirect", Config),
        ("status-missing", Data),
        ("bad-utf8", Data),
    ] {
        let simulator = faulty(CUSTOMERS, &[fault]);
        patient(&simulator, 60).read("full_refresh").failed(kind);
        assert_eq!(simulator.requests().len(), 1, "{fault}");
    }
}

#[test]
fn a_failure_after_a_passing_one_counts_as_what_it_is() {
    let simulator = simulator(1);
    simulator.reply_next(Fault::ServerError(502));
    simulator.reply_next(Fault::Missing);
    patient(&simulator, 60).read("full_refresh").failed(Config);
    assert_eq!(simulator.requests().len(), 2);
}

#[test]
fn check_tries_again_too_but_is_bounded_by_the_request_and_the_window() {
    let recovers = faulty(1, &["server-error@1"]);
    let answer = patient(&recovers, 60).check();
    assert_eq!(answer.connection_statuses()[0]["status"], "SUCCEEDED", "{}", answer.told());
    let stalled = faulty(1, &["stall:0"]);
    let connector = patient(&stalled, 0).with("request_timeout_seconds", 1);
    let answer = connector.check();
    assert_eq!(answer.code, Some(75), "{}", answer.told());
    assert!(answer.elapsed < Duration::from_secs(8), "{:?}", answer.elapsed);
    let away = faulty(1, &["rate-limit:31"]);
    let answer = patient(&away, 300).check();
    assert_eq!((answer.code, away.requests().len()), (Some(75), 1), "{}", answer.told());
    assert!(answer.elapsed < Duration::from_secs(8), "{:?}", answer.elapsed);
}

#[test]
fn one_read_is_one_request() {
    let simulator = simulator(CUSTOMERS);
    patient(&simulator, 60).read("full_refresh").succeeded();
    let requests = simulator.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("GET", "/api/customer.list")
    );
    assert_eq!(requests[0].header("Accept-Encoding"), Some("gzip"));
}
