//! What holds for every target and every input: it ends in time, holds little memory, and no thread panics unheard.

use std::fs;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use crate::Target;
use crate::memory::peak_of;

/// No input holds more at once, whatever it is.
const MOST_MEMORY: usize = 256 << 20;
/// How many parts of a second the kernel counts processor time in.
const TICKS: f64 = 100.0;

/// Set by a panic on any thread, one that is caught included: the server catches some, which is no reason to have any.
static PANICKED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();
/// Time and memory are those of the process, so that inputs are taken in turn.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a target on an input.
///
/// # Panics
/// With what was found: a panic, an input that takes longer than so many seconds, one that holds too much memory.
pub fn check(target: &Target, input: &[u8], seconds: u64) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            before(info);
        }));
    });
    let begun = Instant::now();
    let ((), held) = peak_of(|| (target.run)(input));
    assert!(
        !PANICKED.load(Ordering::SeqCst),
        "{}: a panic was caught where nobody should have to",
        target.name
    );
    assert!(held <= MOST_MEMORY, "{}: held {held} bytes for {} of input", target.name, input.len());
    let most = Duration::from_secs(seconds);
    if begun.elapsed() > most {
        // Perhaps the machine is busy: once more, by the processor's clock.
        let before = processor_seconds();
        (target.run)(input);
        let took = processor_seconds() - before;
        assert!(took <= most.as_secs_f64(), "{}: took {took} s of a processor", target.name);
    }
}

/// What this process has used of processors, on all threads.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("the kernel tells what a process has used");
    // The name of the process stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let used =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
    used.sum::<f64>() / TICKS
}
