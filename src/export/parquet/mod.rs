//! Parquet files as warehouses like them: sorted row groups, statistics, encodings that fit the columns.

mod encoding;
mod files;
mod hash;
mod jobs;
mod layout;
mod object;
mod order;
mod read;
mod row_group;
mod statistics;

pub(super) use files::{Files, Uploaded, Written};
pub(super) use layout::Layout;
pub(super) use read::Reader;
pub(super) use statistics::{Bounds, Column};
