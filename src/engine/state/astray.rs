//! Messages that do not simply arrive: held up, sent again, doubled, lost, or refused.

use super::{Kind, State};
use crate::engine::environment::{Environment, Verdict};
use crate::engine::event::{Record, Tag};
use crate::engine::fact::Fate;
use crate::engine::message::{Class, Fault, NodeId};
use crate::engine::time::Span;
use crate::engine::waits::WaitId;

impl<E: Environment> State<E> {
    /// What becomes of a message that does not simply arrive.
    #[inline(never)]
    pub(super) fn divert(&mut self, verdict: Verdict, kind: Kind, index: u32) {
        match verdict {
            Verdict::Deliver(after) => {
                self.push(self.now + after, kind.arrival(), index);
            }
            Verdict::Duplicate(first, second) => {
                let copy = self.records.get(index).clone();
                let copy = self.records.put(|| copy);
                self.push(self.now + first, kind.arrival(), index);
                self.push(self.now + second, kind.arrival(), copy);
            }
            Verdict::Drop(why) => self.lose(index, kind, why),
            Verdict::Resend(after, stage) => {
                self.counts.resent += 1;
                let record = self.records.get_mut(index);
                record.stage = stage;
                self.push(self.now + after, kind.again(), index);
            }
            Verdict::Wait(after, stage) => {
                self.records.get_mut(index).stage = stage;
                self.push(self.now + after, kind.again(), index);
            }
            Verdict::Refuse(fault, after) => self.refuse(index, kind, fault, after),
            Verdict::Break => {
                let ends = (self.records.get(index).from, self.records.get(index).to);
                self.lose(index, kind, Fault::Reset.label());
                self.break_calls(|from, to| (from, to) == ends, Span::ZERO, 0);
            }
            Verdict::Forget => self.records.discard(index),
        }
    }

    #[cold]
    pub(super) fn lose(&mut self, index: u32, kind: Kind, why: &'static str) {
        self.counts.lost += 1;
        self.trace(index, kind, Fate::Lost(why));
        self.records.discard(index);
    }

    /// Tells whoever waits for an answer, in the transport's name, that there will be none.
    #[cold]
    pub(super) fn refuse(&mut self, index: u32, kind: Kind, fault: Fault, after: Span) {
        self.counts.lost += 1;
        self.trace(index, kind, Fate::Lost(fault.label()));
        let now = self.now;
        let record = self.records.get_mut(index);
        if record.wait == WaitId::NONE {
            self.records.discard(index);
            return;
        }
        if kind == Kind::Request {
            (record.from, record.to) = (record.to, record.from);
        }
        (record.msg, record.fault, record.sent) = (Record::SILENCE, Some(fault), now);
        record.payload = 0;
        self.push(now + after, Tag::Reply, index);
    }

    /// Breaks the connections that `is_broken` tells by caller and callee: whoever waits for an
    /// answer over one of them learns [`Fault::Reset`] after this span. With a stage other than 0
    /// the environment is asked then whether it is so.
    pub fn break_calls(
        &mut self,
        is_broken: impl Fn(NodeId, NodeId) -> bool,
        after: Span,
        stage: u8,
    ) {
        for (wait, to, root) in self.waits.calls(is_broken) {
            let record = Record {
                msg: Record::SILENCE,
                fault: Some(Fault::Reset),
                wait,
                from: to.1,
                to: to.0,
                root,
                sent: self.now,
                patience: Record::FOREVER,
                payload: 0,
                class: Class::default(),
                stage,
                is_cancellable: false,
            };
            let index = self.records.put(|| record);
            let tag = if stage == 0 { Tag::Reply } else { Tag::ResendReply };
            self.push(self.now + after, tag, index);
        }
    }
}
