//! Many runs: every variant under every seed, each run a whole simulation on one thread.

mod judge;
mod run;
mod study;
mod trail;
mod warmup;

pub use run::{simulate, traced};
pub use study::{Plan, Progress, Silent, study};
