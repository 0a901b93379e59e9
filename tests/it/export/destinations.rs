//! What `--to` is understood as, and that a place which was probably not meant is refused before anything is made or asked.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::places::{export, into_table, lake};
use crate::support::lake::Lake;
use crate::support::replies::said;
use crate::support::{Connector, simulator};

/// Everything in the connector's folder, by its path, but for the files that it was given.
fn made(connector: &Connector) -> Vec<String> {
    fn walk(folder: &std::path::Path, below: &std::path::Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(below).unwrap().display().to_string());
            if path.is_dir() && !path.is_symlink() {
                walk(&path, below, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(connector.folder(), connector.folder(), &mut found);
    found.retain(|path| path != "config.json" && path != "tmp");
    found.sort();
    found
}

#[test]
fn a_place_that_was_probably_not_meant_is_a_config_error_before_anything_is_asked_or_made() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    for (to, meant) in [
        ("s3:/bucket/x", "s3://bucket/x"),
        ("s3:bucket", "s3://bucket"),
        ("file:/x", "file:///x"),
        ("dbfs:/mnt/x", "Use s3://, gs://"),
        ("http://host/x", "Use s3://, gs://"),
        ("~/lake", "$HOME"),
        ("$HOME/lake", "double quotes"),
        ("C:\\data", "Windows"),
        ("a\\b", "a/b"),
        ("lake.parqet", "lake.parquet"),
        ("lake.PARQUETT", "lake.parquet"),
        ("out.csv", "out.parquet"),
        ("folder/out.jsonl", "out.parquet"),
        ("a.parquet.gz", "a.parquet"),
        ("lake/customers/_delta_log", "lake/customers?"),
        ("lake/_delta_log/x", "lake?"),
        ("", "empty"),
        ("s3//b/x", "s3://b/x"),
        ("gcs://b/x", "gs://b/x"),
        ("s3://$BUCKET/x", "double quotes"),
        ("'lake'", "Did you mean lake?"),
        ("out.csv.gz", "out.parquet"),
        ("lake.par.quet", "lake.parquet"),
        ("x.parquet/y", "x.parquet?"),
    ] {
        for command in [&["export", "--config", "config.json", "--to", to][..], &["show", to]] {
            let answer = connector.run(command);
            assert_eq!(answer.code, Some(78), "{to}: {}", answer.stderr);
            assert!(answer.stderr.contains(meant), "{to}: {}", answer.stderr);
            assert!(answer.stderr.starts_with("error: "), "{}", answer.stderr);
            assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        }
    }
    assert!(simulator.requests().is_empty());
    assert_eq!(made(&connector), Vec::<String>::new());
}

#[test]
fn a_doubtful_name_still_works_where_a_table_is_there() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    fs::rename(connector.folder().join("lake"), connector.folder().join("lake.parqet")).unwrap();
    let answer = export(&connector, "lake.parqet", &["--json"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(connector.run(&["show", "lake.parqet"]).code, Some(0));
}

#[test]
fn the_path_that_a_summary_shows_is_the_same_table() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    let summary = into_table(&connector, &["--full-refresh"]);
    simulator.change(2);
    for to in ["lake/customers", "lake/customers/", summary["to"].as_str().unwrap()] {
        let answer = export(&connector, to, &["--json", "--full-refresh"]);
        assert_eq!(answer.code, Some(0), "{}", answer.stderr);
        let again: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!((&again["to"], &again["version"]), (&summary["to"], &Value::from(1)));
        let shown = connector.run(&["show", to, "--json"]);
        assert_eq!(shown.text(), connector.run(&["show", "lake", "--json"]).text());
    }
    assert!(!connector.folder().join("lake/customers/customers").exists());
}

#[test]
fn rejects_of_a_table_that_is_named_by_itself_go_beside_it() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    simulator.reply_next(crate::support::replies::list(&[r#"{"id": "1"}"#, r#"{"name": "x"}"#]));
    let answer =
        export(&connector, "lake/customers", &["--json", "--full-refresh", "--allow-shrink"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(connector.folder().join("lake/customers_rejects").is_dir());
}

#[test]
fn a_place_with_a_table_in_it_that_is_a_table_itself_is_refused() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    let folder = connector.folder().join("lake");
    fs::create_dir(folder.join("_delta_log")).unwrap();
    let log = "_delta_log/00000000000000000000.json";
    fs::copy(folder.join("customers").join(log), folder.join(log)).unwrap();
    let asked = simulator.requests().len();
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("and so is"), "{}", answer.stderr);
    assert_eq!(simulator.requests().len(), asked);
}

#[test]
fn links_in_a_local_path_are_followed() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    let folder = connector.folder();
    fs::create_dir(folder.join("real")).unwrap();
    symlink("real", folder.join("link")).unwrap();
    let url = format!("file://{}/link", folder.display());
    for (round, to) in
        ["link", "link/", "real", &url, "link/customers", "link/../link"].iter().enumerate()
    {
        simulator.change(2);
        let answer = export(&connector, to, &["--json"]);
        assert_eq!(answer.code, Some(0), "{to}: {}", answer.stderr);
        let summary: Value = serde_json::from_str(answer.text()).unwrap();
        assert_eq!(summary["version"], round, "{to}");
    }
    assert_eq!(Lake::in_folder(&folder.join("real/customers")).rows().len(), 5);
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::rename(folder.join("real/customers"), folder.join("elsewhere/moved")).unwrap();
    symlink("../elsewhere/moved", folder.join("real/customers")).unwrap();
    simulator.change(2);
    let answer = export(&connector, "real/customers", &["--json"]);
    assert_eq!(answer.code, Some(0), "a table that is a link: {}", answer.stderr);
    simulator.change(2);
    let answer = export(&connector, "link", &["--json"]);
    assert_eq!(answer.code, Some(0), "the folder above a table that is a link: {}", answer.stderr);
}

#[test]
fn a_link_to_nothing_is_refused_before_anything_is_asked() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    let folder = connector.folder();
    fs::create_dir(folder.join("lake")).unwrap();
    symlink("gone", folder.join("lake/customers")).unwrap();
    symlink("gone", folder.join("dangling")).unwrap();
    symlink("gone.parquet", folder.join("x.parquet")).unwrap();
    for to in ["lake", "lake/customers", "dangling", "dangling/x", "x.parquet"] {
        for command in [&["export", "--config", "config.json", "--to"][..], &["show"]] {
            let answer = connector.run(&[command, &[to]].concat());
            assert_eq!(answer.code, Some(78), "{to}: {}", answer.stderr);
            assert!(answer.stderr.contains("is a link to nothing"), "{to}: {}", answer.stderr);
        }
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn nothing_new_is_made_inside_a_table() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    into_table(&connector, &[]);
    let (before, asked) = (made(&connector), simulator.requests().len());
    for to in [
        "lake/customers/customers",
        "lake/customers/x/y",
        "lake/customers/x.parquet",
        "lake/x.parquet/y",
    ] {
        let answer = export(&connector, to, &[]);
        assert_eq!(answer.code, Some(78), "{to}: {}", answer.stderr);
        assert!(answer.stderr.contains("is inside"), "{to}: {}", answer.stderr);
        assert!(answer.stderr.contains("Did you mean"), "{to}: {}", answer.stderr);
    }
    // Beside it there is room.
    assert_eq!(export(&connector, "lake/customers.parquet", &[]).code, Some(0));
    fs::remove_file(connector.folder().join("lake/customers.parquet")).unwrap();
    assert_eq!((made(&connector), simulator.requests().len()), (before, asked + 1));
}

#[test]
fn a_file_is_no_place_for_a_table() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    connector.write("notes", "text");
    for to in ["notes", "notes/x", "notes/", "./notes"] {
        let answer = export(&connector, to, &[]);
        assert_eq!(answer.code, Some(78), "{to}: {}", answer.stderr);
        assert!(answer.stderr.contains("notes is a file"), "{to}: {}", answer.stderr);
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn the_demonstration_stays_on_this_machine() {
    let connector = Connector::configured(serde_json::json!({}));
    for (to, meant) in [
        ("s3://bucket/x", "this machine"),
        ("s3:/bucket/x", "s3://bucket/x"),
        ("~/lake", "$HOME"),
        ("x.parquet", "folder"),
        ("-", "folder"),
    ] {
        let answer = connector.run(&["demo", "--to", to]);
        assert_eq!(answer.code, Some(78), "{to}: {}", answer.stderr);
        assert!(answer.stderr.contains(meant), "{to}: {}", answer.stderr);
    }
    assert_eq!(made(&connector), Vec::<String>::new());
    fs::create_dir(connector.folder().join("real")).unwrap();
    symlink("real", connector.folder().join("link")).unwrap();
    fs::create_dir(connector.folder().join("scratch")).unwrap();
    symlink("scratch", connector.folder().join("link-to-scratch")).unwrap();
    let answer = connector.run(&["demo", "--customers", "5", "--to", "link/lake"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let mut command = connector.command(&["demo", "--customers", "5"]);
    command.env("TMPDIR", connector.folder().join("link-to-scratch"));
    let answer = crate::support::finish(command, b"");
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

#[test]
fn a_file_that_is_a_link_stays_one_and_its_target_is_replaced() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    let folder = connector.folder();
    assert_eq!(export(&connector, "a.parquet", &[]).code, Some(0));
    symlink("a.parquet", folder.join("b.parquet")).unwrap();
    simulator.change(2);
    let before = fs::read(folder.join("a.parquet")).unwrap();
    assert_eq!(export(&connector, "b.parquet", &[]).code, Some(0));
    assert!(folder.join("b.parquet").is_symlink());
    assert_ne!(fs::read(folder.join("a.parquet")).unwrap(), before);
}

#[test]
fn an_ending_in_capitals_is_a_file() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    assert_eq!(export(&connector, "X.PARQUET", &[]).code, Some(0));
    assert!(connector.folder().join("X.PARQUET").is_file());
}

#[test]
fn nothing_is_made_for_an_export_that_komet_refuses() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator);
    for to in ["lake", "new/folder/x.parquet", "lake/x/y"] {
        simulator.reply_next(said("0", "Invalid token"));
        assert_eq!(export(&connector, to, &[]).code, Some(77));
        assert_eq!(made(&connector), Vec::<String>::new(), "{to}");
    }
    let checked = export(&connector, "lake", &["--check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert_eq!(made(&connector), Vec::<String>::new(), "--check");
    assert_eq!(export(&connector, "lake", &[]).code, Some(0));
    assert_eq!(lake(&connector).rows().len(), 5);
}

#[test]
fn a_key_that_is_no_setting_is_refused_since_a_person_wrote_it() {
    let simulator = simulator(5);
    let connector = Connector::of(&simulator).with("time_zone", "America/Bogota");
    let answer = export(&connector, "lake", &[]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("did you mean `timezone`?"), "{}", answer.stderr);
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_token_in_place_of_a_configuration_is_not_shown() {
    let connector = Connector::configured(serde_json::json!({}));
    for command in
        [&["export", "--to", "lake"][..], &["check"], &["read", "--catalog", "catalog.json"], &[]]
    {
        let answer = connector.run(&[command, &["--config", "k0m3t-s3cr3t-t0k3n"]].concat());
        let said = format!("{}{}", answer.text(), answer.stderr);
        assert!(!said.contains("k0m3t-s3cr3t-t0k3n"), "{said}");
        assert!(said.contains("cannot be read"), "{said}");
    }
}

#[test]
fn a_token_in_the_place_of_another_argument_is_not_shown() {
    let connector = Connector::configured(serde_json::json!({}));
    let token = "k0m3t-s3cr3t-t0k3n";
    for command in [
        &["export", token][..],
        &["export", "--to", "lake", "--json", token],
        &["check", token],
        &["simulate", "--port", token],
        &["generate", token],
        &["export", "--to", "lake", "--mode=k0m3t-s3cr3t-t0k3n"],
        &[token],
    ] {
        let answer = connector.run(command);
        let said = format!("{}{}", answer.text(), answer.stderr);
        assert!(!said.contains(token), "{command:?}: {said}");
        assert_eq!(answer.code, Some(2), "{command:?}: {said}");
    }
    // What cannot be one is repeated, as it helps.
    assert!(connector.run(&["exprot"]).stderr.contains("exprot"));
}

#[test]
fn a_configuration_in_another_encoding_is_named_as_such() {
    let connector = Connector::configured(serde_json::json!({}));
    let text = r#"{"authentication_token": "abcdefgh"}"#;
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    connector.write("utf16.json", [&b"\xFF\xFE"[..], &utf16].concat());
    let answer = connector.run(&["export", "--config", "utf16.json", "--to", "lake"]);
    assert_eq!(answer.code, Some(78));
    assert!(answer.stderr.contains("is UTF-16. Save it as UTF-8."), "{}", answer.stderr);
}
