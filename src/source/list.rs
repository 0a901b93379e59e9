//! The list of a reply: an array of elements, or one object in its place.

use super::json::{Parser, Stop};

/// Where in a list the parser is.
#[derive(Debug)]
pub(crate) struct List {
    next: Next,
    /// False if the list is one object in place of an array of them.
    is_array: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    ElementOrEnd,
    Element,
    CommaOrEnd,
}

impl List {
    /// Before the first element of an array, or of the one object in its place.
    pub(crate) fn new(is_array: bool) -> Self {
        Self { next: Next::ElementOrEnd, is_array }
    }

    /// Goes to the next element. False at the end of the list, which has been read then.
    #[inline]
    pub(crate) fn advance(&mut self, parser: &mut Parser<'_>) -> Result<bool, Stop> {
        if !self.is_array {
            return Ok(self.next == Next::ElementOrEnd);
        }
        let byte = parser.peek()?;
        match (self.next, byte) {
            (Next::ElementOrEnd | Next::CommaOrEnd, b']') => {
                parser.advance();
                Ok(false)
            }
            (Next::CommaOrEnd, b',') => {
                parser.advance();
                self.next = Next::Element;
                parser.peek().map(|_| true)
            }
            (Next::CommaOrEnd, _) => Err(parser.malformed("`,` or the end of the list")),
            (Next::Element | Next::ElementOrEnd, _) => Ok(true),
        }
    }

    /// Says that the element was read.
    #[inline]
    pub(crate) fn took_element(&mut self) {
        self.next = Next::CommaOrEnd;
    }

    /// False if the list is one object in place of an array of them.
    pub(crate) fn is_array(&self) -> bool {
        self.is_array
    }
}
