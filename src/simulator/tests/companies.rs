//! Several companies in one simulator: tokens, customers and faults of their own, and what was asked of each.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::{Options, Simulator};
use super::{Exchange, exchange};
use crate::error::Kind;

fn started(companies: u32, faults: &[&str]) -> Simulator {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let companies = Some(companies);
    let options = Options { customers: 40, companies, faults, ..Options::default() };
    Simulator::start(options).unwrap()
}

fn asked_with(simulator: &Simulator, token: &str) -> Exchange {
    let path = format!("/api/customer.list?includeInactive=true&authenticationToken={token}");
    exchange(simulator, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

fn counted(simulator: &Simulator) -> Value {
    exchange(simulator, "GET /simulator/requests HTTP/1.1\r\nHost: x\r\n\r\n").json()
}

#[test]
fn every_company_has_a_token_and_customers_of_its_own() {
    let simulator = started(3, &[]);
    let names: Vec<_> = simulator.companies().collect();
    assert_eq!(names[0], ("company-0001", "demo-token-0001"));
    assert_eq!(names[2], ("company-0003", "demo-token-0003"));
    let mut ids = HashSet::new();
    for (_, token) in names {
        let reply = asked_with(&simulator, token).json();
        let customers = reply["customers"].as_array().unwrap();
        assert_eq!(customers.len(), 40);
        ids.extend(customers.iter().map(|customer| customer["id"].to_string()));
    }
    assert_eq!(ids.len(), 120);
    assert_eq!(asked_with(&simulator, "demo-token-0004").json()["status"], "0");
    let edited: HashSet<u64> = simulator.change(5).into_iter().collect();
    assert_eq!(edited.len(), 15);
}

#[test]
fn a_fault_is_played_for_the_company_it_names_or_for_each() {
    let simulator =
        started(3, &["unauthorized@company-0002@1", "server-error@1", "forbidden@company-0003"]);
    let ask = |number: u32| asked_with(&simulator, &format!("demo-token-000{number}")).status();
    assert_eq!([ask(1), ask(2), ask(3)], [503, 401, 503]);
    assert_eq!([ask(1), ask(2), ask(3)], [200, 503, 403]);
    // A stranger takes nothing from anybody's schedule.
    let simulator = started(2, &["server-error@1"]);
    assert_eq!(asked_with(&simulator, "nobodys-token").status(), 200);
    assert_eq!(asked_with(&simulator, "demo-token-0001").status(), 503);
}

#[test]
fn a_fault_for_nobody_and_no_companies_are_refused() {
    let start = |companies: u32, fault: &str| {
        let faults = vec![fault.parse().unwrap()];
        Simulator::start(Options { companies: Some(companies), faults, ..Options::default() })
    };
    let error = start(3, "pretty@company-0004").unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("company-0001 to company-0003"), "{error}");
    assert_eq!(start(0, "pretty").unwrap_err().kind(), Kind::Config);
    let single =
        Options { faults: vec!["pretty@company-0002".parse().unwrap()], ..Options::default() };
    assert_eq!(Simulator::start(single).unwrap_err().kind(), Kind::Config);
}

#[test]
fn requests_are_counted_by_company_and_by_how_many_came_at_once() {
    let latency = Duration::from_millis(300);
    let options = Options { customers: 5, companies: Some(3), latency, ..Options::default() };
    let simulator = Simulator::start(options).unwrap();
    let none = json!({"requests": 0, "most_at_once": 0, "unknown_token": 0,
        "companies": {"company-0001": 0, "company-0002": 0, "company-0003": 0}});
    assert_eq!(counted(&simulator), none);
    let started = Instant::now();
    thread::scope(|scope| {
        for token in ["demo-token-0001", "demo-token-0001", "demo-token-0003", "wrong-token"] {
            let simulator = &simulator;
            scope.spawn(move || asked_with(simulator, token));
        }
    });
    assert!(started.elapsed() >= latency);
    let counted = counted(&simulator);
    assert_eq!(counted["requests"], 4);
    assert_eq!(counted["unknown_token"], 1);
    assert_eq!(
        counted["companies"],
        json!({"company-0001": 2, "company-0002": 0, "company-0003": 1})
    );
    assert_eq!(counted["most_at_once"], simulator.most_at_once());
    assert!((2..=4).contains(&simulator.most_at_once()), "{counted}");
    assert_eq!(simulator.asked("company-0001"), Some(2));
}
