#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PartitionId(pub u32);
impl PartitionId { pub fn new(topic: u16, index: u16) -> Self { PartitionId(u32::from(topic) << 16 | u32::from(index)) } }
