//! Profiles: a rate that changes over time, as scenarios spell it.

use serde::{Deserialize, Deserializer};

use super::curve::{Curve, Form};
use crate::engine::spelt::{self, Spelt};
use crate::engine::{ParseError, Rate, Ratio, Span};
use crate::world::Dated;

/// How often requests come: always the same, or a profile over time.
#[derive(Clone, Debug)]
pub enum Intensity {
    /// Always the same.
    Even(Rate),
    /// It changes over time.
    Varying(Box<Profile>),
}

/// A rate that changes over time, which counts from the start of the run. Any process that has a
/// rate can follow one: arrivals of `Poisson` stay random, those of `Constant` stay evenly spaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Profile {
    /// From one rate to another on a straight line.
    ///
    /// Source: this simulator's own form of what load tests do, such as the ramping arrival rate of
    /// k6.
    ///
    /// ```ron
    /// Ramp(from: "10/s", to: "100/s", at: "10s", over: "60s")
    /// ```
    Ramp {
        /// The rate before.
        from: Level,
        /// The rate after.
        to: Level,
        /// When it begins to change. Default: at the start.
        #[serde(default)]
        at: Span,
        /// How long it takes, above zero.
        over: Span,
    },
    /// From one rate to another at once.
    ///
    /// Source: this simulator's own form of what load tests do, and of the step response of control
    /// theory.
    ///
    /// ```ron
    /// Step(from: "50/s", to: "200/s", at: "30s")
    /// ```
    Step {
        /// The rate before.
        from: Level,
        /// The rate after.
        to: Level,
        /// When it changes.
        at: Span,
    },
    /// Another rate for a while.
    ///
    /// Source: this simulator's own form of the spike test of load testing.
    ///
    /// ```ron
    /// Spike(base: "50/s", peak: "500/s", at: "30s", for: "5s")
    /// ```
    Spike {
        /// The rate before and after.
        base: Level,
        /// The rate in between.
        peak: Level,
        /// When it begins.
        at: Span,
        /// How long it lasts, above zero.
        #[serde(rename = "for")]
        lasts: Span,
    },
    /// Up and down as days and nights: mean · (1 + amplitude · sin(2π (t + phase) / period)).
    ///
    /// Source: S. G. Eick, W. A. Massey and W. Whitt, "M_t/G/∞ Queues with Sinusoidal Arrival
    /// Rates", Management Science 39(2), 1993.
    ///
    /// ```ron
    /// Diurnal(mean: "50/s", amplitude: "60 %", period: "24h", phase: "6h")
    /// ```
    Diurnal {
        /// The mean rate.
        mean: Rate,
        /// How far it swings from the mean, as a share of the mean.
        amplitude: Ratio,
        /// From one peak to the next; above zero.
        period: Span,
        /// How far into the period the run starts: a quarter of it is the peak. Default: 0.
        #[serde(default)]
        phase: Span,
    },
    /// A crowd that comes at once and dwindles: after the peak, what is above the base falls to
    /// 1/e = 37 % with every `decay`.
    ///
    /// Source: J. Jung, B. Krishnamurthy and M. Rabinovich, "Flash Crowds and Denial of Service
    /// Attacks", WWW 2002, for the term; the shape is this simulator's own.
    ///
    /// ```ron
    /// FlashCrowd(base: "50/s", peak: "1000/s", at: "30s", rise: "2s", decay: "20s")
    /// ```
    FlashCrowd {
        /// The rate before and long after.
        base: Level,
        /// The highest rate; above the base.
        peak: Level,
        /// When it begins to rise.
        at: Span,
        /// How long it rises, on a straight line. Default: not at all.
        #[serde(default)]
        rise: Span,
        /// The time constant of its fall, above zero.
        decay: Span,
    },
    /// Any rates at any instants. Before the first point the rate is that of the first, after the
    /// last that of the last.
    ///
    /// Source: the piecewise rates of nonstationary Poisson processes: A. M. Law, "Simulation
    /// Modeling and Analysis", chapter 6.
    ///
    /// ```ron
    /// Points(points: [("0s", "40/s"), ("25s", "80/s"), ("75s", "0/s")])
    /// ```
    Points {
        /// Instants and rates; the instants must rise.
        points: Vec<(Span, Level)>,
        /// What is between them. Default: `Lines`.
        #[serde(default)]
        between: Between,
    },
}

/// What a rate is between two points of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Between {
    /// It changes on a straight line.
    #[default]
    Lines,
    /// It stays as it was until the next point.
    Steps,
}

/// A rate that may be zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Level(Option<Rate>);

impl Level {
    /// Per nanosecond.
    pub(super) fn per_nano(self) -> f64 {
        self.0.map_or(0.0, |rate| 1.0 / rate.mean_gap_nanos())
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        let text = String::deserialize(deserializer)?;
        Rate::parse_or_zero(&text).map(Level).map_err(serde::de::Error::custom)
    }
}

