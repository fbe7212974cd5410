//! What surrounds the nodes, as the engine sees it: packets are routed, alarms fall due.
//!
//! The engine knows no network, machine or disk. Whoever embeds it gives it an [`Environment`].

use super::Sim;
use super::fact::Fact;
use super::message::{Fault, NodeId};
use super::state::State;
use super::time::{Span, Time};
use super::waits::TaskId;

/// A message that asks to be carried.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// Size on the wire.
    pub bytes: u32,
    /// Does it answer?
    pub is_reply: bool,
    /// Does it say no more than that a connection broke?
    pub is_reset: bool,
    /// What the environment said of it last, by [`Verdict::Wait`]; 0 the first time.
    pub stage: u8,
    /// When it was first sent.
    pub sent: Time,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It arrives after this span.
    Deliver(Span),
    /// It arrives twice.
    Duplicate(Span, Span),
    /// It is lost, for this reason.
    Drop(&'static str),
    /// The transport tries again after this span; the stage is as for [`Verdict::Wait`].
    Resend(Span, u8),
    /// It is on its way, and the environment is asked again after this span, then with this stage.
    Wait(Span, u8),
    /// It is lost, and whoever waits for the answer learns of it after this span.
    Refuse(Fault, Span),
    /// It is lost because its connection broke, and everybody learns of it who waits for an answer
    /// over the same connection.
    Break,
    /// There never was such a packet.
    Forget,
}

/// What an alarm leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Nothing that a task must hear of.
    Nothing,
    /// A row was settled: poll its task.
    Poll(TaskId),
}

/// What surrounds the nodes.
pub trait Environment: Sized + 'static {
    /// Decides what becomes of a packet that leaves now.
    fn route(&mut self, packet: &Packet, now: Time) -> Verdict;

    /// Does whatever is sent from one of two nodes to the other arrive at once, so that
    /// [`Environment::route`] need not be asked? Default: no.
    #[inline]
    fn is_at_once(&self, _from: NodeId, _to: NodeId) -> bool {
        false
    }

    /// A request has reached a node that is down: who is to have it instead, if it is for an
    /// address that others stand behind. Default: nobody.
    fn stand_in(&mut self, _: &Packet) -> Option<NodeId> {
        None
    }

    /// A packet has reached a node that is down: what becomes of it.
    fn knock(&mut self, packet: &Packet, now: Time) -> Verdict;

    /// A packet has reached a node of which [`State::set_wary`] said that not every packet counts:
    /// what becomes of it instead of being served, if it does not.
    fn inspect(&mut self, _packet: &Packet, _now: Time) -> Option<Verdict> {
        None
    }

    /// How long a timer of `node` takes that is set to `span`, if its clock drifts. Default: as
    /// long.
    #[inline]
    fn timer(&self, _node: NodeId, span: Span) -> Span {
        span
    }

    /// An alarm set by [`State::set_alarm`] has fallen due.
    fn alarm(state: &mut State<Self>, alarm: u32, sequence: u64) -> Due;

    /// A control set by [`State::set_control`] has fallen due.
    fn control(sim: &mut Sim<Self>, control: u32);

    /// A fact was noted, and [`State::watch_facts`] has asked for it. What it leads to must wait
    /// for an event of its own: whoever noted it is in the middle of something.
    fn noted(_state: &mut State<Self>, _fact: &Fact) {}
}
