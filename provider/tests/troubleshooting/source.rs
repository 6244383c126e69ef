//! Reads the texts of errors and warnings from Rust source: what is given to `Diagnostic::error` and its kin, and `#[error("…")]`.
//!
//! An argument is a text itself, or a name that a `let` gives to one, or the `summary` of a closure that is called with one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, ExprMethodCall, Item, ItemMod, Lit, LitStr, Local, Pat};

/// The texts of all files in a folder, with `…` for what is put in.
pub(crate) fn texts(folder: &Path) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            texts.extend(self::texts(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            texts.extend(of_file(&path));
        }
    }
    texts
}

fn of_file(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let file = syn::parse_file(&text).unwrap();
    let mut names = Names::default();
    names.visit_file(&file);
    let mut reader = Reader {
        names: names.0,
        texts: BTreeSet::new(),
        unknown: Vec::new(),
    };
    reader.visit_file(&file);
    assert!(
        reader.unknown.is_empty(),
        "{}: texts that are written neither there nor in a `let`: {:?}",
        path.display(),
        reader.unknown
    );
    reader.texts
}

/// Texts that have a name in the file.
#[derive(Default)]
struct Names(BTreeMap<String, BTreeSet<String>>);

impl<'ast> Visit<'ast> for Names {
    fn visit_local(&mut self, local: &'ast Local) {
        let first = match &local.pat {
            Pat::Tuple(all) => all.elems.first(),
            one => Some(one),
        };
        if let (Some(Pat::Ident(name)), Some(value)) = (first, &local.init) {
            let texts = literals(&value.expr);
            self.0
                .entry(name.ident.to_string())
                .or_default()
                .extend(texts);
        }
        visit::visit_local(self, local);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }
}

struct Reader {
    names: BTreeMap<String, BTreeSet<String>>,
    texts: BTreeSet<String>,
    unknown: Vec<String>,
}

/// The argument of a call that is the text of an error or a warning.
fn text_of(call: &ExprCall) -> Option<&Expr> {
    let Expr::Path(path) = &*call.func else {
        return None;
    };
    let names: Vec<_> = path
        .path
        .segments
        .iter()
        .map(|one| one.ident.to_string())
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match names[..] {
        [.., "Diagnostic", "error" | "warning"] | [.., "Diagnostics", "error"] => call.args.first(),
        ["Err"] => match call.args.first() {
            Some(Expr::Tuple(both)) => both.elems.first().filter(|said| !literals(said).is_empty()),
            _ => None,
        },
        // a closure that makes an error of what it is given
        ["error" | "unusable"] => call.args.first(),
        _ => None,
    }
}

impl Reader {
    fn tokens(&mut self, tokens: TokenStream) {
        let all: Vec<_> = tokens.into_iter().collect();
        for (index, token) in all.iter().enumerate() {
            let TokenTree::Group(group) = token else {
                continue;
            };
            // `Diagnostics::error(…)`: four tokens before the arguments
            let before = &all[index.saturating_sub(4)..index];
            let before: String = before.iter().map(ToString::to_string).collect();
            if before.ends_with("Diagnostic::error") || before.ends_with("Diagnostics::error") {
                let call = format!("{before}({})", group.stream());
                if let Ok(call) = syn::parse_str::<ExprCall>(&call) {
                    self.visit_expr_call(&call);
                }
            }
            self.tokens(group.stream());
        }
    }

    fn read(&mut self, said: &Expr) {
        let mut texts = literals(said);
        if texts.is_empty()
            && let Some(name) = name_of(said)
        {
            texts.extend(self.names.get(&name).into_iter().flatten().cloned());
            // what a function is given is read where it is called
            if texts.is_empty() && name != "summary" {
                self.unknown.push(name);
            }
        }
        self.texts.extend(texts);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Some(said) = text_of(call) {
            self.read(said);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "problem" {
            self.read(&call.args[1]);
        }
        visit::visit_expr_method_call(self, call);
    }

    /// What is said within a macro such as `tokio::select!`, whose arguments are no expression.
    fn visit_macro(&mut self, one: &'ast syn::Macro) {
        self.tokens(one.tokens.clone());
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Enum(one) = item {
            let attributes = one.variants.iter().flat_map(|variant| &variant.attrs);
            self.texts.extend(attributes.filter_map(error_text));
        }
        visit::visit_item(self, item);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| {
        one.path().is_ident("cfg")
            && one
                .parse_args::<syn::Ident>()
                .is_ok_and(|ident| ident == "test")
    })
}

/// The text of an `#[error("…")]`.
fn error_text(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("error") {
        return None;
    }
    let tokens = attribute.meta.require_list().ok()?.tokens.clone();
    let first = tokens.into_iter().next()?;
    let text: LitStr = syn::parse_str(&first.to_string()).ok()?;
    Some(plain(&text.value()))
}

fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Reference(one) => name_of(&one.expr),
        _ => None,
    }
}

/// Texts that an expression may be.
fn literals(expr: &Expr) -> BTreeSet<String> {
    let block = |block: &syn::Block| match block.stmts.last() {
        Some(syn::Stmt::Expr(last, None)) => literals(last),
        _ => BTreeSet::new(),
    };
    match expr {
        Expr::Lit(one) => match &one.lit {
            Lit::Str(text) => [plain(&text.value())].into(),
            _ => BTreeSet::new(),
        },
        Expr::Macro(one) if one.mac.path.is_ident("format") => {
            let first = one.mac.tokens.clone().into_iter().next();
            let text = first.and_then(|first| syn::parse_str::<LitStr>(&first.to_string()).ok());
            text.map(|text| plain(&text.value())).into_iter().collect()
        }
        Expr::MethodCall(one) => literals(&one.receiver),
        Expr::Reference(one) => literals(&one.expr),
        Expr::If(one) => {
            let mut all = block(&one.then_branch);
            all.extend(
                one.else_branch
                    .iter()
                    .flat_map(|(_, other)| literals(other)),
            );
            all
        }
        Expr::Block(one) => block(&one.block),
        Expr::Match(one) => one
            .arms
            .iter()
            .flat_map(|arm| literals(&arm.body))
            .collect(),
        Expr::Tuple(one) => one.elems.first().map(literals).unwrap_or_default(),
        _ => BTreeSet::new(),
    }
}

/// A format string with `…` for each argument.
fn plain(format: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        text.push('…');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    text + rest
}
