//! The token that opens the admin service on the gRPC port.

use std::convert::Infallible;
use std::fmt;
use std::future::Ready;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use subtle::ConstantTimeEq as _;
use tokio_util::either::Either;
use tollgate_engine::id::Digest;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// A shorter one could be guessed.
const LEAST_BYTES: usize = 16;
/// A longer one is some other file.
const MOST_BYTES: u64 = 4 << 10;

/// Lets through who holds it. Only its digest is kept.
#[derive(Clone)]
pub struct Token(Arc<Digest>);

impl Token {
    /// Reads the token from its file; white space around it is no part of it.
    ///
    /// # Errors
    /// The file cannot be read, or holds no token that is long enough.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let (mut text, shown) = (String::new(), path.display());
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
            .with_context(|| format!("{shown}: the admin token cannot be read"))?;
        let token = text.trim();
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        anyhow::ensure!(
            plain && token.len() >= LEAST_BYTES,
            "{shown}: an admin token is one line of at least {LEAST_BYTES} letters, digits and signs; \
             make one with `head -c 32 /dev/urandom | base64`"
        );
        Ok(Self::of(token))
    }

    fn of(token: &str) -> Self {
        Self(Arc::new(Digest::of(token.as_bytes())))
    }

    fn lets_in(&self, headers: &HeaderMap) -> Result<(), Status> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = given.and_then(|given| given.split_once(' ')) else {
            return Err(Status::unauthenticated(
                "the admin service wants a token: send `authorization: Bearer TOKEN`, or use the admin socket",
            ));
        };
        if scheme.eq_ignore_ascii_case("bearer") && self.is(token.trim()) {
            return Ok(());
        }
        Err(Status::unauthenticated("the token is not that of the server's `admin_token_file`"))
    }

    /// Compares digests, which have one length, without telling by its time where they differ.
    fn is(&self, given: &str) -> bool {
        self.0.0.ct_eq(&Digest::of(given.as_bytes()).0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// A service behind the token.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Guarded<S> {
    token: Token,
    service: S,
}

impl<S> Guarded<S> {
    /// This service for who holds this token.
    pub(super) const fn new(token: Token, service: S) -> Self {
        Self { token, service }
    }
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.token.lets_in(request.headers()) {
            Ok(()) => Either::Left(self.service.call(request)),
            Err(refused) => Either::Right(std::future::ready(Ok(refused.into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_holds_it_passes() {
        let token = Token::of("correct-horse-battery");
        for (given, passes) in [
            (Some("Bearer correct-horse-battery"), true),
            (Some("bearer correct-horse-battery "), true),
            (Some("Bearer correct-horse-batter"), false),
            (Some("Bearer correct-horse-batteryy"), false),
            (Some("Basic correct-horse-battery"), false),
            (Some("correct-horse-battery"), false),
            (Some("Bearer "), false),
            (None, false),
        ] {
            let headers = given.map(|given| (AUTHORIZATION, given.parse().unwrap())).into_iter().collect();
            let got = token.lets_in(&headers).map_err(|status| status.code());
            let want = if passes { Ok(()) } else { Err(tonic::Code::Unauthenticated) };
            assert_eq!(got, want, "{given:?}");
        }
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(
            Token::read(&path).unwrap_err().to_string().ends_with("token: the admin token cannot be read")
        );
        for bad in ["", "short", "two words of some length", "ünïcödë-ünïcödë-ünïcödë"] {
            std::fs::write(&path, bad).unwrap();
            let error = Token::read(&path).unwrap_err().to_string();
            assert!(error.contains("at least 16 letters"), "{bad}: {error}");
        }
        std::fs::write(&path, "  correct-horse-battery\n").unwrap();
        assert!(Token::read(&path).unwrap().is("correct-horse-battery"));
    }
}
