//! What nodes say to each other: one small shared vocabulary.
//!
//! Payloads are identities, not bytes: a simulator of architectures needs to know *which* order was
//! reserved, how large it was on the wire and what came back, never what was in it. The vocabulary
//! is closed, so that checkers, traces, the network and the digest read every message without
//! knowing the pattern; `Do` is its open door.

use std::rc::Rc;

use super::name::Name;
use super::time::Time;
use super::waits::WaitId;

/// A node of the simulation: its place in the order of addition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The business operation that a message belongs to: a client's request and all that follows from
/// it carry the same root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Root(pub u32);

impl Root {
    /// Belongs to no request: background work.
    pub const NONE: Root = Root(0);
}

/// A class of requests: its place in the environment's table of classes, which knows priority and
/// tenant. The first is the class of everything that was given none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Class(pub u8);

/// What travels with a request besides what it says, and is handed on with every call that is made
/// for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Baggage {
    /// From here on nobody is interested in the answer; [`Time::MAX`] for never. It travels as what
    /// is left, in whole microseconds, as in gRPC's `grpc-timeout`, so each hop may shorten it by
    /// less than one.
    pub deadline: Time,
    /// Size of the body in bytes, besides what every message weighs.
    pub payload: u32,
    /// Whose request it is.
    pub class: Class,
}

impl Baggage {
    /// Without deadline or body, of no class.
    pub const NONE: Baggage = Baggage { deadline: Time::MAX, payload: 0, class: Class(0) };
}

impl Default for Baggage {
    fn default() -> Baggage {
        Baggage::NONE
    }
}

/// A request, or what a successful reply carries.
// Its kind takes a whole word of 32 bits, so that a message is copied in words. Left to itself the
// compiler makes it a byte as soon as any variant has a `bool`, copies the seven bytes after it in
// overlapping pieces, and each copy stalls on the one before: a seventh of an M/M/1 customer.
#[repr(u32)]
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Msg {
    /// Perform the operation `verb` for the business object `key`; `value` is its amount.
    Do {
        /// Which operation of the service.
        verb: Name,
        /// Which business object, for example the order number.
        key: u64,
        /// How much: money in cents, pieces, or nothing.
        value: u64,
    },
    /// It is done; `value` is its result.
    Done {
        /// The result: an amount, an offset, a version, or zero.
        value: u64,
    },
    /// It was not done: row `row` of a [`Msg::Commit`] found `found` where it expected otherwise.
    Clash {
        /// Position in the batch of the first row whose condition did not hold.
        row: u32,
        /// The value that stands there; [`Row::ABSENT`] for none.
        found: u64,
    },
    /// Read one row.
    Get {
        /// The table.
        table: Name,
        /// The key in it.
        key: u64,
    },
    /// Apply all rows or none.
    Commit {
        /// The rows of the transaction.
        rows: Rc<[Row]>,
    },
    /// Several messages at once, each of an operation of its own: what a broker hands out to
    /// whoever asks it for messages, and what one broker keeps for another.
    Batch {
        /// The messages, in order.
        parcels: Rc<[Parcel]>,
    },
    /// Nobody wants the answer to a request any more: drop it. The engine does, and no node is
    /// asked.
    Cancel {
        /// The request, by where its answer was awaited.
        request: WaitId,
        /// Let it go on if its work has started.
        unless_begun: bool,
    },
}

impl Msg {
    /// The business object, for digests and traces.
    pub fn key(&self) -> u64 {
        match self {
            Msg::Do { key, .. } | Msg::Get { key, .. } => *key,
            Msg::Done { value } => *value,
            Msg::Clash { row, found } => u64::from(*row) << 32 ^ *found,
            Msg::Commit { rows } => rows.first().map_or(0, |row| row.key),
            Msg::Batch { parcels } => parcels.first().map_or(0, |parcel| parcel.id),
            Msg::Cancel { request, .. } => u64::from(request.slot()),
        }
    }

