//! What to read: one stream, its fields, and from where on.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::config::Config;
use crate::model::arrow::Selection;
use crate::model::time::day_before;
use crate::model::{Stream, Timestamp};
use crate::state::State;

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
}

/// What to ask of the API and what to keep of its answer.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stream.
    pub stream: &'static Stream,
    /// The fields to emit.
    pub selection: Selection,
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
        let Request { stream, selection, mode, state } = request;
        let mut warnings = Vec::new();
        let scope = scope(config, stream);
        let mode = if Mode::of(stream).contains(&mode) { mode } else { Mode::FullRefresh };
        let state = match (mode, state) {
            (Mode::FullRefresh, _) | (_, None) => None,
            (Mode::Incremental, Some(state)) => match &state.scope {
                Some(other) if *other != scope => {
                    warnings.push(format!(
                        "The state of stream `{}` was written with another token, URL, filter, time zone or start date, so everything is read again.",
                        stream.name
                    ));
                    None
                }
                _ => Some(state),
            },
        };
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
        let bound = cursor.map(|cursor| look_back(config, cursor)).max(start);
        let asked = bound.filter(|_| stream.since.is_some());
        let asked = asked.map(|bound| day_before(config.zone.date(bound)));
        let query = query(config, stream, asked);
        Self {
            stream,
            selection,
            mode,
            query,
            bound,
            asked,
            cursor,
            latest_cursor,
            scope,
            filters: filters(config),
            warnings,
        }
    }
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

