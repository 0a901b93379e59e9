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
    let state = cursor.map(|cursor| State { cursor: Some(at(cursor)), ..State::default() });
    with_state(config, mode, state)
}

fn with_state(config: &Config, mode: Mode, state: Option<State>) -> Plan {
    let selection = Selection::all(&CUSTOMERS);
    let request = Request { stream: &CUSTOMERS, selection, mode, state, full_list_hours: None };
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
    let state = |scope| Some(State { cursor, scope, list: None });
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
    assert_eq!((believed.cursor, believed.warnings.len()), (Some(at("2026-11-25T06:00:00")), 0));
    for cursor in ["2026-11-25T06:00:00.000001", "2031-01-01T00:00:00", "9999-12-31T23:59:59"] {
        let plan = plan(&config(""), Mode::Incremental, Some(cursor));
        assert_eq!((plan.cursor, plan.bound, plan.asked), (None, None, None), "{cursor}");
        assert!(plan.warnings[0].contains(cursor), "{:?}", plan.warnings);
    }
}

#[test]
fn a_start_that_has_come_at_this_moment_is_no_warning() {
    for (now, count) in [("2026-11-23T23:59:59.999999", 1), ("2026-11-24T00:00:00", 0)] {
        let start = plan(&config(r#""start_date": "2026-11-24""#), Mode::FullRefresh, None);
        let mut warnings = Vec::new();
        start.warn_of_start(at(now), &mut warnings);
        assert_eq!(warnings.len(), count, "{now} {:?} {warnings:?}", start.bound);
    }
}

#[test]
fn the_whole_list_is_asked_for_when_the_last_one_is_old_enough() {
    let cursor = at("2026-11-24T05:00:00");
    let plan = |members: &str, usual: Option<u64>, list: Option<&str>| {
        let list = list.map(|time| List { at: at(time), count: Some(7) });
        let state = Some(State { cursor: Some(cursor), scope: None, list });
        let (selection, mode) = (Selection::all(&CUSTOMERS), Mode::Incremental);
        let stream = &CUSTOMERS;
        let request = Request { stream, selection, mode, state, full_list_hours: usual };
        Plan::new(&config(members), request, at("2026-11-24T06:00:00"))
    };
    let day = r#""full_list_hours": 24"#;
    for (members, usual, list, is_whole) in [
        ("", None, None, false),
        ("", Some(24), None, true),
        ("", Some(24), Some("2026-11-23T06:00:00"), true),
        ("", Some(24), Some("2026-11-23T06:00:00.000001"), false),
        ("", Some(24), Some("2026-11-24T06:00:00.000001"), true),
        (day, None, Some("2026-11-23T05:59:59"), true),
        (day, Some(1), Some("2026-11-24T00:00:00"), false),
        (day, None, Some("2026-11-24T06:00:00"), false),
        (r#""full_list_hours": 0"#, None, Some("2026-11-24T06:00:00"), true),
        (r#""full_list_hours": 0, "code": "A""#, None, None, false),
        (r#""full_list_hours": 0, "include_inactive": false"#, None, None, false),
        (r#""full_list_hours": 0, "start_date": "2024-01-01""#, None, None, false),
    ] {
        let plan = plan(members, usual, list);
        let facts = (plan.is_whole, plan.asked.is_none(), plan.cursor);
        assert_eq!(facts, (is_whole, is_whole, Some(cursor)), "{members} {usual:?} {list:?}");
        assert_eq!(plan.incomplete.is_none(), is_whole, "{members} {usual:?} {list:?}");
    }
}

#[test]
fn what_was_chosen_from_is_no_complete_list() {
    let incomplete = |members: &str| plan(&config(members), Mode::FullRefresh, None).incomplete;
    assert_eq!(incomplete(""), None);
    for members in [
        r#""customer_id": 7"#,
        r#""sales_person_id": 7"#,
        r#""location_id": 7"#,
        r#""name": "A""#,
        r#""code": "A""#,
        r#""start_date": "2024-01-01""#,
        r#""include_inactive": false"#,
    ] {
        assert!(incomplete(members).is_some(), "{members}");
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
        r#""exclude_fields": "name""#,
        r#""exclude_fields": "name,code""#,
        r#""hash_fields": "name", "hash_key": "0123456789abcdef""#,
        r#""hash_fields": "name", "hash_key": "0123456789abcdeF""#,
    ]
    .iter()
    .map(|members| plan(&config(members), Mode::FullRefresh, None).scope)
    .collect();
    let distinct: std::collections::BTreeSet<&String> = scopes.iter().collect();
    assert_eq!(distinct.len(), scopes.len());
    let tuned = config(
        r#""lookback_hours": 7, "retry_window_seconds": 0, "exclude_fields": "", "hash_fields": null,
           "hash_key": "0123456789abcdef""#,
    );
    assert_eq!(plan(&tuned, Mode::FullRefresh, None).scope, scopes[0]);
}

#[test]
fn the_scope_is_of_the_fields_and_not_of_how_they_are_written() {
    let scope = |members| plan(&config(members), Mode::FullRefresh, None).scope;
    let sorted = scope(r#""exclude_fields": "active,code""#);
    assert_eq!(scope(r#""exclude_fields": " code, active,,code ""#), sorted);
    let key = crate::secret::HashKey::new("0123456789abcdef".into()).fingerprint();
    let text = format!(
        r#"[["url","https://api.kometsales.com/api/customer.list"],["include_inactive","true"],["timezone","UTC"],["start_date",""],["code","A1"],["exclude_fields","active,code"],["hash_fields","name"],["hash_key","{key}"]]"#
    );
    let all = scope(
        r#""code": "A1", "exclude_fields": "code, active", "hash_fields": "name", "hash_key": "0123456789abcdef""#,
    );
    assert_eq!(all, config("").token.fingerprint(&text));
}

#[test]
fn what_is_left_out_is_not_selected_whoever_asks() {
    let plan = plan(&config(r#""exclude_fields": "name,salesPersonId""#), Mode::FullRefresh, None);
    let names: Vec<&str> =
        plan.selection.fields.iter().map(|field| CUSTOMERS.fields[*field].name).collect();
    let expected =
        ["id", "accountingCode", "code", "active", "salesPerson", "customerType", "updatedOn"];
    assert_eq!((names, plan.selection.extra), (expected.to_vec(), false));
}

#[test]
fn the_scope_of_a_configuration_stays_what_it_was() {
    let scope = plan(&config(""), Mode::FullRefresh, None).scope;
    assert_eq!(scope.len(), 64);
    assert_eq!(scope, config("").token.fingerprint(r#"[["url","https://api.kometsales.com/api/customer.list"],["include_inactive","true"],["timezone","UTC"],["start_date",""]]"#));
}
