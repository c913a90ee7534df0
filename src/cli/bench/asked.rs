//! The requests of a load.

use crate::cli::bundle;
use crate::cli::exit::Failure;
use crate::cli::request::{RequestFlags, to_wire};
use crate::load::Questions;
use crate::pb;
use std::path::Path;
use std::sync::Arc;
use tollgate_engine::guardrail::draw::Draw;
use tollgate_engine::simulate::Boundaries;

/// Different requests that are drawn from a bundle: with fewer, the server's processor learns them.
const DRAWN: usize = 4_096;
/// What is asked where nothing is said.
const ANY: &str = r#"{"subject": {"agent": "bench"}, "action": {"name": "bench"}}"#;

/// How requests travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// `Authorize`
    #[default]
    Unary,
    /// `AuthorizeBatch`
    Batch,
    /// `AuthorizeStream`
    Stream,
}

/// Requests, and where they come from.
pub struct Asked {
    /// In words.
    pub source: String,
    pub requests: Vec<pb::AuthorizeRequest>,
}

impl Asked {
    /// From the bounds of a bundle.
    pub fn drawn(path: &Path, seed: u64, dry_run: bool) -> Result<Self, Failure> {
        let compiled = bundle::load(path)?;
        let (boundaries, mut draw) = (Boundaries::of(&compiled), Draw::seeded(seed));
        let count = if boundaries.is_empty() { 1 } else { DRAWN.max(boundaries.len()) };
        let one = |turn| pb::AuthorizeRequest { dry_run, ..to_wire(&boundaries.draw(turn, &mut draw)) };
        let requests = (0..count).map(one).collect();
        let source = format!("{}, version {}, seed {seed}", path.display(), compiled.source().version);
        Ok(Self { source, requests })
    }

    /// From documents.
    pub fn read(documents: &[String], dry_run: bool) -> Result<Self, Failure> {
        let read = |document: &str| RequestFlags::of_document(document, dry_run).to_send();
        if documents.is_empty() {
            return Ok(Self { source: "one that every server takes".into(), requests: vec![read(ANY)?] });
        }
        let requests = documents.iter().map(|document| read(document)).collect::<Result<_, _>>()?;
        let named = |document: &String| {
            if document.trim_start().starts_with('{') { "JSON" } else { document }.to_owned()
        };
        let source = documents.iter().map(named).collect::<Vec<String>>().join(", ");
        Ok(Self { source, requests })
    }

    /// As they travel.
    pub fn questions(&self, mode: Mode, batch_size: usize) -> Arc<Questions> {
        Arc::new(match mode {
            Mode::Unary => Questions::unary(&self.requests),
            Mode::Batch => Questions::batch(&self.requests, batch_size),
            Mode::Stream => Questions::stream(&self.requests),
        })
    }
}
