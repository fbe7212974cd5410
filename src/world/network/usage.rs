//! How the bandwidths of a network were used.

use super::{Network, Pipe};
use crate::engine::{NodeId, Span, Time};

/// Something that has a bandwidth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bottleneck {
    /// The link from one node to another.
    Link(NodeId, NodeId),
    /// What a node's network card sends.
    Up(NodeId),
    /// What a node's network card receives.
    Down(NodeId),
    /// The line from one zone to another.
    Line(String, String),
}

/// What a bandwidth has done by an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PipeUse {
    /// For how long something was passing.
    pub busy: Span,
    /// Packets that its queue dropped.
    pub dropped: u64,
}

impl Network {
    /// How every bandwidth of the scenario has been used until now, that of a link from its first
    /// packet on; in an order that stays the same as more come.
    pub fn usage(&self, now: Time) -> Vec<(Bottleneck, PipeUse)> {
        let mut uses = Vec::new();
        let mut add = |what: Bottleneck, pipe: &Option<Pipe>| {
            uses.extend(pipe.as_ref().map(|pipe| (what, pipe.usage(now))));
        };
        for (place, line) in self.lines.iter().enumerate() {
            let link = &self.spec.zone_links[place / 2];
            let (from, to) = (link.from.clone(), link.to.clone());
            let is_back = place % 2 == 1;
            let ends = if is_back { (to, from) } else { (from, to) };
            add(Bottleneck::Line(ends.0, ends.1), line);
        }
        for (node, (up, down)) in (0..).map(NodeId).zip(&self.cards) {
            add(Bottleneck::Up(node), up);
            add(Bottleneck::Down(node), down);
        }
        for (from, links) in (0..).map(NodeId).zip(&self.outgoing) {
            for &(to, index) in links {
                let rare = self.links[index as usize].rare.as_ref();
                add(Bottleneck::Link(from, to), rare.map_or(&None, |rare| &rare.pipe));
            }
        }
        uses
    }
}
