//! A value that is not wanted, or does not fit into the text: walked over token by token.

use super::{Parser, Stop};

/// How deep objects and arrays may be nested: the bits of [`Walk::kinds`], and about what
/// `serde_json` accepts.
const MAX_DEPTH: u32 = 128;

/// A walk over one value token by token, for values that are not wanted or do not fit into the text.
/// It can be continued with more text after [`Stop::Short`].
#[derive(Debug)]
pub(crate) struct Walk {
    depth: u32,
    /// One bit a level, the innermost lowest: 1 for an object.
    kinds: u128,
    next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    CommaOrEnd,
}

impl Walk {
    /// A walk that has yet to see its value's first token.
    pub(crate) fn new() -> Self {
        Self { depth: 0, kinds: 0, next: Next::Value }
    }

    /// How many lists and objects are open around the next value, if it is the first one of a list. The end of the list may be
    /// in its place.
    pub(crate) fn begins_list(&self) -> Option<u32> {
        (self.next == Next::ValueOrEnd).then_some(self.depth)
    }

    /// Reads one token. True once the value has ended.
    pub(crate) fn step(&mut self, parser: &mut Parser<'_>) -> Result<bool, Stop> {
        let start = parser.position();
        let stepped = self.token(parser);
        if let Err(Stop::Short) = stepped {
            parser.rewind(start);
        }
        stepped
    }

    fn token(&mut self, parser: &mut Parser<'_>) -> Result<bool, Stop> {
        let byte = parser.peek()?;
        let in_object = self.kinds & 1 == 1;
        match (self.next, byte) {
            (Next::ValueOrEnd, b']') => self.close(parser),
            (Next::NameOrEnd | Next::CommaOrEnd, b'}') if in_object => self.close(parser),
            (Next::CommaOrEnd, b']') if !in_object => self.close(parser),
            (Next::CommaOrEnd, b',') => {
                parser.advance();
                self.next = if in_object { Next::Name } else { Next::Value };
            }
            (Next::CommaOrEnd, _) => {
                return Err(parser.malformed("`,` or the end of an object or array"));
            }
            (Next::Name | Next::NameOrEnd, _) => {
                parser.name()?;
                self.next = Next::Value;
            }
            (Next::Value | Next::ValueOrEnd, b'{') => self.open(parser, 1, Next::NameOrEnd)?,
            (Next::Value | Next::ValueOrEnd, b'[') => self.open(parser, 0, Next::ValueOrEnd)?,
            (Next::Value | Next::ValueOrEnd, _) => {
                parser.value()?;
                self.next = Next::CommaOrEnd;
            }
        }
        Ok(self.depth == 0 && self.next == Next::CommaOrEnd)
    }

    fn open(&mut self, parser: &mut Parser<'_>, kind: u128, next: Next) -> Result<(), Stop> {
        if self.depth == MAX_DEPTH {
            return Err(Stop::TooDeep { at: parser.position() });
        }
        parser.advance();
        self.depth += 1;
        self.kinds = self.kinds << 1 | kind;
        self.next = next;
        Ok(())
    }

    fn close(&mut self, parser: &mut Parser<'_>) {
        parser.advance();
        self.depth -= 1;
        self.kinds >>= 1;
        self.next = Next::CommaOrEnd;
    }
}
