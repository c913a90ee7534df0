//! `/livez`, `/readyz`, `/metrics` and `/status`: nothing here is secret.

use crate::data_plane::{self, DataPlane};
use crate::telemetry::metrics;
use crate::tls;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the answers are made from.
#[derive(Clone, Debug)]
pub struct Probes {
    /// What serves.
    pub data_plane: Arc<DataPlane>,
    /// What was counted.
    pub metrics: metrics::Handle,
    /// Cancelled when the process takes no more requests.
    pub draining: CancellationToken,
    /// The certificate that serves callers, where they are served by TLS.
    pub tls: Option<Arc<tls::Live>>,
}

/// What the process says about itself.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    data_plane: data_plane::Status,
    tls: Option<tls::Status>,
}

/// The routes.
pub fn router(probes: Probes) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/status", get(status))
        .with_state(probes)
}

async fn ready(State(probes): State<Probes>) -> impl IntoResponse {
    if probes.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining".to_string());
    }
    let status = probes.data_plane.status();
    if probes.data_plane.is_ready() {
        return (StatusCode::OK, "ready".to_string());
    }
    let refusal = status.last_error.map(|error| error.refusal.to_string());
    let why = refusal.unwrap_or_else(|| "no bundle has been read yet".into());
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}"))
}

async fn scrape(State(probes): State<Probes>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], probes.metrics.render())
}

async fn status(State(probes): State<Probes>) -> impl IntoResponse {
    let tls = probes.tls.as_deref().map(tls::Live::status);
    Json(Status { data_plane: probes.data_plane.status(), tls })
}
