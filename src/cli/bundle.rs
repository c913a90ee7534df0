//! Reads bundles from files, for commands that work without a server.

use super::exit::{Exit, Failure};
use super::findings::{self, Source};
use super::output;
use crate::source::content;
use std::path::Path;
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::model::Finding;
use tollgate_engine::read::{self, Bounds, SourceFile};

/// A bundle as it was read: what stands in it, and all that was found.
#[derive(Debug)]
pub struct Checked {
    /// The bundle, ready to decide; `None` when a finding refuses it.
    pub compiled: Option<Compiled>,
    /// All that was found, expressions included.
    pub findings: Vec<Finding>,
    /// The files, for showing findings.
    pub sources: Vec<Source>,
}

/// Reads a file or a folder and compiles what is in it.
///
/// # Errors
/// With code 3 when it cannot be read at all, 1 when it is larger than a bundle may be.
pub fn check(path: &Path) -> Result<Checked, Failure> {
    let bounds = Bounds::default();
    let offer = content::read(path, &bounds).map_err(|error| {
        let exit = if error.is_bound() { Exit::Negative } else { Exit::Unreachable };
        Failure { exit, error: error.into(), findings: vec![] }
    })?;
    Ok(check_files(&offer.files, &bounds))
}

/// The same with files that were read already.
pub fn check_files(files: &[(String, Vec<u8>)], bounds: &Bounds) -> Checked {
    let sources = files.iter().map(|(name, bytes)| Source::new(name, bytes)).collect();
    let files: Vec<SourceFile<'_>> = files.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();
    let reading = read::bundle(&files, bounds);
    let mut findings = reading.findings;
    let compiled = reading.bundle.map(compile::bundle).transpose();
    let more = match &compiled {
        Ok(Some(_)) => vec![],
        Ok(None) => reading.draft.as_ref().map(compile::findings).unwrap_or_default(),
        Err(more) => more.clone(),
    };
    findings.extend(more);
    read::locate(&mut findings, &files);
    findings.sort_by_key(|finding| finding.place);
    let compiled = compiled.ok().flatten();
    Checked { compiled, findings, sources }
}

/// A bundle that decides; what refuses it is shown on stderr.
///
/// # Errors
/// With code 3 when it cannot be read, 1 when it is refused.
pub fn load(path: &Path) -> Result<Compiled, Failure> {
    let checked = check(path)?;
    let errors: Vec<Finding> = checked.findings.into_iter().filter(Finding::is_format_error).collect();
    checked.compiled.ok_or_else(|| {
        output::note(&findings::text(&errors, &checked.sources));
        let error = anyhow::anyhow!("{}: the bundle is refused", path.display());
        let findings = findings::all_json(&errors, &checked.sources);
        Failure { exit: Exit::Negative, error, findings }
    })
}
