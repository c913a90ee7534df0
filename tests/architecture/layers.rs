//! Holds what files import against the tables.

use std::collections::BTreeSet;

use super::Source;
use super::imports;
use super::table::Table;

/// A package with a table of its own.
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// The folder of its root.
    pub folder: &'static str,
    /// What its binary calls its library.
    own: &'static str,
    /// Other packages of the workspace, and what the table calls them.
    others: &'static [(&'static str, &'static str)],
    /// The heading of its table.
    pub heading: &'static str,
}

/// What serves.
pub const SERVER: Package = Package {
    name: "tollgate",
    folder: "src/",
    own: "tollgate",
    others: &[("tollgate_engine", "engine")],
    heading: "### Imports of `tollgate`",
};

/// What decides.
pub const ENGINE: Package = Package {
    name: "tollgate-engine",
    folder: "src/engine/",
    own: "tollgate_engine",
    others: &[],
    heading: "### Imports of `tollgate-engine`",
};

/// What is wrong with the imports of a package, or with its table.
pub fn check(package: &Package, table: &Table, sources: &[Source]) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for source in sources {
        let module = module_of(package, &source.path);
        let folder = folder_of(package, &source.path);
        folders.insert(folder.clone());
        let Some(allowed) = table.get(&folder) else {
            complaints.insert(format!(
                "{}{folder}: ARCHITECTURE.md has no row for it; add one under `{}` that says what it may import",
                package.folder, package.heading,
            ));
            continue;
        };
        match imports::of(&source.text, &module, package.own, package.others) {
            Ok(found) => {
                let wrong = found.iter().filter_map(|import| judge(&folder, allowed, table, package, import));
                complaints.extend(wrong.map(|wrong| format!("{}: {wrong}", source.path)));
            }
            Err(error) => drop(complaints.insert(format!("{}: cannot be parsed: {error}", source.path))),
        }
    }
    complaints.extend(stale(package, table, &folders));
    complaints.extend(circles(package, table));
    complaints.into_iter().collect()
}

/// What is wrong with one import.
fn judge(
    folder: &str,
    allowed: &[String],
    table: &Table,
    package: &Package,
    import: &[String],
) -> Option<String> {
    let Some(of) = import.first() else {
        return Some("takes in the whole package; name the modules that it needs".to_owned());
    };
    let known = table.contains_key(of) || package.others.iter().any(|(_, name)| name == of);
    // Outside the tables are items of `lib.rs` and, in the root's own files, other packages.
    if of == folder || !known || allowed.iter().any(|entry| covers(entry, import)) {
        return None;
    }
    let path = import.join("::");
    Some(format!(
        "`{folder}` may not import `{of}` (`{path}`); move the code to where it may, or change \
         the row of `{folder}` in ARCHITECTURE.md and say why in docs/decisions.md"
    ))
}

/// Whether an entry of a row, such as `model` or `condition::glob`, covers a path.
fn covers(entry: &str, import: &[String]) -> bool {
    let wanted: Vec<&str> = entry.split("::").collect();
    import.len() >= wanted.len() && wanted.iter().zip(import).all(|(wanted, own)| wanted == own)
}

/// Rows and entries that speak of nothing.
fn stale(package: &Package, table: &Table, folders: &BTreeSet<String>) -> Vec<String> {
    let heading = package.heading;
    let rows = table.keys().filter(|row| !folders.contains(*row)).map(|row| {
        format!("ARCHITECTURE.md: `{heading}`: `{row}` does not exist in {}; delete its row", package.folder)
    });
    let exists = |entry: &str| {
        let first = entry.split("::").next().unwrap_or_default();
        table.contains_key(first) || package.others.iter().any(|(_, name)| *name == first)
    };
    let entries = table.iter().flat_map(|(row, entries)| entries.iter().map(move |entry| (row, entry)));
    let entries = entries.filter(|(_, entry)| !exists(entry)).map(|(row, entry)| {
        format!(
            "ARCHITECTURE.md: `{heading}`: the row of `{row}` names `{entry}`, which has no row; correct it"
        )
    });
    rows.chain(entries).collect()
}

