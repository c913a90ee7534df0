//! What survives a restart: the last good bundle, and who this instance is.
//!
//! Files are written beside their place, flushed, and renamed onto it, so that a crash leaves
//! the old one or the new one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Offer;

const LAST_GOOD: &str = "last-good-bundle.json";
const INSTANCE: &str = "instance";
const FORMAT: &str = "tollgate/last-good/v1";

/// A directory of its own for each process.
#[derive(Debug)]
pub(super) struct StateDir(PathBuf);

#[derive(Deserialize, Serialize)]
struct Kept {
    format: String,
    source: String,
    files: Vec<KeptFile>,
}

#[derive(Deserialize, Serialize)]
struct KeptFile {
    name: String,
    text: String,
}

impl StateDir {
    /// Makes the directory where it is missing, and sees whether it can be written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let dir = Self(path.to_owned());
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| dir.write("probe", b"").and_then(|()| fs::remove_file(dir.at("probe"))))
            .with_context(|| format!("{}: the state directory cannot be written", path.display()))?;
        Ok(dir)
    }

    /// Keeps the content of a bundle that is in force.
    pub(super) fn remember(&self, offer: &Offer) -> anyhow::Result<()> {
        let file = |(name, bytes): &(String, Vec<u8>)| -> anyhow::Result<KeptFile> {
            Ok(KeptFile { name: name.clone(), text: String::from_utf8(bytes.clone())? })
        };
        let kept = Kept {
            format: FORMAT.to_owned(),
            source: offer.name.clone(),
            files: offer.files.iter().map(file).collect::<Result<_, _>>()?,
        };
        self.write(LAST_GOOD, &serde_json::to_vec(&kept)?)
            .with_context(|| self.at(LAST_GOOD).display().to_string())
    }

    /// The content that was kept; what cannot be read is said and passed over.
    pub(super) fn last_good(&self) -> Option<Offer> {
        let path = self.at(LAST_GOOD);
        let read = fs::read(&path).map_err(anyhow::Error::from).and_then(|bytes| {
            let kept: Kept = serde_json::from_slice(&bytes)?;
            anyhow::ensure!(kept.format == FORMAT, "format `{}` is not known", kept.format);
            Ok(kept)
        });
        match read {
            Ok(kept) => {
                let files = kept.files.into_iter().map(|file| (file.name, file.text.into_bytes()));
                Some(Offer { name: kept.source, files: files.collect() })
            }
            Err(error) if is_missing(&error) => None,
            Err(error) => {
                let (path, error) = (path.display().to_string(), format!("{error:#}"));
                tracing::warn!(path, error, "the kept bundle cannot be read; going on without it");
                None
            }
        }
    }

    /// The instance that ended cleanly here, taken away: if this one crashes, the next is new.
    pub(super) fn take_instance(&self) -> Option<Uuid> {
        let path = self.at(INSTANCE);
        let kept = fs::read_to_string(&path).ok()?;
        fs::remove_file(&path).ok()?;
        Uuid::try_parse(kept.trim()).ok()
    }

    /// Notes that this instance ended cleanly.
    pub(super) fn keep_instance(&self, instance: Uuid) {
        if let Err(error) = self.write(INSTANCE, instance.to_string().as_bytes()) {
            tracing::error!(%error, "the id of this instance cannot be kept");
        }
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let beside = self.at(&format!("{name}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, self.at(name))?;
        File::open(&self.0)?.sync_all()
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(text: &str) -> Offer {
        Offer { name: "a.yaml".into(), files: vec![("a.yaml".into(), text.into())] }
    }

    #[test]
    fn what_was_remembered_last_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&folder.path().join("deep/er")).unwrap();
        assert_eq!(dir.last_good(), None);
        dir.remember(&offer("one")).unwrap();
        dir.remember(&offer("two: \"é\n\"")).unwrap();
        assert_eq!(dir.last_good(), Some(offer("two: \"é\n\"")));
    }

    #[test]
    fn a_file_that_is_no_kept_bundle_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        for bad in ["", "{", "[]", r#"{"format":"x","source":"","files":[]}"#] {
            fs::write(dir.at(LAST_GOOD), bad).unwrap();
            assert_eq!(dir.last_good(), None, "{bad}");
        }
    }

    #[test]
    fn an_instance_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        let id = Uuid::from_u128(7);
        dir.keep_instance(id);
        assert_eq!(dir.take_instance(), Some(id));
        assert_eq!(dir.take_instance(), None);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = StateDir::open(&file.join("dir")).unwrap_err().to_string();
        assert!(error.ends_with("file/dir: the state directory cannot be written"), "{error}");
    }
}
