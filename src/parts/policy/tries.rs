//! The tries of one call: each to an instance, with copies if it takes too long, until one succeeds
//! or no other is allowed.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::balance::{Avoid, Balance, Ticket};
use super::{Policy, facts};
use crate::engine::{self, Baggage, Fault, Msg, NodeId, Reply, Span, Time};
use crate::world::{Cx, World};

type Call<'c> = engine::Call<'c, World>;
type Cancellable<'c> = engine::Cancellable<'c, World>;

/// One call and what has come of it so far.
pub(super) struct Tries<'c> {
    policy: &'c Policy,
    cx: &'c Cx,
    to: NodeId,
    msg: &'c Msg,
    /// Nobody waits longer.
    deadline: Time,
    /// For an address without settings of its own.
    balance: Balance,
    /// Instances that were tried.
    tried: Vec<NodeId>,
    /// May any try have taken effect?
    is_unsure: bool,
}

/// A copy of the request under way.
struct Copy<'c> {
    call: Sent<'c>,
    ticket: Option<Ticket>,
}

enum Sent<'c> {
    Plain(Call<'c>),
    Cancellable(Cancellable<'c>),
}

impl Sent<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Reply> {
        match self {
            Sent::Plain(call) => Pin::new(call).poll(cx),
            Sent::Cancellable(call) => Pin::new(call).poll(cx),
        }
    }
}

/// What a try waits for.
enum Event {
    /// The copy in this place was answered.
    Answered(usize, Reply),
    /// It is time for another copy.
    Late,
}

impl<'c> Tries<'c> {
    pub fn new(policy: &'c Policy, cx: &'c Cx, to: NodeId, msg: &'c Msg, deadline: Time) -> Self {
        let (balance, tried) = (Balance::default(), Vec::new());
        Tries { policy, cx, to, msg, deadline, balance, tried, is_unsure: false }
    }

    fn balance(&self) -> &Balance {
        self.policy.balance.as_deref().unwrap_or(&self.balance)
    }

    /// Tries until one succeeds or no other is allowed.
    pub async fn run(mut self) -> Reply {
        let Tries { policy, cx, to, .. } = self;
        let began = cx.now();
        let purse = policy.budget.as_deref().map(|budget| (budget, budget.purse(cx, to)));
        if let Some((budget, purse)) = &purse {
            budget.began(purse, began);
        }
        if let Some(hedge) = policy.hedge.as_deref() {
            hedge.began(cx, to);
        }
        let (mut tries, mut wait, mut after) = (0, Span::ZERO, None);
        loop {
            let reply = self.one().await;
            let Err(fault) = reply else {
                if let Some((budget, purse)) = &purse {
                    budget.succeeded(purse, after);
                }
                return reply;
            };
            tries += 1;
            self.is_unsure |= !fault.is_definite();
            if let Some((budget, purse)) = &purse {
                budget.failed(purse);
            }
            if tries > policy.retries || !policy.retries_after(fault) {
                return self.failed(fault);
            }
            wait = policy.backoff.wait(cx, tries, wait);
            let hint = policy.hint(cx, to, fault);
            let next = cx.now() + wait.max(hint);
            let is_over = policy.retry_for.is_some_and(|span| next > began + span);
            if is_over || next >= self.deadline {
                return self.failed(fault);
            }
            if purse.as_ref().is_some_and(|(budget, purse)| !budget.pays(purse, fault)) {
                cx.note(facts::UNFUNDED, u64::from(to.0), 0);
                return self.failed(fault);
            }
            after = Some(fault);
            cx.note(facts::RETRIED, u64::from(to.0), u64::from(tries));
            let _ = cx.sleep(wait.max(hint)).await;
        }
    }

    /// What the caller is told: nothing that may have happened is called certain not to have.
    fn failed(&self, fault: Fault) -> Reply {
        Err(if self.is_unsure && fault.is_definite() { Fault::Timeout } else { fault })
    }

