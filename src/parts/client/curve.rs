//! A rate over time, and when so many arrivals are due under it: inversion of the cumulated rate.
//!
//! An inhomogeneous Poisson process is a homogeneous one of rate 1 in the time that the cumulated
//! rate makes; so arrivals are exact, and evenly spaced arrivals follow a profile as well as random
//! ones. Times are nanoseconds from the start of the run, rates are per nanosecond.
//!
//! Source: E. Çinlar, "Introduction to Stochastic Processes", Prentice-Hall, 1975, section 4.7.

use std::f64::consts::PI;

/// A rate over time: pieces one after the other, the last without an end.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Curve(Vec<Piece>);

#[derive(Clone, Copy, PartialEq, Debug)]
struct Piece {
    /// When it begins.
    from: f64,
    /// The arrivals due by then.
    area: f64,
    form: Form,
}

/// The rate of a piece; `x` counts from its beginning.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Form {
    Flat(f64),
    /// `rate` + `slope` x.
    Linear {
        rate: f64,
        slope: f64,
    },
    /// `base` + `height` e^(-x / `decay`).
    Decay {
        base: f64,
        height: f64,
        decay: f64,
    },
    /// `mean` + `swing` sin(2 pi x / `period` + `phase`).
    Sine {
        mean: f64,
        swing: f64,
        period: f64,
        phase: f64,
    },
}

impl Curve {
    /// The same with one more piece, which begins after all others.
    pub fn then(mut self, from: f64, form: Form) -> Curve {
        let area = self.area(from);
        // Of two pieces that begin at one instant the first has no length.
        self.0.retain(|piece| piece.from < from);
        self.0.push(Piece { from, area, form });
        self
    }

    /// The arrivals due from the start until `at`.
    pub fn area(&self, at: f64) -> f64 {
        let place = self.0.partition_point(|piece| piece.from <= at);
        let Some(piece) = place.checked_sub(1).and_then(|place| self.0.get(place)) else {
            return 0.0;
        };
        piece.area + piece.form.area(at - piece.from)
    }

    /// When so many arrivals are due; `None` if never.
    pub fn when(&self, area: f64) -> Option<f64> {
        let place = self.0.partition_point(|piece| piece.area <= area);
        // A piece without arrivals has the same area as the next: take the last of them.
        let piece = self.0.get(place.checked_sub(1)?)?;
        let x = piece.form.when(area - piece.area)?;
        let at = piece.from + x;
        // The next piece begins where this one ends, whatever the rounding.
        Some(self.0.get(place).map_or(at, |next| at.min(next.from)))
    }

    /// The rate at an instant.
    #[cfg(test)]
    pub fn rate(&self, at: f64) -> f64 {
        let place = self.0.partition_point(|piece| piece.from <= at);
        place.checked_sub(1).map_or(0.0, |place| self.0[place].form.rate(at - self.0[place].from))
    }
}

impl Form {
    fn rate(&self, x: f64) -> f64 {
        match *self {
            Form::Flat(rate) => rate,
            Form::Linear { rate, slope } => rate + slope * x,
            Form::Decay { base, height, decay } => base + height * libm::exp(-x / decay),
            Form::Sine { mean, swing, period, phase } => {
                mean + swing * libm::sin(2.0 * PI * x / period + phase)
            }
        }
    }

    fn area(&self, x: f64) -> f64 {
        match *self {
            Form::Flat(rate) => rate * x,
            Form::Linear { rate, slope } => x * (rate + slope * x / 2.0),
            Form::Decay { base, height, decay } => {
                base * x - height * decay * libm::expm1(-x / decay)
            }
            Form::Sine { mean, swing, period, phase } => {
                let turned = libm::cos(phase) - libm::cos(2.0 * PI * x / period + phase);
                mean * x + swing * period / (2.0 * PI) * turned
            }
        }
    }

    /// Where the area is this much; `None` if it never is.
    fn when(&self, area: f64) -> Option<f64> {
        match *self {
            Form::Flat(rate) => (rate > 0.0).then(|| area / rate),
            Form::Linear { rate, slope } => {
                let root = (rate * rate + 2.0 * slope * area).max(0.0).sqrt();
                (rate + root > 0.0).then(|| 2.0 * area / (rate + root))
            }
            Form::Decay { base: 0.0, height, decay } => {
                let left = area / (height * decay);
                (left < 1.0).then(|| -decay * libm::log1p(-left))
            }
            Form::Decay { base, height, .. } => {
                Some(self.search(area, [area / (base + height), area / base]))
            }
            Form::Sine { mean, swing, period, .. } => {
                let most = swing * period / PI;
                let bounds = [((area - most) / mean).max(0.0), (area + most) / mean];
                Some(self.search(area, bounds))
            }
        }
    }

