//! What the pages for users show works: their bundles are served, their cases pass, their links lead
//! somewhere.

use crate::binary::run;
use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block of a page.
struct Block {
    language: String,
    text: String,
    /// The page and the line of the block's first line, for whoever has to mend it.
    at: String,
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.to_owned(), root.join("docs"), root.join("examples"), root.join("proto")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, number) in text.lines().zip(1..) {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                let at = format!("{}:{}", page.display(), number + 1);
                open = Some(Block { language: language.to_owned(), text: String::new(), at });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += &format!("{line}\n");
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is not closed", page.display());
    blocks
}

#[test]
fn bundles_on_the_pages_are_served_and_their_cases_pass() {
    let (mut bundles, mut suites) = (0, 0);
    for page in pages() {
        let blocks = blocks(&page);
        let followers = blocks.iter().skip(1).map(Some).chain([None]);
        for (block, next) in blocks.iter().zip(followers) {
            if block.language != "yaml" || !block.text.starts_with("format: tollgate/v1\n") {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("page.yaml"), &block.text).unwrap();
            works(folder.path(), &["check", "page.yaml"], block);
            bundles += 1;
            if let Some(cases) = next.filter(|next| next.text.starts_with("cases:\n")) {
                fs::write(folder.path().join("page.test.yaml"), &cases.text).unwrap();
                works(folder.path(), &["test", "page.test.yaml"], cases);
                suites += 1;
            }
        }
    }
    assert!(bundles >= 5 && suites >= 4, "{bundles} bundles, {suites} sets of cases: are they still found?");
}

fn works(folder: &Path, args: &[&str], block: &Block) {
    let ended = run(folder, args);
    assert_eq!(ended.code, 0, "{}:\n{}{}", block.at, ended.stdout, ended.stderr);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut links = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: `{link}` leads nowhere", page.display());
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(&target).unwrap());
                assert!(known.iter().any(|own| own == anchor), "{}: no heading `#{anchor}`", page.display());
            }
            links += 1;
        }
    }
    assert!(links > 5, "{links} links: are they still found?");
}

/// The anchors of headings, as they are made from their texts; the second of a name ends in `-1`.
fn anchors(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut anchors = Vec::new();
    for heading in text.lines().filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let name: String = title.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let before = names.iter().filter(|own| **own == name).count();
        anchors.push(if before == 0 { name.clone() } else { format!("{name}-{before}") });
        names.push(name);
    }
    anchors
}
