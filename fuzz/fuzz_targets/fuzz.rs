//! Every target under libFuzzer: `TOLLGATE_FUZZ` names the one to run. `fuzz/run` builds it and calls it.

#![no_main]

use std::sync::LazyLock;

use tollgate_fuzz::{TARGETS, Target, check};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let wanted = std::env::var("TOLLGATE_FUZZ").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == wanted);
    found.unwrap_or_else(|| panic!("TOLLGATE_FUZZ: `{wanted}` is no target; write one of {names:?}"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(&TARGET, input, 1));
