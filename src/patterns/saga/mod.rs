//! # Saga
//!
//! A transaction across services that share no database: a sequence of local transactions, each
//! with a compensation. If a step fails, the steps already done are undone, last first. A saga is
//! atomic in the end, but never isolated: others see its intermediate states.
//!
//! This one is orchestrated: a coordinator writes every step to a durable log before it takes the
//! next, so a restart finds what was under way and brings it to an end. A step that timed out may
//! have happened and is undone all the same. After the pivot there is no way back: what follows is
//! tried until it succeeds. A compensation that will not succeed is parked for repair by hand.

pub mod facts;
mod idle;
mod persistence;
mod progress;
mod step;

use std::cell::RefCell;

use serde::Deserialize;

use crate::engine::{Condition, Fault, Msg, Name, Reply, Span};
use crate::world::{Ask, Cx, DiskSpec, Flaw, Known, MachineSpec, Node, Offers};
pub use persistence::Persistence;
use progress::{BACK, BEGIN, DONE, END, End, Progress, Sagas, UNDONE, record};
pub use step::Step;

/// A saga's coordinator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saga {
    /// Performed in order; compensated in reverse order.
    steps: Vec<Step>,
    /// The first step from which there is no way back, by its place from 0: it and those after it
    /// are retried instead of compensated. Default: none.
    #[serde(default)]
    pivot: Option<usize>,
    /// What a restarted coordinator does with a saga that it finds before its pivot. Default:
    /// `Backward`.
    #[serde(default)]
    recovery: Recovery,
    /// How often an undo, or a step after the pivot, is tried before it is parked, and how long
    /// apart; each time under the step's own policy. Default: 20 times, 100 ms to 10 s apart.
    #[serde(default)]
    persistence: Persistence,
    /// Does it write its progress to a durable log? Without, a crash forgets what was under way.
    /// Default: true.
    #[serde(default = "yes")]
    durable: bool,
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// The disk that its log is on. Default: as [`DiskSpec`] has it.
    #[serde(default)]
    disk: DiskSpec,
    #[serde(skip)]
    sagas: RefCell<Sagas>,
    #[serde(skip)]
    ended: Condition,
}

/// Which way a restarted coordinator takes an unfinished saga.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Recovery {
    /// Undo what was done.
    #[default]
    Backward,
    /// Go on with the step that was under way; wants idempotent services.
    Forward,
}

fn yes() -> bool {
    true
}

/// The coordinator to itself: go on with a saga found after a restart.
const RECOVER: Name = Name::of("saga.recover");

impl Node for Saga {
    async fn boot(&self, cx: &Cx) {
        let sagas = Sagas::of_log(cx);
        let unfinished = sagas.unfinished();
        self.sagas.replace(sagas);
        for (root, key) in unfinished {
            // What the task does belongs to the operation that it goes on with.
            cx.resume(root);
            cx.kick(Msg::Do { verb: RECOVER, key, value: 0 });
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb, key, value } = request else { return Err(Fault::Unknown) };
        if verb == RECOVER {
            return self.recover(cx, key).await;
        }
        if cx.errs(verb) {
            return Err(Fault::Failed);
        }
        if self.progress(cx, key).is_some() {
            return self.result(cx, key).await;
        }
        // Once begun it must come to an end, whatever becomes of whoever asked.
        cx.detach();
        cx.note(facts::BEGAN, key, value);
        self.begin(cx, key, value).await?;
        self.forward(cx, key).await
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn asks(&self) -> Vec<Ask> {
        let steps = self.steps.iter().enumerate();
        steps.flat_map(|(place, step)| step.asks(place)).collect()
    }

    fn offers(&self) -> Offers {
        let (operations, errs) = (Known::Anything, Known::Anything);
        Offers { operations, errs, logs: self.durable, ..Offers::default() }
    }

    fn idle(&self) -> Vec<Flaw> {
        self.unused()
    }

    fn problem(&self) -> Option<Flaw> {
        if self.steps.is_empty() {
            return Some(Flaw::at("steps", "a saga needs at least one step"));
        }
        if self.pivot.is_some_and(|pivot| pivot >= self.steps.len()) {
            let last = self.steps.len() - 1;
            return Some(Flaw::at("pivot", format!("`pivot` is a step's place, from 0 to {last}")));
        }
        if self.persistence.attempts == 0 {
            return Some(Flaw::at("persistence.attempts", "`attempts` must be at least 1"));
        }
        let backoff = self.persistence.backoff.problem();
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        let mut policies = self.steps.iter().map(|step| step.policy.problem()).enumerate();
        backoff.map(|flaw| flaw.within("persistence.backoff")).or_else(machine).or_else(|| {
            let (place, flaw) = policies.find_map(|(place, flaw)| Some((place, flaw?)))?;
            Some(flaw.within("policy").within(place).within("steps"))
        })
    }
}

impl Saga {
    /// Takes the steps that are left, and turns back at the first that fails before the pivot.
    async fn forward(&self, cx: &Cx, key: u64) -> Reply {
        let Some(Progress { value, done, .. }) = self.progress(cx, key) else {
            return Err(Fault::Unknown);
        };
        for (place, step) in self.steps.iter().enumerate().skip(done) {
            let act = Msg::Do { verb: step.action, key, value };
            let reply = if self.is_past_pivot(place) {
                self.insist(cx, step, act).await
            } else {
                step.policy.call(cx, step.service, act).await
            };
            match reply {
                Ok(_) => {
                    cx.note(facts::STEP_DONE, key, place as u64);
                    self.log(cx, DONE, key, place as u64 + 1).await;
                }
                Err(_) if self.is_past_pivot(place) => return self.park(cx, key, value).await,
                Err(fault) => {
                    // A step that timed out may have happened all the same: undo it too.
                    let undo = if fault.is_definite() { place } else { place + 1 };
                    cx.note(facts::TURNED_BACK, key, place as u64);
                    self.log(cx, BACK, key, undo as u64).await;
                    return self.backward(cx, key, fault).await;
                }
            }
        }
        cx.note(facts::COMPLETED, key, value);
        self.log(cx, END, key, End::Completed as u64).await;
        Ok(Msg::Done { value })
    }

