//! The Singer tap: its flags, its catalog, its messages, its failures.

mod catalog;
mod configuration;
mod discovery;
mod failures;
mod logs;
mod same_rows;
mod states;
mod tap;
mod versions;
