//! A question for one record, by its key: is it there, whatever a list says?

use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::{CHECK_WINDOW, Source};
use crate::error::{Error, Result};
use crate::model::arrow::Selection;
use crate::model::texts::Form;
use crate::plan::Plan;

impl Source<'_> {
    /// Whether the API has a record of a key, for the settings of a plan. It takes 30 seconds at most, retries
    /// included.
    ///
    /// # Errors
    /// Of every kind: the answer is neither the record nor that there is none.
    pub fn has(&self, plan: &Plan, key: i64) -> Result<bool> {
        let stream = plan.stream;
        let (host, method) = (self.client.host(), stream.method);
        let name = stream.key().name;
        let Some(filter) = stream.filters.iter().find(|filter| filter.parameter == name) else {
            return Err(Error::config(format!("{method} cannot be asked for one `{name}`.")));
        };
        let mut query = vec![(filter.parameter, key.to_string())];
        query.extend(stream.inactive.map(|parameter| (parameter, "true".to_owned())));
        let selection = Selection::of(stream, |_| false);
        let form = Form::Columns;
        let plan =
            Plan { query, selection, form, bound: None, asked: None, cursor: None, ..plan.clone() };
        let started = Instant::now();
        let window = CHECK_WINDOW.min(self.config.retry_window);
        let (attempt, requests) = self.patiently(window, Some(CHECK_WINDOW), |timeout| {
            self.attempt(&plan, timeout, &mut ())
        })?;
        let mut answer = attempt.accept(&plan, started, requests)?;
        while let Some(batch) = answer.batches.next_batch()? {
            let keys = batch.column_by_name(name).and_then(|keys| keys.as_primitive_opt());
            let keys = keys.map(|keys: &arrow_array::PrimitiveArray<Int64Type>| keys.values());
            if keys.is_some_and(|keys| keys.contains(&key)) {
                return Ok(true);
            }
        }
        if answer.receipt.rows + answer.receipt.rejected > 0 {
            return Err(Error::data(format!(
                "{host} answered {method} for `{name}` {key} with other {}s.",
                stream.record
            )));
        }
        Ok(false)
    }
}
