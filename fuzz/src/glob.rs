//! Globs: read, and matched as the naive interpreter matches them. The first line is the glob, the rest the text.

use tollgate_engine::condition::glob::Glob;

use crate::naive_glob;

/// The naive matcher tries every way to part a text.
const MOST_CHARACTERS: usize = 24;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(glob) = Glob::parse(pattern) else { return };
    assert_eq!(glob.as_str(), pattern);
    let (matches, _) = (glob.matches(text), glob.weight());
    if text.chars().count() <= MOST_CHARACTERS && pattern.matches(['*', '{']).count() <= 4 {
        assert_eq!(matches, naive_glob::matches(pattern, text), "`{pattern}` on `{text}`");
    }
    if !Glob::is_glob(pattern) {
        assert_eq!(matches, pattern == text, "`{pattern}` means itself");
    }
}
