//! From bytes to the model, with every finding at its place.

use crate::model::{Bundle, Finding};

/// One file of a document.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its path, as findings show it.
    pub name: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// What came of reading a bundle.
#[derive(Debug)]
pub struct Reading {
    /// The bundle; `None` when a finding is a format error.
    pub bundle: Option<Bundle>,
    /// All that was found, in the order of the source.
    pub findings: Vec<Finding>,
    /// The names of the files; the places of findings point into this.
    pub files: Vec<Box<str>>,
}

/// The bounds of design 1.8.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of a bundle, all files together: 16 MiB.
    pub bytes: usize,
    /// Nesting: 32.
    pub depth: usize,
    /// Rules: 100,000.
    pub rules: usize,
    /// Guardrails: 10,000.
    pub guardrails: usize,
    /// Nodes: 5 million.
    pub nodes: usize,
    /// Of these by aliases: 50,000.
    pub alias_nodes: usize,
    /// Bytes of a string: 64 KiB.
    pub string_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 32,
            rules: 100_000,
            guardrails: 10_000,
            nodes: 5_000_000,
            alias_nodes: 50_000,
            string_bytes: 64 << 10,
        }
    }
}

/// Reads a bundle from one file, or from the files of a folder in the order of their paths.
#[must_use]
pub fn bundle(_files: &[SourceFile<'_>], _bounds: &Bounds) -> Reading {
    unimplemented!()
}
