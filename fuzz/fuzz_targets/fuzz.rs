//! Every target under libFuzzer: `TOLLGATE_FUZZ` names the one to run. `fuzz/run` builds it and calls it.

#![no_main]

use std::cell::Cell;
use std::sync::LazyLock;

use tollgate_fuzz::{TARGETS, Target, check};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let wanted = std::env::var("TOLLGATE_FUZZ").unwrap_or_default();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == wanted);
    found.unwrap_or_else(|| panic!("TOLLGATE_FUZZ: `{wanted}` is no target; write one of {names:?}"))
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| check(&TARGET, input, 1));

// A run that can fail a build is the same every time, so that what comes by chance elsewhere is none here: both functions
// stand in front of the C library's. What hash tables are keyed with decides which edges an input takes.

thread_local! {
    /// How many bytes this thread has drawn: what another one does first is chance, too.
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that look random.
///
/// # Safety
/// `buffer` has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _: u32) -> isize {
    for at in 0..length {
        // SplitMix64, a byte at a time.
        let drawn = DRAWN.get().wrapping_add(1);
        DRAWN.set(drawn);
        let mut mixed = drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // SAFETY: the caller says that there is room.
        unsafe { buffer.add(at).write((mixed >> 56) as u8) };
    }
    length as isize
}

/// 2026-11-21T08:00:00Z.
const NOW: i64 = 1_795_248_000;

// Hidden from libFuzzer, which has its clock by a library of its own and has to know when an input takes too long.
std::arch::global_asm!(".hidden clock_gettime");

/// The time of day stands still; other clocks go on.
///
/// # Safety
/// `time` may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    if clock == libc::CLOCK_REALTIME {
        // SAFETY: the caller says that it may be written to.
        unsafe { time.write(libc::timespec { tv_sec: NOW, tv_nsec: 0 }) };
        return 0;
    }
    // SAFETY: what the caller gave, as it came.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int }
}
