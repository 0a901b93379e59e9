//! From the elements of a list to batches: which value belongs to which field, which records are kept.

use std::borrow::Cow;
use std::collections::HashMap;

use super::convert::{self, Converted};
use super::early::{Offer, Taken};
use super::envelope::{Elements, Envelope};
use super::extra;
use super::json::{Parser, Stop, Text, Value};
use super::list::List;
use super::order::{Name, Order};
use super::rejects::Rejects;
use super::rows::Rows;
use super::scratch::Scratch;
use super::spool::Spool;
use super::tally::Tally;
use crate::config::Config;
use crate::error::Result;
use crate::model::arrow::EXTRA_NULLED;
use crate::model::{Stream, Timestamp, Zone};
use crate::plan::Plan;
use crate::receipt::Reject;

/// Decodes the list of one reply into a spool.
pub(crate) struct Decoder<'a, 'e> {
    plan: &'a Plan,
    zone: Zone,
    /// When the server sent the reply: no cursor is later.
    now: Timestamp,
    scratch: &'a Scratch,
    in_memory: usize,
    rows: Rows,
    offer: Offer<'e>,
    order: Order,
    /// What has been decoded.
    pub(crate) decoded: Decoded<'a>,
    position: u64,
    /// Room for a text with escapes, and for the unknown fields of a record.
    text: String,
    extra: String,
}

/// What the decoder made of a list.
pub(crate) struct Decoded<'a> {
    /// Its rows.
    pub(crate) spool: Spool<'a>,
    /// Its counts.
    pub(crate) tally: Tally,
    /// Its records without a valid key.
    pub(crate) rejects: Rejects,
    /// Its rows that were taken already.
    pub(crate) taken: Taken,
}

/// A record's members, sorted by field. Made once for each window, since it borrows from it.
struct Members<'w> {
    /// The values of the declared fields.
    values: Vec<Value<'w>>,
    /// One bit for each declared field that has a value.
    seen: u64,
    /// The members that are not declared: name and value as they came.
    unknown: Vec<(Text<'w>, &'w str)>,
    /// Where each of them is, once they are many.
    places: HashMap<Cow<'w, str>, usize>,
}

/// More unknown members than this are looked up by name; fewer are looked through.
const MAX_SCANNED_NAMES: usize = 16;

/// Members that a record may have: each that is not known costs memory of its own.
pub(super) const MAX_MEMBERS: usize = 10_000;

impl<'a, 'e> Decoder<'a, 'e> {
    /// A decoder for the reply to a plan, which the server sent at `now`. `in_memory` is for the spool.
    pub(crate) fn new(
        plan: &'a Plan,
        config: &Config,
        now: Timestamp,
        scratch: &'a Scratch,
        in_memory: usize,
        offer: Offer<'e>,
    ) -> Self {
        Self {
            plan,
            zone: config.zone,
            now,
            scratch,
            in_memory,
            rows: Rows::of(plan, config.zone),
            offer,
            order: Order::new(plan.stream),
            decoded: Decoded::new(plan.stream, scratch, in_memory),
            position: 0,
            text: String::new(),
            extra: String::new(),
        }
    }

    /// Ends the last batch and gives everything.
    ///
    /// # Errors
    /// `System` if the spool cannot be written.
    pub(crate) fn finish(mut self) -> Result<Decoded<'a>> {
        if !self.rows.is_empty() {
            self.end_batch()?;
        }
        Ok(Decoded { taken: self.offer.taken, ..self.decoded })
    }

    /// Reads one element and keeps it if it is wanted. Nothing has changed after [`Stop::Short`].
    fn element<'w>(
        &mut self,
        parser: &mut Parser<'w>,
        members: &mut Members<'w>,
        is_array: bool,
    ) -> Result<(), Stop> {
        let start = parser.position();
        let is_object = parser.peek()? == b'{';
        let duplicates = if is_object {
            members.read(parser, self.plan.stream, &mut self.order)?
        } else {
            parser.value()?;
            0
        };
        if is_object && !is_array && members.is_empty() {
            // What some languages write for an empty list.
            return Ok(());
        }
        let position = self.position;
        self.position += 1;
        self.decoded.tally.duplicates += duplicates;
        let fault = if is_object {
            match convert::integer(members.get(self.plan.stream.key_index())) {
                Converted::Valid(key) => return Ok(self.record(key, members, position)?),
                Converted::Null => "it is missing, null or empty",
                Converted::Invalid => "it is not a whole number of 64 bits",
            }
        } else {
            "it is not an object"
        };
        let list = self.plan.stream.list;
        let place = if is_array { format!("{list}[{position}]") } else { list.to_owned() };
        let key = self.plan.stream.key().name;
        let path = if is_object { format!("{place}.{key}") } else { place };
        let raw = parser.between(start, parser.position()).trim();
        // It may hold, under any name, what must go nowhere.
        let raw = (!self.plan.privacy.is_set()).then_some(raw);
        let reject = Reject { path, reason: fault.to_owned() };
        self.decoded.rejects.push(self.scratch, &reject, raw)?;
        Ok(())
    }

    /// Keeps a record with a valid key, unless it is before the bound.
    #[inline]
    fn record(&mut self, key: i64, members: &Members<'_>, position: u64) -> Result<()> {
        let Plan { stream, selection, bound, .. } = self.plan;
        let updated = match stream.cursor_index() {
            Some(cursor) => convert::timestamp(members.get(cursor), self.zone),
            None => Converted::Null,
        };
        if let Converted::Valid(updated) = updated {
            self.decoded.tally.note_cursor(updated, self.now);
            if bound.is_some_and(|bound| updated < bound) {
                self.leave_out(updated);
                return Ok(());
            }
        }
        let mut nulled = 0;
        for (column, &field) in selection.fields.iter().enumerate() {
            let value = members.get(field);
            let valid = if field == stream.key_index() {
                self.rows.push_integer(column, key)
            } else if Some(field) == stream.cursor_index() {
                self.rows.push_timestamp(column, value, updated)
            } else {
                self.rows.push(column, value, &mut self.text)
            };
            if !valid {
                nulled |= 1 << field;
                self.decoded.tally.note_invalid(field, position);
            }
        }
        let has_extra = !members.unknown.is_empty();
        if has_extra {
            let is_whole = extra::write(&members.unknown, &mut self.decoded.tally, &mut self.extra);
            nulled |= if is_whole || !selection.extra { 0 } else { EXTRA_NULLED };
        }
        self.rows.end_row(has_extra.then_some(self.extra.as_str()), nulled)?;
        self.decoded.tally.rows += 1;
        if self.rows.is_full() {
            self.end_batch()?;
        }
        Ok(())
    }

    fn end_batch(&mut self) -> Result<()> {
        let batch = self.rows.finish()?;
        self.offer.rows(&batch);
        self.decoded.spool.push(batch)
    }

    fn leave_out(&mut self, updated: Timestamp) {
        self.decoded.tally.left_out += 1;
        let is_older = |asked| self.zone.date(updated) < asked;
        if self.plan.asked.is_some_and(is_older) {
            self.decoded.tally.not_asked_for += 1;
        }
    }
}

