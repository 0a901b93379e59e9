//! Who may import whom, and what stays in which file: the rules that the documentation of the library
//! states. Each is also shown to notice what breaks it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rust::{code, imports, lines_with, names_under};

/// The modules at the root of the crate, each group only of the groups to its left.
const ORDER: &[&[&str]] = &[
    &["error"],
    &["secret", "log", "interrupt"],
    &["simulator", "model"],
    &["streams"],
    &["config", "state"],
    &["plan", "receipt"],
    &["source", "sink", "store", "output", "input"],
    &["sync"],
    &["airbyte", "singer", "export"],
    &["cli"],
    &["main", "source_main"],
];

/// What the simulator, which stands for somebody else's server, may know of the product.
const SIMULATOR_KNOWS: &[&str] = &["error"];

/// Libraries, and the only places that may name them.
const PLACES: &[(&str, &[&str])] = &[
    ("reqwest", &["source/client.rs"]),
    ("tokio", &["source/client.rs", "store/", "export/table/log.rs"]),
    ("object_store", &["store/", "export/"]),
    ("parquet", &["export/"]),
    ("delta_kernel", &["export/table/"]),
    ("delta_kernel_default_engine", &["export/table/"]),
    ("indicatif", &["cli/"]),
    ("signal_hook", &["cli/"]),
    ("clap", &["cli/", "singer/mod.rs"]),
    ("clap_complete", &["cli/"]),
    ("secrecy", &["secret.rs"]),
    ("expose_secret", &["secret.rs"]),
];

/// Modules that do no input or output and know no clock, and what they do without.
const PURE: &[&str] = &["model", "streams", "plan", "state"];
const IMPURE_STD: &[&str] = &["fs", "io", "net", "env", "process", "thread", "os"];
const IMPURE_WORDS: &[&str] =
    &["Utc::now", "Local::now", "Instant", "SystemTime", "tokio", "fastrand", "tempfile"];

const MOST_LINES: usize = 400;

/// One file of `src`.
struct Source {
    /// Below `src`: `cli/mod.rs`.
    path: String,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: code(text) }
    }

    /// The module at the root of the crate that it belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules below the root it is.
    fn depth(&self) -> usize {
        let segments = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { segments - 1 } else { segments }
    }

    fn is_for_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// A rule, which gives what breaks it.
type Rule = fn(&Source) -> Vec<String>;

fn leftwards(source: &Source) -> Vec<String> {
    let place = |module: &str| ORDER.iter().position(|group| group.contains(&module));
    let from = source.module();
    if from == "lib" {
        return Vec::new();
    }
    let Some(own) = place(from) else {
        return vec![format!("{}: the module {from} has no place in the order", source.path)];
    };
    let is_wrong = |module: &str| {
        let is_left = place(module).is_some_and(|other| other < own);
        let is_known = from != "simulator" || SIMULATOR_KNOWS.contains(&module);
        module != from && (!is_left || !is_known)
    };
    let imports = imports(&source.code, source.depth());
    let wrong = imports.into_iter().filter(|(_, module)| is_wrong(module));
    wrong.map(|(line, module)| format!("{}:{line}: {from} imports {module}", source.path)).collect()
}

fn libraries_stay_in_their_places(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    for (word, places) in PLACES {
        if !places.iter().any(|place| source.path.starts_with(place)) {
            let lines = lines_with(&source.code, word);
            broken.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
        }
    }
    broken
}

fn the_environment_is_read_in_cli(source: &Source) -> Vec<String> {
    // The arguments are the environment's too, and come in through `main`.
    if ["cli", "main", "source_main"].contains(&source.module()) {
        return Vec::new();
    }
    let names = names_under(&source.code, "std::");
    let wrong = names.into_iter().filter(|(_, name)| name == "env");
    wrong.map(|(line, _)| format!("{}:{line}: std::env", source.path)).collect()
}

fn only_the_source_proves(source: &Source) -> Vec<String> {
    if source.module() == "source" {
        return Vec::new();
    }
    let lines: Vec<&str> = source.code.lines().collect();
    let calls = lines_with(&source.code, "proven");
    let calls = calls.iter().filter(|line| !lines[**line - 1].contains("fn proven("));
    calls.map(|line| format!("{}:{line}: Checkpoint::proven", source.path)).collect()
}

