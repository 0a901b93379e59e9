//! The commit protocol under a seed: writers of all modes, vacuums and what may go wrong with each request, in an order that
//! the seed decides; and what has to hold of every history. The code is the product's, from the reply to the commit; what
//! is made up is Komet, the clock and the objects of the store.
//!
//! `KOMETSALES_SEED=7 cargo test --test simulation -- --nocapture` shows the history of a seed, and
//! `KOMETSALES_SEEDS=100000` tries so many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by a panic")]

mod history;
mod komet;
mod log;
mod model;
mod oracle;
mod store;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use history::History;

/// Seeds that are tried where nobody says how many.
const SEEDS: u64 = 300;

/// Seeds that have once shown a fault.
const FOUND: &[u64] = &[];

/// Tries a seed, and says which one it was if it fails.
fn holds(seed: u64) {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let history = History::of(seed);
        let faults = oracle::faults(&history);
        assert!(faults.is_empty(), "{}\n{}", history.trace.join("\n"), faults.join("\n"));
    }));
    if run.is_err() {
        panic!("KOMETSALES_SEED={seed} shows a fault");
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn whatever_goes_wrong_every_run_is_in_one_version_or_in_none() {
    if let Some(seed) = of_environment("KOMETSALES_SEED") {
        let history = History::of(seed);
        println!("{}", history.trace.join("\n"));
        return holds(seed);
    }
    let seeds = of_environment("KOMETSALES_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    holds(seed);
                }
            });
        }
    });
}

#[test]
fn seeds_that_once_showed_a_fault_show_none() {
    FOUND.iter().for_each(|seed| holds(*seed));
}

#[test]
fn a_seed_is_a_history_to_the_letter() {
    for seed in 0..10 {
        let (one, other) = (History::of(seed), History::of(seed));
        assert_eq!(one.trace.join("\n"), other.trace.join("\n"), "seed {seed}");
        assert!(one.trace.len() > 20, "{:?}", one.trace);
    }
}
