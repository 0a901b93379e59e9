//! What the executable is made of: no second version of what must be there once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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

#[test]
fn a_second_version_is_noticed() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\n\n[[package]]\nname = \"a\"\nversion = \"2\"\n";
    assert_eq!(versions(lock)["a"], ["1", "2"]);
}

/// Where the project lives, in Cargo.toml alone; until somebody names it, a placeholder.
#[test]
fn the_address_of_the_repository_is_the_same_wherever_it_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let address = env!("CARGO_PKG_REPOSITORY");
    assert!(address.ends_with("/kometsales"), "{address}");
    let marks = ["github.com/", "example.invalid/"];
    for name in ["pyproject.toml", "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        for line in read(name).lines().filter(|line| marks.iter().any(|mark| line.contains(mark))) {
            assert!(line.contains(address), "{name}: {line}");
        }
    }
    assert!(read("pyproject.toml").contains(&format!("Repository = \"{address}\"")));
}
