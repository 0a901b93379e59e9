//! The demonstration, as a new user runs it.

use std::process::Command;

use crate::support::finish;

/// What the demonstration prints of this many customers.
fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kometsales"));
    command.arg("demo").args(arguments);
    let answer = finish(command, b"");
    (answer.code, answer.text().to_owned(), answer.stderr)
}

#[test]
fn every_step_is_shown_on_one_screen_the_table_first() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("flowers");
    let (code, shown, told) = demo(&["--customers", "1204", "--to", to.to_str().unwrap()]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{shown}");
    for part in [
        "1,204 customers\n",
        "1. Export to a Delta table, without a pipeline",
        "   rows     1,204 customers written, 1,204 rows in the table\n",
        "somebody edits: ",
        "2. Keep it current: the same command again",
        ", merge, version 1\n",
        "3. Look into it",
        "4. Airbyte: what can be set, and does it work",
        "   kometsales check --config config.json\n",
        "SUCCEEDED",
        "required: authentication_token",
        "5. Airbyte: read everything there is",
        "1,204 customers, ",
        "6. Airbyte: read what has changed since",
        "--state last.json",
        "&updateAsOf=",
        "polars.read_delta(",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert_eq!(shown.matches(r#"{"updatedOn":""#).count(), 2, "{shown}");
    assert!(shown.lines().count() <= 45, "{}", shown.lines().count());
    // But for the paths of this test.
    let is_wide = |line: &&str| line.chars().count() > 80 && !line.contains(to.to_str().unwrap());
    assert_eq!(shown.lines().find(is_wide), None);
    assert!(to.join("customers/_delta_log/00000000000000000001.json").exists());
    // No colours where nobody looks, and no token.
    assert!(!shown.contains('\x1b') && !shown.contains("demo-token"), "{shown}");
}

#[test]
fn a_company_without_customers_is_shown_too() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let (code, shown, told) = demo(&["--customers", "0", "--to", to]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.contains("0 customers, 0 of them active"), "{shown}");
}

#[test]
fn many_companies_are_shown_with_the_one_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("flowers");
    let (code, shown, told) =
        demo(&["--companies", "50", "--customers", "20", "--to", to.to_str().unwrap()]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{shown}");
    for part in [
        "50 simulated companies\n",
        "1. Export each company to a table of its own",
        "   Exported 49 of 50 companies to ",
        "      failed   1 (auth 1)\n",
        "ERROR company-0007: ",
        "somebody edits: 50 customers",
        r#"{"company":"company-0007","outcome":"failed","kind":"auth","#,
        r#"{"summary":{"companies":50,"exported":49,"failed":1,"not_started":0,"#,
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert!(to.join("company-0050/customers/_delta_log/00000000000000000001.json").exists());
    assert!(!shown.contains("demo-token"), "{shown}");
}
