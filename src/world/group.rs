//! Addresses that stand for several nodes.

use std::rc::Rc;

use super::Sim;
use crate::engine::NodeId;

/// Gives a node the description of its next version.
pub(crate) type Upgrade = Rc<dyn Fn(&mut Sim, NodeId)>;

/// An address and the nodes that it stands for.
pub(super) struct Group {
    pub address: NodeId,
    pub members: Vec<NodeId>,
    /// How a member comes to its next version, if there is one.
    upgrade: Option<Upgrade>,
    /// How many messages were sent on so far.
    sent: usize,
}

/// The groups of a run.
#[derive(Default)]
pub(crate) struct Groups {
    pub(super) all: Vec<Group>,
}

impl Groups {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[inline(never)]
    pub fn is_address(&self, node: NodeId) -> bool {
        self.all.iter().any(|group| group.address == node)
    }

    pub fn add(&mut self, address: NodeId, members: Vec<NodeId>) -> u32 {
        self.all.push(Group { address, members, upgrade: None, sent: 0 });
        self.all.len() as u32 - 1
    }

    /// The members of this group have a next version.
    pub fn set_upgrade(&mut self, group: u32, upgrade: Upgrade) {
        self.all[group as usize].upgrade = Some(upgrade);
    }

    /// How this node comes to its next version, if it has one.
    pub fn upgrade_of(&self, node: NodeId) -> Option<Upgrade> {
        self.all.iter().find(|group| group.members.contains(&node))?.upgrade.clone()
    }

    /// The nodes that an address stands for; a node stands for itself.
    pub fn members(&self, node: NodeId) -> Vec<NodeId> {
        match self.all.iter().find(|group| group.address == node) {
            Some(group) => group.members.clone(),
            None => vec![node],
        }
    }

    /// To whom the next message to this address goes: to each instance in turn.
    pub fn next(&mut self, address: NodeId, instances: &[NodeId]) -> Option<NodeId> {
        let group = self.all.iter_mut().find(|group| group.address == address)?;
        let chosen = instances.get(group.sent % instances.len().max(1))?;
        group.sent += 1;
        Some(*chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_its_members_and_they_take_turns() {
        let [address, one, two] = [NodeId(0), NodeId(1), NodeId(2)];
        let mut groups = Groups::default();
        assert!(groups.is_empty());
        groups.add(address, vec![one, two]);
        assert!(groups.is_address(address) && !groups.is_address(one));
        assert_eq!((groups.members(address), groups.members(one)), (vec![one, two], vec![one]));
        let mut turns = |instances: &[NodeId]| groups.next(address, instances);
        assert_eq!([turns(&[one, two]), turns(&[one, two])], [Some(one), Some(two)]);
        assert_eq!((turns(&[two]), turns(&[])), (Some(two), None));
    }
}
