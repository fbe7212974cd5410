//! Keys: which business object a request is about.

use serde::Deserialize;

use super::zipf::Zipf;
use crate::engine::{Ratio, Rng, Span, Time};
use crate::world::Flaw;

/// Which business object each request is about. Objects of a known number are numbered from 0, so
/// clients with the same number of objects ask about the same ones.
///
/// ```ron
/// Zipf(objects: 10000, exponent: 0.8)
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Keys {
    /// An object that nobody has asked about before: every request is an order of its own.
    ///
    /// Source: this simulator's own; a new order for each request.
    ///
    /// ```ron
    /// Fresh
    /// ```
    #[default]
    Fresh,
    /// Each of the objects equally often.
    ///
    /// Source: the distribution `uniform` of B. Cooper et al., "Benchmarking Cloud Serving Systems
    /// with YCSB", SoCC 2010.
    ///
    /// ```ron
    /// Uniform(objects: 10000)
    /// ```
    Uniform {
        /// How many objects there are, at least 1.
        objects: u64,
    },
    /// Few objects often and many seldom: number k, counted from 1, in proportion to
    /// 1 / k^exponent. Object 0 is the most popular.
    ///
    /// Source: W. Hörmann and G. Derflinger, "Rejection-Inversion to Generate Variates from
    /// Monotone Discrete Distributions", ACM TOMACS 6(3), 1996.
    ///
    /// ```ron
    /// Zipf(objects: 10000, exponent: 0.8)
    /// ```
    Zipf {
        /// How many objects there are, from 1 to 1,000,000,000,000.
        objects: u64,
        /// How uneven: 0 is uniform, 1 the classic law; from 0 to 20.
        exponent: f64,
    },
    /// A part of the objects gets most of the requests, and from time to time it is another part.
    ///
    /// Source: the distribution `hotspot` of the benchmark YCSB; that the hot set moves is this
    /// simulator's own.
    ///
    /// ```ron
    /// HotSet(objects: 10000, hot: 100, share: "90 %", every: "60s")
    /// ```
    HotSet {
        /// How many objects there are.
        objects: u64,
        /// How many of them are hot, at least 1 and fewer than all.
        hot: u64,
        /// The share of the requests that is about the hot ones, each equally often; the others
        /// share the rest.
        share: Ratio,
        /// How often the hot set moves on by its own length. Default: never.
        #[serde(default)]
        every: Option<Span>,
    },
    /// One object after the other, from 0 on.
    ///
    /// Source: the distribution `sequential` of the benchmark YCSB.
    ///
    /// ```ron
    /// Sequential(objects: 10000)
    /// ```
    Sequential {
        /// After so many it begins anew. Default: never.
        #[serde(default)]
        objects: Option<u64>,
    },
    /// The newest of the objects that this client has numbered `Sequential` most, as with a feed:
    /// the k-th newest in proportion to 1 / k^exponent. Object 0 while there is none.
    ///
    /// Source: the distribution `latest` of B. Cooper et al., "Benchmarking Cloud Serving Systems
    /// with YCSB", SoCC 2010.
    ///
    /// ```ron
    /// Latest(exponent: 0.99)
    /// ```
    Latest {
        /// How much newer ones are preferred: 0 is not at all; from 0 to 20.
        exponent: f64,
    },
}

/// What a client keeps from one key to the next.
#[derive(Clone, Default)]
pub(super) struct Past {
    /// How many objects were numbered one after the other.
    newest: u64,
    /// The distribution that was drawn from last, ready to be drawn from again.
    zipf: Option<Zipf>,
}

impl Past {
    fn zipf(&mut self, objects: u64, exponent: f64) -> Zipf {
        match self.zipf {
            Some(zipf) if zipf.is_of(objects, exponent) => zipf,
            _ => *self.zipf.insert(Zipf::new(objects, exponent)),
        }
    }
}

/// The greatest number of objects: up to here the weights of a Zipf distribution are exact enough.
const OBJECTS_MAX: u64 = 1_000_000_000_000;
/// The greatest exponent.
const EXPONENT_MAX: f64 = 20.0;

impl Keys {
    /// Draws a key.
    pub(super) fn draw(&self, fresh: u64, past: &mut Past, now: Time, rng: &mut Rng) -> u64 {
        match *self {
            Keys::Fresh => fresh,
            Keys::Uniform { objects } => rng.below(objects),
            Keys::Zipf { objects, exponent } => past.zipf(objects, exponent).draw(rng) - 1,
            Keys::HotSet { objects, hot, share, every } => {
                let moved = every.map_or(0, |every| now.0 / every.0.max(1));
                let first = (u128::from(moved) * u128::from(hot) % u128::from(objects)) as u64;
                let place = match rng.chance(share) {
                    true => rng.below(hot),
                    false => hot + rng.below(objects - hot),
                };
                ((u128::from(first) + u128::from(place)) % u128::from(objects)) as u64
            }
            Keys::Sequential { objects } => {
                let key = past.newest;
                past.newest = key.wrapping_add(1);
                objects.map_or(key, |objects| key % objects)
            }
            Keys::Latest { exponent } => match past.newest {
                0 => 0,
                known => known - past.zipf(known.min(OBJECTS_MAX), exponent).draw(rng),
            },
        }
    }

