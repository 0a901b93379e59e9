//! What a writer reads out of Komet into a table, and what it was told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use kometsales::config::Config;
use kometsales::error::Error;
use kometsales::export::Exported;
use kometsales::export::mode::TableMode;
use kometsales::export::table::{Table, TableOptions};
use kometsales::model::Timestamp;
use kometsales::model::arrow::Selection;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::sink::Answer;
use kometsales::source::{Scratch, prove};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, hand_over};
use serde_json::json;

use super::drive::runtime;
use super::komet::{Customer, Komet, reply};
use super::store::Reached;

/// After how many hours an export asks for the whole list again.
const FULL_LIST_HOURS: u64 = 168;

/// What an export was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) records: BTreeMap<i64, Customer>,
    /// When it asked, by its own clock.
    pub(super) at: i64,
    pub(super) is_whole: bool,
    /// Whether a customer that it asked for was there.
    pub(super) is_in_doubt: bool,
}

/// An export that asks Komet.
pub(super) struct Reading<'a> {
    pub(super) reached: &'a Reached,
    pub(super) komet: &'a Mutex<Komet>,
    pub(super) token: &'a str,
    pub(super) options: TableOptions,
    pub(super) now: &'a (dyn Fn() -> Timestamp + Sync),
}

impl Reading<'_> {
    /// Exports into a table. Gives what it was told, if it came to that.
    pub(super) fn export_to(&self, table: &mut Table<'_>) -> (Option<Told>, Result<(), Error>) {
        let told = Mutex::new(None);
        let done = self.read(table, &told);
        (told.into_inner().unwrap(), done)
    }

    fn read(&self, table: &mut Table<'_>, told: &Mutex<Option<Told>>) -> Result<(), Error> {
        let Self { reached: Reached { world, writer, .. }, komet, options, now, .. } = self;
        let config = json!({"authentication_token": self.token}).to_string();
        let config = Config::parse(config.as_bytes(), "test").unwrap().0;
        let (how, state) = match options.is_whole || options.mode == TableMode::Overwrite {
            true => (Mode::FullRefresh, None),
            false => (Mode::Incremental, table.state()),
        };
        let selection = Selection::all(&CUSTOMERS);
        let full_list_hours = Some(FULL_LIST_HOURS);
        let request = Request { stream: &CUSTOMERS, selection, mode: how, state, full_list_hours };
        let plan = Plan::new(&config, request, now());
        // The request is on its way, and the answer.
        let asked_at = now();
        runtime().block_on(world.pass(*writer, 0));
        let since =
            plan.asked.map(|day| Timestamp::from(day.and_time(chrono::NaiveTime::MIN).and_utc()));
        let records = komet.lock().unwrap().asked(world, since);
        runtime().block_on(world.pass(*writer, 0));
        // Dated customers from before the bound are left out: the read that set the cursor has brought them.
        let is_kept = |customer: &Customer| match (plan.bound, customer.updated) {
            (Some(bound), Some(updated)) => updated >= bound.micros(),
            _ => true,
        };
        let kept = records.iter().filter(|(_, customer)| is_kept(customer));
        *told.lock().unwrap() = Some(Told {
            records: kept.copied().collect(),
            at: asked_at.micros(),
            is_whole: plan.is_whole,
            is_in_doubt: false,
        });
        let scratch = Scratch::new(vec![std::env::temp_dir()]);
        let accepted = prove(&reply(&records)[..], &plan, &config, asked_at, &scratch, &())?;
        let ask = |id: i64| {
            if komet.lock().unwrap().customers.contains_key(&id) {
                told.lock().unwrap().as_mut().unwrap().is_in_doubt = true;
                return Answer::There;
            }
            Answer::Gone
        };
        hand_over(accepted, &plan, table, RejectLimits::kept(None), &(), &ask).map(drop)
    }
}
