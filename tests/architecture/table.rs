//! Reads the import tables of ARCHITECTURE.md.

use std::collections::BTreeMap;

/// What each folder may import, by the name of the folder.
pub type Table = BTreeMap<String, Vec<String>>;

/// The table under a heading: a folder in the first column, what it may import in the last, all
/// names in backticks.
pub fn parse(text: &str, heading: &str) -> Result<Table, String> {
    let wrong = |what: &str| format!("ARCHITECTURE.md: `{heading}`: {what}");
    let mut lines = text.lines().skip_while(|line| line.trim() != heading).skip(1);
    if lines.next().is_none() {
        return Err(wrong("the heading is missing: put the import table under it"));
    }
    let section = lines.take_while(|line| !line.starts_with('#'));
    let rows = section.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut table = Table::new();
    for row in rows.skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [folder, .., imports] = cells.as_slice() else {
            return Err(wrong(&format!("`{row}` has one cell: say what the folder may import")));
        };
        let folder = names(folder);
        let [folder] = folder.as_slice() else {
            return Err(wrong(&format!("`{row}`: write one folder in backticks in its first cell")));
        };
        if table.insert(folder.clone(), names(imports)).is_some() {
            return Err(wrong(&format!("`{folder}` has two rows: make them one")));
        }
    }
    if table.is_empty() {
        return Err(wrong("no rows: write a table of two columns, folder and what it may import"));
    }
    Ok(table)
}

/// The texts in backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A
### Imports
Some words.

| folder | what for | may import |
|---|---|---|
| `clock` | time | – |
| `grpc` | edge | `clock`, `a::b` |

| `not` | of the table | – |
### Other
";

    #[test]
    fn rows_are_read() {
        let table = parse(TEXT, "### Imports").unwrap();
        let rows: Vec<(&str, String)> =
            table.iter().map(|(folder, imports)| (folder.as_str(), imports.join(" "))).collect();
        assert_eq!(rows, [("clock", String::new()), ("grpc", "clock a::b".to_owned())]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, want) in [
            ("", "the heading is missing"),
            ("### Imports\nno table", "no rows"),
            ("### Imports\n\n| f | i |\n|---|---|\n| `a` |\n", "has one cell"),
            ("### Imports\n\n| f | i |\n|---|---|\n| a | `b` |\n", "one folder in backticks"),
            ("### Imports\n\n| f | i |\n|---|---|\n| `a` | – |\n| `a` | – |\n", "two rows"),
        ] {
            let error = parse(text, "### Imports").unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
