//! The few frames of HTTP/2 that a client of one unary method needs.

/// The first bytes of a connection.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame before its payload.
pub const HEAD: usize = 9;
/// What each side may send ahead before the other says more.
pub const WINDOW: i64 = 65_535;

pub mod kind {
    //! Types of frames.
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
}

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame that came in.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of these bytes, if it is all here.
    pub fn first(bytes: &'a [u8]) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        Some(Self {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload: bytes.get(HEAD..HEAD + length)?,
        })
    }

    /// The number that is all of a payload.
    pub fn number(&self) -> u32 {
        self.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff)
    }
}

/// Writes one frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Requests as they travel.
#[derive(Debug)]
pub struct Questions {
    /// The header block of a connection's first request, which teaches the server the texts.
    first: Vec<u8>,
    /// That of all others, which refers to them.
    others: Vec<u8>,
    /// Messages with gRPC's prefix.
    messages: Vec<Vec<u8>>,
}

impl Questions {
    /// To the method of this path.
    pub fn new(path: &str, messages: impl Iterator<Item = Vec<u8>>) -> Self {
        // Indices of HPACK's static table: POST, http; names of path, authority, content-type.
        let mut first = vec![0x83, 0x86];
        for (name, value) in [(4, path), (1, "tollgate.test"), (31, "application/grpc"), (58, "bench")] {
            first.push(0x40 | name);
            text(&mut first, value);
        }
        first.push(0x40);
        text(&mut first, "te");
        text(&mut first, "trailers");
        // They follow the 61 static ones, the newest first: the path, taught first, is the last.
        let others = vec![0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62];
        let prefixed = |message: Vec<u8>| {
            let mut all = vec![0];
            all.extend_from_slice(&(message.len() as u32).to_be_bytes());
            all.extend_from_slice(&message);
            all
        };
        Self { first, others, messages: messages.map(prefixed).collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// What this one takes of the window.
    pub fn weight(&self, turn: usize) -> i64 {
        self.message(turn).len() as i64
    }

    /// Writes this request on this stream.
    pub fn put(&self, out: &mut Vec<u8>, turn: usize, stream: u32) {
        let headers = if stream == 1 { &self.first } else { &self.others };
        put(out, kind::HEADERS, END_HEADERS, stream, headers);
        put(out, kind::DATA, END_STREAM, stream, self.message(turn));
    }

    fn message(&self, turn: usize) -> &[u8] {
        &self.messages[turn % self.messages.len()]
    }
}

/// A text of HPACK, without Huffman's code; at most 126 bytes.
fn text(out: &mut Vec<u8>, value: &str) {
    out.push(value.len() as u8);
    out.extend_from_slice(value.as_bytes());
}
