//! What a run of the program said, and how it went.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::{Value, json};

use super::json::parse_strictly;

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

impl Answer {
    pub(crate) fn new(
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: &[u8],
        elapsed: Duration,
    ) -> Self {
        let stderr = String::from_utf8_lossy(stderr).into_owned();
        Self { code: status.code(), signal: status.signal(), stdout, stderr, elapsed }
    }

    /// stdout as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The messages of the protocol: every line of stdout is one.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line does not end: {text}");
        text.lines().map(message).collect()
    }

    fn all(&self, kind: &str, member: &str) -> Vec<Value> {
        let mut messages = self.messages();
        messages.retain(|message| message["type"] == kind);
        messages.into_iter().map(|mut message| message[member].take()).collect()
    }

    /// The members `record` of the RECORD messages.
    pub(crate) fn record_messages(&self) -> Vec<Value> {
        self.all("RECORD", "record")
    }

    /// The records.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.record_messages().into_iter().map(|mut record| record["data"].take()).collect()
    }

    /// The keys of the records, in their order.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.records().iter().map(|record| record["id"].as_i64().unwrap()).collect()
    }

    /// The keys of the records, sorted.
    pub(crate) fn sorted_ids(&self) -> Vec<i64> {
        let mut ids = self.ids();
        ids.sort_unstable();
        ids
    }

    /// The members `state` of the STATE messages.
    pub(crate) fn states(&self) -> Vec<Value> {
        self.all("STATE", "state")
    }

    /// What a host gives back: the one state, in a list.
    pub(crate) fn state(&self) -> Value {
        let states = self.states();
        assert_eq!(states.len(), 1, "{}", self.told());
        json!(states)
    }

    /// The one state of the stream.
    pub(crate) fn stream_state(&self) -> Value {
        self.state()[0]["stream"]["stream_state"].clone()
    }

    /// The state of customers without what is another in every run: when the list was asked for.
    pub(crate) fn lasting_state(&self) -> Value {
        let mut state = self.stream_state();
        if let Some(list) = state["list"].as_object_mut() {
            list.remove("at");
        }
        state
    }

    /// The cursor of the one state.
    pub(crate) fn cursor(&self) -> Value {
        self.stream_state()["updatedOn"].clone()
    }

    fn traces(&self, kind: &str, member: &str) -> Vec<Value> {
        let mut traces = self.all("TRACE", "trace");
        traces.retain(|trace| trace["type"] == kind);
        traces.into_iter().map(|mut trace| trace[member].take()).collect()
    }

    /// The statuses of all streams, in their order.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let statuses = self.traces("STREAM_STATUS", "stream_status");
        statuses.iter().map(|status| status["status"].as_str().unwrap().to_owned()).collect()
    }

    /// The errors.
    pub(crate) fn errors(&self) -> Vec<Value> {
        self.traces("ERROR", "error")
    }

    /// The message of the one error.
    pub(crate) fn error(&self) -> String {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{}", self.told());
        errors[0]["message"].as_str().unwrap().to_owned()
    }

    /// How many records were announced.
    pub(crate) fn estimates(&self) -> Vec<u64> {
        let estimates = self.traces("ESTIMATE", "estimate");
        estimates.iter().map(|estimate| estimate["row_estimate"].as_u64().unwrap()).collect()
    }

    /// The log messages of one level.
    pub(crate) fn logs(&self, level: &str) -> Vec<String> {
        let logs = self.all("LOG", "log");
        let logs = logs.iter().filter(|log| log["level"] == level);
        logs.map(|log| log["message"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.logs("WARN")
    }

    /// The one warning.
    pub(crate) fn warning(&self) -> String {
        let warnings = self.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        warnings[0].clone()
    }

    /// The answers to `check`.
    pub(crate) fn connection_statuses(&self) -> Vec<Value> {
        self.all("CONNECTION_STATUS", "connectionStatus")
    }

    /// Everything but the records, for the messages of tests.
    pub(crate) fn told(&self) -> String {
        let lines = self.text().lines().filter(|line| !line.starts_with(r#"{"type":"RECORD""#));
        let stdout: Vec<&str> = lines.collect();
        let (code, signal, stderr) = (self.code, self.signal, &self.stderr);
        format!("code {code:?}, signal {signal:?}\n{}\nstderr: {stderr}", stdout.join("\n"))
    }

    /// Asserts that one stream was read to its end, and gives the answer back.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.told());
        assert_eq!(self.statuses(), ["STARTED", "RUNNING", "COMPLETE"], "{}", self.told());
        assert_eq!(self.states().len(), 1, "{}", self.told());
        assert!(self.errors().is_empty(), "{}", self.told());
        assert_eq!(self.estimates(), [self.records().len() as u64], "{}", self.told());
        let counted = self.state()[0]["sourceStats"]["recordCount"].as_f64();
        assert_eq!(counted, Some(self.records().len() as f64), "{}", self.told());
        assert_eq!(self.stderr, "");
        self
    }

    /// Asserts that the read of one stream failed in the way of the protocol, with nothing of the reply
    /// emitted and no state saved, and gives the answer back.
    #[track_caller]
    pub(crate) fn failed(self, failure: Failure) -> Self {
        assert_eq!(self.records().len(), 0, "{}", self.told());
        self.failed_after_records(failure)
    }

    /// The same, but for records that may have been emitted.
    #[track_caller]
    pub(crate) fn failed_after_records(self, failure: Failure) -> Self {
        let told = self.told();
        assert_eq!(self.code, Some(failure.code()), "{told}");
        assert_eq!(self.states().len(), 0, "{told}");
        let statuses = self.statuses();
        assert!(!statuses.iter().any(|status| status == "COMPLETE"), "{told}");
        assert_eq!(statuses.last().map(String::as_str), Some("INCOMPLETE"), "{told}");
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{told}");
        assert_eq!(errors[0]["failure_type"], failure.failure_type(), "{told}");
        assert!(!self.error().is_empty(), "{told}");
        assert_eq!(self.stderr, "");
        self
    }
}

/// The message of a line, in the form in which Airbyte takes it strictly: each key once, one payload of the name that
/// its type has, and the time of now.
#[track_caller]
fn message(line: &str) -> Value {
    let message = parse_strictly(line);
    let payload = match message["type"].as_str().unwrap_or_default() {
        "CONNECTION_STATUS" => "connectionStatus".to_owned(),
        kind @ ("RECORD" | "STATE" | "LOG" | "SPEC" | "CATALOG" | "TRACE") => kind.to_lowercase(),
        kind => panic!("a source does not send {kind:?}: {line}"),
    };
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&message), ["type", payload.as_str()], "{line}");
    if payload == "trace" {
        let trace = &message["trace"];
        let detail = trace["type"].as_str().unwrap().to_lowercase();
        let known = ["type", "emitted_at", &detail];
        assert!(
            keys(trace).len() == 3 && keys(trace).iter().all(|k| known.contains(&k.as_str())),
            "{line}"
        );
    }
    if ["trace", "record"].contains(&payload.as_str()) {
        let age = chrono::Utc::now().timestamp_millis()
            - message[&payload]["emitted_at"].as_i64().unwrap();
        assert!(age.abs() < 3_600_000, "{line}");
    }
    message
}

/// The kinds of failure that users can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Config,
    Auth,
    Transient,
    Data,
    System,
}

impl Failure {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Config => 78,
            Self::Auth => 77,
            Self::Transient => 75,
            Self::Data => 65,
            Self::System => 70,
        }
    }

    pub(crate) fn failure_type(self) -> &'static str {
        match self {
            Self::Config | Self::Auth => "config_error",
            Self::Transient => "transient_error",
            Self::Data | Self::System => "system_error",
        }
    }
}
