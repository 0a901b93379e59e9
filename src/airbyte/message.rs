//! The messages that a source writes, one JSON object a line. Absent members are left out, never null.
//!
//! `RECORD` is not among them: the sink writes it straight from batches.

use serde_json::{Value, json};

use crate::config::settings;
use crate::error::Kind;
use crate::log::Level;
use crate::model::{Stream, Timestamp};
use crate::state::Checkpoint;

/// What explains the connector to its users.
const DOCUMENTATION: &str =
    "https://kometsales.atlassian.net/wiki/spaces/APIDocs/pages/11175207/customer.list";

/// `AirbyteStreamStatus`: how far the read of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The request is about to be sent.
    Started,
    /// The reply is proved, and its records follow, if there are any.
    Running,
    /// Every record and the state have been written.
    Complete,
    /// The read failed.
    Incomplete,
}

/// What can be configured: `ConnectorSpecification`.
pub fn specification() -> Value {
    json!({
        "documentationUrl": DOCUMENTATION,
        "connectionSpecification": settings::json_schema(),
    })
}

/// The answer to `spec`.
pub fn spec() -> Value {
    json!({"type": "SPEC", "spec": specification()})
}

/// The answer to `discover`: an `AirbyteCatalog`.
pub fn catalog(catalog: Value) -> Value {
    json!({"type": "CATALOG", "catalog": catalog})
}

/// The answer to `check`, an `AirbyteConnectionStatus`: it works, or why not.
pub fn connection_status(failure: Option<String>) -> Value {
    let status = match failure {
        None => json!({"status": "SUCCEEDED"}),
        Some(message) => json!({"status": "FAILED", "message": message}),
    };
    json!({"type": "CONNECTION_STATUS", "connectionStatus": status})
}

/// Where the read of a stream left off, and how many records it gave: `AirbyteStateMessage`.
pub fn state(checkpoint: &Checkpoint) -> Value {
    let stream = checkpoint.stream();
    // The protocol counts in doubles: `12.0`.
    let count = checkpoint.rows() as f64;
    let state = json!({
        "type": "STREAM",
        "stream": {
            "stream_descriptor": {"name": stream.name},
            "stream_state": checkpoint.state().to_json(stream),
        },
        "sourceStats": {"recordCount": count},
    });
    json!({"type": "STATE", "state": state})
}

/// How far the read of a stream is.
pub fn stream_status(name: &str, status: Status, now: Timestamp) -> Value {
    let status = match status {
        Status::Started => "STARTED",
        Status::Running => "RUNNING",
        Status::Complete => "COMPLETE",
        Status::Incomplete => "INCOMPLETE",
    };
    let status = json!({"stream_descriptor": {"name": name}, "status": status});
    trace(now, "STREAM_STATUS", "stream_status", status)
}

/// How many records follow.
pub fn estimate(stream: &Stream, rows: u64, now: Timestamp) -> Value {
    let estimate = json!({"name": stream.name, "type": "STREAM", "row_estimate": rows});
    trace(now, "ESTIMATE", "estimate", estimate)
}

/// Why a run failed, its causes, and of which stream.
pub fn error(
    kind: Kind,
    message: String,
    causes: Option<String>,
    stream: Option<&str>,
    now: Timestamp,
) -> Value {
    let mut error = json!({"message": message});
    if let Some(causes) = causes {
        error["internal_message"] = causes.into();
    }
    error["failure_type"] = kind.failure_type().into();
    if let Some(name) = stream {
        error["stream_descriptor"] = json!({"name": name});
    }
    trace(now, "ERROR", "error", error)
}

/// A line for people: `AirbyteLogMessage`.
pub fn log(level: Level, message: &str) -> Value {
    let level = match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    json!({"type": "LOG", "log": {"level": level, "message": message}})
}

/// `AirbyteTraceMessage`.
fn trace(now: Timestamp, kind: &str, member: &str, news: Value) -> Value {
    json!({"type": "TRACE", "trace": {"emitted_at": now.millis(), "type": kind, member: news}})
}
