//! What an export did, for people and for programs.

use std::time::Duration;

use indicatif::{DecimalBytes, HumanCount};
use serde::{Serialize, Serializer};

use super::paint::{Paint, plural};
use crate::error::{Error, Result};
use crate::export::report::Report;
use crate::model::Stream;

/// An export that is over.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    /// What it did.
    #[serde(flatten)]
    pub(super) report: &'a Report,
    /// How long all of it took.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub(super) elapsed: Duration,
    /// The stream that was exported.
    #[serde(skip)]
    pub(super) stream: &'static Stream,
}

fn as_seconds<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// An answer as one line of JSON.
pub(super) fn json_line(answer: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(answer)
        .map_err(|error| Error::bug("An answer could not be written").caused_by(error))?;
    Ok(line + "\n")
}

impl Summary<'_> {
    /// A few lines.
    pub(super) fn text(&self, paint: Paint) -> String {
        let report = self.report;
        let version = report.version.map(|version| format!(", version {version}"));
        let mode = report.mode.map(|mode| format!(", {mode}")).unwrap_or_default();
        let place = format!("{}{mode}{}", paint.bold(&report.to), version.unwrap_or_default());
        let heading = if report.committed {
            format!("Exported to {place}")
        } else {
            format!("Nothing has changed: {place}")
        };
        let mut rows = format!("{} written", plural(report.rows, self.stream.record));
        if report.unchanged > 0 {
            rows.push_str(&format!(", {} unchanged", HumanCount(report.unchanged)));
        }
        if let Some(all) = report.table_rows {
            rows.push_str(&format!(", {} in the table", plural(all, "row")));
        }
        let mut lines = vec![("rows", rows)];
        let record = self.stream.record;
        let some = |count: Option<u64>| count.filter(|count| *count > 0);
        if let Some(deleted) = some(report.deleted) {
            let deleted = plural(deleted, record);
            lines.push((
                "deleted",
                format!("{deleted} no longer in the list, marked in _deleted_at"),
            ));
        }
        if let Some(restored) = some(report.restored) {
            lines.push(("restored", format!("{} in the list again", plural(restored, record))));
        }
        if let Some(withheld) = some(report.withheld) {
            let withheld = plural(withheld, record);
            lines.push((
                "withheld",
                format!("{withheld} missing from the list and not marked as deleted"),
            ));
        } else if let Some(missing) = some(report.not_returned) {
            let missing = plural(missing, record);
            lines.push((
                "absent",
                format!("{missing} of the table were not in the reply and were kept"),
            ));
        }
        let rejects = match (&report.rejects_to, report.rejects) {
            (_, 0) => "none".to_owned(),
            (None, rejects) => HumanCount(rejects).to_string(),
            (Some(to), rejects) => format!("{}, kept in {to}", HumanCount(rejects)),
        };
        lines.push(("rejects", rejects));
        let files = match report.files {
            0 => String::new(),
            files => format!(" in {}", plural(files as u64, "file")),
        };
        lines.push(("size", format!("{}{files}", DecimalBytes(report.bytes))));
        if let Some(vacuumed) = report.vacuumed {
            let files = plural(vacuumed.count, "file");
            lines.push(("vacuum", format!("{files} removed, {}", DecimalBytes(vacuumed.bytes))));
        }
        lines.push(("seconds", format!("{:.3}", self.elapsed.as_secs_f64())));
        if self.stream.cursor().is_some() {
            let cursor = report.cursor.map_or_else(|| "none".to_owned(), |at| at.to_string());
            lines.push(("cursor", cursor));
        }
        let lines = lines
            .iter()
            .map(|(name, text)| format!("   {} {text}\n", paint.dim(format!("{name:<8}"))));
        format!("{heading}\n{}", lines.collect::<String>())
    }
}
