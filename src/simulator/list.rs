//! The whole reply of `customer.list`, written piece by piece: its memory does not depend on its
//! length.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use super::altered::{Place, alters_records, write_altered};
use super::changes::Changes;
use super::customer::Customer;
use super::fault::Fault;
use super::filter::Filter;
use super::record::write_record;
use super::stop::Stop;

/// A piece is handed on when it has this many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// The reply to one request. Written twice it gives the same bytes.
#[derive(Debug)]
pub(super) struct List {
    /// The indices of its customers.
    pub(super) customers: Range<u64>,
    pub(super) changes: Arc<Changes>,
    pub(super) filter: Filter,
    pub(super) fault: Fault,
    /// Seconds since 1970: what lies after it is the future.
    pub(super) now: i64,
    pub(super) stop: Arc<Stop>,
}

/// Writes a whole, healthy reply of `customer.list` with this many customers, deactivated ones
/// included: about 205 bytes each, the same ones every time, in constant memory. Returns how many
/// bytes it wrote.
///
/// # Errors
/// What writing to `out` gives.
pub fn write_reply(mut out: impl Write, customers: u64) -> io::Result<u64> {
    let list = List {
        customers: 0..customers,
        changes: Arc::default(),
        filter: Filter::everything(),
        fault: Fault::Healthy,
        now: 0,
        stop: Arc::default(),
    };
    list.write(&mut out)
}

impl List {
    /// Writes the reply and returns its length in bytes.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<u64> {
        let (head, tail) = self.envelope();
        let altered = alters_records(&self.fault);
        let mut written = 0;
        let mut buffer = Vec::with_capacity(PIECE_BYTES + 4096);
        buffer.extend_from_slice(head.as_bytes());
        let mut customer = Customer::default();
        let mut place = Place::default();
        for index in self.customers.clone() {
            self.fill(&mut customer, index)?;
            if self.changes.is_removed(index) || !self.filter.accepts(&customer) {
                continue;
            }
            if place.position > 0 {
                buffer.push(b',');
            }
            if altered {
                write_altered(&mut buffer, &customer, &self.fault, place);
            } else {
                write_record(&mut buffer, &customer);
            }
            place = Place { position: place.position + 1, id_before: customer.id };
            if buffer.len() >= PIECE_BYTES {
                out.write_all(&buffer)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
            if self.fault == Fault::OneObject {
                break;
            }
        }
        if self.fault == Fault::OneObject && place.position == 0 {
            buffer.extend_from_slice(b"[]");
        }
        buffer.extend_from_slice(tail.as_bytes());
        out.write_all(&buffer)?;
        Ok(written + buffer.len() as u64)
    }

    /// The customer at an index as it is now. Fails when the simulator ends, since a filter that
    /// nobody passes writes nothing for long, and so would not notice.
    fn fill(&self, customer: &mut Customer, index: u64) -> io::Result<()> {
        if index.is_multiple_of(1 << 16) && self.stop.is_stopped() {
            return Err(io::Error::other("the simulator ended"));
        }
        customer.fill(index);
        self.changes.apply(customer);
        if self.fault == Fault::Future && index % 10 == 3 {
            customer.updated_on = self.now + (1 + index as i64 % 30) * 86_400;
        }
        Ok(())
    }

    fn envelope(&self) -> (&'static str, &'static str) {
        const HEAD: &str = r#"{"status":"1","message":"OK","customers":["#;
        match self.fault {
            Fault::StatusLast => (r#"{"customers":["#, r#"],"status":"1","message":"OK"}"#),
            Fault::StatusMissing => (r#"{"message":"OK","customers":["#, "]}"),
            Fault::NotAnObject => ("[", "]"),
            Fault::OneObject => (r#"{"status":"1","message":"OK","customers":"#, "}"),
            Fault::MixedTypes => (r#"{"status":1,"message":"OK","customers":["#, "]}"),
            Fault::Pretty => (
                "{\n  \"status\": \"1\",\n  \"message\": \"OK\",\n  \"customers\": [",
                "\n  ]\n}\n",
            ),
            Fault::Bom => ("\u{feff}{\"status\":\"1\",\"message\":\"OK\",\"customers\":[", "]}"),
            Fault::TwoValues => {
                (HEAD, "]}\n{\"status\":\"1\",\"message\":\"OK\",\"customers\":[]}")
            }
            _ => (HEAD, "]}"),
        }
    }
}
