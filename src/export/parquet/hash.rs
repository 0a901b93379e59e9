//! A hash of a file's bytes before its footer, noted in the footer: neither the format nor its compression would notice
//! a bit that a disk has turned, and rows are copied from file to file for years.

use std::hash::Hasher;
use std::io::{self, Write};

use twox_hash::XxHash3_64;

/// The footer's entry.
pub(super) const KEY: &str = "kometsales.hash";

/// What the entry begins with: the hash that follows, in hexadecimal digits, and the bytes that it is of.
const KIND: &str = "xxh3-64";

/// Hashes what is written through it.
pub(super) struct Hashed<W> {
    inner: W,
    hash: Running,
}

/// The hash of the bytes so far.
pub(super) struct Running {
    hash: XxHash3_64,
    bytes: u64,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { hash: XxHash3_64::new(), bytes: 0 }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hash.write(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The footer's entry for these bytes.
    pub(super) fn entry(&self) -> String {
        format!("{KIND}:{:016x}:{}", self.hash.finish(), self.bytes)
    }
}

/// How many bytes an entry is of; `None` if another program, or a later version, wrote it.
pub(super) fn bytes(entry: &str) -> Option<u64> {
    let mut parts = entry.split(':');
    (parts.next() == Some(KIND)).then_some(())?;
    parts.nth(1)?.parse().ok()
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Running::new() }
    }

    pub(super) fn entry(&self) -> String {
        self.hash.entry()
    }

    pub(super) fn inner(&self) -> &W {
        &self.inner
    }

    pub(super) fn inner_mut(&mut self) -> &mut W {
        &mut self.inner
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_how_many_bytes_it_is_of() {
        let mut hashed = Hashed::new(Vec::new());
        hashed.write_all(b"PAR1").unwrap();
        let entry = hashed.entry();
        assert_eq!(bytes(&entry), Some(4), "{entry}");
        let mut again = Running::new();
        again.take(b"PA");
        again.take(b"R1");
        assert_eq!(again.entry(), entry);
        again.take(b"x");
        assert_ne!(again.entry(), entry);
        for other in ["", "md5:0:4", "xxh3-64", "xxh3-64:0", "xxh3-64:0:x"] {
            assert_eq!(bytes(other), None, "{other}");
        }
    }
}
