//! Which links a fault of the network is about.

use serde::Deserialize;

use crate::engine::NodeId;

/// Which links a network fault is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Targets {
    /// Every link.
    All,
    /// Every link from or to this node.
    Around(NodeId),
    /// From any of the first to any of the second, and back.
    Between(Vec<NodeId>, Vec<NodeId>),
    /// From any of the first to any of the second, but not back.
    OneWay(Vec<NodeId>, Vec<NodeId>),
}

impl Targets {
    /// The same links, with the nodes in place of the addresses that stand for them.
    pub(super) fn across(&self, members: impl Fn(NodeId) -> Vec<NodeId>, nodes: u32) -> Targets {
        let all = |ids: &[NodeId]| ids.iter().flat_map(|id| members(*id)).collect::<Vec<_>>();
        match self {
            Targets::All => Targets::All,
            Targets::Around(id) => match &members(*id)[..] {
                [node] => Targets::Around(*node),
                several => Targets::Between(several.to_vec(), (0..nodes).map(NodeId).collect()),
            },
            Targets::Between(left, right) => Targets::Between(all(left), all(right)),
            Targets::OneWay(from, to) => Targets::OneWay(all(from), all(to)),
        }
    }

    /// Is the link from `from` to `to` among them?
    pub fn covers(&self, from: NodeId, to: NodeId) -> bool {
        match self {
            Targets::All => true,
            Targets::Around(node) => from == *node || to == *node,
            Targets::OneWay(sources, sinks) => sources.contains(&from) && sinks.contains(&to),
            Targets::Between(left, right) => {
                left.contains(&from) && right.contains(&to)
                    || right.contains(&from) && left.contains(&to)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    #[test]
    fn targets_cover_the_links_that_they_say() {
        let [a, b, c] = NODES;
        let covered = |targets: Targets| -> Vec<(u32, u32)> {
            let pairs = NODES.iter().flat_map(|from| NODES.iter().map(move |to| (*from, *to)));
            let ours = pairs.filter(|(from, to)| from != to && targets.covers(*from, *to));
            ours.map(|(from, to)| (from.0, to.0)).collect()
        };
        assert_eq!(covered(Targets::All).len(), 6);
        assert_eq!(covered(Targets::Around(b)), [(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(
            covered(Targets::Between(vec![a], vec![b, c])),
            [(0, 1), (0, 2), (1, 0), (2, 0)]
        );
        assert_eq!(covered(Targets::OneWay(vec![a, b], vec![c])), [(0, 2), (1, 2)]);
    }
}
