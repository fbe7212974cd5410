//! A call that can be taken back: giving it up sends a cancellation after it.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::cx::{Call, Cx};
use super::environment::Environment;
use super::event::Record;
use super::message::{Msg, NodeId, Reply};
use super::state::Kind;
use super::time::{Span, Time};
use super::waits::WaitId;
use super::withdrawal::Recall;

/// A call that can be taken back. If it ends without an answer, because it was dropped or its time
/// was up, a cancellation follows the request: the task that serves it is dropped, with all that it
/// waits for, and never answers.
#[must_use = "it does nothing for you until it is awaited"]
pub struct Cancellable<'a, E: Environment> {
    call: Call<'a, E>,
    to: NodeId,
    request: WaitId,
    is_answered: bool,
}

impl<E: Environment> Cx<E> {
    /// Sends a request that can be taken back; the reply is awaited.
    pub fn call_cancellable(&self, to: NodeId, msg: Msg) -> Cancellable<'_, E> {
        let mut state = self.core.state_mut();
        let request = state.waits.open(self.task.get(), to, self.root());
        let record = self.record(state.now(), to, msg, request);
        let index = state.write(|| Record { is_cancellable: true, ..record });
        state.transmit(index, Kind::Request);
        drop(state);
        let call = Call { cx: self, wait: request };
        Cancellable { call, to, request, is_answered: false }
    }
}

impl<E: Environment> Cancellable<'_, E> {
    /// As [`Call::within`].
    pub fn within(self, timeout: Span) -> Self {
        let mut state = self.call.cx.core.state_mut();
        let timeout = state.env.timer(self.call.cx.me(), timeout);
        state.set_deadline(self.request, timeout);
        drop(state);
        self
    }

    /// As [`Call::until`].
    pub fn until(self, at: Time) -> Self {
        self.call.cx.core.state_mut().set_end(self.request, at);
        self
    }

    /// Ties it to another that was sent later: whichever of the two begins its work first takes the
    /// other back, unless that one has begun as well.
    pub fn tie(&self, twin: &Self) {
        let mut state = self.call.cx.core.state_mut();
        let recall = state.withdrawals.tie((self.to, self.request), (twin.to, twin.request));
        if let Some(recall) = recall {
            state.recall(&recall, true);
        }
    }

    /// The callee.
    pub fn to(&self) -> NodeId {
        self.to
    }
}

impl<E: Environment> Future for Cancellable<'_, E> {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let has_given_up = self.call.cx.core.state().waits.is_timed_out(self.call.wait);
        let polled = Pin::new(&mut self.call).poll(cx);
        self.is_answered |= polled.is_ready() && !has_given_up;
        polled
    }
}

impl<E: Environment> Drop for Cancellable<'_, E> {
    fn drop(&mut self) {
        let cx = self.call.cx;
        let (from, to, root, request) = (cx.me(), self.to, cx.root(), self.request);
        let mut state = cx.core.state_mut();
        state.withdrawals.untie(request);
        if !self.is_answered {
            state.recall(&Recall { from, to, root, request }, false);
        }
    }
}
