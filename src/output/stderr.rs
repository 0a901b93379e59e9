//! Messages on stderr: text for people, or lines of JSON for a host that asks for them.

use std::io::Write;
use std::path::Path;

use chrono::Utc;
use serde_json::{Value, json};

use crate::log::{Level, Log, escaped};
use crate::secret::{Redactor, Token};

/// Writes messages to stderr.
pub struct Stderr {
    level: Level,
    is_json: bool,
    secrets: Redactor,
}

/// What is measured of a run: `METRIC` lines, as Singer's `BEST_PRACTICES.md` and Meltano's SDK have them.
pub struct Metric<'a> {
    /// `counter` or `timer`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How many, or how many seconds.
    pub value: Value,
    /// The stream it was measured of.
    pub stream: &'a str,
}

impl Stderr {
    /// Leaves out messages below `level`, or below the one that Meltano's logging configuration names.
    /// Writes JSON where that configuration names the SDK's structured formatter, text otherwise.
    pub fn new(level: Level, log_config: Option<&Path>) -> Self {
        let wish =
            log_config.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let asked: Value = serde_json::from_str(&wish).unwrap_or_default();
        let level = match asked["root"]["level"].as_str().unwrap_or_default() {
            _ if level == Level::Debug => level,
            "DEBUG" => Level::Debug,
            "WARNING" => Level::Warn,
            "ERROR" | "CRITICAL" => Level::Error,
            _ => level,
        };
        Self { level, is_json: wish.contains("StructuredFormatter"), secrets: Redactor::default() }
    }

    /// From now on the token is cut out of every message.
    pub fn hide(&self, token: &Token) {
        self.secrets.hide(token);
    }

    /// Writes what was measured.
    pub fn metric(&self, metric: &Metric<'_>) {
        let Metric { kind, name, value, stream } = metric;
        let info = json!({
            "type": kind, "metric": name, "value": value, "tags": {"stream": stream},
        });
        self.write(Level::Info, "INFO", &format!("METRIC: {info}"), Some(&info));
    }

    /// Writes why the run failed: the last line there is.
    pub fn critical(&self, message: &str) {
        self.write(Level::Error, "CRITICAL", message, None);
    }

    fn write(&self, level: Level, name: &str, message: &str, metric: Option<&Value>) {
        if level < self.level {
            return;
        }
        let message = self.secrets.redact(message);
        let message = escaped(&message);
        let line = if self.is_json {
            structured(name, &message, metric)
        } else {
            format!("{name} {message}")
        };
        // Where stderr is gone nobody can read it.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

/// A line in the form of the SDK's `logs.schema.json`, which Meltano reads.
fn structured(level: &str, message: &str, metric: Option<&Value>) -> String {
    let now = Utc::now();
    let mut line = json!({
        "level": level.to_ascii_lowercase(),
        "pid": std::process::id(),
        "logger_name": "tap-kometsales",
        "ts": now.timestamp_micros() as f64 / 1e6,
        "thread_name": "main",
        "app_name": "tap-kometsales",
        "stream_name": null,
        "message": message,
        "extra": {},
    });
    if let Some(metric) = metric {
        line["metric_info"] = metric.clone();
        line["stream_name"] = metric["tags"]["stream"].clone();
    }
    line.to_string()
}

impl Log for Stderr {
    fn takes(&self, level: Level) -> bool {
        level >= self.level
    }

    fn log(&self, level: Level, message: &str) {
        let name = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARNING",
            Level::Error => "ERROR",
        };
        self.write(level, name, message, None);
    }
}
