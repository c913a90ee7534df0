//! The thread that sends batches to a collector: one after the other, each until it arrives.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};

use super::spool::{Content, Parcel, Spool};
use crate::clock::{self, Clock};
use crate::decision_log::options::Collector;

/// The name of a batch, by which a collector knows one that comes twice.
const BATCH: &str = "tollgate-batch";
/// The first wait after a failure, and the longest.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// The longest wait that a collector may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);
/// A batch that was refused so often for what it is will not be taken later either.
const REFUSALS: u32 = 10;

/// Sends what is in a spool.
pub struct Sender {
    spool: Arc<Spool>,
    client: Client,
    url: String,
    /// The same without its query, which may hold a token.
    shown: String,
    auth_file: Option<PathBuf>,
    clock: Clock,
    gives_up: bool,
}

/// Why a batch did not arrive.
struct Failed {
    why: String,
    /// How long the collector wants to be left alone.
    wish: Option<Duration>,
    /// Whether it would not take it later either.
    for_good: bool,
    /// Whether there is nothing to send any more.
    is_gone: bool,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, wish: None, for_good: false, is_gone: false }
    }
}

impl Sender {
    pub fn new(options: &Collector, spool: Arc<Spool>, clock: Clock, gives_up: bool) -> anyhow::Result<Self> {
        let mut client = Client::builder()
            .timeout(options.timeout)
            .connect_timeout(options.timeout)
            .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
            // A token goes nowhere but where it was told to.
            .redirect(redirect::Policy::none());
        if let Some(path) = &options.ca_file {
            let shown = path.display();
            let pem = std::fs::read(path)
                .with_context(|| format!("{shown}: the certificates of the collector cannot be read"))?;
            let all = reqwest::Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{shown}: these are no certificates in PEM"))?;
            client = client.tls_certs_merge(all);
        }
        let client = client.build().context("the collector cannot be spoken to")?;
        let (url, auth_file) = (options.url.clone(), options.auth_file.clone());
        let shown = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        Ok(Self { spool, client, url, shown, auth_file, clock, gives_up })
    }

    /// Sends until nothing comes any more and nothing is left, or what is left does not arrive.
    pub fn run(self) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.send_all()),
            Err(error) => self.spool.failed(error.to_string()),
        }
    }

    async fn send_all(&self) {
        let (mut failures, mut refusals) = (0_u32, 0_u32);
        loop {
            let Some(parcel) = self.spool.first() else {
                if self.spool.has_ended() {
                    return;
                }
                self.spool.came.notified().await;
                continue;
            };
            match self.send(&parcel).await {
                Ok(()) => {
                    (failures, refusals) = (0, 0);
                    self.spool.sent();
                    self.spool.works();
                }
                Err(failed) => {
                    failures += 1;
                    refusals += u32::from(failed.for_good);
                    let why = format!("{}: {}", self.shown, failed.why);
                    if failed.is_gone || (self.gives_up && refusals >= REFUSALS) {
                        self.spool.give_up(&why);
                        refusals = 0;
                    }
                    self.spool.failed(why);
                    if self.spool.has_ended() {
                        return;
                    }
                    self.rest(failures, failed.wish).await;
                }
            }
        }
    }

    /// Waits longer after each failure, by chance, so that not everybody comes back at once; at least
    /// as long as the collector wants, at most until the log ends.
    async fn rest(&self, failures: u32, wish: Option<Duration>) {
        let most = AGAIN.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(AGAIN_AT_MOST);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let chance = Duration::from_nanos(clock::any_seed() % nanos.max(1));
        let wait = wish.map_or(chance, |wish| wish.min(LONGEST_WISH) + chance / 10);
        let ended = async {
            while !self.spool.has_ended() && !self.spool.take_haste() {
                self.spool.came.notified().await;
            }
        };
        // Once more at the end.
        let _ = tokio::time::timeout(wait, ended).await;
    }

    async fn send(&self, parcel: &Parcel) -> Result<(), Failed> {
        let body = packed(&parcel.content).map_err(|error| {
            // Whoever has deleted it does not want it to hold up the others.
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            Failed { is_gone, ..Failed::from(format!("the batch {}: {error}", parcel.name)) }
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        if let Ok(name) = HeaderValue::from_str(&parcel.name) {
            headers.insert(BATCH, name);
        }
        if let Some(value) = self.authorization()? {
            headers.insert(AUTHORIZATION, value);
        }
        let sent = self.client.post(&self.url).headers(headers).body(body).send().await;
        let reply = sent.map_err(|error| {
            // The address is told once, and without its query.
            let error = anyhow::Error::from(error.without_url());
            Failed::from(format!("{error:#}"))
        })?;
        let status = reply.status();
        if status.is_success() {
            return Ok(());
        }
        let for_good = matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::UNPROCESSABLE_ENTITY
        );
        let wish = reply.headers().get(RETRY_AFTER).and_then(|value| self.wish(value.to_str().ok()?));
        Err(Failed { why: format!("it answers {status}"), wish, for_good, is_gone: false })
    }

    /// Read each time, so that a new token is taken without a restart.
    fn authorization(&self) -> Result<Option<HeaderValue>, Failed> {
        let Some(path) = &self.auth_file else { return Ok(None) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let mut value = HeaderValue::from_str(text.trim())
            .map_err(|_| format!("{shown}: it holds no value of a header"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// `Retry-After`: seconds, or a date.
    fn wish(&self, text: &str) -> Option<Duration> {
        if let Ok(seconds) = text.trim().parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
        let wait = date.as_nanosecond() - i128::from(self.clock.wall().nanos());
        u64::try_from(wait.max(0)).ok().map(Duration::from_nanos)
    }
}

fn packed(content: &Content) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    match content {
        Content::Memory(lines) => packed.write_all(lines)?,
        Content::File(path) => {
            io::copy(&mut std::fs::File::open(path)?, &mut packed)?;
        }
    }
    packed.finish()
}
