use std::io::BufReader;

use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use serde_json::{Value as Json, json};

use super::super::window::Window;
use super::super::{envelope, spool};
use super::*;
use crate::model::arrow::Selection;
use crate::plan::{Mode, Request};
use crate::state::State;
use crate::streams::customers::CUSTOMERS;

/// What a reply is decoded for.
struct Wanted {
    config: Config,
    plan: Plan,
}

/// What a reply was decoded to.
struct Read {
    /// With `_extra` as text and `_nulled`.
    rows: Vec<Json>,
    batches: Vec<usize>,
    tally: Tally,
    rejects: Vec<Reject>,
}

fn at(text: &str) -> Timestamp {
    Zone::UTC.parse(text).unwrap()
}

fn wanted(settings: Json, cursor: Option<&str>, selection: Selection) -> Wanted {
    let mut settings = settings;
    settings["authentication_token"] = json!("abcdefgh");
    let config = Config::parse(settings.to_string().as_bytes(), "test").unwrap().0;
    let state = cursor.map(|cursor| State { cursor: Some(at(cursor)), ..State::default() });
    let mode = Mode::Incremental;
    let request = Request { stream: &CUSTOMERS, selection, mode, state, full_list_hours: None };
    let plan = Plan::new(&config, request, at("2025-01-01T00:00:00"));
    Wanted { config, plan }
}

impl Wanted {
    fn everything() -> Self {
        wanted(json!({}), None, Selection::all(&CUSTOMERS))
    }

    /// Decodes a whole reply that the server sent on 1 January 2025.
    fn decode(&self, reply: &str) -> Read {
        let scratch = Scratch::new(vec![]);
        let now = at("2025-01-01T00:00:00");
        let most = spool::MAX_BYTES;
        let mut early = ();
        let offer = Offer::new(&mut early, now);
        let mut decoder = Decoder::new(&self.plan, &self.config, now, &scratch, most, offer);
        let mut window = Window::sized(BufReader::with_capacity(100, reply.as_bytes()), 300, false);
        envelope::read(&mut window, "customers", &mut decoder).unwrap();
        let Decoded { spool, tally, mut rejects, .. } = decoder.finish().unwrap();
        let mut shown = Vec::new();
        rejects.first(u64::MAX, |reject| shown.push(reject)).unwrap();
        assert_eq!(rejects.count(), shown.len() as u64);
        let mut writer =
            WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
        let mut batches = Vec::new();
        for batch in spool.finish().unwrap() {
            let batch = batch.unwrap();
            writer.write(&batch).unwrap();
            batches.push(batch.num_rows());
        }
        let lines = writer.into_inner();
        let rows: Vec<Json> =
            lines.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
        assert_eq!(tally.rows, rows.len() as u64);
        Read { rows, batches, tally, rejects: shown }
    }

    /// Decodes the elements of a list.
    fn list(&self, elements: &str) -> Read {
        self.decode(&format!("{{\"status\": 1, \"customers\": [{elements}]}}"))
    }
}

fn list(elements: &str) -> Read {
    Wanted::everything().list(elements)
}

fn column(read: &Read, name: &str) -> Vec<Json> {
    read.rows.iter().map(|row| row[name].clone()).collect()
}

