//! Airbyte and Singer are two ways to say the same: for one reply the rows are the same, in the same order.

use serde_json::{Value, json};

use super::tap::{sync, sync_all};
use crate::support::{Connector, faulty};

/// Asserts that both doors gave the same rows of a simulator with this fault.
#[track_caller]
fn assert_same(fault: &str, mut by_singer: Vec<Value>, mut by_airbyte: Vec<Value>) {
    if fault == "future" {
        // It is in the future of each request.
        let rows = by_singer.iter_mut().chain(&mut by_airbyte);
        rows.for_each(|row| assert!(row["updatedOn"].take().is_string()));
    }
    assert!(by_singer == by_airbyte, "{fault}: {by_singer:?} are not {by_airbyte:?}");
}

#[test]
fn the_same_reply_gives_the_same_rows() {
    for fault in [
        "healthy",
        "mixed-types",
        "invalid-values",
        "new-fields",
        "fractions",
        "duplicate-keys",
        "duplicate-ids",
        "future",
        "ignore-update-as-of",
        "status-last",
        "one-object",
        "not-found",
        "no-date",
    ] {
        println!("{fault}");
        let simulator = faulty(300, &[fault]);
        let connector = Connector::of(&simulator).with("timezone", "America/Bogota");
        let mut by_airbyte = connector.read("incremental").succeeded();
        let mut by_singer = sync_all(&connector).succeeded();
        for _ in 0..2 {
            let (stream_state, bookmark) = (by_airbyte.stream_state(), by_singer.bookmark());
            assert_same(fault, by_singer.rows(), by_airbyte.records());
            let cursor = stream_state.get("updatedOn");
            assert_eq!(bookmark.get("replication_key_value"), cursor);
            assert_eq!(bookmark["scope"], stream_state["scope"]);
            simulator.change(5);
            let state = json!({"bookmarks": {"customers": bookmark}});
            by_airbyte = connector.read_after(&by_airbyte.state()).succeeded();
            by_singer = sync(&connector, None, Some(&state)).succeeded();
        }
        assert_same(fault, by_singer.rows(), by_airbyte.records());
    }
}

#[test]
fn the_same_settings_give_the_same_rows() {
    for (key, value) in [
        ("include_inactive", json!(false)),
        ("start_date", json!("2024-06-01")),
        ("name", json!("a")),
        ("timezone", json!("Asia/Kolkata")),
        ("max_rejects", json!(50)),
    ] {
        let fault = if key == "max_rejects" { "bad-ids" } else { "healthy" };
        let simulator = faulty(300, &[fault]);
        let connector = Connector::of(&simulator).with(key, value);
        let rows: Vec<Value> = connector.read("incremental").succeeded().records();
        assert!(!rows.is_empty(), "{key}");
        assert_eq!(sync_all(&connector).succeeded().rows(), rows, "{key}");
    }
}

#[test]
fn the_same_fault_gives_the_same_failure() {
    for (fault, code) in [
        ("bad-ids", 65),
        ("cut:20000", 75),
        ("unauthorized", 77),
        ("status-zero", 77),
        ("server-error:503", 75),
        ("web-page", 75),
        ("bad-utf8", 65),
    ] {
        let simulator = faulty(300, &[fault]);
        let connector = Connector::of(&simulator);
        let (by_airbyte, by_singer) = (connector.read("incremental"), sync_all(&connector));
        assert_eq!(by_airbyte.code, Some(code), "{fault}");
        assert_eq!(by_singer.0.code, Some(code), "{fault}");
        assert_eq!(by_singer.rows(), by_airbyte.records(), "{fault}");
        assert!(by_singer.of("STATE").is_empty() && by_airbyte.states().is_empty(), "{fault}");
    }
}
