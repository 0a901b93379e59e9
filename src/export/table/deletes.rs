//! Whether customers that a list no longer has are marked as deleted. A mark is a proof: the list was complete, so
//! was the one before it, no more are missing than may be, and those of them that are asked for are gone.

use std::collections::HashSet;

use super::Table;
use super::missing::{Missing, Vanished};
use crate::error::Result;
use crate::model::Timestamp;
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Answer, Reply};

/// At most this number may be missing from any list that has as many again.
const FEW: u64 = 10;

/// Of more records this percentage.
const PERCENT: u64 = 10;

/// At most this number of the missing keys is asked for one by one.
const MAX_QUESTIONS: usize = 5;

/// What a run knows of keys that it has asked for, however often other writers came first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// Keys that are gone.
    gone: HashSet<i64>,
    /// Whether an answer said that the list was not whole, or that nothing is known.
    is_in_doubt: bool,
}

/// What is decided of the keys that a reply does not have.
#[derive(Debug, Default)]
pub(super) struct Deletes {
    /// The rows that are marked, in the order of the files.
    pub(super) rows: Vec<Missing>,
    /// How many would have been marked, but for too many of them or an answer.
    pub(super) withheld: u64,
}

impl Questions {
    /// Decides.
    ///
    /// # Errors
    /// `System`: the user asks the run to end.
    pub(super) fn decide(
        &mut self,
        table: &Table<'_>,
        plan: &Plan,
        reply: &mut dyn Reply,
        extracted_at: Timestamp,
        vanished: Vanished,
    ) -> Result<Deletes> {
        if let Some(why) = unmarked(table, plan, reply.receipt(), extracted_at) {
            table.messages.debug(&format!(
                "Stream `{}`: no {} is marked as deleted, since {why}.",
                plan.stream.name, plan.stream.record
            ));
            return Ok(Deletes::default());
        }
        let (missing, living) = (vanished.rows.len() as u64, vanished.living);
        let withheld = Deletes { rows: Vec::new(), withheld: missing };
        let record = plan.stream.record;
        if !may_vanish(missing, living) && !table.options.allow_shrink {
            table.messages.warn(&format!(
                "{missing} of the {living} {record}s that the table at {} has as current are missing from the list, more than may vanish at once, so none is marked as deleted. If they are gone, run once with --full-refresh --allow-shrink.",
                table.log.place()
            ));
            return Ok(withheld);
        }
        if missing > 0 && !self.prove(table, plan, reply, &vanished.rows)? {
            return Ok(withheld);
        }
        Ok(Deletes { rows: vanished.rows, withheld: 0 })
    }

    /// Asks for some of the missing keys, chosen at random. False if one is there after all, or if that is not
    /// known of one.
    fn prove(
        &mut self,
        table: &Table<'_>,
        plan: &Plan,
        reply: &mut dyn Reply,
        missing: &[Missing],
    ) -> Result<bool> {
        let interrupt = table.log.store.interrupt();
        for key in chosen(missing, MAX_QUESTIONS) {
            if self.is_in_doubt || self.gone.len() >= MAX_QUESTIONS {
                break;
            }
            if self.gone.contains(&key) {
                continue;
            }
            interrupt.check()?;
            let answer = reply.ask(key);
            interrupt.check()?;
            let record = plan.stream.record;
            match answer {
                Answer::Gone => drop(self.gone.insert(key)),
                Answer::There => {
                    self.is_in_doubt = true;
                    table.messages.warn(&format!(
                        "The list was not whole: {record} {key} is missing from it, and Komet Sales still has that {record}. No {record} is marked as deleted; run again with --full-refresh."
                    ));
                }
                Answer::Unknown(error) => {
                    self.is_in_doubt = true;
                    table.messages.warn(&format!(
                        "No {record} is marked as deleted, since nothing proves that {record} {key} is gone: {error}"
                    ));
                }
            }
        }
        Ok(!self.is_in_doubt)
    }
}

/// Why nothing follows from what is missing from a reply, if nothing does.
fn unmarked(
    table: &Table<'_>,
    plan: &Plan,
    receipt: &Receipt,
    extracted_at: Timestamp,
) -> Option<&'static str> {
    if let Some(why) = receipt.incomplete {
        return Some(why);
    }
    let noted = table.version.as_ref().and_then(|version| version.note.as_ref());
    let Some(state) = noted.map(|note| &note.state) else {
        return Some("the table has no note of a list before this one");
    };
    if state.scope.as_ref() != Some(&plan.scope) {
        return Some("this is the first list with these settings");
    }
    match state.list {
        Some(list) if list.count.is_some() && list.at > extracted_at => {
            Some("another export has compared a later list")
        }
        Some(list) if list.count.is_some() => None,
        Some(_) => Some("the list before this one was not complete"),
        None => Some("this is the first complete list"),
    }
}

/// Whether this number of the living may vanish at once: few or a small share of them, and never more than half,
/// unless there is only one.
fn may_vanish(missing: u64, living: u64) -> bool {
    let is_small = missing <= FEW || missing.saturating_mul(100) <= living.saturating_mul(PERCENT);
    is_small && (missing.saturating_mul(2) <= living || (missing, living) == (1, 1))
}

/// The keys of at most this number of rows, chosen at random.
fn chosen(rows: &[Missing], most: usize) -> Vec<i64> {
    let mut positions = HashSet::new();
    while positions.len() < most.min(rows.len()) {
        positions.insert(fastrand::usize(..rows.len()));
    }
    positions.into_iter().filter_map(|position| Some(rows.get(position)?.key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_or_a_tenth_of_the_living_and_never_more_than_half_may_vanish() {
        for (living, most) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 1),
            (19, 9),
            (20, 10),
            (21, 10),
            (100, 10),
            (109, 10),
            (110, 11),
            (119, 11),
            (1000, 100),
            (1_000_001, 100_000),
        ] {
            assert!(may_vanish(most, living), "{most} of {living}");
            assert!(!may_vanish(most + 1, living), "{} of {living}", most + 1);
        }
        assert!(!may_vanish(u64::MAX, u64::MAX - 1));
    }

    #[test]
    fn up_to_five_different_keys_are_asked_for() {
        let row = |key| Missing { key, time: 0, file: 0, row: 0, is_deleted: false };
        let rows: Vec<Missing> = (0..100).map(row).collect();
        let keys: HashSet<i64> = chosen(&rows, MAX_QUESTIONS).into_iter().collect();
        assert_eq!(keys.len(), MAX_QUESTIONS);
        let all: HashSet<i64> = chosen(&rows[..3], MAX_QUESTIONS).into_iter().collect();
        assert_eq!(all, HashSet::from([0, 1, 2]));
        assert!(chosen(&[], MAX_QUESTIONS).is_empty());
    }
}
