//! `export`: files, streams and tables, on this machine and in object stores.

mod damage;
mod deletes;
mod destinations;
mod interrupts;
mod model;
mod places;
mod readers;
mod stores;
mod streams;
