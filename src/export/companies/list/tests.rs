use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::config::{Config, UnknownKeys};
use crate::error::Kind;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn found(paths: &[&Path], stdin: &str) -> Result<(Companies, Vec<String>)> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    Companies::find(&paths, || Ok(stdin.as_bytes().to_vec()))
}

fn names(companies: &Companies) -> Vec<&str> {
    companies.names().iter().map(Name::as_str).collect()
}

fn config(companies: &Companies, name: &str) -> Config {
    let parts = companies.settings(&name.parse().unwrap()).unwrap();
    Config::merge(&parts, &[], UnknownKeys::Refuse).unwrap().0
}

fn refused(paths: &[&Path], stdin: &str) -> String {
    let error = found(paths, stdin).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    error.to_string()
}

#[test]
fn a_folder_is_read_as_kubernetes_mounts_secrets() {
    let secret = folder(&[]);
    let data = secret.path().join("..2026_11_24");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("rosas"), "token-of-rosas\n").unwrap();
    fs::write(data.join("lirios.json"), r#"{"authentication_token": "token-of-lirios"}"#).unwrap();
    symlink("..2026_11_24", secret.path().join("..data")).unwrap();
    for name in ["rosas", "lirios.json"] {
        symlink(format!("..data/{name}"), secret.path().join(name)).unwrap();
    }
    fs::create_dir(secret.path().join("lost+found")).unwrap();
    let (companies, warnings) = found(&[secret.path()], "").unwrap();
    assert_eq!(names(&companies), ["lirios", "rosas"]);
    assert!(warnings.len() == 1 && warnings[0].contains("`lost+found`"), "{warnings:?}");
    assert_eq!(config(&companies, "rosas").token.redact("token-of-rosas"), "[redacted]");
    assert_eq!(config(&companies, "lirios").token.redact("token-of-lirios"), "[redacted]");
}

#[test]
fn a_token_loses_one_line_feed_at_its_end_and_nothing_else() {
    for (content, token) in [
        ("a-plain-token", Some("a-plain-token")),
        ("a-plain-token\n", Some("a-plain-token")),
        ("a-plain-token\r\n", Some("a-plain-token")),
        ("\u{feff}a-plain-token", Some("a-plain-token")),
        ("a-plain-token\n\n", None),
        ("a-plain-token ", None),
        ("\"a-plain-token\"", None),
        ("", None),
    ] {
        let folder = folder(&[("rosas", content)]);
        let (companies, _) = found(&[folder.path()], "").unwrap();
        let parts = companies.settings(&"rosas".parse().unwrap()).unwrap();
        let config = Config::merge(&parts, &[], UnknownKeys::Refuse);
        assert_eq!(config.is_ok(), token.is_some(), "{content:?}");
        if let (Ok((config, _)), Some(token)) = (config, token) {
            assert_eq!(config.token.redact(token), "[redacted]", "{content:?}");
        }
    }
}

