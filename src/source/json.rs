//! A pull parser for JSON text that may end before the document does.
//!
//! It reads one token after the other out of a borrowed text and never copies, allocates or recurses.
//! Where the text runs out in the middle of a token it answers [`Stop::Short`], and the caller starts
//! that token again with more text. The grammar is that of RFC 8259, all of it.

use std::borrow::Cow;

mod expected;
mod walk;

pub(crate) use expected::Expected;
pub(crate) use walk::Walk;

use crate::error::Error;
use crate::model::escape::plain_prefix;

/// Why the parser stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The text ended inside a token.
    Short,
    /// The text is not JSON: what was expected, and where.
    Malformed {
        /// Byte position in the text.
        at: usize,
        /// What was expected there.
        expected: &'static str,
    },
    /// Objects and arrays are nested too deep.
    TooDeep {
        /// Byte position in the text.
        at: usize,
    },
    /// An object has more members than are read.
    TooManyMembers {
        /// Byte position in the text.
        at: usize,
    },
    /// Whoever takes the values failed.
    Failed(Box<Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(Box::new(error))
    }
}

/// A JSON value, borrowed from the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number, as it is written.
    Number(&'a str),
    /// A string.
    Text(Text<'a>),
    /// An object or an array, whole, as it is written.
    Nested(&'a str),
}

/// A JSON string, as it is written between its quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Text<'a> {
    /// The characters between the quotes.
    pub(crate) raw: &'a str,
    /// Whether there is an escape among them.
    pub(crate) is_escaped: bool,
}

impl<'a> Text<'a> {
    /// The text that is meant, decoded into `buffer` if it has escapes. `None` for a surrogate without
    /// its partner, which is no character.
    #[inline(always)]
    pub(crate) fn decode<'b>(&self, buffer: &'b mut String) -> Option<&'b str>
    where
        'a: 'b,
    {
        if self.is_escaped { unescape(self.raw, buffer) } else { Some(self.raw) }
    }

    /// The text that is meant, to be compared with others; as it is written if it is no text.
    pub(crate) fn meaning(&self) -> Cow<'a, str> {
        let mut buffer = String::new();
        match self.is_escaped && self.decode(&mut buffer).is_some() {
            true => Cow::Owned(buffer),
            false => Cow::Borrowed(self.raw),
        }
    }
}

#[inline(never)]
fn unescape<'b>(mut rest: &str, buffer: &'b mut String) -> Option<&'b str> {
    buffer.clear();
    while let Some((plain, escape)) = rest.split_once('\\') {
        buffer.push_str(plain);
        let mut characters = escape.chars();
        let character = match characters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, rest) = unicode_escape(characters.as_str())?;
                characters = rest.chars();
                character
            }
            other => other,
        };
        buffer.push(character);
        rest = characters.as_str();
    }
    buffer.push_str(rest);
    Some(buffer)
}

/// The character of the four digits after `\u`, with its partner if it is a surrogate, and what follows.
fn unicode_escape(text: &str) -> Option<(char, &str)> {
    let (first, rest) = hexadecimal(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, rest));
    }
    let (second, rest) = hexadecimal(rest.strip_prefix("\\u")?)?;
    let is_pair = (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&second);
    let code = is_pair.then(|| 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((char::from_u32(code)?, rest))
}

