//! The Singer tap, run as hosts run it.

mod versions;
