//! What a company is called, and which part of a shared work it belongs to.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::export::destination::ENDING;

/// Letters of a name at most: a label of DNS, as keys of a Kubernetes secret have.
const MAX_LETTERS: usize = 63;

/// Letters of what is no name that a message shows.
const MAX_SHOWN: usize = 40;

/// More shards have too few companies each to be even.
const MAX_SHARDS: u64 = 1000;

/// The name of a company: letters, digits, `.`, `_` and `-`, the first a letter or a digit, 63 at most. It is the name of
/// the folder of its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for names that differ in the case of letters alone.
    pub(super) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = Error;

    /// # Errors
    /// `Config`: it is none.
    fn from_str(text: &str) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = text.len() <= MAX_LETTERS
            && text.bytes().all(is_plain)
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if is_name && !text.to_ascii_lowercase().ends_with(ENDING) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        Err(Error::config(format!(
            "`{shown}` cannot name a company. Use at most {MAX_LETTERS} letters, digits, `.`, `_` or `-`, a letter or digit first, and no {ENDING} at the end."
        )))
    }
}

/// One of several parts of the companies, by their names alone: a list that changes between two parts moves nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// All of them.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a company is in this part: the first 8 bytes of SHA-256 of its name, big-endian, modulo the number of parts.
    pub fn has(self, name: &Name) -> bool {
        let digest = Sha256::digest(name.as_str().as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first) % self.count == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Serialize for Shard {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Shard {
    /// A mistake on the command line.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("expected I/N, where N is 1 to {MAX_SHARDS} and I counts from 0");
        let (index, count) = text.split_once('/').ok_or_else(form)?;
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<u64>().ok()).flatten()
        };
        let (index, count) = number(index).zip(number(count)).ok_or_else(form)?;
        if count == 0 || count > MAX_SHARDS {
            return Err(form());
        }
        if index >= count {
            return Err(format!(
                "shards count from 0, so the last of {count} is {}/{count}",
                count - 1
            ));
        }
        Ok(Self { index, count })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_name_is_what_every_store_and_kubernetes_take() {
        let longest = "a".repeat(MAX_LETTERS);
        for name in ["rosas-del-valle", "7", "A.b_c-9", "rosas.csv", "x.parquet.d", &longest] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
        for name in [
            "",
            ".x",
            "-x",
            "_x",
            "a b",
            "a/b",
            "ñ",
            "..",
            "x.parquet",
            "X.PARQUET",
            &(longest + "a"),
        ] {
            let error = name.parse::<Name>().unwrap_err();
            assert_eq!(error.kind(), Kind::Config, "{name}");
        }
    }

    #[test]
    fn a_shard_counts_from_0_and_the_one_that_was_meant_is_named() {
        assert_eq!("0/1".parse(), Ok(Shard::WHOLE));
        assert_eq!("3/4".parse::<Shard>().unwrap().to_string(), "3/4");
        assert!("4/4".parse::<Shard>().unwrap_err().contains("3/4"));
        for text in ["", "1", "1/0", "a/4", "-1/4", "1/1001", "1/4/8", "+1/4", "1 /4", "/4"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_shard_of_a_name_is_that_of_its_hash() {
        // printf rosas | sha256sum: 32ce209c564c2ae9…
        for (name, part) in [("rosas", "1/4"), ("rosas", "9/16"), ("company-0007", "15/16")] {
            let shard: Shard = part.parse().unwrap();
            assert!(shard.has(&name.parse().unwrap()), "{name} {part}");
        }
    }

    proptest! {
        #[test]
        fn shards_are_disjoint_and_whole(
            names in proptest::collection::vec("[a-z][a-z0-9-]{0,9}", 1..40),
            count in 1..20_u64,
        ) {
            for name in names {
                let name: Name = name.parse().unwrap();
                let owners = (0..count).filter(|index| Shard { index: *index, count }.has(&name));
                prop_assert_eq!(owners.count(), 1);
            }
        }
    }
}
