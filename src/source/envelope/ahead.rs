//! How far is read on for a token that is not whole yet.

use std::cell::Cell;
use std::io::{self, BufReader, Read};

use super::*;

/// A download that stops with a failure.
struct Stops;

impl Read for Stops {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

/// How often a token of this length is parsed where it comes in pieces; behind it the download stops after some more.
fn parses(length: usize, piece: usize, more: usize) -> Result<u32, Fault> {
    let text = format!("\"{}\"{}", "x".repeat(length), " ".repeat(more));
    let mut window = Window::eager(BufReader::with_capacity(piece, text.as_bytes().chain(Stops)));
    let parses = Cell::new(0);
    token(&mut window, |parser| {
        parses.set(parses.get() + 1);
        parser.value().map(drop)
    })?;
    Ok(parses.get())
}

#[test]
fn a_short_token_is_seen_as_soon_as_it_is_there() {
    for length in [1, 7, 100, 4000] {
        assert_eq!(parses(length, 1, 0).unwrap() as usize, length + 3);
    }
}

#[test]
fn a_long_token_is_parsed_a_few_times_and_little_is_read_behind_it() {
    const LENGTH: usize = 1 << 20;
    for piece in [100, 16_384] {
        let parses = parses(LENGTH, piece, LENGTH / 8).unwrap();
        assert!(parses < 200, "{parses} times in pieces of {piece} bytes");
    }
}
