//! Sends spans to the collector, on a thread of its own.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail};
use crossbeam_queue::ArrayQueue;
use metrics::counter;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::sync::oneshot;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::super::metrics::{SPANS_DROPPED, SPANS_EXPORTED};
use super::Options;
use super::span::Span;
use super::wire::Shared;

/// How often it is looked for spans.
const LOOK: Duration = Duration::from_millis(200);
/// Spans of one message.
const BATCH: usize = 512;
/// How long the collector may take over one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After one that failed, and the longest after many.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the last spans may take when the process ends.
const LAST: Duration = Duration::from_secs(1);
/// A file of headers beyond this is some other file.
const HEADER_BYTES: u64 = 64 << 10;

/// What sends spans, before it is started.
#[derive(Debug)]
pub struct Exporter {
    queue: Arc<ArrayQueue<Span>>,
    endpoint: Endpoint,
    name: String,
    headers: MetadataMap,
    shared: Shared,
}

/// An exporter that runs.
#[derive(Debug)]
pub struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Exporter {
    pub(super) fn new(options: &Options<'_>, queue: Arc<ArrayQueue<Span>>) -> anyhow::Result<Self> {
        let name = options.endpoint.to_owned();
        let endpoint =
            Endpoint::from_shared(name.clone()).with_context(|| format!("`{name}` is no address"))?;
        let mut endpoint = endpoint.connect_timeout(TIMEOUT).timeout(TIMEOUT);
        match (name.starts_with("https://"), options.authority) {
            (true, Some(path)) => {
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?));
                endpoint = endpoint
                    .tls_config(tls)
                    .with_context(|| format!("{}: no certificates in PEM", path.display()))?;
            }
            (true, None) => {
                bail!("`{name}` needs the certificates that sign its own; name them with `--otlp-ca-file`")
            }
            (false, Some(_)) => bail!(
                "`{name}` is asked in the clear, so that `--otlp-ca-file` says nothing; write `https://`"
            ),
            (false, None) => {}
        }
        let headers = options.headers.map(headers).transpose()?.unwrap_or_default();
        let shared = Shared::new(options.service, &options.instance);
        Ok(Self { queue, endpoint, name, headers, shared })
    }

    /// Sends until it is told to stop.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(self) -> anyhow::Result<Running> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            runtime.block_on(self.run(stopped));
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("traces".into()).spawn(run)?;
        Ok(Running { stop, thread })
    }

    async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let mut sender = Sender {
            client: TraceServiceClient::new(self.endpoint.connect_lazy()),
            batch: Vec::with_capacity(BATCH),
            pause: None,
            exporter: self,
        };
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                () = sender.round() => {}
            }
        }
        // One more try, and no longer than the process may wait for.
        let _ = tokio::time::timeout(LAST, sender.empty()).await;
        let left = sender.batch.len() + sender.exporter.queue.len();
        counter!(SPANS_DROPPED).increment(left as u64);
    }
}

impl Running {
    /// Sends what is left, which takes a second at most.
    pub fn close(self) {
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("what sends traces panicked; please report it");
        }
    }
}

struct Sender {
    exporter: Exporter,
    client: TraceServiceClient<Channel>,
    /// What is being sent; kept for the next try when that fails.
    batch: Vec<Span>,
    /// How long the collector is left alone now; `None`: it answers.
    pause: Option<Duration>,
}

impl Sender {
    /// Waits, and sends all there is. May be given up at any time.
    async fn round(&mut self) {
        tokio::time::sleep(self.pause.unwrap_or(LOOK)).await;
        self.empty().await;
    }

    /// Sends until nothing is left, or it fails.
    async fn empty(&mut self) {
        loop {
            while self.batch.len() < BATCH
                && let Some(span) = self.exporter.queue.pop()
            {
                self.batch.push(span);
            }
            if self.batch.is_empty() || !self.send().await {
                return;
            }
        }
    }

    /// Whether to go on.
    async fn send(&mut self) -> bool {
        let mut request = Request::new(self.exporter.shared.request(&self.batch));
        *request.metadata_mut() = self.exporter.headers.clone();
        let sent = tokio::time::timeout(TIMEOUT, self.client.export(request)).await;
        let sent = sent.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        let spans = self.batch.len() as u64;
        match sent {
            Ok(answer) => {
                let refused = answer.into_inner().partial_success.map_or(0, |part| part.rejected_spans);
                let refused = u64::try_from(refused).unwrap_or_default().min(spans);
                counter!(SPANS_EXPORTED).increment(spans - refused);
                counter!(SPANS_DROPPED).increment(refused);
                self.batch.clear();
                if self.pause.take().is_some() {
                    let collector = self.exporter.name.as_str();
                    tracing::info!(collector, "traces are taken again");
                }
                true
            }
            Err(status) => {
                self.failed(&status);
                if !may_be_tried_again(status.code()) {
                    counter!(SPANS_DROPPED).increment(spans);
                    self.batch.clear();
                }
                false
            }
        }
    }

    /// Tells the operator once, until it works again.
    fn failed(&mut self, status: &Status) {
        let (collector, code) = (self.exporter.name.as_str(), status.code());
        if self.pause.is_none() {
            let error = status.message();
            tracing::warn!(
                collector,
                ?code,
                error,
                "traces are not taken; what does not fit the queue is dropped"
            );
        }
        self.pause = Some(self.pause.map_or(PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)));
    }
}

/// As OTLP says: the others would fail again.
const fn may_be_tried_again(code: Code) -> bool {
    matches!(
        code,
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
            | Code::Unknown
    )
}

fn read(path: &Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    file.with_context(|| format!("{}: cannot be read", path.display()))?;
    Ok(text)
}

/// A line each, `name: value`; empty lines and those that begin with `#` say nothing.
fn headers(path: &Path) -> anyhow::Result<MetadataMap> {
    let (mut headers, text) = (MetadataMap::new(), read(path)?);
    if text.len() as u64 > HEADER_BYTES {
        bail!("{}: a file of headers has at most {HEADER_BYTES} bytes", path.display());
    }
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = || format!("{}:{number}: write `name: value`, in ASCII", path.display());
        let (name, value) = line.split_once(':').with_context(at)?;
        let name: AsciiMetadataKey = name.trim().to_ascii_lowercase().parse().ok().with_context(at)?;
        let mut value: AsciiMetadataValue = value.trim().parse().ok().with_context(at)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options<'a>(endpoint: &'a str, headers: Option<&'a Path>, authority: Option<&'a Path>) -> Options<'a> {
        Options { endpoint, ratio: 1.0, headers, authority, service: "s", instance: "i".into() }
    }

    #[test]
    fn what_cannot_work_is_said_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (bad, text) = (path("bad", "# a\n\nauthorization Bearer x\n"), path("text", "x"));
        for (options, want) in [
            (options("http://x:4317", Some(&bad), None), "bad:3: write `name: value`"),
            (options("https://x:4317", None, None), "--otlp-ca-file"),
            (options("http://x:4317", None, Some(&text)), "write `https://`"),
            (options("http://x:4317", Some(Path::new("/nowhere")), None), "/nowhere: cannot be read"),
        ] {
            let wrong = Exporter::new(&options, Arc::new(ArrayQueue::new(1))).unwrap_err();
            assert!(format!("{wrong:#}").contains(want), "{wrong:#}");
        }
        let good = path("good", "# for the collector\nAuthorization: Bearer x:y\nX-Scope: a\n");
        let read = headers(&good).unwrap();
        assert_eq!(read.get("authorization").unwrap().to_str().unwrap(), "Bearer x:y");
        assert_eq!(read.len(), 2);
    }
}
