//! What is counted while a reply is decoded, and what of it is reported to the user.

use std::collections::BTreeMap;

use crate::model::Timestamp;
use crate::plan::Plan;

/// At most this many names of unknown fields are counted by themselves; a record has few, but a broken server may send any.
const MAX_NAMES: usize = 100;

/// The name of the rest of them.
const OTHERS: &str = "(others)";

/// So much of a name is shown.
const MOST_CHARACTERS: usize = 100;

/// The counts of one list.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Rows to emit.
    pub(crate) rows: u64,
    /// Records before the bound.
    pub(crate) left_out: u64,
    /// Records before the first day that was asked for.
    pub(crate) not_asked_for: u64,
    /// Members that came again under the same name in the same object.
    pub(crate) duplicates: u64,
    /// The greatest cursor value that is not later than the reply.
    pub(crate) cursor: Option<Timestamp>,
    /// Rows whose cursor value is later than the reply.
    pub(crate) in_future: u64,
    /// For each declared field: how many values were invalid, and the first one's position in the list.
    invalid: Vec<(u64, u64)>,
    /// For each unknown field, how many records had it.
    unknown: BTreeMap<String, u64>,
    /// The same of those whose value no reader of JSON would take.
    unreadable: BTreeMap<String, u64>,
}

impl Tally {
    /// Nothing counted, for a stream of this many fields.
    pub(crate) fn new(fields: usize) -> Self {
        Self {
            rows: 0,
            left_out: 0,
            not_asked_for: 0,
            duplicates: 0,
            cursor: None,
            in_future: 0,
            invalid: vec![(0, 0); fields],
            unknown: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        }
    }

    /// Counts a value that was not of its field's type.
    pub(crate) fn note_invalid(&mut self, field: usize, position: u64) {
        let (count, first) = &mut self.invalid[field];
        if *count == 0 {
            *first = position;
        }
        *count += 1;
    }

    /// Counts a field that is not declared.
    pub(crate) fn note_unknown(&mut self, name: &str) {
        count(&mut self.unknown, name);
    }

    /// Counts a field that is not declared and whose value became null.
    pub(crate) fn note_unreadable(&mut self, name: &str) {
        count(&mut self.unreadable, name);
    }

    /// Counts a cursor value; `now` is when the server sent the reply.
    #[inline]
    pub(crate) fn note_cursor(&mut self, value: Timestamp, now: Timestamp) {
        if value > now {
            self.in_future += 1;
        } else {
            self.cursor = self.cursor.max(Some(value));
        }
    }

    /// How many unknown values became null.
    #[cfg(test)]
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable.values().sum()
    }

    /// What the user should look at.
    pub(crate) fn warnings(&self, plan: &Plan) -> Vec<String> {
        let stream = plan.stream;
        let (name, list) = (stream.name, stream.list);
        let mut warnings = Vec::new();
        for (field, &(count, first)) in stream.fields.iter().zip(&self.invalid) {
            if count > 0 {
                let field = field.name;
                warnings.push(format!(
                    "Stream `{name}`: {count} invalid values of `{field}` became null, the first at {list}[{first}].{field}. Correct them in Komet Sales."
                ));
            }
        }
        for (field, count) in &self.unknown {
            let kept = if plan.selection.extra { " It is kept in `_extra`." } else { "" };
            warnings.push(format!(
                "Stream `{name}`: {count} records have a field that this version does not know: `{field}`.{kept}"
            ));
        }
        for (field, count) in &self.unreadable {
            warnings.push(format!(
                "Stream `{name}`: {count} records have an unknown field `{field}` that most JSON parsers reject (an unpaired surrogate, a number out of range, or too deep nesting). It is null in `_extra`, or not in it."
            ));
        }
        if self.not_asked_for > 0 {
            warnings.push(format!(
                "Stream `{name}`: the API was asked for what changed since {} and also sent {} older records, which were left out here. Does it ignore `{}`?",
                plan.asked.map(|date| date.to_string()).unwrap_or_default(),
                self.not_asked_for,
                stream.since.unwrap_or_default()
            ));
        }
        if let (Some(cursor), true) = (stream.cursor(), self.in_future > 0) {
            warnings.push(format!(
                "Stream `{name}`: {} records have a `{}` later than the reply. They are read, and do not move the cursor. Is `timezone` right?",
                self.in_future,
                cursor.name
            ));
        }
        if self.duplicates > 0 {
            warnings.push(format!(
                "Stream `{name}`: the reply has {} duplicate keys. The last value of each was used.",
                self.duplicates
            ));
        }
        warnings
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
    } else {
        let name = if names.len() + 1 < MAX_NAMES { name } else { OTHERS };
        *names.entry(name.chars().take(MOST_CHARACTERS).collect()).or_default() += 1;
    }
}
