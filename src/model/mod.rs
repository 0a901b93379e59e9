//! What a stream is, and the forms that are derived from it. Nothing here reads or writes anything.

pub mod arrow;
pub mod docs;
pub mod escape;
pub mod json_schema;
pub mod stream;
pub mod texts;
pub mod time;

pub use stream::{Field, Filter, Role, Stream, Type};
pub use time::{Timestamp, Zone};