impl<'a> Decoded<'a> {
    fn new(stream: &Stream, scratch: &'a Scratch, in_memory: usize) -> Self {
        Self {
            spool: Spool::new(scratch, in_memory),
            tally: Tally::new(stream.fields.len()),
            rejects: Rejects::default(),
            taken: Taken::default(),
        }
    }
}

impl Elements for Decoder<'_, '_> {
    fn begin(&mut self) -> Result<(), Stop> {
        self.rows = Rows::of(self.plan, self.zone);
        self.decoded = Decoded::new(self.plan.stream, self.scratch, self.in_memory);
        self.position = 0;
        self.offer.begin();
        Ok(())
    }

    fn take(&mut self, parser: &mut Parser<'_>, list: &mut List) -> Result<(), Stop> {
        let mut members = Members::of(self.plan.stream);
        while list.advance(parser)? {
            let start = parser.position();
            match self.element(parser, &mut members, list.is_array()) {
                Ok(()) => list.took_element(),
                Err(stop) => {
                    parser.rewind(start);
                    return Err(stop);
                }
            }
        }
        Ok(())
    }

    fn has_enough(&self, _: &Envelope) -> bool {
        false
    }
}

impl<'w> Members<'w> {
    fn of(stream: &Stream) -> Self {
        Self {
            values: vec![Value::Null; stream.fields.len()],
            seen: 0,
            unknown: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.seen == 0 && self.unknown.is_empty()
    }

    /// The value of a declared field; null if it is absent.
    #[inline]
    fn get(&self, field: usize) -> Value<'w> {
        if self.seen >> field & 1 == 1 { self.values[field] } else { Value::Null }
    }

    /// Reads an object. Of members with the same name the last one counts; it says how many there were
    /// too many.
    #[inline]
    fn read(
        &mut self,
        parser: &mut Parser<'w>,
        stream: &Stream,
        order: &mut Order,
    ) -> Result<u64, Stop> {
        self.seen = 0;
        self.unknown.clear();
        self.places.clear();
        let (mut duplicates, mut count) = (0, 0);
        let mut previous = stream.fields.len();
        parser.expect(b'{', "an object")?;
        if parser.peek()? == b'}' {
            parser.advance();
            return Ok(0);
        }
        loop {
            count += 1;
            if count > MAX_MEMBERS {
                return Err(Stop::TooManyMembers { at: parser.position() });
            }
            let name = order.name(parser, stream, previous)?;
            parser.peek()?;
            let start = parser.position();
            let value = parser.value()?;
            match name {
                Name::Declared(field) => {
                    duplicates += self.seen >> field & 1;
                    self.seen |= 1 << field;
                    self.values[field] = value;
                    previous = field;
                }
                Name::Unknown(name) => {
                    let raw = parser.between(start, parser.position());
                    duplicates += self.keep_unknown(name, raw);
                }
            }
            match parser.peek()? {
                b',' => parser.advance(),
                b'}' => {
                    parser.advance();
                    return Ok(duplicates);
                }
                _ => return Err(parser.malformed("`,` or the end of the record")),
            }
        }
    }

    fn keep_unknown(&mut self, name: Text<'w>, value: &'w str) -> u64 {
        if let Some(place) = self.place(name) {
            self.unknown[place].1 = value;
            return 1;
        }
        self.unknown.push((name, value));
        if self.unknown.len() > MAX_SCANNED_NAMES {
            let first = if self.places.is_empty() { 0 } else { self.unknown.len() - 1 };
            for (place, (name, _)) in self.unknown.iter().enumerate().skip(first) {
                self.places.insert(name.meaning(), place);
            }
        }
        0
    }

    /// Where an unknown member of this name is.
    fn place(&self, name: Text<'w>) -> Option<usize> {
        if self.places.is_empty() {
            let meaning = name.meaning();
            return self.unknown.iter().position(|(known, _)| known.meaning() == meaning);
        }
        self.places.get(&name.meaning()).copied()
    }
}

#[cfg(test)]
mod tests;
