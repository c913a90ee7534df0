//! Header blocks of HTTP/2 (HPACK, RFC 7541): what requests send, and what answers say.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::huffman;

/// What a server may keep of the headers that it has sent: the default, which is never changed.
const MOST_KEPT: usize = 4_096;
/// What an entry counts besides its texts.
const ENTRY: usize = 32;
/// The entries that both sides know from the start.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
    ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""),
    ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""),
    ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""),
    ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""),
    ("retry-after", ""), ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""),
    ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

/// The headers of a connection's requests, all of which ask for one path.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The block of the first request, which teaches the server the texts.
    pub first: Vec<u8>,
    /// That of all others, which refers to them.
    pub others: Vec<u8>,
}

impl Asking {
    /// For a method of gRPC, by its path.
    pub fn of(path: &str, is_tls: bool) -> Self {
        // POST, and the scheme.
        let start = [0x83, if is_tls { 0x87 } else { 0x86 }];
        let mut first = start.to_vec();
        let agent = concat!("tollgate-bench/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [(4, path), (1, "tollgate"), (31, "application/grpc"), (58, agent)] {
            first.push(0x40 | name);
            put_text(&mut first, value);
        }
        first.push(0x40);
        put_text(&mut first, "te");
        put_text(&mut first, "trailers");
        // The new entries follow the static ones, the newest first: the path, taught first, is the last.
        let mut others = start.to_vec();
        others.extend([0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
        Self { first, others }
    }
}

/// A text of at most 126 bytes, without Huffman's code.
fn put_text(out: &mut Vec<u8>, value: &str) {
    out.push(u8::try_from(value.len()).unwrap_or_default());
    out.extend_from_slice(value.as_bytes());
}

/// A name and a value.
type Pair<'s> = (Cow<'s, [u8]>, Cow<'s, [u8]>);

/// What a server has taught one connection.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    size: usize,
    most: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, most: MOST_KEPT }
    }
}

impl Decoder {
    /// Shows each header of a block; `None` where the block is malformed.
    pub fn read(&mut self, block: &[u8], mut see: impl FnMut(&[u8], &[u8])) -> Option<()> {
        let mut rest = block;
        while let Some(first) = rest.first().copied() {
            match first {
                0x80.. => {
                    let (name, value) = self.entry(number(&mut rest, 7)?)?;
                    see(name, value);
                }
                0x40..0x80 => {
                    let (name, value) = self.literal(&mut rest, 6)?;
                    see(&name, &value);
                    let (name, value) = (name.into_owned(), value.into_owned());
                    self.keep(name, value);
                }
                0x20..0x40 => {
                    let most = number(&mut rest, 5)?;
                    self.most = (most <= MOST_KEPT).then_some(most)?;
                    self.evict();
                }
                _ => {
                    let (name, value) = self.literal(&mut rest, 4)?;
                    see(&name, &value);
                }
            }
        }
        Some(())
    }

    fn literal<'s, 'b: 's>(&'s self, rest: &mut &'b [u8], bits: u32) -> Option<Pair<'s>> {
        let name = match number(rest, bits)? {
            0 => text(rest)?,
            at => Cow::Borrowed(self.entry(at)?.0),
        };
        Some((name, text(rest)?))
    }

    fn entry(&self, at: usize) -> Option<(&[u8], &[u8])> {
        let at = at.checked_sub(1)?;
        match STATIC.get(at) {
            Some((name, value)) => Some((name.as_bytes(), value.as_bytes())),
            None => self.entries.get(at - STATIC.len()).map(|(name, value)| (&name[..], &value[..])),
        }
    }

    fn keep(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.size += name.len() + value.len() + ENTRY;
        self.entries.push_front((name, value));
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.most {
            let Some((name, value)) = self.entries.pop_back() else { return };
            self.size -= name.len() + value.len() + ENTRY;
        }
    }
}

/// A number whose first bits are the last ones of a byte; at most 2^28.
fn number(rest: &mut &[u8], bits: u32) -> Option<usize> {
    let (first, mut after) = rest.split_first()?;
    let mask = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & mask;
    let mut shift = 0;
    let mut more = number == mask;
    while more {
        let (byte, tail) = after.split_first()?;
        (shift < 28).then_some(())?;
        number += usize::from(byte & 0x7f) << shift;
        shift += 7;
        more = byte & 0x80 != 0;
        after = tail;
    }
    *rest = after;
    Some(number)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let is_coded = rest.first()? & 0x80 != 0;
    let length = number(rest, 7)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    if is_coded { huffman::decode(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder, block: &[u8]) -> Option<Vec<String>> {
        let mut seen = Vec::new();
        let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        decoder.read(block, |name, value| seen.push(format!("{}={}", show(name), show(value))))?;
        Some(seen)
    }

    /// RFC 7541, C.6: three answers with Huffman's code over a table of 256 bytes.
    #[test]
    fn it_reads_the_answers_of_the_standard_and_evicts_as_they_do() {
        let mut decoder = Decoder { most: 256, ..Decoder::default() };
        let first = [
            &[0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0, 0x7a, 0xbe]
                [..],
            &[0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0, 0x82, 0xa6],
            &[0x2d, 0x1b, 0xff, 0x6e, 0x91, 0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8],
            &[0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3],
        ]
        .concat();
        let (date, at) = ("date=Mon, 21 Oct 2013 20:13:21 GMT", "location=https://www.example.com");
        let want = [":status=302", "cache-control=private", date, at];
        assert_eq!(all(&mut decoder, &first).unwrap(), want);
        assert_eq!(decoder.size, 222);
        let second = [0x48, 0x83, 0x64, 0x0e, 0xff, 0xc1, 0xc0, 0xbf];
        let want = [":status=307", "cache-control=private", date, at];
        assert_eq!(all(&mut decoder, &second).unwrap(), want);
        assert_eq!((decoder.size, decoder.entries.len()), (222, 4), "the first status made room");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for block in [
            &[0x80][..],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbf],
            &[0x40, 0x05, b'a'],
            &[0x3f, 0xff, 0x7f],
        ] {
            assert_eq!(all(&mut Decoder::default(), block), None, "{block:?}");
        }
    }

    #[test]
    fn a_server_understands_the_second_request_too() {
        let asking = Asking::of("/a.B/C", false);
        let mut server = Decoder::default();
        let first = all(&mut server, &asking.first).unwrap();
        let second = all(&mut server, &asking.others).unwrap();
        assert_eq!(first, second);
        assert!(first.contains(&":path=/a.B/C".to_owned()) && first.contains(&"te=trailers".to_owned()));
    }
}
