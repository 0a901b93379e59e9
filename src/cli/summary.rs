//! What an export did, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::paint::{Paint, human_bytes, plural, thousands};
use crate::export::report::Report;

/// An export that is over.
pub(super) struct Summary<'a> {
    /// Where it went, as people write it.
    pub(super) to: &'a str,
    /// `table`, `file` or `stream`.
    pub(super) kind: &'static str,
    /// The mode of a table.
    pub(super) mode: Option<&'static str>,
    /// What one record is called.
    pub(super) record: &'static str,
    /// How long all of it took.
    pub(super) elapsed: Duration,
    /// What it did.
    pub(super) report: &'a Report,
}

impl Summary<'_> {
    /// One JSON object.
    pub(super) fn json(&self) -> Value {
        let Report { run, received, rows, unchanged, rejects, rejects_to, .. } = self.report;
        let Report { not_returned, bytes, files, version, committed, .. } = self.report;
        let Report { cursor, extracted_at, table_rows, .. } = self.report;
        json!({
            "to": self.to,
            "kind": self.kind,
            "mode": self.mode,
            "run": run,
            "received": received,
            "rows": rows,
            "unchanged": unchanged,
            "rejects": rejects,
            "rejects_to": rejects_to,
            "not_returned": not_returned,
            "bytes": bytes,
            "files": files,
            "seconds": (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            "version": version,
            "committed": committed,
            "cursor": cursor.map(|cursor| cursor.to_string()),
            "extracted_at": extracted_at.to_string(),
            "table_rows": table_rows,
        })
    }

    /// A few lines.
    pub(super) fn text(&self, paint: Paint) -> String {
        let report = self.report;
        let version = report.version.map(|version| format!(", version {version}"));
        let mode = self.mode.map(|mode| format!(", {mode}")).unwrap_or_default();
        let place = format!("{}{mode}{}", paint.bold(self.to), version.unwrap_or_default());
        let heading = if report.committed {
            format!("Exported to {place}")
        } else {
            format!("Nothing has changed: {place}")
        };
        let mut rows = format!("{} written", plural(report.rows, self.record));
        if report.unchanged > 0 {
            rows.push_str(&format!(", {} unchanged", thousands(report.unchanged)));
        }
        if let Some(all) = report.table_rows {
            rows.push_str(&format!(", {} in the table", plural(all, "row")));
        }
        let mut lines = vec![("rows", rows)];
        if let Some(missing) = report.not_returned.filter(|missing| *missing > 0) {
            let text = format!(
                "{} of the table were not in the reply and were kept",
                plural(missing, "row")
            );
            lines.push(("absent", text));
        }
        let rejects = match (&report.rejects_to, report.rejects) {
            (_, 0) => "none".to_owned(),
            (None, rejects) => thousands(rejects),
            (Some(to), rejects) => format!("{}, kept whole in {to}", thousands(rejects)),
        };
        lines.push(("rejects", rejects));
        let files = match report.files {
            0 => String::new(),
            files => format!(" in {}", plural(files as u64, "file")),
        };
        lines.push(("size", format!("{}{files}", human_bytes(report.bytes))));
        lines.push(("seconds", format!("{:.3}", self.elapsed.as_secs_f64())));
        let cursor = report.cursor.map_or_else(|| "none".to_owned(), |cursor| cursor.to_string());
        lines.push(("cursor", cursor));
        let lines = lines
            .iter()
            .map(|(name, text)| format!("   {} {text}\n", paint.dim(format!("{name:<8}"))));
        format!("{heading}\n{}", lines.collect::<String>())
    }
}
