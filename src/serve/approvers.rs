//! The file of approvers' public keys.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use tollgate_engine::model::Finding;
use tollgate_engine::read::SourceFile;
use tollgate_engine::sign::Approvers;

use crate::data_plane::DataPlane;

/// A file beyond this is some other file.
const MOST_BYTES: u64 = 4 << 20;

/// Reads whose signatures count.
///
/// # Errors
/// It cannot be read, or something in it is wrong: all of it, each at its place.
pub(super) fn read(path: &Path) -> anyhow::Result<Approvers> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .with_context(|| format!("{name}: the keys of approvers cannot be read"))?;
    let (approvers, findings) = Approvers::read(&SourceFile { name: &name, bytes: &bytes });
    approvers.ok_or_else(|| {
        let lines: Vec<String> = findings.iter().map(|finding| line(&name, finding)).collect();
        anyhow::anyhow!(lines.join("\n"))
    })
}

/// Reads the file again; one that is wrong leaves those whose signatures counted before.
pub(super) fn read_again(path: Option<&Path>, plane: &DataPlane) {
    match path.map(read) {
        Some(Ok(approvers)) => {
            let keys = approvers.iter().count();
            tracing::info!(keys, "the keys of approvers are read again");
            plane.approvals().trust(approvers);
        }
        Some(Err(error)) => {
            let error = format!("{error:#}");
            tracing::error!(error, "the keys of approvers stay as they were");
        }
        None => {}
    }
}

fn line(name: &str, finding: &Finding) -> String {
    let (line, column, message) = (finding.place.line, finding.place.column, &finding.message);
    let remedy = finding.suggestion.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("{name}:{line}:{column}: {message}{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_file_line_and_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.yaml");
        let missing = format!("{:#}", read(&path).unwrap_err());
        assert!(missing.contains("keys.yaml: the keys of approvers cannot be read"), "{missing}");
        std::fs::write(&path, "- owner: ann\n  key: x\n").unwrap();
        let wrong = read(&path).unwrap_err().to_string();
        assert!(
            wrong.contains("keys.yaml:1:3: a key of an approver needs `roles`; add `roles`\n"),
            "{wrong}"
        );
        assert!(
            wrong.contains("keys.yaml:2:8: `key` is no public key of ed25519; write `ed25519:`"),
            "{wrong}"
        );
    }
}
