//! The reference page of the options, for `docs/configuration.md`.

use super::options::{OPTIONS, Spec};
use std::fmt::Write as _;

const HEAD: &str = "# Configuration

Every option of `tollgate serve` can stand in a YAML or JSON file (`--config FILE`, or the variable
`TOLLGATE_CONFIG`), in the environment, or on the command line. Flags win over the environment, that
over the file, that over the defaults. `tollgate config check` says what is wrong, `tollgate config
show` what holds and where it comes from. An empty variable counts as unset, but that of a list is an
empty list. Paths in a file start at the file's folder.

This page is made from the table in `src/config/options.rs`; `UPDATE=1 cargo test` rewrites it.
";

/// The page as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    let mut group = "";
    for spec in OPTIONS {
        if spec.group != group {
            group = spec.group;
            let _ = write!(page, "\n## {group}\n\n{}", chapter(group));
        }
        let _ = writeln!(page, "{}", row(spec));
    }
    page
}

fn chapter(group: &str) -> String {
    let bounds = "What passes a bound is refused, with the bound and the place. Each can be set to at most ten \
                  times its default; sizes take `B`, `KiB`, `MiB`, `GiB`.\n\n";
    let lead = if group == super::options::BOUNDS { bounds } else { "" };
    format!("{lead}| file | flag | variable | default | |\n|---|---|---|---|---|\n")
}

fn row(spec: &Spec) -> String {
    let default = if spec.default.is_empty() { "unset".into() } else { format!("`{}`", spec.default) };
    let flag = super::flags::spelling(spec);
    let value =
        if spec.is_switch() || !flag.starts_with('-') { String::new() } else { format!(" {}", spec.value) };
    format!("| `{}` | `{flag}{value}` | `{}` | {default} | {} |", spec.key(), spec.variable(), spec.about())
}
