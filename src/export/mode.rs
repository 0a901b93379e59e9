//! What an export does with the rows that a table has.

/// What an export does with the rows that a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableMode {
    /// One row a key: what was extracted later wins.
    Merge,
    /// Every version of a row.
    Append,
    /// Exactly what the reply held.
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
