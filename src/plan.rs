//! What to read: one stream, its fields, and from where on.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::config::Config;
use crate::config::privacy::Privacy;
use crate::model::arrow::Selection;
use crate::model::texts::Form;
use crate::model::time::day_before;
use crate::model::{Stream, Timestamp};
use crate::state::{List, State};

/// The whole list, or what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything from the start date on, whatever the state. Streams without a cursor have no other.
    FullRefresh,
    /// What changed since the state's cursor, less the look-back.
    Incremental,
}

impl Mode {
    /// The modes that a stream can be read in.
    pub fn of(stream: &Stream) -> &'static [Self] {
        match stream.cursor() {
            Some(_) => &[Self::FullRefresh, Self::Incremental],
            None => &[Self::FullRefresh],
        }
    }

    /// The mode of a read where nobody names one: what changed, if the stream says what did.
    pub fn usual(stream: &Stream) -> Self {
        if Self::of(stream).contains(&Self::Incremental) {
            Self::Incremental
        } else {
            Self::FullRefresh
        }
    }
}

/// What a host asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The stream.
    pub stream: &'static Stream,
    /// The fields it wants.
    pub selection: Selection,
    /// The whole list, or what changed.
    pub mode: Mode,
    /// The state it gave back, of this stream.
    pub state: Option<State>,
    /// After how many hours an incremental read asks for the whole list again where the configuration does
    /// not say: `None` for never.
    pub full_list_hours: Option<u64>,
}

/// What to ask of the API and what to keep of its answer.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stream.
    pub stream: &'static Stream,
    /// The fields to emit: those that were asked for, without the ones that `exclude_fields` leaves out.
    pub selection: Selection,
    /// In which form rows wait for their sink.
    pub form: Form,
    /// Which fields are left out, and which are hashed.
    pub privacy: Privacy,
    /// The whole list, or what changed.
    pub mode: Mode,
    /// Query parameters, without the token.
    pub query: Vec<(&'static str, String)>,
    /// Dated records before it are left out.
    pub bound: Option<Timestamp>,
    /// The first day that the API was asked for: a day earlier than `bound` needs, since the API may mean
    /// another zone.
    pub asked: Option<NaiveDate>,
    /// The cursor that was given: the next one is not before it.
    pub cursor: Option<Timestamp>,
    /// Whether everything is read that the settings choose, rather than what changed since the cursor.
    pub is_whole: bool,
    /// Why no reply to this plan is a complete list: see [`crate::receipt::Receipt::incomplete`].
    pub incomplete: Option<&'static str>,
    /// The last list that was asked for whole, by the state that was given.
    pub list: Option<List>,
    /// Whether that list is older than an interval that was set, so that its successor is worth a state of
    /// its own, even where nothing else has changed.
    pub renews_list: bool,
    /// The latest cursor that is believed, a day after now: a later one, wherever it comes from, is the work
    /// of a clock that was wrong, and would hide every change until then.
    pub latest_cursor: Timestamp,
    /// The fingerprint of everything that decides which records there are. A cursor means nothing under
    /// another one.
    pub scope: String,
    /// The settings that choose records, with their values.
    pub filters: BTreeMap<String, String>,
    /// Warnings: why the plan differs from what was asked for.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Plans the read of one stream; `now` is by the clock of this machine.
    pub fn new(config: &Config, request: Request, now: Timestamp) -> Self {
        let latest_cursor = now.day_after();
        let Request { stream, selection, mode, state, full_list_hours } = request;
        let mut warnings = Vec::new();
        let scope = scope(config, stream);
        let selection = config.privacy.selection(stream, selection);
        let mode = if Mode::of(stream).contains(&mode) { mode } else { Mode::FullRefresh };
        let state = match (mode, state) {
            (Mode::FullRefresh, _) | (_, None) => None,
            (Mode::Incremental, Some(state)) => match &state.scope {
                Some(other) if *other != scope => {
                    warnings.push(format!(
                        "Stream `{}`: settings changed since the last run (token, URL, filters, zone, start date, excluded or hashed fields), so everything is read again.",
                        stream.name
                    ));
                    None
                }
                _ => Some(state),
            },
        };
        let list = state.as_ref().and_then(|state| state.list);
        let cursor = state.and_then(|state| state.cursor);
        if let Some(cursor) = cursor.filter(|cursor| *cursor > latest_cursor) {
            warnings.push(format!(
                "The state of stream `{}` has a cursor in the future ({cursor}; this machine's clock says {now}). It is not believed: everything is read again, and the cursor is set from what is read.",
                stream.name
            ));
        }
        let cursor = cursor.filter(|cursor| *cursor <= latest_cursor);
        let start = config.start_date.map(|date| config.zone.midnight(date));
        let start = start.filter(|_| stream.cursor().is_some());
        if config.start_date.is_some() && start.is_none() {
            warnings.push(format!(
                "Stream `{}` does not say when its {}s changed, so `start_date` does not apply: everything is read.",
                stream.name, stream.record
            ));
        }
        let partial = partial(config, stream);
        let hours = config.full_list_hours.or(full_list_hours);
        let hours = hours.filter(|_| partial.is_none() && mode == Mode::Incremental);
        let is_whole = cursor.is_none() || hours.is_some_and(|hours| is_due(list, hours, now));
        let since = cursor.filter(|_| !is_whole);
        let bound = since.map(|cursor| look_back(config, cursor)).max(start);
        let asked = bound.filter(|_| stream.since.is_some());
        let asked = asked.map(|bound| day_before(config.zone.date(bound)));
        let query = query(config, stream, asked);
        Self {
            stream,
            selection,
            form: Form::Columns,
            privacy: config.privacy.clone(),
            mode,
            query,
            bound,
            asked,
            cursor,
            is_whole,
            incomplete: partial.or(asked.map(|_| "only what changed was asked for")),
            renews_list: hours.is_some_and(|hours| hours > 0 && is_due(list, hours, now)),
            list,
            latest_cursor,
            scope,
            filters: filters(config),
            warnings,
        }
    }

    /// The same plan for a sink that makes lines of its rows: see [`Form::Texts`].
    pub fn for_lines(self) -> Self {
        Self { form: Form::Texts, ..self }
    }

    /// Warns of a start that is later than `now`: nothing of today would be read.
    pub fn warn_of_start(&self, now: Timestamp, warnings: &mut Vec<String>) {
        if let Some(bound) = self.bound.filter(|bound| self.is_whole && *bound > now) {
            warnings.push(format!(
                "`start_date` has not come yet ({bound}), so {}s of today are not read. Correct it, or leave it out.",
                self.stream.record
            ));
        }
    }
}

