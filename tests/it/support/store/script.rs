//! What goes wrong, with which requests, and how often.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Store;
use super::request::Line;

/// Something that happens to some requests, once unless it says otherwise.
///
/// ```ignore
/// // The second write to the log lands, and its writer hears that it did not.
/// store.script(Rule::on("PUT", "_delta_log/").ending(".json").nth(2).answers(500).after_applying());
/// ```
///
/// A request belongs to the first rule that is for it and has a turn left, and to no other: the rules
/// after that one do not count it.
pub(crate) struct Rule {
    method: String,
    part: String,
    suffix: String,
    first: usize,
    times: usize,
    seen: usize,
    effect: Effect,
}

impl Rule {
    /// For requests with this method, or with any when it is `*`, whose line in `Store::requests`
    /// has this part after the method.
    pub(crate) fn on(method: &str, part: &str) -> Self {
        Self {
            method: method.to_owned(),
            part: part.to_owned(),
            suffix: String::new(),
            first: 1,
            times: 1,
            seen: 0,
            effect: Effect::default(),
        }
    }

    /// Only for keys with this end.
    pub(crate) fn ending(mut self, suffix: &str) -> Self {
        suffix.clone_into(&mut self.suffix);
        self
    }

    /// Not before the nth of these requests, the first being 1.
    pub(crate) fn nth(mut self, first: usize) -> Self {
        self.first = first;
        self
    }

    /// This many times.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Answers with this status instead of doing what is asked.
    pub(crate) fn answers(mut self, status: u16) -> Self {
        self.effect.ending = Ending::Status(status);
        self
    }

    /// Closes the connection instead of doing what is asked. Clients take that for a request that was
    /// never sent.
    pub(crate) fn closes(mut self) -> Self {
        self.effect.ending = Ending::Close;
        self
    }

    /// Resets the connection instead of doing what is asked. Clients take that for a request of which
    /// nothing is known.
    pub(crate) fn resets(mut self) -> Self {
        self.effect.ending = Ending::Reset;
        self
    }

    /// Does what is asked all the same, before it answers so, closes or resets.
    pub(crate) fn after_applying(mut self) -> Self {
        self.effect.applies = true;
        self
    }

    /// Does what is asked without looking at its conditions.
    pub(crate) fn ignores_conditions(mut self) -> Self {
        self.effect.ignores_conditions = true;
        self
    }

    /// Waits before it does anything. A client that is gone by then has its request done nevertheless.
    pub(crate) fn delays_before(mut self, milliseconds: u64) -> Self {
        self.effect.delay_before = Duration::from_millis(milliseconds);
        self
    }

    /// Does what is asked and waits before it answers.
    pub(crate) fn delays_after(mut self, milliseconds: u64) -> Self {
        self.effect.delay_after = Duration::from_millis(milliseconds);
        self
    }

    /// Runs this before the request is applied, so that a competitor can be there first. A panic in it
    /// is a panic when the store is dropped.
    pub(crate) fn before(mut self, closure: impl Fn(&Store) + Send + Sync + 'static) -> Self {
        self.effect.before = Some(Arc::new(closure));
        self
    }

    pub(super) fn is_for(&self, line: &Line) -> bool {
        (self.method == "*" || self.method == line.method)
            && line.target.contains(&self.part)
            && line.key.ends_with(&self.suffix)
    }

    /// Counts a request, and says whether it is the rule's turn.
    fn has_turn(&mut self) -> bool {
        self.seen += 1;
        self.seen >= self.first && self.seen - self.first < self.times
    }
}

/// What runs before a request is applied.
type Closure = dyn Fn(&Store) + Send + Sync;

/// What a rule does.
#[derive(Clone, Default)]
pub(super) struct Effect {
    pub(super) delay_before: Duration,
    pub(super) before: Option<Arc<Closure>>,
    pub(super) ignores_conditions: bool,
    pub(super) applies: bool,
    pub(super) delay_after: Duration,
    pub(super) ending: Ending,
}

/// What the client is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ending {
    /// What happened.
    #[default]
    Honest,
    Status(u16),
    Close,
    Reset,
}

/// The rules, in the order in which they are asked.
#[derive(Default)]
pub(super) struct Script(Mutex<Vec<Rule>>);

impl Script {
    pub(super) fn add(&self, rule: Rule) {
        self.0.lock().unwrap().push(rule);
    }

    pub(super) fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    /// What happens to a request: nothing, unless a rule is for it.
    pub(super) fn choose(&self, line: &Line) -> Effect {
        let mut rules = self.0.lock().unwrap();
        let mut turns = rules.iter_mut().filter(|rule| rule.is_for(line));
        turns.find_map(|rule| rule.has_turn().then(|| rule.effect.clone())).unwrap_or_default()
    }
}