    /// Newton's method, kept within bounds by halving them: ends within a thousandth of a
    /// nanosecond, or at the limit of what floats can tell apart.
    fn search(&self, area: f64, [mut low, mut high]: [f64; 2]) -> f64 {
        let mut x = low + (high - low) / 2.0;
        for _ in 0..200 {
            let miss = self.area(x) - area;
            if miss < 0.0 {
                low = x
            } else {
                high = x
            }
            let newton = x - miss / self.rate(x);
            let next =
                if newton > low && newton < high { newton } else { low + (high - low) / 2.0 };
            if (next - x).abs() < 1e-3 || next == x {
                return next;
            }
            x = next;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: f64 = 1e9;

    fn forms() -> impl Strategy<Value = Form> {
        let rate = || (1e-9..1e-3_f64).boxed();
        let time = || (1e6..1e12_f64).boxed();
        prop_oneof![
            rate().prop_map(Form::Flat),
            (rate(), rate(), time()).prop_map(|(rate, to, over)| Form::Linear {
                rate,
                // At the end of a fall the rate is still above zero.
                slope: ((to - rate) / over).max(0.0),
            }),
            (rate(), rate(), time()).prop_map(|(base, height, decay)| Form::Decay {
                base,
                height,
                decay
            }),
            (rate(), 0.0..1.0_f64, time(), 0.0..6.3_f64).prop_map(
                |(mean, share, period, phase)| Form::Sine {
                    mean,
                    swing: mean * share,
                    period,
                    phase,
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn the_inverse_undoes_the_area(form in forms(), area in 0.0..1e6_f64) {
            let x = form.when(area).expect("the rate is above zero");
            let back = form.area(x);
            // A thousandth of a nanosecond, and what floats cannot tell apart.
            let slack = form.rate(x) * 2e-3 + area.max(1.0) * 1e-9;
            prop_assert!((back - area).abs() <= slack, "{area} gives {x}, which gives {back}");
        }

        #[test]
        fn the_area_is_the_integral_of_the_rate(form in forms(), x in 1e3..1e11_f64) {
            // Simpson's rule on many parts.
            const PARTS: usize = 2_000;
            let step = x / PARTS as f64;
            let at = |part: usize| form.rate(step * part as f64);
            let middle = |part: usize| form.rate(step * (part as f64 + 0.5));
            let sum: f64 =
                (0..PARTS).map(|part| at(part) + 4.0 * middle(part) + at(part + 1)).sum();
            let numeric = sum * step / 6.0;
            // So many turns are more than the parts can follow.
            let turns = match form {
                Form::Sine { period, .. } => x / period,
                Form::Decay { decay, .. } => x / decay,
                Form::Flat(_) | Form::Linear { .. } => 0.0,
            };
            prop_assume!(turns < 20.0);
            prop_assert!((numeric - form.area(x)).abs() <= 1e-5 * numeric.abs().max(1e-6));
        }
    }

    #[test]
    fn pieces_follow_each_other_and_a_gap_has_no_arrivals() {
        // Ten a second for 10 s, none for 10 s, then twenty a second.
        let curve = Curve::default()
            .then(0.0, Form::Flat(10.0 / SECOND))
            .then(10.0 * SECOND, Form::Flat(0.0))
            .then(20.0 * SECOND, Form::Flat(20.0 / SECOND));
        let when = |area| curve.when(area).map(|at| at / SECOND);
        assert_eq!(when(50.0), Some(5.0));
        assert_eq!(when(99.0), Some(9.9));
        assert_eq!(when(100.0), Some(20.0), "nothing comes in between");
        assert_eq!(when(120.0), Some(21.0));
        assert_eq!(curve.area(15.0 * SECOND), 100.0);
        assert_eq!(curve.rate(15.0 * SECOND), 0.0);
    }

    #[test]
    fn a_rate_that_dies_away_has_a_last_arrival() {
        let curve = Curve::default()
            .then(0.0, Form::Flat(1.0 / SECOND))
            .then(3.0 * SECOND, Form::Flat(0.0));
        assert_eq!(curve.when(2.5), Some(2.5 * SECOND));
        assert_eq!(curve.when(3.5), None);
        let decay = Form::Decay { base: 0.0, height: 10.0 / SECOND, decay: SECOND };
        let curve = Curve::default().then(0.0, decay);
        assert!(curve.when(9.99).is_some());
        assert_eq!(curve.when(10.0), None, "ten in all");
    }
}
