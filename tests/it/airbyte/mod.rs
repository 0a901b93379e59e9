//! The Airbyte source: its verbs, run as hosts run them.

mod faults;
mod golden;
mod incremental;
mod inputs;
mod rejects;
mod retries;
mod second_stream;
mod states;
mod values;
