//! How one of several instances is picked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::hash::{affinity, jump, mix};
use super::{Knowledge, Member, Peers};
use crate::engine::{Factor, NodeId, Span};
use crate::world::{Cx, Flaw};

/// How one of several instances is picked.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Pick {
    /// One after the other; every caller begins somewhere else.
    ///
    /// Source: the default of nginx and of Envoy (`ROUND_ROBIN`).
    #[default]
    RoundRobin,
    /// One after the other, each as often as its weight says and evenly spread.
    ///
    /// Source: the smooth weighted round robin of nginx.
    ///
    /// ```ron
    /// WeightedRoundRobin(weights: {"bank": 3, "shop": 1})
    /// ```
    WeightedRoundRobin {
        /// Weights of instances; of those that are not named, 1.
        weights: BTreeMap<NodeId, u32>,
    },
    /// Any, each as likely.
    ///
    /// Source: `RANDOM` of Envoy.
    Random,
    /// Any, each as likely as its weight says.
    ///
    /// Source: random selection by weight, as DNS has it for services (RFC 2782).
    ///
    /// ```ron
    /// WeightedRandom(weights: {"bank": 9})
    /// ```
    WeightedRandom {
        /// Weights of instances; of those that are not named, 1.
        weights: BTreeMap<NodeId, u32>,
    },
    /// The least loaded; of several, any. With what is outstanding this is least request, with the
    /// true queue it is join the shortest queue.
    ///
    /// Source: W. Winston, "Optimality of the Shortest Line Discipline", Journal of Applied
    /// Probability 14(1), 1977; `least_conn` of nginx.
    Least,
    /// The least loaded of so many that are drawn: the power of two choices.
    ///
    /// Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", doctoral
    /// thesis, Berkeley, 1996.
    ///
    /// ```ron
    /// Choices(d: 2)
    /// ```
    Choices {
        /// How many are drawn. At least 1. Default: 2.
        #[serde(default = "Pick::two")]
        d: u32,
        /// May the same one be drawn again? Default: false.
        #[serde(default)]
        replace: bool,
    },
    /// An idle one; of several, any. If there is none, any at all: join the idle queue.
    ///
    /// Source: Y. Lu et al., "Join-Idle-Queue: A Novel Load Balancing Algorithm for Dynamically
    /// Scalable Web Services", Performance Evaluation 68(11), 2011.
    Idle,
    /// Of two that are drawn, the one with the lower product of calls outstanding and latency; the
    /// latency jumps up with a slow answer and comes down with time.
    ///
    /// Source: the balancer of this name in Finagle.
    ///
    /// ```ron
    /// PeakEwma(decay: "10s")
    /// ```
    PeakEwma {
        /// How long a latency is remembered. Default: `"10s"`, as in Finagle.
        #[serde(default = "Pick::ten_seconds")]
        decay: Span,
    },
    /// The next on a hash ring, by the request's key: consistent hashing.
    ///
    /// Source: D. Karger et al., "Consistent Hashing and Random Trees", STOC 1997; with `load` V.
    /// Mirrokni, M. Thorup and M. Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA
    /// 2018.
    ///
    /// ```ron
    /// Ring(points: 100, load: "1.25x")
    /// ```
    Ring {
        /// Points for each instance on the ring: more of them spread keys more evenly. From 1
        /// to 10,000. Default: 100.
        #[serde(default = "Pick::hundred")]
        points: u32,
        /// How much more than its share of the outstanding calls one may have before the next on
        /// the ring is taken. Above 1. Default: without bound.
        #[serde(default)]
        load: Option<Factor>,
    },
    /// The one whose name and the request's key hash highest together: rendezvous hashing.
    ///
    /// Source: D. G. Thaler and C. V. Ravishankar, "Using Name-Based Mappings to Increase Hit
    /// Rates", IEEE/ACM Transactions on Networking 6(1), 1998; with `load` as for the ring.
    ///
    /// ```ron
    /// Rendezvous(load: "1.25x")
    /// ```
    Rendezvous {
        /// As for the ring. Default: without bound.
        #[serde(default)]
        load: Option<Factor>,
    },
    /// By jump hash of the request's key over the instances in their order.
    ///
    /// Source: J. Lamping and E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014.
    Jump,
}

impl Pick {
    fn two() -> u32 {
        2
    }

    fn hundred() -> u32 {
        100
    }

    fn ten_seconds() -> Span {
        Span::from_seconds(10)
    }

