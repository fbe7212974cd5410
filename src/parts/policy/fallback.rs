//! A fallback: what a caller makes do with when a call has failed.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde::Deserialize;

use super::breaker::is_answer;
use super::facts::{self, Guard};
use super::shared::Share;
use crate::engine::{Fault, Msg, Name, NodeId, Reply, Span, Time};
use crate::world::{Ask, Cx, Flaw, Want};

/// What a caller makes do with when a call has failed for other than business reasons. It is told
/// as a success, though the call may have had no effect or taken one: for reading, and for what may
/// be left out.
///
/// Source: Netflix's Hystrix, whose commands have fallbacks.
///
/// ```ron
/// (to: Cached(max_age: "1min"))
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// To what.
    pub to: Resort,
}

/// What a caller makes do with.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Resort {
    /// A result that is always there, such as an empty list.
    ///
    /// Source: Netflix's Hystrix (static fallback).
    Value(u64),
    /// The last good answer to this operation, if it is not too old.
    ///
    /// Source: Netflix's Hystrix (fallback to a cache), here in the caller's own memory.
    ///
    /// ```ron
    /// Cached(max_age: "1min", per_key: true)
    /// ```
    Cached {
        /// How old it may be.
        max_age: Span,
        /// Must it be about the same business object? Default: false, as for a price list.
        #[serde(default)]
        per_key: bool,
        /// How many answers are kept, the oldest forgotten first. At least 1. Default: 10,000.
        #[serde(default = "Resort::ten_thousand")]
        answers_max: u32,
    },
    /// Another target, asked once.
    ///
    /// Source: Netflix's Hystrix (primary and secondary).
    ///
    /// ```ron
    /// Other(to: "bank", timeout: "100ms")
    /// ```
    Other {
        /// Whom.
        to: NodeId,
        /// Which operation of it; instead of a read it is asked for about the row. Default: the
        /// same.
        #[serde(default)]
        operation: Option<Name>,
        /// How long it may take. Default: as long as is left of the deadline.
        #[serde(default)]
        timeout: Option<Span>,
    },
}

impl Resort {
    fn ten_thousand() -> u32 {
        10_000
    }
}

/// Good answers, by what was asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    known: BTreeMap<(u64, u64), (Time, Msg)>,
    /// In the order in which they were first known.
    order: VecDeque<(u64, u64)>,
}

impl Answers {
    fn keep(&mut self, question: (u64, u64), now: Time, answer: &Msg, most: u32) {
        if self.known.insert(question, (now, answer.clone())).is_none() {
            self.order.push_back(question);
            if self.order.len() > most as usize
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    fn recall(&self, question: (u64, u64), now: Time, max_age: Span) -> Option<Msg> {
        let (at, answer) = self.known.get(&question)?;
        (now - *at <= max_age).then(|| answer.clone())
    }
}

impl Share for Fallback {
    type State = RefCell<Answers>;
    const GUARD: Option<Guard> = Some(Guard::Fallback);

    fn fresh(&self, _: &Cx, _: NodeId) -> RefCell<Answers> {
        RefCell::default()
    }
}

impl Fallback {
    /// What the caller of `to` is told, `reply` being what became of the call.
    pub(super) async fn apply(
        &self,
        cx: &Cx,
        to: NodeId,
        (asked, reply): (&Msg, Reply),
        deadline: Time,
    ) -> Reply {
        let answers = self.state(cx, to);
        let question = |per_key: bool| (asked.tag(), if per_key { asked.key() } else { 0 });
        if is_answer(&reply) {
            if let (Resort::Cached { per_key, answers_max, .. }, Ok(answer)) = (&self.to, &reply) {
                let now = cx.now();
                answers.borrow_mut().keep(question(*per_key), now, answer, *answers_max);
            }
            return reply;
        }
        let instead = match &self.to {
            Resort::Value(value) => Ok(Msg::Done { value: *value }),
            Resort::Cached { max_age, per_key, .. } => {
                let known = answers.borrow().recall(question(*per_key), cx.now(), *max_age);
                match known {
                    Some(answer) => Ok(answer),
                    None => return reply,
                }
            }
            Resort::Other { to, operation, timeout } => {
                let ask = operation.map_or_else(|| asked.clone(), |verb| otherwise(asked, verb));
                other(cx, *to, ask, timeout.map_or(deadline, |span| deadline.min(cx.now() + span)))
                    .await
            }
        };
        if instead.is_ok() {
            cx.note(facts::FELL_BACK, u64::from(to.0), 0);
            return instead;
        }
        // The call itself may have taken effect, whatever the other target says.
        let is_unsure = matches!(&reply, Err(fault) if !fault.is_definite());
        if is_unsure { reply } else { instead }
    }

    /// What else is asked where this was asked at first.
    pub(super) fn ask(&self, first: &Ask) -> Option<Ask> {
        let Resort::Other { to, operation, .. } = self.to else { return None };
        let what = operation.map_or_else(|| first.what.clone(), Want::Operation);
        Some(Ask::of(["to", "operation"], to, what).within("to"))
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self.to {
            Resort::Cached { max_age, .. } if max_age.is_zero() => {
                ("max_age", "a cached answer with a `max_age` of zero is always too old")
            }
            Resort::Cached { answers_max: 0, .. } => {
                ("answers_max", "a fallback that keeps no answers has none")
            }
            Resort::Other { timeout: Some(Span::ZERO), .. } => {
                ("timeout", "a timeout of zero lets no call succeed")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title).within("to"))
    }
}

/// What was asked, as a request for an operation: of a read, about the row that was to be read.
fn otherwise(asked: &Msg, verb: Name) -> Msg {
    let value = if let Msg::Do { value, .. } = asked { *value } else { 0 };
    Msg::Do { verb, key: asked.key(), value }
}

/// Asks another target once, until `end`.
async fn other(cx: &Cx, to: NodeId, ask: Msg, end: Time) -> Reply {
    if end <= cx.now() {
        return Err(Fault::Expired);
    }
    let call = cx.call(to, ask);
    if end.is_never() { call.await } else { call.until(end).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(value: u64) -> Msg {
        Msg::Done { value }
    }

    #[test]
    fn another_target_is_asked_for_its_own_operation_also_for_a_read() {
        let (verb, table) = (Name::of("guess"), Name::of("pages"));
        let request = Msg::Do { verb: Name::of("buy"), key: 3, value: 7 };
        assert_eq!(otherwise(&request, verb), Msg::Do { verb, key: 3, value: 7 });
        let read = Msg::Get { table, key: 5 };
        assert_eq!(otherwise(&read, verb), Msg::Do { verb, key: 5, value: 0 });
    }

    #[test]
    fn an_answer_is_known_until_it_is_too_old_or_too_many_others_came() {
        let mut answers = Answers::default();
        answers.keep((1, 1), Time(0), &done(1), 2);
        answers.keep((1, 1), Time(5), &done(2), 2);
        assert_eq!(answers.recall((1, 1), Time(15), Span(10)), Some(done(2)));
        assert_eq!(answers.recall((1, 1), Time(16), Span(10)), None);
        assert_eq!(answers.recall((1, 2), Time(5), Span(10)), None);
        answers.keep((1, 2), Time(6), &done(3), 2);
        answers.keep((1, 3), Time(7), &done(4), 2);
        assert_eq!(answers.recall((1, 1), Time(7), Span(10)), None, "there is room for two");
        assert_eq!(answers.recall((1, 3), Time(7), Span(10)), Some(done(4)));
    }
}