    /// Which kind of message, and which verb: a number for digests.
    pub fn tag(&self) -> u64 {
        match self {
            Msg::Do { verb, .. } => u64::from(verb.value()) << 8,
            Msg::Done { .. } => 1,
            Msg::Clash { .. } => 2,
            Msg::Get { table, .. } => u64::from(table.value()) << 8 | 3,
            Msg::Commit { rows } => (rows.len() as u64) << 8 | 4,
            Msg::Cancel { unless_begun, .. } => u64::from(*unless_begun) << 8 | 5,
            Msg::Batch { parcels } => (parcels.len() as u64) << 8 | 6,
        }
    }

    /// Both [`Msg::tag`] and [`Msg::key`].
    #[inline]
    pub(crate) fn identity(&self) -> (u64, u64) {
        match self {
            Msg::Do { verb, key, .. } => (u64::from(verb.value()) << 8, *key),
            other => other.other_identity(),
        }
    }

    #[inline(never)]
    fn other_identity(&self) -> (u64, u64) {
        (self.tag(), self.key())
    }

    /// Size on the wire in bytes: a header of [`Msg::HEADER`], 32 for each row, and of each message
    /// in a batch another header and its body.
    pub fn bytes(&self) -> u32 {
        match self {
            Msg::Commit { rows } => Msg::HEADER + 32 * rows.len() as u32,
            Msg::Batch { parcels } => parcels
                .iter()
                .map(|parcel| Msg::HEADER.saturating_add(parcel.payload))
                .fold(Msg::HEADER, u32::saturating_add),
            _ => Msg::HEADER,
        }
    }

    /// What any message weighs: a small HTTP/2 or gRPC request with its compressed headers and a
    /// short body is 100 to 300 bytes.
    pub const HEADER: u32 = 200;
}

/// One of several messages that travel together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// Which message it is, in the terms of whoever hands it out or keeps it.
    pub id: u64,
    /// The business operation that it belongs to.
    pub root: Root,
    /// Its class.
    pub class: Class,
    /// Bytes of its body.
    pub payload: u32,
    /// The business object that it is about.
    pub key: u64,
    /// Its amount.
    pub value: u64,
    /// Since when whoever hands it out has had it.
    pub since: Time,
    /// The how-manieth time it is handed out, from 1; or what its keeper notes about it.
    pub count: u32,
}

impl Parcel {
    /// One that says nothing, for what others are made of.
    pub const NOTHING: Parcel = Parcel {
        id: 0,
        root: Root::NONE,
        class: Class(0),
        payload: 0,
        key: 0,
        value: 0,
        since: Time(0),
        count: 0,
    };
}

/// One row of a transaction: a condition on what stands there, and a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The table.
    pub table: Name,
    /// The key in it.
    pub key: u64,
    /// What must hold for the transaction to go through.
    pub expect: Expect,
    /// What happens then.
    pub change: Change,
}

impl Row {
    /// What [`Msg::Clash`] reports for a key that does not exist.
    pub const ABSENT: u64 = u64::MAX;
}

/// A row's condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Nothing is expected.
    Any,
    /// The key must not exist.
    Absent,
    /// The key must exist with this value.
    Value(u64),
    /// The key must not exist, or with at most this value: how a store fences off old tokens.
    AtMost(u64),
    /// The row is written at this instant of the writer's clock: where the last write wins, a row
    /// that was written later stays as it is, and the transaction goes through without it.
    Stamped(u64),
    /// The key must not exist, or with a value below this: a record so old does not count any more.
    Below(u64),
}

/// A row's change. Values are balances or states; a balance never falls below zero, so a [`Take`]
/// of more than is there makes the whole transaction clash.
///
/// [`Take`]: Change::Take
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Set the value.
    Set(u64),
    /// Add to the balance.
    Give(u64),
    /// Subtract from the balance.
    Take(u64),
    /// Write an event into the store's outbox, about the business object that is the row's key.
    Emit {
        /// What has happened: the operation by which it is published.
        event: Name,
        /// The class of the request that it is written for.
        class: Class,
        /// Its amount.
        value: u64,
    },
    /// Mark an event of the outbox as published: the one whose number is the row's key.
    Relayed,
}

