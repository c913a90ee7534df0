//! What reads bytes from outside, as functions of bytes: each returns, whatever it is given, or has found a defect.
//!
//! Two programs call them: `fuzz_targets/fuzz.rs` under libFuzzer, which looks for inputs, and the test in `replay`,
//! which is part of the workspace and replays `corpus/` in every run. CONTRIBUTING.md says how to add one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a target looks at the process from outside"
)]

mod admin;
mod agreement;
mod authzen;
mod bundle;
mod call;
mod cases;
mod conditions;
mod config;
mod decision_log;
mod document;
mod envelope;
mod envoy_check;
mod envoy_limits;
mod glob;
mod memory;
mod places;
mod plane;
#[cfg(test)]
mod replay;
mod requests;
mod rng;
mod scratch;
mod state;
mod text;
mod watch;
mod when;
mod wire;

/// The interpreter that the engine is tested against, and what makes bundles for it, from where they are kept.
macro_rules! of_the_agreement_test {
    ($($name:ident in $path:literal)*) => {$(
        #[path = $path]
        #[allow(dead_code, missing_docs, unreachable_pub, reason = "made for the test that it stands in")]
        mod $name;
    )*};
}
of_the_agreement_test! {
    engine in "../../src/engine/tests/agreement/engine.rs"
    generate in "../../src/engine/tests/agreement/generate.rs"
    generate_conditions in "../../src/engine/tests/agreement/generate_conditions.rs"
    generate_request in "../../src/engine/tests/agreement/generate_request.rs"
    generate_target in "../../src/engine/tests/agreement/generate_target.rs"
    generate_when in "../../src/engine/tests/agreement/generate_when.rs"
    generate_when_parts in "../../src/engine/tests/agreement/generate_when_parts.rs"
    generate_when_tight in "../../src/engine/tests/agreement/generate_when_tight.rs"
    naive in "../../src/engine/tests/agreement/naive.rs"
    naive_cel in "../../src/engine/tests/agreement/naive_cel.rs"
    naive_conditions in "../../src/engine/tests/agreement/naive_conditions.rs"
    naive_functions in "../../src/engine/tests/agreement/naive_functions.rs"
    naive_glob in "../../src/engine/tests/agreement/naive_glob.rs"
    naive_request in "../../src/engine/tests/agreement/naive_request.rs"
    naive_time in "../../src/engine/tests/agreement/naive_time.rs"
    naive_value in "../../src/engine/tests/agreement/naive_value.rs"
    pools in "../../src/engine/tests/agreement/pools.rs"
}

pub use watch::check;

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder of inputs.
    pub name: &'static str,
    /// Reads an input; panics when it finds a defect.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "admin", run: admin::run },
    Target { name: "agreement", run: agreement::run },
    Target { name: "authzen", run: authzen::run },
    Target { name: "bundle", run: bundle::run },
    Target { name: "cases", run: cases::run },
    Target { name: "conditions", run: conditions::run },
    Target { name: "config", run: config::run },
    Target { name: "decision_log", run: decision_log::run },
    Target { name: "document", run: document::run },
    Target { name: "envelope", run: envelope::run },
    Target { name: "envoy_check", run: envoy_check::run },
    Target { name: "envoy_limits", run: envoy_limits::run },
    Target { name: "glob", run: glob::run },
    Target { name: "state", run: state::run },
    Target { name: "when", run: when::run },
    Target { name: "wire", run: wire::run },
];
