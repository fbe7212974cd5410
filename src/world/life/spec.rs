//! What a scenario says of the life of an address's instances.

use serde::Deserialize;

use crate::engine::{Dist, Factor, NodeId, Ratio, Span};
use crate::world::flaw::{Flaw, too_often};

/// After its start an instance is slower for a while: code is compiled as it runs, caches and pools
/// are empty.
///
/// ```ron
/// (factor: "3x", lasts: "30s")
/// ```
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How many times as long its machine takes for everything.
    pub factor: Factor,
    /// For how long, from when it serves.
    pub lasts: Span,
}

/// The platform looks at each instance again and again, and takes those out of the address that
/// do not answer: a crashed, a frozen or a still starting one, not one that is slow or wrong.
/// The defaults are those of a readiness probe of Kubernetes (Pod v1 core: `periodSeconds` 10,
/// `failureThreshold` 3, `successThreshold` 1).
///
/// ```ron
/// (every: "5s", unhealthy_after: 2)
/// ```
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// How long between two looks. Default: `"10s"`.
    pub every: Span,
    /// After how many failed looks in a row it is taken out. Default: 3.
    pub unhealthy_after: u32,
    /// After how many good looks in a row it is taken in again. Default: 1.
    pub healthy_after: u32,
}

impl Default for HealthCheck {
    fn default() -> HealthCheck {
        HealthCheck { every: Span::from_seconds(10), unhealthy_after: 3, healthy_after: 1 }
    }
}

impl HealthCheck {
    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        let title = "looks in a row are counted from 1";
        let from_one = |field, count| (count == 0).then(|| Flaw::at(field, title));
        too_often("every", self.every)
            .or_else(|| from_one("unhealthy_after", self.unhealthy_after))
            .or_else(|| from_one("healthy_after", self.healthy_after))
    }
}

/// Keeps the utilisation of an address's instances near a target by their number, as the
/// HorizontalPodAutoscaler of Kubernetes does: wanted = ⌈utilisation of all together ÷ target⌉,
/// where an instance that does not serve yet counts as idle; nothing is done within the tolerance;
/// at most the double of the instances, or four more, are wanted at once; and of what was wanted
/// within the stabilisation window the most counts, so that it scales in late. Source:
/// kubernetes.io, "Horizontal Pod Autoscaling", algorithm details and default behaviour.
///
/// ```ron
/// (target: "60 %", min: 2)
/// ```
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoscaler {
    /// The share of the workers' time that should be spent working.
    pub target: Ratio,
    /// At least so many instances. Default: 1.
    #[serde(default = "one")]
    pub min: u32,
    /// How often it looks. Default: `"15s"`.
    #[serde(default = "Autoscaler::interval")]
    pub every: Span,
    /// How old the figures are that it looks at: they are collected, added up and fetched.
    /// Default: `"15s"`, the resolution of Kubernetes' metrics server.
    #[serde(default = "Autoscaler::interval")]
    pub delay: Span,
    /// A utilisation this near to its target is left alone, as a share of the target. Default:
    /// `"10 %"`.
    #[serde(default = "Autoscaler::tolerance")]
    pub tolerance: Ratio,
    /// Instances are taken away only if none of the looks within this time wanted them. Default:
    /// `"300s"`.
    #[serde(default = "Autoscaler::stabilisation")]
    pub stabilisation: Span,
}

fn one() -> u32 {
    1
}

impl Autoscaler {
    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        let title = "a `target` of 0 wants instances without end";
        let zero = self.target.is_zero().then(|| Flaw::at("target", title));
        zero.or_else(|| too_often("every", self.every))
    }

    fn interval() -> Span {
        Span::from_seconds(15)
    }

    fn tolerance() -> Ratio {
        Ratio::new(1, 10).unwrap_or(Ratio::ZERO)
    }

    fn stabilisation() -> Span {
        Span::from_seconds(300)
    }
}

/// A roll over the instances of an address: each that is wanted is stopped gracefully and started
/// again. `unavailable` and `surge` are `maxUnavailable` and `maxSurge` of a Deployment of
/// Kubernetes, but instances keep their names: those that surge are there besides until the end.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollSpec {
    /// Which address.
    pub node: NodeId,
    /// How many may be away at once. At least 1, or 0 with a `surge`. Default: 1.
    #[serde(default = "one")]
    pub unavailable: u32,
    /// How many are started besides, of the next version in an upgrade, before others are stopped
    /// for them. At most what `max` of the instances leaves above their `count`. Default: 0.
    #[serde(default)]
    pub surge: u32,
    /// How long to wait after one serves again. Default: not at all.
    #[serde(default)]
    pub pause: Span,
    /// One that does not serve this long after its start has failed: no further one is stopped.
    /// Default: it is waited for.
    #[serde(default)]
    pub ready_within: Option<Span>,
    /// Of an upgrade: do all go back to the version that they had, a few at a time, when one has
    /// failed or when the fault ends before all are upgraded? Default: false, both stay.
    #[serde(default)]
    pub rollback: bool,
    /// As of `Stop`. Default: not at all.
    #[serde(default)]
    pub pre_stop: Span,
    /// As of `Stop`. Default: `"30s"`.
    #[serde(default = "grace")]
    pub grace: Span,
}

fn grace() -> Span {
    Span::from_seconds(30)
}

/// How an instance is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Farewell {
    /// From its being taken out of its address until it refuses requests.
    pub pre_stop: Span,
    /// From its being taken out of its address until it is killed, whatever it is at.
    pub grace: Span,
}

/// The life of the instances behind one address.
#[derive(Clone, Debug)]
pub struct LifeSpec {
    /// How many run from the beginning.
    pub count: u32,
    /// How long one takes from its start until it serves.
    pub start: Dist,
    /// The same of the next version.
    pub next_start: Dist,
    /// How slow it then is, and for how long.
    pub warm_up: Option<WarmUp>,
    /// How the platform finds out which of them serve.
    pub health: Option<HealthCheck>,
    /// What adds and takes away instances.
    pub autoscaler: Option<Autoscaler>,
    /// How those are stopped that are taken away.
    pub farewell: Farewell,
}
