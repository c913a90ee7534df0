//! What is to be written, within what the server allows.

use std::io;
use std::task::{Context, Poll};

use super::target::Stream;
use super::wire::{ACK, END_HEADERS, END_STREAM, HEAD, LONGEST, PREFACE, WIDEST, WINDOW, kind, put, setting};

/// The stream of all requests, where there is one.
pub(super) const ONLY: u32 = 1;

/// Frames on their way to the server.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    is_flushed: bool,
    /// What may be sent ahead on the connection, on a fresh stream, on the one that is written.
    room: i64,
    fresh_room: i64,
    stream_room: i64,
    stream: u32,
    /// Where the frame of data begins to which messages may be added.
    frame: Option<usize>,
    held: Option<Held>,
}

/// What of a message the server does not take yet.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    from: usize,
    flags: u8,
}

impl Default for Outgoing {
    fn default() -> Self {
        let mut bytes = PREFACE.to_vec();
        let mut settings = setting::INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend(WIDEST.to_be_bytes());
        put(&mut bytes, kind::SETTINGS, 0, 0, &settings);
        let more = WIDEST - WINDOW as u32;
        put(&mut bytes, kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        Self {
            bytes,
            written: 0,
            is_flushed: false,
            room: WINDOW,
            fresh_room: WINDOW,
            stream_room: WINDOW,
            stream: 0,
            frame: None,
            held: None,
        }
    }
}

impl Outgoing {
    /// Bytes that wait to be written.
    pub(super) const fn waiting(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Whether a message waits for the server to allow more.
    pub(super) const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// A request of one message on a stream of its own.
    pub(super) fn put_request(
        &mut self,
        stream: u32,
        headers: &[u8],
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.start(stream, headers);
        self.data(END_STREAM, length, write);
        self.frame = None;
    }

    /// Opens the stream of all requests.
    pub(super) fn open_stream(&mut self, headers: &[u8]) {
        self.start(ONLY, headers);
    }

    /// One more message on it, in the same frame as the one before where that is not written yet.
    pub(super) fn put_message(&mut self, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(at) =
            self.frame.filter(|at| self.bytes.len() - at - HEAD + length <= LONGEST && self.fits(length))
        {
            write(&mut self.bytes);
            self.spend(length);
            self.set_length(at);
        } else {
            self.data(0, length, write);
        }
    }

    /// No further message will follow.
    pub(super) fn end_stream(&mut self) {
        self.control(kind::DATA, END_STREAM, ONLY, &[]);
    }

    /// A frame that no window holds back.
    pub(super) fn control(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.frame = None;
        put(&mut self.bytes, kind, flags, stream, payload);
    }

    pub(super) fn acknowledge(&mut self, kind: u8, payload: &[u8]) {
        self.control(kind, ACK, 0, payload);
    }

    /// The server allows more on the connection or on a stream.
    pub(super) fn allow(&mut self, stream: u32, more: u32) {
        if stream == 0 {
            self.room += i64::from(more);
        } else if stream == self.stream {
            self.stream_room += i64::from(more);
        }
        self.go_on();
    }

    /// The server says what it allows on each stream.
    pub(super) fn set_stream_room(&mut self, room: u32) {
        self.stream_room += i64::from(room) - self.fresh_room;
        self.fresh_room = i64::from(room);
        self.go_on();
    }

    fn start(&mut self, stream: u32, headers: &[u8]) {
        self.control(kind::HEADERS, END_HEADERS, stream, headers);
        self.stream = stream;
        self.stream_room = self.fresh_room;
    }

    fn fits(&self, length: usize) -> bool {
        i64::try_from(length).is_ok_and(|length| length <= self.room.min(self.stream_room))
    }

    fn spend(&mut self, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.room -= length;
        self.stream_room -= length;
    }

    fn data(&mut self, flags: u8, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if length <= LONGEST && self.fits(length) {
            let at = self.bytes.len();
            put(&mut self.bytes, kind::DATA, flags, self.stream, &[]);
            write(&mut self.bytes);
            self.set_length(at);
            self.spend(length);
            self.frame = Some(at);
            return;
        }
        let mut bytes = Vec::with_capacity(length);
        write(&mut bytes);
        self.held = Some(Held { bytes, from: 0, flags });
        self.go_on();
    }

    fn set_length(&mut self, at: usize) {
        let length = u32::try_from(self.bytes.len() - at - HEAD).unwrap_or_default().to_be_bytes();
        if let Some(head) = self.bytes.get_mut(at..at + 3) {
            head.copy_from_slice(&length[1..]);
        }
    }

    /// Writes of the held message what is allowed by now.
    fn go_on(&mut self) {
        while let Some(mut held) = self.held.take() {
            let left = held.bytes.len() - held.from;
            let allowed = usize::try_from(self.room.min(self.stream_room)).unwrap_or_default();
            let length = left.min(allowed).min(LONGEST);
            if length == 0 {
                self.held = Some(held);
                return;
            }
            let flags = if length == left { held.flags } else { 0 };
            let part = held.bytes.get(held.from..held.from + length).unwrap_or_default();
            self.frame = None;
            put(&mut self.bytes, kind::DATA, flags, self.stream, part);
            self.spend(length);
            held.from += length;
            if length < left {
                self.held = Some(held);
            }
        }
    }

    /// Writes what waits, as far as the system takes it.
    pub(super) fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> io::Result<()> {
        while self.written < self.bytes.len() {
            // From here on frames in the buffer are being read by the other side.
            self.frame = None;
            match stream.poll_write(cx, self.bytes.get(self.written..).unwrap_or_default()) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.bytes.drain(..std::mem::take(&mut self.written));
                    return Ok(());
                }
            }
            self.is_flushed = false;
        }
        self.bytes.clear();
        self.written = 0;
        if !self.is_flushed {
            self.is_flushed = match stream.poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map(|()| true)?,
                Poll::Pending => false,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::wire::Frame;

    fn frames(out: &mut Outgoing) -> Vec<(u8, u8, u32, usize)> {
        let bytes = std::mem::take(&mut out.bytes);
        out.frame = None;
        let mut rest = bytes.strip_prefix(PREFACE).unwrap_or(&bytes);
        let mut frames = Vec::new();
        while let Ok(frame) = Frame::first(rest) {
            frames.push((frame.kind, frame.flags, frame.stream, frame.payload.len()));
            rest = &rest[HEAD + frame.payload.len()..];
        }
        assert!(rest.is_empty());
        frames
    }

    fn bytes(length: usize) -> impl FnOnce(&mut Vec<u8>) {
        move |out| out.extend(vec![7; length])
    }

    fn greeted() -> Outgoing {
        let mut out = Outgoing::default();
        assert_eq!(frames(&mut out), [(kind::SETTINGS, 0, 0, 6), (kind::WINDOW_UPDATE, 0, 0, 4)]);
        out
    }

    #[test]
    fn messages_of_a_stream_share_frames_while_they_fit() {
        let mut out = greeted();
        out.open_stream(b"head");
        for _ in 0..3 {
            out.put_message(6_000, bytes(6_000));
        }
        let want =
            [(kind::HEADERS, END_HEADERS, 1, 4), (kind::DATA, 0, 1, 12_000), (kind::DATA, 0, 1, 6_000)];
        assert_eq!(frames(&mut out), want);
    }

    #[test]
    fn what_the_server_does_not_allow_yet_is_held() {
        let mut out = greeted();
        out.set_stream_room(20_000);
        out.put_request(1, b"head", 50_000, bytes(50_000));
        let sent = frames(&mut out);
        assert_eq!(sent[1..], [(kind::DATA, 0, 1, LONGEST), (kind::DATA, 0, 1, 20_000 - LONGEST)]);
        assert!(out.is_held());
        out.allow(3, 90_000);
        assert_eq!(frames(&mut out), []);
        out.allow(1, 90_000);
        assert_eq!(
            frames(&mut out),
            [(kind::DATA, 0, 1, LONGEST), (kind::DATA, END_STREAM, 1, 30_000 - LONGEST)]
        );
        assert!(!out.is_held());
        // Of the connection's 65,535 bytes 15,535 are left.
        out.put_request(3, b"head", 16_000, bytes(16_000));
        assert!(out.is_held());
        out.allow(0, 465);
        assert!(!out.is_held());
    }
}
