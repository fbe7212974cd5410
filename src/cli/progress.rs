//! Progress on standard error, for work that takes longer than a moment; and the wish to stop.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::Exit;
use stormglass::explore::Progress;

static IS_CANCELLED: AtomicBool = AtomicBool::new(false);

/// Nobody wants to see a bar come and go.
const MOMENT: Duration = Duration::from_millis(500);
/// How often the bar is drawn anew.
const TICK: Duration = Duration::from_millis(250);
/// Columns of the bar itself.
const BAR: u64 = 32;

/// A bar that shows nothing in the first moment, and never where nobody watches.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar, hidden if it is not wanted. From now on the first Ctrl-C lets the runs under way
    /// finish and the second ends the process.
    pub fn new(is_wanted: bool) -> Bar {
        // Where no handler can be set, Ctrl-C does what it always does.
        let _ = ctrlc::set_handler(|| {
            if IS_CANCELLED.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
        });
        if !is_wanted {
            return Bar { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{line}") {
            bar.set_style(style.with_key("line", line));
        }
        Bar { bar }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The bar as a line: what is done, of how much, and how long the rest may take.
fn line(state: &ProgressState, out: &mut dyn Write) {
    if state.elapsed() < MOMENT {
        return;
    }
    let (done, all) = (state.pos(), state.len().unwrap_or(0));
    let filled = (BAR * done).checked_div(all).unwrap_or(0).min(BAR);
    let (full, empty) = ("━".repeat(filled as usize), "─".repeat((BAR - filled) as usize));
    let left = match IS_CANCELLED.load(Ordering::SeqCst) {
        true => "stopping; once more ends at once".to_owned(),
        false if done == 0 => format!("{} gone", HumanDuration(state.elapsed())),
        false => format!("about {} left", HumanDuration(state.eta())),
    };
    // A line that cannot be drawn is no reason to stop.
    let _ = write!(out, "{full}{empty} {done} of {all} runs, {left}");
}

impl Progress for Bar {
    fn begins(&self, runs: u64) {
        self.bar.set_length(self.bar.position() + runs);
        self.bar.reset_elapsed();
        if !self.bar.is_hidden() {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn advances(&self) {
        self.bar.inc(1);
    }

    fn is_cancelled(&self) -> bool {
        IS_CANCELLED.load(Ordering::SeqCst)
    }
}