    /// Is every object asked about once?
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self, Keys::Fresh)
    }

    /// What is wrong with them.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let objects = match *self {
            Keys::Uniform { objects } | Keys::Zipf { objects, .. } => Some(objects),
            Keys::HotSet { objects, .. } => Some(objects),
            Keys::Sequential { objects } => objects,
            Keys::Fresh | Keys::Latest { .. } => None,
        };
        if objects.is_some_and(|objects| !(1..=OBJECTS_MAX).contains(&objects)) {
            let title = format!("keys need from 1 to {OBJECTS_MAX} `objects`");
            return Some(Flaw::at("objects", title));
        }
        match *self {
            Keys::Zipf { exponent, .. } | Keys::Latest { exponent }
                if !(0.0..=EXPONENT_MAX).contains(&exponent) =>
            {
                let title = format!("an `exponent` of {exponent:?} is none for keys");
                Some(Flaw::at("exponent", title).label(format!("from 0 to {EXPONENT_MAX}")))
            }
            Keys::HotSet { objects, hot, .. } if hot == 0 || hot >= objects => {
                let title = format!("of {objects} objects 1 to {} can be `hot`", objects - 1);
                Some(Flaw::at("hot", title))
            }
            Keys::HotSet { every: Some(Span(0)), .. } => {
                let title = "a hot set cannot move `every` 0 s; leave it out if it never moves";
                Some(Flaw::at("every", title))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(keys: &Keys, count: usize, now: Time) -> Vec<u64> {
        let (mut rng, mut past) = (Rng::new(1, "keys"), Past::default());
        (0..count).map(|fresh| keys.draw(fresh as u64, &mut past, now, &mut rng)).collect()
    }

    fn share(keys: &[u64], is: impl Fn(u64) -> bool) -> f64 {
        keys.iter().filter(|key| is(**key)).count() as f64 / keys.len() as f64
    }

    #[test]
    fn uniform_keys_come_equally_often() {
        let keys = drawn(&Keys::Uniform { objects: 10 }, 100_000, Time(0));
        for object in 0..10 {
            assert!((share(&keys, |key| key == object) - 0.1).abs() < 0.004, "object {object}");
        }
    }

    #[test]
    fn a_hot_set_gets_its_share_and_moves_on() {
        let every = Some(Span::from_seconds(60));
        let share_of_hot = Ratio::new(9, 10).unwrap();
        let keys = Keys::HotSet { objects: 1000, hot: 100, share: share_of_hot, every };
        for (minute, first) in [(0, 0), (1, 100), (9, 900), (10, 0), (11, 100)] {
            let now = Time(0) + Span::from_seconds(60) * minute;
            let keys = drawn(&keys, 20_000, now);
            let hot = share(&keys, |key| (first..first + 100).contains(&key));
            assert!((hot - 0.9).abs() < 0.01, "minute {minute}: {hot}");
            assert!(keys.iter().all(|key| *key < 1000));
        }
    }

    #[test]
    fn sequential_keys_begin_anew_after_the_last() {
        let keys = Keys::Sequential { objects: Some(3) };
        assert_eq!(drawn(&keys, 7, Time(0)), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(drawn(&Keys::Sequential { objects: None }, 3, Time(0)), [0, 1, 2]);
        assert_eq!(drawn(&Keys::Fresh, 3, Time(0)), [0, 1, 2]);
    }

    #[test]
    fn the_newest_are_asked_about_most() {
        let keys = Keys::Latest { exponent: 1.0 };
        let (mut rng, mut past) = (Rng::new(1, "keys"), Past::default());
        assert_eq!(keys.draw(9, &mut past, Time(0), &mut rng), 0, "there is none yet");
        past.newest = 4;
        let drawn: Vec<u64> =
            (0..100_000).map(|_| keys.draw(9, &mut past, Time(0), &mut rng)).collect();
        // 1, 1/2, 1/3 and 1/4 of 25/12, the newest (number 3) first.
        for (age, weight) in [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0].into_iter().enumerate() {
            let expected = weight * 12.0 / 25.0;
            let found = share(&drawn, |key| key == 3 - age as u64);
            assert!((found - expected).abs() < 0.006, "age {age}: {found} for {expected}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let refused = [
            Keys::Uniform { objects: 0 },
            Keys::Zipf { objects: 0, exponent: 1.0 },
            Keys::Zipf { objects: OBJECTS_MAX + 1, exponent: 1.0 },
            Keys::Zipf { objects: 10, exponent: -0.1 },
            Keys::Zipf { objects: 10, exponent: f64::NAN },
            Keys::HotSet { objects: 10, hot: 10, share: Ratio::ONE, every: None },
            Keys::HotSet { objects: 10, hot: 0, share: Ratio::ONE, every: None },
            Keys::HotSet { objects: 10, hot: 1, share: Ratio::ONE, every: Some(Span(0)) },
            Keys::Sequential { objects: Some(0) },
            Keys::Latest { exponent: 21.0 },
        ];
        for keys in refused {
            assert!(keys.problem().is_some(), "{keys:?}");
        }
        assert_eq!(Keys::Zipf { objects: OBJECTS_MAX, exponent: 0.0 }.problem(), None);
    }
}
