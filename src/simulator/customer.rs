//! One customer of the simulated company: a pure function of its index.

use super::names::{CUSTOMER_TYPES, SALES_PEOPLE, write_name};
use super::random::Random;

/// 2017-01-01T00:00:00 in seconds since 1970.
const FIRST_UPDATE: i64 = 1_483_228_800;

/// The nine and a half years up to the end of 2026-06-30, in seconds.
const UPDATE_SPAN: u32 = 299_635_200;

/// The ids of the company's locations run from 1 to this.
const LOCATIONS: u64 = 4;

/// What Komet keeps about one customer. One value is filled again and again, so that a list of any
/// length needs the memory of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) index: u64,
    pub(super) id: u64,
    pub(super) accounting_code: Option<u32>,
    pub(super) customer_type: &'static str,
    pub(super) sales_person: Option<(u32, &'static str)>,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) code: String,
    /// Seconds since 1970, UTC.
    pub(super) updated_on: i64,
}

impl Customer {
    /// Becomes the customer at `index`, as it was before anybody edited it.
    pub(super) fn fill(&mut self, index: u64) {
        let mut random = Random::of(index);
        self.index = index;
        self.id = id_of(index);
        self.accounting_code = (!random.percent(15)).then(|| 1 + random.below(29_999));
        self.customer_type = random.pick(CUSTOMER_TYPES);
        self.sales_person = (!random.percent(10)).then(|| random.pick(SALES_PEOPLE));
        self.name.clear();
        write_name(&mut random, &mut self.name);
        self.active = !random.percent(8);
        self.code.clear();
        write_code(&mut random, &mut self.code);
        self.updated_on = FIRST_UPDATE + i64::from(random.below(UPDATE_SPAN));
    }

    /// Whether the customer belongs to a location; every fifth belongs to two, as Komet allows.
    pub(super) fn is_at(&self, location: u64) -> bool {
        let home = self.index % LOCATIONS + 1;
        let second = (self.index + 1) % LOCATIONS + 1;
        location == home || (self.index.is_multiple_of(5) && location == second)
    }
}

/// The id of the customer at an index: unique, in the order of no list, with gaps.
pub(super) fn id_of(index: u64) -> u64 {
    // An odd factor permutes the 65,536 low values, so no two customers can meet.
    let low = (index.wrapping_mul(40_503) + 21_211) & 0xFFFF;
    let unique = (index & !0xFFFF) | low;
    10_000 + unique.wrapping_mul(3) + u64::from(Random::of(unique).below(3))
}

fn write_code(random: &mut Random, code: &mut String) {
    let digit = |random: &mut Random| char::from(b'0' + random.below(10) as u8);
    let letter = |random: &mut Random| char::from(b'A' + random.below(26) as u8);
    match random.below(10) {
        0..=4 => {
            code.push(letter(random));
            (0..4).for_each(|_| code.push(digit(random)));
        }
        5 | 6 => {
            code.push_str("00");
            (0..3).for_each(|_| code.push(digit(random)));
        }
        7 | 8 => (0..3).for_each(|_| code.push(letter(random))),
        _ => {
            code.push_str("FL-");
            (0..4).for_each(|_| code.push(digit(random)));
        }
    }
}
