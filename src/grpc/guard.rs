//! A panic in one request answers INTERNAL and harms nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use metrics::counter;
use tonic::{Response, Status};

use crate::telemetry::metrics::REQUEST_PANICS;

/// Runs the work of one request.
///
/// What it shares with other requests stands a panic: the snapshot never changes, and what a
/// thread keeps for itself is put in order when it is given back.
///
/// # Errors
/// As `work` does, and INTERNAL when it panics.
pub fn guarded<T>(
    rpc: &'static str,
    work: impl FnOnce() -> Result<T, Status>,
) -> Result<Response<T>, Status> {
    caught(rpc, work)?.map(Response::new)
}

/// The same of work whose outcome is no answer yet.
///
/// # Errors
/// INTERNAL when it panics.
pub fn caught<T>(rpc: &'static str, work: impl FnOnce() -> T) -> Result<T, Status> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let panic = text(panic.as_ref());
        tracing::error!(rpc, panic, "a request could not be decided; please report this");
        counter!(REQUEST_PANICS).increment(1);
        Status::internal("the request could not be decided by a mistake of the server; its log says more")
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let fixed = panic.downcast_ref::<&'static str>().copied();
    fixed.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error_and_the_next_request_is_served() {
        let status = guarded::<()>("Authorize", || panic!("on purpose")).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Internal);
        assert_eq!(guarded("Authorize", || Ok(7)).unwrap().into_inner(), 7);
    }
}