/// Why the settings choose some of the records, so that no reply is a complete list.
fn partial(config: &Config, stream: &Stream) -> Option<&'static str> {
    if stream.filters.iter().any(|filter| config.filters.contains_key(filter.setting)) {
        Some("a filter is set")
    } else if stream.inactive.is_some() && !config.include_inactive {
        Some("`include_inactive` is false")
    } else if config.start_date.is_some() {
        Some("`start_date` is set")
    } else {
        None
    }
}

/// Whether the whole list is to be asked for again. One that is later than now says nothing of its age: a
/// clock was wrong.
fn is_due(list: Option<List>, hours: u64, now: Timestamp) -> bool {
    let hours = u32::try_from(hours).unwrap_or(u32::MAX);
    list.is_none_or(|list| list.at > now || list.at <= now.hours_before(hours))
}

/// Where an incremental read starts again. A zone that moves its clocks writes some hours twice, and the
/// second of them may look like the first: one more hour covers it.
fn look_back(config: &Config, cursor: Timestamp) -> Timestamp {
    let twice = u32::from(config.zone.changes_clocks(cursor));
    cursor.hours_before(config.lookback_hours + twice)
}

fn query(
    config: &Config,
    stream: &Stream,
    asked: Option<NaiveDate>,
) -> Vec<(&'static str, String)> {
    let filters = stream
        .filters
        .iter()
        .filter_map(|filter| Some((filter.parameter, config.filters.get(filter.setting)?.clone())));
    let inactive =
        stream.inactive.map(|parameter| (parameter, config.include_inactive.to_string()));
    let since = stream.since.zip(asked).map(|(parameter, date)| (parameter, date.to_string()));
    filters.chain(inactive).chain(since).collect()
}

fn filters(config: &Config) -> BTreeMap<String, String> {
    let own = |(key, value): (&&'static str, &String)| ((*key).to_owned(), value.clone());
    let mut filters: BTreeMap<String, String> = config.filters.iter().map(own).collect();
    filters.insert("include_inactive".to_owned(), config.include_inactive.to_string());
    filters.extend(config.start_date.map(|date| ("start_date".to_owned(), date.to_string())));
    filters
}

/// The fingerprint of the URL, every filter, `include_inactive`, `timezone`, `start_date` and, where they are
/// set, the excluded and hashed fields and the key, keyed by the token. Its text is part of the state's form:
/// with another text every saved state is void.
fn scope(config: &Config, stream: &Stream) -> String {
    let mut parts = vec![
        ("url", format!("{}/{}", config.base_url.as_str().trim_end_matches('/'), stream.method)),
        ("include_inactive", config.include_inactive.to_string()),
        ("timezone", config.zone.name().to_owned()),
        ("start_date", config.start_date.map(|date| date.to_string()).unwrap_or_default()),
    ];
    parts.extend(config.filters.iter().map(|(key, value)| (*key, value.clone())));
    parts.extend(config.privacy.scope());
    config.token.fingerprint(&serde_json::json!(parts).to_string())
}

#[cfg(test)]
mod tests;
