//! Assembles a process, runs it, drains it.
//!
//! *Invariant:* requests are answered by threads of the data plane alone; what listens to
//! operators (probes, signals, the bundle's source) runs on a small runtime beside them.

mod approvers;
mod assemble;
mod authzen;
mod notify;
mod recording;
mod signals;

pub use assemble::{Process, Started, Tls};

use crate::config::Config;
use crate::config::value::{LogFormat, LogLevel};
use crate::telemetry::logs;
use tracing::level_filters::LevelFilter;

/// Sends log lines where the configuration says, and panics with them.
///
/// # Errors
/// Log lines already go somewhere.
pub fn install_logs(config: &Config) -> anyhow::Result<()> {
    let level = match config.log_level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    logs::install(log_form(config), level)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = match panic.payload().downcast_ref::<&str>() {
            Some(text) => text,
            None => panic.payload().downcast_ref::<String>().map_or("no message", String::as_str),
        };
        tracing::error!(place, message, "a panic: please report it");
    }));
    Ok(())
}

/// In what form this configuration writes log lines.
#[must_use]
pub fn log_form(config: &Config) -> logs::Form {
    match config.log_format {
        LogFormat::Auto => logs::Form::Auto,
        LogFormat::Text => logs::Form::Text,
        LogFormat::Json => logs::Form::Json,
    }
}

/// The start as a log line, for who reads logs and not a terminal.
pub fn log_start(started: &Started) {
    let shown =
        |address: Option<std::net::SocketAddr>| address.map_or("none".into(), |address| address.to_string());
    let uds = started.uds.as_ref().map_or("none".into(), |path| path.display().to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        grpc = shown(started.grpc),
        tls = started.tls.name(),
        uds,
        http = shown(started.http),
        metrics = shown(started.metrics),
        environment = started.status.environment,
        ready = started.status.ready,
        "serving"
    );
}
