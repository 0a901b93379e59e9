//! Two vacuums and an export at once.

use std::process::{Child, Stdio};

use super::{folder, table};
use crate::export::places::{into_table, lake};
use crate::support::Connector;

const ROUNDS: u64 = 12;

fn start(connector: &Connector, arguments: &[&str]) -> Child {
    connector
        .command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn two_vacuums_and_an_export_at_once_all_succeed_and_the_table_is_whole() {
    let (simulator, connector) = table(3);
    let vacuum = ["vacuum", "lake", "--retain", "0s", "--allow-short-retention"];
    let export = ["export", "--config", "config.json", "--to", "lake", "--full-refresh"];
    for round in 0..ROUNDS {
        simulator.change(5);
        let both =
            [start(&connector, &vacuum), start(&connector, &export), start(&connector, &vacuum)];
        for child in both {
            let done = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.code(), Some(0), "round {round}: {said}");
        }
        let lake = lake(&connector);
        assert_eq!(lake.rows().len(), 40, "round {round}");
        assert_eq!(lake.left_over(), [] as [&str; 0], "round {round}");
    }
    assert_eq!(lake(&connector).version() as u64, 2 + ROUNDS);
    let again = into_table(&connector, &["--full-refresh"]);
    assert_eq!(again["committed"], false, "{again}");
    assert!(folder(&connector).join("_delta_log").exists());
}
