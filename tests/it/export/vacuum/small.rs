//! Many small files: a merge takes them along, an append leaves them.

use crate::export::places::{into_table, lake, replying};
use crate::support::{Connector, simulator};

/// A table into which a customer came with each export, after those that it had.
fn grown(mode: &str, exports: u32) -> Connector {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    for id in 1..=exports {
        replying(&simulator, &[(id, "n", "2024-05-05T13:00:00")]);
        let summary = into_table(&connector, &["--mode", mode]);
        assert_eq!(summary["table_rows"], id, "{summary}");
    }
    connector
}

#[test]
fn a_merge_takes_small_files_along_when_there_are_more_than_sixteen() {
    for (mode, exports, files) in
        [("merge", 17, 17), ("merge", 18, 1), ("merge", 19, 2), ("history", 18, 1)]
    {
        let lake = lake(&grown(mode, exports));
        assert_eq!(lake.live().len(), files, "after {exports}");
        assert_eq!(lake.ids(), (1..=i64::from(exports)).collect::<Vec<_>>());
    }
}

#[test]
fn an_append_leaves_small_files() {
    let lake = lake(&grown("append", 19));
    assert_eq!(lake.live().len(), 19);
    assert_eq!(lake.ids(), (1..=19).collect::<Vec<_>>());
}

#[test]
fn small_files_alone_are_no_reason_for_a_commit() {
    let simulator = simulator(0);
    let connector = Connector::of(&simulator);
    for id in 1..=17 {
        replying(&simulator, &[(id, "n", "2024-05-05T13:00:00")]);
        into_table(&connector, &[]);
    }
    replying(&simulator, &[(17, "n", "2024-05-05T13:00:00")]);
    let again = into_table(&connector, &[]);
    assert_eq!(again["committed"], false, "{again}");
    assert_eq!(lake(&connector).live().len(), 17);
}
