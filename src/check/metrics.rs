//! The catalogue of metrics: what every run is measured by.
//!
//! Ids are stable: expectations and machine readers use them. Each axis of the trade-off has a file
//! of its own.

mod availability;
mod complexity;
mod consistency;
mod cost;
mod latency;
mod saturation;
mod throughput;

use super::outcome::{Axis, Better, Quantity};

/// A metric of the catalogue.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its id.
    pub id: &'static str,
    /// As reports call it.
    pub label: &'static str,
    /// Which side of the trade-off.
    pub axis: Axis,
    /// How to read it.
    pub quantity: Quantity,
    /// Which direction is better.
    pub better: Better,
    /// What it means, as a sentence.
    pub says: &'static str,
}

/// The side of the trade-off, how to read it, and which direction is better.
type Kind = (Axis, Quantity, Better);

const fn metric_of(
    id: &'static str,
    label: &'static str,
    (axis, quantity, better): Kind,
    says: &'static str,
) -> Metric {
    Metric { id, label, axis, quantity, better, says }
}

/// The metrics of each axis, in the order of reports.
const AXES: [&[Metric]; 7] = [
    latency::METRICS,
    throughput::METRICS,
    availability::METRICS,
    consistency::METRICS,
    cost::METRICS,
    complexity::METRICS,
    saturation::METRICS,
];

const COUNT: usize = {
    let (mut count, mut axis) = (0, 0);
    while axis < AXES.len() {
        count += AXES[axis].len();
        axis += 1;
    }
    count
};

/// Every metric, in the order of reports. Latency, throughput and the shares of failures are about
/// the requests that clients began after the warm-up, latency counting from their intended start;
/// what is given for each request is what the whole run took, over all of its requests.
pub const METRICS: &[Metric] = &{
    let mut all = [AXES[0][0]; COUNT];
    let (mut place, mut axis) = (0, 0);
    while axis < AXES.len() {
        let mut own = 0;
        while own < AXES[axis].len() {
            all[place] = AXES[axis][own];
            (place, own) = (place + 1, own + 1);
        }
        axis += 1;
    }
    all
};

/// The metric with this id; `latency.p99/buyers` is the metric `latency.p99` of one flow, and
/// `latency.p99/class:buy` that of one class.
pub fn metric(id: &str) -> Option<&'static Metric> {
    let stem = id.split('/').next().unwrap_or(id);
    METRICS.iter().find(|metric| metric.id == stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_axis() {
        for (place, metric) in METRICS.iter().enumerate() {
            let axis = format!("{:?}.", metric.axis).to_lowercase();
            assert!(metric.id.starts_with(&axis), "{}", metric.id);
            assert!(METRICS[..place].iter().all(|other| other.id != metric.id), "{}", metric.id);
            assert!(metric.says.ends_with('.'), "{}", metric.id);
        }
        assert_eq!(metric("latency.p99/buyers").map(|metric| metric.label), Some("p99"));
        assert_eq!(metric("latency.p98"), None);
    }
}
