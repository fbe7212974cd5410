//! Which instance of an address a call goes to: what a caller knows of them, and how it chooses.
//!
//! In this order: the subset of instances that the caller speaks to at all; of these, those that
//! are not ejected as outliers; of these, those of its own zone; of these, those that this call has
//! not tried; and among what is left one is picked. A step that would leave nobody is passed over.

mod hash;
mod outliers;
mod pick;
mod subset;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::facts::{self, Guard};
use super::shared::Share;
use crate::engine::{NodeId, Reply, Span, Time};
use crate::world::{Cx, Flaw};
pub use outliers::{Outliers, SuccessRate};
pub use pick::Pick;
pub use subset::{Subset, SubsetBy};

/// How a caller chooses among the instances that an address stands for. For a target that stands
/// for itself there is nothing to choose.
///
/// ```ron
/// (pick: Choices(d: 2), outliers: (errors: 5), avoid: Tried)
/// ```
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Balance {
    /// How one is picked. Default: `RoundRobin`.
    pub pick: Pick,
    /// What the caller knows of the instances' load. Default: `Outstanding`.
    pub knows: Knowledge,
    /// Does it prefer instances in its own zone? Default: no.
    pub zone: Option<OwnZone>,
    /// Which instances it speaks to at all. Default: all.
    pub subset: Option<Subset>,
    /// When an instance that fails is given no calls for a while. Default: never.
    pub outliers: Option<Box<Outliers>>,
    /// Which instances the retries of a call avoid. Default: `Nothing`.
    pub avoid: Avoid,
}

/// What a caller knows of the instances' load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Knowledge {
    /// How many of its own calls each has not answered: what a client can know.
    ///
    /// Source: what the least-request balancers of Envoy and Finagle go by.
    #[default]
    Outstanding,
    /// How many jobs each has on its machine, whosever they are and without delay: an oracle, for
    /// what is known in theory.
    ///
    /// Source: this simulator's own; what theorems on joining the shortest queue assume.
    TrueQueue,
}

/// Which instances the retries of a call avoid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Avoid {
    /// None: a retry may meet the same one again.
    ///
    /// Source: Envoy's default.
    #[default]
    Nothing,
    /// Those that this call has tried, as long as there are others.
    ///
    /// Source: Envoy's `retry_host_predicate` (previous hosts).
    Tried,
}

/// Calls stay in the caller's own zone while there is room.
///
/// Source: the zone-aware routing of Envoy; that calls spill over by their number is this
/// simulator's own.
///
/// ```ron
/// (instances_min: 2, outstanding_max: 10)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnZone {
    /// With fewer instances there, all zones are taken together. At least 1. Default: 1.
    pub instances_min: u32,
    /// An instance with so many of the caller's calls outstanding is full, and once all in the zone
    /// are, calls spill over into the others. Default: never full.
    pub outstanding_max: Option<u32>,
}

impl Default for OwnZone {
    fn default() -> OwnZone {
        OwnZone { instances_min: 1, outstanding_max: None }
    }
}

/// An instance, as a caller knows it.
#[derive(Clone, Debug)]
struct Member {
    node: NodeId,
    /// Of its name.
    hash: u64,
    zone: Option<u32>,
    /// The caller's calls that it has not answered.
    outstanding: u32,
    /// What is due to it in a weighted round.
    credit: i64,
    /// Latency as peak EWMA has it, in nanoseconds, and when it was last brought up to date.
    cost: f64,
    cost_at: Time,
    health: outliers::Health,
}

/// The instances of one address, as a caller knows them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// What the address stood for when it was last looked at.
    list: Option<Rc<[NodeId]>>,
    members: Vec<Member>,
    /// Whose turn it is.
    turn: usize,
    ring: Vec<(u64, u32)>,
    /// When success rates are next looked at.
    next_look: Time,
    /// Members that a call may go to, by place: filled for each call.
    open: Vec<u32>,
}

impl Share for Balance {
    type State = RefCell<Peers>;
    const GUARD: Option<Guard> = None;

    fn fresh(&self, cx: &Cx, to: NodeId) -> RefCell<Peers> {
        if self.outliers.is_some() {
            cx.note(facts::GUARDED, u64::from(to.0), Guard::Outliers as u64);
        }
        // Callers begin at different places, or they would all visit the same one at once.
        RefCell::new(Peers { turn: cx.name_hash() as u32 as usize, ..Peers::default() })
    }
}

/// A call to an instance: counted as outstanding until it is dropped.
pub(super) struct Ticket {
    peers: Rc<RefCell<Peers>>,
    node: NodeId,
    /// Where it was found among the members, which may have changed since.
    place: usize,
    sent: Time,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(member) = self.peers.borrow_mut().member(self.place, self.node) {
            member.outstanding = member.outstanding.saturating_sub(1);
        }
    }
}

impl Ticket {
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The instance has answered, or failed to.
    pub fn learn(&self, cx: &Cx, balance: &Balance, reply: &Reply) {
        let now = cx.now();
        let mut peers = self.peers.borrow_mut();
        if let Pick::PeakEwma { decay } = balance.pick
            && let Some(member) = peers.member(self.place, self.node)
        {
            member.observe(now - self.sent, decay, now);
        }
        if let Some(outliers) = &balance.outliers {
            outliers.judge(cx, &mut peers.members, self.node, reply);
        }
    }
}

