//! Headers: those of ours by name, and values that cannot break a line.

use std::fmt::Write as _;

use tollgate_engine::unit::Span;

use crate::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use crate::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};

/// What every header of ours begins with: of a client's none reaches the upstream.
pub(super) const PREFIX: &str = "x-tollgate-";

pub(super) const DECISION_ID: &str = "x-tollgate-decision-id";
pub(super) const EFFECT: &str = "x-tollgate-effect";
pub(super) const REASON_CODE: &str = "x-tollgate-reason-code";
pub(super) const RULE: &str = "x-tollgate-rule";
pub(super) const ARM: &str = "x-tollgate-arm";
pub(super) const BUNDLE_VERSION: &str = "x-tollgate-bundle-version";
pub(super) const MODE: &str = "x-tollgate-mode";
pub(super) const TIMEOUT: &str = "x-tollgate-timeout-seconds";
pub(super) const REPORT_WITHIN: &str = "x-tollgate-report-within-seconds";
pub(super) const MAX_TOOL_CALLS: &str = "x-tollgate-max-tool-calls";
pub(super) const MAX_LLM_CALLS: &str = "x-tollgate-max-llm-calls";
pub(super) const MAX_LLM_TOKENS: &str = "x-tollgate-max-llm-tokens";
pub(super) const MAX_COST: &str = "x-tollgate-max-cost";
pub(super) const MAX_COMPUTE: &str = "x-tollgate-max-compute";
pub(super) const MAX_DURATION: &str = "x-tollgate-max-duration-seconds";
pub(super) const MAX_RETRIES: &str = "x-tollgate-max-retries";
/// The approval to wait for; only the client gets it.
pub(super) const APPROVAL: &str = "x-tollgate-approval";
/// The grants that a client presents.
pub(super) const GRANT: &str = "x-tollgate-grant";
pub(super) const RETRY_AFTER: &str = "retry-after";
pub(super) const CONTENT_TYPE: &str = "content-type";

/// All that begin with [`PREFIX`].
pub(super) const OURS: [&str; 18] = [
    DECISION_ID,
    EFFECT,
    REASON_CODE,
    RULE,
    ARM,
    BUNDLE_VERSION,
    MODE,
    TIMEOUT,
    REPORT_WITHIN,
    MAX_TOOL_CALLS,
    MAX_LLM_CALLS,
    MAX_LLM_TOKENS,
    MAX_COST,
    MAX_COMPUTE,
    MAX_DURATION,
    MAX_RETRIES,
    APPROVAL,
    GRANT,
];

/// A header with a value of visible characters: others are percent-encoded.
pub(super) fn header(name: &str, value: &str) -> HeaderValue {
    HeaderValue { key: name.to_owned(), value: visible(value), raw_value: Vec::new() }
}

/// The one spelling that replaces what a client sent in every version of Envoy's filter.
pub(super) fn replacing(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(header(name, value)),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn visible(value: &str) -> String {
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return value.to_owned();
    }
    value.bytes().fold(String::with_capacity(value.len() + 8), |mut text, byte| {
        match byte {
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                // Writing to a text cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}

/// A wait as `retry-after` has it: whole seconds, rounded up.
pub(super) const fn whole_seconds(wait: Span) -> u64 {
    wait.nanos().div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_breaks_a_line() {
        for (value, want) in [
            ("plain text", "plain text"),
            ("", ""),
            ("a\r\nset-cookie: b", "a%0D%0Aset-cookie: b"),
            ("grün\0\x7f", "gr%C3%BCn%00%7F"),
        ] {
            assert_eq!(header("x", value).value, want, "{value:?}");
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        for (nanos, want) in [(0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(whole_seconds(Span::from_nanos(nanos)), want, "{nanos}");
        }
    }

    #[test]
    fn each_header_of_ours_is_listed() {
        assert!(OURS.iter().all(|name| name.starts_with(PREFIX)));
    }
}