#[test]
fn later_paths_win_by_company_and_key() {
    let settings =
        folder(&[("rosas.json", r#"{"timezone": "America/Bogota", "lookback_hours": 5}"#)]);
    let secret = folder(&[("rosas", "token-of-rosas"), ("lirios", "token-of-lirios")]);
    let lines = r#"{"company": "rosas", "lookback_hours": 7}

        {"company": "claveles", "authentication_token": "token-of-claveles"}"#;
    let paths = [settings.path(), secret.path(), Path::new("-")];
    let (companies, _) = found(&paths, lines).unwrap();
    assert_eq!(names(&companies), ["claveles", "lirios", "rosas"]);
    let rosas = config(&companies, "rosas");
    assert_eq!((rosas.zone.name(), rosas.lookback_hours), ("America/Bogota", 7));
    assert_eq!(config(&companies, "lirios").lookback_hours, 1);
    assert_eq!(config(&companies, "claveles").lookback_hours, 1);
}

#[test]
fn what_is_said_is_read_when_it_is_asked_for() {
    let folder = folder(&[("rosas", "token-number-1")]);
    let lines = folder.path().join("more.jsonl");
    fs::write(&lines, r#"{"company": "lirios", "authentication_token": "token-number-2"}"#)
        .unwrap();
    let secret = TempDir::new().unwrap();
    fs::rename(folder.path().join("rosas"), secret.path().join("rosas")).unwrap();
    let (companies, _) = found(&[secret.path(), &lines], "").unwrap();
    fs::write(secret.path().join("rosas"), "token-number-3").unwrap();
    fs::write(&lines, r#"{"authentication_token": "token-number-4", "company": "l\u0069rios"}"#)
        .unwrap();
    assert_eq!(config(&companies, "rosas").token.redact("token-number-3"), "[redacted]");
    assert_eq!(config(&companies, "lirios").token.redact("token-number-4"), "[redacted]");
    fs::remove_file(secret.path().join("rosas")).unwrap();
    let error = companies.settings(&"rosas".parse().unwrap()).unwrap_err();
    assert!(error.kind() == Kind::Config && error.to_string().contains("any more"), "{error}");
}

#[test]
fn nobody_bad_names_and_names_that_occur_twice_are_refused() {
    let empty = folder(&[(".hidden", "x")]);
    assert!(refused(&[empty.path()], "").contains("no company"));
    assert!(refused(&[Path::new("-")], "\n \n").contains("standard input"));
    assert!(refused(&[folder(&[("a b", "")]).path()], "").contains("`a b`"));
    assert!(refused(&[folder(&[("x.parquet", "")]).path()], "").contains("`x.parquet`"));
    let twice = [("rosas", "token-of-rosas"), ("rosas.json", "{}")];
    assert!(refused(&[folder(&twice).path()], "").contains("Two companies are called `rosas"));
    let cases = [("rosas", "token-of-rosas"), ("Rosas", "another-token")];
    assert!(refused(&[folder(&cases).path()], "").contains("upper and lower case"));
    let (one, other) = (folder(&cases[..1]), folder(&cases[1..]));
    assert!(refused(&[one.path(), other.path()], "").contains("Two companies"));
    let line = r#"{"company": "a"}"#;
    assert!(refused(&[Path::new("-")], &format!("{line}\n{line}")).contains("`a`"));
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number_and_shows_nothing() {
    for line in [
        r#"{"company": "b", "authentication_token": "s3cr3t-token"#,
        r#"{"authentication_token": "s3cr3t-token"}"#,
        r#"{"company": 7, "authentication_token": "s3cr3t-token"}"#,
        r#"["s3cr3t-token"]"#,
        "s3cr3t-token",
    ] {
        let message = refused(&[Path::new("-")], &format!("{{\"company\": \"a\"}}\n{line}"));
        assert!(message.contains("line 2") && !message.contains("s3cr3t"), "{message}");
    }
}

#[test]
fn what_is_neither_a_folder_nor_lines_is_refused_with_what_is() {
    let folder = folder(&[("companies.json", "{}")]);
    let message = refused(&[&folder.path().join("companies.json")], "");
    assert!(message.contains(".jsonl") && message.contains("folder"), "{message}");
    assert!(refused(&[&folder.path().join("missing")], "").contains("cannot be read"));
    let large = "x".repeat(2 * 1024 * 1024);
    fs::write(folder.path().join("companies.json"), large).unwrap();
    let (companies, _) = found(&[folder.path()], "").unwrap();
    let error = companies.settings(&"companies".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

#[test]
fn a_line_is_found_where_it_was_and_where_it_has_moved() {
    let folder = folder(&[]);
    let path = folder.path().join("companies.jsonl");
    let line = |name: &str, hours: u32| {
        format!(
            r#"{{"company": "{name}", "authentication_token": "token-of-{name}", "lookback_hours": {hours}}}"#
        )
    };
    let names = ["rosas", "lirios", "claveles", "rosa"];
    for mark in ["", "\u{feff}", "\n\n"] {
        let all: Vec<String> = names.iter().map(|name| line(name, 1)).collect();
        fs::write(&path, format!("{mark}{}", all.join("\n"))).unwrap();
        let (companies, _) = found(&[&path], "").unwrap();
        let hours = |name: &str| config(&companies, name).lookback_hours;
        assert_eq!(names.map(hours), [1; 4]);
        // Somebody else's line is broken, others have moved, and one has another length.
        let moved = [
            line("rosa", 2),
            "{broken".to_owned(),
            line("claveles", 300),
            line("rosas", 4),
            line("lirios", 5),
        ];
        fs::write(&path, moved.join("\r\n")).unwrap();
        assert_eq!(names.map(hours), [4, 5, 300, 2]);
        fs::write(&path, [line("rosas", 7), "{broken".to_owned()].join("\n")).unwrap();
        assert_eq!(hours("rosas"), 7);
        let error = companies.settings(&"lirios".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        fs::write(&path, line("rosas", 7)).unwrap();
        let error = companies.settings(&"lirios".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("any more"), "{error}");
    }
}
