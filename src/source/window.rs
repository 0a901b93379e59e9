//! The part of a reply that is in memory: a window that moves over it.

use std::io::BufRead;

use super::failure::Fault;

/// How much of the reply is looked at together. It fits into a core's own cache.
const WINDOW_BYTES: usize = 256 * 1024;

/// How much of it where it may not be wanted whole.
const EAGER_WINDOW_BYTES: usize = 4096;

/// The largest record accepted, in bytes. The window grows to hold one, and no further.
const MAX_WINDOW_BYTES: usize = 64 * 1024 * 1024;

/// At most this many bytes of the reply's beginning are kept to quote from.
const EXCERPT_BYTES: usize = 4096;

/// A window over a reply. It holds the text that has been received and not yet consumed.
pub(crate) struct Window<R> {
    input: R,
    text: String,
    /// How much of the text is done with.
    consumed: usize,
    /// The bytes of a character whose end has not come yet.
    partial: Vec<u8>,
    /// How many bytes of the reply came before the text.
    before: u64,
    size: usize,
    excerpt: Vec<u8>,
    /// Whether what has come is looked at before the window is full.
    is_eager: bool,
    ended: bool,
}

impl<R: BufRead> Window<R> {
    /// An empty window over a reply.
    pub(crate) fn new(input: R) -> Self {
        Self::sized(input, WINDOW_BYTES, false)
    }

    /// An empty window for a reply that may not be wanted whole: each piece of it is looked at as soon as it
    /// has come.
    pub(crate) fn eager(input: R) -> Self {
        Self::sized(input, EAGER_WINDOW_BYTES, true)
    }

    /// An empty window of this many bytes.
    pub(crate) fn sized(input: R, size: usize, is_eager: bool) -> Self {
        Self {
            input,
            text: String::with_capacity(size),
            consumed: 0,
            partial: Vec::new(),
            before: 0,
            size,
            excerpt: Vec::new(),
            is_eager,
            ended: false,
        }
    }

    /// Receives more: until the window is full or the reply has ended. The window grows if it was full
    /// of one token.
    ///
    /// # Errors
    /// [`Fault::Cut`] if the reply had ended already, [`Fault::TooLarge`] if the window may not grow
    /// further, [`Fault::NotUtf8`], and whatever stopped the download.
    pub(crate) fn fill(&mut self) -> Result<(), Fault> {
        if self.ended {
            return Err(Fault::Cut { after: self.before + self.text.len() as u64 });
        }
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.drain(..self.consumed);
        self.before += self.consumed as u64;
        self.consumed = 0;
        bytes.append(&mut self.partial);
        if bytes.len() >= self.size {
            if self.size >= MAX_WINDOW_BYTES {
                return Err(Fault::TooLarge { at: self.before });
            }
            self.size *= 2;
        }
        while bytes.len() < self.size {
            let received = self.input.fill_buf().map_err(Fault::Download)?;
            if received.is_empty() {
                self.ended = true;
                break;
            }
            let some = received.len().min(self.size - bytes.len());
            bytes.extend_from_slice(&received[..some]);
            self.input.consume(some);
            if self.is_eager {
                break;
            }
        }
        if self.before == 0 {
            self.excerpt = bytes[..bytes.len().min(EXCERPT_BYTES)].to_vec();
        }
        self.text = self.validated(bytes)?;
        Ok(())
    }

    /// The bytes as text, but for a character at their end that has not come whole.
    fn validated(&mut self, bytes: Vec<u8>) -> Result<String, Fault> {
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error,
        };
        let valid = error.utf8_error().valid_up_to();
        let is_partial = error.utf8_error().error_len().is_none();
        let mut bytes = error.into_bytes();
        self.partial = bytes.split_off(valid);
        let at = self.before + valid as u64;
        match (is_partial, self.ended) {
            (false, _) => return Err(Fault::NotUtf8 { at }),
            (true, true) => return Err(Fault::Cut { after: at + self.partial.len() as u64 }),
            (true, false) => {}
        }
        String::from_utf8(bytes).map_err(|_| Fault::NotUtf8 { at: self.before })
    }

    /// The text in the window.
    pub(crate) fn text(&self) -> &str {
        self.text.get(self.consumed..).unwrap_or_default()
    }

    /// Moves the window's start over text that is done with.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.consumed += bytes;
    }

    /// The position of the window's start in the reply, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.before + self.consumed as u64
    }

    /// The first bytes of the reply, whatever they are.
    pub(crate) fn excerpt(&self) -> &[u8] {
        &self.excerpt
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    #[test]
    fn the_window_moves_over_a_reply_larger_than_itself() {
        let reply: Vec<u8> = (0..3 * WINDOW_BYTES).map(|byte| b'a' + (byte % 26) as u8).collect();
        let mut window = Window::new(BufReader::with_capacity(7777, reply.as_slice()));
        let mut seen = String::new();
        while window.fill().is_ok() {
            let take = window.text().len() - window.text().len() / 3;
            seen.push_str(&window.text()[..take]);
            window.consume(take);
            assert_eq!(window.position(), seen.len() as u64);
        }
        assert_eq!(seen.len(), 3 * WINDOW_BYTES - window.text().len());
        assert!(reply.starts_with(seen.as_bytes()));
    }

    #[test]
    fn a_character_split_by_the_window_is_kept_for_later() {
        let mut reply = vec![b'a'; WINDOW_BYTES - 1];
        reply.extend("é!".bytes());
        let mut window = Window::new(BufReader::with_capacity(1000, reply.as_slice()));
        window.fill().unwrap();
        assert_eq!(window.text().len(), WINDOW_BYTES - 1);
        window.consume(WINDOW_BYTES - 1);
        window.fill().unwrap();
        assert_eq!(window.text(), "é!");
    }

    #[test]
    fn a_byte_that_is_no_text_is_reported_with_its_position() {
        let mut reply = vec![b'a'; WINDOW_BYTES + 100];
        reply.extend(b"\xFFabc");
        let mut window = Window::new(reply.as_slice());
        window.fill().unwrap();
        window.consume(WINDOW_BYTES - 10);
        let Err(Fault::NotUtf8 { at }) = window.fill() else { panic!() };
        assert_eq!(at, WINDOW_BYTES as u64 + 100);
    }

    #[test]
    fn a_reply_that_ends_inside_a_character_is_cut() {
        let mut window = Window::new(b"{\"name\": \"\xC3".as_slice());
        assert!(matches!(window.fill(), Err(Fault::Cut { after: 11 })));
    }

    #[test]
    fn the_window_grows_for_one_token_up_to_its_limit() {
        let endless = BufReader::with_capacity(1 << 20, std::io::repeat(b'a').take(1 << 30));
        let mut window = Window::new(endless);
        let mut fills = 0;
        let fault = loop {
            match window.fill() {
                Ok(()) => fills += 1,
                Err(fault) => break fault,
            }
        };
        assert!(matches!(fault, Fault::TooLarge { at: 0 }));
        assert_eq!(fills, 9);
    }

    #[test]
    fn filling_after_the_end_is_a_cut_reply() {
        let mut window = Window::new(b"{".as_slice());
        window.fill().unwrap();
        assert!(matches!(window.fill(), Err(Fault::Cut { after: 1 })));
    }
}
