//! The streams, one file each. A new one is its file and its line in [`ALL`].

use crate::error::{Error, Result};
use crate::model::Stream;

/// A name that is at least this much like another was probably meant to be it (Jaro-Winkler, 0 to 1).
const MIN_SIMILARITY: f64 = 0.8;

pub mod customers;

/// Every stream of the product, in the order in which hosts list them.
pub static ALL: &[&Stream] = &[&customers::CUSTOMERS];

/// The stream of a name; the first one where no name is given.
///
/// # Errors
/// `Config`: none has this name. The message names the one that was probably meant, and lists all.
pub fn find(streams: &[&'static Stream], name: Option<&str>) -> Result<&'static Stream> {
    let is_wanted = |stream: &&&'static Stream| name.is_none_or(|name| stream.name == name);
    streams.iter().find(is_wanted).copied().ok_or_else(|| {
        let known: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let name = name.unwrap_or_default();
        let nearest =
            known.iter().max_by(|one, other| alike(name, one).total_cmp(&alike(name, other)));
        let meant = nearest
            .filter(|nearest| alike(name, nearest) > MIN_SIMILARITY)
            .map_or_else(String::new, |nearest| format!(" Did you mean `{nearest}`?"));
        Error::config(format!("Unknown stream `{name}`.{meant} Available: {}.", known.join(", ")))
    })
}

/// How alike two names are, from 0 to 1, whatever their case.
fn alike(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}
