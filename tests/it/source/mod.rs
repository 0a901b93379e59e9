//! What is taken of a reply, and from whom.

#[allow(unreachable_pub, reason = "the fuzz targets take it as a library, too")]
mod checks;
mod forms;
mod network;
mod properties;
mod reference;
mod tls;
mod traps;
