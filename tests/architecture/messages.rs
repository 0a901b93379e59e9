//! Every message of the product, read out of its code, so that the language is reviewed where it can be seen.

use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, Lit, Macro};

use crate::source::sources;

/// Words of a dialect: each has a plain word in CONTRIBUTING's style.
const AVOIDED: [&str; 14] = [
    " told",
    "tells of",
    " stands",
    " stand ",
    "mend",
    "so many",
    "So many",
    "there is not",
    "anew",
    "pass over",
    "passed over",
    "somebody",
    "whoever",
    "of so ",
];

/// Sentences of a message at the most: what happened and where, what to do next, and one more where a rule needs it.
const MAX_SENTENCES: usize = 3;

/// Characters of an error at the most, before names are put into it: two lines of a terminal of 80 columns.
const MAX_ERROR_CHARACTERS: usize = 160;

/// Constructors of errors and methods of the log, and what they make.
const KINDS: [&str; 9] =
    ["config", "auth", "transient", "data", "system", "warn", "info", "debug", "critical"];

/// Messages in the order of their file.
#[derive(Default)]
struct Messages {
    kind: Option<String>,
    found: Vec<(String, String)>,
}

impl Messages {
    fn within(&mut self, kind: String, visit: impl FnOnce(&mut Self)) {
        let outer = self.kind.replace(kind);
        visit(self);
        self.kind = outer;
    }

    fn take(&mut self, text: String) {
        // What has no blank is a name or a part of a sentence.
        if let Some(kind) = self.kind.as_ref().filter(|_| text.contains(' ')) {
            self.found.push((kind.clone(), text));
        }
    }
}

impl<'ast> Visit<'ast> for Messages {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        let Expr::Path(path) = &*call.func else { return visit::visit_expr_call(self, call) };
        let names: Vec<String> =
            path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        match names.as_slice() {
            [error, kind]
                if error == "Error" && (KINDS.contains(&kind.as_str()) || kind == "new") =>
            {
                self.within(kind.clone(), |messages| visit::visit_expr_call(messages, call));
            }
            _ => visit::visit_expr_call(self, call),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = call.method.to_string();
        if KINDS.contains(&method.as_str()) {
            self.within(method, |messages| visit::visit_expr_method_call(messages, call));
        } else if method == "push" {
            // Warnings are gathered before they are shown.
            self.within("warning".to_owned(), |messages| {
                visit::visit_expr_method_call(messages, call)
            });
        } else {
            visit::visit_expr_method_call(self, call);
        }
    }

    fn visit_expr_lit(&mut self, literal: &'ast syn::ExprLit) {
        if let Lit::Str(text) = &literal.lit {
            self.take(text.value());
        }
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        let arguments = invocation
            .parse_body_with(syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated);
        for argument in arguments.into_iter().flatten() {
            // The arguments live no longer than this call, so their literals are looked at one by one.
            if let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = argument {
                self.take(text.value());
            }
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
}

/// Each message with its file and kind.
fn messages() -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for source in sources().iter().filter(|source| !source.is_for_tests()) {
        let mut messages = Messages::default();
        messages.visit_file(&syn::parse_file(&source.text).unwrap());
        let found = messages.found.into_iter();
        all.extend(found.map(|(kind, text)| (source.path.clone(), kind, text)));
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn every_message_is_reviewed_in_one_place() {
    let mut text = String::new();
    let mut file = String::new();
    for (path, kind, message) in messages() {
        if path != file {
            text.push_str(&format!("\n# {path}\n"));
            file = path;
        }
        text.push_str(&format!("{kind}: {message}\n"));
    }
    assert!(text.lines().count() > 150, "{text}");
    insta::assert_snapshot!(text.trim_start());
}

#[test]
fn messages_are_plain_and_short() {
    let wrong: Vec<String> = messages()
        .into_iter()
        .filter(|(_, kind, text)| {
            let sentences = text.matches(". ").count() + 1;
            let is_sentence = kind != "warning" && kind != "new";
            let is_error = KINDS[..5].contains(&kind.as_str());
            AVOIDED.iter().any(|word| text.contains(word))
                || (is_error && text.chars().count() > MAX_ERROR_CHARACTERS)
                || (is_sentence && sentences > MAX_SENTENCES)
        })
        .map(|(path, kind, text)| format!("{path}: {kind}: {text}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
