//! What only some systems have is behind `cfg`, so that the others can build the program. tests/long builds it for them.

use std::mem;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemUse, Meta, UseTree};

use crate::source::sources;

/// Paths that Windows, or all but Windows, lacks.
const OF_SOME: [&str; 9] = [
    "std::os::fd",
    "std::os::linux",
    "std::os::unix",
    "std::os::windows",
    "rustix",
    "libc",
    "signal_hook::consts::SIGHUP",
    "signal_hook::consts::SIGQUIT",
    "signal_hook::iterator",
];

/// What a `cfg` that chooses a system, or tests, has in it.
const GUARDS: [&str; 4] = ["unix", "windows", "target_os", "test"];

/// Names of such paths that are not behind a `cfg`, each with its line.
#[derive(Default)]
struct Reader {
    is_guarded: bool,
    found: Vec<(usize, String)>,
}

impl Reader {
    /// Visits what is there or is not as a whole.
    fn visit_whole(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = mem::take(&mut self.found);
        let outside = mem::take(&mut self.is_guarded);
        visit(self);
        let inside = mem::replace(&mut self.found, before);
        if !mem::replace(&mut self.is_guarded, outside) {
            self.found.extend(inside);
        }
    }

    fn take(&mut self, line: usize, path: &str) {
        let is_below = |whole: &&str| {
            let rest = path.strip_prefix(*whole);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        if OF_SOME.iter().any(is_below) {
            self.found.push((line, path.to_owned()));
        }
    }

    fn leaves(&mut self, tree: &UseTree, before: &str) {
        match tree {
            UseTree::Path(inner) => {
                self.leaves(&inner.tree, &format!("{before}{}::", inner.ident));
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.leaves(item, before));
            }
            UseTree::Name(leaf) => {
                self.take(leaf.ident.span().start().line, &format!("{before}{}", leaf.ident));
            }
            UseTree::Rename(leaf) => {
                self.take(leaf.ident.span().start().line, &format!("{before}{}", leaf.ident));
            }
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta
            && list.path.is_ident("cfg")
        {
            let chosen = list.tokens.to_string();
            self.is_guarded |= GUARDS.iter().any(|guard| chosen.contains(guard));
        }
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        self.visit_whole(|reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        self.visit_whole(|reader| visit::visit_impl_item(reader, item));
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        self.visit_whole(|reader| visit::visit_stmt(reader, statement));
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.visit_whole(|reader| visit::visit_arm(reader, arm));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.visit_whole(|reader| visit::visit_field(reader, field));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        self.leaves(&item.tree, "");
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.take(line, &names.join("::"));
        visit::visit_path(self, path);
    }
}

fn unguarded(text: &str) -> Vec<(usize, String)> {
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(text).unwrap());
    reader.found
}

#[test]
fn what_only_some_systems_have_is_behind_cfg() {
    let sources = sources();
    let product = sources.iter().filter(|source| !source.is_for_tests());
    let mut guarded = 0;
    let mut wrong = Vec::new();
    for source in product {
        guarded += source.text.matches("std::os::").count() + source.text.matches("rustix").count();
        let found = unguarded(&source.text);
        wrong.extend(found.iter().map(|(line, path)| format!("{}:{line}: {path}", source.path)));
    }
    assert!(guarded > 5, "nothing of this kind was found, guarded or not");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_not_behind_cfg_is_noticed() {
    for (text, lines) in [
        ("use std::os::unix::fs::PermissionsExt;", &[1][..]),
        ("#[cfg(unix)]\nuse std::os::unix::fs::PermissionsExt;\nuse std::os::fd::AsFd;", &[3]),
        ("use signal_hook::consts::{SIGINT, SIGHUP};", &[1]),
        ("use signal_hook::consts::SIGINT;", &[]),
        ("fn a() {\n    rustix::fs::access();\n}", &[2]),
        ("#[cfg(not(windows))]\nfn a() {\n    rustix::fs::access();\n}", &[]),
        ("fn a() {\n    #[cfg(unix)]\n    let b = rustix::b();\n    rustix::c();\n}", &[4]),
        ("fn a() {\n    #[cfg(unix)]\n    {\n        use rustix::b;\n        b();\n    }\n}", &[]),
        ("#[cfg(feature = \"export\")]\nfn a() {\n    rustix::b();\n}", &[3]),
        ("#[cfg(test)]\nmod tests {\n    use std::os::unix::fs::symlink;\n}", &[]),
    ] {
        let found: Vec<usize> = unguarded(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, lines, "{text}");
    }
}
