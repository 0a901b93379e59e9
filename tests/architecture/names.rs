//! The names that a source file uses, by Rust's own grammar.

use std::mem;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility};

/// A path as it is written: `crate::plan::Plan`, `std::env`; a method that is called is a path of one.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    /// From 1 on.
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
    /// The modules inside the file that it is in.
    pub(crate) within: Vec<String>,
}

impl Name {
    /// Whether it is this or below it: `std::env::var` of `std::env`.
    pub(crate) fn begins_with(&self, path: &str) -> bool {
        path.split("::")
            .enumerate()
            .all(|(at, segment)| self.path.get(at).is_some_and(|own| own == segment))
    }

    /// Whether these segments are a part of it: `Utc::now` of `chrono::Utc::now`.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.path.windows(wanted.len()).any(|window| window == wanted)
    }
}

/// What a file uses and declares, tests left aside.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What it uses, but for what it only passes on.
    pub(crate) used: Vec<Name>,
    /// What it passes on by `pub use`, and under which name.
    pub(crate) passed_on: Vec<(String, Name)>,
    /// The modules that it declares as files of their own.
    pub(crate) children: Vec<String>,
}

impl Names {
    /// What it uses and what it passes on.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Name> {
        self.used.iter().chain(self.passed_on.iter().map(|(_, name)| name))
    }

    /// Those of a whole file.
    pub(crate) fn of(text: &str) -> Self {
        let mut reader = Reader::default();
        reader.visit_file(&syn::parse_file(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
        reader.names
    }
}

/// Walks through a file.
#[derive(Default)]
struct Reader {
    names: Names,
    /// The modules inside the file that lead to where it is.
    within: Vec<String>,
    /// Whether an attribute said that the item it is in is for tests alone.
    is_for_tests: bool,
}

impl Reader {
    fn name(&self, path: &[&Ident]) -> Option<Name> {
        let line = path.last()?.span().start().line;
        let path = path.iter().map(ToString::to_string).collect();
        Some(Name { line, path, within: self.within.clone() })
    }

    fn uses(&mut self, path: &[&Ident]) {
        self.names.used.extend(self.name(path));
    }

    /// Visits an item, and forgets what it names where it is for tests alone.
    fn visit_whole(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = mem::take(&mut self.names);
        let outside = mem::take(&mut self.is_for_tests);
        visit(self);
        let inside = mem::replace(&mut self.names, before);
        if !mem::replace(&mut self.is_for_tests, outside) {
            self.names.used.extend(inside.used);
            self.names.passed_on.extend(inside.passed_on);
            self.names.children.extend(inside.children);
        }
    }

    /// The leaves of `use a::{b, c as d}`.
    fn leaves<'a>(&mut self, tree: &'a UseTree, path: &mut Vec<&'a Ident>, is_passed_on: bool) {
        let (last, known_as) = match tree {
            UseTree::Path(inner) => {
                path.push(&inner.ident);
                self.leaves(&inner.tree, path, is_passed_on);
                path.pop();
                return;
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.leaves(item, path, is_passed_on));
                return;
            }
            UseTree::Name(leaf) => (Some(&leaf.ident), Some(&leaf.ident)),
            UseTree::Rename(leaf) => (Some(&leaf.ident), Some(&leaf.rename)),
            _ => (None, None),
        };
        path.extend(last);
        match (is_passed_on, known_as) {
            (true, Some(known_as)) => {
                let name = self.name(path).expect("a leaf has a name");
                self.names.passed_on.push((known_as.to_string(), name));
            }
            _ => self.uses(path),
        }
        path.truncate(path.len() - usize::from(last.is_some()));
    }

    /// Paths in what a macro or an attribute is given, which has no grammar of its own.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<Ident> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.uses(&path.iter().collect::<Vec<_>>());
                        path.clear();
                    }
                    path.push(ident);
                    colons = 0;
                }
                other => {
                    self.uses(&path.iter().collect::<Vec<_>>());
                    path.clear();
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.uses(&path.iter().collect::<Vec<_>>());
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.visit_whole(|reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        self.visit_whole(|reader| visit::visit_impl_item(reader, item));
    }

    fn visit_stmt(&mut self, statement: &'ast syn::Stmt) {
        self.visit_whole(|reader| visit::visit_stmt(reader, statement));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.visit_whole(|reader| visit::visit_field(reader, field));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let Meta::List(list) = &attribute.meta else {
            return visit::visit_attribute(self, attribute);
        };
        if list.path.is_ident("cfg") && list.tokens.to_string() == "test" {
            self.is_for_tests = true;
        }
        self.visit_path(&list.path);
        self.tokens(list.tokens.clone());
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        module.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        let Some((_, items)) = &module.content else {
            return self.names.children.push(module.ident.to_string());
        };
        self.within.push(module.ident.to_string());
        items.iter().for_each(|item| self.visit_item(item));
        self.within.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        let is_passed_on = !matches!(item.vis, Visibility::Inherited);
        self.leaves(&item.tree, &mut Vec::new(), is_passed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<&Ident> = path.segments.iter().map(|segment| &segment.ident).collect();
        self.uses(&segments);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.uses(&[&call.method]);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        self.visit_path(&invocation.path);
        self.tokens(invocation.tokens.clone());
    }
}
