//! `/livez`, `/readyz`, `/metrics` and `/status`: nothing here is secret.

use crate::data_plane::{self, DataPlane};
use crate::telemetry::metrics;
use crate::telemetry::page::Format;
use crate::tls;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What the answers are made from.
#[derive(Clone, Debug)]
pub struct Probes {
    /// What serves.
    pub data_plane: Arc<DataPlane>,
    /// What was counted.
    pub metrics: metrics::Handle,
    /// Has room for one page at a time.
    pub scraping: Arc<Semaphore>,
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
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/status", get(status))
        .with_state(probes)
}

async fn live(State(probes): State<Probes>) -> impl IntoResponse {
    match probes.data_plane.stuck() {
        None => (StatusCode::OK, "alive".to_string()),
        Some(silence) => {
            let seconds = silence.as_secs();
            (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("stuck: a serving thread has said nothing for {seconds} s"),
            )
        }
    }
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

/// Where many scrape, they wait for each other here and for nobody else.
async fn scrape(State(probes): State<Probes>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::wanted(accept.unwrap_or_default());
    let Ok(turn) = probes.scraping.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let metrics = probes.metrics;
    let page = tokio::task::spawn_blocking(move || {
        let page = metrics.render(format);
        drop(turn);
        page
    });
    match page.await {
        Ok(page) => ([(header::CONTENT_TYPE, format.content_type())], page).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn status(State(probes): State<Probes>) -> impl IntoResponse {
    let tls = probes.tls.as_deref().map(tls::Live::status);
    Json(Status { data_plane: probes.data_plane.status(), tls })
}
