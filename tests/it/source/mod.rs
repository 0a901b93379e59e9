//! What is taken of a reply, and from whom.

mod forms;
mod network;
mod properties;
mod reference;
mod tls;
mod traps;
