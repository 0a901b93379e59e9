//! Inputs that are others with something changed: a byte, a piece, a word, or a part of the JSON that they are.

use fastrand::Rng;

use super::json;

/// More is never made of an input.
const MAX_BYTES: usize = 16 << 10;

/// What inputs are made of.
pub(super) struct Pool {
    /// Inputs that were different from those before.
    pub(super) inputs: Vec<Vec<u8>>,
    /// Words that mean something in them.
    pub(super) words: Vec<Vec<u8>>,
}

impl Pool {
    /// One of its inputs, changed.
    pub(super) fn mutated(&self, rng: &mut Rng) -> Vec<u8> {
        let mut input = self.input(rng).to_vec();
        for _ in 0..=rng.u8(..100).trailing_ones() + u32::from(rng.bool()) {
            if rng.u8(..10) < 7
                && let Some(changed) = json::mutated(&input, rng, self)
            {
                input = changed;
            } else {
                self.change(&mut input, rng);
            }
        }
        input.truncate(MAX_BYTES);
        input
    }

    /// One of its inputs.
    pub(super) fn input(&self, rng: &mut Rng) -> &[u8] {
        rng.choice(&self.inputs).map_or(&[], Vec::as_slice)
    }

    /// One of its words.
    pub(super) fn word(&self, rng: &mut Rng) -> &[u8] {
        rng.choice(&self.words).map_or(&[], Vec::as_slice)
    }

    /// Changes bytes at some place.
    pub(super) fn change(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        let at = rng.usize(..=input.len());
        let end = input.len().min(at + 1 + rng.usize(..8));
        match rng.u8(..10) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            1 if at < input.len() => input[at] = rng.u8(..),
            2 => input.insert(at, rng.u8(..)),
            3 => drop(input.drain(at..end)),
            4 => input.truncate(at),
            5 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece.repeat(1 + rng.usize(..3)));
            }
            6 => {
                let other = self.input(rng);
                let from = rng.usize(..=other.len());
                let to = rng.usize(from..=other.len().min(from + 64));
                input.splice(at..end, other[from..to].iter().copied());
            }
            7 if at < input.len() && input[at].is_ascii_digit() => input[at] = rng.u8(b'0'..=b'9'),
            _ => {
                let end = if rng.bool() { at } else { end };
                input.splice(at..end, self.word(rng).iter().copied());
            }
        }
    }
}
