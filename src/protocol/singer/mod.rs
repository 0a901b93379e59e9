//! The Singer protocol: `SPEC.md` version 0.3.0, and the conventions of Meltano's SDK where it is silent.

pub mod catalog;
pub mod message;
pub mod state;
