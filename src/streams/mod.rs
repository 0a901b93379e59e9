//! The streams, one file each. A new one is its file and its line in [`ALL`].

use crate::model::Stream;

pub mod customers;

/// Every stream of the product, in the order in which hosts are told of them.
pub static ALL: &[&Stream] = &[&customers::CUSTOMERS];