impl Spelt for Intensity {
    type Named = Profile;
    const EXPECTED: &'static str = "a rate such as \"200/s\", or a profile such as Ramp(…)";

    fn of_text(text: &str) -> Result<Intensity, String> {
        const NAMES: [&str; 6] = ["Ramp", "Step", "Spike", "Diurnal", "FlashCrowd", "Points"];
        if NAMES.contains(&text) {
            return Err(format!("{text} needs its parameters in parentheses"));
        }
        text.parse().map(Intensity::Even).map_err(|error: ParseError| error.to_string())
    }

    fn of_named(profile: Profile) -> Result<Intensity, String> {
        match profile.problem() {
            Some(problem) => Err(problem),
            None => Ok(Intensity::Varying(Box::new(profile))),
        }
    }
}

impl<'de> Deserialize<'de> for Intensity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Intensity, D::Error> {
        spelt::deserialize(deserializer)
    }
}

impl Intensity {
    /// At which instants of the run it changes.
    pub(super) fn dated(&self) -> Vec<Dated> {
        let Intensity::Varying(profile) = self else { return Vec::new() };
        match &**profile {
            Profile::Ramp { at, .. }
            | Profile::Step { at, .. }
            | Profile::Spike { at, .. }
            | Profile::FlashCrowd { at, .. } => vec![Dated::of_load("at", *at)],
            Profile::Diurnal { .. } => Vec::new(),
            // On the way to a point the rate is what that point makes of it.
            Profile::Points { points, between } => {
                let ahead = usize::from(*between == Between::Lines);
                let changes = points.iter().enumerate().skip(1);
                let change = |(place, _)| {
                    let (from, _): (Span, Level) = points[place - ahead];
                    Dated::of_load(0, from).within(place).within("points")
                };
                changes.map(change).collect()
            }
        }
    }
}

impl Profile {
    /// The rate over time.
    pub(super) fn curve(&self) -> Curve {
        let nanos = |span: Span| span.0 as f64;
        let flat = |level: Level| Form::Flat(level.per_nano());
        match self {
            Profile::Ramp { from, to, at, over } => {
                let (start, end) = (nanos(*at), nanos(*at + *over));
                Curve::default()
                    .then(0.0, flat(*from))
                    .then(start, line(*from, *to, *over))
                    .then(end, flat(*to))
            }
            Profile::Step { from, to, at } => {
                Curve::default().then(0.0, flat(*from)).then(nanos(*at), flat(*to))
            }
            Profile::Spike { base, peak, at, lasts } => Curve::default()
                .then(0.0, flat(*base))
                .then(nanos(*at), flat(*peak))
                .then(nanos(*at + *lasts), flat(*base)),
            Profile::Diurnal { mean, amplitude, period, phase } => {
                let mean = 1.0 / mean.mean_gap_nanos();
                let (period, swing) = (nanos(*period), mean * amplitude.as_f64());
                let phase = 2.0 * std::f64::consts::PI * nanos(*phase) / period;
                Curve::default().then(0.0, Form::Sine { mean, swing, period, phase })
            }
            Profile::FlashCrowd { base, peak, at, rise, decay } => {
                let (low, high) = (base.per_nano(), peak.per_nano());
                let fall = Form::Decay { base: low, height: high - low, decay: nanos(*decay) };
                Curve::default()
                    .then(0.0, flat(*base))
                    .then(nanos(*at), line(*base, *peak, *rise))
                    .then(nanos(*at + *rise), fall)
            }
            Profile::Points { points, between } => {
                let first = points.first().map_or(Level(None), |(_, level)| *level);
                let mut curve = Curve::default().then(0.0, flat(first));
                for (place, (at, level)) in points.iter().enumerate() {
                    let form = match points.get(place + 1) {
                        Some((next, to)) if *between == Between::Lines => {
                            line(*level, *to, *next - *at)
                        }
                        _ => flat(*level),
                    };
                    curve = curve.then(nanos(*at), form);
                }
                curve
            }
        }
    }

    fn problem(&self) -> Option<String> {
        let positive =
            |name: &str, span: Span| span.is_zero().then(|| format!("`{name}` must be above zero"));
        match self {
            Profile::Ramp { over, .. } => positive("over", *over),
            Profile::Step { .. } => None,
            Profile::Spike { lasts, .. } => positive("for", *lasts),
            Profile::Diurnal { period, .. } => positive("period", *period),
            Profile::FlashCrowd { base, peak, decay, .. } => {
                let is_low = peak.per_nano() <= base.per_nano();
                let low = is_low.then(|| "the `peak` must be above the `base`".to_owned());
                low.or_else(|| positive("decay", *decay))
            }
            Profile::Points { points, .. } if points.is_empty() => {
                Some("a profile needs at least one point".to_owned())
            }
            Profile::Points { points, .. } => {
                let falls = points.windows(2).find(|pair| pair[1].0 <= pair[0].0)?;
                let (late, early) = (falls[1].0, falls[0].0);
                Some(format!("the instants of points must rise, but {late} comes after {early}"))
            }
        }
    }
}