impl Member {
    fn new(cx: &Cx, node: NodeId) -> Member {
        Member {
            node,
            hash: cx.name_hash_of(node),
            zone: cx.zone(node),
            outstanding: 0,
            credit: 0,
            cost: 0.0,
            cost_at: cx.now(),
            health: outliers::Health::default(),
        }
    }

    /// A peak counts at once and is forgotten with time (as Finagle's balancer has it).
    fn observe(&mut self, latency: Span, decay: Span, now: Time) {
        let (latency, passed) = (latency.0 as f64, (now - self.cost_at).0 as f64);
        self.cost_at = now;
        self.cost = if latency > self.cost {
            latency
        } else {
            let weight = libm::exp(-passed / decay.0 as f64);
            self.cost * weight + latency * (1.0 - weight)
        };
    }
}

impl Peers {
    fn member(&mut self, place: usize, node: NodeId) -> Option<&mut Member> {
        if self.members.get(place).is_some_and(|member| member.node == node) {
            return self.members.get_mut(place);
        }
        self.members.iter_mut().find(|member| member.node == node)
    }

    /// Brings the members in line with what the address stands for now.
    fn refresh(&mut self, cx: &Cx, balance: &Balance, list: Rc<[NodeId]>) {
        if self.list.as_ref().is_some_and(|known| Rc::ptr_eq(known, &list)) {
            return;
        }
        let mut old = std::mem::take(&mut self.members);
        let chosen = match &balance.subset {
            Some(subset) => subset.of_caller(cx, &list),
            None => list.to_vec(),
        };
        self.members = chosen
            .into_iter()
            .map(|node| match old.iter().position(|member| member.node == node) {
                Some(place) => old.swap_remove(place),
                None => Member::new(cx, node),
            })
            .collect();
        if let Pick::Ring { points, .. } = balance.pick {
            self.ring = hash::ring(&self.members, points);
        }
        self.list = Some(list);
    }

    /// Leaves only those members open that fit, unless that would leave none.
    fn keep(&mut self, fits: impl Fn(&Member) -> bool) {
        let members = &self.members;
        let is_open = |place: &u32| fits(&members[*place as usize]);
        if self.open.iter().any(is_open) {
            self.open.retain(is_open);
        }
    }
}

impl Balance {
    /// Chooses an instance for a call about `key`; `None` if the address stands for nobody.
    pub(super) fn choose(&self, cx: &Cx, to: NodeId, key: u64, tried: &[NodeId]) -> Option<Ticket> {
        let list = cx.instances(to)?;
        let peers = self.state(cx, to);
        let (node, place) = {
            let peers = &mut *peers.borrow_mut();
            peers.refresh(cx, self, list);
            peers.open.clear();
            peers.open.extend(0..peers.members.len() as u32);
            self.narrow(cx, peers, key, tried);
            let place = self.pick.one(cx, peers, self.knows, key)?;
            let member = &mut peers.members[place];
            member.outstanding += 1;
            (member.node, place)
        };
        Some(Ticket { peers, node, place, sent: cx.now() })
    }

    fn narrow(&self, cx: &Cx, peers: &mut Peers, key: u64, tried: &[NodeId]) {
        let now = cx.now();
        if let Some(subset) = &self.subset {
            subset.of_key(&peers.members, &mut peers.open, key);
        }
        if let Some(outliers) = &self.outliers {
            outliers.look(cx, &mut peers.members, &mut peers.next_look);
            peers.keep(|member| !member.health.is_ejected(now));
        }
        if let (Some(own), Some(zone)) = (self.zone, cx.zone(cx.me())) {
            let is_near = |member: &Member| member.zone == Some(zone);
            let near = peers.open.iter().filter(|place| is_near(&peers.members[**place as usize]));
            let has_room = |member: &Member| {
                is_near(member) && own.outstanding_max.is_none_or(|max| member.outstanding < max)
            };
            if near.count() >= own.instances_min as usize {
                peers.keep(has_room);
            }
        }
        if !tried.is_empty() {
            peers.keep(|member| !tried.contains(&member.node));
        }
    }

    /// Whom its settings name.
    pub(super) fn problem(&self) -> Option<Flaw> {
        if self.zone.is_some_and(|zone| zone.instances_min == 0) {
            let title = "a zone with no instance at all serves nobody: at least 1";
            return Some(Flaw::at("zone.instances_min", title));
        }
        if self.zone.is_some_and(|zone| zone.outstanding_max == Some(0)) {
            let title = "an instance that may have no call is always full: at least 1";
            return Some(Flaw::at("zone.outstanding_max", title));
        }
        let subset = self.subset.as_ref().and_then(Subset::problem);
        let outliers = || self.outliers.as_ref().and_then(|outliers| outliers.problem());
        let outliers = || outliers().map(|flaw| flaw.within("outliers"));
        subset
            .map(|flaw| flaw.within("subset"))
            .or_else(outliers)
            .or_else(|| self.pick.problem(self.knows))
    }
}
