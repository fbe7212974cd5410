//! Facts: what nodes and the engine say has happened, read by metrics, checkers and traces.

use super::message::{NodeId, Reply, Root};
use super::name::Name;
use super::time::Time;

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fact {
    /// When.
    pub at: Time,
    /// Where.
    pub node: NodeId,
    /// In the course of which business operation.
    pub root: Root,
    /// What.
    pub what: Name,
    /// Which object: an order, a key, an index.
    pub key: u64,
    /// How much, or which state; each kind of fact says what it means.
    pub value: u64,
}

/// Reads the facts of a run, in order, while it runs.
pub trait Observer {
    /// Called once for each fact.
    fn fact(&mut self, fact: &Fact);
}

/// What a tracer is shown: every step of a message, and every fact.
#[derive(Debug)]
pub enum Step<'a> {
    /// Something happened to a message.
    Message(&'a Hop<'a>, Fate),
    /// A deadline passed at this node before the reply came.
    TimedOut(NodeId),
    /// A node noted a fact.
    Noted(&'a Fact),
}

/// What happens to a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was handed to the network.
    Sent,
    /// It reached its target.
    Arrived,
    /// It was a reply, and its caller had given up.
    Orphaned,
    /// It will never arrive, for this reason.
    Lost(&'static str),
}

/// One message on its way.
#[derive(Debug)]
pub struct Hop<'a> {
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// The operation that it belongs to.
    pub root: Root,
    /// What is said: a request is `Ok`.
    pub body: &'a Reply,
    /// Is it the answer to an earlier message?
    pub is_reply: bool,
    /// Is it a request whose answer somebody waits for?
    pub is_awaited: bool,
    /// When it was first sent.
    pub sent: Time,
}

/// Sees every step; for replays, not for measurements: it costs time, never events.
pub trait Tracer {
    /// Called once for each step.
    fn step(&mut self, at: Time, step: &Step<'_>);
}
