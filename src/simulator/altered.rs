//! Records that are not in the documented form: what the faults of single records write. Slower
//! than the plain writer, which is fine for what is wrong on purpose.

use super::customer::Customer;
use super::fault::Fault;
use super::record::{write_text, write_time};

/// Where a record is in the reply.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// How many elements come before it.
    pub(super) position: u64,
    /// The id of the element before it; 0 for the first.
    pub(super) id_before: u64,
}

/// Whether any record of the reply may differ from the documented form.
pub(super) fn alters_records(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::BadUtf8
            | Fault::InvalidValues
            | Fault::BadIds(_)
            | Fault::MixedTypes
            | Fault::DuplicateKeys
            | Fault::DuplicateIds
            | Fault::NewFields
            | Fault::Fractions
            | Fault::Pretty
    )
}

/// Adds the element of the array for `customer` when the reply has the fault.
pub(super) fn write_altered(
    buffer: &mut Vec<u8>,
    customer: &Customer,
    fault: &Fault,
    place: Place,
) {
    let position = place.position;
    let mut record = Record::of(customer);
    match fault {
        Fault::BadUtf8 if position.is_multiple_of(100) => record.spoil_name(),
        Fault::InvalidValues if position.is_multiple_of(10) => {
            record.set("accountingCode", "[\"ACC10\"]");
            record.set("customerType", "\"\\ud800\"");
            record.set("salesPerson", "{\"first\":\"Julian\"}");
            record.set("salesPersonId", "\"abc\"");
            record.set("active", "\"maybe\"");
            record.set("code", "{}");
            record.set("updatedOn", "\"yesterday\"");
        }
        Fault::BadIds(count) if (1..=*count).contains(&position) => match (position - 1) % 7 {
            0 => record.remove("id"),
            1 => record.set("id", "\"\""),
            2 => record.set("id", "null"),
            3 => record.set("id", "\"12x\""),
            4 => record.set("id", "1e400"),
            5 => record.set("id", "99999999999999999999"),
            _ => return buffer.extend_from_slice(b"\"no customer\""),
        },
        Fault::MixedTypes => record.mix_types(customer, position),
        Fault::DuplicateKeys if position.is_multiple_of(10) => {
            record.fields.insert(0, ("name", b"\"an earlier name\"".to_vec()));
            record.fields.insert(0, ("id", b"\"1\"".to_vec()));
        }
        Fault::DuplicateIds if position % 10 == 9 => {
            record.set("id", &format!("\"{}\"", place.id_before));
        }
        Fault::NewFields => {
            record.set("terms", "\"NET 30\"");
            if position.is_multiple_of(3) {
                record.set(
                    "credit",
                    "{\"limit\":1500.50,\"holds\":[true,null,{\"r\u{e9}ason\":\"\\\"late\\\"\"}]}",
                );
            }
        }
        Fault::Fractions => record.vary_time(customer.updated_on, position),
        _ => {}
    }
    record.write(buffer, matches!(fault, Fault::Pretty));
}

/// A record as its fields in order, each value in JSON.
struct Record {
    fields: Vec<(&'static str, Vec<u8>)>,
}

impl Record {
    fn of(customer: &Customer) -> Self {
        let mut record = Self { fields: Vec::with_capacity(12) };
        record.set("id", &format!("\"{}\"", customer.id));
        if let Some(code) = customer.accounting_code {
            record.set("accountingCode", &format!("\"ACC{code}\""));
        }
        record.set_text("customerType", customer.customer_type);
        if let Some((_, name)) = customer.sales_person {
            record.set_text("salesPerson", name);
        }
        record.set_text("name", &customer.name);
        if let Some((id, _)) = customer.sales_person {
            record.set("salesPersonId", &id.to_string());
        }
        record.set("active", if customer.active { "\"1\"" } else { "\"0\"" });
        record.set_text("code", &customer.code);
        record.set("updatedOn", &time(customer.updated_on, b'T', ""));
        record
    }

    /// Gives a field a value, at its place or at the end.
    fn set(&mut self, key: &'static str, json: &str) {
        self.set_bytes(key, json.as_bytes().to_vec());
    }

    fn set_text(&mut self, key: &'static str, text: &str) {
        let mut json = Vec::new();
        write_text(&mut json, text);
        self.set_bytes(key, json);
    }

    fn set_bytes(&mut self, key: &'static str, json: Vec<u8>) {
        match self.fields.iter_mut().find(|(name, _)| *name == key) {
            Some((_, value)) => *value = json,
            None => self.fields.push((key, json)),
        }
    }

    fn remove(&mut self, key: &str) {
        self.fields.retain(|(name, _)| *name != key);
    }

    fn spoil_name(&mut self) {
        // After the opening quote, where no escape can swallow it.
        if let Some((_, name)) = self.fields.iter_mut().find(|(name, _)| *name == "name") {
            name.insert(1, 0xFF);
        }
    }

    fn mix_types(&mut self, customer: &Customer, position: u64) {
        if position % 100 == 7 {
            self.set("id", &customer.id.to_string());
        }
        match position % 20 {
            3 => self.set("active", if customer.active { "1" } else { "0" }),
            5 => self.set("active", if customer.active { "true" } else { "false" }),
            8 => self.set("active", if customer.active { "\"True\"" } else { "\"FALSE\"" }),
            _ => {}
        }
        if let (Some((id, _)), 11) = (customer.sales_person, position % 20) {
            self.set("salesPersonId", &format!("\"{id}\""));
        }
    }

    fn vary_time(&mut self, seconds: i64, position: u64) {
        let value = match position % 6 {
            0 => time(seconds, b'T', ""),
            1 => time(seconds, b'T', ".123"),
            2 => time(seconds, b'T', ".123456Z"),
            3 => time(seconds, b' ', ""),
            4 => time(seconds - 5 * 3600, b'T', "-05:00"),
            _ => time(seconds, b'T', "Z"),
        };
        self.set("updatedOn", &value);
    }

    fn write(&self, buffer: &mut Vec<u8>, pretty: bool) {
        buffer.extend_from_slice(if pretty { b"\n    {" } else { b"{" });
        for (count, (key, value)) in self.fields.iter().enumerate() {
            if count > 0 {
                buffer.push(b',');
            }
            let (before, between) = if pretty { ("\n      ", ": ") } else { ("", ":") };
            buffer.extend_from_slice(before.as_bytes());
            write_text(buffer, key);
            buffer.extend_from_slice(between.as_bytes());
            buffer.extend_from_slice(value);
        }
        buffer.extend_from_slice(if pretty { b"\n    }" } else { b"}" });
    }
}

fn time(seconds: i64, between: u8, after: &str) -> String {
    let mut bytes = vec![b'"'];
    write_time(&mut bytes, seconds, between);
    bytes.extend_from_slice(after.as_bytes());
    bytes.push(b'"');
    String::from_utf8_lossy(&bytes).into_owned()
}
