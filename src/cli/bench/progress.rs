//! Watches a load: a bar on a terminal, and Ctrl-C.

use crate::load::{Load, Outcome, Running, Trouble};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(100);
/// Steps of the bar.
const STEPS: u64 = 1_000;

/// Does it to its end, or to the first Ctrl-C.
pub fn watch(load: &Load) -> Result<Outcome, Trouble> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Trouble::System)?;
    let running = load.start()?;
    let bar = bar();
    runtime.block_on(async {
        let mut every = tokio::time::interval(EVERY);
        let mut asked_to_end = std::pin::pin!(tokio::signal::ctrl_c());
        let mut is_ending = false;
        while !running.is_finished() {
            tokio::select! {
                _ = every.tick() => show(&bar, &running),
                heard = &mut asked_to_end, if !is_ending => {
                    is_ending = true;
                    // Where signals cannot be heard, the system's own way of ending stays.
                    if heard.is_ok() {
                        running.stop();
                    }
                }
            }
        }
    });
    bar.finish_and_clear();
    running.finish()
}

/// Shown to a terminal only, on stderr.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("  {bar:40} {percent:>3} %  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the bar, from 0 to 1"
)]
fn show(bar: &ProgressBar, running: &Running) {
    if bar.is_hidden() {
        return;
    }
    let [sent, answered, failed] = running.progress().now();
    bar.set_position((running.share() * STEPS as f64) as u64);
    bar.set_message(format!("{sent} sent, {answered} answered, {failed} failed"));
}
