//! Holds the code to its drawing and to the rules of the house (design 6.4).
//!
//! ARCHITECTURE.md says which folder may import which. A folder is the first part of a module's
//! path, so `src/clock.rs` is one as well. Each check takes sources as text and returns
//! complaints that say what to do; beside each stand tests which show that it can fail.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops where it cannot look any further")]

mod files;
mod imports;
mod layers;
mod table;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository.
struct Source {
    /// Its path from the root of the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: cannot be read: {error}", path.display()));
        let relative = path.strip_prefix(root()).expect("below the root");
        Self { path: relative.to_string_lossy().replace('\\', "/"), text }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below these folders, by path.
fn rust_files(folders: &[&str]) -> Vec<Source> {
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" {
            let entries = fs::read_dir(&path).expect("a folder that was just seen");
            open.extend(entries.map(|entry| entry.expect("an entry of a folder").path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(Source::read(&path));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The sources of both packages, each with its table.
fn packages() -> [(layers::Package, Vec<Source>); 2] {
    let all = rust_files(&["src"]);
    let (engine, server): (Vec<Source>, Vec<Source>) =
        all.into_iter().partition(|source| source.path.starts_with("src/engine/"));
    // Examples and tests of the engine see it from outside, as its users do.
    let outside = ["src/engine/examples/", "src/engine/tests/", "src/engine/benches/"];
    let inside = |source: &Source| !outside.iter().any(|path| source.path.starts_with(path));
    [(layers::SERVER, server), (layers::ENGINE, engine.into_iter().filter(inside).collect())]
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn folders_import_what_architecture_md_says() {
    let text = Source::read(&root().join("ARCHITECTURE.md")).text;
    for (package, sources) in packages() {
        assert!(sources.len() > 1, "`{}` has no sources: correct `packages`", package.name);
        let table = table::parse(&text, package.heading);
        none(&table.map_or_else(|error| vec![error], |table| layers::check(&package, &table, &sources)));
    }
}

#[test]
fn files_are_short_named_for_what_they_hold_and_say_what_for() {
    let sources = rust_files(&["build.rs", "src", "tests", "benches"]);
    none(&files::check(&sources));
    let of_src: Vec<Source> = sources.into_iter().filter(|source| source.path.starts_with("src/")).collect();
    println!("{}", files::lengths(&of_src));
}

#[test]
fn the_engine_depends_on_no_server() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--package", "tollgate-engine", "--edges", "normal"])
        .args(["--prefix", "none", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs these tests, so it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    none(&tree::check(&String::from_utf8_lossy(&output.stdout)));
}
