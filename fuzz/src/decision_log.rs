//! Files of a decision log: every line is a record, or is named with what is wrong with it.

use std::fs;

use tollgate::decision_log::reader::{Lines, Read};

use crate::scratch;

/// An input that is compressed becomes a thousand times as large and more; what that shows, a small one does.
const MOST_COMPRESSED: usize = 1 << 10;

pub(crate) fn run(input: &[u8]) {
    let plain = scratch::folder().join("decisions-1.jsonl");
    let lines = read(&plain, input);
    let whole = input.iter().filter(|byte| **byte == b'\n').count();
    let torn = usize::from(!input.is_empty() && !input.ends_with(b"\n"));
    assert_eq!(lines, whole + torn, "every line is told of once");
    if input.len() <= MOST_COMPRESSED {
        read(&scratch::folder().join("decisions-1.jsonl.zst"), input);
    }
}

/// How many lines are told of.
fn read(path: &std::path::Path, bytes: &[u8]) -> usize {
    fs::write(path, bytes).expect("the folder takes a file");
    let Ok(lines) = Lines::open(path) else { return 0 };
    let mut last = 0;
    let told = lines.map(|read| match read {
        Read::Record(record) => assert_eq!(record["v"], 1, "a record of another version"),
        Read::Bad { line, why } => {
            assert!(line > last && !why.is_empty(), "line {line} after {last}: {why}");
            last = line;
        }
        Read::Torn { line, bytes } => assert!(line > last && bytes > 0, "line {line}: {bytes} bytes"),
    });
    told.count()
}
