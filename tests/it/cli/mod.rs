//! The program itself: its process, what it derives from the declarations, the demonstration.

mod demo;
mod errors;
mod generated;
mod panics;
mod people;
mod process;
mod secrecy;
mod settings;
mod signals;
mod simulate;
mod stdout;
mod terminal;
