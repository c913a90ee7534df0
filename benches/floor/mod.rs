//! What the service is measured against: stock tonic that answers without deciding.
//!
//! It decodes the same request with the types that prost generates, or, in its second mode, drops
//! the body unread, and answers with a reply of the same size. It has no router, no limits and no
//! metrics, and one current-thread runtime.

mod request;
mod stream;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use prost::Message as _;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Status, codegen::Service};
use tonic_prost::{ProstCodec, ProstEncoder};

use request::AuthorizeRequest;

/// The threads that serve, by what they do with a request.
pub const DECODES: &str = "floor-decodes";
pub const SKIPS: &str = "floor-skips";

/// Where a floor listens. It serves as long as the process lives.
#[derive(Debug)]
pub struct Floor {
    pub tcp: SocketAddr,
    pub uds: PathBuf,
}

type StreamCodec = ProstCodec<stream::Answer, stream::Asked>;

/// As long as a decision's reply, encoded as fast as can be.
#[derive(Clone, PartialEq, prost::Message)]
struct Reply {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

impl Floor {
    /// One that decodes requests; replies have so many bytes.
    pub fn decodes(folder: &Path, reply_bytes: usize) -> anyhow::Result<Self> {
        Self::start::<ProstCodec<Reply, AuthorizeRequest>>(DECODES, folder, reply_bytes)
    }

    /// One that does not.
    pub fn skips(folder: &Path, reply_bytes: usize) -> anyhow::Result<Self> {
        Self::start::<SkipCodec>(SKIPS, folder, reply_bytes)
    }

    fn start<C>(name: &str, folder: &Path, reply_bytes: usize) -> anyhow::Result<Self>
    where
        C: Codec<Encode = Reply> + Default + Send + Sync + 'static,
    {
        // The tag, and a length of two bytes.
        let service = Echo::<C> {
            reply: Reply { body: vec![b'x'; reply_bytes.saturating_sub(3)].into() },
            codec: PhantomData,
        };
        let tcp = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let uds = folder.join(name).with_extension("sock");
        let unix = std::os::unix::net::UnixListener::bind(&uds)?;
        tcp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        let floor = Self { tcp: tcp.local_addr()?, uds };
        let serve = move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let tcp = TcpIncoming::from(tokio::net::TcpListener::from_std(tcp)?).with_nodelay(Some(true));
                let unix = UnixListenerStream::new(tokio::net::UnixListener::from_std(unix)?);
                let by_tcp = Server::builder().serve_with_incoming(service.clone(), tcp);
                let by_unix = Server::builder().serve_with_incoming(service, unix);
                tokio::try_join!(by_tcp, by_unix)?;
                Ok(())
            })
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(serve)?;
        Ok(floor)
    }
}

/// What tonic generates for a service with one method.
#[derive(Debug)]
struct Echo<C> {
    reply: Reply,
    codec: PhantomData<C>,
}

impl<C> Clone for Echo<C> {
    fn clone(&self) -> Self {
        Self { reply: self.reply.clone(), codec: PhantomData }
    }
}

impl<C> Service<Request<Body>> for Echo<C>
where
    C: Codec<Encode = Reply> + Default + Send + Sync + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = Method(self.reply.clone());
        if request.uri().path().ends_with("/AuthorizeStream") {
            // Tag and length of the filling, of the name, and of both.
            let method = stream::Method { filling: self.reply.encoded_len().saturating_sub(16) };
            return Box::pin(async move {
                Ok(Grpc::new(StreamCodec::default()).streaming(method, request).await)
            });
        }
        Box::pin(async move { Ok(Grpc::new(C::default()).unary(method, request).await) })
    }
}

struct Method(Reply);

impl<T> UnaryService<T> for Method {
    type Response = Reply;
    type Future = Ready<Result<tonic::Response<Reply>, Status>>;

    fn call(&mut self, request: tonic::Request<T>) -> Self::Future {
        black_box(request.into_inner());
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

/// Encodes as prost does, and drops what comes in.
#[derive(Default)]
struct SkipCodec;

struct Skip;

impl Codec for SkipCodec {
    type Encode = Reply;
    type Decode = ();
    type Encoder = ProstEncoder<Reply>;
    type Decoder = Skip;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Skip
    }
}

impl Decoder for Skip {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, sent: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        sent.advance(sent.remaining());
        Ok(Some(()))
    }
}
