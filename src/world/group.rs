//! Addresses that stand for several nodes.

use crate::engine::NodeId;

/// An address and the nodes that it stands for.
struct Group {
    address: NodeId,
    members: Vec<NodeId>,
    /// How many messages were sent on so far.
    sent: usize,
}

/// The groups of a run.
#[derive(Default)]
pub(crate) struct Groups {
    all: Vec<Group>,
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

    pub fn add(&mut self, address: NodeId, members: Vec<NodeId>) {
        self.all.push(Group { address, members, sent: 0 });
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
