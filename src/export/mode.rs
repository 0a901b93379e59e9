//! What becomes of the rows that a table has.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// What an export does with the rows that a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TableMode {
    /// One row per record, the newest version
    Merge,
    /// One row per version of a record
    Append,
    /// Exactly what Komet Sales has now
    Overwrite,
    /// Every version of a record, with the time at which it was valid
    #[value(skip)]
    History,
}

impl TableMode {
    /// The mode of a name, as the command line and the table have it.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}

impl fmt::Display for TableMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