    /// The place of one of the open members; `None` if there is none.
    pub(super) fn one(
        &self,
        cx: &Cx,
        peers: &mut Peers,
        knows: Knowledge,
        key: u64,
    ) -> Option<usize> {
        let Peers { members, open, turn, ring, .. } = peers;
        let count = open.len() as u64;
        if count == 0 {
            return None;
        }
        let load = |place: u32| match knows {
            Knowledge::Outstanding => members[place as usize].outstanding,
            Knowledge::TrueQueue => cx.jobs_at(members[place as usize].node),
        };
        let any = |open: &[u32]| open[cx.random(|rng| rng.below(open.len() as u64)) as usize];
        let place = match self {
            Pick::RoundRobin => {
                let due = (*turn % members.len()) as u32;
                let next = open.partition_point(|place| *place < due);
                let place = open[next % open.len()];
                *turn = place as usize + 1;
                place
            }
            Pick::WeightedRoundRobin { weights } => smooth(members, open, weights),
            Pick::Random => any(open),
            Pick::WeightedRandom { weights } => {
                let of = |place: &u32| weight(weights, &members[*place as usize]) as u64;
                let mut left = cx.random(|rng| rng.below(open.iter().map(of).sum::<u64>().max(1)));
                let found = open.iter().find(|place| {
                    let is_it = left < of(place);
                    left = left.saturating_sub(of(place));
                    is_it
                });
                *found.unwrap_or(&open[0])
            }
            Pick::Least => {
                let least = open.iter().map(|place| load(*place)).min()?;
                open.retain(|place| load(*place) == least);
                if open.len() == 1 { open[0] } else { any(open) }
            }
            Pick::Idle => {
                if open.iter().any(|place| load(*place) == 0) {
                    open.retain(|place| load(*place) == 0);
                }
                any(open)
            }
            Pick::Choices { d, replace } => {
                let drawn = draw(cx, open, *d as usize, *replace);
                *drawn.iter().min_by_key(|place| load(**place))?
            }
            Pick::PeakEwma { .. } => {
                let cost = |place: &u32| {
                    let member = &members[*place as usize];
                    member.cost * f64::from(member.outstanding + 1)
                };
                let drawn = draw(cx, open, 2, false);
                *drawn.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)))?
            }
            Pick::Ring { load: bound, .. } => {
                let start = ring.partition_point(|(point, _)| *point < mix(key));
                let around = ring[start..].iter().chain(&ring[..start]).map(|(_, place)| *place);
                let is_whole = open.len() == members.len();
                let around = around.filter(|place| is_whole || open.contains(place));
                within_load(members, open, *bound, around)?
            }
            Pick::Rendezvous { load: bound } => {
                let score = |place: &u32| affinity(key, members[*place as usize].hash);
                let mut ranked = open.clone();
                ranked.sort_by_key(|place| std::cmp::Reverse(score(place)));
                within_load(members, open, *bound, ranked.into_iter())?
            }
            Pick::Jump => open[jump(key, open.len())],
        };
        Some(place as usize)
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self, knows: Knowledge) -> Option<Flaw> {
        let (field, title) = match self {
            Pick::Choices { d: 0, .. } => {
                ("pick.d", "of no instances none can be picked: `d` is at least 1")
            }
            Pick::Ring { points: 0, .. } => {
                ("pick.points", "a ring needs at least one point for each instance")
            }
            Pick::Ring { points, .. } if *points > 10_000 => {
                ("pick.points", "a ring has at most 10000 points for each instance")
            }
            Pick::Ring { load: Some(load), .. } | Pick::Rendezvous { load: Some(load) }
                if *load <= Factor::ONE =>
            {
                let title =
                    "a bound on the load is above 1x: somebody must take what the others cannot";
                ("pick.load", title)
            }
            Pick::PeakEwma { decay } if decay.is_zero() => {
                ("pick.decay", "a latency must be remembered for longer than nothing")
            }
            Pick::WeightedRoundRobin { weights } | Pick::WeightedRandom { weights }
                if weights.values().any(|weight| *weight == 0) =>
            {
                ("pick.weights", "a weight is at least 1; leave out what shall have no calls")
            }
            _ if knows == Knowledge::TrueQueue
                && !matches!(self, Pick::Least | Pick::Choices { .. } | Pick::Idle) =>
            {
                ("knows", "only `Least`, `Choices` and `Idle` look at the `TrueQueue`")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

fn weight(weights: &BTreeMap<NodeId, u32>, member: &Member) -> i64 {
    weights.get(&member.node).copied().unwrap_or(1).into()
}

/// Everybody earns its weight, the richest is picked and pays for all.
fn smooth(members: &mut [Member], open: &[u32], weights: &BTreeMap<NodeId, u32>) -> u32 {
    let (mut total, mut best) = (0, open[0]);
    for place in open {
        let member = &mut members[*place as usize];
        let weight = weight(weights, member);
        (member.credit, total) = (member.credit + weight, total + weight);
        if members[*place as usize].credit > members[best as usize].credit {
            best = *place;
        }
    }
    members[best as usize].credit -= total;
    best
}

/// Moves so many that are drawn to the front: in the order of drawing, so a tie is broken by
/// chance.
fn draw<'o>(cx: &Cx, open: &'o mut Vec<u32>, count: usize, replace: bool) -> &'o [u32] {
    if replace {
        let drawn = (0..count)
            .map(|_| open[cx.random(|rng| rng.below(open.len() as u64)) as usize])
            .collect();
        *open = drawn;
        return open;
    }
    let count = count.min(open.len());
    for place in 0..count {
        let left = (open.len() - place) as u64;
        let other = place + cx.random(|rng| rng.below(left)) as usize;
        open.swap(place, other);
    }
    &open[..count]
}

/// The first that has not more than its bounded share of the outstanding calls, this one included.
pub(super) fn within_load(
    members: &[Member],
    open: &[u32],
    bound: Option<Factor>,
    mut ranked: impl Iterator<Item = u32>,
) -> Option<u32> {
    let Some(bound) = bound else { return ranked.next() };
    let outstanding = |place: &u32| u64::from(members[*place as usize].outstanding);
    let all = open.iter().map(outstanding).sum::<u64>() + 1;
    let most =
        (u128::from(all) * u128::from(bound.thousandths())).div_ceil(open.len() as u128 * 1_000);
    ranked.find(|place| u128::from(outstanding(place)) < most)
}
