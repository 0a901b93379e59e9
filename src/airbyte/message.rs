//! The messages that a source writes, one JSON object a line. Absent members are left out, never null.
//!
//! `RECORD` is not among them: the sink writes it straight from batches.

use serde::Serialize;
use serde_json::Value;

use crate::config::settings;
use crate::error::Kind;
use crate::log::Level;
use crate::model::{Stream, Timestamp};
use crate::state::Checkpoint;

/// What explains the connector to its users.
const DOCUMENTATION: &str =
    "https://kometsales.atlassian.net/wiki/spaces/APIDocs/pages/11175207/customer.list";

/// `AirbyteMessage`.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub enum Message<'a> {
    /// What can be configured: `ConnectorSpecification`.
    #[serde(rename = "SPEC")]
    Spec {
        /// The specification.
        spec: Value,
    },
    /// Whether a configuration works: `AirbyteConnectionStatus`.
    #[serde(rename = "CONNECTION_STATUS")]
    ConnectionStatus {
        /// The answer.
        #[serde(rename = "connectionStatus")]
        connection_status: ConnectionStatus,
    },
    /// What can be read: `AirbyteCatalog`.
    #[serde(rename = "CATALOG")]
    Catalog {
        /// The catalog.
        catalog: Value,
    },
    /// Where a read left off: `AirbyteStateMessage`.
    #[serde(rename = "STATE")]
    State {
        /// The state of one stream.
        state: StreamState<'a>,
    },
    /// How a read goes: `AirbyteTraceMessage`.
    #[serde(rename = "TRACE")]
    Trace {
        /// The news.
        trace: Trace<'a>,
    },
    /// For people: `AirbyteLogMessage`.
    #[serde(rename = "LOG")]
    Log {
        /// The line.
        log: LogLine<'a>,
    },
}

/// `AirbyteConnectionStatus`.
#[derive(Debug, Serialize)]
pub struct ConnectionStatus {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// `AirbyteStateMessage` of type `STREAM`.
#[derive(Debug, Serialize)]
pub struct StreamState<'a> {
    r#type: &'static str,
    stream: StreamStateBody<'a>,
    #[serde(rename = "sourceStats")]
    source_stats: Stats,
}

#[derive(Debug, Serialize)]
struct StreamStateBody<'a> {
    stream_descriptor: Descriptor<'a>,
    stream_state: Value,
}

/// The protocol counts in doubles: `12.0`.
#[derive(Debug, Serialize)]
struct Stats {
    #[serde(rename = "recordCount")]
    record_count: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Descriptor<'a> {
    name: &'a str,
}

/// `AirbyteTraceMessage`.
#[derive(Debug, Serialize)]
pub struct Trace<'a> {
    emitted_at: i64,
    #[serde(flatten)]
    news: News<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type")]
enum News<'a> {
    #[serde(rename = "STREAM_STATUS")]
    StreamStatus { stream_status: StreamStatus<'a> },
    #[serde(rename = "ESTIMATE")]
    Estimate { estimate: Estimate<'a> },
    #[serde(rename = "ERROR")]
    Error { error: ErrorTrace<'a> },
}

#[derive(Debug, Serialize)]
struct StreamStatus<'a> {
    stream_descriptor: Descriptor<'a>,
    status: Status,
}

/// `AirbyteStreamStatus`: how far the read of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
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

#[derive(Debug, Serialize)]
struct Estimate<'a> {
    name: &'a str,
    r#type: &'static str,
    row_estimate: u64,
}

#[derive(Debug, Serialize)]
struct ErrorTrace<'a> {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_message: Option<String>,
    failure_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_descriptor: Option<Descriptor<'a>>,
}

/// `AirbyteLogMessage`.
#[derive(Debug, Serialize)]
pub struct LogLine<'a> {
    level: &'static str,
    message: &'a str,
}

/// What can be configured: `ConnectorSpecification`.
pub fn specification() -> Value {
    serde_json::json!({
        "documentationUrl": DOCUMENTATION,
        "connectionSpecification": settings::json_schema(),
    })
}

impl<'a> Message<'a> {
    /// The answer to `spec`.
    pub fn spec() -> Self {
        Self::Spec { spec: specification() }
    }

    /// The answer to `check`: it works, or why not.
    pub fn connection_status(failure: Option<String>) -> Self {
        let status = if failure.is_none() { "SUCCEEDED" } else { "FAILED" };
        Self::ConnectionStatus { connection_status: ConnectionStatus { status, message: failure } }
    }

    /// Where the read of a stream left off, and how many records it gave.
    pub fn state(checkpoint: &'a Checkpoint) -> Self {
        let stream = checkpoint.stream();
        Self::State {
            state: StreamState {
                r#type: "STREAM",
                stream: StreamStateBody {
                    stream_descriptor: Descriptor { name: stream.name },
                    stream_state: checkpoint.state().to_json(stream),
                },
                source_stats: Stats { record_count: checkpoint.rows() as f64 },
            },
        }
    }

    /// How far the read of a stream is.
    pub fn stream_status(name: &'a str, status: Status, now: Timestamp) -> Self {
        let stream_descriptor = Descriptor { name };
        Self::trace(
            now,
            News::StreamStatus { stream_status: StreamStatus { stream_descriptor, status } },
        )
    }

    /// How many records follow.
    pub fn estimate(stream: &'a Stream, rows: u64, now: Timestamp) -> Self {
        let estimate = Estimate { name: stream.name, r#type: "STREAM", row_estimate: rows };
        Self::trace(now, News::Estimate { estimate })
    }

    /// Why a run failed, and of which stream.
    pub fn error(
        kind: Kind,
        message: String,
        internal_message: Option<String>,
        stream: Option<&'a str>,
        now: Timestamp,
    ) -> Self {
        let error = ErrorTrace {
            message,
            internal_message,
            failure_type: kind.failure_type(),
            stream_descriptor: stream.map(|name| Descriptor { name }),
        };
        Self::trace(now, News::Error { error })
    }

    /// A line for people.
    pub fn log(level: Level, message: &'a str) -> Self {
        let level = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        Self::Log { log: LogLine { level, message } }
    }

    fn trace(now: Timestamp, news: News<'a>) -> Self {
        Self::Trace { trace: Trace { emitted_at: now.millis(), news } }
    }
}
