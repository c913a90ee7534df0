//! From a configuration to a running process.

use super::authzen::Authzen;
use super::signals::Signals;
use super::{approvers, notify};
use crate::clock::Clock;
use crate::config::Config;
use crate::data_plane::{self, DataPlane, Status};
use crate::grpc::{self, Limits};
use crate::http::{self, Patience, probes};
use crate::source;
use crate::telemetry::metrics;
use crate::telemetry::traces::{self, Exporter, Tracer};
use crate::tls;
use anyhow::Context as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tollgate_engine::read::Bounds;

/// Threads beside the data plane: for probes, signals and timers.
const CONTROL_THREADS: usize = 2;
/// Signals this close are one.
const SAME_SIGNAL: Duration = Duration::from_millis(200);
/// How often it is looked whether a wait is over.
const SWEEP: Duration = Duration::from_millis(100);
/// What ends after the last request (the source, scrapes) gets this long.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// A process that listens and does not serve yet.
#[derive(Debug)]
pub struct Process {
    config: Config,
    bundle: PathBuf,
    control: Runtime,
    plane: Arc<DataPlane>,
    metrics: metrics::Handle,
    exporter: Option<Exporter>,
    grpc: grpc::Server,
    admin: Option<grpc::admin::Server>,
    probes: Option<http::Server>,
    authzen: Option<Authzen>,
    tls: Option<Arc<tls::Live>>,
    signals: Signals,
}

/// What is spoken with callers who come by TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None: everything is in the clear.
    Off,
    /// TLS, whoever comes.
    On,
    /// TLS with callers who have a certificate.
    Mutual,
}

impl Tls {
    /// As log lines and people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "none",
            Self::On => "TLS",
            Self::Mutual => "TLS, callers with certificates",
        }
    }
}

/// What runs now, for people.
#[derive(Debug)]
pub struct Started {
    /// Where gRPC listens.
    pub grpc: Option<SocketAddr>,
    /// What it speaks there.
    pub tls: Tls,
    /// The socket that it listens on too.
    pub uds: Option<PathBuf>,
    /// Where AuthZEN is.
    pub http: Option<SocketAddr>,
    /// Where probes and metrics are.
    pub metrics: Option<SocketAddr>,
    /// What serves.
    pub status: Status,
}

impl Process {
    /// Opens everything that this configuration names, so that what cannot be opened ends the
    /// process before it serves.
    ///
    /// # Errors
    /// An address is in use, or the state directory cannot be used.
    pub fn bind(config: Config, bundle: PathBuf, clock: Clock) -> anyhow::Result<Self> {
        let control = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(CONTROL_THREADS)
            .thread_name("control")
            .enable_all()
            .build()?;
        let metrics = metrics::install();
        let tls = tls_of(&config, &clock)?;
        let plane = DataPlane::new(data_plane_options(&config)?, clock)?;
        let (tracer, exporter) = tracer(&config, &plane)?.unzip();
        let door = tls.clone().map(|live| tls::Door::new(live, tls::Port::Grpc));
        let options = grpc::Options { tls: door, tracer: tracer.clone(), ..grpc_options(&config)? };
        let grpc = grpc::Server::bind(options, Arc::clone(&plane))?;
        let admin = config.admin_uds.as_deref().map(grpc::admin::Server::bind).transpose()?;
        let entered = control.enter();
        let bind = |address| control.block_on(http::Server::bind(address, "metrics", Patience::PROBES));
        let probes = config.metrics.0.map(bind).transpose()?;
        let door = tls.clone().map(|live| tls::Door::new(live, tls::Port::Http));
        let authzen = config.http.0.map(|address| Authzen::bind(address, door, tracer)).transpose()?;
        let signals = Signals::listen().context("signals cannot be listened to")?;
        drop(entered);
        for (port, address) in config.in_the_clear() {
            tracing::warn!(port, %address, "listens in the clear beyond this machine: anybody on the network can read and forge decisions");
        }
        Ok(Self {
            config,
            bundle,
            control,
            plane,
            metrics,
            exporter,
            grpc,
            admin,
            probes,
            authzen,
            tls,
            signals,
        })
    }

