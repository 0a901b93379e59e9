//! What the executable is made of: no second version of what must be there once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two of them cannot hand each other data, or double what is trusted.
const ONCE: [&str; 12] = [
    "arrow-array",
    "arrow-buffer",
    "arrow-ipc",
    "arrow-schema",
    "aws-lc-rs",
    "delta_kernel",
    "hickory-resolver",
    "hyper",
    "object_store",
    "parquet",
    "reqwest",
    "rustls",
];

/// Never: one library for TLS is enough, and a static executable takes no OpenSSL.
const NEVER: [&str; 3] = ["native-tls", "openssl-sys", "deltalake"];

/// The versions of each package of a lock file.
fn versions(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.map(|rest| rest.trim_start_matches(" = ").trim_matches('"')).unwrap_or_default()
        };
        versions.entry(value("name")).or_default().push(value("version"));
    }
    versions
}

#[test]
fn what_must_be_there_once_is_there_once() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap();
    let versions = versions(&lock);
    for name in ONCE {
        assert_eq!(versions.get(name).map(Vec::len), Some(1), "{name}: {:?}", versions.get(name));
    }
    for name in NEVER {
        assert_eq!(versions.get(name), None, "{name}");
    }
}

/// What the fuzzer needs, and nothing else.
const OF_FUZZING: [&str; 3] = ["arbitrary", "kometsales-fuzz", "libfuzzer-sys"];

#[test]
fn what_is_fuzzed_is_made_of_the_versions_that_are_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [shipped, fuzzed] =
        ["Cargo.lock", "fuzz/Cargo.lock"].map(|lock| fs::read_to_string(root.join(lock)).unwrap());
    let (shipped, fuzzed) = (versions(&shipped), versions(&fuzzed));
    assert!(fuzzed.contains_key("object_store"), "{fuzzed:?}");
    for (name, own) in &fuzzed {
        let is_shipped = own
            .iter()
            .all(|version| shipped.get(name).is_some_and(|versions| versions.contains(version)));
        assert!(
            is_shipped || OF_FUZZING.contains(name),
            "{name} {own:?}: run `cp Cargo.lock fuzz/ && cd fuzz && cargo fetch`"
        );
    }
}

#[test]
fn a_second_version_is_noticed() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\n\n[[package]]\nname = \"a\"\nversion = \"2\"\n";
    assert_eq!(versions(lock)["a"], ["1", "2"]);
}

/// Where the project lives, in Cargo.toml; until somebody names it, a placeholder.
/// Packages that have more features in the tests than in the program, none of which changes what the program does.
const MORE_IN_TESTS: [&str; 9] = [
    "ahash",
    "data-encoding",
    "hashbrown",
    "proc-macro2",
    "regex",
    "regex-automata",
    "regex-syntax",
    "rustix",
    "serde",
];

/// The features of each package that is reached over these edges.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--prefix=none",
            "--format={p}|{f}",
            "--edges",
            edges,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines() {
        let Some((package, own)) = line.trim_end_matches(" (*)").split_once('|') else { continue };
        let own = own.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned);
        features.entry(package.to_owned()).or_default().extend(own);
    }
    features
}

/// A library for tests can turn on a feature of one that the program has, too: then no test sees what is shipped.
#[test]
fn what_is_tested_has_the_features_that_are_shipped() {
    let (shipped, tested) = (features("normal"), features("normal,dev"));
    assert!(shipped.len() > 100 && tested.len() > shipped.len(), "{}", shipped.len());
    let differing: BTreeSet<&str> = shipped
        .iter()
        .filter(|(package, own)| tested.get(*package).is_some_and(|more| !more.is_subset(own)))
        .filter_map(|(package, _)| package.split(' ').next())
        .collect();
    assert_eq!(differing, BTreeSet::from(MORE_IN_TESTS));
}

#[test]
fn the_address_of_the_repository_is_the_same_wherever_it_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let address = env!("CARGO_PKG_REPOSITORY");
    assert!(address.starts_with("https://") && address.ends_with("/kometsales"), "{address}");
    let mut files = Vec::new();
    texts(root, &mut files);
    assert!(files.len() > 100, "{files:?}");
    let mut count = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().filter(|line| is_an_address(line)) {
            assert!(line.contains(address), "{}: {line}", file.display());
            count += 1;
        }
    }
    // The manifest has it twice, the wheel's metadata too.
    assert!(count >= 4, "{count}");
    let wheel = fs::read_to_string(root.join("pyproject.toml")).unwrap();
    assert!(wheel.contains(&format!("Repository = \"{address}\"")));
}

/// Whether a line says where a repository of this name is, or has the placeholder of its owner.
fn is_an_address(line: &str) -> bool {
    let hosts = ["github.com/", "githubusercontent.com/", "gitlab.com/", "codeberg.org/"];
    let on_a_host = |host: &&str| {
        line.split(*host).skip(1).any(|rest| {
            let mut parts = rest.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)));
            parts.nth(1) == Some("kometsales")
        })
    };
    hosts.iter().any(on_a_host) || line.contains(concat!("OWNER", "/"))
}

/// The files that people write: no locks, nothing that is built, hidden or below a folder of tools.
fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    let skipped = ["target", ".git", ".venvs", "Cargo.lock", "__pycache__", "corpus", "artifacts"];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if skipped.contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() { texts(&path, found) } else { found.push(path) }
    }
}

#[test]
fn another_address_is_noticed() {
    for host in ["git+https://github.com", "https://raw.githubusercontent.com"] {
        assert!(is_an_address(&format!("uvx --from {host}/someone/kometsales@main kometsales")));
    }
    assert!(is_an_address(concat!("gh api repos/OWNER", "/anything")));
    assert!(!is_an_address("https://github.com/apache/arrow, and kometsales reads it"));
}