fn what_is_pure_stays_pure(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.module()) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (line, name) in names_under(&source.code, "std::") {
        if IMPURE_STD.contains(&name.as_str()) {
            broken.push(format!("{}:{line}: std::{name}", source.path));
        }
    }
    for word in IMPURE_WORDS {
        let lines = lines_with(&source.code, word);
        broken.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
    }
    broken
}

fn a_file_is_one_idea(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let broken = (lines > MOST_LINES).then(|| format!("{}: {lines} lines", source.path));
    broken.into_iter().collect()
}

/// Every file below `src`.
fn sources() -> Vec<Source> {
    fn walk(folder: &Path, below: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, below, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(below).unwrap().to_str().unwrap();
                found.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 30, "src was not found");
    found
}

/// Asserts that no file of the product breaks a rule, tests left aside.
#[track_caller]
fn assert_kept(rule: Rule) {
    let sources = sources();
    let broken: Vec<String> =
        sources.iter().filter(|source| !source.is_for_tests()).flat_map(rule).collect();
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
            ("source/client.rs", "use reqwest::Client;\nuse tokio::time;", &[]),
            ("source/mod.rs", "//! Not reqwest.\nuse reqwest::Client;", &[2]),
            ("source/mod.rs", "fn a() { tokio::spawn(async {}) }", &[1]),
            ("config/mod.rs", "use clap::Args;", &[1]),
            ("cli/mod.rs", "use clap::Args;", &[]),
            ("source/client.rs", "use secrecy::ExposeSecret;\ntoken.expose_secret();", &[1, 2]),
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
            ("source/mod.rs", "Checkpoint::proven(stream, state, 1)", &[]),
            ("state.rs", "pub(crate) fn proven(rows: u64) -> Self {}\nSelf::proven(1)", &[2]),
            ("sink/mod.rs", "writer.commit(\n    Checkpoint::proven(stream, state, 1),\n)", &[2]),
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
            ("plan.rs", "let now = Utc::now();", &[1]),
            ("state.rs", "let now =\n    std::time::Instant::now();", &[2]),
            ("state.rs", "std::net::TcpStream::connect(a)", &[1]),
            ("source/mod.rs", "use std::fs::File;\nlet now = Utc::now();", &[]),
        ],
    );
}

#[test]
fn no_source_file_is_longer_than_one_idea() {
    let broken: Vec<String> = sources().iter().flat_map(a_file_is_one_idea).collect();
    assert!(broken.is_empty(), "more than {MOST_LINES} lines: {broken:?}");
    let long = Source::new("long.rs", &"\n".repeat(MOST_LINES + 1));
    assert_eq!(a_file_is_one_idea(&long), ["long.rs: 401 lines"]);
}

/// What only one machine has: folders of its users, and where it gets packages from.
fn names_a_machine(line: &str) -> bool {
    let folders = [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/ho", "me")];
    let packages = [
        concat!("index", "-url"),
        concat!("index", "_url"),
        concat!("python", "hosted.org"),
        concat!("index.", "crates.io"),
        concat!("registry.", "npmjs.org"),
    ];
    let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let stands = |folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + folder.len()..].chars().next();
            !before.is_some_and(|c| is_name(c) || c == '/') && !after.is_some_and(is_name)
        })
    };
    folders.iter().any(|folder| stands(folder)) || packages.iter().any(|part| line.contains(part))
}

#[test]
fn no_text_of_the_repository_names_a_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("the files of the repository are listed by git");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<PathBuf> = listed.split_terminator('\0').map(|name| root.join(name)).collect();
    assert!(files.len() > 50, "{files:?}");
    let mut broken = Vec::new();
    for file in files {
        // A file that was removed is still listed, and one that is no text has no lines.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let lines = (1..).zip(text.lines()).filter(|(_, line)| names_a_machine(line));
        broken.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", file.display())));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_machine_is_noticed() {
    for line in [
        concat!("cd /wo", "rk/main"),
        concat!("HOME=/ro", "ot"),
        concat!("see `/ho", "me/me`"),
        concat!("--index", "-url https://example.com"),
    ] {
        assert!(names_a_machine(line), "{line}");
    }
    for line in [".github/workflows", "https://example.com/home", "a/root/b", "work", "/tmp"] {
        assert!(!names_a_machine(line), "{line}");
    }
}
