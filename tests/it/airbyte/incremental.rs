//! What an incremental read asks for, which rows it keeps, and where its cursor goes.

use chrono::{TimeDelta, Utc};
use kometsales::simulator::{Reply, Simulator};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::replies::{list, said, updated};
use crate::support::{Connector, simulator, state_of};

/// A cursor without a scope, as a person may write it.
fn cursor(updated_on: &str) -> Value {
    state_of(json!({ "updatedOn": updated_on }))
}

/// A simulator, and the connector that reads of it what changed after a cursor.
fn setup() -> (Simulator, Connector) {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    (simulator, connector)
}

/// Reads a made-up reply after a cursor.
fn read(setup: &(Simulator, Connector), after: &str, reply: Reply) -> Answer {
    let (simulator, connector) = setup;
    simulator.reply_next(reply);
    connector.read_after(&cursor(after)).succeeded()
}

/// The `updateAsOf` of the last request.
fn asked(simulator: &Simulator) -> Option<String> {
    simulator.requests().last().unwrap().parameter("updateAsOf").map(str::to_owned)
}

/// A time this many seconds from now, as the API writes it.
fn from_now(seconds: i64) -> String {
    (Utc::now() + TimeDelta::seconds(seconds)).format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[test]
fn rows_from_the_look_back_on_are_kept_and_older_ones_left_out() {
    let setup = setup();
    let reply = updated(&[
        "2024-05-05T11:59:59",
        "2024-05-05T12:00:00",
        "2024-05-05T12:59:59",
        "2024-05-05T13:00:00",
        "2024-05-05T13:00:01",
    ]);
    let answer = read(&setup, "2024-05-05T13:00:00Z", reply);
    assert_eq!(answer.ids(), [2, 3, 4, 5]);
    assert_eq!(answer.cursor(), "2024-05-05T13:00:01Z");
    assert_eq!(asked(&setup.0).as_deref(), Some("2024-05-04"));
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
}

#[test]
fn without_a_look_back_the_row_of_the_cursor_is_still_read() {
    let (simulator, connector) = setup();
    let setup = (simulator, connector.with("lookback_hours", 0));
    let reply = updated(&["2024-05-05T12:59:59", "2024-05-05T13:00:00", "2024-05-05T13:00:01"]);
    assert_eq!(read(&setup, "2024-05-05T13:00:00Z", reply).ids(), [2, 3]);
    assert_eq!(asked(&setup.0).as_deref(), Some("2024-05-04"));
}

#[test]
fn the_day_that_is_asked_for_is_one_before_that_of_the_look_back() {
    for (after, hours, day) in [
        ("2024-03-01T00:30:00Z", 1, "2024-02-28"),
        ("2024-03-01T01:00:00Z", 1, "2024-02-29"),
        ("2024-01-01T12:00:00Z", 720, "2023-12-01"),
        ("2024-03-01T00:30:00-05:00", 0, "2024-02-29"),
    ] {
        let (simulator, connector) = setup();
        let connector = connector.with("lookback_hours", hours);
        connector.read_after(&cursor(after)).succeeded();
        assert_eq!(asked(&simulator).as_deref(), Some(day), "{after}");
    }
}

#[test]
fn a_cursor_never_moves_backwards() {
    let setup = setup();
    for reply in [
        updated(&["2024-05-05T12:30:00"]),
        updated(&["2020-01-01T00:00:00"]),
        updated(&[]),
        list(&[r#"{"id":"1"}"#, r#"{"id":"2","updatedOn":"never"}"#]),
        said("0", "Customers not found"),
        said("1", "OK"),
    ] {
        let answer = read(&setup, "2024-05-05T13:00:00.250000Z", reply);
        assert_eq!(answer.cursor(), "2024-05-05T13:00:00.250000Z");
    }
}

#[test]
fn the_cursor_is_the_greatest_whatever_the_order() {
    let setup = setup();
    let times = ["2024-05-06T00:00:00", "2024-05-07T09:00:00.5", "2024-05-05T13:30:00"];
    for turn in 0..3 {
        let mut times = times;
        times.rotate_left(turn);
        let answer = read(&setup, "2024-05-05T13:00:00Z", updated(&times));
        assert_eq!(answer.cursor(), "2024-05-07T09:00:00.500000Z");
        assert_eq!(answer.records().len(), 3);
    }
}

#[test]
fn a_row_from_the_future_is_read_and_does_not_move_the_cursor() {
    let setup = setup();
    let (past, future) = (from_now(-3600), from_now(3600));
    let answer =
        read(&setup, "2024-05-05T13:00:00Z", updated(&[&past, &future, "9999-12-31T23:59:59"]));
    assert_eq!(answer.ids(), [1, 2, 3]);
    assert_eq!(answer.cursor(), format!("{past}Z"));
    let warning = answer.warning();
    assert!(warning.contains('2') && warning.contains("updatedOn"), "{warning}");
}

#[test]
fn the_future_begins_at_the_servers_date() {
    let setup = setup();
    let times = ["2024-05-06T10:00:00", "2024-05-06T12:00:00", "2024-05-06T12:00:01"];
    let dated = updated(&times).header("Date", "Mon, 06 May 2024 12:00:00 GMT");
    let answer = read(&setup, "2024-05-05T13:00:00Z", dated);
    assert_eq!((answer.ids(), answer.cursor()), (vec![1, 2, 3], json!("2024-05-06T12:00:00Z")));
    for date in ["", "yesterday"] {
        let answer = read(&setup, "2024-05-05T13:00:00Z", updated(&times).header("Date", date));
        assert_eq!(answer.cursor(), "2024-05-06T12:00:01Z");
    }
    // All of that second has passed when the server wrote it.
    let within =
        updated(&["2024-05-06T12:00:00.9"]).header("Date", "Mon, 06 May 2024 12:00:00 GMT");
    let answer = read(&setup, "2024-05-05T13:00:00Z", within);
    assert_eq!(answer.cursor(), "2024-05-06T12:00:00.900000Z");
}

#[test]
fn a_cursor_of_the_next_day_is_kept_with_a_warning() {
    let setup = setup();
    let after = format!("{}Z", from_now(12 * 3600));
    let answer = read(&setup, &after, updated(&["2024-05-06T10:00:00", &from_now(-60)]));
    assert_eq!(answer.records().len(), 0);
    assert_eq!(answer.cursor(), after);
    let warnings = answer.warnings();
    let told = warnings.iter().filter(|warning| warning.contains("future"));
    assert_eq!(told.count(), 1, "{warnings:?}");
}

#[test]
fn rows_without_a_usable_date_are_in_every_read() {
    let rows = [
        r#"{"id":"1"}"#,
        r#"{"id":"2","updatedOn":null}"#,
        r#"{"id":"3","updatedOn":""}"#,
        r#"{"id":"4","updatedOn":"yesterday"}"#,
        r#"{"id":"5","updatedOn":"0000-00-00T00:00:00"}"#,
        r#"{"id":"6","updatedOn":1494000000}"#,
        r#"{"id":"7","updatedOn":"2001-01-01T00:00:00"}"#,
    ];
    let (simulator, connector) = setup();
    let setup = (simulator, connector.with("start_date", "2024-01-01"));
    let answer = read(&setup, "2024-05-05T13:00:00Z", list(&rows));
    assert_eq!(answer.ids(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(answer.cursor(), "2024-05-05T13:00:00Z");
    setup.0.reply_next(list(&rows));
    let full = setup.1.read("full_refresh").succeeded();
    assert_eq!(full.ids(), [1, 2, 3, 4, 5, 6]);
    assert!(full.records().iter().all(|record| record["updatedOn"].is_null()));
}

#[test]
fn a_server_that_ignores_the_day_is_reported_once_and_its_rows_are_left_out() {
    let simulator = crate::support::faulty(2000, &["ignore-update-as-of"]);
    let connector = Connector::of(&simulator);
    let full = connector.read("full_refresh").succeeded();
    let edited = simulator.change(3);
    let answer = connector.read_after(&full.state()).succeeded();
    let edited: Vec<i64> = edited.into_iter().map(|id| id as i64).collect();
    assert!(edited.iter().all(|id| answer.ids().contains(id)));
    assert!(answer.records().len() < 10);
    assert!(answer.warning().contains("updateAsOf"), "{}", answer.warning());
}

#[test]
fn rows_between_the_day_and_the_look_back_are_no_reason_to_warn() {
    let setup = setup();
    let reply = updated(&["2024-05-04T00:00:00", "2024-05-05T11:00:00", "2024-05-05T13:00:00"]);
    let answer = read(&setup, "2024-05-05T13:00:00Z", reply);
    assert_eq!(answer.ids(), [3]);
    assert!(answer.warnings().is_empty(), "{:?}", answer.warnings());
}

#[test]
fn a_start_date_is_midnight_in_the_zone_and_holds_in_every_read() {
    let times = ["2023-12-31T23:59:59", "2024-01-01T00:00:00"];
    for (zone, first) in
        [("UTC", "2024-01-01T00:00:00Z"), ("America/Bogota", "2024-01-01T05:00:00Z")]
    {
        let (simulator, connector) = setup();
        let connector = connector.with("start_date", "2024-01-01").with("timezone", zone);
        for mode in ["full_refresh", "incremental"] {
            simulator.reply_next(updated(&times));
            let answer = connector.read(mode).succeeded();
            assert_eq!(answer.ids(), [2], "{zone} {mode}");
            assert_eq!(answer.cursor(), first);
            assert_eq!(asked(&simulator).as_deref(), Some("2023-12-31"));
        }
    }
}

#[test]
fn of_the_start_date_and_the_cursor_the_later_one_bounds() {
    for (start, ids, day) in [
        ("2024-05-01", vec![3, 4], "2024-05-04"),
        ("2024-05-06", vec![4], "2024-05-05"),
        ("2024-06-01", vec![], "2024-05-31"),
    ] {
        let (simulator, connector) = setup();
        let setup = (simulator, connector.with("start_date", start));
        let reply = updated(&[
            "2024-04-30T00:00:00",
            "2024-05-02T00:00:00",
            "2024-05-05T12:00:00",
            "2024-05-06T00:00:00",
        ]);
        let answer = read(&setup, "2024-05-05T13:00:00Z", reply);
        assert_eq!(answer.ids(), ids, "{start}");
        assert_eq!(asked(&setup.0).as_deref(), Some(day), "{start}");
    }
}

#[test]
fn local_times_are_read_in_the_zone_and_kept_in_utc() {
    let (simulator, connector) = setup();
    let connector = connector.with("timezone", "America/New_York");
    for (written, read) in [
        ("2024-07-01T12:00:00", "2024-07-01T16:00:00Z"),
        ("2024-01-01T12:00:00.5", "2024-01-01T17:00:00.500000Z"),
        ("2024-11-03T01:30:00", "2024-11-03T05:30:00Z"),
        ("2024-03-10T02:30:00", "2024-03-10T07:00:00Z"),
        ("2024-07-01T12:00:00Z", "2024-07-01T12:00:00Z"),
        ("2024-07-01 12:00:00+02:00", "2024-07-01T10:00:00Z"),
    ] {
        simulator.reply_next(updated(&[written]));
        let answer = connector.read("full_refresh").succeeded();
        assert_eq!(answer.records()[0]["updatedOn"], read, "{written}");
        assert_eq!(answer.cursor(), read, "{written}");
    }
}

#[test]
fn in_a_zone_that_changes_its_clocks_the_look_back_gains_an_hour() {
    // Local times of 11:00:00, 10:59:59 and 10:00:00, 9:59:59 before a cursor of 12:00 local time.
    let times = [
        "2024-07-01T11:00:00",
        "2024-07-01T10:59:59",
        "2024-07-01T10:00:00",
        "2024-07-01T09:59:59",
    ];
    for (zone, cursor, ids) in [
        ("America/Bogota", "2024-07-01T17:00:00Z", vec![1]),
        ("America/New_York", "2024-07-01T16:00:00Z", vec![1, 2, 3]),
    ] {
        let (simulator, connector) = setup();
        let setup = (simulator, connector.with("timezone", zone));
        assert_eq!(read(&setup, cursor, updated(&times)).ids(), ids, "{zone}");
    }
}

#[test]
fn the_hour_that_a_clock_shows_twice_is_not_missed() {
    let (simulator, connector) = setup();
    let connector = connector.with("timezone", "America/New_York").with("lookback_hours", 0);
    // The first 1:45 is read before the clock is set back, and 1:15 is written after that.
    simulator.reply_next(updated(&["2024-11-03T01:45:00"]));
    let state = connector.read("incremental").succeeded().state();
    simulator.reply_next(updated(&["2024-11-03T01:45:00", "2024-11-03T01:15:00"]));
    assert_eq!(connector.read_after(&state).succeeded().ids(), [1, 2]);
}

#[test]
fn the_day_that_is_asked_for_is_that_of_the_zone() {
    for (zone, day) in
        [("UTC", "2024-05-04"), ("America/Bogota", "2024-05-03"), ("Asia/Tokyo", "2024-05-04")]
    {
        let (simulator, connector) = setup();
        let connector = connector.with("timezone", zone);
        connector.read_after(&cursor("2024-05-05T03:00:00Z")).succeeded();
        assert_eq!(asked(&simulator).as_deref(), Some(day), "{zone}");
    }
}

#[test]
fn deactivated_customers_are_asked_for_unless_the_user_says_otherwise() {
    for (setting, sent) in [(Value::Null, "true"), (json!(true), "true"), (json!(false), "false")] {
        let (simulator, connector) = setup();
        let connector = connector.with("include_inactive", setting);
        connector.read("full_refresh").succeeded();
        connector.read_after(&cursor("2024-05-05T03:00:00Z")).succeeded();
        for request in simulator.requests() {
            assert_eq!(request.parameter("includeInactive"), Some(sent));
        }
    }
}

#[test]
fn a_deactivation_reaches_an_incremental_read() {
    let simulator = simulator(500);
    let connector = Connector::of(&simulator);
    let state = connector.read("full_refresh").succeeded().state();
    simulator.change(8);
    let records = connector.read_after(&state).succeeded().records();
    assert!(records.iter().any(|record| record["active"] == false), "{records:?}");
}

#[test]
fn a_salesperson_who_was_renamed_without_a_date_comes_with_a_full_read() {
    let (simulator, connector) = setup();
    let row = |name: &str| {
        list(&[
            &format!(r#"{{"id":"1","salesPerson":"{name}","updatedOn":"2024-05-05T13:00:00"}}"#),
            r#"{"id":"2","updatedOn":"2024-06-05T13:00:00"}"#,
        ])
    };
    simulator.reply_next(row("Ana"));
    let state = connector.read("incremental").succeeded().state();
    simulator.reply_next(row("Ana María"));
    assert_eq!(connector.read_after(&state).succeeded().ids(), [2]);
    simulator.reply_next(row("Ana María"));
    let full = connector.read("full_refresh").succeeded();
    assert_eq!(full.records()[0]["salesPerson"], "Ana María");
}
