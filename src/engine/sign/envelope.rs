//! DSSE, the Dead Simple Signing Envelope: what is signed, what type it is of, and by whom.
//!
//! The type is part of what is signed, so that a signature under one type is none under another.

use super::key::PrivateKey;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

/// The longest envelope that is read. One with a signature of each possible approver has 3 KiB.
pub const MOST_BYTES: usize = 16 << 10;
/// The most signatures of an envelope, which no rule asks more than; they bound what verifying costs.
pub const MOST_SIGNATURES: usize = 8;

/// Both alphabets, with or without padding: the specification takes either.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, ANY_PADDING);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, ANY_PADDING);

/// A signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: Box<str>,
    /// What is signed.
    pub payload: Box<[u8]>,
    /// By whom.
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The id of the key, a hint: what counts is whether that key verifies it.
    pub key_id: Box<str>,
    /// The signature.
    pub bytes: Box<[u8]>,
}

impl Envelope {
    /// A message that nobody has signed yet.
    #[must_use]
    pub fn new(payload_type: &str, payload: Vec<u8>) -> Self {
        Self { payload_type: payload_type.into(), payload: payload.into(), signatures: Vec::new() }
    }

    /// Reads an envelope from its JSON form; `None` when it is none, or beyond the bounds. Fields
    /// that it does not know are passed over, as the specification asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let json: Value = serde_json::from_str(text).ok()?;
        let signatures = json.get("signatures")?.as_array()?;
        if signatures.len() > MOST_SIGNATURES {
            return None;
        }
        Some(Self {
            payload_type: json.get("payloadType")?.as_str()?.into(),
            payload: decode(&json, "payload")?,
            signatures: signatures.iter().map(signature).collect::<Option<_>>()?,
        })
    }

    /// The JSON form, on one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|one| json!({"keyid": one.key_id, "sig": PLAIN.encode(&one.bytes)}))
            .collect();
        let payload = PLAIN.encode(&self.payload);
        json!({"payloadType": self.payload_type, "payload": payload, "signatures": signatures}).to_string()
    }

    /// What a signature covers.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, self.payload.len())
                .into_bytes();
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Adds a signature by this key, in the place of one that it gave before.
    #[must_use]
    pub fn sign(mut self, key: &PrivateKey) -> Self {
        let signature = Signature {
            key_id: key.public().id().into(),
            bytes: key.sign(&self.signed_bytes()).as_slice().into(),
        };
        self.signatures.retain(|one| one.key_id != signature.key_id);
        self.signatures.push(signature);
        self
    }
}

fn signature(json: &Value) -> Option<Signature> {
    let key_id = json.get("keyid").and_then(Value::as_str).unwrap_or_default();
    Some(Signature { key_id: key_id.into(), bytes: decode(json, "sig")? })
}

fn decode(json: &Value, field: &str) -> Option<Box<[u8]>> {
    let text = json.get(field)?.as_str()?;
    PLAIN.decode(text).or_else(|_| FOR_URLS.decode(text)).ok().map(Into::into)
}
