//! The few frames of HTTP/2 that a client of gRPC needs.

/// The first bytes of a connection.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame before its payload.
pub const HEAD: usize = 9;
/// What each side may send ahead before the other says more.
pub const WINDOW: i64 = 65_535;
/// The largest window that there is.
pub const WIDEST: u32 = 0x7fff_ffff;
/// The longest payload that everybody takes.
pub const LONGEST: usize = 16_384;

pub mod kind {
    //! Types of frames.
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub mod setting {
    //! Settings by number.
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// A frame that came in.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

/// Why there is no first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// It is not all here.
    Incomplete,
    /// It is longer than we have allowed.
    TooLong,
}

impl<'a> Frame<'a> {
    /// The first frame of these bytes.
    pub fn first(bytes: &'a [u8]) -> Result<Self, NoFrame> {
        let head: &[u8; HEAD] = bytes.first_chunk().ok_or(NoFrame::Incomplete)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if length > LONGEST {
            return Err(NoFrame::TooLong);
        }
        Ok(Self {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload: bytes.get(HEAD..HEAD + length).ok_or(NoFrame::Incomplete)?,
        })
    }

    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The number that is all of a payload.
    pub fn number(&self) -> u32 {
        self.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) & WIDEST)
    }

    /// What a frame of data or headers carries, without what pads it; `None` where that is too long.
    pub fn content(&self) -> Option<&'a [u8]> {
        let mut content = self.payload;
        if self.has(PADDED) {
            let (padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
        }
        if self.kind == kind::HEADERS && self.has(PRIORITY) {
            content = content.get(5..)?;
        }
        Some(content)
    }

    /// Each setting of a frame of settings.
    pub fn settings(&self) -> impl Iterator<Item = (u16, u32)> + 'a {
        let (settings, _) = self.payload.as_chunks::<6>();
        settings
            .iter()
            .map(|[a, b, c, d, e, f]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f])))
    }
}

/// Writes one frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_put() {
        let mut out = Vec::new();
        put(&mut out, kind::DATA, END_STREAM, 7, b"abc");
        let frame = Frame::first(&out).unwrap();
        assert_eq!((frame.kind, frame.stream, frame.content()), (kind::DATA, 7, Some(&b"abc"[..])));
        assert!(frame.has(END_STREAM));
        assert_eq!(Frame::first(&out[..11]).unwrap_err(), NoFrame::Incomplete);
        assert_eq!(Frame::first(b"HTTP/1.1 400 Bad Request").unwrap_err(), NoFrame::TooLong);
    }

    #[test]
    fn padding_and_priority_are_no_content() {
        let mut out = Vec::new();
        put(&mut out, kind::HEADERS, PADDED | PRIORITY, 1, &[2, 0, 0, 0, 0, 9, b'x', 0, 0]);
        assert_eq!(Frame::first(&out).unwrap().content(), Some(&b"x"[..]));
        out.clear();
        put(&mut out, kind::DATA, PADDED, 1, &[9, 0]);
        assert_eq!(Frame::first(&out).unwrap().content(), None);
    }

    #[test]
    fn settings_are_pairs() {
        let mut out = Vec::new();
        put(&mut out, kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 4, 0, 0, 4, 0, 16, 0, 0]);
        let settings: Vec<_> = Frame::first(&out).unwrap().settings().collect();
        assert_eq!(
            settings,
            [(setting::MAX_CONCURRENT_STREAMS, 1024), (setting::INITIAL_WINDOW_SIZE, 1 << 20)]
        );
    }
}
