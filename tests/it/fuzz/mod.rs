//! Inputs that nobody would write, made up under a seed: each door that takes something from outside is shown thousands, and
//! `checks` says what has to hold of each.
//!
//! `KOMETSALES_FUZZ_SECONDS=600 cargo test --test it fuzz:: -- --nocapture` makes inputs up for so long for each target; a
//! failing one is written to a file, and `KOMETSALES_FUZZ_INPUT=FILE` with the name of its test shows it again.

#[allow(unreachable_pub, reason = "the fuzz targets take it as a library, too")]
pub(crate) mod checks;
mod driver;
mod json;
mod made;
mod mutated;
mod sent;

use std::collections::BTreeSet;
use std::fs;

use driver::{fuzz, seeds};

#[test]
fn catalogs_of_airbyte() {
    fuzz("catalog", None, 400);
}

#[test]
fn configurations() {
    fuzz("configuration", Some(made::configuration), 600);
}

#[test]
fn dates() {
    fuzz("dates", Some(made::date), 600);
}

#[test]
fn destinations() {
    fuzz("destination", Some(made::destination), 600);
}

#[test]
fn replies_to_the_byte() {
    fuzz("http", Some(sent::http), 60);
}

#[test]
fn notes_of_tables() {
    fuzz("note", None, 600);
}

#[test]
fn secrets_in_texts() {
    fuzz("redaction", Some(made::redaction), 300);
}

#[test]
fn replies() {
    fuzz("reply", Some(sent::reply), 200);
}

#[test]
fn catalogs_of_singer() {
    fuzz("singer_catalog", None, 200);
}

#[test]
fn states_of_singer() {
    fuzz("singer_state", None, 600);
}

#[test]
fn states_of_airbyte() {
    fuzz("state", None, 600);
}

/// The names of what is in a folder of `fuzz/`, without their endings.
fn names(folder: &str) -> BTreeSet<String> {
    let folder = format!("{}/fuzz/{folder}", env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_target_has_a_program_seeds_a_dictionary_and_a_test() {
    let targets: BTreeSet<String> =
        checks::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("dictionaries"), targets);
    assert_eq!(names("seeds"), targets);
    let manifest = include_str!("../../../fuzz/Cargo.toml");
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        assert!(include_str!("mod.rs").contains(&format!("fuzz(\"{target}\",")), "{target}");
        assert!(
            (1..=12).contains(&seeds(target).len()),
            "{target} has few seeds, all of them small"
        );
        assert!(seeds(target).iter().all(|seed| seed.len() < 8192), "{target}");
    }
}

/// A check that is wrong about inputs of which two members are odd, each in its own way.
fn wrong(bytes: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let state = &json["customers"];
    let (is_list, is_true) = (state["updatedOn"].is_array(), state["version"] == true);
    assert!(!(is_list && is_true), "it is found");
    format!("{is_list} {is_true}")
}

#[test]
fn a_fault_behind_two_conditions_is_found_and_its_input_kept() {
    let found = std::panic::catch_unwind(|| driver::run("state", wrong, None, 20_000));
    let said = found.unwrap_err().downcast::<String>().unwrap();
    let path = said.split('`').nth(1).unwrap();
    let input = fs::read(path).unwrap();
    assert!(std::panic::catch_unwind(|| wrong(&input)).is_err(), "{said}");
    fs::remove_file(path).unwrap();
}

#[test]
fn an_input_that_takes_for_ever_is_found_and_kept() {
    fn stuck(bytes: &[u8]) -> String {
        if bytes.len() > 2 {
            std::thread::sleep(std::time::Duration::from_secs(30));
        }
        String::new()
    }
    let found = std::panic::catch_unwind(|| {
        driver::run_within("state", stuck, None, 1, std::time::Duration::from_millis(300));
    });
    let said = found.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("takes longer"), "{said}");
    fs::remove_file(said.split('`').nth(1).unwrap()).unwrap();
}
