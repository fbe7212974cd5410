//! Progress on standard error, for work that takes longer than a moment; and the wish to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use stormglass::explore::Progress;

static IS_CANCELLED: AtomicBool = AtomicBool::new(false);

/// A bar that stays hidden for half a second and wherever nobody watches.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar; none at all if it is not wanted.
    pub fn new(is_wanted: bool) -> Bar {
        let target = if is_wanted {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        // The first Ctrl-C lets the runs under way finish, the second ends the process.
        let _ = ctrlc::set_handler(|| {
            if IS_CANCELLED.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        });
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{bar:32} {pos} of {len} runs, {elapsed} gone, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bar { bar }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begins(&self, runs: u64) {
        self.bar.set_length(runs);
        self.bar.reset_elapsed();
    }

    fn advances(&self) {
        self.bar.suspend(|| {});
        if self.bar.elapsed() > Duration::from_millis(500) {
            self.bar.inc(1);
        } else {
            // Counted, not yet drawn.
            self.bar.set_position(self.bar.position() + 1);
        }
    }

    fn is_cancelled(&self) -> bool {
        IS_CANCELLED.load(Ordering::SeqCst)
    }
}