/// Why a request did not succeed, as its caller sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// No answer in time. Indefinite: it may have happened, or may still.
    Timeout,
    /// The connection broke while the request was under way. Indefinite.
    Reset,
    /// Nobody listens there. Definite: it did not happen.
    Unreachable,
    /// Refused for business reasons, such as a declined card. Definite.
    Refused,
    /// No room in a queue, or shed. Definite.
    Overloaded,
    /// An error inside the service before anything was changed. Definite.
    Failed,
    /// No such operation. Definite.
    Unknown,
    /// Somebody else was first. Definite.
    Conflict,
    /// The caller's own circuit breaker is open: it was never sent. Definite.
    Open,
    /// The caller's own rate limit or bulkhead has no room: it was never sent. Definite.
    Limited,
    /// Its deadline had passed before anybody began it. Definite.
    Expired,
}

impl Fault {
    /// Every fault, in the order of reports.
    pub const ALL: [Fault; 11] = [
        Fault::Timeout,
        Fault::Reset,
        Fault::Unreachable,
        Fault::Refused,
        Fault::Overloaded,
        Fault::Failed,
        Fault::Unknown,
        Fault::Conflict,
        Fault::Open,
        Fault::Limited,
        Fault::Expired,
    ];

    /// Is it certain that the request had no effect?
    pub fn is_definite(self) -> bool {
        !matches!(self, Fault::Timeout | Fault::Reset)
    }

    /// May the same request succeed if it is simply sent again?
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Fault::Timeout | Fault::Reset | Fault::Unreachable | Fault::Overloaded | Fault::Failed
        )
    }

    /// As reports spell it.
    pub fn label(self) -> &'static str {
        match self {
            Fault::Timeout => "timeout",
            Fault::Reset => "connection reset",
            Fault::Unreachable => "unreachable",
            Fault::Refused => "refused",
            Fault::Overloaded => "overloaded",
            Fault::Failed => "failed",
            Fault::Unknown => "unknown operation",
            Fault::Conflict => "conflict",
            Fault::Open => "breaker open",
            Fault::Limited => "limited by its caller",
            Fault::Expired => "deadline passed",
        }
    }
}

/// What a request ends with.
pub type Reply = Result<Msg, Fault>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_three_words() {
        assert_eq!(size_of::<Msg>(), 24);
        assert_eq!(size_of::<Reply>(), 24);
        assert_eq!(size_of::<Option<Reply>>(), 24);
        assert_eq!(size_of::<Row>(), 48);
    }

    #[test]
    fn a_batch_weighs_what_is_in_it() {
        let parcel = Parcel { id: 7, payload: 1_000, key: 9, ..Parcel::NOTHING };
        let batch = |parcels: &[Parcel]| Msg::Batch { parcels: parcels.into() };
        assert_eq!(batch(&[]).bytes(), 200);
        assert_eq!(batch(&[parcel, parcel]).bytes(), 200 + 2 * 1_200);
        assert_eq!((batch(&[parcel]).key(), batch(&[parcel]).tag()), (7, 1 << 8 | 6));
    }

    #[test]
    fn what_cannot_help_the_next_time_is_not_tried_again() {
        let tried: Vec<Fault> = Fault::ALL.into_iter().filter(|f| f.is_retryable()).collect();
        let [timeout, reset, unreachable] = [Fault::Timeout, Fault::Reset, Fault::Unreachable];
        assert_eq!(tried, [timeout, reset, unreachable, Fault::Overloaded, Fault::Failed]);
        assert!(Fault::ALL.into_iter().zip(0..).all(|(fault, place)| fault as u64 == place));
    }

    #[test]
    fn what_may_have_happened_is_never_called_definite() {
        let indefinite: Vec<Fault> = Fault::ALL.into_iter().filter(|f| !f.is_definite()).collect();
        assert_eq!(indefinite, [Fault::Timeout, Fault::Reset]);
    }
}
