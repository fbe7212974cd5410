//! A budget of damage: how many intact copies of the same data faults must leave.
//!
//! TigerBeetle's fault atlas does the same: a simulated cluster must be able to recover, else a
//! failure says nothing about its protocol. Nodes of a group hold the same log, so a copy of an
//! entry is the entry at the same place of another node's log.

use serde::Deserialize;

use super::World;
use super::flaw::Flaw;
use crate::engine::{NodeId, State};

/// A group of nodes that hold copies of the same data, and how many of these faults must leave
/// intact. A fault that would damage durable data (`BitRot`, `MisdirectedWrite`, `SyncLies`, a
/// wiped disk) is withheld where fewer would be left, and the report says how often.
///
/// ```ron
/// (nodes: ["shop", "bank"], keep: 1)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The nodes that hold copies: what stands at the same place of their logs is the same.
    pub nodes: Vec<NodeId>,
    /// How many copies of each entry must stay intact.
    pub keep: usize,
}

impl Budget {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<Flaw> {
        let twice = (1..self.nodes.len()).any(|at| self.nodes[..at].contains(&self.nodes[at]));
        if twice {
            return Some(Flaw::at("nodes", "a node holds one copy: name each once"));
        }
        if self.nodes.len() < 2 {
            let title = "a budget is about at least two nodes that hold copies";
            return Some(Flaw::at("nodes", title));
        }
        let most = self.nodes.len() - 1;
        let title = format!("`keep` is from 1 to {most}, so that at least one may be damaged");
        (self.keep == 0 || self.keep > most).then(|| Flaw::at("keep", title))
    }
}

/// May the entry at this place of this node's log be damaged? Then enough others have it intact.
pub(crate) fn spares(state: &State<World>, node: NodeId, place: usize) -> bool {
    state.env.budgets.iter().filter(|budget| budget.nodes.contains(&node)).all(|budget| {
        let others = budget.nodes.iter().filter(|other| **other != node);
        let intact = others.filter(|other| state.env.drives[other.index()].is_intact(place));
        intact.count() >= budget.keep
    })
}

/// May all that is on this node's disk be lost?
pub(crate) fn spares_all(state: &State<World>, node: NodeId) -> bool {
    let drive = &state.env.drives[node.index()];
    let mut intact = (0..drive.acknowledged()).filter(|place| drive.is_intact(*place));
    intact.all(|place| spares(state, node, place))
}
