//! One connection: writes the requests that are due, and reads what comes.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Interval, MissedTickBehavior};

use super::flight::{Flight, Flying};
use super::hpack::{Asking, Decoder};
use super::job::{Gone, Job, Trouble};
use super::outgoing::Outgoing;
use super::question::Kind;
use super::schedule::Schedule;
use super::tally::Fault;
use super::target::Stream;
use super::wire::{Frame, HEAD, NoFrame, WIDEST, kind};

/// Bytes that are read at once, at most; the longest frame is a part of it.
const READ: usize = 256 << 10;
/// Bytes that may wait to be written before no more are made.
const BACKLOG: usize = 1 << 20;
/// How often it is looked whether the load was stopped.
const TICK: Duration = Duration::from_millis(20);
/// The timer is no finer; what is due sooner is waited for by looking at the clock.
const COARSE: u64 = 2_000_000;
/// How long a stream may take to end after its last answer.
const FAREWELL: u64 = 1_000_000_000;

/// A connection with its requests.
pub(super) struct Connection {
    stream: Stream,
    pub(super) job: Rc<Job>,
    pub(super) asking: Asking,
    /// Which message is next.
    turn: usize,
    pub(super) out: Outgoing,
    pub(super) flight: Flight,
    pub(super) headers: Decoder,
    /// A block of headers that goes on in further frames, and the first of them.
    pub(super) block: Option<(u32, u8, Vec<u8>)>,
    /// The part of a message that is here, by stream.
    pub(super) parts: Vec<(u32, Vec<u8>)>,
    read: Box<[u8]>,
    filled: usize,
    /// Requests that the server takes at once.
    pub(super) most_open: usize,
    /// Bytes since we last allowed more.
    pub(super) taken: u32,
    pub(super) has_settings: bool,
    /// Whether the server takes no further requests here, or there are no numbers left.
    pub(super) is_closing: bool,
    /// Whether the stream of all requests has ended.
    pub(super) is_ended: bool,
    /// Whether what is due has been waiting for the server.
    is_blocked: bool,
    tick: Interval,
}

impl Connection {
    /// Greets the server, and waits until it has.
    pub(super) async fn open(job: Rc<Job>, place: usize) -> Result<Self, Gone> {
        let stream = job.target.connect().await.map_err(Gone::Io)?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection = Self {
            stream,
            asking: job.questions.asking(job.target.is_tls()),
            turn: place,
            out: Outgoing::default(),
            flight: Flight::default(),
            headers: Decoder::default(),
            block: None,
            parts: Vec::new(),
            read: vec![0; READ].into(),
            filled: 0,
            most_open: 1 << 16,
            taken: 0,
            has_settings: false,
            is_closing: false,
            is_ended: false,
            is_blocked: false,
            tick,
            job,
        };
        while !connection.has_settings {
            connection.exchange().await.map_err(greeted_by_nobody)?;
            connection.take()?;
            if connection.job.is_stopped() {
                return Err(Gone::Stopped);
            }
        }
        if connection.is_stream() {
            let Self { out, asking, .. } = &mut connection;
            out.open_stream(&asking.first);
        }
        Ok(connection)
    }

    /// Asks what is due until nothing will be, and waits for the last answers.
    pub(super) async fn ask(&mut self, schedule: &mut Schedule) -> Result<(), Gone> {
        loop {
            let now = self.job.clock.monotonic();
            self.put_due(schedule, now);
            if self.is_over(schedule, now) {
                return if self.is_stream() && !self.job.is_stopped() {
                    self.farewell(now).await
                } else {
                    Ok(())
                };
            }
            if self.is_closing && self.flight.len() == 0 {
                return Err(Gone::UsedUp);
            }
            self.wait(schedule, now).await?;
            self.take()?;
        }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.job.questions.kind == Kind::Stream
    }

    fn is_over(&self, schedule: &Schedule, now: u64) -> bool {
        let patience = schedule.span().until.saturating_add(self.job.patience);
        self.job.is_stopped() || (schedule.is_over(now) && self.flight.len() == 0) || now >= patience
    }

    fn put_due(&mut self, schedule: &mut Schedule, now: u64) {
        let mut sent = 0;
        let job = Rc::clone(&self.job);
        let mut tally = job.tally.borrow_mut();
        while let Some(intended) = schedule.due(now, self.flight.len()) {
            if !self.is_ready() {
                self.is_blocked = true;
                break;
            }
            let is_measured = schedule.is_measured(intended);
            self.put(Flying { intended, sent: now, is_measured, decided: None, is_answered: false });
            schedule.sent(intended);
            sent += 1;
            if is_measured {
                tally.sent += 1;
                if self.is_blocked {
                    tally.blocked += 1;
                } else {
                    tally.late.saturating_record(now - intended);
                }
            }
        }
        if schedule.due(now, self.flight.len()).is_none() {
            self.is_blocked = false;
        }
        job.progress.sent(sent);
    }

