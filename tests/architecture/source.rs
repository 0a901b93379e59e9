//! The files of the product, the modules that they are, and which of them uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::names::{Name, Names};

/// One file of `src`.
pub(crate) struct Source {
    /// Below `src`: `cli/mod.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) names: Names,
    /// The module that it is: `["cli"]`.
    module: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let name = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let module = if name == "lib" { Vec::new() } else { owned(name.split('/')) };
        Self { path: path.to_owned(), text: text.to_owned(), names: Names::of(text), module }
    }

    /// The module at the root of the crate that it belongs to; nothing for the root itself.
    pub(crate) fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    pub(crate) fn is_for_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Where in the crate a name leads; `None` where it leads out of the crate, or stays in its own module.
    pub(crate) fn resolve(&self, name: &Name) -> Option<Vec<String>> {
        let mut module = [&self.module[..], &name.within].concat();
        let mut rest = &name.path[..];
        match rest.first()?.as_str() {
            "crate" => (module, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {}
            first if name.within.is_empty() && self.names.children.iter().any(|c| c == first) => {}
            _ => return None,
        }
        while let Some((_, deeper)) = rest.split_first().filter(|(first, _)| *first == "super") {
            module.pop();
            rest = deeper;
        }
        Some([module, rest.to_vec()].concat())
    }
}

fn owned<'a>(segments: impl Iterator<Item = &'a str>) -> Vec<String> {
    segments.map(str::to_owned).collect()
}

/// Every file below `src` but those of tests.
pub(crate) fn sources() -> Vec<Source> {
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

/// Which file uses which. A name that a file only passes on (`pub use`) is a use of the file that declares
/// it, by whoever takes it from there. What a module declares is for the files inside it, so that their uses
/// of `super` are left out.
pub(crate) fn uses(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let by_module: BTreeMap<&[String], &Source> =
        sources.iter().map(|source| (&source.module[..], source)).collect();
    let uses = sources.iter().map(|source| {
        let used = source.names.used.iter().filter_map(|name| {
            let file = declared_in(&by_module, source.resolve(name)?)?;
            (!source.module.starts_with(&file.module)).then_some(&file.path[..])
        });
        (&source.path[..], used.collect())
    });
    uses.collect()
}

/// The file that declares what a path of the crate names.
fn declared_in<'a>(
    by_module: &BTreeMap<&[String], &'a Source>,
    mut path: Vec<String>,
) -> Option<&'a Source> {
    // Names are passed on through a few files, not in a circle: the compiler would refuse that.
    for _ in 0..8 {
        let deepest =
            (0..=path.len()).rev().find(|length| by_module.contains_key(&path[..*length]))?;
        let file = by_module[&path[..deepest]];
        let passed_on = &file.names.passed_on;
        let next =
            path.get(deepest).and_then(|item| passed_on.iter().find(|(name, _)| name == item));
        match next.and_then(|(_, name)| file.resolve(name)) {
            Some(target) => path = [target, path[deepest + 1..].to_vec()].concat(),
            None => return Some(file),
        }
    }
    None
}

/// The uses that are part of a circle: by which a file uses, by way of others, itself.
pub(crate) fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<(&'a str, &'a str)> {
    let leads_to = |from: &'a str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(uses.get(file).into_iter().flatten());
            }
        }
        seen.contains(to)
    };
    let all = uses.iter().flat_map(|(file, used)| used.iter().map(|other| (*file, *other)));
    all.filter(|(file, other)| leads_to(other, file)).collect()
}
