//! What becomes of the rows that a table has.

use std::fmt;

use arrow_schema::SchemaRef;
use clap::ValueEnum;
use serde::Serialize;

use crate::model::Stream;
use crate::model::arrow::{history_schema, table_schema};

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
    History,
}

impl TableMode {
    /// The mode of a name, as the command line and the table have it.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// The columns of a table of this mode.
    pub(super) fn schema(self, stream: &Stream) -> SchemaRef {
        match self {
            Self::History => history_schema(stream),
            Self::Merge | Self::Append | Self::Overwrite => table_schema(stream),
        }
    }

    /// What to do with a table of this mode that is damaged, besides restoring it: no other copy has the past of
    /// a history.
    pub(super) fn repair(self) -> &'static str {
        match self {
            Self::History => "export to another place",
            Self::Merge | Self::Append | Self::Overwrite => "export once with --mode overwrite",
        }
    }
}

impl fmt::Display for TableMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
