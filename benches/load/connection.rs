//! One connection that keeps so many requests in flight.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::wire::{self, Frame, HEAD, PREFACE, Questions, WINDOW, kind, put};
use super::{Answers, Span};

/// A request that waits for its answer.
struct Open {
    stream: u32,
    since: Instant,
    /// Whether a message came: an answer without one is an error.
    answered: bool,
}

pub struct Connection<S> {
    stream: S,
    questions: Rc<Questions>,
    turn: usize,
    next: u32,
    /// What may be sent ahead on the connection.
    window: i64,
    open: VecDeque<Open>,
    out: Vec<u8>,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(stream: S, questions: Rc<Questions>, turn: usize) -> Self {
        let mut out = PREFACE.to_vec();
        put(&mut out, kind::SETTINGS, 0, 0, &[]);
        // Answers of a turn fit into the largest window there is.
        let more = 0x7fff_ffff - WINDOW as u32;
        put(&mut out, kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        Self {
            stream,
            questions,
            turn,
            next: 1,
            window: WINDOW,
            open: VecDeque::new(),
            out,
            read: Vec::with_capacity(1 << 18),
        }
    }

    /// Asks until the time is over, and waits for the last answers.
    pub async fn ask(mut self, in_flight: usize, span: Span) -> anyhow::Result<Answers> {
        let mut answers = Answers::none()?;
        let mut now = Instant::now();
        loop {
            while self.open.len() < in_flight && now < span.until && self.has_window() {
                self.put(now);
            }
            if !self.out.is_empty() {
                self.stream.write_all(&self.out).await?;
                self.out.clear();
            }
            if self.open.is_empty() && now >= span.until {
                return Ok(answers);
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                anyhow::bail!("the server hung up");
            }
            now = Instant::now();
            self.take(now, span, &mut answers)?;
        }
    }

    fn has_window(&self) -> bool {
        self.questions.weight(self.turn) <= self.window
    }

    fn put(&mut self, now: Instant) {
        self.window -= self.questions.weight(self.turn);
        self.questions.put(&mut self.out, self.turn, self.next);
        self.open.push_back(Open { stream: self.next, since: now, answered: false });
        self.turn += 1;
        self.next += 2;
    }

    /// Takes all frames that are there.
    fn take(&mut self, now: Instant, span: Span, answers: &mut Answers) -> anyhow::Result<()> {
        let read = std::mem::take(&mut self.read);
        let mut rest = read.as_slice();
        while let Some(frame) = Frame::first(rest) {
            rest = &rest[HEAD + frame.payload.len()..];
            if let Some(since) = self.frame(frame)? {
                answers.all += 1;
                if now >= span.from && now < span.until {
                    answers.measured += 1;
                    answers.latency.record((now - since).as_nanos() as u64)?;
                }
            }
        }
        let done = read.len() - rest.len();
        self.read = read;
        self.read.drain(..done);
        Ok(())
    }

    /// When the request was written that this frame ends.
    fn frame(&mut self, frame: Frame<'_>) -> anyhow::Result<Option<Instant>> {
        match frame.kind {
            kind::DATA | kind::HEADERS => return self.answer(frame),
            kind::SETTINGS | kind::PING if frame.flags & wire::ACK == 0 => {
                let payload = if frame.kind == kind::PING { frame.payload } else { &[] };
                put(&mut self.out, frame.kind, wire::ACK, 0, payload);
            }
            kind::WINDOW_UPDATE if frame.stream == 0 => self.window += i64::from(frame.number()),
            kind::RST_STREAM | kind::GOAWAY => anyhow::bail!("the server gave up: {frame:?}"),
            _ => {}
        }
        Ok(None)
    }

    fn answer(&mut self, frame: Frame<'_>) -> anyhow::Result<Option<Instant>> {
        let at = self.open.iter().position(|open| open.stream == frame.stream);
        let Some((at, open)) = at.and_then(|at| Some((at, self.open.get_mut(at)?))) else {
            anyhow::bail!("an answer to no question: {frame:?}");
        };
        open.answered |= frame.kind == kind::DATA && !frame.payload.is_empty();
        if frame.flags & wire::END_STREAM == 0 {
            return Ok(None);
        }
        anyhow::ensure!(open.answered, "an answer without a message: {frame:?}");
        Ok(self.open.remove(at).map(|open| open.since))
    }
}
