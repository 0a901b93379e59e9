//! Companies that share one table: runs hand in what each has uploaded and commit many at once, beside other runs of the
//! same and of other companies, vacuums and removals.

mod history;
mod oracle;

pub(super) use history::History;
pub(super) use oracle::faults;

/// The companies that there may be, some with what a name may hold.
const COMPANIES: [&str; 4] = ["rosas", "lirios.2", "Claveles-3", "gerberas_4"];

/// The names of a company's customers are numbered from this times its place on.
const NAMES: u32 = 1_000_000;

/// What has to happen in some of many histories besides what has to in each kind.
pub(super) const PLAYED: [&str; 10] = [
    "begins: Forget",
    "commits 1 of",
    "commits 3",
    "on top of others",
    "on top of others, beside who was overtaken",
    ": Overtaken",
    "turn 2 of",
    ", in doubt",
    ": Unchanged",
    "vacuums behind its commits",
];