fn hexadecimal(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// The parser: a text, and how far it has been read.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of a text.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a position that was read before.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    /// The text between two positions, which are between characters.
    #[inline(always)]
    pub(crate) fn between(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Skips blanks and shows the byte after them.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Result<u8, Stop> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Stop::Short),
            }
        }
    }

    /// Skips blanks and reads one byte of punctuation.
    #[inline(always)]
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(self.malformed(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the byte that [`peek`](Self::peek) showed.
    #[inline]
    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    /// Reads `expected` if it is next, byte for byte.
    #[inline(always)]
    pub(crate) fn skip(&mut self, expected: &Expected) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = expected.prefix_of(rest);
        self.at += length.unwrap_or_default();
        length.is_some()
    }

    /// The text is not JSON at the present position.
    pub(crate) fn malformed(&self, expected: &'static str) -> Stop {
        Stop::Malformed { at: self.at, expected }
    }

    /// Reads a member's name and the colon after it.
    #[inline]
    pub(crate) fn name(&mut self) -> Result<Text<'a>, Stop> {
        self.expect(b'"', "a member's name")?;
        let name = self.string()?;
        self.expect(b':', "`:` after a member's name")?;
        Ok(name)
    }

    /// Reads one value, whole.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Result<Value<'a>, Stop> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                Ok(Value::Text(self.string()?))
            }
            b'-' | b'0'..=b'9' => Ok(Value::Number(self.number()?)),
            b'{' | b'[' => Ok(Value::Nested(self.nested()?)),
            b't' => self.literal("true").map(|()| Value::Boolean(true)),
            b'f' => self.literal("false").map(|()| Value::Boolean(false)),
            b'n' => self.literal("null").map(|()| Value::Null),
            _ => Err(self.malformed("a value")),
        }
    }

    /// Reads an object or an array, whole, and gives it as it is written.
    #[inline(never)]
    fn nested(&mut self) -> Result<&'a str, Stop> {
        let start = self.at;
        let mut walk = Walk::new();
        while !walk.step(self)? {}
        Ok(self.between(start, self.at))
    }

    /// Reads a string whose opening quote has been read.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, Stop> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        let mut is_escaped = false;
        loop {
            at += plain_prefix(bytes.get(at..).unwrap_or_default());
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Text { raw: self.between(start, at), is_escaped });
                }
                Some(b'\\') => {
                    is_escaped = true;
                    at = self.escape(at)?;
                }
                Some(_) => {
                    self.at = at;
                    return Err(self.malformed("no control character in a string"));
                }
                None => return Err(Stop::Short),
            }
        }
    }

    /// Checks the escape at a position and gives the position after it.
    #[inline(never)]
    fn escape(&mut self, at: usize) -> Result<usize, Stop> {
        let bytes = self.text.as_bytes();
        match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let digits = bytes.get(at + 2..).unwrap_or_default();
                match digits.iter().take(4).position(|byte| !byte.is_ascii_hexdigit()) {
                    None if digits.len() < 4 => Err(Stop::Short),
                    None => Ok(at + 6),
                    Some(wrong) => {
                        self.at = at + 2 + wrong;
                        Err(self.malformed("four hexadecimal digits after `\\u`"))
                    }
                }
            }
            Some(_) => {
                self.at = at + 1;
                Err(self.malformed("an escape that JSON knows"))
            }
            None => Err(Stop::Short),
        }
    }

    /// Reads a number. It ends where something else follows, so it is short at the end of the text.
    #[inline(never)]
    fn number(&mut self) -> Result<&'a str, Stop> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            let from = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            match bytes.get(at) {
                None => Err(Stop::Short),
                Some(_) if at == from => Err(Stop::Malformed { at, expected: "a digit" }),
                Some(_) => Ok(at),
            }
        };
        let start = self.at;
        let mut at = start;
        if bytes.get(at) == Some(&b'-') {
            at += 1;
        }
        let whole = at;
        at = digits(at)?;
        if bytes.get(whole) == Some(&b'0') && at > whole + 1 {
            return Err(Stop::Malformed {
                at: whole + 1,
                expected: "no digit after a leading zero",
            });
        }
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            at += 1;
            if let Some(b'+' | b'-') = bytes.get(at) {
                at += 1;
            }
            at = digits(at)?;
        }
        self.at = at;
        Ok(self.between(start, at))
    }

    #[inline(never)]
    fn literal(&mut self, literal: &'static str) -> Result<(), Stop> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else if literal.as_bytes().starts_with(rest) {
            Err(Stop::Short)
        } else {
            Err(self.malformed("true, false or null"))
        }
    }
}

#[cfg(test)]
mod tests;
