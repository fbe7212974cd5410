//! What nodes ask of one another and what they answer, so that a scenario in which they do not fit
//! can be refused.

use super::flaw::Step;
use crate::engine::{Name, NodeId};

/// What a node asks of another, and where its description says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The way to what says so.
    pub steps: Vec<Step>,
    /// The fields there that say whom and what; empty for what says it as a whole.
    pub fields: [&'static str; 2],
    /// Whom.
    pub to: NodeId,
    /// What.
    pub what: Want,
    /// How the two speak for that.
    pub way: Way,
}

/// How one node speaks to another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// It asks and waits for the answer.
    Call,
    /// It sends and goes on.
    Send,
    /// It fetches what others have sent there: messages flow from there to it.
    Fetch,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// An operation.
    Operation(Name),
    /// Rows of this table; of any, if none is named.
    Rows(Option<Name>),
    /// A transaction that gives to these tables and accounts, and takes from those.
    Commit([Vec<Name>; 2]),
    /// Leases.
    Locks,
    /// Messages of this queue.
    Queue(Name),
    /// That it keeps copies of messages.
    Copies,
    /// That it decides who leads the partitions of log brokers.
    Controller,
    /// That it keeps topics of records, in partitions.
    Topics,
    /// Records of this topic, in partitions.
    Topic(Name),
    /// The events of its outbox.
    Events,
    /// The operations that the events of an outbox are called like.
    Published,
    /// That somebody publishes events of this name from its outbox.
    Relay(Name),
}

impl Ask {
    /// What the fields `whom` and `which` of a value say.
    pub fn of(fields: [&'static str; 2], to: NodeId, what: Want) -> Ask {
        Ask { steps: Vec::new(), fields, to, what, way: Way::Call }
    }

    /// The same, and nobody waits for the answer.
    pub fn sent(self) -> Ask {
        Ask { way: Way::Send, ..self }
    }

    /// The same of what others have sent there.
    pub fn fetched(self) -> Ask {
        Ask { way: Way::Fetch, ..self }
    }

    /// The same, told by what has it there.
    pub fn within(mut self, place: impl Into<Step>) -> Ask {
        self.steps.insert(0, place.into());
        self
    }
}

/// Names that a node knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Known {
    /// None.
    #[default]
    Nothing,
    /// Whatever is asked for.
    Anything,
    /// These, which the scenario spells.
    These(Vec<Name>),
    /// The topics of this broker of logs.
    TopicsOf(NodeId),
    /// These, which the kind of node spells.
    Always(&'static [&'static str]),
}

/// Whose rows a node reads out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum RowsOf {
    /// It has none.
    #[default]
    Nobody,
    /// Its own, of these tables and accounts.
    Itself(Vec<Name>),
    /// Those of another node.
    Other(NodeId),
}

/// What a node answers. By default nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Offers {
    /// The operations that can be asked for.
    pub operations: Known,
    /// The operations that a fault of kind `Errors` can befall, as it names them.
    pub errs: Known,
    /// The rows that can be read.
    pub rows: RowsOf,
    /// Does it commit transactions?
    pub commits: bool,
    /// Does it have an outbox?
    pub events: bool,
    /// Does it grant leases?
    pub locks: bool,
    /// The queues whose messages it hands out, if it is a broker.
    pub queues: Option<Vec<Name>>,
    /// The topics whose records it keeps in partitions, if it is a broker of logs.
    pub topics: Option<Vec<Name>>,
    /// Does it decide who leads the partitions of log brokers?
    pub controls: bool,
    /// Does it write to its disk?
    pub logs: bool,
}
