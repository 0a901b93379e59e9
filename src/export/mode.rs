//! What becomes of the rows that a table has.

use clap::ValueEnum;

/// What an export does with the rows that a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableMode {
    /// One row per record, the newest version
    Merge,
    /// One row per version of a record
    Append,
    /// Exactly what Komet Sales has now
    Overwrite,
}

impl TableMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Merge, Self::Append, Self::Overwrite];

    /// What it is called on the command line and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Append => "append",
            Self::Overwrite => "overwrite",
        }
    }

    /// The mode of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}
