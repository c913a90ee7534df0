//! The lines of one file, plain or compressed, none longer than a bound.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::ZSTD;

/// The longest line that is read: more than a record of the largest request takes.
pub const MOST_LINE: usize = 64 << 20;

/// What stands on a line.
#[derive(Debug)]
pub enum Read {
    /// A record.
    Record(Value),
    /// No record: why, and on which line.
    Bad {
        /// The line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
    /// The file ends within a line: its writer was killed, or has not come to its end yet.
    Torn {
        /// The line, from 1.
        line: u64,
        /// How many bytes of it are there.
        bytes: usize,
    },
}

/// Reads a file line by line.
pub struct Lines {
    from: Box<dyn BufRead>,
    line: u64,
    ended: bool,
    text: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("line", &self.line).finish_non_exhaustive()
    }
}

impl Lines {
    /// The lines of a file; compressed where its name says so, or where it was compressed meanwhile.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_named_so = path.extension().is_some_and(|end| end == ZSTD);
        let (file, is_compressed) = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named_so => {
                let mut packed = path.as_os_str().to_owned();
                packed.push(".");
                packed.push(ZSTD);
                (File::open(packed).map_err(|_| error)?, true)
            }
            opened => (opened?, is_named_so),
        };
        Ok(if is_compressed {
            Self::of(BufReader::new(zstd::stream::read::Decoder::new(file)?))
        } else {
            Self::of(BufReader::new(file))
        })
    }

    /// The lines of something.
    pub fn of(from: impl BufRead + 'static) -> Self {
        Self { from: Box::new(from), line: 0, ended: false, text: Vec::new() }
    }

    /// Reads on where the end was, for a file that grows.
    pub const fn go_on(&mut self) {
        self.ended = false;
    }

    /// Appends to `text` until a line ends; whether it did.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            let there = self.from.fill_buf()?;
            if there.is_empty() {
                return Ok(false);
            }
            let end = there.iter().position(|byte| *byte == b'\n');
            let take = end.map_or(there.len(), |end| end + 1);
            // Of a line that is too long the first bytes are enough to say so.
            if self.text.len() <= MOST_LINE {
                self.text.extend_from_slice(there.get(..take).unwrap_or_default());
            }
            self.from.consume(take);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Read;

    fn next(&mut self) -> Option<Read> {
        self.next_with(None)
    }
}

impl Lines {
    /// The next line, or the next that has this text on it; the others are not even parsed.
    pub fn next_with(&mut self, needle: Option<&str>) -> Option<Read> {
        loop {
            let read = self.next_line(needle)?;
            if let Some(read) = read {
                return Some(read);
            }
        }
    }

    /// `Some(None)`: a line that is passed over.
    #[expect(clippy::option_option, reason = "the outer one: whether there is a line")]
    fn next_line(&mut self, needle: Option<&str>) -> Option<Option<Read>> {
        if self.ended {
            return None;
        }
        let line = self.line + 1;
        match self.fill() {
            Err(error) => {
                self.ended = true;
                Some(Some(Read::Bad { line, why: error.to_string() }))
            }
            Ok(false) => {
                self.ended = true;
                let bytes = self.text.len();
                (bytes > 0).then_some(Some(Read::Torn { line, bytes }))
            }
            Ok(true) => {
                self.line = line;
                let is_passed_over = needle.is_some_and(|needle| !holds(&self.text, needle));
                let read = (!is_passed_over).then(|| parsed(line, self.text.trim_ascii_end()));
                self.text.clear();
                Some(read)
            }
        }
    }
}

fn holds(text: &[u8], needle: &str) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.contains(needle))
}

fn parsed(line: u64, text: &[u8]) -> Read {
    if text.len() > MOST_LINE {
        return Read::Bad { line, why: format!("it has more than {MOST_LINE} bytes") };
    }
    match serde_json::from_slice::<Value>(text) {
        Ok(record) if record.get("v").and_then(Value::as_u64) == Some(1) => Read::Record(record),
        Ok(record) => {
            let version = record.get("v").map_or("no version".to_owned(), |v| format!("version {v}"));
            Read::Bad { line, why: format!("it is no record of version 1: {version}") }
        }
        Err(error) => Read::Bad { line, why: error.to_string() },
    }
}
