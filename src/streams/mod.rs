//! The streams, one file each. A new one is its file and its line in [`ALL`].

use crate::error::{Error, Result};
use crate::model::Stream;

pub mod customers;

/// Every stream of the product, in the order in which hosts are told of them.
pub static ALL: &[&Stream] = &[&customers::CUSTOMERS];

/// The stream of a name; the first one where no name is given.
///
/// # Errors
/// `Config`: there is none of this name. The message lists those that there are.
pub fn find(streams: &[&'static Stream], name: Option<&str>) -> Result<&'static Stream> {
    let is_wanted = |stream: &&&'static Stream| name.is_none_or(|name| stream.name == name);
    streams.iter().find(is_wanted).copied().ok_or_else(|| {
        let known: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let name = name.unwrap_or_default();
        Error::config(format!("Unknown stream `{name}`. Available: {}.", known.join(", ")))
    })
}
