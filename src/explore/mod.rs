//! Many runs: every variant under every seed, each run a whole simulation on one thread.

mod judge;
mod links;
mod pending;
mod published;
mod run;
mod session;
mod study;
mod trail;
mod warmup;

pub use published::{Effort, reproduce};
pub use run::{simulate, traced};
pub use session::{NodeState, Session};
pub use study::{Plan, Progress, Silent, study};
