//! What a proved reply held, in numbers: known before the first row is emitted.

use std::time::Duration;

use crate::model::{Stream, Timestamp};

/// What a reply held.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The stream that was read.
    pub stream: &'static Stream,
    /// Rows to emit.
    pub rows: u64,
    /// Records before the bound, which were left out.
    pub left_out: u64,
    /// Records without a valid key.
    pub rejected: u64,
    /// When the request was sent.
    pub extracted_at: Timestamp,
    /// The body's size in bytes, decompressed.
    pub bytes: u64,
    /// From the first request to the proof, retries included.
    pub elapsed: Duration,
    /// Requests sent, the one that succeeded included.
    pub requests: u32,
    /// Why the reply is no complete list: `None` where it is one, so that a record which is not in it is
    /// gone, and one that is there has the values it gives.
    pub incomplete: Option<&'static str>,
    /// What the user should look at, ready to be shown.
    pub warnings: Vec<String>,
}

/// A record that was rejected, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its place in the reply: `customers[1204].id`.
    pub path: String,
    /// Why it was rejected.
    pub reason: String,
}
