//! How far a packet has come: what the network has said of it last.

/// It has just been sent.
pub(super) const FRESH: u8 = 0;
/// Its sender has asked the name service and knows the answer.
pub(super) const NAMED: u8 = 1;
/// It was held up at the sender.
pub(super) const HELD: u8 = 2;
/// It reaches the line between two zones.
pub(super) const LINE: u8 = 3;
/// It reaches the receiver's network card.
pub(super) const CARD: u8 = 4;
/// It is no packet: a caller has heard nothing for too long and tries whether its peer is there.
pub(super) const PROBE: u8 = 5;
