//! What leaves the process by itself: stdout, in blocks and as lines of JSON, and messages on stderr.

pub(crate) mod blocks;
pub mod rows;
pub mod stderr;
pub mod stdout;
