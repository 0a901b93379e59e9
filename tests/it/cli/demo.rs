//! The demonstration, as a new user runs it.

use std::process::Command;

/// What the demonstration prints of so many customers.
fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kometsales"))
        .arg("demo")
        .args(arguments)
        .output()
        .map_err(|error| error.to_string());
    match output {
        Ok(output) => (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ),
        Err(error) => (None, String::new(), error),
    }
}

#[test]
fn every_step_is_shown_with_what_was_asked_what_came_and_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("flowers");
    let (code, shown, told) = demo(&["--customers", "1204", "--to", to.to_str().unwrap()]);
    assert_eq!((code, told.as_str()), (Some(0), ""), "{shown}");
    for part in [
        "1,204 customers at http://127.0.0.1:",
        "1. What can be configured?\n   kometsales spec\n",
        "required: authentication_token",
        "2. Does the token work?",
        "SUCCEEDED",
        "3. What can be read?",
        "customers: id, accountingCode",
        "4. Everything there is",
        "1,204 customers, ",
        "Somebody edits the customers ",
        "5. What has changed since?",
        "--state state.json",
        "&updateAsOf=",
        "6. Without a pipeline: into a Delta table",
        "   rows     1,204 customers written, 1,204 rows in the table\n",
        "7. Keep it current: run it again",
        ", merge, version 1\n",
        "8. What is in it?",
        "customers by the month of their last change",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert_eq!(shown.matches(r#""scope":""#).count(), 2, "{shown}");
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
