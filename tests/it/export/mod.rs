//! `export`: files, streams and tables, on this machine and in object stores.

mod damage;
mod deletes;
mod destinations;
mod history;
mod interrupts;
mod model;
mod places;
mod readers;
mod stores;
mod streams;