/// A straight line from one rate to another.
fn line(from: Level, to: Level, over: Span) -> Form {
    let (rate, end) = (from.per_nano(), to.per_nano());
    if over.is_zero() {
        return Form::Flat(end);
    }
    Form::Linear { rate, slope: (end - rate) / over.0 as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intensity(text: &str) -> Result<Intensity, String> {
        let extensions = ron::extensions::Extensions::IMPLICIT_SOME;
        let options = ron::Options::default().with_default_extension(extensions);
        options.from_str(text).map_err(|error| error.code.to_string())
    }

    /// The rate of a profile in each of these seconds, a second.
    fn rates(text: &str, seconds: &[f64]) -> Vec<f64> {
        let Ok(Intensity::Varying(profile)) = intensity(text) else { panic!("{text}") };
        let curve = profile.curve();
        let rate = |at: &f64| (curve.rate(at * 1e9) * 1e9 * 1e6).round() / 1e6;
        seconds.iter().map(rate).collect()
    }

    #[test]
    fn every_profile_has_the_rates_that_it_says() {
        let ramp = "Ramp(from: \"10/s\", to: \"110/s\", at: \"10s\", over: \"100s\")";
        assert_eq!(rates(ramp, &[0.0, 10.0, 60.0, 110.0, 500.0]), [10.0, 10.0, 60.0, 110.0, 110.0]);
        let step = "Step(from: \"0/s\", to: \"5/s\", at: \"3s\")";
        assert_eq!(rates(step, &[2.9, 3.0]), [0.0, 5.0]);
        let spike = "Spike(base: \"1/s\", peak: \"9/s\", at: \"5s\", for: \"2s\")";
        assert_eq!(rates(spike, &[4.9, 5.0, 6.9, 7.0]), [1.0, 9.0, 9.0, 1.0]);
        let day = "Diurnal(mean: \"10/s\", amplitude: \"50 %\", period: \"24s\", phase: \"6s\")";
        assert_eq!(rates(day, &[0.0, 6.0, 12.0, 24.0]), [15.0, 10.0, 5.0, 15.0]);
        let crowd =
            "FlashCrowd(base: \"1/s\", peak: \"11/s\", at: \"1s\", rise: \"2s\", decay: \"10s\")";
        assert_eq!(rates(crowd, &[0.0, 2.0, 3.0, 13.0]), [1.0, 6.0, 11.0, 4.678794]);
        let points =
            "Points(points: [(\"1s\", \"40/s\"), (\"25s\", \"80/s\"), (\"75s\", \"0/s\")])";
        assert_eq!(rates(points, &[0.0, 13.0, 50.0, 75.0, 99.0]), [40.0, 60.0, 40.0, 0.0, 0.0]);
        let steps = points.replace("])", "], between: Steps)");
        assert_eq!(rates(&steps, &[0.0, 24.0, 25.0, 74.0, 75.0]), [40.0, 40.0, 80.0, 80.0, 0.0]);
    }

    #[test]
    fn a_rate_alone_is_even() {
        assert!(matches!(intensity("\"50/s\""), Ok(Intensity::Even(_))));
    }

    #[test]
    fn what_is_no_profile_is_refused_with_a_reason() {
        let refused = [
            ("\"50\"", "needs a period"),
            ("\"Ramp\"", "Ramp needs its parameters in parentheses"),
            ("Ramp(from: \"1/s\", to: \"2/s\", over: \"0s\")", "`over` must be above zero"),
            ("Ramp(from: \"1\", to: \"2/s\", over: \"1s\")", "needs a period"),
            ("Spike(base: \"1/s\", peak: \"2/s\", at: \"1s\", for: \"0s\")", "`for` must be above"),
            ("Diurnal(mean: \"0/s\", amplitude: 1, period: \"1s\")", "must be above zero"),
            ("Diurnal(mean: \"1/s\", amplitude: \"120 %\", period: \"1s\")", "above 1"),
            (
                "FlashCrowd(base: \"2/s\", peak: \"1/s\", at: \"0s\", decay: \"1s\")",
                "above the `base`",
            ),
            ("Points(points: [])", "at least one point"),
            ("Points(points: [(\"2s\", \"1/s\"), (\"1s\", \"1/s\")])", "must rise"),
        ];
        for (text, says) in refused {
            let error = intensity(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
