//! How slow a node is: for everything, or for one operation or one caller only.

use serde::Deserialize;

use super::Injections;
use crate::engine::{Factor, Name, NodeId, Span, State};
use crate::world::World;

/// How slow a node is, and for what.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowSpec {
    /// Which node.
    pub node: NodeId,
    /// How many times as long.
    pub factor: Factor,
    /// For requests for this operation only, those that come while the fault is on. Default: for
    /// everything, also for what is under way.
    #[serde(default)]
    pub operation: Option<Name>,
    /// For requests of this node only, or of any instance of this address, those that come while
    /// the fault is on. Default: whoever asks.
    #[serde(default)]
    pub caller: Option<NodeId>,
}

impl SlowSpec {
    /// Is it about some requests only?
    pub(super) fn is_narrow(&self) -> bool {
        self.operation.is_some() || self.caller.is_some()
    }
}

/// A slow-down that is on and about some requests only.
pub(super) struct Narrow {
    index: u32,
    node: NodeId,
    spec: SlowSpec,
    /// Whose requests; anybody's, if none are named.
    callers: Option<Vec<NodeId>>,
}

impl Narrow {
    fn fits(&self, node: NodeId, verb: Name, caller: Option<NodeId>) -> bool {
        self.node == node
            && self.spec.operation.is_none_or(|operation| operation == verb)
            && self
                .callers
                .as_ref()
                .is_none_or(|callers| caller.is_some_and(|caller| callers.contains(&caller)))
    }
}

impl Injections {
    /// Is any request slower than others of its node?
    #[inline]
    pub fn is_grey(&self) -> bool {
        !self.narrow.is_empty()
    }

    /// How long work of `cost` takes for a request for this operation by this caller.
    pub fn slowed(&self, node: NodeId, (verb, caller): (Name, Option<NodeId>), cost: Span) -> Span {
        let fitting = self.narrow.iter().filter(|one| one.fits(node, verb, caller));
        fitting.fold(cost, |cost, one| one.spec.factor.of(cost))
    }
}

/// A slow-down of some requests begins or ends for these nodes.
pub(super) fn turn(
    state: &mut State<World>,
    (index, spec): (u32, SlowSpec),
    victims: Vec<NodeId>,
    ends: bool,
) {
    let callers = spec.caller.map(|caller| state.env.groups.members(caller));
    let narrow = &mut state.env.injections.narrow;
    narrow.retain(|one| one.index != index);
    if !ends {
        let one = |node| Narrow { index, node, spec, callers: callers.clone() };
        narrow.extend(victims.into_iter().map(one));
    }
}
