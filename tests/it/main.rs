//! The product's behaviour, a folder a door: one program, so that the libraries behind it are linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic, and so do its helpers"
)]

mod airbyte;
mod cli;
mod export;
mod fields;
mod fuzz;
mod simulation;
mod singer;
mod source;
mod support;
