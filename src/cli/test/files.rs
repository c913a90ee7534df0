//! Finds files of tests, reads them and their bundles, and runs them.

use super::super::bundle::{self, Checked};
use super::super::exit::{Exit, Failure, OrExit as _};
use super::super::findings::Source;
use super::crew::Threads;
use super::{Broken, FileResult, Results};
use crate::source::content;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tollgate_engine::compile::Compiled;
use tollgate_engine::model::Finding;
use tollgate_engine::read::{Bounds, SourceFile};
use tollgate_engine::simulate::{self, BundleAt, Coverage, On, Suite};

/// How the names of files of tests end, behind the name of their bundle.
const ENDINGS: [&str; 3] = [".test.yaml", ".test.yml", ".test.json"];

/// The files of tests at these paths, those in folders below them included.
///
/// # Errors
/// With code 3 when a path cannot be read.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = vec![];
    for path in paths {
        let metadata = std::fs::metadata(path).with_context(|| path.display().to_string());
        if metadata.or_exit(Exit::Unreachable)?.is_dir() {
            search(path, 0, &mut found)
                .with_context(|| path.display().to_string())
                .or_exit(Exit::Unreachable)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() && depth < content::MAX_FOLDER_DEPTH {
            search(&path, depth + 1, found)?;
        } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    Ok(())
}

/// Runs these files.
///
/// # Errors
/// With code 3 when one cannot be read.
pub fn run(suites: &[PathBuf]) -> Result<Results, Failure> {
    let mut bundles = Bundles::default();
    let mut results = Results::default();
    for path in suites {
        results.files.push(bundles.run(path)?);
    }
    results.gaps =
        bundles.0.into_iter().map(|(name, tested)| (name, tested.coverage.gaps(&tested.compiled))).collect();
    Ok(results)
}

/// The bundles that were tested so far, each read once.
#[derive(Default)]
struct Bundles(BTreeMap<String, Tested>);

struct Tested {
    compiled: Compiled,
    coverage: Coverage,
}

impl Bundles {
    fn run(&mut self, path: &Path) -> Result<FileResult, Failure> {
        let bounds = Bounds::default();
        let offer = content::read(path, &bounds).or_exit(Exit::Unreachable)?;
        let (name, bytes) = offer.files.into_iter().next().unwrap_or_default();
        let reading = simulate::read(&SourceFile { name: &name, bytes: &bytes }, &bounds);
        let outcome = match reading.suite {
            Some(suite) => self.on_its_bundle(path, &suite, &bounds),
            None => Err(Broken::Mistakes(reading.findings, vec![Source::new(&name, &bytes)])),
        };
        Ok(FileResult { name, outcome })
    }

    fn on_its_bundle(
        &mut self,
        path: &Path,
        suite: &Suite,
        bounds: &Bounds,
    ) -> Result<simulate::SuiteResult, Broken> {
        let name = name_of(path, &suite.bundle, 0)?;
        if !self.0.contains_key(&name) {
            let compiled = compiled(&name, &suite.bundle, bounds)?;
            self.0.insert(name.clone(), Tested { compiled, coverage: Coverage::default() });
        }
        let numbered = (1..).zip(&suite.reloads);
        let reloads = numbered.map(|(number, at)| compiled(&name_of(path, at, number)?, at, bounds));
        let reloads = reloads.collect::<Result<Vec<Compiled>, Broken>>()?;
        let reloads: Vec<&Compiled> = reloads.iter().collect();
        match self.0.get_mut(&name) {
            Some(Tested { compiled, coverage }) => {
                Ok(simulate::run(suite, On { bundle: compiled, reloads: &reloads, crew: &Threads }, coverage))
            }
            None => Err(Broken::Unreadable(format!("{name}: no bundle"))),
        }
    }
}

/// What people know the bundle as: its path, or where it stands in the file of tests.
fn name_of(suite: &Path, at: &BundleAt, number: usize) -> Result<String, Broken> {
    let path = bundle_path(suite, at)?.map(|path| path.display().to_string());
    Ok(path.unwrap_or_else(|| match number {
        0 => format!("{} (bundle)", suite.display()),
        number => format!("{} (reload {number})", suite.display()),
    }))
}

fn compiled(name: &str, at: &BundleAt, bounds: &Bounds) -> Result<Compiled, Broken> {
    let files = match at {
        BundleAt::Inline(bytes, _) => vec![(name.to_owned(), bytes.clone())],
        BundleAt::Beside | BundleAt::Path(..) => {
            let offer = content::read(Path::new(name), bounds);
            let unreadable = |error| Broken::Unreadable(format!("the bundle cannot be read: {error}"));
            offer.map_err(unreadable)?.files
        }
    };
    whole(bundle::check_files(&files, bounds))
}

/// Where the bundles of this file of tests are; none where they stand in the file, or nobody can say.
pub fn bundles_of(path: &Path) -> Vec<PathBuf> {
    let bounds = Bounds::default();
    let file = content::read(path, &bounds).ok().and_then(|offer| offer.files.into_iter().next());
    let suite = file
        .and_then(|(name, bytes)| simulate::read(&SourceFile { name: &name, bytes: &bytes }, &bounds).suite);
    let bundles = suite.iter().flat_map(|suite| std::iter::once(&suite.bundle).chain(&suite.reloads));
    bundles.filter_map(|at| bundle_path(path, at).ok().flatten()).collect()
}

fn bundle_path(suite: &Path, bundle: &BundleAt) -> Result<Option<PathBuf>, Broken> {
    match bundle {
        BundleAt::Beside => beside(suite).map(Some),
        BundleAt::Path(relative, _) => Ok(Some(folder(suite).join(&**relative).components().collect())),
        BundleAt::Inline(..) => Ok(None),
    }
}

fn whole(checked: Checked) -> Result<Compiled, Broken> {
    let errors: Vec<Finding> = checked.findings.into_iter().filter(Finding::is_format_error).collect();
    checked.compiled.ok_or(Broken::Mistakes(errors, checked.sources))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// The bundle of the same name: `inbox.yaml` of `inbox.test.yaml`.
fn beside(path: &Path) -> Result<PathBuf, Broken> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let candidates = ["yaml", "yml", "json"].map(|ending| folder(path).join(format!("{stem}.{ending}")));
    candidates.into_iter().find(|candidate| candidate.is_file()).ok_or_else(|| {
        Broken::Unreadable(format!(
            "there is no `{stem}.yaml` beside it; name the bundle: `bundle: ./other.yaml`"
        ))
    })
}
