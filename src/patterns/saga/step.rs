//! A step of a saga: a local transaction in one service.

use serde::Deserialize;

use crate::engine::{Name, NodeId};
use crate::parts::Policy;
use crate::world::{Ask, Flaw, Want};

/// One local transaction of a saga, and how to undo it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The service that performs it.
    pub(super) service: NodeId,
    /// Its operation.
    pub(super) action: Name,
    /// The operation that undoes it. Default: none, for a step that changes nothing or comes at or
    /// after the pivot.
    #[serde(default)]
    pub(super) compensation: Option<Name>,
    /// How it is called. Default: one try without a time limit.
    #[serde(default)]
    pub(super) policy: Policy,
}

impl Step {
    /// What it says that could have no effect, if it comes at the pivot or after it, or before.
    pub(super) fn idle(&self, is_final: bool) -> Vec<Flaw> {
        let stays = (is_final && self.compensation.is_some()).then(|| {
            let title = "from the pivot on nothing is undone";
            Flaw::at("compensation", title).label("such a step is retried instead")
        });
        let policy = self.policy.idle().into_iter().map(|flaw| flaw.within("policy"));
        stays.into_iter().chain(policy).collect()
    }

    /// What it asks of its service.
    pub(super) fn asks(&self, place: usize) -> impl Iterator<Item = Ask> {
        let ask = |field, verb| Ask::of(["service", field], self.service, Want::Operation(verb));
        let action = self.policy.asks("policy", ask("action", self.action));
        let undo = self.compensation.map(|verb| ask("compensation", verb));
        action.chain(undo).map(move |ask| ask.within(place).within("steps"))
    }
}
