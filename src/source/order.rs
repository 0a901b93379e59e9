//! Names of members, most of which are guessed.

use super::json::{Expected, Parser, Stop, Text};
use crate::model::{Field, Stream};

/// Which field came after which, the last time. Records have their members in one order, though some
/// may be absent, so a guess is nearly always right, and a name that was guessed need not be parsed.
pub(super) struct Order {
    /// By position among the declared fields; the one after the last is for the first member.
    next: Vec<usize>,
    /// How a member of each declared field begins: `"id":`.
    beginnings: Vec<Expected>,
}

impl Order {
    pub(super) fn new(stream: &Stream) -> Self {
        let beginning = |field: &Field| Expected::new(format!("\"{}\":", field.name));
        let beginnings = stream.fields.iter().map(beginning).collect();
        Self { next: vec![0; stream.fields.len() + 1], beginnings }
    }

    /// Reads the name that comes after the field `previous`, with its colon.
    #[inline]
    pub(super) fn name<'w>(
        &mut self,
        parser: &mut Parser<'w>,
        stream: &Stream,
        previous: usize,
    ) -> Result<Name<'w>, Stop> {
        let guess = self.next[previous];
        parser.peek()?;
        if parser.skip(&self.beginnings[guess]) {
            return Ok(Name::Declared(guess));
        }
        let name = parser.name()?;
        Ok(match search(stream, name) {
            Some(found) => {
                self.next[previous] = found;
                Name::Declared(found)
            }
            None => Name::Unknown(name),
        })
    }
}

/// What a member is called.
pub(super) enum Name<'w> {
    /// A declared field, by its position.
    Declared(usize),
    /// Something else, as it is written.
    Unknown(Text<'w>),
}

#[cold]
fn search(stream: &Stream, name: Text<'_>) -> Option<usize> {
    let mut buffer = String::new();
    let name = name.decode(&mut buffer)?;
    stream.fields.iter().position(|field| field.name == name)
}
