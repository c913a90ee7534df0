//! Places inside a text of a document: lines may be folded in it, and characters escaped.

use super::SourceFile;
use crate::model::{Finding, Place};
use std::iter::Peekable;
use std::str::Chars;

/// Behind this many bytes of one line no place is looked for.
const LONGEST_LINE: usize = 64 << 10;

/// Moves findings about a part of a text to where that part stands in the files that were read.
pub fn locate(findings: &mut [Finding], files: &[SourceFile<'_>]) {
    if findings.iter().all(|finding| finding.within.is_none()) {
        return;
    }
    let mut sorted: Vec<&SourceFile<'_>> = files.iter().collect();
    sorted.sort_by_key(|file| file.name);
    let texts: Vec<Text<'_>> = sorted.iter().map(|file| Text::of(file.bytes)).collect();
    for finding in findings {
        let Some(within) = finding.within.take() else { continue };
        let text = texts.get(usize::from(finding.place.file));
        if let Some(place) = text.and_then(|text| text.end_of(&within, finding.place)) {
            finding.place = place;
        }
    }
}

/// What a file holds, and where its lines start.
struct Text<'b> {
    text: &'b str,
    lines: Vec<usize>,
}

impl<'b> Text<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(body).unwrap_or_default();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    /// The place of the last character of `start`, which begins the text at `place`.
    fn end_of(&self, start: &str, place: Place) -> Option<Place> {
        let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let rest = self.text.get(*self.lines.get(line)?..)?;
        let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
        let (at, first) = rest.char_indices().take(LONGEST_LINE).nth(column)?;
        let raw = rest.get(at..)?;
        let written = match first {
            '\'' => Written::Single,
            '"' => Written::Double,
            _ => Written::Plain,
        };
        // a block of lines may start with a quote of its own
        [written, Written::Plain]
            .into_iter()
            .find_map(|written| Reader::new(raw, place, written).end_of(start))
    }
}

/// How a text is written.
#[derive(Clone, Copy, PartialEq)]
enum Written {
    /// As it is, over one line or several.
    Plain,
    /// `'it''s'`
    Single,
    /// `"a\tb"`
    Double,
}

/// Reads a text as it is written, from character to character.
struct Reader<'r> {
    rest: Peekable<Chars<'r>>,
    written: Written,
    /// The place of the next character.
    next: Place,
}

impl<'r> Reader<'r> {
    fn new(raw: &'r str, place: Place, written: Written) -> Self {
        let mut reader = Self { rest: raw.chars().peekable(), written, next: Place { length: 1, ..place } };
        if written != Written::Plain {
            reader.step();
        }
        reader
    }

    /// Where the last character of `start` stands, if the text starts so. White space is passed
    /// over: lines are folded, and indented.
    fn end_of(mut self, start: &str) -> Option<Place> {
        let mut last = None;
        for wanted in start.chars().filter(|c| !c.is_whitespace()) {
            let (place, met) = self.visible()?;
            last = (met == wanted).then_some(place);
            last?;
        }
        last
    }

    fn visible(&mut self) -> Option<(Place, char)> {
        loop {
            let place = self.next;
            let c = self.character()?;
            if !c.is_whitespace() {
                return Some((place, c));
            }
        }
    }

    fn character(&mut self) -> Option<char> {
        let c = self.step()?;
        match (self.written, c) {
            (Written::Single, '\'') => self.step().filter(|second| *second == '\''),
            (Written::Double, '"') => None,
            (Written::Double, '\\') => self.escaped(),
            _ => Some(c),
        }
    }

    fn escaped(&mut self) -> Option<char> {
        match self.step()? {
            'x' => self.code(2),
            'u' => self.code(4),
            'U' => self.code(8),
            'n' | 't' | 'r' | 'v' | 'f' | 'N' | '_' | 'L' | 'P' => Some(' '),
            '0' => Some('\0'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'e' => Some('\u{1b}'),
            itself => Some(itself),
        }
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let first = self.hex(digits)?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        // JSON writes what lies beyond 16 bits as two escapes
        let is_pair = self.step() == Some('\\') && self.step() == Some('u');
        let second = if is_pair { self.hex(4)?.checked_sub(0xDC00)? } else { return None };
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second)
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        (0..digits).try_fold(0, |code, _| Some(code * 16 + self.step()?.to_digit(16)?))
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            (self.next.line, self.next.column) = (self.next.line.saturating_add(1), 1);
        } else {
            self.next.column = self.next.column.saturating_add(1);
        }
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Code;

    #[test]
    fn the_end_of_a_start_is_found_however_the_text_is_written() {
        for (text, (line, column), start, want) in [
            ("when: |\n  a >\n   b && c", (2, 3), "a >\n b", Some((3, 4))),
            ("when: >-\r\n  a >\r\n\r\n  b && c", (2, 3), "a >\nb &&", Some((4, 6))),
            ("when: |\n  \"a\" == b", (2, 3), "\"a\" == b", Some((2, 10))),
            ("when: |\n  'a' == b", (2, 3), "'a' == b", Some((2, 10))),
            ("when: a >\n  b && c", (1, 7), "a > b", Some((2, 3))),
            ("when: 'a == ''x'' &&\n\n b'", (1, 7), "a == 'x' &&\nb", Some((3, 2))),
            ("when: \"a == \\\"\\u00e9\\\" \\\n   && b\"", (1, 7), "a == \"é\" && b", Some((2, 7))),
            ("{\"when\": \"\\ud83d\\ude00\\n\\\\ \\/ b\"}", (1, 10), "😀\n\\ / b", Some((1, 31))),
            ("when: \"\\x41\\U00000042\\tC\"", (1, 7), "AB\tC", Some((1, 24))),
            // another text stands there, or none
            ("when: *alias", (1, 7), "a > b", None),
            ("when: 'a'", (1, 7), "a > b", None),
            ("when: \"\\ud83d\"", (1, 7), "a", None),
            ("when: a", (2, 1), "a", None),
            ("when: a", (1, 90), "a", None),
            ("", (0, 0), "a", None),
        ] {
            let place = Place { file: 1, line, column, length: 9 };
            let mut finding = Finding::error(Code::BadExpression, place, "wrong");
            finding.within = Some(start.into());
            let mut findings = [finding];
            let files = [("b.yaml", text), ("a.yaml", "")];
            let files = files.map(|(name, text)| SourceFile { name, bytes: text.as_bytes() });
            locate(&mut findings, &files);
            let found = findings[0].place;
            let want = want.map_or(place, |(line, column)| Place { file: 1, line, column, length: 1 });
            assert_eq!((found, &findings[0].within), (want, &None), "{text}");
        }
    }
}
