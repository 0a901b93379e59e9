//! The vacuum that follows commits: when it is due, and what becomes of its failure.

use std::time::Duration;

use object_store::path::Path;

use super::locate::TableFolder;
use super::vacuum::{REJECTS_RETENTION, VacuumOptions, vacuum};
use crate::export::report::Vacuumed;
use crate::log::Log as Messages;
use crate::model::{Stream, Timestamp};
use crate::store::Store;

/// Between two vacuums that follow commits, in microseconds: a day.
const PAUSE_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// Whether a vacuum may follow a commit at this time, by what was noted of others. Two machines may have clocks that are a
/// little apart; a time that is further away in the future is of a clock that was wrong.
pub(super) fn is_due(noted: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> bool {
    noted.into_iter().all(|last| last.micros().abs_diff(now.micros()) >= PAUSE_MICROS)
}

/// Vacuums a table after a commit. The rows are committed, so a failure is a warning.
pub(super) fn follow(
    store: &Store,
    folder: &Path,
    stream: &'static Stream,
    retain: Duration,
    messages: &dyn Messages,
) -> Option<Vacuumed> {
    let options =
        VacuumOptions { retain: Some(retain), rejects: REJECTS_RETENTION, is_dry_run: false };
    match vacuum(store.clone(), TableFolder(folder.clone()), stream, &options, messages) {
        Ok(done) => Some(done.total()),
        Err(error) => {
            messages.warn(&if store.interrupt().is_asked() {
                format!(
                    "The rows are committed, but the vacuum after it was interrupted. To finish it before the next one is due, run `kometsales vacuum {}`.",
                    store.shown(folder)
                )
            } else {
                format!("The rows are committed, but the vacuum after it failed: {error}")
            });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    fn at(time: &str) -> Timestamp {
        Zone::UTC.parse(time).unwrap()
    }

    #[test]
    fn it_is_due_a_day_after_the_latest() {
        let now = at("2026-11-24T06:00:00");
        for (noted, expected) in [
            (&[][..], true),
            (&["2026-11-23T06:00:00"], true),
            (&["2026-11-23T06:00:00.000001"], false),
            (&["2026-11-20T06:00:00", "2026-11-23T18:00:00", "2026-11-21T06:00:00"], false),
            (&["2026-11-20T06:00:00", "2026-11-21T06:00:00"], true),
        ] {
            assert_eq!(is_due(noted.iter().map(|time| at(time)), now), expected, "{noted:?}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_keeps_it_for_a_day_at_most() {
        let now = at("2026-11-24T06:00:00");
        assert!(!is_due([at("2026-11-24T06:00:05")], now), "another machine's clock");
        assert!(is_due([at("2990-01-01T00:00:00")], now));
        assert!(!is_due([at("2990-01-01T00:00:00"), at("2026-11-24T05:00:00")], now));
    }
}