    /// Whether one more request can be written.
    fn is_ready(&self) -> bool {
        !self.is_closing
            && self.flight.len() < self.most_open
            && self.out.waiting() < BACKLOG
            && !self.out.is_held()
    }

    fn put(&mut self, flying: Flying) {
        let number = self.flight.next();
        let (job, turn) = (Rc::clone(&self.job), self.turn);
        let write = |out: &mut Vec<u8>| job.questions.write(out, turn, number);
        let length = job.questions.message(turn).len();
        if self.is_stream() {
            self.out.put_message(length, write);
        } else {
            let stream = 2 * number + 1;
            let headers = if number == 0 { &self.asking.first } else { &self.asking.others };
            self.out.put_request(stream, headers, length, write);
            self.is_closing |= stream >= WIDEST - 2;
        }
        self.flight.add(flying);
        self.turn += 1;
    }

    /// Waits until something came, or something is due.
    async fn wait(&mut self, schedule: &Schedule, now: u64) -> io::Result<()> {
        match schedule.next(now).filter(|_| !self.is_blocked).map(|next| next.saturating_sub(now)) {
            Some(gap) if gap < COARSE => {
                poll_fn(|cx| match self.poll_exchange(cx) {
                    Poll::Ready(done) => Poll::Ready(done),
                    Poll::Pending => Poll::Ready(Ok(())),
                })
                .await?;
                // Looks for what came, and gives other connections their turn.
                tokio::task::yield_now().await;
                Ok(())
            }
            Some(gap) => {
                let nap = tokio::time::sleep(Duration::from_nanos(gap - COARSE + 500_000));
                tokio::select! {
                    done = self.exchange() => done,
                    () = nap => Ok(()),
                }
            }
            None => self.exchange().await,
        }
    }

    /// Writes what waits and reads what is there, until something was read or the clock ticks.
    async fn exchange(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_exchange(cx)).await
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What cannot be written now must not keep us from reading: the server may wait for that.
        self.out.poll_write(&mut self.stream, cx)?;
        let mut space = ReadBuf::new(self.read.get_mut(self.filled..).unwrap_or_default());
        match self.stream.poll_read(cx, &mut space) {
            Poll::Ready(Ok(())) if space.filled().is_empty() => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")))
            }
            Poll::Ready(Ok(())) => {
                self.filled += space.filled().len();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.tick.poll_tick(cx));
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Takes all frames that are there.
    fn take(&mut self) -> Result<(), Gone> {
        self.job.now.set(self.job.clock.monotonic());
        let read = std::mem::take(&mut self.read);
        let mut rest = read.get(..self.filled).unwrap_or_default();
        let taken = loop {
            match Frame::first(rest) {
                Ok(frame) => {
                    if !self.has_settings && frame.kind != kind::SETTINGS {
                        break Err(Trouble::NotHttp2.into());
                    }
                    rest = rest.get(HEAD + frame.payload.len()..).unwrap_or_default();
                    if let Err(gone) = self.hear(frame) {
                        break Err(gone);
                    }
                }
                Err(NoFrame::Incomplete) => break Ok(()),
                Err(NoFrame::TooLong) => break Err(Trouble::NotHttp2.into()),
            }
        };
        let done = self.filled - rest.len();
        self.read = read;
        self.read.copy_within(done..self.filled, 0);
        self.filled -= done;
        self.allow_more();
        taken
    }

    /// Half-closes the stream of all requests and waits for its end.
    async fn farewell(&mut self, now: u64) -> Result<(), Gone> {
        self.out.end_stream();
        while !self.is_ended && self.job.clock.monotonic() < now.saturating_add(FAREWELL) {
            self.exchange().await?;
            self.take()?;
        }
        Ok(())
    }

    /// What is in flight will have no answer, for this reason.
    pub(super) fn give_up(&mut self, fault: Fault, why: &str) {
        let now = self.job.clock.monotonic();
        let job = Rc::clone(&self.job);
        let mut tally = job.tally.borrow_mut();
        job.progress.failed(self.flight.len() as u64);
        for flying in self.flight.take_all().filter(|flying| flying.is_measured) {
            tally.failed(fault, why);
            if fault == Fault::NoAnswer {
                // As long as this at least.
                tally.latency.saturating_record(now.saturating_sub(flying.intended));
                tally.from_sending.saturating_record(now.saturating_sub(flying.sent));
            }
        }
    }

    /// Somebody wants an end: what is in flight is as if it had never been sent.
    pub(super) fn forget(&mut self) {
        let job = Rc::clone(&self.job);
        let measured = self.flight.take_all().filter(|flying| flying.is_measured).count();
        let mut tally = job.tally.borrow_mut();
        tally.sent = tally.sent.saturating_sub(measured as u64);
    }
}

/// Who hangs up before the first word does not speak our language.
fn greeted_by_nobody(error: io::Error) -> Gone {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Trouble::NotHttp2.into(),
        _ => Gone::Io(error),
    }
}
