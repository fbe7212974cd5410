//! Ejection of outliers: an instance that fails is given no calls for a while.

use serde::Deserialize;

use super::Member;
use crate::engine::{NodeId, Ratio, Reply, Span, Time};
use crate::parts::policy::breaker::is_answer;
use crate::parts::policy::facts;
use crate::world::{Cx, EVERY_MIN, Flaw, too_often};

/// When an instance is given no calls for a while.
///
/// Source: Envoy's outlier detection, with its defaults.
///
/// ```ron
/// (errors: 5, success_rate: (calls_min: 50), ejection: "30s", share_max: "20 %")
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outliers {
    /// How many failures in a row eject it. At least 1. Default: 5.
    pub errors: Option<u32>,
    /// Is one ejected whose rate of success is well below that of the others? Default: no.
    pub success_rate: Option<SuccessRate>,
    /// How often rates of success are looked at, and how long it takes until one ejection is
    /// forgiven. Default: `"10s"`.
    pub interval: Span,
    /// How long an ejection lasts, times how often that instance was ejected. Default: `"30s"`.
    pub ejection: Span,
    /// The longest ejection. Default: `"300s"`.
    pub ejection_max: Span,
    /// What share of the instances may be ejected at once; one may always be. Default: `"10 %"`.
    pub share_max: Ratio,
}

impl Default for Outliers {
    fn default() -> Outliers {
        Outliers {
            errors: Some(5),
            success_rate: None,
            interval: Span::from_seconds(10),
            ejection: Span::from_seconds(30),
            ejection_max: Span::from_seconds(300),
            share_max: Ratio::new(1, 10).unwrap_or(Ratio::ZERO),
        }
    }
}

/// When the rate of success of an instance is well below that of the others.
///
/// Source: Envoy's outlier detection by success rate, with its defaults.
///
/// ```ron
/// (instances_min: 5, calls_min: 100, deviations: 1.9)
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SuccessRate {
    /// How many instances must have had enough calls. At least 2. Default: 5.
    pub instances_min: u32,
    /// How many calls of an interval are enough. At least 1. Default: 100.
    pub calls_min: u32,
    /// How many standard deviations below the mean is too low. Above 0. Default: 1.9.
    pub deviations: f64,
}

impl Default for SuccessRate {
    fn default() -> SuccessRate {
        SuccessRate { instances_min: 5, calls_min: 100, deviations: 1.9 }
    }
}

/// How an instance fares.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    /// Failures in a row.
    errors: u32,
    ejected_until: Time,
    /// How often it was ejected and not yet forgiven.
    ejections: u32,
    /// Calls of this interval, and how many of them succeeded.
    calls: u32,
    successes: u32,
}

impl Health {
    pub fn is_ejected(&self, now: Time) -> bool {
        self.ejected_until > now
    }

    fn rate(&self) -> f64 {
        f64::from(self.successes) / f64::from(self.calls)
    }
}

impl Outliers {
    /// Takes in an answer of `node`, or that none came.
    pub(super) fn judge(&self, cx: &Cx, members: &mut [Member], node: NodeId, reply: &Reply) {
        let Some(place) = members.iter().position(|member| member.node == node) else { return };
        let health = &mut members[place].health;
        let is_good = is_answer(reply);
        health.calls += 1;
        health.successes += u32::from(is_good);
        health.errors = if is_good { 0 } else { health.errors + 1 };
        if self.errors.is_some_and(|errors| health.errors >= errors) {
            self.eject(cx, members, place);
        }
    }

    /// Looks at the rates of success if that is due.
    pub(super) fn look(&self, cx: &Cx, members: &mut [Member], next_look: &mut Time) {
        let now = cx.now();
        if now < *next_look {
            return;
        }
        *next_look = now + self.interval;
        for place in self.too_low(members) {
            self.eject(cx, members, place);
        }
        for Member { health, .. } in members.iter_mut() {
            (health.calls, health.successes) = (0, 0);
            if !health.is_ejected(now) {
                health.ejections = health.ejections.saturating_sub(1);
            }
        }
    }

    /// Those whose rate of success is too low.
    fn too_low(&self, members: &[Member]) -> Vec<usize> {
        let Some(rates) = self.success_rate else { return Vec::new() };
        let has_calls = |member: &&Member| member.health.calls >= rates.calls_min;
        let known: Vec<f64> =
            members.iter().filter(has_calls).map(|member| member.health.rate()).collect();
        if known.len() < rates.instances_min as usize {
            return Vec::new();
        }
        let count = known.len() as f64;
        let mean = known.iter().sum::<f64>() / count;
        let squares = known.iter().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>();
        let least = mean - rates.deviations * libm::sqrt(squares / count);
        let is_low = |member: &Member| {
            member.health.calls >= rates.calls_min && member.health.rate() < least
        };
        (0..members.len()).filter(|place| is_low(&members[*place])).collect()
    }

    fn eject(&self, cx: &Cx, members: &mut [Member], place: usize) {
        let now = cx.now();
        if members[place].health.is_ejected(now) {
            return;
        }
        let ejected = members.iter().filter(|member| member.health.is_ejected(now)).count() as u128;
        let most = members.len() as u128 * u128::from(self.share_max.numerator())
            / u128::from(self.share_max.denominator());
        if ejected + 1 > most.max(1) {
            return;
        }
        let Member { node, health, .. } = &mut members[place];
        health.ejections += 1;
        health.errors = 0;
        let length = (self.ejection * u64::from(health.ejections)).min(self.ejection_max);
        health.ejected_until = now + length;
        cx.note(facts::EJECTED, u64::from(node.0), u64::from(health.ejections));
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self {
            Outliers { errors: None, success_rate: None, .. } => {
                let title =
                    "outliers need `errors` or `success_rate`: nothing else ejects an instance";
                return Some(Flaw::new(title));
            }
            Outliers { errors: Some(0), .. } => ("errors", "`errors` in a row are at least 1"),
            _ if self.interval < EVERY_MIN => return too_often("interval", self.interval),
            _ if self.ejection.is_zero() => {
                ("ejection", "an outlier's `ejection` is longer than nothing")
            }
            _ if self.ejection > self.ejection_max => {
                ("ejection", "an `ejection` is no longer than `ejection_max`")
            }
            Outliers { success_rate: Some(rates), .. } => match rates {
                SuccessRate { instances_min: 0 | 1, .. } => (
                    "success_rate.instances_min",
                    "rates of success are compared between at least 2 instances",
                ),
                SuccessRate { calls_min: 0, .. } => {
                    ("success_rate.calls_min", "a rate of success needs at least 1 call")
                }
                SuccessRate { deviations, .. }
                    if !(*deviations > 0.0 && deviations.is_finite()) =>
                {
                    ("success_rate.deviations", "`deviations` are above 0")
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}
