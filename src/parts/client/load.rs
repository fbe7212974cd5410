//! When a client asks: in an open loop, or each user after the answer.

use serde::Deserialize;

use crate::engine::{Dist, Rate, Span};

/// When a client asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Load {
    /// Open loop, exponential gaps: many independent users.
    Poisson {
        /// How often on average.
        rate: Rate,
    },
    /// Open loop, equal gaps.
    Constant {
        /// How often.
        rate: Rate,
    },
    /// Open loop, gaps of any distribution.
    Gaps(Dist),
    /// Closed loop: each user waits for the answer, thinks, and asks again.
    Closed {
        /// How many users.
        users: u32,
        /// How long they think between an answer and the next request. Default: not at all.
        #[serde(default)]
        think: Think,
    },
}

/// How long a user thinks.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Think(pub(super) Dist);

impl Default for Think {
    fn default() -> Think {
        Think(Dist::constant(Span::ZERO))
    }
}

impl Load {
    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        if matches!(self, Load::Closed { users: 0, .. }) {
            return Some("a closed loop needs at least one user".to_owned());
        }
        None
    }
}
