//! The customers as Komet has them in a world, and what it answers.

use std::collections::BTreeMap;

use kometsales::model::Timestamp;
use serde_json::{Value, json};

use super::world::{SECOND, World};

/// The ids that there may be.
const IDS: u32 = 9;

/// A customer: when it was last changed, in whole seconds, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) updated: Option<i64>,
    pub(super) name: u32,
}

/// A record of a reply.
pub(super) type Record = (i64, Customer);

/// The customers of now.
#[derive(Debug, Default)]
pub(super) struct Komet {
    pub(super) customers: BTreeMap<i64, Customer>,
    names: u32,
}

impl Komet {
    /// Some customers, before anybody asked. Names are numbered from this one on.
    pub(super) fn begin(world: &World, names: u32) -> Self {
        let mut komet = Self { names, ..Self::default() };
        for _ in 0..6 {
            komet.change(world);
        }
        komet
    }

    /// One customer changes, comes or goes.
    fn change(&mut self, world: &World) {
        let id = i64::from(world.draw(IDS));
        if world.draw(6) == 0 && self.customers.remove(&id).is_some() {
            world.note(|| format!("komet: {id} is gone"));
            return;
        }
        self.names += 1;
        let updated = Some(world.now() / SECOND * SECOND);
        let customer = Customer { updated, name: self.names };
        world.note(|| format!("komet: {id} is n{}", customer.name));
        self.customers.insert(id, customer);
    }

    /// What Komet has when it is asked for everything, or for what changed since a day.
    pub(super) fn asked(&mut self, world: &World, since: Option<Timestamp>) -> Vec<Record> {
        for _ in 0..world.draw(4) {
            self.change(world);
        }
        let listed = self.customers.iter().map(|(id, customer)| (*id, *customer));
        let is_asked = |(_, customer): &Record| match (since, customer.updated) {
            (Some(since), Some(updated)) => updated >= since.micros(),
            _ => true,
        };
        let mut records: Vec<Record> = listed.filter(is_asked).collect();
        // In no order.
        for at in (1..records.len()).rev() {
            records.swap(at, world.draw(at as u32 + 1) as usize);
        }
        records
    }
}

/// A reply with these records.
pub(super) fn reply(records: &[Record]) -> Vec<u8> {
    let record = |(id, customer): &Record| {
        let updated = customer.updated.map(|micros| {
            let text = Timestamp::from_micros(micros).unwrap().to_string();
            text.trim_end_matches('Z').to_owned()
        });
        json!({"id": id, "name": format!("n{}", customer.name), "updatedOn": updated})
    };
    let records: Vec<Value> = records.iter().map(record).collect();
    json!({"status": 1, "customers": records}).to_string().into_bytes()
}
