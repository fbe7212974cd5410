//! Losses in bursts: a chain of two states that says how often a packet is lost in each.

use serde::Deserialize;

use crate::engine::{Ratio, Rng};
use crate::world::flaw::Flaw;

/// Losses in bursts: a link is good or bad, may change with each packet, and loses differently in
/// either state. It is bad for `enter` / (`enter` + `leave`) of all packets, and a burst takes
/// 1 / `leave` packets in the mean.
///
/// Source: E. N. Gilbert, "Capacity of a Burst-Noise Channel", Bell System Technical Journal 39,
/// 1960; E. O. Elliott, "Estimates of Error Rates for Codes on Burst-Noise Channels", Bell System
/// Technical Journal 42, 1963. The four parameters are p, r, 1 - k and 1 - h of the model.
///
/// ```ron
/// (enter: "1 %", leave: "25 %", loss_good: "0.1 %", loss_bad: "50 %")
/// ```
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bursts {
    /// How often a packet finds a good link turned bad (p).
    pub enter: Ratio,
    /// How often a packet finds a bad link turned good again (r).
    pub leave: Ratio,
    /// How often a packet is lost while the link is good (1 - k). Default: never.
    #[serde(default)]
    pub loss_good: Ratio,
    /// How often a packet is lost while the link is bad (1 - h). Default: always, as in Gilbert's
    /// simpler model.
    #[serde(default = "always")]
    pub loss_bad: Ratio,
}

fn always() -> Ratio {
    Ratio::ONE
}

impl Bursts {
    /// A packet comes to a link that is bad or not: is it lost? Two draws.
    pub(in crate::world) fn loses(&self, is_bad: &mut bool, rng: &mut Rng) -> bool {
        let turns = rng.chance(if *is_bad { self.leave } else { self.enter });
        *is_bad ^= turns;
        rng.chance(if *is_bad { self.loss_bad } else { self.loss_good })
    }

    /// What is wrong with it, for the loader.
    pub(in crate::world) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self {
            _ if self.enter.is_zero() => ("enter", "with `enter` of zero no burst ever begins"),
            _ if self.leave.is_zero() => ("leave", "with `leave` of zero a burst never ends"),
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_lost_and_the_length_of_bursts_are_those_of_the_chain() {
        let share = |percent| Ratio::new(percent, 100).unwrap();
        let bursts =
            Bursts { enter: share(2), leave: share(25), loss_good: share(0), loss_bad: share(100) };
        let (mut is_bad, mut rng) = (false, Rng::new(5, "bursts"));
        let lost: Vec<bool> = (0..200_000).map(|_| bursts.loses(&mut is_bad, &mut rng)).collect();
        let all = lost.iter().filter(|lost| **lost).count() as f64;
        let begun = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        // p / (p + r) = 0.0741, 1 / r = 4.
        assert!((all / 200_000.0 - 0.0741).abs() < 0.005, "{all}");
        assert!((all / begun - 4.0).abs() < 0.25, "{}", all / begun);
    }
}