    /// One try, with copies if it takes too long.
    async fn one(&mut self) -> Reply {
        let Tries { policy, cx, to, .. } = *self;
        let Some(first) = self.send() else { return Err(Fault::Unreachable) };
        let began = cx.now();
        let mut copies = vec![first];
        let mut left = policy.hedge.as_deref().map_or(0, |hedge| hedge.max);
        let mut timer = self.timer(left);
        loop {
            match next(&mut copies, &mut timer).await {
                Event::Answered(place, reply) => {
                    let copy = copies.remove(place);
                    if let Some(ticket) = &copy.ticket {
                        ticket.learn(cx, self.balance(), &reply);
                    }
                    drop(copy);
                    let ends = match &reply {
                        Ok(_) => true,
                        Err(fault) => !policy.retries_after(*fault) || copies.is_empty(),
                    };
                    if let Err(fault) = &reply {
                        // The copies that are left may take effect all the same.
                        self.is_unsure |= !fault.is_definite() || ends && !copies.is_empty();
                    }
                    if ends {
                        // From the first copy on, whichever was answered: what the others saved
                        // must not make later calls hedge the earlier.
                        if let Some(hedge) = policy.hedge.as_deref() {
                            hedge.learn(cx, to, cx.now() - began);
                        }
                        return reply;
                    }
                }
                Event::Late => {
                    left -= 1;
                    timer = None;
                    let affords = policy.hedge.as_deref().is_none_or(|hedge| hedge.affords(cx, to));
                    if !affords {
                        cx.note(facts::UNFUNDED, u64::from(to.0), 0);
                    } else if let Some(copy) = self.send() {
                        cx.note(facts::HEDGED, u64::from(to.0), copies.len() as u64);
                        if let (true, Sent::Cancellable(one), Some(Sent::Cancellable(two))) = (
                            policy.hedge.as_deref().is_some_and(|hedge| hedge.tied),
                            &copy.call,
                            copies.first().map(|copy| &copy.call),
                        ) {
                            two.tie(one);
                        }
                        copies.push(copy);
                        timer = self.timer(left);
                    }
                }
            }
        }
    }

    /// When another copy is due, if one is left.
    fn timer(&self, left: u32) -> Option<Call<'c>> {
        let Tries { policy, cx, to, .. } = *self;
        let hedge = policy.hedge.as_deref().filter(|_| left > 0)?;
        hedge.delay(cx, to).map(|delay| cx.sleep(delay))
    }

    /// Sends a copy of the request; `None` if the address stands for nobody.
    fn send(&mut self) -> Option<Copy<'c>> {
        let Tries { policy, cx, to, msg, deadline, .. } = *self;
        let mut ticket = None;
        let mut target = to;
        if cx.is_address(to) {
            let avoids = policy.hedge.is_some() || self.balance().avoid == Avoid::Tried;
            let tried: &[NodeId] = if avoids { &self.tried } else { &[] };
            let chosen = self.balance().choose(cx, to, msg.key(), tried)?;
            target = chosen.node();
            ticket = Some(chosen);
            self.tried.push(target);
        }
        let before = cx.baggage();
        let along = if policy.propagate { deadline } else { Time::MAX };
        cx.set_baggage(Baggage { deadline: along, ..before });
        let now = cx.now();
        let cancels = policy.hedge.as_deref().is_some_and(|hedge| hedge.cancel)
            || policy.cancel.unwrap_or(cx.is_cancellable());
        // Whatever comes first ends the wait; a length that is always the same costs least.
        let timeout = policy.timeout.filter(|timeout| now + *timeout <= deadline);
        let call = if cancels {
            let call = cx.call_cancellable(target, msg.clone());
            Sent::Cancellable(match timeout {
                Some(timeout) => call.within(timeout),
                None if deadline.is_never() => call,
                None => call.until(deadline),
            })
        } else {
            let call = cx.call(target, msg.clone());
            Sent::Plain(match timeout {
                Some(timeout) => call.within(timeout),
                None if deadline.is_never() => call,
                None => call.until(deadline),
            })
        };
        cx.set_baggage(before);
        Some(Copy { call, ticket })
    }
}

/// Waits for an answer to any copy, or until it is time for another. Copies that were sent earlier
/// are looked at first.
async fn next(copies: &mut [Copy<'_>], timer: &mut Option<Call<'_>>) -> Event {
    poll_fn(|cx| {
        for (place, copy) in copies.iter_mut().enumerate() {
            if let Poll::Ready(reply) = copy.call.poll(cx) {
                return Poll::Ready(Event::Answered(place, reply));
            }
        }
        match timer {
            Some(due) => Pin::new(due).poll(cx).map(|_| Event::Late),
            None => Poll::Pending,
        }
    })
    .await
}
