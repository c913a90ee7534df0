//! The last good bundle, kept so that a broken source at the start leaves something to serve.

use std::fs;
use std::io::ErrorKind;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::StateDir;
use crate::data_plane::Offer;

const LAST_GOOD: &str = "last-good-bundle.json";
const FORMAT: &str = "tollgate/last-good/v1";

#[derive(Deserialize, Serialize)]
struct KeptBundle {
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
    /// Keeps the content of a bundle that is in force.
    pub(in crate::data_plane) fn remember(&self, offer: &Offer) -> anyhow::Result<()> {
        let file = |(name, bytes): &(String, Vec<u8>)| -> anyhow::Result<KeptFile> {
            Ok(KeptFile { name: name.clone(), text: String::from_utf8(bytes.clone())? })
        };
        let kept = KeptBundle {
            format: FORMAT.to_owned(),
            source: offer.name.clone(),
            files: offer.files.iter().map(file).collect::<Result<_, _>>()?,
        };
        self.write(LAST_GOOD, &serde_json::to_vec(&kept)?)
            .with_context(|| self.at(LAST_GOOD).display().to_string())
    }

    /// The content that was kept; what cannot be read is said and passed over.
    pub(in crate::data_plane) fn last_good(&self) -> Option<Offer> {
        let path = self.at(LAST_GOOD);
        let read = fs::read(&path).map_err(anyhow::Error::from).and_then(|bytes| {
            let kept: KeptBundle = serde_json::from_slice(&bytes)?;
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
}
