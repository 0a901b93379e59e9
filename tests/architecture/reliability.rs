//! What `docs/reliability.md` claims: 59 ways to fail, each with the names of tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

/// How many ways to fail there are.
const MODES: usize = 59;

/// A row of a table: its number, and the tests that it names.
fn modes(page: &str) -> Vec<(usize, Vec<&str>)> {
    let rows = page.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.trim_end_matches(" |");
        let number = cells.split(" | ").next()?.trim().parse().ok()?;
        let tests = cells.rsplit(" | ").next()?.split('`').skip(1).step_by(2);
        Some((number, tests.collect()))
    });
    rows.collect()
}

/// The files that a test of this name may be in, and what declares it there.
fn places(root: &Path, name: &str) -> (Vec<PathBuf>, String) {
    let (place, test) = name.rsplit_once("::").unwrap_or_default();
    if place.ends_with(".py") {
        return (vec![root.join("tests/hosts").join(place)], format!("def {test}("));
    }
    let declared = format!("fn {test}(");
    let path = place.replace("::", "/");
    let below = match path.strip_prefix("src/") {
        Some(path) => root.join("src").join(path),
        None => root.join("tests/it").join(path),
    };
    let files = [below.with_extension("rs"), below.join("mod.rs"), below.join("tests.rs")];
    (files.into(), declared)
}

/// Whether a file declares a test so.
fn declares(text: &str, declared: &str) -> bool {
    if declared.starts_with("def test_") {
        return text.lines().any(|line| line.starts_with(declared));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_attribute = |line: &&&str| line.starts_with("#[");
    lines.iter().enumerate().any(|(number, line)| {
        let above = lines[..number].iter().rev().take_while(is_attribute);
        line.starts_with(declared) && above.into_iter().any(|line| *line == "#[test]")
    })
}

fn exists(root: &Path, name: &str) -> bool {
    let (files, declared) = places(root, name);
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    texts.into_iter().any(|text| declares(&text, &declared))
}

#[test]
fn every_way_to_fail_is_listed_with_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let modes = modes(&page);
    let numbers: Vec<usize> = modes.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=MODES).collect::<Vec<_>>());
    let untested: Vec<_> = modes.iter().filter(|(_, tests)| tests.is_empty()).collect();
    assert!(untested.is_empty(), "{untested:?}");
    let names = modes.iter().flat_map(|(_, tests)| tests);
    let unknown: Vec<_> = names.filter(|name| !exists(root, name)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, is_there) in [
        ("simulation::a_seed_is_a_history_to_the_letter", true),
        ("simulation::a_seed_is_a_history", false),
        ("simulation::holds", false),
        ("src::source::retry::no_try_starts_after_the_window", true),
        ("airbyte::retries::no_try_starts_after_the_window", true),
        ("airbyte::faults::no_try_starts_after_the_window", false),
        ("export/test_kills.py::test_kills_in_a_bucket_leave_a_whole_table_each_time", true),
        ("export/test_kills.py::test_kills", false),
        ("no_place", false),
    ] {
        assert_eq!(exists(root, name), is_there, "{name}");
    }
    let page = "| | What | Tests |\n|---|---|---|\n| 7 | a `b` | does | `x::y` `z.py::w` |\n";
    assert_eq!(modes(page), [(7, vec!["x::y", "z.py::w"])]);
}
