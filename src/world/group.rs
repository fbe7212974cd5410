//! Addresses that stand for several nodes.

use std::rc::Rc;

use super::Sim;
use crate::engine::NodeId;

/// In which version an instance runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    First,
    Next,
}

/// Gives a node that is down the description of a version of it.
pub(crate) type Change = Rc<dyn Fn(&mut Sim, NodeId, Version)>;

/// An address and the nodes that it stands for.
pub(super) struct Group {
    pub address: NodeId,
    pub members: Vec<NodeId>,
    /// In which version a member is that starts anew.
    pub version: Version,
    /// How a member comes to another version, if there is one.
    change: Option<Change>,
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
        self.all.push(Group { address, members, version: Version::First, change: None, sent: 0 });
        self.all.len() as u32 - 1
    }

    /// The members of this group have a next version.
    pub fn set_change(&mut self, group: u32, change: Change) {
        self.all[group as usize].change = Some(change);
    }

    /// How this node comes to another version, if it has one.
    pub fn change_of(&self, node: NodeId) -> Option<Change> {
        self.all.iter().find(|group| group.members.contains(&node))?.change.clone()
    }

    /// The nodes that an address stands for; a node stands for itself.
    pub fn members(&self, node: NodeId) -> Vec<NodeId> {
        match self.all.iter().find(|group| group.address == node) {
            Some(group) => group.members.clone(),
            None => vec![node],
        }
    }

    /// All nodes of the description that this one is of, whether they run or not; a node without
    /// others is alone.
    pub fn siblings(&self, node: NodeId) -> Vec<NodeId> {
        let its = self.all.iter().find(|group| group.members.contains(&node));
        its.map_or_else(|| vec![node], |group| group.members.clone())
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
        assert_eq!(
            (groups.siblings(two), groups.siblings(address)),
            (vec![one, two], vec![address])
        );
        let mut turns = |instances: &[NodeId]| groups.next(address, instances);
        assert_eq!([turns(&[one, two]), turns(&[one, two])], [Some(one), Some(two)]);
        assert_eq!((turns(&[two]), turns(&[])), (Some(two), None));
    }
}
