//! `simulate` as a program of its own: what it prints is what other commands take.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::{Connector, collect};

/// A simulator of its own process, and the first lines of its stdout.
fn started(arguments: &[&str], lines: usize) -> (Child, Vec<Value>) {
    let program = Connector::configured(json!({}));
    let mut command = program.command(&[&["simulate", "--customers", "5"], arguments].concat());
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let said = stdout.lines().take(lines).map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let said = said.collect();
    (child, said)
}

/// Ends it, and gives its stderr.
fn ended(mut child: Child) -> String {
    let stderr = collect(child.stderr.take());
    child.kill().unwrap();
    child.wait().unwrap();
    String::from_utf8(stderr.join().unwrap()).unwrap()
}

#[test]
fn its_stdout_is_a_configuration_and_each_request_a_line_without_the_token() {
    let (child, said) = started(&[], 1);
    let token = said[0]["authentication_token"].as_str().unwrap().to_owned();
    let answer = Connector::configured(said[0].clone()).check();
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let stderr = ended(child);
    let line = stderr.lines().find(|line| line.contains("customer.list")).unwrap();
    assert!(line.starts_with("200 company-0001 GET /api/customer.list?"), "{stderr}");
    assert!(!stderr.contains(&token), "{stderr}");
}

#[test]
fn with_companies_its_stdout_has_a_line_per_company() {
    let arguments = ["--companies", "2", "--latency", "1", "--fault", "unauthorized@company-0002"];
    let (child, said) = started(&arguments, 2);
    let names: Vec<_> = said.iter().map(|line| line["company"].as_str().unwrap()).collect();
    assert_eq!(names, ["company-0001", "company-0002"]);
    for (line, accepted) in said.iter().zip(["SUCCEEDED", "FAILED"]) {
        let mut config = line.clone();
        config.as_object_mut().unwrap().remove("company");
        let answer = Connector::configured(config).with("retry_window_seconds", 0).check();
        assert!(answer.text().contains(accepted), "{}", answer.text());
    }
    let stderr = ended(child);
    assert!(stderr.contains("2 companies, each with 5 customers."), "{stderr}");
    assert!(stderr.contains("401 company-0002 GET"), "{stderr}");
}