/// Folders that may import each other: a drawing with a circle in it has no layers.
/// An entry below a folder, such as `condition::glob`, is an exception and no edge.
fn circles(package: &Package, table: &Table) -> Vec<String> {
    let next = |folder: &str| table.get(folder).into_iter().flatten().filter(|entry| !entry.contains("::"));
    let mut found = Vec::new();
    for start in table.keys() {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = next(start).collect();
        while let Some(folder) = open.pop() {
            if reached.insert(folder) {
                open.extend(next(folder));
            }
        }
        if reached.contains(start) {
            found.push(format!(
                "ARCHITECTURE.md: `{}`: `{start}` may import itself by way of others; cut the circle",
                package.heading,
            ));
        }
    }
    found
}

/// `src/data_plane/install.rs` is `data_plane::install`; the roots have an empty path.
fn module_of(package: &Package, path: &str) -> Vec<String> {
    let inside = path.strip_prefix(package.folder).unwrap_or(path);
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" | "main" => Vec::new(),
        _ => stem.split('/').map(str::to_owned).collect(),
    }
}

/// The row that a file belongs to.
fn folder_of(package: &Package, path: &str) -> String {
    let inside = path.strip_prefix(package.folder).unwrap_or(path);
    let first = inside.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> Table {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        rows.iter().map(|(folder, imports)| ((*folder).to_owned(), words(imports))).collect()
    }

    fn complaints(rows: &[(&str, &str)], files: &[(&str, &str)]) -> String {
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        check(&SERVER, &table(rows), &sources).join("\n")
    }

    const ROWS: &[(&str, &str)] = &[("clock", ""), ("config", "engine::model"), ("grpc", "clock")];
    const FILES: &[(&str, &str)] =
        &[("src/clock.rs", ""), ("src/config/mod.rs", ""), ("src/grpc/mod.rs", "")];

    fn with(path: &str, text: &str) -> String {
        complaints(ROWS, &[FILES, &[(path, text)]].concat())
    }

    #[test]
    fn imports_that_the_rows_allow_are_fine() {
        for (path, text) in [
            ("src/grpc/health.rs", "use crate::clock::Clock; use super::convert; use std::fs;"),
            ("src/config/file.rs", "use tollgate_engine::model::Rule; use serde::Serialize;"),
            ("src/grpc/health.rs", "use crate::grpc::convert; use crate::ITEM_OF_LIB;"),
        ] {
            assert_eq!(with(path, text), "", "{path}: {text}");
        }
    }

    #[test]
    fn imports_that_the_rows_lack_are_named_with_the_file() {
        for (path, text, want) in [
            ("src/clock.rs", "use crate::config::Config;", "src/clock.rs: `clock` may not import `config`"),
            ("src/clock.rs", "fn f() { crate::config::g(); }", "`clock` may not import `config`"),
            ("src/grpc/a/b.rs", "use super::super::super::config;", "src/grpc/a/b.rs: `grpc` may not"),
            ("src/grpc/a.rs", "use tollgate_engine::model;", "`grpc` may not import `engine`"),
            ("src/config/a.rs", "use tollgate_engine::read;", "(`engine::read`); move the code"),
            ("src/config/a.rs", "use crate::*;", "takes in the whole package; name the modules"),
            ("src/config/a.rs", "fn (", "src/config/a.rs: cannot be parsed"),
            ("src/http/mod.rs", "", "src/http: ARCHITECTURE.md has no row for it; add one"),
        ] {
            assert!(with(path, text).contains(want), "{path}: {text}: {}", with(path, text));
        }
    }

    #[test]
    fn tables_that_say_nothing_true_are_refused() {
        for (row, want) in [
            (("http", "clock"), "`http` does not exist in src/; delete its row"),
            (("clock", "clocks"), "names `clocks`, which has no row"),
            (("clock", "grpc"), "`clock` may import itself by way of others"),
        ] {
            let rows: Vec<(&str, &str)> = ROWS.iter().copied().chain([row]).collect();
            let found = complaints(&rows, FILES);
            assert!(found.contains(want), "{row:?}: {found}");
        }
        assert_eq!(complaints(ROWS, FILES), "");
        // An entry for one module is an exception and makes no circle.
        assert_eq!(complaints(&[("clock", "grpc::id"), ("config", ""), ("grpc", "clock")], FILES), "");
    }
}