fn ids(read: &Read) -> Vec<i64> {
    read.rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

const MEMBERS: [&str; 9] = [
    r#""id":"1""#,
    r#""accountingCode":"ACC""#,
    r#""name":"N""#,
    r#""code":"007""#,
    r#""active":"1""#,
    r#""salesPerson":"S""#,
    r#""salesPersonId":9007199254740993"#,
    r#""customerType":"""#,
    r#""updatedOn":"2017-08-02T12:15:17""#,
];

fn whole_row() -> Json {
    json!({
        "id": 1, "accountingCode": "ACC", "name": "N", "code": "007", "active": true,
        "salesPerson": "S", "salesPersonId": 9_007_199_254_740_993_i64, "customerType": "",
        "updatedOn": "2017-08-02T12:15:17Z", "_extra": null, "_nulled": 0,
    })
}

#[test]
fn members_may_come_in_any_order_and_in_another_one_in_each_record() {
    let mut records = Vec::new();
    for start in 0..9 {
        let mut members = MEMBERS;
        members.rotate_left(start);
        records.push(format!("{{{}}}", members.join(",")));
        members.reverse();
        records.push(format!("{{ {} }}", members.join(" , ")));
        members.swap(2, 7);
        records.push(format!("{{{}}}", members.join(",\n  ").replace("\":", "\" : ")));
    }
    let read = list(&records.join(","));
    assert_eq!(read.rows, vec![whole_row(); records.len()]);
    assert_eq!(read.tally.duplicates, 0);
}

#[test]
fn a_member_that_is_absent_is_null_and_does_not_mislead_the_next_record() {
    let without = |absent: usize| {
        let members: Vec<&str> =
            (0..9).filter(|&at| at == 0 || at != absent).map(|at| MEMBERS[at]).collect();
        format!("{{{}}}", members.join(","))
    };
    let read = list(&(0..27).map(|turn| without(turn % 9)).collect::<Vec<_>>().join(","));
    for (turn, row) in read.rows.iter().enumerate() {
        let mut expected = whole_row();
        if turn % 9 > 0 {
            expected[CUSTOMERS.fields[turn % 9].name] = Json::Null;
        }
        assert_eq!(row, &expected);
    }
    assert_eq!(list(r#"{"id": 7}"#).rows[0]["name"], Json::Null);
}

#[test]
fn names_are_compared_as_they_are_meant() {
    let read = list(
        r#"{"id":1,"name":"a"},{"\u0069d":2,"n\u0061me":"b"},{"id" : 3 , "name"
            :"c"},{"id":4,"nam":"-","names":"-","Name":"-","name ":"-","name":"d"}"#,
    );
    assert_eq!(ids(&read), [1, 2, 3, 4]);
    assert_eq!(column(&read, "name"), ["a", "b", "c", "d"]);
    let extra = r#"{"nam":"-","names":"-","Name":"-","name ":"-"}"#;
    assert_eq!(column(&read, "_extra"), [json!(null), json!(null), json!(null), json!(extra)]);
}

#[test]
fn of_a_member_that_comes_twice_the_last_one_counts() {
    let read = list(
        r#"{"id":0,"name":"a","id":1,"name":null},{"name":"a","id":2,"n\u0061me":"b"},
            {"id":"x","x":1,"id":3,"x":2,"y":3,"x":{"x":1,"x":2}},{"id":4}"#,
    );
    assert_eq!(ids(&read), [1, 2, 3, 4]);
    assert_eq!(column(&read, "name"), [json!(null), json!("b"), json!(null), json!(null)]);
    assert_eq!(read.rows[2]["_extra"], r#"{"x":{"x":1,"x":2},"y":3}"#);
    assert_eq!(read.tally.duplicates, 6);
}

#[test]
fn an_unknown_member_that_comes_twice_is_kept_once_however_its_name_is_written() {
    let read = list(r#"{"id":1,"x":1,"\u0078":2}"#);
    let extra = read.rows[0]["_extra"].as_str().unwrap();
    let members: Vec<&str> = extra.split(':').collect();
    assert_eq!(members.len(), 2, "{extra}");
    assert_eq!(serde_json::from_str::<Json>(extra).unwrap(), json!({"x": 2}));
    assert_eq!(read.tally.duplicates, 1);
}

#[test]
fn unknown_members_are_kept_as_they_came_on_one_line() {
    let read = list(
        "{\"a\": 1.50, \"id\": 1,\r\n \"b\\u0020\\\"\": [\r\n\t1,\n\n  {\"c\": \"x\\ny\"}\r],
          \"d\": 123456789012345678901234567890, \"_extra\": null, \"_nulled\": \"é\"}, {\"id\": 2}",
    );
    let extra = read.rows[0]["_extra"].as_str().unwrap();
    assert!(!extra.contains(['\n', '\r']), "{extra}");
    let expected = r#"{"a": 1.50, "b \"": [1, {"c": "x\ny"}], "d": 123456789012345678901234567890, "_extra": null, "_nulled": "é"}"#;
    let parse = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    assert_eq!(parse(extra), parse(expected));
    assert!(extra.contains("1.50") && extra.contains("123456789012345678901234567890"));
    assert_eq!(read.rows[1]["_extra"], Json::Null);
}

#[test]
fn each_unknown_name_is_reported_once_with_how_many_records_had_it() {
    let wanted = Wanted::everything();
    let read = wanted.list(r#"{"id":1,"x":1,"x":2},{"id":2,"y":1,"x":[]},{"x":1},{"id":3}"#);
    let warnings = read.tally.warnings(&wanted.plan);
    let has = |part: &str| warnings.iter().any(|warning| warning.contains(part));
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(has("2 records have a field that this version does not know: `x`"));
    assert!(has("1 records have a field that this version does not know: `y`"));
    let many: Vec<String> = (0..500).map(|n| format!(r#"{{"id":{n},"x{n}":1}}"#)).collect();
    assert!(wanted.list(&many.join(",")).tally.warnings(&wanted.plan).len() <= 100);
}

#[test]
fn a_record_without_a_valid_key_is_rejected_with_its_path_and_reason() {
    let read = list(
        r#"{"id":1},{},{"name":"a"},{"id":null},{"id":""},{"id":2},{"id":"x"},{"id":1.0},{"id":true},
            {"id":[1]},{"id":9223372036854775808},{"id":"-9223372036854775809"},{"id":" 1"},
            null,7,"text",[{"id":5}],true,{"id":9223372036854775807},{"id":"-9223372036854775808"}"#,
    );
    assert_eq!(ids(&read), [1, 2, i64::MAX, i64::MIN]);
    for (reject, (position, reason)) in read.rejects.iter().zip([
        (1, "missing"),
        (2, "missing"),
        (3, "null"),
        (4, "empty"),
        (6, "whole number"),
        (7, "whole number"),
        (8, "whole number"),
        (9, "whole number"),
        (10, "64 bits"),
        (11, "64 bits"),
        (12, "whole number"),
        (13, "object"),
        (14, "object"),
        (15, "object"),
        (16, "object"),
        (17, "object"),
    ]) {
        let key = if position < 13 { ".id" } else { "" };
        assert_eq!(reject.path, format!("customers[{position}]{key}"));
        assert!(reject.reason.contains(reason), "{reject:?}");
    }
    assert_eq!(read.rejects.len(), 16);
}

#[test]
fn one_object_in_place_of_a_list_is_one_record() {
    let wanted = Wanted::everything();
    let read = wanted.decode(r#"{"status": 1, "customers": {"id": 7, "name": "a"}}"#);
    assert_eq!((ids(&read), read.batches), (vec![7], vec![1]));
    let read = wanted.decode(r#"{"customers": {"name": "a"}, "status": 1}"#);
    assert_eq!(read.rejects[0].path, "customers.id");
}

#[test]
fn dated_records_before_the_bound_are_left_out() {
    // The bound is 2024-06-01T11:00:00; the API was asked for 2024-05-31 and later.
    let wanted = wanted(json!({}), Some("2024-06-01T12:00:00"), Selection::all(&CUSTOMERS));
    let read = wanted.list(
        r#"{"id":1,"updatedOn":"2024-06-01T11:00:00"},{"id":2,"updatedOn":"2024-06-01T10:59:59.999999"},
            {"id":3,"updatedOn":"2024-05-31T00:00:00"},{"id":4,"updatedOn":"2024-05-30T23:59:59"},
            {"id":5,"updatedOn":"2001-01-01T00:00:00"},{"id":6,"updatedOn":"2024-06-01T12:00:00+02:00"},
            {"id":7},{"id":8,"updatedOn":null},{"id":9,"updatedOn":""},{"id":10,"updatedOn":"2001"},
            {"id":11,"updatedOn":"2030-01-01T00:00:00"},{"id":"","updatedOn":"2001-01-01T00:00:00"}"#,
    );
    assert_eq!(ids(&read), [1, 7, 8, 9, 10, 11]);
    assert_eq!((read.tally.left_out, read.tally.not_asked_for), (5, 2));
    assert_eq!(read.rejects.len(), 1);
}

#[test]
fn the_cursor_is_the_greatest_time_that_is_not_later_than_the_reply() {
    let read = list(
        r#"{"id":1,"updatedOn":"2024-06-01T00:00:00"},{"id":2,"updatedOn":"2025-01-01T00:00:00"},
            {"id":3,"updatedOn":"2025-01-01T00:00:00.000001"},{"id":4,"updatedOn":"9999-12-31T23:59:59"},
            {"id":5,"updatedOn":"2024-12-31T23:59:59"},{"id":6,"updatedOn":"soon"},{"id":7}"#,
    );
    assert_eq!(ids(&read), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(read.tally.cursor, Some(at("2025-01-01T00:00:00")));
    assert_eq!(read.tally.in_future, 2);
    let undated = list(
        r#"{"id":1},{"id":2,"updatedOn":"2026-01-01T00:00:00"},{"updatedOn":"2024-06-01T00:00:00"}"#,
    );
    assert_eq!(undated.tally.cursor, None);
}

#[test]
fn values_that_are_not_of_their_type_become_null_and_are_marked() {
    let wanted = Wanted::everything();
    let read = wanted.list(
        r#"{"id":1,"active":"maybe","salesPersonId":"x"},{"id":2,"name":{},"code":["\u0041"],"updatedOn":7},
            {"id":3,"active":"","salesPersonId":"","updatedOn":"","name":""},{"id":4,"name":1.50,"code":true},
            {"id":5,"name":"a\ud800","salesPerson":"\ud83c\udf39"},{"id":6,"active":2,"salesPersonId":1e2}"#,
    );
    let bit = |name| 1_u64 << CUSTOMERS.fields.iter().position(|f| f.name == name).unwrap();
    let expected = [
        bit("active") | bit("salesPersonId"),
        bit("name") | bit("code") | bit("updatedOn"),
        0,
        0,
        bit("name"),
        bit("active") | bit("salesPersonId"),
    ];
    assert_eq!(column(&read, "_nulled"), expected);
    let null = Json::Null;
    let names = [null.clone(), null.clone(), json!(""), json!("1.50"), null.clone(), null];
    assert_eq!(column(&read, "name"), names);
    assert_eq!(
        (&read.rows[3]["code"], &read.rows[4]["salesPerson"]),
        (&json!("true"), &json!("🌹"))
    );
    let warnings = read.tally.warnings(&wanted.plan);
    assert!(warnings[0].contains("2 invalid values of `name`"), "{warnings:?}");
    assert!(warnings[0].contains("customers[1].name"), "{warnings:?}");
    assert_eq!(warnings.len(), 5);
}

#[test]
fn fields_that_are_not_selected_leave_no_trace() {
    let selection = Selection::of(&CUSTOMERS, |name| name == "code");
    let wanted = wanted(json!({}), None, selection);
    let read =
        wanted.list(r#"{"id":1,"code":"a","name":{},"active":"maybe","x":[1]},{"code":"b"}"#);
    let row = json!({"id": 1, "code": "a", "updatedOn": null, "_nulled": 0});
    assert_eq!(read.rows, [row]);
    assert_eq!(read.tally.warnings(&wanted.plan).len(), 1);
    assert_eq!(read.rejects[0].path, "customers[1].id");
}

#[test]
fn batches_have_8192_rows_but_the_last() {
    for (rows, batches) in [
        (0, &[][..]),
        (1, &[1]),
        (8192, &[8192]),
        (8193, &[8192, 1]),
        (20_000, &[8192, 8192, 3616]),
    ] {
        let records: Vec<String> = (0..rows).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let read = list(&records.join(","));
        assert_eq!(read.batches, batches);
        assert!(ids(&read).into_iter().eq(0..rows));
    }
}

#[test]
fn a_batch_of_large_records_ends_before_it_holds_them_all() {
    let text = "x".repeat(1 << 20);
    let records: Vec<String> =
        (0..64).map(|id| format!(r#"{{"id":{id},"name":"{text}"}}"#)).collect();
    let read = list(&records.join(","));
    let largest = read.batches.iter().max().unwrap();
    assert!(*largest <= 32, "{largest} records of 1 MiB are held in one batch");
}

#[test]
fn a_second_list_voids_the_first() {
    let reply = |second: &str| {
        let many: Vec<String> = (0..9000).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        format!(
            r#"{{"customers":[{{"id":1,"x":1,"id":1,"active":2,"updatedOn":"2024-01-01T00:00:00"}},7,{}],
                "status":1,"customers":{second}}}"#,
            many.join(",")
        )
    };
    let wanted = Wanted::everything();
    for (second, expected) in
        [("null", &[][..]), ("[]", &[]), (r#"[{"id":5}]"#, &[5]), (r#"{"id":6}"#, &[6])]
    {
        let read = wanted.decode(&reply(second));
        assert_eq!(ids(&read), expected);
        assert_eq!((read.rejects.len(), read.tally.duplicates, read.tally.cursor), (0, 0, None));
        assert!(read.tally.warnings(&wanted.plan).is_empty());
    }
    assert_eq!(wanted.decode(&reply("[7,8]")).rejects[0].path, "customers[0]");
}

#[test]
fn local_times_are_read_in_the_configured_zone() {
    let zone = json!({"timezone": "America/New_York"});
    let read = wanted(zone, None, Selection::all(&CUSTOMERS)).list(
        r#"{"id":1,"updatedOn":"2024-03-10T02:30:00"},{"id":2,"updatedOn":"2024-07-01 08:00:00.25"},
            {"id":3,"updatedOn":"2024-11-03T01:30:00"},{"id":4,"updatedOn":"2024-07-01T08:00:00Z"}"#,
    );
    let expected = [
        "2024-03-10T07:00:00",
        "2024-07-01T12:00:00.25",
        "2024-11-03T05:30:00",
        "2024-07-01T08:00:00",
    ];
    let shown = column(&read, "updatedOn");
    for (shown, expected) in shown.iter().zip(expected) {
        assert_eq!(at(shown.as_str().unwrap()), at(expected));
    }
}
