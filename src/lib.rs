//! Gets a flower company's customers out of Komet Sales and into its warehouse.
//!
//! # Layout
//! Read [`sync`] first: one stream from the API to a sink, on one page. Everything else is to the left
//! or right of it, and imports leftwards only:
//!
//! ```text
//! error ← {document, backoff} ← {network, secret, log, interrupt} ← model ← streams ← {config, state} ← {plan, receipt}
//!     ← {source, sink, store, output, input} ← sync ← {airbyte, singer, export} ← cli
//! ```
//!
//! - [`model`]: what a stream is; [`streams`]: the streams, each a value in a file of its own.
//! - [`config`], [`state`], [`plan`], [`receipt`]: what the user set, where the last read ended, what to
//!   read, what was read.
//! - [`source`]: the API. It gives nothing of a reply before the reply is proved whole.
//! - [`sink`]: the contract of everything that takes rows. `source` and `sink` never meet.
//! - [`airbyte`], [`singer`], [`export`]: the three doors, each with all that its host or place needs.
//!   They never meet.
//! - [`simulator`]: a simulation of the API, for the demonstration, tests and users. It knows [`error`] alone.

pub mod airbyte;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod document;
pub mod error;
#[cfg(feature = "export")]
pub mod export;
pub mod input;
pub mod interrupt;
pub mod log;
pub mod model;
pub mod network;
pub mod output;
pub mod plan;
pub mod receipt;
pub mod secret;
pub mod simulator;
pub mod singer;
pub mod sink;
pub mod source;
pub mod state;
#[cfg(feature = "export")]
pub mod store;
pub mod streams;
pub mod sync;
