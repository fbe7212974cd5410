//! Several nodes of one description behind one address.
//!
//! The nodes of `"api": Instances(of: …, count: 3)` are called `api/1`, `api/2` and `api/3`; each
//! has a machine, a disk, connections and random streams of its own. Callers speak to `api`, and a
//! policy chooses among the instances that may be called; what is sent without a policy goes to
//! them in turn. A fault of `api` befalls all of them at once, a fault of `api/2` that one.
//!
//! ```ron
//! Instances(
//!     of: Service(machine: (workers: 4), operations: {"buy": (cost: "5ms")}),
//!     count: 3,
//! )
//! ```

use serde::Deserialize;

use super::Spec;
use crate::engine::{Dist, Fault, Msg, Reply, Span};
use crate::world::{
    Ask, Autoscaler, Cx, Dated, DiskSpec, Farewell, Flaw, HealthCheck, LifeSpec, MachineSpec, Node,
    Offers, WarmUp,
};

/// Several nodes of one description behind one address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instances {
    /// What each of them is: any node but a client.
    pub of: Box<Spec>,
    /// How many there are. From 1 to 10,000.
    pub count: u32,
    /// How many there can be at most, when they are scaled out. Default: as many as `count`.
    #[serde(default)]
    pub max: Option<u32>,
    /// How many of them must be up for the address to count as up, such as a quorum. Default: 1.
    #[serde(default = "one")]
    pub needed: u32,
    /// The zones that they are spread over, one after the other: the first instance is in the
    /// first zone. Each is a zone of the network. Default: none.
    #[serde(default)]
    pub zones: Vec<String>,
    /// How long one takes from its start, or from its next start, until it serves. Default: at
    /// once.
    #[serde(default = "at_once")]
    pub start: Dist,
    /// How slow it then is, and for how long. Default: as fast as ever.
    #[serde(default)]
    pub warm_up: Option<WarmUp>,
    /// How the platform finds out who serves. Default: it does not; who crashes stays in the
    /// address.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// What keeps their utilisation near a target, between its `min` and `max`. Default: nobody.
    #[serde(default)]
    pub autoscaler: Option<Autoscaler>,
    /// How long one that is scaled in goes on serving after it was taken out of the address.
    /// Default: not at all.
    #[serde(default)]
    pub pre_stop: Span,
    /// How long it has in all to finish what it has. Default: `"30s"`, Kubernetes'
    /// `terminationGracePeriodSeconds`.
    #[serde(default = "grace")]
    pub grace: Span,
    /// The next version, which a `RollingUpgrade` brings: a node of the same kind. Default: none.
    #[serde(default)]
    pub next: Option<Box<Spec>>,
    /// How long an instance of the next version takes from its start until it serves. Default: as
    /// `start`.
    #[serde(default)]
    pub next_start: Option<Dist>,
}

fn one() -> u32 {
    1
}

fn at_once() -> Dist {
    Dist::constant(Span::ZERO)
}

fn grace() -> Span {
    Span::from_seconds(30)
}

impl Instances {
    /// More than this are not read as a wish.
    pub const COUNT_MAX: u32 = 10_000;

    /// How many there can be at most.
    pub fn capacity(&self) -> u32 {
        self.max.unwrap_or(self.count).max(self.count)
    }

    /// How each of them lives.
    pub fn life(&self) -> LifeSpec {
        LifeSpec {
            count: self.count,
            start: self.start.clone(),
            next_start: self.next_start.as_ref().unwrap_or(&self.start).clone(),
            warm_up: self.warm_up,
            health: self.health,
            autoscaler: self.autoscaler,
            farewell: Farewell { pre_stop: self.pre_stop, grace: self.grace },
        }
    }

    /// What is wrong with how many they are and how they live.
    fn ill(&self) -> Option<Flaw> {
        if let Some(max) = self.max {
            if max < self.count {
                let title = format!("`max` is {max}, and there are {} from the start", self.count);
                return Some(Flaw::at("max", title).label(format!("at least {}", self.count)));
            }
            if max > Self::COUNT_MAX {
                return Some(Flaw::at("max", format!("`max` is at most {}", Self::COUNT_MAX)));
            }
        }
        if !(1..=self.count).contains(&self.needed) {
            let title = format!("of {} instances {} cannot be `needed`", self.count, self.needed);
            return Some(Flaw::at("needed", title).label(format!("from 1 to {}", self.count)));
        }
        if self.pre_stop > self.grace {
            let title = format!("a `pre_stop` of {} does not fit into `grace`", self.pre_stop);
            return Some(Flaw::at("pre_stop", title).label(format!("at most {}", self.grace)));
        }
        if self.is_scaled() && matches!(*self.of, Spec::LogBroker(_)) {
            let title = "a cluster of log brokers is as large as its `count`";
            let field = if self.max.is_some() { "max" } else { "autoscaler" };
            return Some(Flaw::at(field, title).label("partitions are not moved"));
        }
        if self.next.is_none() && self.next_start.is_some() {
            let title = "`next_start` is about a `next` version: say which";
            return Some(Flaw::at("next_start", title));
        }
        let health = self.health.and_then(|health| health.problem());
        health
            .map(|flaw| flaw.within("health"))
            .or_else(|| self.ill_scaled().map(|flaw| flaw.within("autoscaler")))
            .or_else(|| self.ill_followed().map(|flaw| flaw.within("next")))
    }

