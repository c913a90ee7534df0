//! Finds what a file names of its own package and of the engine: `use`, paths in the code, and
//! paths in the arguments of macros and attributes.

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, MetaList, UseTree};

/// A path from the root of the package, such as `["data_plane", "Offer"]`. An empty one takes in
/// the whole package at once.
pub type Import = Vec<String>;

/// Everything that a file names.
///
/// `module` is the file's own path in the package; `own` the name by which the package's binary
/// calls its library; `others` are further packages, each with the name that imports get.
pub fn of(
    text: &str,
    module: &[String],
    own: &str,
    others: &[(&str, &str)],
) -> Result<Vec<Import>, syn::Error> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder { module: module.to_vec(), own, others, found: Vec::new() };
    finder.visit_file(&file);
    finder.found.sort();
    finder.found.dedup();
    Ok(finder.found)
}

struct Finder<'p> {
    module: Vec<String>,
    own: &'p str,
    others: &'p [(&'p str, &'p str)],
    found: Vec<Import>,
}

impl Finder<'_> {
    /// The path from the root of the package; `None`: it leads elsewhere.
    fn resolve(&self, written: &[String]) -> Option<Import> {
        let first = written.first()?.as_str();
        if let Some((_, name)) = self.others.iter().find(|(other, _)| *other == first) {
            let rest = written.iter().skip(1).cloned();
            return Some([(*name).to_owned()].into_iter().chain(rest).collect());
        }
        let mut here = match first {
            "super" | "self" => self.module.clone(),
            _ if first == "crate" || first == self.own => Vec::new(),
            // A child of this module, or another package: only the root's children are folders.
            _ if self.module.is_empty() => return Some(written.to_vec()),
            _ => return None,
        };
        for (at, segment) in written.iter().enumerate() {
            match segment.as_str() {
                "super" => drop(here.pop()),
                "self" => {}
                _ if at == 0 => {}
                _ => here.push(segment.clone()),
            }
        }
        Some(here)
    }

    fn note(&mut self, written: &[String]) {
        self.found.extend(self.resolve(written));
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, before)),
            UseTree::Name(name) => self.note(&with(name.ident.to_string())),
            UseTree::Rename(rename) => self.note(&with(rename.ident.to_string())),
            UseTree::Glob(_) => self.note(before),
        }
    }

    /// Paths among tokens, which have no syntax yet.
    fn tokens(&mut self, mut cursor: Cursor<'_>) {
        while !cursor.eof() {
            if let Some((inside, _, _, after)) = cursor.any_group() {
                self.tokens(inside);
                cursor = after;
            } else if let Some((first, after)) = cursor.ident() {
                let mut path = vec![first.to_string()];
                cursor = after;
                while let Some((segment, after)) = segment(cursor) {
                    path.push(segment);
                    cursor = after;
                }
                // A single name among tokens may be anything, a variable for one.
                if path.len() > 1 {
                    self.note(&path);
                }
            } else {
                cursor = cursor.token_tree().map_or(cursor, |(_, after)| after);
            }
        }
    }
}

/// `::name`, and what comes after it.
fn segment(cursor: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (first, cursor) = cursor.punct()?;
    let (second, cursor) = cursor.punct()?;
    let (name, after) = cursor.ident()?;
    (first.as_char() == ':' && second.as_char() == ':').then(|| (name.to_string(), after))
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.use_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // One segment is a name in scope, or the `super` of `pub(super)`: no import.
        if path.leading_colon.is_none() && written.len() > 1 {
            self.note(&written);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(TokenBuffer::new2(call.tokens.clone()).begin());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.tokens(TokenBuffer::new2(list.tokens.clone()).begin());
        visit::visit_meta_list(self, list);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(module: &str, text: &str) -> String {
        let module: Vec<String> = module.split_terminator("::").map(str::to_owned).collect();
        let imports = of(text, &module, "tollgate", &[("tollgate_engine", "engine")]).unwrap();
        imports.iter().map(|import| import.join("::")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_way_to_name_a_module() {
        for (module, text, want) in [
            ("grpc", "use crate::clock::Clock;", "clock::Clock"),
            ("grpc", "use crate::{clock::{self, Clock}, source};", "clock clock::Clock source"),
            ("grpc", "pub use crate::clock as time;", "clock"),
            ("grpc::health", "use super::super::clock::Clock;", "clock::Clock"),
            ("grpc::health", "use super::convert;", "grpc::convert"),
            ("grpc", "use self::convert::request;", "grpc::convert::request"),
            ("grpc", "fn f(c: &crate::clock::Clock) {}", "clock::Clock"),
            ("grpc", "fn f() { crate::clock::Clock::system(); }", "clock::Clock::system"),
            ("grpc", "fn f() { assert_eq!(1, [crate::clock::now()]); }", "clock::now"),
            ("grpc", "macro_rules! m { () => { $crate::clock::now() } }", "clock::now"),
            ("grpc", "fn f() { let _: Vec<crate::clock::Clock>; }", "clock::Clock"),
            ("grpc", "impl crate::a::T for S where S: crate::b::U {}", "a::T b::U"),
            ("grpc", "#[derive(crate::derive::D)] struct S;", "derive::D"),
            ("grpc", "fn f() { match x { crate::a::B::C => {} } }", "a::B::C"),
            ("grpc", "use tollgate_engine::model::Rule;", "engine::model::Rule"),
            ("grpc", "fn f(r: tollgate_engine::model::Rule) {}", "engine::model::Rule"),
            ("", "fn main() { tollgate::cli::main() }", "cli::main"),
            ("", "pub use clock::Clock;", "clock::Clock"),
            ("clock", "mod tests { use super::*; use super::super::source; }", "clock source"),
            ("clock", "use super::*;", ""),
            ("clock", "fn f() { #[cfg(test)] mod t { use crate::a; } }", "a"),
        ] {
            assert_eq!(found(module, text), want, "in `{module}`: {text}");
        }
    }

    #[test]
    fn the_whole_package_is_an_import_without_segments() {
        for (module, text) in [("clock", "use super::*;"), ("a::b", "use crate as all;")] {
            let module: Vec<String> = module.split("::").map(str::to_owned).collect();
            assert_eq!(of(text, &module, "tollgate", &[]).unwrap(), [Import::new()], "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_package_is_none() {
        for text in [
            "use std::fs; use convert::request;",
            "use ::clock::Clock;",
            "pub(super) fn f(x: u32) -> Option<u32> { Some(x) }",
            "pub(crate) struct S;",
            "// crate::clock::Clock\nconst TEXT: &str = \"crate::clock\";",
        ] {
            assert_eq!(found("grpc::health", text), "", "{text}");
        }
    }
}
