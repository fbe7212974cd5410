//! Whether a scenario's expectations are about metrics that there are.

use super::metrics::{METRICS, metric};
use super::outcome::Quantity;
use crate::scenario::diagnose::Problem;
use crate::scenario::spans::Spans;
use crate::scenario::{Expectation, Scenario, Value};

/// Every expectation whose metric does not exist, or whose bound is not of its kind.
pub fn validate(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let numbered = scenario.expect.iter().enumerate();
    numbered.filter_map(|(place, one)| problem(one, spans, &format!("expect.{place}"))).collect()
}

fn at(spans: &Spans, path: &str) -> Problem {
    spans.get(path).map_or_else(|| Problem::new(""), Problem::at)
}

fn problem(expected: &Expectation, spans: &Spans, path: &str) -> Option<Problem> {
    let name = &expected.metric;
    let Some(metric) = metric(name) else {
        let known: Vec<&str> = METRICS.iter().map(|metric| metric.id).collect();
        return Some(
            at(spans, &format!("{path}.metric"))
                .title(format!("no metric is called `{name}`"))
                .choose(name, &known, "the metrics are"),
        );
    };
    for (field, bound) in [("min", expected.min), ("max", expected.max)] {
        if let Some(value) = bound.filter(|value| !suits(metric.quantity, *value)) {
            let wanted = match metric.quantity {
                Quantity::Time => "a time span such as \"250ms\"",
                Quantity::Share => "a share such as \"99 %\"",
                Quantity::Rate => "a rate such as \"200/s\"",
                Quantity::Count | Quantity::Bytes | Quantity::Money => "a number",
            };
            return Some(
                at(spans, &format!("{path}.{field}"))
                    .title(format!("`{name}` is not measured in this"))
                    .label(format!("this is {}, it wants {wanted}", kind(value))),
            );
        }
    }
    None
}

fn kind(value: Value) -> &'static str {
    match value {
        Value::Time(_) => "a time span",
        Value::Share(_) => "a share",
        Value::Rate(_) => "a rate",
        Value::Number(_) => "a number",
    }
}

/// Zero is zero in every unit.
fn suits(quantity: Quantity, value: Value) -> bool {
    match (quantity, value) {
        (_, value) if value.base() == 0.0 => true,
        (Quantity::Time, Value::Time(_)) | (Quantity::Rate, Value::Rate(_)) => true,
        (Quantity::Share, Value::Share(_)) => true,
        (Quantity::Share, Value::Number(number)) => (0.0..=1.0).contains(&number),
        (Quantity::Count | Quantity::Bytes | Quantity::Money, Value::Number(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnose::render;
    use crate::scenario::load;
    use crate::scenario::source::{MINIMAL_SCENARIO, Source};

    fn complaint(expectation: &str) -> String {
        let text =
            MINIMAL_SCENARIO.replace("run:", &format!("expect: [({expectation})],\n    run:"));
        let source = Source::new("one.ron", text);
        let problems = validate(&load(&source).unwrap(), &source.spans());
        render(&problems, Some(&source), false)
    }

    #[test]
    fn a_metric_that_does_not_exist_or_is_measured_otherwise_is_refused() {
        let unknown = complaint("metric: \"latency.p98\", max: \"1s\"");
        assert!(unknown.contains("did you mean `latency.p"), "{unknown}");
        assert!(unknown.contains("one.ron:"), "{unknown}");
        let wrong = complaint("metric: \"latency.p99\", max: \"3 %\"");
        assert!(wrong.contains("this is a share, it wants a time span"), "{wrong}");
        assert!(complaint("metric: \"latency.p99\", max: 12").contains("this is a number"));
    }

    #[test]
    fn bounds_of_the_right_kind_are_taken() {
        for fine in [
            "metric: \"latency.p99/users\", max: \"1s\"",
            "metric: \"availability.success\", min: \"99 %\"",
            "metric: \"availability.success\", min: 0.99",
            "metric: \"throughput.goodput\", min: \"10/s\"",
            "metric: \"consistency.parked\", max: 0",
            "metric: \"availability.longest_outage\", max: 0",
        ] {
            let problems = complaint(fine);
            assert!(!problems.contains("error"), "{fine}: {problems}");
        }
    }
}
