//! `vacuum` and `show` of a folder of many companies.

use std::fs;

use kometsales::simulator::Simulator;
use serde_json::Value;

use super::{DAY, age, counts};
use crate::export::companies::Many;
use crate::export::places::export;
use crate::support::lake::Lake;
use crate::support::{Connector, simulator};

/// Two companies with three versions each, and folders that are no companies.
fn companies() -> (Simulator, Connector) {
    let simulator = simulator(40);
    let connector = Connector::of(&simulator);
    for _ in 0..3 {
        for company in ["rosas", "tulips"] {
            let answer = export(&connector, &format!("lake/{company}"), &["--full-refresh"]);
            assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        }
        simulator.change(5);
    }
    let place = connector.folder().join("lake");
    // Hidden folders are nobody's.
    for hidden in ["_old", ".trash"] {
        let answer = export(&connector, &format!("lake/{hidden}"), &["--full-refresh"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    }
    for name in Lake::in_folder(&place).names() {
        age(&place.join(name), 8 * DAY);
    }
    fs::create_dir_all(place.join("notes/customers")).unwrap();
    (simulator, connector)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_table_of_a_folder_is_vacuumed_and_a_fault_of_one_is_its_own() {
    let (_simulator, connector) = companies();
    let broken = connector.folder().join(format!("lake/rosas/customers/_delta_log/{:020}.json", 1));
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, "x").unwrap();
    let answer = connector.run(&["vacuum", "lake", "--json"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    let said = lines(answer.text());
    assert_eq!(said.len(), 3, "{}", answer.text());
    assert!(said[0]["to"].as_str().unwrap().ends_with("lake/rosas/customers"));
    assert_eq!(
        (&said[0]["error"]["kind"], &said[0]["error"]["exit_code"]),
        (&"config".into(), &78.into())
    );
    assert_eq!(counts(&said[1]), [2, 0, 0, 0]);
    let summary = &said[2]["summary"];
    assert_eq!([&summary["tables"], &summary["failed"], &summary["count"]], [2, 1, 2]);
    fs::write(&broken, whole).unwrap();
    age(&broken, 8 * DAY);
    let answer = connector.run(&["vacuum", "lake"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(answer.text().ends_with("removed\n"), "{}", answer.text());
    assert!(answer.text().contains("\n2 tables: 2 files"), "{}", answer.text());
}

#[test]
fn each_table_of_a_folder_is_shown() {
    let (_simulator, connector) = companies();
    let answer = connector.run(&["show", "lake", "--json"]);
    let shown = lines(answer.text());
    let rows: Vec<_> = shown.iter().map(|table| table["rows"].as_u64()).collect();
    assert_eq!(rows, [Some(40), Some(40)], "{}", answer.stderr);
    let one = connector.run(&["show", "lake/tulips", "--json"]);
    assert_eq!(lines(one.text()).len(), 1);
    let text = connector.run(&["show", "lake"]);
    assert!(text.text().contains("lake/rosas/customers, merge"), "{}", text.text());
    let none = connector.run(&["show", "lake/notes"]);
    assert_eq!(none.code, Some(78), "{}", none.stderr);
}

#[test]
fn an_export_of_many_companies_vacuums_the_table_of_each() {
    let many = Many::of(3, 40, &[]);
    let place = many.connector.folder().join("lake");
    for _ in 0..3 {
        assert_eq!(many.export("lake", &["--full-refresh"]).code(), 0);
        many.simulator.change(5);
    }
    for name in Lake::in_folder(&place).names() {
        age(&place.join(name), 8 * DAY);
    }
    let run = many.export("lake", &["--full-refresh", "--vacuum", "7d"]);
    assert_eq!(run.code(), 0, "{}", run.answer.stderr);
    for (company, line) in &run.lines {
        assert_eq!(line["vacuumed"]["count"], 2, "{line}");
        assert_eq!(many.table("lake", company).rows().len(), 40, "{company}");
    }
    let refused = many.connector.run(&[
        "export",
        "--companies",
        "tokens",
        "--config",
        "config.json",
        "--to",
        "lake",
        "--vacuum",
        "1h",
    ]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}
