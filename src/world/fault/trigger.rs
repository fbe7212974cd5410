//! A fault that waits for something to happen: the n-th occurrence of a fact.
//!
//! Nodes note facts in the middle of their work. What a fact sets off is therefore an event of its
//! own, at the same instant and after the one that noted it, so nothing is changed under the feet
//! of whoever noted it. Where no fault waits, nobody looks.

use serde::Deserialize;

use super::schedule::{begin_at, end_at};
use crate::engine::{Fact, Name, NodeId, Span, State};
use crate::world::World;

/// Something that a fault waits for: the n-th occurrence of a fact.
///
/// `stormglass list facts` names the facts that nodes note. A row of a transaction that becomes
/// durable is a fact too: its name is that of the account.
///
/// ```ron
/// (fact: "saga.step-done", node: "shop", value: 1, nth: 3, after: "1ms")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Which fact: one of `list facts`, or an account whose change becomes durable.
    pub fact: Name,
    /// Noted by which node. Default: by any.
    #[serde(default)]
    pub node: Option<NodeId>,
    /// About which object; each fact says what its key is. Default: about any.
    #[serde(default)]
    pub key: Option<u64>,
    /// With which value; each fact says what its value is. Default: with any.
    #[serde(default)]
    pub value: Option<u64>,
    /// At which of the occurrences that fit, counted from 1. Default: 1.
    #[serde(default = "first")]
    pub nth: u32,
    /// How long after it. Default: at the same instant.
    #[serde(default)]
    pub after: Span,
    /// Does it count on from there, so that every `nth` occurrence fits? Default: false, only one.
    #[serde(default)]
    pub every_time: bool,
}

fn first() -> u32 {
    1
}

impl Trigger {
    /// All but who has noted it.
    fn fits(&self, fact: &Fact) -> bool {
        self.fact == fact.what
            && self.key.is_none_or(|key| key == fact.key)
            && self.value.is_none_or(|value| value == fact.value)
    }
}

/// Counts the occurrences of what a fault waits for.
pub(super) struct Watch {
    fault: u32,
    /// Does it end the fault, or begin it?
    ends: bool,
    trigger: Trigger,
    /// By whom it must be noted: by any of these.
    nodes: Option<Vec<NodeId>>,
    seen: u32,
}

impl Watch {
    /// For a fault that begins or ends then; `nodes` are those that its node stands for.
    pub fn new((fault, ends): (u32, bool), trigger: &Trigger, nodes: Option<Vec<NodeId>>) -> Watch {
        Watch { fault, ends, trigger: trigger.clone(), nodes, seen: 0 }
    }

    /// A fault begins: what ends it is counted from here.
    pub fn rearm(&mut self, fault: u32) {
        if self.ends && self.fault == fault {
            self.seen = 0;
        }
    }

    /// Is this the occurrence that counts?
    fn counts(&mut self, fact: &Fact) -> bool {
        let nth = self.trigger.nth;
        let is_there = self.nodes.as_ref().is_none_or(|nodes| nodes.contains(&fact.node));
        if !is_there || !self.trigger.fits(fact) || self.seen >= nth {
            return false;
        }
        self.seen += 1;
        let is_it = self.seen == nth;
        if is_it && self.trigger.every_time {
            self.seen = 0;
        }
        is_it
    }
}

/// A fact was noted: some faults may have waited for it.
#[cold]
pub(crate) fn noted(state: &mut State<World>, fact: &Fact) {
    let now = state.now();
    for place in 0..state.env.injections.watches.len() {
        let injections = &mut state.env.injections;
        let watch = &mut injections.watches[place];
        let fault = &injections.all[watch.fault as usize];
        // Only what happens in its phase, or while it is on, is meant.
        let is_time = match watch.ends {
            true => fault.on,
            false => fault.window.0 <= now && now < fault.window.1,
        };
        if !is_time || !watch.counts(fact) {
            continue;
        }
        let (index, ends, at) = (watch.fault, watch.ends, now + watch.trigger.after);
        if ends {
            end_at(state, index, at);
        } else {
            begin_at(state, index, at);
        }
    }
}
