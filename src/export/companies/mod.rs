//! Many companies in one run, each with its own token, settings and table. One company's failure is its line in the
//! report, and no company's rows get into another's table.
//!
//! There is no ledger of what was done: the state is in the tables, so running again is resuming.

mod list;
mod name;
mod one;
mod queue;
mod report;
mod run;
mod spacing;
mod stops;
mod stream;
mod tokens;

pub use list::{Companies, Part};
pub use name::{Name, Shard};
pub use one::{To, Turns, settings_for_all};
pub use report::{INTERRUPTED, Line, Outcome, Summary};
pub use run::{Commit, Done, Pace, Turn, run};
pub use stream::Streamed;
pub use tokens::Tokens;
