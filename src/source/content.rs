//! Reads the files of a bundle: one file, or a folder with all that is below it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use tollgate_engine::read::Bounds;

use crate::data_plane::Offer;

/// Files of one bundle, at most.
pub const MAX_FILES: usize = 10_000;
/// Folders below each other, at most.
pub const MAX_FOLDER_DEPTH: usize = 16;

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Why there is no content to offer.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// Nothing there.
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// A folder without a bundle.
    #[error("{}: the folder holds no `.yaml`, `.yml` or `.json` file", .0.display())]
    Empty(PathBuf),
    /// Too many bytes.
    #[error("{}: {bytes} bytes; the files of a bundle have at most {limit} together", at.display())]
    TooLarge {
        /// The file that passes the bound.
        at: PathBuf,
        /// The bytes up to and with it.
        bytes: u64,
        /// The bound.
        limit: usize,
    },
    /// Too many files.
    #[error("{}: more than {MAX_FILES} files; write fewer and larger ones", .0.display())]
    TooManyFiles(PathBuf),
    /// Folders in folders in folders.
    #[error("{}: more than {MAX_FOLDER_DEPTH} folders below each other", .0.display())]
    TooDeep(PathBuf),
    /// A device, a pipe, a socket.
    #[error("{}: not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// The system refuses.
    #[error("{}: {error}", at.display())]
    Io {
        /// What was to be read.
        at: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

impl ContentError {
    /// Whether it is there, and more than a bundle may be.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooManyFiles(_) | Self::TooDeep(_))
    }

    fn io(at: &Path, error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing(at.to_owned()),
            _ => Self::Io { at: at.to_owned(), error },
        }
    }
}

/// Reads what is at `path`. Sizes are checked before anything is read.
///
/// Of a folder it takes `.yaml`, `.yml` and `.json` files, those in folders below it included, in
/// the order of their paths. Names that start with a dot and test files (`*.test.yaml`) are left
/// out.
///
/// # Errors
/// Says which file cannot be taken, and why.
pub fn read(path: &Path, bounds: &Bounds) -> Result<Offer, ContentError> {
    let metadata = fs::metadata(path).map_err(|error| ContentError::io(path, error))?;
    let mut paths = Vec::new();
    if metadata.is_dir() {
        list(path, 0, &mut paths)?;
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    if paths.is_empty() {
        return Err(ContentError::Empty(path.to_owned()));
    }
    check_sizes(&paths, bounds.bytes)?;
    let mut left = bounds.bytes;
    let mut files = Vec::with_capacity(paths.len());
    for path in &paths {
        let bytes = read_at_most(path, left, bounds.bytes)?;
        left -= bytes.len();
        files.push((path.display().to_string(), bytes));
    }
    Ok(Offer { name: path.display().to_string(), files })
}

/// Whether a folder's file of this name belongs to the bundle.
#[must_use]
pub fn belongs(name: &str) -> bool {
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    ENDINGS.contains(&ending) && !name.starts_with('.') && !stem.ends_with(".test")
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ContentError> {
    if depth > MAX_FOLDER_DEPTH {
        return Err(ContentError::TooDeep(folder.to_owned()));
    }
    let failed = |error| ContentError::io(folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        // Follows links: a ConfigMap's files are links.
        let is_folder = path.is_dir();
        if is_folder {
            list(&path, depth + 1, found)?;
        } else if belongs(&name) {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            return Err(ContentError::TooManyFiles(folder.to_owned()));
        }
    }
    Ok(())
}

fn check_sizes(paths: &[PathBuf], limit: usize) -> Result<(), ContentError> {
    let mut bytes = 0_u64;
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| ContentError::io(path, error))?;
        if !metadata.is_file() {
            return Err(ContentError::NotRegular(path.clone()));
        }
        bytes = bytes.saturating_add(metadata.len());
        if usize::try_from(bytes).map_or(true, |bytes| bytes > limit) {
            return Err(ContentError::TooLarge { at: path.clone(), bytes, limit });
        }
    }
    Ok(())
}

/// A file may have grown since its size was looked at.
fn read_at_most(path: &Path, left: usize, limit: usize) -> Result<Vec<u8>, ContentError> {
    let failed = |error| ContentError::io(path, error);
    let mut bytes = Vec::new();
    let one_more = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(one_more).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > left {
        let bytes = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        return Err(ContentError::TooLarge { at: path.to_owned(), bytes, limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(offer: &Offer, folder: &Path) -> Vec<String> {
        let short = |(name, _): &(String, Vec<u8>)| {
            Path::new(name).strip_prefix(folder).unwrap().display().to_string()
        };
        offer.files.iter().map(short).collect()
    }

    #[test]
    fn a_folder_gives_its_files_in_the_order_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/..data")).unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        for name in [
            "c.json",
            "a.yaml",
            "b/x.yml",
            "b/..data/y.yaml",
            ".git/z.yaml",
            ".hidden.yaml",
            "a.test.yaml",
            "a.test.yml",
            "a.test.json",
            "README.md",
            "yaml",
            "a.yaml~",
        ] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let offer = read(folder.path(), &Bounds::default()).unwrap();
        assert_eq!(names(&offer, folder.path()), ["a.yaml", "b/x.yml", "c.json"]);
        assert_eq!(offer.files[0].1, b"a.yaml");
    }

    #[test]
    fn what_cannot_be_taken_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("empty")).unwrap();
        fs::create_dir_all(path(&vec!["d"; 20].join("/"))).unwrap();
        let large = File::create(path("large.yaml")).unwrap();
        large.set_len(100 << 20).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (name, want) in [
            ("absent.yaml", "absent.yaml: no such file or folder"),
            ("empty", "empty: the folder holds no `.yaml`, `.yml` or `.json` file"),
            (
                "large.yaml",
                "large.yaml: 104857600 bytes; the files of a bundle have at most 16777216 together",
            ),
            ("d", "/d: more than 16 folders below each other"),
            ("socket", "socket: not a regular file"),
        ] {
            let error = read(&path(name), &Bounds::default()).unwrap_err().to_string();
            assert!(error.ends_with(want), "{error}");
        }
    }

    #[test]
    fn the_files_of_a_folder_share_one_bound() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "b.yaml"] {
            fs::write(folder.path().join(name), vec![b' '; 60]).unwrap();
        }
        let bounds = |bytes| Bounds { bytes, ..Bounds::default() };
        assert!(read(folder.path(), &bounds(120)).is_ok());
        let error = read(folder.path(), &bounds(119)).unwrap_err().to_string();
        assert!(error.contains("b.yaml: 120 bytes"), "{error}");
        let grown = read_at_most(&folder.path().join("a.yaml"), 59, 119).unwrap_err();
        assert!(matches!(grown, ContentError::TooLarge { bytes: 120, .. }));
    }
}