    /// Serves until a signal asks to stop, then drains. `started` is called when the bundle was
    /// looked at for the first time, whatever came of it.
    ///
    /// # Errors
    /// A serving thread failed.
    pub fn run(self, started: impl FnOnce(&Started)) -> anyhow::Result<()> {
        let Self { config, bundle, control, plane, metrics, exporter, grpc, .. } = self;
        let Self { admin, probes, authzen, tls, mut signals, .. } = self;
        let exporter = exporter.map(Exporter::start).transpose().context("traces cannot be sent")?;
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let at = |server: &http::Server| server.local_addr();
        let addresses =
            (grpc.local_addr(), authzen.as_ref().map(Authzen::local_addr), probes.as_ref().map(at));
        if let Some(server) = probes {
            let (data_plane, draining) = (Arc::clone(&plane), stop.clone());
            let (scraping, tls) = (Arc::new(Semaphore::new(1)), tls.clone());
            let router = probes::router(probes::Probes { data_plane, metrics, scraping, draining, tls });
            // Probes and scrapes are answered until the last request is.
            control.spawn(server.run(router, ended.clone()));
        }
        if let Some(server) = admin {
            let (data_plane, draining) = (Arc::clone(&plane), stop.clone());
            control.spawn(async move {
                if let Err(error) = server.run(data_plane, draining).await {
                    tracing::error!(error = format!("{error:#}"), "the admin socket failed");
                }
            });
        }
        let authzen = authzen.map(|authzen| authzen.start(Arc::clone(&plane), limits(&config), stop.clone()));
        let source = source::file::watch(&bundle, Arc::clone(&plane), stop.clone());
        if let Some(live) = &tls {
            control.spawn(Arc::clone(live).follow(ended.clone()));
        }
        let sweeping = sweep(Arc::clone(&plane), ended.clone());
        control.spawn(sweeping);
        let (serving_stop, grace) = (stop.clone(), config.grace_seconds);
        let serving = std::thread::Builder::new()
            .name("grpc".into())
            .spawn(move || grpc.run(serving_stop, grace))
            .context("the serving thread cannot be started")?;
        let (looked, stopped) = (source.clone(), stop.clone());
        let (keys, data_plane) = (config.approver_keys.clone(), Arc::clone(&plane));
        control.spawn(async move {
            let reloads = notify::start(&data_plane, &source, &stop);
            let again = || {
                reloads.begun(source.reload());
                data_plane.rotate_log();
                approvers::read_again(keys.as_deref(), &data_plane);
                if let Some(live) = &tls {
                    live.reload();
                }
            };
            signals.until_stop(again, &stop).await;
            // One signal may come twice: from a terminal and from a parent that passes it on.
            let again = async { while !signals.stop().await.is_empty() {} };
            let _ = tokio::time::timeout(SAME_SIGNAL, again).await;
            let name = signals.stop().await;
            tracing::warn!(signal = name, "ending at once: requests in flight are dropped");
            std::process::exit(1);
        });
        // The first bundle may take long to compile; who asks to stop does not wait for it.
        let has_looked = control.block_on(async {
            tokio::select! {
                () = looked.first_look() => true,
                () = stopped.cancelled() => false,
            }
        });
        if has_looked {
            let (grpc, http, metrics) = addresses;
            let tls = match (&config.tls_cert, &config.tls_client_ca) {
                (None, _) => Tls::Off,
                (Some(_), None) => Tls::On,
                (Some(_), Some(_)) => Tls::Mutual,
            };
            started(&Started { grpc, tls, uds: config.uds, http, metrics, status: plane.status() });
        }
        let served = serving.join();
        if let Some(authzen) = authzen {
            authzen.end(config.grace_seconds);
        }
        ended.cancel();
        if let Some(exporter) = exporter {
            exporter.close();
        }
        plane.close();
        control.shutdown_timeout(AFTERWARDS);
        served.map_err(|_| anyhow::anyhow!("serving ended by a panic; please report it"))?
    }
}

