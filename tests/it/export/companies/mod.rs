//! `export --companies`: what many companies in one run have in common, and that nothing else is.

mod faults;
mod input;
mod kept;
mod one_table;
mod races;
mod same;
mod shards;
mod signals;
mod stops;
mod stream;
mod tokens;

pub(super) use signals::{end, signal};

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use kometsales::simulator::{Options, Simulator};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::lake::Lake;
use crate::support::store::Store;
use crate::support::{Connector, finish};

/// A simulator of many companies, and the folder with a token a company.
pub(super) struct Many {
    pub(super) simulator: Simulator,
    pub(super) connector: Connector,
}

impl Many {
    pub(super) fn of(companies: u32, customers: u64, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let options =
            Options { customers, companies: Some(companies), faults, ..Options::default() };
        Self::with(options)
    }

    pub(super) fn with(options: Options) -> Self {
        let simulator = Simulator::start(options).unwrap();
        let connector = Connector::configured(json!({
            "base_url": simulator.base_url(),
            "retry_window_seconds": 0,
            "request_timeout_seconds": 2,
        }));
        let many = Self { simulator, connector };
        fs::create_dir(many.tokens()).unwrap();
        for (name, token) in many.companies() {
            many.give(&name, &token);
        }
        many
    }

    /// The same with another setting for all.
    pub(super) fn setting(self, key: &str, value: impl Into<Value>) -> Self {
        Self { connector: self.connector.with(key, value), ..self }
    }

    /// The same with a scripted bucket in its environment.
    pub(super) fn in_bucket(self, store: &Store) -> Self {
        let Self { simulator, connector } = self;
        let connector = store
            .s3_environment()
            .iter()
            .fold(connector, |connector, (name, value)| connector.with_environment(name, value));
        Self { simulator, connector }
    }

    /// The folder with the tokens.
    pub(super) fn tokens(&self) -> PathBuf {
        self.connector.folder().join("tokens")
    }

    /// Gives a company a token.
    pub(super) fn give(&self, company: &str, token: &str) {
        fs::write(self.tokens().join(company), format!("{token}\n")).unwrap();
    }

    /// The companies and their tokens.
    pub(super) fn companies(&self) -> Vec<(String, String)> {
        let own = |(name, token): (&str, &str)| (name.to_owned(), token.to_owned());
        self.simulator.companies().map(own).collect()
    }

    /// Exports all of them to a folder, with more arguments.
    pub(super) fn export(&self, to: &str, more: &[&str]) -> Run {
        let all =
            ["export", "--companies", "tokens", "--config", "config.json", "--to", to, "--json"];
        Run::of(self.connector.run(&[&all[..], more].concat()))
    }

    /// Starts an export of all of them whose output is left to the test.
    pub(super) fn start(&self, to: &str, more: &[&str]) -> Child {
        self.connector.run(&["--version"]);
        let all =
            ["export", "--companies", "tokens", "--config", "config.json", "--to", to, "--json"];
        let mut command = self.connector.command(&[&all[..], more].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Exports one of them by itself, as it would be without the others.
    pub(super) fn export_one(&self, company: &str, to: &str, more: &[&str]) -> Answer {
        let token = fs::read_to_string(self.tokens().join(company)).unwrap();
        let own = json!({"authentication_token": token.trim_end(),
            "base_url": self.simulator.base_url(),
            "retry_window_seconds": 0, "request_timeout_seconds": 2});
        self.connector.write("own.json", own.to_string());
        let to = format!("{to}/{company}");
        let all = ["export", "--config", "own.json", "--to", &to, "--json"];
        finish(self.connector.command(&[&all[..], more].concat()), b"")
    }

    /// The table of a company.
    pub(super) fn table(&self, to: &str, company: &str) -> Lake {
        Lake::in_folder(&self.connector.folder().join(to).join(company).join("customers"))
    }

    /// The one table of all companies.
    pub(super) fn shared(&self, to: &str) -> Lake {
        Lake::in_folder(&self.connector.folder().join(to).join("customers"))
    }

    /// Every file below a folder, by its name.
    pub(super) fn files(&self, to: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.connector.folder().join(to);
        let lake = Lake::in_folder(&folder);
        let read = |name: &&str| ((*name).to_owned(), fs::read(folder.join(name)).unwrap());
        lake.names().iter().map(read).collect()
    }
}

/// The report of a run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) answer: Answer,
    /// The line of each company.
    pub(super) lines: BTreeMap<String, Value>,
    pub(super) summary: Value,
}

impl Run {
    pub(super) fn of(answer: Answer) -> Self {
        Self::with_report(answer.text().to_owned(), answer)
    }