/// The fingerprint of the URL, every filter, `include_inactive`, `timezone` and `start_date`, keyed by
/// the token. Its text is part of the state's form: with another text every saved state is void.
fn scope(config: &Config, stream: &Stream) -> String {
    let mut parts = vec![
        ("url", format!("{}/{}", config.base_url.as_str().trim_end_matches('/'), stream.method)),
        ("include_inactive", config.include_inactive.to_string()),
        ("timezone", config.zone.name().to_owned()),
        ("start_date", config.start_date.map(|date| date.to_string()).unwrap_or_default()),
    ];
    parts.extend(config.filters.iter().map(|(key, value)| (*key, value.clone())));
    config.token.fingerprint(&serde_json::json!(parts).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;
    use crate::streams::customers::CUSTOMERS;

    fn config(members: &str) -> Config {
        let comma = if members.is_empty() { "" } else { ", " };
        let json = format!(r#"{{"authentication_token": "abcdefgh"{comma}{members}}}"#);
        let config = Config::parse(json.as_bytes(), "test").unwrap().0;
        // The token under which the kept fingerprint was made.
        Config { token: crate::secret::Token::new("abc".into()), ..config }
    }

    fn at(text: &str) -> Timestamp {
        Zone::UTC.parse(text).unwrap()
    }

    fn plan(config: &Config, mode: Mode, cursor: Option<&str>) -> Plan {
        let state = cursor.map(|cursor| State { cursor: Some(at(cursor)), scope: None });
        with_state(config, mode, state)
    }

    fn with_state(config: &Config, mode: Mode, state: Option<State>) -> Plan {
        let selection = Selection::all(&CUSTOMERS);
        let request = Request { stream: &CUSTOMERS, selection, mode, state };
        Plan::new(config, request, at("2026-11-24T06:00:00"))
    }

    #[test]
    fn without_a_state_everything_is_asked_for() {
        let plan = plan(&config(""), Mode::Incremental, None);
        assert_eq!(plan.query, [("includeInactive", "true".to_owned())]);
        assert_eq!((plan.bound, plan.asked, plan.cursor), (None, None, None));
    }

    #[test]
    fn filters_are_sent_under_the_names_of_the_api() {
        let config = config(
            r#""customer_id": 7, "sales_person_id": 8, "location_id": 9, "name": "a&b", "code": "c",
               "include_inactive": false"#,
        );
        let plan = plan(&config, Mode::FullRefresh, None);
        let expected = [
            ("id", "7"),
            ("name", "a&b"),
            ("code", "c"),
            ("salesPersonId", "8"),
            ("locationId", "9"),
            ("includeInactive", "false"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        assert_eq!(plan.query, expected);
    }

    #[test]
    fn an_incremental_read_looks_back_and_asks_a_day_earlier() {
        let plan = plan(&config(""), Mode::Incremental, Some("2024-03-10T00:30:00"));
        assert_eq!(plan.bound, Some(at("2024-03-09T23:30:00")));
        assert_eq!(plan.asked.unwrap().to_string(), "2024-03-08");
        assert!(plan.query.contains(&("updateAsOf", "2024-03-08".to_owned())));
        assert_eq!(plan.cursor, Some(at("2024-03-10T00:30:00")));
    }

    #[test]
    fn the_day_is_that_of_the_zone_and_moving_clocks_add_an_hour() {
        let config = config(r#""timezone": "America/New_York", "lookback_hours": 0"#);
        let plan = plan(&config, Mode::Incremental, Some("2024-03-10T03:30:00"));
        assert_eq!(plan.bound, Some(at("2024-03-10T02:30:00")));
        assert_eq!(plan.asked.unwrap().to_string(), "2024-03-08");
    }

    #[test]
    fn a_start_date_bounds_a_full_refresh_too_and_has_no_look_back() {
        let config = config(r#""start_date": "2024-01-01", "timezone": "America/Bogota""#);
        for mode in [Mode::FullRefresh, Mode::Incremental] {
            let plan = plan(&config, mode, None);
            assert_eq!(plan.bound, Some(at("2024-01-01T05:00:00")));
            assert_eq!(plan.asked.unwrap().to_string(), "2023-12-31");
        }
    }

    #[test]
    fn the_bound_is_the_later_of_cursor_and_start_date() {
        let config = config(r#""start_date": "2024-01-01""#);
        let later = plan(&config, Mode::Incremental, Some("2024-06-01T12:00:00"));
        assert_eq!(later.bound, Some(at("2024-06-01T11:00:00")));
        let earlier = plan(&config, Mode::Incremental, Some("2023-06-01T12:00:00"));
        assert_eq!(earlier.bound, Some(at("2024-01-01T00:00:00")));
    }

    #[test]
    fn a_full_refresh_ignores_the_state() {
        let plan = plan(&config(""), Mode::FullRefresh, Some("2024-06-01T12:00:00"));
        assert_eq!((plan.bound, plan.cursor), (None, None));
    }

    #[test]
    fn a_state_of_another_scope_is_forgotten_with_a_warning() {
        let (one, two) = (config(""), config(r#""code": "A1""#));
        let cursor = Some(at("2024-06-01T12:00:00"));
        let state = |scope| Some(State { cursor, scope });
        let own = plan(&one, Mode::Incremental, None).scope;
        let same = with_state(&one, Mode::Incremental, state(Some(own.clone())));
        assert_eq!((same.cursor, same.warnings.len()), (cursor, 0));
        let other = with_state(&two, Mode::Incremental, state(Some(own)));
        assert_eq!((other.cursor, other.bound, other.warnings.len()), (None, None, 1));
        let unknown = with_state(&two, Mode::Incremental, state(None));
        assert_eq!((unknown.cursor, unknown.warnings.len()), (cursor, 0));
    }

    #[test]
    fn a_cursor_more_than_a_day_ahead_of_the_clock_is_not_believed() {
        let believed = plan(&config(""), Mode::Incremental, Some("2026-11-25T06:00:00"));
        assert_eq!(
            (believed.cursor, believed.warnings.len()),
            (Some(at("2026-11-25T06:00:00")), 0)
        );
        for cursor in ["2026-11-25T06:00:00.000001", "2031-01-01T00:00:00", "9999-12-31T23:59:59"] {
            let plan = plan(&config(""), Mode::Incremental, Some(cursor));
            assert_eq!((plan.cursor, plan.bound, plan.asked), (None, None, None), "{cursor}");
            assert!(plan.warnings[0].contains(cursor), "{:?}", plan.warnings);
        }
    }

    #[test]
    fn the_scope_depends_on_what_decides_which_records_there_are() {
        let scopes: Vec<String> = [
            "",
            r#""code": "A1""#,
            r#""name": "A1""#,
            r#""include_inactive": false"#,
            r#""timezone": "America/Bogota""#,
            r#""start_date": "2024-01-01""#,
            r#""base_url": "https://example.com/api""#,
        ]
        .iter()
        .map(|members| plan(&config(members), Mode::FullRefresh, None).scope)
        .collect();
        let distinct: std::collections::BTreeSet<&String> = scopes.iter().collect();
        assert_eq!(distinct.len(), scopes.len());
        let tuned = plan(
            &config(r#""lookback_hours": 7, "retry_window_seconds": 0"#),
            Mode::FullRefresh,
            None,
        );
        assert_eq!(tuned.scope, scopes[0]);
    }

    #[test]
    fn the_scope_of_a_configuration_stays_what_it_was() {
        let scope = plan(&config(""), Mode::FullRefresh, None).scope;
        assert_eq!(scope.len(), 64);
        assert_eq!(scope, config("").token.fingerprint(r#"[["url","https://api.kometsales.com/api/customer.list"],["include_inactive","true"],["timezone","UTC"],["start_date",""]]"#));
    }
}
