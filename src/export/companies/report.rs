//! What became of each company, and of all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::name::{Name, Shard};
use crate::error::{Error, Kind};
use crate::export::difference::Difference;
use crate::export::report::{Report, Vacuumed};

/// What a run calls itself that the user ended.
pub const INTERRUPTED: &str = "interrupted";

/// What is said of a company that the user's wish to end came upon.
const BEFORE_COMMIT: &str = "Interrupted before the commit: the table stays as it was. Run again.";

/// How a company ended. Its form in JSON is the line of `--json`.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The company.
    pub company: Name,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a company.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its table is as Komet Sales has it.
    Exported {
        /// What the export did.
        #[serde(flatten)]
        report: Box<Report>,
        /// Requests sent, those that failed included.
        requests: u32,
        /// From its first step to its last.
        seconds: f64,
    },
    /// What an export would change; nothing was written.
    Compared {
        /// What it would change.
        #[serde(flatten)]
        difference: Box<Difference>,
        /// Requests sent, those that failed included.
        requests: u32,
        /// From its first step to its last.
        seconds: f64,
    },
    /// Its place can be written, and its token is accepted; nothing was exported.
    Checked {
        /// Requests sent, those that failed included.
        requests: u32,
        /// From its first step to its last.
        seconds: f64,
    },
    /// Its table stays as it was.
    Failed {
        /// What kind of failure: that of the exit codes, or `interrupted`.
        kind: &'static str,
        /// What happened, and what to do next.
        message: String,
        /// Requests sent, those that failed included.
        requests: u32,
        /// From its first step to its last.
        seconds: f64,
    },
    /// The run ended before its turn.
    NotStarted {
        /// Why.
        kind: &'static str,
    },
}

/// What became of all companies. Its form in JSON is the last line of `--json`.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Companies of this run: of its shard, as far as they were named.
    pub companies: u64,
    /// Companies that were exported.
    pub exported: u64,
    /// Companies of which is known what an export would change.
    #[serde(skip_serializing_if = "is_zero")]
    pub compared: u64,
    /// Companies that were checked alone.
    #[serde(skip_serializing_if = "is_zero")]
    pub checked: u64,
    /// Companies that failed.
    pub failed: u64,
    /// Companies whose turn never came.
    pub not_started: u64,
    /// Why the run ended early, if it did: a kind of failure, or `interrupted`.
    pub stopped: Option<&'static str>,
    /// Failed companies by the kind of failure.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Rows written.
    pub rows: u64,
    /// Requests sent.
    pub requests: u64,
    /// How long all of it took.
    pub seconds: f64,
    /// The part of the companies that was looked at.
    pub shard: Shard,
    /// Commits to one table of all companies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// How many of them went on top of what another writer had committed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebases: Option<u64>,
    /// What the vacuums after the commits removed, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vacuumed: Option<Vacuumed>,
    /// The kind that decides over the exit code.
    #[serde(skip)]
    worst: Option<Kind>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Seconds with three digits.
pub(super) fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The kinds in the order in which they decide over the exit code.
const ORDER: [Kind; 5] = [Kind::System, Kind::Transient, Kind::Config, Kind::Auth, Kind::Data];

impl Summary {
    /// Nobody has ended yet.
    pub(super) fn of(shard: Shard) -> Self {
        Self { shard, ..Self::default() }
    }

    /// A company has ended.
    pub(super) fn take(&mut self, outcome: &Outcome) {
        self.companies += 1;
        match outcome {
            Outcome::Exported { report, requests, .. } => {
                self.exported += 1;
                self.rows += report.rows;
                self.vacuumed(report.vacuumed);
                self.requests += u64::from(*requests);
            }
            Outcome::Compared { requests, .. } => {
                self.compared += 1;
                self.requests += u64::from(*requests);
            }
            Outcome::Checked { requests, .. } => {
                self.checked += 1;
                self.requests += u64::from(*requests);
            }
            Outcome::Failed { kind, requests, .. } => {
                self.failed += 1;
                *self.kinds.entry(kind).or_default() += 1;
                self.requests += u64::from(*requests);
                self.weigh(kind);
            }
            Outcome::NotStarted { kind } => {
                self.not_started += 1;
                self.weigh(kind);
            }
        }
    }

    /// A table was vacuumed, unless none was.
    pub fn vacuumed(&mut self, removed: Option<Vacuumed>) {
        let Some(removed) = removed else { return };
        let all = self.vacuumed.get_or_insert_default();
        all.count += removed.count;
        all.bytes += removed.bytes;
    }

    /// The run itself failed, whatever became of its companies.
    pub(super) fn stop(&mut self, kind: Kind) {
        self.stopped.get_or_insert(kind.name());
        self.weigh(kind.name());
    }

    fn weigh(&mut self, name: &str) {
        let place = |kind: Kind| ORDER.iter().position(|other| *other == kind);
        let Some(kind) = ORDER.into_iter().find(|kind| kind.name() == name) else { return };
        let is_worse = self.worst.is_none_or(|worst| place(kind) < place(worst));
        if is_worse {
            self.worst = Some(kind);
        }
    }

    /// 0 if all is well, else the first that occurs of 70, 75, 78, 77 and 65.
    pub fn exit_code(&self) -> u8 {
        self.worst.map_or(0, Kind::exit_code)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl Outcome {
    /// The failure of a company.
    pub(super) fn failed(
        error: &Error,
        is_interrupted: bool,
        requests: u32,
        took: Duration,
    ) -> Self {
        Self::Failed {
            kind: if is_interrupted { INTERRUPTED } else { error.kind().name() },
            message: match is_interrupted {
                true => BEFORE_COMMIT.to_owned(),
                false => error.to_string(),
            },
            requests,
            seconds: seconds(took),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(failed: &[Kind], not_started: Option<Kind>) -> Summary {
        let mut summary = Summary::default();
        for kind in failed {
            let error = Error::new(*kind, "it failed");
            summary.take(&Outcome::failed(&error, false, 2, Duration::from_millis(1500)));
        }
        if let Some(kind) = not_started {
            summary.take(&Outcome::NotStarted { kind: kind.name() });
        }
        summary
    }

    #[test]
    fn the_exit_code_is_the_first_that_occurs() {
        use Kind::{Auth, Config, Data, System, Transient};
        for (failed, not_started, code) in [
            (&[][..], None, 0),
            (&[Data], None, 65),
            (&[Data, Auth], None, 77),
            (&[Auth, Config, Data], None, 78),
            (&[Config, Auth, Transient], None, 75),
            (&[Transient, System], None, 70),
            (&[Auth], Some(Transient), 75),
        ] {
            assert_eq!(
                summary(failed, not_started).exit_code(),
                code,
                "{failed:?} {not_started:?}"
            );
        }
    }

    #[test]
    fn lines_and_the_summary_are_json() {
        let error = Error::auth("the token is refused");
        let line = Line {
            company: "rosas".parse().unwrap(),
            outcome: Outcome::failed(&error, false, 1, Duration::from_millis(20)),
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"company":"rosas","outcome":"failed","kind":"auth","message":"the token is refused","requests":1,"seconds":0.02}"#
        );
        let summary = summary(&[Kind::Auth, Kind::Auth], Some(Kind::Auth));
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"companies":3,"exported":0,"failed":2,"not_started":1,"stopped":null,"kinds":{"auth":2},"rows":0,"requests":4,"seconds":0.0,"shard":"0/1"}"#
        );
    }
}
