//! `export`: files, streams and tables, on this machine and in object stores.

mod companies;
mod damage;
mod deletes;
mod destinations;
mod dry_run;
mod early;
mod forget;
mod history;
mod interrupts;
mod marks;
mod model;
mod people;
mod places;
mod readers;
mod restored;
mod stores;
mod streams;
mod vacuum;
mod vanishing;