    /// Undoes what was done, last first; then the saga has failed for the reason `fault`.
    async fn backward(&self, cx: &Cx, key: u64, fault: Fault) -> Reply {
        let Some(Progress { value, undo: Some(undo), .. }) = self.progress(cx, key) else {
            return Err(Fault::Unknown);
        };
        for (place, step) in self.steps[..undo.min(self.steps.len())].iter().enumerate().rev() {
            let Some(verb) = step.compensation else { continue };
            if self.insist(cx, step, Msg::Do { verb, key, value }).await.is_err() {
                return self.park(cx, key, value).await;
            }
            cx.note(facts::STEP_UNDONE, key, place as u64);
            self.log(cx, UNDONE, key, place as u64).await;
        }
        cx.note(facts::COMPENSATED, key, value);
        self.log(cx, END, key, End::Compensated as u64).await;
        // Nothing is left of it, so whoever asked is told so for certain.
        Err(if fault.is_definite() { fault } else { Fault::Failed })
    }

    /// Tries what must succeed again and again.
    async fn insist(&self, cx: &Cx, step: &Step, msg: Msg) -> Reply {
        let Persistence { attempts, backoff } = self.persistence;
        let (mut tries, mut wait) = (0, Span::ZERO);
        loop {
            let reply = step.policy.call(cx, step.service, msg.clone()).await;
            tries += 1;
            if reply.is_ok() || tries >= attempts {
                return reply;
            }
            backoff.pause(cx, tries, &mut wait).await;
        }
    }

    /// Neither forward nor back: somebody must look at it.
    async fn park(&self, cx: &Cx, key: u64, value: u64) -> Reply {
        cx.note(facts::PARKED, key, value);
        self.log(cx, END, key, End::Parked as u64).await;
        Err(Fault::Timeout)
    }

    /// Brings a saga that was found after a restart to an end.
    async fn recover(&self, cx: &Cx, key: u64) -> Reply {
        let Some(Progress { done, undo, .. }) = self.progress(cx, key) else {
            return Err(Fault::Unknown);
        };
        cx.note(facts::RECOVERED, key, done as u64);
        if undo.is_some() {
            return self.backward(cx, key, Fault::Failed).await;
        }
        if done >= self.steps.len()
            || self.recovery == Recovery::Forward
            || self.is_past_pivot(done)
        {
            return self.forward(cx, key).await;
        }
        // The step that was under way may have happened.
        let undo = (done + 1).min(self.steps.len());
        cx.note(facts::TURNED_BACK, key, done as u64);
        self.log(cx, BACK, key, undo as u64).await;
        self.backward(cx, key, Fault::Failed).await
    }

    /// The result of a saga that was asked for before.
    async fn result(&self, cx: &Cx, key: u64) -> Reply {
        loop {
            let Progress { end, value, .. } = self.progress(cx, key).ok_or(Fault::Failed)?;
            match end {
                Some(End::Completed) => return Ok(Msg::Done { value }),
                Some(End::Compensated) => return Err(Fault::Failed),
                Some(End::Parked) => return Err(Fault::Timeout),
                None => self.ended.wait(cx).await,
            }
        }
    }

    fn is_past_pivot(&self, place: usize) -> bool {
        self.pivot.is_some_and(|pivot| place >= pivot && place < self.steps.len())
    }

    fn progress(&self, cx: &Cx, key: u64) -> Option<Progress> {
        self.sagas.borrow().get(cx.root(), key)
    }

    /// Records that a saga begins. One that the disk does not take has not begun.
    async fn begin(&self, cx: &Cx, key: u64, value: u64) -> Result<(), Fault> {
        self.sagas.borrow_mut().learn(BEGIN, key, value, cx.root());
        let logged = record(cx, self.durable, BEGIN, key, value).await;
        if logged.is_err() {
            self.sagas.borrow_mut().forget(cx.root(), key);
            cx.note(facts::COMPENSATED, key, value);
            self.ended.announce(cx);
        }
        logged
    }

    /// Records progress, durably, before anything is built on it, however long the disk refuses.
    async fn log(&self, cx: &Cx, what: Name, key: u64, value: u64) {
        self.sagas.borrow_mut().learn(what, key, value, cx.root());
        let (mut tries, mut wait) = (1, Span::ZERO);
        while record(cx, self.durable, what, key, value).await.is_err() {
            self.persistence.backoff.pause(cx, tries, &mut wait).await;
            tries += 1;
        }
        if what == END {
            self.ended.announce(cx);
        } else if self.durable && cx.disk().waste(1) {
            // Of a saga that is over its beginning and its end say all.
            let logged = Sagas::of_log(cx);
            cx.disk().compact(vec![], |entry| {
                matches!(entry.what, BEGIN | END) || logged.is_open(entry.root, entry.key)
            });
        }
    }
}
