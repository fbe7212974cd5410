//! A call under everything that its policy asks for, in the one order.

use super::fallback::Fallback;
use super::tries::Tries;
use super::{Policy, facts};
use crate::engine::{Fault, Msg, NodeId, Reply, Time};
use crate::world::Cx;

/// Calls `to` under all of the policy.
pub(super) async fn call(policy: &Policy, cx: &Cx, to: NodeId, msg: Msg) -> Reply {
    let deadline = policy.deadline_of_a_call(cx);
    let reply = limited(policy, cx, to, &msg, deadline).await;
    match policy.fallback.as_deref() {
        Some(fallback) => Fallback::apply(fallback, cx, to, (&msg, reply), deadline).await,
        None => reply,
    }
}

/// Within the fallback: deadline, rate limit, bulkhead, breaker, tries.
async fn limited(policy: &Policy, cx: &Cx, to: NodeId, msg: &Msg, deadline: Time) -> Reply {
    let turned_away = |what| {
        cx.note(what, u64::from(to.0), 0);
        Err(Fault::Limited)
    };
    // What was still worth waiting for may not be worth beginning.
    let expires = || {
        let is_over = cx.now() >= deadline;
        if is_over {
            cx.note(facts::EXPIRED, u64::from(to.0), 0);
        }
        is_over
    };
    if expires() {
        return Err(Fault::Expired);
    }
    if let Some(limit) = policy.rate_limit.as_deref()
        && !limit.admits(cx, to, deadline).await
    {
        return turned_away(facts::LIMITED);
    }
    let _permit = match policy.bulkhead.as_deref() {
        None => None,
        Some(bulkhead) => match bulkhead.enter(cx, to, deadline).await {
            None => return turned_away(facts::CROWDED),
            permit => permit,
        },
    };
    if expires() {
        return Err(Fault::Expired);
    }
    let pass = match policy.breaker.as_deref() {
        None => None,
        Some(breaker) => match breaker.admit(cx, to) {
            None => return Err(Fault::Open),
            pass => pass,
        },
    };
    let began = cx.now();
    let reply = Tries::new(policy, cx, to, msg, deadline).run().await;
    if let Some(pass) = pass {
        pass.judge(cx, to, &reply);
    }
    if let Some(limit) = policy.rate_limit.as_deref() {
        limit.learn(cx, to, &reply, cx.now() - began);
    }
    reply
}
