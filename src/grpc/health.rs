//! `grpc.health.v1`: SERVING exactly while a bundle serves and the process takes requests.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::Generated;
use super::envoy::{Checks, RateLimits};
use crate::pb::admin_service_server;

/// The services whose health is told; the empty name stands for the whole server.
const NAMES: [&str; 4] = ["", Generated::NAME, Checks::NAME, RateLimits::NAME];

/// The service of operators: they are answered whether a bundle serves or not.
pub(super) const ADMIN: &str = admin_service_server::SERVICE_NAME;

/// Tells that operators are answered.
pub(super) async fn admin(reporter: &HealthReporter) {
    reporter.set_service_status(ADMIN, ServingStatus::Serving).await;
}

/// Tells readiness until the server drains. Then it says NOT_SERVING and ends the streams of those
/// who watch, so that they do not hold up the end.
pub(super) async fn follow(
    mut reporter: HealthReporter,
    mut ready: watch::Receiver<bool>,
    drain: CancellationToken,
) {
    loop {
        let serving = *ready.borrow_and_update();
        set(&reporter, if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        tokio::select! {
            () = drain.cancelled() => break,
            changed = ready.changed() => if changed.is_err() {
                drain.cancelled().await;
                break;
            },
        }
    }
    set(&reporter, ServingStatus::NotServing).await;
    for name in NAMES {
        reporter.clear_service_status(name).await;
    }
    // Nobody may have asked for it.
    reporter.clear_service_status(ADMIN).await;
}

/// Before the first request is taken: nothing is known to be ready.
pub(super) async fn set(reporter: &HealthReporter, status: ServingStatus) {
    for name in NAMES {
        reporter.set_service_status(name, status).await;
    }
}