    pub(super) fn with_report(report: String, answer: Answer) -> Self {
        let mut values: Vec<Value> =
            report.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let last = values.pop().unwrap_or_default();
        assert!(last["summary"].is_object(), "no summary: {report}{}", answer.stderr);
        let named = |line: Value| (line["company"].as_str().unwrap().to_owned(), line);
        let summary = last["summary"].clone();
        let run = Self { lines: values.into_iter().map(named).collect(), summary, answer };
        run.adds_up();
        run
    }

    /// The summary is that of the lines.
    fn adds_up(&self) {
        let count = |outcome: &str| {
            self.lines.values().filter(|line| line["outcome"] == outcome).count() as u64
        };
        assert_eq!(self.summary["companies"], self.lines.len() as u64, "{self:?}");
        for outcome in ["exported", "failed", "not_started"] {
            assert_eq!(self.summary[outcome], count(outcome), "{outcome}: {self:?}");
        }
        let sum =
            |key: &str| self.lines.values().filter_map(|line| line[key].as_u64()).sum::<u64>();
        assert_eq!(self.summary["requests"], sum("requests"), "{self:?}");
        assert_eq!(self.summary["rows"], sum("rows"), "{self:?}");
    }

    pub(super) fn code(&self) -> i32 {
        self.answer.code.unwrap_or_default()
    }

    pub(super) fn outcome(&self, company: &str) -> &str {
        self.lines[company]["outcome"].as_str().unwrap()
    }

    pub(super) fn message(&self, company: &str) -> &str {
        self.lines[company]["message"].as_str().unwrap_or_default()
    }
}

#[test]
fn the_report_for_people_and_for_programs() {
    let many = Many::of(6, 20, &["unauthorized@company-0002"]);
    let run = many.export("lake", &["--jobs", "2"]);
    assert_eq!(run.code(), 77);
    assert_eq!(run.lines["company-0001"]["rows"], 20);
    assert_eq!(run.lines["company-0001"]["requests"], 1);
    let failed = &run.lines["company-0002"];
    assert_eq!((failed["kind"].as_str(), failed["requests"].as_u64()), (Some("auth"), Some(1)));
    let mut summary = run.summary.clone();
    assert!(summary["seconds"].take().as_f64().unwrap() > 0.0);
    assert_eq!(
        summary,
        json!({"companies": 6, "exported": 5, "failed": 1, "not_started": 0, "stopped": null,
            "kinds": {"auth": 1}, "rows": 100, "requests": 6, "seconds": null, "shard": "0/1"})
    );
    assert!(many.simulator.most_at_once() <= 2);
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake"];
    let answer = many.connector.run(&all);
    let lines: Vec<&str> = answer.text().lines().collect();
    assert!(lines[0].starts_with("Exported 5 of 6 companies to "), "{lines:?}");
    assert_eq!(lines[1], "   failed   1 (auth 1)");
    assert!(answer.stderr.starts_with("ERROR company-0002: "), "{}", answer.stderr);
    assert_eq!(answer.code, Some(77));
}

#[test]
fn a_check_asks_for_every_company_and_writes_nothing() {
    let many = Many::of(3, 20, &["forbidden@company-0003"]);
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake"];
    let answer = many.connector.run(&[&all[..], &["--check"]].concat());
    assert_eq!(answer.code, Some(77));
    assert!(answer.text().starts_with("Checked 2 of 3 companies"), "{}", answer.text());
    assert!(!many.connector.folder().join("lake").exists());
}

#[test]
fn a_dry_run_says_what_would_change_of_every_company_and_writes_nothing() {
    let many = Many::of(3, 20, &[]);
    assert_eq!(many.export("lake", &["--company", "company-0001"]).code(), 0);
    many.simulator.change(2);
    let before = many.files("lake");
    let all = ["export", "--companies", "tokens", "--config", "config.json", "--to", "lake"];
    let answer = many.connector.run(&[&all[..], &["--dry-run", "--json"]].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (name, inserted, updated) in [("company-0001", 0, 2), ("company-0002", 20, 0)] {
        let line = lines.iter().find(|line| line["company"] == name).unwrap();
        assert_eq!(
            (line["outcome"].as_str(), line["dry_run"].as_bool()),
            (Some("compared"), Some(true))
        );
        assert_eq!(
            (&line["inserted"]["count"], &line["updated"]["count"]),
            (&json!(inserted), &json!(updated))
        );
    }
    assert_eq!(lines[3]["summary"]["compared"], 3);
    let text = many.connector.run(&[&all[..], &["--dry-run"]].concat());
    assert!(text.text().starts_with("Compared 3 of 3 companies"), "{}", text.text());
    assert!(before == many.files("lake"));
}
