//! The request in prost's own types: the context is the map of maps that it generates.

use tollgate::pb;

/// `tollgate.v1.AuthorizeRequest`, field by field.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AuthorizeRequest {
    #[prost(message, optional, tag = "1")]
    pub subject: Option<pb::Subject>,
    #[prost(message, optional, tag = "2")]
    pub action: Option<pb::Action>,
    #[prost(message, optional, tag = "3")]
    pub context: Option<prost_types::Struct>,
    #[prost(string, tag = "4")]
    pub environment: String,
    #[prost(string, tag = "5")]
    pub mode: String,
    #[prost(enumeration = "pb::Phase", tag = "6")]
    pub phase: i32,
    #[prost(int32, optional, tag = "7")]
    pub priority: Option<i32>,
    #[prost(message, optional, tag = "8")]
    pub estimate: Option<pb::Estimate>,
    #[prost(string, tag = "9")]
    pub batch_id: String,
    #[prost(string, tag = "10")]
    pub request_id: String,
    #[prost(uint32, tag = "11")]
    pub attempt: u32,
    #[prost(string, repeated, tag = "12")]
    pub grants: Vec<String>,
    #[prost(bool, tag = "13")]
    pub dry_run: bool,
    #[prost(message, optional, tag = "14")]
    pub time_left: Option<prost_types::Duration>,
}
