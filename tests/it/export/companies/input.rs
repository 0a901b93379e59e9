//! What is refused before any request, and what the command line does not understand.

use super::Many;
use crate::support::finish;
use crate::support::secrets::assert_absent;

/// The exit code and stderr of an export that must not ask anybody.
#[track_caller]
fn refused(many: &Many, arguments: &[&str], stdin: &str) -> (i32, String) {
    many.connector.run(&["--version"]);
    let answer =
        finish(many.connector.command(&[&["export"], arguments].concat()), stdin.as_bytes());
    assert!(many.simulator.requests().is_empty(), "{arguments:?}");
    assert!(answer.text().is_empty() || arguments.contains(&"--json"), "{}", answer.text());
    (answer.code.unwrap(), answer.stderr)
}

#[test]
fn what_can_be_seen_before_any_request_is_refused_before_any_request() {
    let many = Many::of(3, 5, &[]);
    many.connector.write("one.json", r#"{"authentication_token": "demo-token-0001"}"#);
    many.connector.write("empty.jsonl", "\n");
    many.connector.write("bad.json", r#"{"timezone": "Mars"}"#);
    let lines = "{\"company\": \"a\"}\n{\"company\": \"A\"}";
    for (arguments, stdin, expected) in [
        (&["--companies", "empty.jsonl", "--to", "lake"][..], "", "no company"),
        (&["--companies", "missing", "--to", "lake"], "", "cannot be read"),
        (&["--companies", "one.json", "--to", "lake"], "", ".jsonl"),
        (&["--companies", "-", "--to", "lake"], lines, "Two companies are called"),
        (&["--companies", "-", "--to", "lake"], r#"{"company": "a b"}"#, "`a b`"),
        (&["--companies", "-", "--to", "lake"], r#"{"company": "x.parquet"}"#, "`x.parquet`"),
        (&["--companies", "tokens", "--to", "x.parquet"], "", "Use a folder"),
        (&["--companies", "tokens", "--to", "s3:/bucket/x"], "", "s3://bucket/x"),
        (&["--companies", "tokens", "--to", "lake.parqet"], "", "lake.parquet"),
        (&["--companies", "tokens", "--to", "lake", "--company", "nobody"], "", "nobody"),
        (&["--companies", "tokens", "--to", "lake", "--config", "one.json"], "", "one.json has a"),
        (&["--companies", "tokens", "--to", "lake", "--config", "bad.json"], "", "Mars"),
    ] {
        let (code, stderr) = refused(&many, arguments, stdin);
        assert_eq!(code, 78, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert_absent("demo-token-0001", "stderr", stderr.as_bytes());
        assert!(!many.connector.folder().join("lake").exists());
    }
}

#[test]
fn a_token_in_the_environment_is_refused() {
    let many = Many::of(3, 5, &[]);
    let mut command = many.connector.command(&["export", "--companies", "tokens", "--to", "lake"]);
    command.env("KOMETSALES_AUTHENTICATION_TOKEN", "demo-token-0001");
    let answer = finish(command, b"");
    assert_eq!(answer.code, Some(78));
    assert!(
        answer.stderr.contains("KOMETSALES_AUTHENTICATION_TOKEN has a token"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_command_line_that_is_not_understood_is_a_usage_error() {
    let many = Many::of(3, 5, &[]);
    let companies = ["--companies", "tokens", "--to", "lake"];
    for (arguments, expected) in [
        (&["--to", "lake", "--shard", "0/4"][..], "--companies"),
        (&["--to", "lake", "--company", "a"], "--companies"),
        (&["--to", "lake", "--jobs", "2"], "--companies"),
        (&[&companies[..], &["--shard", "4/4"]].concat(), "3/4"),
        (&[&companies[..], &["--shard", "x"]].concat(), "I/N"),
        (&[&companies[..], &["--jobs", "0"]].concat(), "1..=64"),
        (&[&companies[..], &["--jobs", "65"]].concat(), "1..=64"),
        (&["--companies", "-", "--config", "-", "--to", "lake"], "standard input"),
    ] {
        let (code, stderr) = refused(&many, arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_place_that_is_a_table_itself_is_refused() {
    let many = Many::of(2, 5, &[]);
    assert_eq!(many.export_one("company-0001", "lake", &[]).code, Some(0));
    for to in ["lake/company-0001", "lake/company-0001/customers"] {
        let answer = many.connector.run(&[
            "export",
            "--companies",
            "tokens",
            "--config",
            "config.json",
            "--to",
            to,
        ]);
        assert_eq!(answer.code, Some(78), "{}", answer.stderr);
        assert!(answer.stderr.contains("is a table"), "{}", answer.stderr);
    }
    assert_eq!(many.simulator.requests().len(), 1);
    // A company that is called as a stream, or as other places are, is a folder like any other.
    many.give("customers", "demo-token-0002");
    many.give("out.csv", "demo-token-0001");
    let names = ["--company", "customers", "--company", "out.csv"];
    std::fs::remove_file(many.tokens().join("company-0001")).unwrap();
    std::fs::remove_file(many.tokens().join("company-0002")).unwrap();
    let run = many.export("other", &names);
    assert_eq!(run.code(), 0, "{run:?}");
    assert_eq!(many.table("other", "out.csv").ids().len(), 5);
    let again = many.export("other", &names);
    assert_eq!((again.code(), again.summary["rows"].as_u64()), (0, Some(0)), "{again:?}");
}

#[test]
fn settings_of_a_company_go_before_those_for_all_and_a_wrong_one_fails_alone() {
    let many = Many::of(3, 40, &[]).setting("include_inactive", false);
    let own = r#"{"authentication_token": "demo-token-0002", "include_inactive": true}"#;
    std::fs::write(many.tokens().join("company-0002.json"), own).unwrap();
    std::fs::remove_file(many.tokens().join("company-0002")).unwrap();
    let wrong = r#"{"authentication_token": "demo-token-0003", "lookback_hours": "soon"}"#;
    std::fs::write(many.tokens().join("company-0003.json"), wrong).unwrap();
    std::fs::remove_file(many.tokens().join("company-0003")).unwrap();
    let run = many.export("lake", &[]);
    assert_eq!(run.code(), 78, "{run:?}");
    assert!(run.message("company-0003").contains("`lookback_hours` is \"soon\""), "{run:?}");
    assert!(many.table("lake", "company-0001").ids().len() < 40);
    assert_eq!(many.table("lake", "company-0002").ids().len(), 40);
}
