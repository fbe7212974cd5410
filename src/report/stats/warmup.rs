//! Where the warm-up of a run ends, suggested by the MSER-5 rule.
//!
//! A simulation starts empty, so its first observations are too good. MSER (White, 1997) cuts where
//! the standard error of what remains is smallest: cutting bias lowers it, cutting good data raises
//! it. Means of five observations steady the rule. It is a suggestion only: a warm-up stated in the
//! scenario wins.

/// Observations per batch, the 5 of MSER-5.
const BATCH: usize = 5;

/// A suggested end of the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmup {
    /// How many observations to cut off at the start.
    pub observations: usize,
    /// False if the best cut is the last one allowed, half of the series: then the run has hardly
    /// settled at all and should be longer.
    pub settled: bool,
}

/// Suggests how much of a series to cut off (White, Cobb and Spratt, 2000). Below ten observations
/// there is nothing to judge: no cut, and not settled.
pub fn mser5(series: &[f64]) -> Warmup {
    let means: Vec<f64> =
        series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    if means.len() < 2 {
        return Warmup { observations: 0, settled: false };
    }
    let last_cut = means.len() / 2;
    let (mut best, mut best_cut) = (f64::INFINITY, last_cut);
    let (mut centre, mut squares) = (0.0, 0.0);
    // From the end, so that one pass of Welford's recurrence gives the variance behind every cut.
    for (cut, mean) in means.iter().enumerate().rev() {
        let kept = (means.len() - cut) as f64;
        let before = mean - centre;
        centre += before / kept;
        squares += before * (mean - centre);
        // An equal score keeps more of the data.
        if cut <= last_cut && squares / (kept * kept) <= best {
            best = squares / (kept * kept);
            best_cut = cut;
        }
    }
    Warmup { observations: best_cut * BATCH, settled: best_cut < last_cut }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Splitmix;
    use super::*;

    #[test]
    fn a_step_is_cut_exactly_where_it_ends() {
        let series: Vec<f64> =
            (0..500).map(|i| f64::from(i % 5) + if i < 60 { 0.0 } else { 100.0 }).collect();
        assert_eq!(mser5(&series), Warmup { observations: 60, settled: true });
        let mut rng = Splitmix(1);
        let noisy: Vec<f64> = series.iter().map(|value| value + rng.normal()).collect();
        assert!((60..=120).contains(&mser5(&noisy).observations));
    }

    #[test]
    fn a_slow_approach_is_cut_after_most_of_it() {
        let mut rng = Splitmix(2);
        for _ in 0..20 {
            let series: Vec<f64> = (0..2000)
                .map(|i| 50.0 * (1.0 - libm::exp(-f64::from(i) / 50.0)) + rng.normal())
                .collect();
            let warmup = mser5(&series);
            assert!(warmup.settled && (100..700).contains(&warmup.observations), "{warmup:?}");
        }
    }

    #[test]
    fn a_steady_series_keeps_nearly_everything() {
        let mut rng = Splitmix(3);
        let mut kept = 0;
        for _ in 0..20 {
            let series: Vec<f64> = (0..1000).map(|_| rng.normal()).collect();
            kept += 1000 - mser5(&series).observations;
        }
        assert!(kept > 20 * 750, "kept {kept} of 20000");
        assert_eq!(mser5(&[7.0; 100]), Warmup { observations: 0, settled: true });
    }

    #[test]
    fn a_series_that_never_settles_says_so() {
        let series: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(mser5(&series), Warmup { observations: 500, settled: false });
        assert_eq!(mser5(&[1.0; 9]), Warmup { observations: 0, settled: false });
    }
}
