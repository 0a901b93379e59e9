//! Edits that were made to customers while the simulator runs.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::customer::{Customer, id_of};

/// A prime greater than any number of customers, so that steps of it visit each one once a round.
const STRIDE: u128 = (1 << 61) - 1;

/// The edits so far, by the customer's index.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    edits: HashMap<u64, Edit>,
    made: u64,
    /// Customers that were removed, the first one first.
    removed: VecDeque<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Edit {
    times: u32,
    updated_on: i64,
}

impl Changes {
    /// Edits `count` of the customers with these indices at `now` (seconds since 1970); never one twice
    /// in a call. Returns their ids.
    pub(super) fn make(&mut self, count: u64, customers: &Range<u64>, now: i64) -> Vec<u64> {
        let all = customers.end - customers.start;
        let count = count.min(all);
        let mut ids = Vec::new();
        for _ in 0..count {
            // Scattered over the list, because an order by time is what the API does not promise.
            let step = (u128::from(self.made) * STRIDE % u128::from(all)) as u64;
            let index = customers.start + step;
            let edit = self.edits.entry(index).or_insert(Edit { times: 0, updated_on: now });
            edit.times += 1;
            edit.updated_on = now;
            self.made += 1;
            ids.push(id_of(index));
        }
        ids
    }

    /// Removes `count` of the customers with these indices, the last ones first. Returns their ids.
    pub(super) fn remove(&mut self, count: u64, customers: &Range<u64>) -> Vec<u64> {
        let there = customers.clone().rev().filter(|index| !self.removed.contains(index));
        let removed: Vec<u64> = there.take(usize::try_from(count).unwrap_or(usize::MAX)).collect();
        self.removed.extend(&removed);
        removed.into_iter().map(id_of).collect()
    }

    /// Brings back `count` customers as they were, those that were removed first. Returns their ids.
    pub(super) fn restore(&mut self, count: u64) -> Vec<u64> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.removed.len());
        self.removed.drain(..count).map(id_of).collect()
    }

    pub(super) fn is_removed(&self, index: u64) -> bool {
        !self.removed.is_empty() && self.removed.contains(&index)
    }

    pub(super) fn apply(&self, customer: &mut Customer) {
        let Some(edit) =
            (!self.edits.is_empty()).then(|| self.edits.get(&customer.index)).flatten()
        else {
            return;
        };
        customer.updated_on = edit.updated_on;
        // A deactivation is an edit too, and the one that a reader misses most easily.
        if customer.index.is_multiple_of(4) {
            customer.active ^= edit.times % 2 == 1;
        } else {
            customer.name.push_str(&format!(" (renamed {})", edit.times));
        }
    }
}
