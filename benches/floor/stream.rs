//! The floor of streams: answers each request with its name and as many bytes as a decision has.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::Pin;

use tokio_stream::{Stream, StreamExt as _};
use tonic::server::StreamingService;
use tonic::{Request, Response, Status, Streaming};

use super::request::AuthorizeRequest;

/// `tollgate.v1.AuthorizeStreamRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub struct Asked {
    #[prost(message, optional, tag = "1")]
    pub request: Option<AuthorizeRequest>,
}

/// As long as an `AuthorizeStreamResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Answer {
    #[prost(message, optional, tag = "1")]
    pub response: Option<Item>,
}

/// The part of a decision that names its request, and filling.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Item {
    #[prost(string, tag = "2")]
    pub request_id: String,
    #[prost(string, tag = "6")]
    pub filling: String,
}

pub struct Method {
    pub filling: usize,
}

impl StreamingService<Asked> for Method {
    type Response = Answer;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Asked>>) -> Self::Future {
        let filling = "x".repeat(self.filling);
        let answers = request.into_inner().map(move |asked| {
            let request = black_box(asked?).request.unwrap_or_default();
            let item = Item { request_id: request.request_id, filling: filling.clone() };
            Ok(Answer { response: Some(item) })
        });
        ready(Ok(Response::new(Box::pin(answers))))
    }
}
