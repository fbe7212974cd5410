//! A confidence interval from one long run, by non-overlapping batch means.
//!
//! Successive observations of one run depend on each other, so their plain standard error is far
//! too small. Means of long enough batches are nearly independent, and then the t interval over the
//! batch means is right (Law, section 9.5.3). Too short batches show in the correlation of
//! neighbours, which is best seen on pieces finer than the batches themselves (Law and Carson,
//! 1979): each batch is looked at in four pieces.

use super::{Estimate, Summary};

/// The batch counts tried, finest first. More than about 30 batches narrow the interval by little
/// (Schmeiser, 1982), fewer than 8 widen it by much.
const BATCH_COUNTS: [usize; 3] = [32, 16, 8];
/// How many pieces of a batch the correlation is measured on.
const PIECES: usize = 4;
/// The correlation of neighbouring pieces below which the batches count as independent. If pieces
/// correlate by 0.3 and further ones hardly, batches of four of them correlate by about 0.05.
const CORRELATION_MAX: f64 = 0.3;

/// The mean of a stationary series, with an interval that allows for its correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchMeans {
    /// The mean over the batches, with its 95 % interval; `n` is the number of batches.
    pub estimate: Estimate,
    /// How many observations each batch holds.
    pub batch_size: usize,
    /// The correlation of neighbouring pieces of batches; none if there is no variation to measure.
    pub correlation: Option<f64>,
    /// False if the run is too short for its correlation: then the interval is too narrow.
    pub trusted: bool,
}

/// Estimates the mean of a stationary series (warm-up cut off); none of an empty one.
///
/// A remainder that fills no batch is dropped at the start, where a rest of warm-up would be.
pub fn batch_means(series: &[f64]) -> Option<BatchMeans> {
    for batches in BATCH_COUNTS {
        if series.len() < batches * PIECES {
            continue;
        }
        let correlation = lag_one_autocorrelation(&means(series, batches * PIECES));
        if correlation.is_none_or(|found| found <= CORRELATION_MAX) {
            return over(series, batches, correlation, true);
        }
    }
    let fewest = BATCH_COUNTS[BATCH_COUNTS.len() - 1].min(series.len());
    let pieces = (fewest * PIECES).min(series.len());
    let correlation =
        if pieces > 2 { lag_one_autocorrelation(&means(series, pieces)) } else { None };
    over(series, fewest, correlation, false)
}

/// The correlation of a series with itself one step later; none below three values or if they are
/// all the same.
pub fn lag_one_autocorrelation(series: &[f64]) -> Option<f64> {
    let summary = Summary::of(series);
    let centre = summary.mean()?;
    let total: f64 = series.iter().map(|value| (value - centre) * (value - centre)).sum();
    // A constant such as 0.1 has a mean that is off by a rounding; that is no variation.
    let all_equal = summary.min() == summary.max();
    if series.len() < 3 || all_equal || total == 0.0 {
        return None;
    }
    let steps = series.windows(2).map(|pair| (pair[0] - centre) * (pair[1] - centre));
    Some(steps.sum::<f64>() / total)
}

fn over(
    series: &[f64],
    batches: usize,
    correlation: Option<f64>,
    trusted: bool,
) -> Option<BatchMeans> {
    if series.is_empty() {
        return None;
    }
    let estimate = Estimate::of(&means(series, batches))?;
    Some(BatchMeans { estimate, batch_size: series.len() / batches, correlation, trusted })
}

/// The means of `count` pieces of equal size, the remainder dropped at the start.
fn means(series: &[f64], count: usize) -> Vec<f64> {
    let size = series.len() / count;
    let pieces = series[series.len() - size * count..].chunks_exact(size);
    pieces.map(|piece| Summary::of(piece).sum() / size as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    /// A first-order autoregressive series with mean 10, after its start is forgotten.
    fn autoregressive(rng: &mut Splitmix, length: usize, memory: f64) -> Vec<f64> {
        let mut level = 0.0;
        let series = (0..length + 200).map(|_| {
            level = memory * level + rng.unit() - 0.5;
            10.0 + level
        });
        series.skip(200).collect()
    }

    #[test]
    fn the_interval_covers_the_mean_of_a_correlated_series() {
        let mut rng = Splitmix(77);
        for memory in [0.0, 0.5, 0.8] {
            let (mut covered, mut trusted) = (0, 0);
            for _ in 0..300 {
                let found = batch_means(&autoregressive(&mut rng, 2000, memory)).unwrap();
                trusted += u32::from(found.trusted);
                covered += u32::from(!found.estimate.excludes(10.0));
            }
            assert!(covered >= 270, "covered {covered} of 300 with memory {memory}");
            assert!(trusted >= 290, "trusted {trusted} of 300 with memory {memory}");
        }
    }

    #[test]
    fn the_plain_interval_would_not_cover_it() {
        let mut rng = Splitmix(77);
        let covered = (0..100)
            .filter(|_| {
                let series = autoregressive(&mut rng, 1000, 0.8);
                !Estimate::of(&series).unwrap().excludes(10.0)
            })
            .count();
        assert!(covered < 70, "covered {covered} of 100");
    }

    #[test]
    fn a_run_too_short_for_its_memory_is_not_trusted() {
        let mut rng = Splitmix(12);
        let doubted = (0..40)
            .filter(|_| {
                let found = batch_means(&autoregressive(&mut rng, 300, 0.99)).unwrap();
                !found.trusted && found.correlation.unwrap() > CORRELATION_MAX
            })
            .count();
        assert!(doubted >= 38, "doubted {doubted} of 40");
    }

    #[test]
    fn short_series_get_the_widest_batches_they_can_and_no_trust() {
        assert_eq!(batch_means(&[]), None);
        let one = batch_means(&[4.0]).unwrap();
        assert_eq!((one.estimate.half_width, one.trusted), (None, false));
        let few = batch_means(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((few.estimate.n, few.batch_size, few.trusted), (5, 1, false));
    }

    #[test]
    fn a_constant_series_is_known_exactly() {
        let found = batch_means(&[0.1; 1000]).unwrap();
        assert_eq!((found.correlation, found.trusted, found.batch_size), (None, true, 31));
        assert_close(found.estimate.mean, 0.1, 1e-15);
        assert!(found.estimate.half_width.unwrap() < 1e-15);
    }

    #[test]
    fn the_remainder_is_dropped_at_the_start() {
        let mut series = vec![1e6; 3];
        series.extend([5.0; 128]);
        assert_eq!(batch_means(&series).unwrap().estimate.mean, 5.0);
    }

    #[test]
    fn the_correlation_is_that_of_the_definition() {
        // Deviations -1.5, -0.5, 0.5, 1.5: products 0.75, -0.25, 0.75 over a total of 5.
        assert_close(lag_one_autocorrelation(&[1.0, 2.0, 3.0, 4.0]).unwrap(), 0.25, 1e-15);
        assert_eq!(lag_one_autocorrelation(&[1.0, 2.0]), None);
    }
}