/// Does what time alone brings about, until the last request is answered.
async fn sweep(plane: Arc<DataPlane>, ended: CancellationToken) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let plane = Arc::clone(&plane);
        if tokio::task::spawn_blocking(move || plane.sweep()).await.is_err() {
            tracing::error!("the sweeper panicked; it goes on: please report it");
        }
    }
}

/// The certificate and who may connect, where there is one.
fn tls_of(config: &Config, clock: &Clock) -> anyhow::Result<Option<Arc<tls::Live>>> {
    let (Some(cert), Some(key)) = (config.tls_cert.clone(), config.tls_key.clone()) else { return Ok(None) };
    let files = tls::Files { cert, key, client_ca: config.tls_client_ca.clone() };
    tls::Live::start(files, config.tls_client_names.clone(), clock.clone()).map(Some)
}

fn data_plane_options(config: &Config) -> anyhow::Result<data_plane::Options> {
    Ok(data_plane::Options {
        environment: config.environment.0.clone(),
        state_dir: config.state_dir.clone(),
        state_interval: config.state_interval_seconds,
        on_bad_state: config.on_bad_state,
        bounds: Bounds {
            bytes: config.bounds_bundle_bytes.0,
            depth: config.bounds_bundle_depth.0,
            rules: config.bounds_bundle_rules.0,
            guardrails: config.bounds_bundle_guardrails.0,
            nodes: config.bounds_bundle_nodes.0,
            alias_nodes: config.bounds_bundle_alias_nodes.0,
            string_bytes: config.bounds_bundle_string_bytes.0,
        },
        metrics_max_series: config.metrics_max_series,
        events_kept: config.events_kept.0,
        max_open_decisions: config.max_open_decisions.0,
        approvers: config.approver_keys.as_deref().map(approvers::read).transpose()?.unwrap_or_default(),
        max_open_approvals: config.max_open_approvals,
        decision_log: super::recording::options(config)?,
    })
}

/// What traces calls and what sends the spans, if a collector is named.
fn tracer(config: &Config, plane: &DataPlane) -> anyhow::Result<Option<(Arc<Tracer>, Exporter)>> {
    let Some(endpoint) = config.otlp_endpoint.0.as_deref() else { return Ok(None) };
    let options = traces::Options {
        endpoint,
        ratio: config.otlp_sample_ratio.0,
        headers: config.otlp_headers_file.as_deref(),
        authority: config.otlp_ca_file.as_deref(),
        service: &config.otlp_service_name.0,
        instance: plane.status().instance,
    };
    let (tracer, exporter) = Tracer::new(&options).context("calls cannot be traced")?;
    Ok(Some((Arc::new(tracer), exporter)))
}

fn grpc_options(config: &Config) -> anyhow::Result<grpc::Options> {
    Ok(grpc::Options {
        tcp: config.grpc.0,
        uds: config.uds.clone(),
        uds_mode: config.uds_mode.0,
        threads: config.threads.0,
        limits: limits(config),
        overload: grpc::Overload {
            wait: config.overload_wait_seconds,
            request: config.request_seconds.0,
            stalled: config.stalled_seconds.0,
            handshake: config.handshake_seconds.0,
            age: config.max_connection_seconds,
            connections: config.max_connections,
            calls: u32::try_from(config.max_connection_calls.0).unwrap_or(u32::MAX),
            streams: config.max_streams,
            header_bytes: u32::try_from(config.bounds_header_bytes.0).unwrap_or(u32::MAX),
        },
        admin: config.admin_token_file.as_deref().map(grpc::admin::Token::read).transpose()?,
        tracer: None,
        tls: None,
    })
}

/// The bounds on requests, whoever sends them.
fn limits(config: &Config) -> Limits {
    Limits {
        request_bytes: config.bounds_request_bytes.0,
        batch_bytes: config.bounds_batch_bytes.0,
        batch_items: config.bounds_batch_items.0,
        context_values: config.bounds_request_values.0,
        context_depth: config.bounds_request_depth.0,
        string_bytes: config.bounds_request_string_bytes.0,
        name_bytes: config.bounds_request_name_bytes.0,
        list_items: config.bounds_request_list_items.0,
        ..Limits::default()
    }
}