    /// Can there be more or fewer of them without a fault?
    fn is_scaled(&self) -> bool {
        self.max.is_some() || self.autoscaler.is_some()
    }

    /// What is wrong with the autoscaler.
    fn ill_scaled(&self) -> Option<Flaw> {
        let auto = self.autoscaler.as_ref()?;
        if !(1..=self.count).contains(&auto.min) {
            let title = format!("the autoscaler's `min` is {}", auto.min);
            return Some(
                Flaw::at("min", title).label(format!("from 1 to `count`, {}", self.count)),
            );
        }
        if self.of.machine().workers.is_none() {
            let title = "an autoscaler needs instances with a limited number of `workers`";
            return Some(Flaw::new(title));
        }
        auto.problem()
    }

    /// What is wrong with the next version.
    fn ill_followed(&self) -> Option<Flaw> {
        let next = self.next.as_ref()?;
        if next.kind() != self.of.kind() {
            let (kind, other) = (self.of.kind(), next.kind());
            return Some(Flaw::new(format!("the next version of a {kind} is no {other}")));
        }
        if let (Spec::LogBroker(broker), Spec::LogBroker(later)) = (&*self.of, &**next)
            && !broker.has_same_partitions(later)
        {
            let title = "the next version has the same `topics` with the same `partitions`";
            return Some(Flaw::at("topics", title).label("its logs are on the same disks"));
        }
        let (machine, other) = (self.of.machine(), next.machine());
        if machine.holds_workers != other.holds_workers {
            let title = "the next version has the same `holds_worker`: it runs on the same machine";
            return Some(Flaw::new(title));
        }
        let title = "the next version runs on the same `machine`";
        (machine != other).then(|| Flaw::at("machine", title))
    }

    /// The name of an instance, counted from 1.
    pub fn name(address: &str, number: u32) -> String {
        format!("{address}/{number}")
    }

    /// The address that a name belongs to: its own, if it is that of no instance.
    pub fn address(name: &str) -> &str {
        name.split_once('/').map_or(name, |(address, _)| address)
    }
}

impl Node for Instances {
    /// An address is nobody: what is sent to it goes to one of its instances.
    async fn handle(&self, _: &Cx, _: Msg) -> Reply {
        Err(Fault::Unreachable)
    }

    fn machine(&self) -> MachineSpec {
        self.of.machine()
    }

    fn disk(&self) -> DiskSpec {
        self.of.disk()
    }

    fn asks(&self) -> Vec<Ask> {
        self.of.asks().into_iter().map(|ask| ask.within("of")).collect()
    }

    fn offers(&self) -> Offers {
        self.of.offers()
    }

    fn idle(&self) -> Vec<Flaw> {
        let of = self.of.idle().into_iter().map(|flaw| flaw.within("of"));
        let next = self.next.iter().flat_map(|next| next.idle());
        let next = next.map(|flaw| flaw.within("next"));
        let is_empty = self.zones.len() > self.capacity() as usize;
        let empty = is_empty.then(|| {
            let title = "in the last of these zones there will never be an instance";
            Flaw::at("zones", title).label(format!("at most {}, one for each", self.capacity()))
        });
        of.chain(next).chain(empty).collect()
    }

    fn dated(&self) -> Vec<Dated> {
        let of = self.of.dated().into_iter().map(|dated| dated.within("of"));
        let next = self.next.iter().flat_map(|next| next.dated());
        of.chain(next.map(|dated| dated.within("next"))).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        if !(1..=Self::COUNT_MAX).contains(&self.count) {
            return Some(Flaw::at("count", format!("`count` is from 1 to {}", Self::COUNT_MAX)));
        }
        match &*self.of {
            Spec::Client(_) => Some(Flaw::at("of", "a client has no instances: give it more load")),
            Spec::Instances(_) => Some(Flaw::at("of", "instances of instances are not possible")),
            other => {
                let next = || self.next.as_ref().and_then(|next| next.problem());
                let of = || match other {
                    Spec::LogBroker(broker) => broker.unfit_for(self.count),
                    _ => None,
                };
                (self.ill())
                    .or_else(|| other.problem().or_else(of).map(|flaw| flaw.within("of")))
                    .or_else(|| next().map(|flaw| flaw.within("next")))
            }
        }
    }
}
