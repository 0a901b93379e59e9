//! What a read was, and what it may therefore be committed to: the version it began with, or one that
//! somebody else made meanwhile.

use super::note::Note;
use crate::export::mode::TableMode;
use crate::model::Timestamp;
use crate::plan::{Mode, Plan};
use crate::state::State;

/// What of a plan decides what may be committed.
pub(super) struct Read {
    mode: Mode,
    /// Whether only what changed since a cursor is read.
    pub(super) is_bounded: bool,
    scope: String,
    /// The latest cursor that is believed: [`Plan::latest_cursor`].
    latest_cursor: Timestamp,
}

impl Read {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            mode: plan.mode,
            is_bounded: !plan.is_whole,
            scope: plan.scope.clone(),
            latest_cursor: plan.latest_cursor,
        }
    }

    /// Whether rows that were asked for at `extracted_at` may be applied to a version with this note.
    ///
    /// # Errors
    /// Why they may not.
    pub(super) fn check(
        &self,
        noted: Option<&Note>,
        mode: TableMode,
        extracted_at: Timestamp,
    ) -> Result<(), &'static str> {
        let Some(noted) = noted else {
            return if self.is_bounded { Err("the table is gone") } else { Ok(()) };
        };
        // Rows that an overwrite has left out would come back, or the ones it has would go.
        let is_outdated = noted.overwritten_at.is_some_and(|time| extracted_at < time)
            || (mode == TableMode::Overwrite && extracted_at < noted.extracted_at);
        if is_outdated {
            return Err("it was read later than this one");
        }
        // What came before the cursor may be in no version any more.
        if self.is_bounded && noted.state.scope.as_ref().is_some_and(|scope| *scope != self.scope) {
            return Err("with other settings");
        }
        Ok(())
    }

    /// What is noted with the rows: `own`, but never less than what is there, unless the read was of
    /// everything and nobody came between.
    pub(super) fn note(&self, own: Note, noted: Option<&Note>, is_after_conflict: bool) -> Note {
        let mut note = own;
        if note.mode == TableMode::Overwrite {
            note.overwritten_at = Some(note.extracted_at);
        }
        let Some(noted) = noted else { return note };
        note.overwritten_at = note.overwritten_at.or(noted.overwritten_at);
        note.extracted_at = note.extracted_at.max(noted.extracted_at);
        let is_same = noted.state.scope == note.state.scope;
        let is_greatest = self.mode == Mode::Incremental || is_after_conflict;
        if is_same && is_greatest && note.mode != TableMode::Overwrite {
            let believed = noted.state.cursor.filter(|cursor| *cursor <= self.latest_cursor);
            let cursor = note.state.cursor.max(believed);
            // Of two lists the later one is what the next is compared with.
            let later = note.state.list.into_iter().chain(noted.state.list);
            let list = later.max_by_key(|list| list.at);
            note.state = State { cursor, list, ..note.state };
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::Noted;
    use super::*;
    use crate::model::Zone;

    fn at(second: u32) -> Timestamp {
        Zone::UTC.parse(&format!("2026-01-01T00:00:{second:02}")).unwrap()
    }

    fn noted(mode: TableMode, second: u32, scope: &str) -> Note {
        let state = State { cursor: Some(at(second)), scope: Some(scope.into()), list: None };
        let overwritten_at = (mode == TableMode::Overwrite).then(|| at(second));
        Note {
            run: "r".into(),
            mode,
            table_mode: mode,
            extracted_at: at(second),
            overwritten_at,
            state,
            made: None,
            filters: None,
            vacuumed_at: None,
            people: Noted::default(),
            restored: None,
        }
    }

    fn read(mode: Mode, is_bounded: bool) -> Read {
        Read { mode, is_bounded, scope: "s".into(), latest_cursor: at(30) }
    }

    #[test]
    fn what_was_read_before_an_overwrite_is_not_applied_to_it() {
        let (merge, over) = (TableMode::Merge, TableMode::Overwrite);
        for (is_bounded, mode, other, second, is_applied) in [
            (true, merge, noted(merge, 9, "s"), 5, true),
            (false, merge, noted(merge, 9, "t"), 5, true),
            (true, merge, noted(merge, 9, "t"), 5, false),
            (true, merge, noted(over, 9, "s"), 5, false),
            (true, merge, noted(over, 4, "s"), 5, true),
            (true, merge, Note { overwritten_at: Some(at(7)), ..noted(merge, 9, "s") }, 5, false),
            (false, over, noted(merge, 9, "s"), 5, false),
            (false, over, noted(merge, 4, "t"), 5, true),
            (false, over, noted(merge, 5, "s"), 5, true),
            (true, merge, noted(over, 5, "s"), 5, true),
        ] {
            let read = read(Mode::Incremental, is_bounded);
            assert_eq!(read.check(Some(&other), mode, at(second)).is_ok(), is_applied, "{other:?}");
        }
        let full = read(Mode::FullRefresh, false);
        assert!(full.check(None, merge, at(5)).is_ok());
        assert!(read(Mode::Incremental, true).check(None, merge, at(5)).is_err());
    }

    #[test]
    fn the_greater_cursor_is_noted_unless_everything_was_read_or_under_another_scope() {
        let there = noted(TableMode::Merge, 9, "s");
        let own = || noted(TableMode::Merge, 5, "s");
        let cursor = |mode, own, is_after_conflict| {
            read(mode, false).note(own, Some(&there), is_after_conflict).state.cursor
        };
        assert_eq!(cursor(Mode::Incremental, own(), false), Some(at(9)));
        assert_eq!(cursor(Mode::FullRefresh, own(), true), Some(at(9)));
        assert_eq!(cursor(Mode::FullRefresh, own(), false), Some(at(5)));
        assert_eq!(cursor(Mode::Incremental, noted(TableMode::Merge, 5, "t"), true), Some(at(5)));
        assert_eq!(
            cursor(Mode::FullRefresh, noted(TableMode::Overwrite, 5, "s"), true),
            Some(at(5))
        );
        let ahead = noted(TableMode::Merge, 31, "s");
        for is_after_conflict in [false, true] {
            let note = read(Mode::Incremental, false).note(own(), Some(&ahead), is_after_conflict);
            assert_eq!(note.state.cursor, Some(at(5)), "a cursor that is not believed is not kept");
        }
        let note = read(Mode::Incremental, false).note(own(), Some(&there), false);
        assert_eq!(note.extracted_at, at(9), "the latest read whose rows are there");
    }
}
