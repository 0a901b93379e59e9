//! A hundred companies, of which one each has one of the faults that there are.

use std::collections::BTreeMap;

use kometsales::simulator::FAULTS;

use serde_json::Value;

use super::Many;
use super::one_table::{ONE, note_of, rows_of};
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

/// How the companies' rows lie.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Own,
    One,
}

impl Layout {
    fn with<'a>(self, arguments: &[&'a str]) -> Vec<&'a str> {
        let one = matches!(self, Self::One).then_some(ONE);
        arguments.iter().copied().chain(one).collect()
    }

    fn rows(self, many: &Many, company: &str) -> Vec<Value> {
        match self {
            Self::Own => many.table("lake", company).rows(),
            Self::One => rows_of(&many.shared("lake"), company),
        }
    }

    /// The files of each company, its note included.
    fn files(self, many: &Many) -> BTreeMap<String, Vec<u8>> {
        let mut files = many.files("lake");
        if matches!(self, Self::One) {
            // The log is that of all; what counts of it is what it notes of each.
            files.retain(|name, _| name.contains("/company="));
            let own = |name: String| name.split("/company=").last().unwrap().to_owned();
            files = files.into_iter().map(|(name, bytes)| (own(name), bytes)).collect();
            let lake = many.shared("lake");
            for (company, _) in many.companies() {
                let note = note_of(&lake, &company).map(|note| note.to_string());
                files.insert(format!("{company}/note"), note.unwrap_or_default().into_bytes());
            }
        }
        files
    }
}

#[test]
fn each_fault_of_one_company_leaves_the_others_right_and_no_token_anywhere() {
    each_fault(Layout::Own);
}

#[test]
fn each_fault_of_one_company_leaves_the_others_right_in_one_table_too() {
    each_fault(Layout::One);
}

fn each_fault(layout: Layout) {
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
    let first = many.export("lake", &layout.with(&["--jobs", "8"]));
    assert_eq!((first.code(), first.summary["exported"].as_u64()), (0, Some(100)), "{first:?}");
    many.simulator.change(30);
    let before = layout.files(&many);
    let run = many.export("lake", &layout.with(&["--jobs", "32", "--full-refresh"]));
    let after = layout.files(&many);
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
                assert!(own(&before) == own(&after), "{layout:?}: {fault} changed the table");
            }
            expected => {
                assert_eq!(run.outcome(&name), "exported", "{expected:?} {run:?}");
                let expects_all = expected.is_none();
                let rows = layout.rows(&many, &name);
                assert!(!expects_all || rows.len() == 30, "{name}");
                if let Some((fault, _, _)) = expected {
                    let ids = many.table("single", &name).ids();
                    let own: Vec<i64> =
                        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
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
