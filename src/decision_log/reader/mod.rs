//! Reads a decision log back: all files of a folder in their order, whole lines only.
//!
//! A line that was torn by a kill, or that is no record, is counted and named, and reading goes on.

mod lines;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use lines::{Lines, MOST_LINE, Read};

/// How the name of a file of the log begins.
const BEGINS: &str = "decisions-";
/// How the name of a file ends that is not compressed.
pub const PLAIN: &str = "jsonl";
/// How the name of one ends that is.
pub const ZSTD: &str = "zst";

/// The name of a file of the log without what says how it is packed, so that it stays the same when the
/// file is compressed.
#[must_use]
pub fn stem(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(&format!(".{ZSTD}")).unwrap_or(name);
    name.strip_suffix(&format!(".{PLAIN}")).unwrap_or(name)
}

/// The files of a log in the order in which they were written. Of a file that is there twice, since its
/// compression was interrupted at its end, the compressed one is left out.
///
/// # Errors
/// The folder cannot be read.
pub fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_of_log = name.starts_with(BEGINS)
            && (name.ends_with(&format!(".{PLAIN}")) || name.ends_with(&format!(".{PLAIN}.{ZSTD}")));
        if is_of_log {
            all.push(path);
        }
    }
    all.sort();
    // The plain one sorts right before the compressed one.
    all.dedup_by(|next, before| next.with_extension("") == *before);
    Ok(all)
}
