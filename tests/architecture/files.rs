//! What every file keeps: a line on top that says what it is for, a length that can be read in
//! one go, a name that says what is inside.

use super::Source;

/// The most lines of a file.
const MAX_LINES: usize = 500;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];

/// What is wrong with the files.
pub fn check(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(of_file).collect()
}

fn of_file(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let mut complaints = Vec::new();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with("//!") && !path.ends_with("/tests.rs") {
        complaints.push(format!("{path}: begin with `//!` and say what it is and why it is there"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        complaints
            .push(format!("{path}: {lines} lines; split it by what it speaks of, {MAX_LINES} is the most"));
    }
    let mut names = path.split(['/', '.']);
    if let Some(name) = names.find(|name| EMPTY_NAMES.contains(name)) {
        complaints.push(format!("{path}: `{name}` says nothing; name it after what is inside"));
    }
    complaints
}

/// How long files are: median, and what nine of ten stay under.
pub fn lengths(sources: &[Source]) -> String {
    let mut lines: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    lines.sort_unstable();
    let at = |share: usize| lines.get(lines.len() * share / 100).copied().unwrap_or_default();
    let longest = lines.last().copied().unwrap_or_default();
    format!("{} files: median {} lines, p90 {}, longest {longest}", lines.len(), at(50), at(90))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_can_be_broken() {
        let long = format!("//! Long.\n{}", "\n".repeat(MAX_LINES));
        for (path, text, want) in [
            ("src/a.rs", "fn f() {}\n", "src/a.rs: begin with `//!`"),
            ("src/a.rs", "", "src/a.rs: begin with `//!`"),
            ("src/a.rs", "// A comment.\n//! Too late.\n", "src/a.rs: begin with `//!`"),
            ("src/a.rs", &long, "src/a.rs: 501 lines; split it"),
            ("src/a/tests.rs", &long, "src/a/tests.rs: 501 lines"),
            ("src/a/utils.rs", "//! A.\n", "`utils` says nothing; name it"),
            ("src/common/mod.rs", "//! A.\n", "`common` says nothing"),
        ] {
            let found = check(&[Source::new(path, text)]).join("\n");
            assert!(found.starts_with(want) || found.contains(want), "{path}: {found}");
        }
    }

    #[test]
    fn what_keeps_them_is_fine() {
        for (path, text) in [
            ("src/a.rs", "//! What and why.\n"),
            ("src/a.rs", "\n//! What and why.\n"),
            ("src/a/tests.rs", "use super::*;\n"),
            ("src/commonly.rs", "//! A.\n"),
        ] {
            assert_eq!(check(&[Source::new(path, text)]), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn lengths_are_ranked() {
        let of = |lines: usize| Source::new("src/a.rs", &"\n".repeat(lines));
        let sources: Vec<Source> = (1..=10).rev().map(of).collect();
        assert_eq!(lengths(&sources), "10 files: median 6 lines, p90 10, longest 10");
        assert_eq!(lengths(&[]), "0 files: median 0 lines, p90 0, longest 0");
    }
}
