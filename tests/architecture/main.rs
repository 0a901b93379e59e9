//! Who may import whom, and what stays in which file: the rules that the documentation of the library
//! states. Each is also shown to notice what breaks it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by a panic")]

mod dependencies;
mod messages;
mod names;
mod platforms;
mod reliability;
mod source;

use std::collections::BTreeSet;

use names::Name;
use source::{Source, circles, sources, uses};

/// The modules at the root of the crate, each group only of the groups to its left.
const ORDER: &[&[&str]] = &[
    &["error"],
    &["document", "backoff"],
    &["network", "secret", "log", "interrupt"],
    &["simulator", "model"],
    &["streams"],
    &["config", "state"],
    &["plan", "receipt"],
    &["source", "sink", "store", "output", "input"],
    &["sync"],
    &["airbyte", "singer", "export"],
    &["cli"],
    &["main"],
];

/// What the simulator, which stands for somebody else's server, may know of the product.
const SIMULATOR_KNOWS: &[&str] = &["error"];

/// Libraries, and the only places that may name them; a part of one before the whole.
const PLACES: &[(&str, &[&str])] = &[
    ("reqwest", &["source/connections.rs", "source/transfer.rs", "store/connector.rs"]),
    ("hickory_resolver", &["network.rs"]),
    ("tokio", &["source/connections.rs", "source/transfer.rs", "store/", "export/table/log.rs"]),
    ("object_store::path", &["store/", "export/"]),
    ("object_store::ObjectMeta", &["store/", "export/parquet/", "export/table/"]),
    ("object_store", &["store/", "export/parquet/"]),
    ("parquet", &["export/parquet/"]),
    ("delta_kernel", &["export/table/"]),
    ("delta_kernel_default_engine", &["export/table/"]),
    ("indicatif", &["cli/"]),
    ("signal_hook", &["cli/"]),
    ("clap", &["cli/", "singer/mod.rs", "export/mode.rs"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("secrecy", &["secret.rs"]),
    ("expose_secret", &["secret.rs"]),
];

/// Modules that do no input or output and know no clock, and what they do without.
const PURE: &[&str] = &["model", "streams", "plan", "state"];
const IMPURE_STD: &[&str] =
    &["std::fs", "std::io", "std::net", "std::env", "std::process", "std::thread", "std::os"];
const IMPURE_WORDS: &[&str] =
    &["Utc::now", "Local::now", "Instant", "SystemTime", "tokio", "fastrand", "tempfile"];

const MAX_LINES: usize = 400;

/// A rule, which gives what breaks it.
type Rule = fn(&Source) -> Vec<String>;

/// What a file breaks a rule by: `plan.rs:3: plan imports sink`.
fn broken_by(source: &Source, is_wrong: impl Fn(&Name) -> Option<String>) -> Vec<String> {
    let wrong = source.names.all().filter_map(|name| Some((name.line, is_wrong(name)?)));
    let wrong: BTreeSet<(usize, String)> = wrong.collect();
    wrong.into_iter().map(|(line, what)| format!("{}:{line}: {what}", source.path)).collect()
}

fn leftwards(source: &Source) -> Vec<String> {
    let place = |module: &str| ORDER.iter().position(|group| group.contains(&module));
    let from = source.room();
    if from.is_empty() {
        return Vec::new();
    }
    let Some(own) = place(from) else {
        return vec![format!("{}: the module {from} has no place in the order", source.path)];
    };
    broken_by(source, |name| {
        let path = source.resolve(name)?;
        let module = path.first().filter(|module| *module != from)?;
        let is_left = place(module).is_some_and(|other| other < own);
        let is_known = from != "simulator" || SIMULATOR_KNOWS.contains(&module.as_str());
        (!is_left || !is_known).then(|| format!("{from} imports {module}"))
    })
}

fn libraries_stay_in_their_places(source: &Source) -> Vec<String> {
    broken_by(source, |name| {
        let (library, places) = PLACES.iter().find(|(library, _)| name.begins_with(library))?;
        let is_there = places.iter().any(|place| source.path.starts_with(place));
        (!is_there).then(|| library.to_string())
    })
}

fn the_environment_is_read_in_cli(source: &Source) -> Vec<String> {
    // The arguments are the environment's too, and come in through `main`.
    if ["cli", "main"].contains(&source.room()) {
        return Vec::new();
    }
    broken_by(source, |name| name.begins_with("std::env").then(|| "std::env".to_owned()))
}

fn only_the_source_proves(source: &Source) -> Vec<String> {
    if source.room() == "source" {
        return Vec::new();
    }
    broken_by(source, |name| name.contains("proven").then(|| "Checkpoint::proven".to_owned()))
}

fn what_is_pure_stays_pure(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    broken_by(source, |name| {
        let of_std = IMPURE_STD.iter().find(|library| name.begins_with(library));
        let impure = of_std.or_else(|| IMPURE_WORDS.iter().find(|word| name.contains(word)));
        impure.map(|impure| (*impure).to_owned())
    })
}

fn a_file_is_one_idea(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let broken = (lines > MAX_LINES).then(|| format!("{}: {lines} lines", source.path));
    broken.into_iter().collect()
}

/// Asserts that no file of the product breaks a rule, tests left aside.
#[track_caller]
fn assert_kept(rule: Rule) {
    let sources = sources();
    let product = sources.iter().filter(|source| !source.is_for_tests());
    let broken: Vec<String> = product.flat_map(rule).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Asserts which of some made-up files break a rule, by the line that breaks it.
#[track_caller]
fn assert_noticed(rule: Rule, files: &[(&str, &str, &[usize])]) {
    for (path, text, expected) in files {
        let broken = rule(&Source::new(path, text));
        let lines: Vec<usize> =
            broken.iter().map(|place| place.split(':').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!(lines, *expected, "{path}\n{text}\n{broken:?}");
    }
}

#[test]
fn modules_import_leftwards_only() {
    assert_kept(leftwards);
}

#[test]
fn an_import_to_the_right_is_noticed_however_it_is_written() {
    assert_noticed(
        leftwards,
        &[
            ("plan.rs", "use crate::config::Config;\nuse crate::sink::Sink;\n", &[2]),
            ("plan.rs", "use crate::{config::{self, settings}, sync};", &[1]),
            ("plan.rs", "use super::sink;", &[1]),
            ("model/time.rs", "use super::stream;\n\nuse super::super::state;", &[3]),
            ("model/mod.rs", "fn run() {\n    crate::cli::main()\n}", &[2]),
            (
                "plan.rs",
                "// use crate::sink;\n/* crate::sink::X */\nconst A: &str = \"crate::sink\";",
                &[],
            ),
            (
                "plan.rs",
                "#[cfg(test)]\nmod tests {\n    use crate::sink;\n}\nuse crate::sink;",
                &[5],
            ),
            (
                "plan.rs",
                "impl A {\n#[cfg(test)] fn a() { crate::cli::a() }\nfn b() { crate::sync::b() } }",
                &[3],
            ),
            ("plan.rs", "fn a() {\n    format!(\"{}\", [crate::sink::A])\n}", &[2]),
            ("plan.rs", "mod inner {\n    use super::super::sink;\n    use super::State;\n}", &[2]),
            (
                "plan.rs",
                "fn quote<'a>(c: char) -> bool { c == '\"' || c == '\\'' }\nuse crate::sink;",
                &[2],
            ),
            ("plan.rs", "const A: &str = r#\"a\"crate::sink\"#;\nuse crate::sink;", &[2]),
            ("config/mod.rs", "use crate::state::State;", &[1]),
            ("sink.rs", "use crate::plan::Plan;\nuse crate::source::Source;", &[2]),
            ("source/mod.rs", "use crate::sink::Sink;\nuse crate::airbyte;", &[1, 2]),
            ("singer/mod.rs", "use crate::plan::Plan;\nuse crate::airbyte::state;", &[2]),
            ("simulator/mod.rs", "use crate::error::Error;\nuse crate::model::Stream;", &[2]),
            ("cli/mod.rs", "use crate::simulator;\nuse crate::sync;", &[]),
        ],
    );
    let unknown = leftwards(&Source::new("helpers.rs", "use crate::error::Error;"));
    assert_eq!(unknown, ["helpers.rs: the module helpers has no place in the order"]);
}

#[test]
fn libraries_are_named_in_their_places_alone() {
    assert_kept(libraries_stay_in_their_places);
}

#[test]
fn a_library_in_another_place_is_noticed() {
    assert_noticed(
        libraries_stay_in_their_places,
        &[
            ("source/transfer.rs", "use reqwest::Client;\nuse tokio::time;", &[]),
            ("source/mod.rs", "//! Not reqwest.\nuse reqwest::Client;", &[2]),
            ("source/mod.rs", "fn a() { tokio::spawn(async {}) }", &[1]),
            ("config/mod.rs", "use clap::Args;", &[1]),
            ("config/mod.rs", "#[derive(clap::Args)]\nstruct A;", &[1]),
            ("export/file.rs", "use object_store::path::Path;\nuse object_store::aws;", &[2]),
            ("cli/mod.rs", "use clap::Args;", &[]),
            (
                "source/client.rs",
                "use secrecy::ExposeSecret;\nfn a() { b().expose_secret() }",
                &[1, 2],
            ),
        ],
    );
}

#[test]
fn the_environment_is_read_in_cli_alone() {
    assert_kept(the_environment_is_read_in_cli);
    assert_noticed(
        the_environment_is_read_in_cli,
        &[
            ("config/mod.rs", "fn a() { std::env::var(\"A\") }", &[1]),
            ("config/mod.rs", "use std::fmt;\nuse std::{env, fs};", &[2]),
            ("config/mod.rs", "const A: &str = env!(\"CARGO_PKG_VERSION\");", &[]),
            ("cli/demo.rs", "fn a() { std::env::current_exe() }", &[]),
        ],
    );
}

#[test]
fn a_checkpoint_is_proven_by_the_source_alone() {
    assert_kept(only_the_source_proves);
    assert_noticed(
        only_the_source_proves,
        &[
            ("source/mod.rs", "fn a() { Checkpoint::proven(1) }", &[]),
            (
                "state.rs",
                "impl C { fn proven(rows: u64) -> Self {}\nfn b() { Self::proven(1) } }",
                &[2],
            ),
            (
                "sink/mod.rs",
                "fn a() { writer.commit(\n    Checkpoint::proven(stream, state, 1),\n) }",
                &[2],
            ),
        ],
    );
}

#[test]
fn what_knows_no_clock_and_no_file_keeps_to_that() {
    assert_kept(what_is_pure_stays_pure);
    assert_noticed(
        what_is_pure_stays_pure,
        &[
            ("model/time.rs", "use std::fmt;\nuse std::time::Duration;", &[]),
            ("model/time.rs", "use std::fs::File;", &[1]),
            ("streams/customers.rs", "use std::{fmt, io::Write};", &[1]),
            ("plan.rs", "fn a() { let now = chrono::Utc::now(); }", &[1]),
            ("state.rs", "fn a() { let now =\n    std::time::Instant::now(); }", &[2]),
            ("state.rs", "fn a() { std::net::TcpStream::connect(a) }", &[1]),
            ("source/mod.rs", "use std::fs::File;\nfn a() { Utc::now(); }", &[]),
        ],
    );
}

#[test]
fn no_source_file_is_longer_than_one_idea() {
    let broken: Vec<String> = sources().iter().flat_map(a_file_is_one_idea).collect();
    assert!(broken.is_empty(), "more than {MAX_LINES} lines: {broken:?}");
    let long = Source::new("long.rs", &"\n".repeat(MAX_LINES + 1));
    assert_eq!(a_file_is_one_idea(&long), ["long.rs: 401 lines"]);
}

/// A circle that is still to be opened.
const KNOWN_CIRCLE: [&str; 2] = ["export/table/actions.rs", "export/table/log.rs"];

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources: Vec<Source> = sources().into_iter().filter(|s| !s.is_for_tests()).collect();
    let uses = uses(&sources);
    assert!(uses["sync.rs"].contains("plan.rs"), "{uses:#?}");
    let mut circles = circles(&uses);
    circles.retain(|(file, other)| ![file, other].iter().all(|file| KNOWN_CIRCLE.contains(file)));
    assert!(circles.is_empty(), "{circles:#?}");
}

/// Asserts which uses of some made-up files are part of a circle.
#[track_caller]
fn assert_circles(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    assert_eq!(circles(&uses(&sources)), expected, "{files:#?}");
}

#[test]
fn a_circle_of_files_is_noticed_however_it_is_written() {
    let circle = [("a/b.rs", "a/c.rs"), ("a/c.rs", "a/b.rs")];
    assert_circles(
        &[
            ("a/mod.rs", "mod b; mod c;"),
            ("a/b.rs", "use super::c::C;"),
            ("a/c.rs", "use super::b;"),
        ],
        &circle,
    );
    assert_circles(
        &[
            ("a/mod.rs", "mod b; mod c; pub(crate) use c::C; pub(crate) use b::{B as Renamed};"),
            ("a/b.rs", "fn b() -> super::C { todo!() }"),
            ("a/c.rs", "fn c() { assert!(crate::a::Renamed::holds()) }"),
        ],
        &circle,
    );
    assert_circles(
        &[("a.rs", "use crate::b;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use super::a;")],
        &[("a.rs", "b.rs"), ("b.rs", "c.rs"), ("c.rs", "a.rs")],
    );
}

#[test]
fn files_that_use_what_their_module_declares_make_no_circle() {
    assert_circles(
        &[
            ("a/mod.rs", "mod b; mod c; pub(crate) use b::B; struct A; fn a() { c::run() }"),
            ("a/b.rs", "use super::A;"),
            ("a/c.rs", "use super::{A, B}; #[cfg(test)] use crate::d::D;"),
            ("d.rs", "use crate::a::A;"),
        ],
        &[],
    );
}
