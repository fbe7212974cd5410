//! How what a task says leaves it: requests, one-way messages, answers.
//!
//! What most messages are goes from the registers of whoever says it to its place (`Cx::send_do`
//! and its like): on the stack it would be written in two pieces and read in others, on which the
//! processor stalls. So whatever else is said has functions of its own.

use super::{Call, Caller, Cx};
use crate::engine::environment::Environment;
use crate::engine::event::Record;
use crate::engine::message::{Baggage, Msg, NodeId, Reply};
use crate::engine::name::Name;
use crate::engine::state::{Kind, State};
use crate::engine::time::{Span, Time};
use crate::engine::waits::WaitId;

impl<E: Environment> Cx<E> {
    /// Sends a request; the reply is awaited. Bound it with [`Call::within`].
    #[inline]
    pub fn call(&self, to: NodeId, msg: Msg) -> Call<'_, E> {
        Call { cx: self, wait: self.ask(to, msg) }
    }

    #[inline(always)]
    fn ask(&self, to: NodeId, msg: Msg) -> WaitId {
        match msg {
            Msg::Do { verb, key, value } => self.ask_do(to, verb, (key, value)),
            other => self.ask_other(to, other),
        }
    }

    #[inline(never)]
    fn ask_do(&self, to: NodeId, verb: Name, (key, value): (u64, u64)) -> WaitId {
        self.ask_with(to, || Msg::Do { verb, key, value })
    }

    #[inline(never)]
    fn ask_other(&self, to: NodeId, msg: Msg) -> WaitId {
        self.ask_with(to, || msg)
    }

    #[inline(always)]
    fn ask_with(&self, to: NodeId, msg: impl FnOnce() -> Msg) -> WaitId {
        let mut state = self.core.state_mut();
        let (sent, wait) = (state.now(), state.waits.open(self.task.get(), to, self.root.get()));
        let index = state.write(|| self.record(sent, to, msg(), wait));
        state.transmit(index, Kind::Request);
        wait
    }

    /// Sends a request in another node's name, for whoever steers a run by hand; the reply takes
    /// the way back to that node, and this task hears of it.
    pub fn call_as(&self, from: NodeId, to: NodeId, msg: Msg) -> Call<'_, E> {
        let mut state = self.core.state_mut();
        let wait = state.waits.open_as(from, self.task.get(), to, self.root.get());
        let record = Record { from, ..self.record(state.now(), to, msg, wait) };
        let index = state.write(|| record);
        state.transmit(index, Kind::Request);
        drop(state);
        Call { cx: self, wait }
    }

    /// Sends a message that wants no reply.
    #[inline(always)]
    pub fn send(&self, to: NodeId, msg: Msg) {
        match msg {
            Msg::Do { verb, key, value } => self.send_do(to, verb, (key, value)),
            other => self.send_other(to, other),
        }
    }

    #[inline(never)]
    fn send_do(&self, to: NodeId, verb: Name, (key, value): (u64, u64)) {
        self.send_with(to, || Msg::Do { verb, key, value });
    }

    #[inline(never)]
    fn send_other(&self, to: NodeId, msg: Msg) {
        self.send_with(to, || msg);
    }

    #[inline(always)]
    fn send_with(&self, to: NodeId, msg: impl FnOnce() -> Msg) {
        let mut state = self.core.state_mut();
        let index = self.write(&mut state, to, msg);
        state.transmit(index, Kind::Request);
    }

    /// Sends a message that wants no reply and arrives after exactly `delay`, whatever the network
    /// is like: for models that bring a transport of their own.
    #[inline(always)]
    pub fn post(&self, to: NodeId, msg: Msg, delay: Span) {
        match msg {
            Msg::Do { verb, key, value } => self.post_do(to, verb, (key, value), delay),
            other => self.post_other(to, other, delay),
        }
    }

    #[inline(never)]
    fn post_do(&self, to: NodeId, verb: Name, (key, value): (u64, u64), delay: Span) {
        self.post_with(to, || Msg::Do { verb, key, value }, delay);
    }

    #[inline(never)]
    fn post_other(&self, to: NodeId, msg: Msg, delay: Span) {
        self.post_with(to, || msg, delay);
    }

    #[inline(always)]
    fn post_with(&self, to: NodeId, msg: impl FnOnce() -> Msg, delay: Span) {
        let mut state = self.core.state_mut();
        let index = self.write(&mut state, to, msg);
        state.post(index, delay);
    }

    /// Starts a new task on this very node, without crossing the network: the only way to fork.
    #[inline]
    pub fn kick(&self, msg: Msg) {
        let mut state = self.core.state_mut();
        let index = self.write(&mut state, self.me(), || msg);
        state.kick(index);
    }

    /// Writes down a message to `to` that nobody waits for an answer to.
    #[inline(always)]
    fn write(&self, state: &mut State<E>, to: NodeId, msg: impl FnOnce() -> Msg) -> u32 {
        let sent = state.now();
        state.write(|| self.record(sent, to, msg(), WaitId::NONE))
    }

    #[inline(always)]
    pub(in crate::engine) fn record(
        &self,
        sent: Time,
        to: NodeId,
        msg: Msg,
        wait: WaitId,
    ) -> Record {
        let (from, root) = (self.me(), self.root.get());
        let Baggage { deadline, payload, class } = self.baggage.get();
        let patience = Record::patience(deadline, sent);
        Record {
            msg,
            fault: None,
            wait,
            from,
            to,
            root,
            sent,
            patience,
            payload,
            class,
            stage: 0,
            is_cancellable: false,
        }
    }

    /// Answers whoever asked, once.
    #[inline]
    pub(crate) fn reply(&self, body: Reply) {
        let caller = self.caller.replace(Caller::NONE);
        if caller.wait != WaitId::NONE {
            self.answer(caller, body);
        }
    }

    #[inline(never)]
    fn answer(&self, Caller { node, wait }: Caller, body: Reply) {
        let mut state = self.core.state_mut();
        if self.may_cancel.take() {
            if state.is_withdrawing() {
                return;
            }
            state.withdrawals.release(self.task.get());
        }
        let (from, root, sent) = (self.me(), self.root.get(), state.now());
        let (msg, fault) = match body {
            Ok(msg) => (msg, None),
            Err(fault) => (Record::SILENCE, Some(fault)),
        };
        let index = state.write(|| Record {
            msg,
            fault,
            wait,
            from,
            to: node,
            root,
            sent,
            patience: Record::FOREVER,
            payload: if fault.is_some() { 0 } else { self.answer.get() },
            class: self.baggage.get().class,
            stage: 0,
            is_cancellable: false,
        });
        state.transmit(index, Kind::Reply);
    }
}
