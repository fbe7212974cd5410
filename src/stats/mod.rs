//! Output analysis: what a set of simulated runs says, and how sure one may be of it.
//!
//! A mean from a simulation is a sample, so nothing in a report stands without its interval. The
//! methods are the textbook ones (Law, *Simulation Modeling and Analysis*, 5th ed., chapters 9 to
//! 11): independent replications, batch means when there is only one long run, differences paired
//! on common random numbers, and the bootstrap for quantiles, which do not average. Everything is
//! summed in a fixed order and uses the `libm` crate for transcendental functions, so a report has
//! the same bytes on every platform.

mod batch;
mod bootstrap;
mod estimate;
mod histogram;
mod paired;
mod proportion;
mod series;
mod student;
mod summary;
#[cfg(test)]
mod testing;
mod time_weighted;
mod warmup;

pub use batch::{BatchMeans, batch_means, lag_one_autocorrelation};
pub use bootstrap::{
    QuantileDifference, QuantileEstimate, bootstrap_quantile, bootstrap_quantile_difference,
};
pub use estimate::Estimate;
pub use histogram::{Bucket, Histogram, LONGEST_NS};
pub use paired::{Paired, holm, paired};
pub use proportion::{Proportion, rule_of_three};
pub use series::{Series, WINDOWS_MAX, Window};
pub use student::{normal_cdf, normal_quantile, student_t_cdf, student_t_quantile};
pub use summary::{Sum, Summary};
pub use time_weighted::TimeWeighted;
pub use warmup::{Warmup, mser5};

/// The coverage that every interval of this module aims at.
pub const CONFIDENCE: f64 = 0.95;

/// The probability below the upper end of a two-sided interval: half of what is left is above it.
const UPPER: f64 = 0.5 + CONFIDENCE / 2.0;
