//! What a server's frames mean for the requests in flight.

use std::io;
use std::rc::Rc;

use super::connection::Connection;
use super::flight::Flying;
use super::job::{Gone, Job, Trouble};
use super::outgoing::ONLY;
use super::question::Kind;
use super::reply;
use super::tally::{Fault, Tally};
use super::wire::{ACK, END_HEADERS, END_STREAM, Frame, WIDEST, kind, setting};

/// So many bytes are taken before the server is allowed as many more.
const RENEW: u32 = WIDEST / 2;
/// The longest block of headers, and the longest message, that are put together.
const MOST_HEADERS: usize = 64 << 10;
const MOST_MESSAGE: usize = 64 << 20;

/// What the last headers of an answer say.
#[derive(Debug, Default)]
struct Said {
    http: Option<u16>,
    grpc: Option<u8>,
    message: String,
}

impl Connection {
    /// Takes one frame.
    pub(super) fn hear(&mut self, frame: Frame<'_>) -> Result<(), Gone> {
        match frame.kind {
            kind::DATA => {
                self.taken =
                    self.taken.saturating_add(u32::try_from(frame.payload.len()).unwrap_or(u32::MAX));
                self.data(frame)
            }
            kind::HEADERS => {
                let content = frame.content().ok_or_else(broken)?;
                self.head(frame, frame.stream, frame.flags, content)
            }
            kind::CONTINUATION => {
                let (stream, flags, mut block) = self.block.take().ok_or_else(broken)?;
                block.extend_from_slice(frame.payload);
                self.head(frame, stream, flags, &block)
            }
            kind::SETTINGS if !frame.has(ACK) => {
                self.settings(frame);
                Ok(())
            }
            kind::PING if !frame.has(ACK) => {
                self.out.acknowledge(kind::PING, frame.payload);
                Ok(())
            }
            kind::WINDOW_UPDATE => {
                self.out.allow(frame.stream, frame.number());
                Ok(())
            }
            kind::RST_STREAM if self.is_stream() => Err(lost("the server has reset the stream")),
            kind::RST_STREAM => {
                if let Some(flying) = self.flight.take(number_of(frame.stream)) {
                    self.end(flying, Err((Fault::Reset, "the server has reset the request")));
                }
                Ok(())
            }
            kind::GOAWAY => {
                // What it has taken before, it answers.
                self.is_closing = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Gives the server room for as much as it has filled.
    pub(super) fn allow_more(&mut self) {
        if self.taken < RENEW {
            return;
        }
        let more = std::mem::take(&mut self.taken).to_be_bytes();
        self.out.control(kind::WINDOW_UPDATE, 0, 0, &more);
        if self.is_stream() {
            self.out.control(kind::WINDOW_UPDATE, 0, ONLY, &more);
        }
    }

    fn settings(&mut self, frame: Frame<'_>) {
        for (name, value) in frame.settings() {
            match name {
                setting::MAX_CONCURRENT_STREAMS if !self.is_stream() => {
                    self.most_open = self.most_open.min(value as usize);
                }
                setting::INITIAL_WINDOW_SIZE => self.out.set_stream_room(value),
                _ => {}
            }
        }
        self.has_settings = true;
        self.out.acknowledge(kind::SETTINGS, &[]);
    }

    fn data(&mut self, frame: Frame<'_>) -> Result<(), Gone> {
        let content = frame.content().ok_or_else(broken)?;
        let known = self.parts.iter().position(|(stream, _)| *stream == frame.stream);
        let before = known.map(|at| self.parts.swap_remove(at).1);
        let joined = before.map(|part| [&part, content].concat());
        let mut rest = joined.as_deref().unwrap_or(content);
        while let Some(message) = reply::message(&mut rest) {
            self.message(frame.stream, message)?;
        }
        if rest.len() > MOST_MESSAGE {
            return Err(broken());
        }
        if !rest.is_empty() && !frame.has(END_STREAM) {
            self.parts.push((frame.stream, rest.to_vec()));
        }
        if frame.has(END_STREAM) {
            // An answer ends with trailers, which say its status.
            return self.ended(frame.stream, &Said::default());
        }
        Ok(())
    }

    fn message(&mut self, stream: u32, message: &[u8]) -> Result<(), Gone> {
        let kind = self.job.questions.kind;
        if kind == Kind::Stream {
            return self.item(message);
        }
        let Some(flying) = self.flight.get(number_of(stream)) else { return Ok(()) };
        flying.is_answered = true;
        let is_measured = flying.is_measured;
        let mut single = None;
        let job = Rc::clone(&self.job);
        let mut tally = job.tally.borrow_mut();
        let read = reply::decisions(kind, message, |decision| {
            if kind == Kind::Single {
                single = Some((decision.effect, decision.reason));
            } else if is_measured {
                tally.decided(decision.effect, decision.reason);
            }
        });
        drop(tally);
        flying.decided = single;
        if read.is_none()
            && let Some(flying) = self.flight.take(number_of(stream))
        {
            self.end(flying, Err((Fault::Malformed, "the answer is no message of this method")));
        }
        Ok(())
    }

    /// An answer of the stream, which names its request.
    fn item(&mut self, message: &[u8]) -> Result<(), Gone> {
        let mut answers: Option<(u32, u64, u64)> = None;
        let read = reply::decisions(Kind::Stream, message, |decision| {
            let name = std::str::from_utf8(decision.request_id).ok();
            let number = name.and_then(|name| u32::from_str_radix(name, 16).ok());
            answers = number.map(|number| (number, decision.effect, decision.reason));
        });
        let flying = answers.and_then(|(number, ..)| self.flight.take(number));
        let (Some(()), Some((_, effect, reason)), Some(mut flying)) = (read, answers, flying) else {
            return Err(lost("an answer of the stream names no request that is in flight"));
        };
        flying.decided = Some((effect, reason));
        self.end(flying, Ok(()));
        Ok(())
    }

    fn head(&mut self, frame: Frame<'_>, stream: u32, flags: u8, content: &[u8]) -> Result<(), Gone> {
        if !frame.has(END_HEADERS) {
            if content.len() > MOST_HEADERS {
                return Err(broken());
            }
            self.block = Some((stream, flags, content.to_vec()));
            return Ok(());
        }
        let mut said = Said::default();
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse::<u16>().ok();
        let read = self.headers.read(content, |name, value| match name {
            b":status" => said.http = number(value),
            b"grpc-status" => said.grpc = number(value).and_then(|code| u8::try_from(code).ok()),
            b"grpc-message" => said.message = decoded(value),
            _ => {}
        });
        read.ok_or_else(broken)?;
        if flags & END_STREAM == 0 { Ok(()) } else { self.ended(stream, &said) }
    }

    /// A stream has ended, and its last headers said so much.
    fn ended(&mut self, stream: u32, said: &Said) -> Result<(), Gone> {
        let method = self.job.questions.method();
        match said.grpc {
            Some(12) => Err(Trouble::Unknown { method: method.to_owned(), said: said.message.clone() })?,
            Some(7 | 16) => Err(Trouble::Refused(said.message.clone()))?,
            _ => {}
        }
        let fault = match (said.grpc, said.http) {
            (Some(0), _) => None,
            (Some(code), _) => Some(Fault::Status(code)),
            (None, Some(status)) if status != 200 => Some(Fault::Http(status)),
            (None, _) => Some(Fault::Malformed),
        };
        if self.is_stream() {
            self.is_ended = true;
            if let (Some(fault), true) = (fault, self.flight.len() > 0) {
                self.give_up(fault, &said.message);
            }
            self.is_closing = true;
            return if self.flight.len() > 0 { Err(lost("the server has ended the stream")) } else { Ok(()) };
        }
        let Some(flying) = self.flight.take(number_of(stream)) else { return Ok(()) };
        self.parts.retain(|(other, _)| *other != stream);
        let is_answered = flying.is_answered;
        self.end(
            flying,
            match fault {
                Some(fault) => Err((fault, &said.message)),
                None if is_answered => Ok(()),
                None => Err((Fault::Malformed, "an answer without a message")),
            },
        );
        Ok(())
    }

    /// Counts what became of a request.
    fn end(&self, flying: Flying, outcome: Result<(), (Fault, &str)>) {
        let job: &Job = &self.job;
        match outcome {
            Ok(()) => job.progress.answered(1),
            Err(_) => job.progress.failed(1),
        }
        let now = job.now.get();
        let mut tally = job.tally.borrow_mut();
        tally.all_answered += u64::from(outcome.is_ok());
        if flying.is_measured {
            count(&mut tally, flying, now, outcome);
        }
    }
}

fn count(tally: &mut Tally, flying: Flying, now: u64, outcome: Result<(), (Fault, &str)>) {
    match outcome {
        Ok(()) => {
            tally.answered += 1;
            tally.last = tally.last.max(now);
            tally.latency.saturating_record(now.saturating_sub(flying.intended));
            tally.from_sending.saturating_record(now.saturating_sub(flying.sent));
            if let Some((effect, reason)) = flying.decided {
                tally.decided(effect, reason);
            }
        }
        Err((fault, said)) => tally.failed(fault, said),
    }
}

/// Which request a stream of its own belongs to.
const fn number_of(stream: u32) -> u32 {
    stream.wrapping_sub(1) / 2
}

fn lost(why: &str) -> Gone {
    Gone::Io(io::Error::other(why.to_owned()))
}

fn broken() -> Gone {
    lost("the server breaks the rules of HTTP/2")
}

/// The text of a `grpc-message`, whose bytes are percent-encoded.
fn decoded(value: &[u8]) -> String {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                text.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                text.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_status_are_decoded() {
        assert_eq!(decoded(b"a%20b%C3%A9 100%, %zz"), "a bé 100%, %zz");
    }
}
