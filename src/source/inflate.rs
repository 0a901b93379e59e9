//! The pieces of a body on their way to the decoder, decompressed where they have to be.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use super::failure::Failure;
use crate::error::Error;

/// Decompressed bytes that are handed on together.
const PIECE_BYTES: usize = 64 * 1024;

/// Decompressed bytes that any reply may have.
const MAX_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Beyond those: decompressed bytes for each byte that was received. Lists of customers have some ten.
const MAX_RATIO: u64 = 200;

/// Takes the pieces of a body as they were received and gives them on; `give` says whether more are
/// wanted.
pub(crate) enum Output<F: FnMut(Bytes) -> bool> {
    /// As they are.
    Plain(F),
    /// Decompressed. Several compressed parts behind each other are one body (RFC 1952 §2.2).
    Gzip(Box<MultiGzDecoder<Pieces<F>>>),
}

impl<F: FnMut(Bytes) -> bool> Output<F> {
    /// For a `Content-Encoding` in small letters; `None` if it is not known.
    pub(crate) fn new(encoding: &str, give: F) -> Option<Self> {
        match encoding {
            // Some servers name the character set, or nothing, where a compression belongs.
            "" | "identity" | "none" | "utf-8" | "utf8" => Some(Self::Plain(give)),
            "gzip" | "x-gzip" => Some(Self::Gzip(Box::new(MultiGzDecoder::new(Pieces {
                give,
                gathered: Vec::with_capacity(PIECE_BYTES),
                is_unwanted: false,
                received: 0,
                inflated: 0,
            })))),
            _ => None,
        }
    }

    /// Takes a piece as it was received. False if nobody wants more.
    ///
    /// # Errors
    /// The piece cannot be decompressed.
    pub(crate) fn take(&mut self, piece: Bytes) -> io::Result<bool> {
        match self {
            Self::Plain(give) => Ok(give(piece)),
            Self::Gzip(decoder) => {
                decoder.get_mut().received += piece.len() as u64;
                match decoder.write_all(&piece) {
                    Err(_) if decoder.get_ref().is_unwanted => Ok(false),
                    written => written.map(|()| true),
                }
            }
        }
    }

    /// Proves that a compressed body ended properly, and gives its last piece.
    ///
    /// # Errors
    /// The body is cut or corrupt.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.finish()?.flush(),
        }
    }
}

/// Gathers decompressed bytes into pieces.
pub(crate) struct Pieces<F> {
    give: F,
    gathered: Vec<u8>,
    is_unwanted: bool,
    received: u64,
    inflated: u64,
}

impl<F> Pieces<F> {
    /// # Errors
    /// `Data`, on its way through [`io::Error`]: the body grows without end.
    fn check(&self) -> io::Result<()> {
        let Self { received, inflated, .. } = self;
        if *inflated <= MAX_FREE_BYTES || *inflated <= received.saturating_mul(MAX_RATIO) {
            return Ok(());
        }
        Err(Failure::from(Error::data(format!(
            "{received} bytes of the reply were {inflated} decompressed, more than {MAX_RATIO} times as many. If it persists, a proxy changes replies."
        )))
        .into())
    }
}

impl<F: FnMut(Bytes) -> bool> Write for Pieces<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inflated += bytes.len() as u64;
        self.check()?;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::replace(&mut self.gathered, Vec::with_capacity(PIECE_BYTES));
        self.is_unwanted = !(self.give)(gathered.into());
        if self.is_unwanted { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn through(encoding: &str, body: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut given = Vec::new();
        let mut output = Output::new(encoding, |piece: Bytes| {
            given.extend_from_slice(&piece);
            true
        })
        .unwrap();
        for piece in body.chunks(piece) {
            assert!(output.take(Bytes::copy_from_slice(piece))?);
        }
        output.finish()?;
        Ok(given)
    }

    #[test]
    fn a_body_comes_out_as_it_was_however_it_is_cut_into_pieces() {
        let body: Vec<u8> =
            (0..200_000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for piece in [1000, 65_536, usize::MAX] {
            assert_eq!(through("", &body, piece).unwrap(), body);
            assert_eq!(through("gzip", &compressed(&body), piece).unwrap(), body);
        }
        let parts = [compressed(&body[..70_000]), compressed(&body[70_000..])].concat();
        assert_eq!(through("x-gzip", &parts, 1000).unwrap(), body);
    }

    #[test]
    fn a_compressed_body_that_is_cut_or_corrupt_is_refused() {
        let body = compressed(&[b'a'; 100_000]);
        for cut in [1, 5, body.len() / 2, body.len() - 8, body.len() - 1] {
            assert!(through("gzip", &body[..cut], 1000).is_err(), "{cut}");
        }
        let mut corrupt = body.clone();
        let crc = corrupt.len() - 8;
        corrupt[crc] ^= 1;
        assert!(through("gzip", &corrupt, 1000).is_err());
        assert!(through("gzip", b"{\"status\": 1}", 1000).is_err());
    }

    #[test]
    fn a_compressed_body_that_nobody_wants_ends_early() {
        let mut output = Output::new("gzip", |_| false).unwrap();
        assert!(!output.take(compressed(&vec![b'a'; 1 << 20]).into()).unwrap());
    }

    #[test]
    fn an_encoding_that_was_not_asked_for_is_not_known() {
        assert!(Output::new("br", |_| true).is_none());
    }
}
