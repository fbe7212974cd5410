//! What waits in front of a bandwidth, and which packets it drops.

use serde::Deserialize;

use crate::engine::{Bytes, Msg, Ratio, Rng, Span, Time};
use crate::world::flaw::{EVERY_MIN, Flaw, too_often};

/// What waits in front of a bandwidth.
///
/// ```ron
/// (size: "64KiB", policy: CoDel(target: "5ms", interval: "100ms"))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueSpec {
    /// How much may wait; what does not fit any more is dropped. Default: `"1500kB"`, a thousand
    /// full packets, as in front of a network card of Linux.
    pub size: Bytes,
    /// Which packets are dropped before that. Default: `Tail`, none.
    pub policy: DropPolicy,
}

impl Default for QueueSpec {
    fn default() -> QueueSpec {
        QueueSpec { size: Bytes(1_500_000), policy: DropPolicy::Tail }
    }
}

/// Which packets a queue drops although it is not full, so that it stays short.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum DropPolicy {
    /// None: only what does not fit is dropped.
    #[default]
    Tail,
    /// Random early detection: the longer the queue has been on average, the more it drops.
    ///
    /// Source: S. Floyd and V. Jacobson, "Random Early Detection Gateways for Congestion
    /// Avoidance", IEEE/ACM Transactions on Networking 1(4), 1993.
    ///
    /// ```ron
    /// Red(min: "30KiB", max: "90KiB")
    /// ```
    Red {
        /// Up to this average length nothing is dropped.
        min: Bytes,
        /// From this average length on everything is dropped.
        max: Bytes,
        /// The share dropped just below `max`. Default: `"10 %"`.
        #[serde(default = "tenth")]
        probability: Ratio,
        /// The weight of the newest length in the average. Default: `"0.2 %"`.
        #[serde(default = "fiftieth_of_tenth")]
        weight: Ratio,
    },
    /// Controlled delay: drops while packets have waited too long for too long.
    ///
    /// Source: RFC 8289, "Controlled Delay Active Queue Management", 2018.
    ///
    /// ```ron
    /// CoDel(target: "5ms", interval: "100ms")
    /// ```
    CoDel {
        /// How long a packet may wait. Default: `"5ms"`.
        #[serde(default = "five_millis")]
        target: Span,
        /// For how long packets must have waited longer than that. Default: `"100ms"`.
        #[serde(default = "hundred_millis")]
        interval: Span,
    },
}

fn tenth() -> Ratio {
    Ratio::new(1, 10).unwrap_or(Ratio::ONE)
}

fn fiftieth_of_tenth() -> Ratio {
    Ratio::new(1, 500).unwrap_or(Ratio::ONE)
}

fn five_millis() -> Span {
    Span::from_millis(5)
}

fn hundred_millis() -> Span {
    Span::from_millis(100)
}

impl QueueSpec {
    /// What is wrong with it, for the loader.
    pub(in crate::world) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match &self.policy {
            _ if self.size.0 < u64::from(Msg::HEADER) => {
                let title = format!("a queue of {} takes no message", self.size);
                let label = format!("any message weighs {} bytes and more", Msg::HEADER);
                return Some(Flaw::at("size", title).label(label));
            }
            DropPolicy::Red { min, max, .. } if min >= max => {
                ("min", "the queue's `min` must be shorter than its `max`")
            }
            DropPolicy::Red { weight, .. } if weight.is_zero() => {
                ("weight", "with a `weight` of zero the average never moves")
            }
            DropPolicy::CoDel { interval, .. } if *interval < EVERY_MIN => {
                return too_often("interval", *interval).map(|flaw| flaw.within("policy"));
            }
            _ => return None,
        };
        Some(Flaw::at(field, title).within("policy"))
    }
}

/// What a policy remembers.
#[derive(Clone, Debug)]
pub(super) enum Dropper {
    Tail,
    Red { min: f64, max: f64, probability: f64, weight: f64, average: f64, passed: f64 },
    CoDel(CoDel),
}

impl Dropper {
    pub fn new(spec: &DropPolicy) -> Dropper {
        match *spec {
            DropPolicy::Tail => Dropper::Tail,
            DropPolicy::Red { min, max, probability, weight } => Dropper::Red {
                min: min.0 as f64,
                max: max.0 as f64,
                probability: probability.as_f64(),
                weight: weight.as_f64(),
                average: 0.0,
                passed: 0.0,
            },
            DropPolicy::CoDel { target, interval } => {
                Dropper::CoDel(CoDel { target, interval, ..CoDel::default() })
            }
        }
    }

    /// A packet comes to a queue in which `waiting` bytes wait, that has been `idle` for so many
    /// packets' times, and would begin to pass at `begins`: is it dropped?
    pub fn drops(&mut self, come: &Coming, rng: &mut Rng) -> bool {
        match self {
            Dropper::Tail => false,
            Dropper::Red { min, max, probability, weight, average, passed } => {
                *average *= libm::pow(1.0 - *weight, come.idle);
                *average += *weight * (come.waiting as f64 - *average);
                if *average < *min {
                    *passed = 0.0;
                    return false;
                }
                // Spread evenly: the longer none was dropped, the likelier the next one is.
                let share = *probability * (*average - *min) / (*max - *min);
                let due = share / (1.0 - (*passed * share).min(1.0 - share));
                let drops = *average >= *max || rng.unit() < due;
                *passed = if drops { 0.0 } else { *passed + 1.0 };
                drops
            }
            Dropper::CoDel(codel) => codel.drops(come),
        }
    }
}

/// A packet that comes to a queue.
pub(super) struct Coming {
    pub at: Time,
    /// When it would begin to pass.
    pub begins: Time,
    /// How many bytes are before it.
    pub waiting: u64,
    /// For how many packets' times nothing has passed.
    pub idle: f64,
}

/// Since when packets have waited too long, and how often that led to a drop. The queue is first
/// in, first out, so when a packet leaves is known when it comes.
#[derive(Clone, Debug, Default)]
pub(super) struct CoDel {
    target: Span,
    interval: Span,
    /// From here on waiting too long leads to drops.
    patience: Option<Time>,
    /// When to drop next, while it drops.
    next: Option<Time>,
    last: Time,
    count: u64,
    last_count: u64,
}

impl CoDel {
    fn drops(&mut self, come: &Coming) -> bool {
        let now = come.begins;
        // One packet alone is no queue, however slow the line.
        if now - come.at < self.target || come.waiting <= 1_500 {
            (self.patience, self.next) = (None, None);
            return false;
        }
        let patience = *self.patience.get_or_insert(now + self.interval);
        if now < patience {
            self.next = None;
            return false;
        }
        match self.next {
            Some(next) if now < next => return false,
            Some(next) => self.count += u64::from(next <= now),
            None => {
                // It goes on where it was if it has not been long.
                let recent = now - self.last < self.interval * 16;
                let more = self.count - self.last_count;
                self.count = if recent && more > 1 { more } else { 1 };
                self.last_count = self.count;
            }
        }
        let from = self.next.unwrap_or(now);
        self.next = Some(from + self.pause());
        self.last = now;
        true
    }

    /// The interval through the root of the count.
    fn pause(&self) -> Span {
        let square = u128::from(self.interval.0) * u128::from(self.interval.0);
        Span((square / u128::from(self.count.max(1))).isqrt() as u64)
    }
}
