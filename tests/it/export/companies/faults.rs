//! A hundred companies, of which one each has one of the faults that there are.

use std::collections::BTreeMap;

use kometsales::simulator::FAULTS;

use super::Many;
use crate::support::secrets::{assert_absent, assert_absent_in_folder};

/// Every fault as a user writes it, with a small argument.
fn faults() -> Vec<String> {
    let written = |usage: String| match usage.split_once([':', '[']) {
        None => usage,
        Some((name, _)) => match name {
            "server-error" => "server-error".to_owned(),
            "status-zero" | "rate-limit" | "rate-limit-date" | "cut-gzip" | "bad-ids" => {
                name.to_owned()
            }
            "drip" => "drip:1".to_owned(),
            name => format!("{name}:700"),
        },
    };
    FAULTS.iter().map(|form| written(form.usage())).collect()
}

#[test]
fn each_fault_of_one_company_leaves_the_others_right_and_no_token_anywhere() {
    const COMPANIES: u32 = 100;
    let faults = faults();
    assert!(faults.len() < COMPANIES as usize / 2 + 20);
    let of: BTreeMap<String, &String> = faults
        .iter()
        .zip(1..)
        .map(|(fault, number)| (format!("company-{number:04}"), fault))
        .collect();
    // Each is healthy once, so that there is a table that must stay as it was; then its fault for two requests: of the
    // run of many, and of a single export that says what to expect.
    let scheduled: Vec<String> = of
        .iter()
        .flat_map(|(name, fault)| [format!("healthy@{name}@1"), format!("{fault}@{name}@2")])
        .collect();
    let scheduled: Vec<&str> = scheduled.iter().map(String::as_str).collect();
    let many = Many::of(COMPANIES, 30, &scheduled);
    let first = many.export("lake", &["--jobs", "8"]);
    assert_eq!((first.code(), first.summary["exported"].as_u64()), (0, Some(100)), "{first:?}");
    many.simulator.change(30);
    let before = many.files("lake");
    let run = many.export("lake", &["--jobs", "32", "--full-refresh"]);
    let mut codes = Vec::new();
    for (name, _) in many.companies() {
        let expected = match of.get(&name) {
            None => None,
            Some(fault) => {
                let single = many.export_one(&name, "single", &["--full-refresh"]);
                let code = single.code.unwrap();
                codes.push(code);
                Some((*fault, code, single.stderr))
            }
        };
        let kind = run.lines[&name]["kind"].as_str().unwrap_or_default();
        match expected {
            Some((fault, code, said)) if code != 0 => {
                let expected = match code {
                    78 => "config",
                    77 => "auth",
                    75 => "transient",
                    65 => "data",
                    code => panic!("{fault}: {code}"),
                };
                assert_eq!((run.outcome(&name), kind), ("failed", expected), "{fault}");
                let message = run.message(&name);
                assert!(
                    said.contains(message.split('.').next().unwrap()),
                    "{fault}: {message} {said}"
                );
                let own = |files: &BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
                    let prefix = format!("{name}/");
                    files
                        .clone()
                        .into_iter()
                        .filter(|(file, _)| file.starts_with(&prefix))
                        .collect()
                };
                assert!(own(&before) == own(&many.files("lake")), "{fault} changed the table");
            }
            expected => {
                assert_eq!(run.outcome(&name), "exported", "{expected:?} {run:?}");
                let expects_all = expected.is_none();
                let rows = many.table("lake", &name).rows();
                assert!(!expects_all || rows.len() == 30, "{name}");
                if let Some((fault, _, _)) = expected {
                    let ids = many.table("single", &name).ids();
                    let own = many.table("lake", &name).ids();
                    assert!(ids.iter().all(|id| own.contains(id)), "{fault}");
                }
            }
        }
    }
    let worst = [70, 75, 78, 77, 65].into_iter().find(|code| codes.contains(code)).unwrap();
    assert_eq!(run.code(), worst);
    assert_eq!(run.summary["stopped"], serde_json::Value::Null);
    std::fs::remove_dir_all(many.tokens()).unwrap();
    std::fs::remove_file(many.connector.folder().join("own.json")).unwrap();
    for (_, token) in many.companies() {
        for answer in [&first.answer, &run.answer] {
            assert_absent(&token, "stdout", &answer.stdout);
            assert_absent(&token, "stderr", answer.stderr.as_bytes());
        }
    }
    // The search in files is for all tokens at once: what they have in common.
    assert_absent_in_folder("demo-token-0", many.connector.folder());
}
