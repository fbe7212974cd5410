//! What the network suffers from at present.

use super::Injection;
use crate::engine::{NodeId, Rng, Span};

/// What the network suffers from at present.
#[derive(Default)]
pub(crate) struct Weather {
    pub(super) storms: Vec<Storm>,
    dark: bool,
}

pub(super) struct Storm {
    pub index: u32,
    pub what: Injection,
    pub rng: Rng,
}

impl Weather {
    #[inline]
    pub fn is_calm(&self) -> bool {
        self.storms.is_empty() && !self.dark
    }

    pub fn set_dark(&mut self, dark: bool) {
        self.dark = dark;
    }

    /// What happens to a packet on this link: the added latency and whether it is lost; `None` if
    /// nothing passes.
    pub fn judge(&mut self, from: NodeId, to: NodeId) -> Option<(Span, bool)> {
        let (mut added, mut lost) = (Span::ZERO, false);
        for storm in &mut self.storms {
            match &storm.what {
                Injection::Latency { links, add } if links.covers(from, to) => {
                    added += add.sample(&mut storm.rng);
                }
                // A link that loses everything is cut for as long as it does.
                Injection::Loss { links, rate } if rate.is_one() && links.covers(from, to) => {
                    return None;
                }
                Injection::Loss { links, rate } if links.covers(from, to) => {
                    lost |= storm.rng.chance(*rate);
                }
                Injection::Partition { links } if links.covers(from, to) => return None,
                _ => {}
            }
        }
        Some((added, lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Dist, Ratio};
    use crate::world::Targets;

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    fn weather(faults: Vec<Injection>) -> Weather {
        let storm = |what| Storm { index: 0, what, rng: Rng::new(1, "storm") };
        Weather { storms: faults.into_iter().map(storm).collect(), dark: false }
    }

    fn later(millis: u64, links: Targets) -> Injection {
        Injection::Latency { links, add: Dist::constant(Span::from_millis(millis)) }
    }

    #[test]
    fn latencies_add_up_and_a_partition_lets_nothing_pass() {
        let [a, b, c] = NODES;
        let to_b = || Targets::OneWay(vec![a], vec![b]);
        let mut weather = weather(vec![later(3, Targets::All), later(4, to_b())]);
        assert_eq!(weather.judge(a, b), Some((Span::from_millis(7), false)));
        assert_eq!(weather.judge(a, c), Some((Span::from_millis(3), false)));
        let cut = Storm {
            index: 2,
            what: Injection::Partition { links: to_b() },
            rng: Rng::new(1, "cut"),
        };
        weather.storms.push(cut);
        assert_eq!((weather.judge(a, b), weather.judge(b, a).is_some()), (None, true));
    }

    #[test]
    fn loss_is_drawn_and_losing_everything_is_a_partition() {
        let [a, b, _] = NODES;
        let loss = |rate| Injection::Loss { links: Targets::All, rate };
        let mut half = weather(vec![loss(Ratio::new(1, 2).unwrap())]);
        let lost = (0..1000).filter(|_| half.judge(a, b).is_some_and(|(_, lost)| lost)).count();
        assert!((420..580).contains(&lost), "{lost}");
        assert_eq!(weather(vec![loss(Ratio::ONE)]).judge(a, b), None);
        assert_eq!(weather(vec![loss(Ratio::ZERO)]).judge(a, b), Some((Span::ZERO, false)));
    }
}
