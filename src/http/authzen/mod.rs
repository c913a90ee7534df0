//! AuthZEN, the Authorization API 1.0 of the OpenID Foundation: decisions over HTTP and JSON.
//!
//! A denial is 200 with `decision: false`; what cannot be read is 400 with a line of text.

mod answer;
mod body;
mod bounded;
mod evaluate;
mod facts;
mod traced;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::uri::Authority;
use serde_json::json;

use crate::data_plane::DataPlane;
use crate::grpc::convert::Limits;
use crate::telemetry::traces::Tracer;
use body::Intake;

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const METADATA: &str = "/.well-known/authzen-configuration";
/// The caller's name for a request, which every answer gives back.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What answers are made from.
#[derive(Clone, Debug)]
pub struct Point {
    /// What decides.
    pub plane: Arc<DataPlane>,
    /// The bounds on requests.
    pub limits: Limits,
    /// Where it is reached, when a request does not say; and by which scheme.
    pub address: String,
    /// Whether it is reached by TLS.
    pub secure: bool,
    /// What traces evaluations; `None`: nothing does.
    pub tracer: Option<Arc<Tracer>>,
}

/// What a handler needs.
#[derive(Clone)]
struct Shared {
    point: Arc<Point>,
    intake: Arc<Intake>,
}

/// The routes.
pub fn router(point: Point) -> Router {
    let intake = Arc::new(Intake::new(point.limits.batch_bytes));
    let shared = Shared { point: Arc::new(point), intake };
    Router::new()
        .route(EVALUATION, post(one))
        .route(EVALUATIONS, post(several))
        .route(METADATA, get(metadata))
        .with_state(shared)
        .layer(middleware::from_fn(give_back_the_id))
}

/// A request that is refused: its status, and what to do about it.
#[derive(Debug)]
struct Refused(StatusCode, String);

impl Refused {
    fn malformed(what: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, what.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.1).into_response()
    }
}

async fn one(State(shared): State<Shared>, request: Request) -> Result<Response, Refused> {
    let most = shared.point.limits.request_bytes;
    let (id, caller) = (request_id(request.headers()), traced::caller(&shared.point, request.headers()));
    let sent = shared.intake.read(request, most).await?;
    traced::answer(&shared.point, EVALUATION, caller, |span| {
        evaluate::one(&shared.point, sent.bytes(), id.as_deref(), span)
    })
}

async fn several(State(shared): State<Shared>, request: Request) -> Result<Response, Refused> {
    let most = shared.point.limits.batch_bytes;
    let (id, caller) = (request_id(request.headers()), traced::caller(&shared.point, request.headers()));
    let sent = shared.intake.read(request, most).await?;
    traced::answer(&shared.point, EVALUATIONS, caller, |span| {
        evaluate::several(&shared.point, sent.bytes(), id.as_deref(), span)
    })
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned)
}

/// Where what is. Search is not among it: rules are not asked backwards.
async fn metadata(State(shared): State<Shared>, asked: Uri, headers: HeaderMap) -> Response {
    let point = &shared.point;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    // By HTTP/2 the host is a part of what is asked.
    let host = host.as_ref().or_else(|| asked.authority());
    let host = host.map_or(point.address.as_str(), Authority::as_str);
    let base = format!("{}://{host}", if point.secure { "https" } else { "http" });
    Json(json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}{EVALUATION}"),
        "access_evaluations_endpoint": format!("{base}{EVALUATIONS}"),
    }))
    .into_response()
}

async fn give_back_the_id(request: Request, next: Next) -> Response {
    let id: Option<HeaderValue> = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
