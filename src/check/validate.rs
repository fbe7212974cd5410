//! Whether a scenario's expectations are about metrics that there are.

use super::measures::{Apart, apart};
use super::metrics::{METRICS, metric};
use super::outcome::Quantity;
use super::own;
use crate::engine::NodeId;
use crate::patterns::Spec;
use crate::scenario::diagnose::Problem;
use crate::scenario::spans::Spans;
use crate::scenario::{Expectation, MeasureSpec, Scenario, Value};

/// Every expectation whose metric does not exist, or whose bound is not of its kind, and every own
/// measure that asks for what there is not.
pub fn validate(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let mut problems = measures(scenario, spans);
    for (place, one) in scenario.expect.iter().enumerate() {
        problems.extend(problem(scenario, one, spans, &format!("expect.{place}")));
    }
    problems
}

fn at(spans: &Spans, path: &str) -> Problem {
    spans.around(path).map_or_else(|| Problem::new(""), Problem::at)
}

/// The ids of the catalogue.
fn ids() -> Vec<&'static str> {
    METRICS.iter().map(|metric| metric.id).collect()
}

/// What is wrong with the scenario's own measures.
fn measures(scenario: &Scenario, spans: &Spans) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (flows, addresses) = (flows(scenario), addresses(scenario));
    for (name, spec) in &scenario.measures {
        let path = format!("measures.{name}");
        if metric(name).is_some() {
            let title = format!("`{name}` is a metric of the catalogue");
            problems.push(at(spans, &path).title(title).label("call this otherwise"));
        }
        for (way, part) in spec.placed() {
            let at = |field: &str| at(spans, &format!("{path}{way}{field}"));
            problems.extend(match part {
                MeasureSpec::Latency { of: Some(of), .. }
                | MeasureSpec::Slower { of: Some(of), .. }
                | MeasureSpec::Requests { of: Some(of), .. }
                | MeasureSpec::InFlight { of: Some(of), .. } => (!flows.contains(of)).then(|| {
                    let title = format!("no client and no class is called `{of}`");
                    let known: Vec<&str> = flows.iter().map(String::as_str).collect();
                    at(".of").title(title).choose(of, &known, "they are")
                }),
                MeasureSpec::Metric(id) if metric(id).is_none() => {
                    let title = format!("no metric is called `{id}`");
                    Some(at(".0").title(title).choose(id, &ids(), "the metrics are"))
                }
                MeasureSpec::Metric(id) => faceted(scenario, id, &flows, at(".0")),
                MeasureSpec::Machine { node, .. } => machine(scenario, *node, at(".node")),
                MeasureSpec::PerSecond(one) if !own::is_count(one) => {
                    let title = "what is no count of what happened in the load has no rate";
                    Some(at(".0").title(title).label("such as `Requests(…)` or `Facts(…)`"))
                }
                MeasureSpec::Spread { address, .. } => {
                    let name = scenario.node(*address);
                    (!addresses.contains(&name)).then(|| {
                        let title = format!("`{name}` has no instances");
                        at(".address").title(title).label("this is about an address of several")
                    })
                }
                _ => part.watched().and_then(|node| machine(scenario, node, at(".node"))),
            });
        }
    }
    problems
}

/// What is wrong with asking for the machine of this node, at `place`.
fn machine(scenario: &Scenario, node: NodeId, place: Problem) -> Option<Problem> {
    let specs = scenario.variants.iter().filter_map(|variant| variant.nodes[node.index()].as_ref());
    let is_client = specs.into_iter().any(|spec| matches!(spec, Spec::Client(_)));
    is_client.then(|| {
        let title = format!("`{}` is a client and has no machine", scenario.node(node));
        place.title(title).label("a client's requests are measured by `Latency` and its like")
    })
}

/// What is wrong with asking for a metric of a part of the requests, or of one node, as in
/// `latency.p99/users`, at `place`.
fn faceted(scenario: &Scenario, id: &str, flows: &[String], place: Problem) -> Option<Problem> {
    let (stem, part) = id.split_once('/')?;
    let flows = flows.iter().map(String::as_str);
    let known: Vec<&str> = match apart(stem) {
        Apart::Addresses => addresses(scenario),
        Apart::Flows => flows.collect(),
        Apart::Classes => flows.filter(|name| name.starts_with("class:")).collect(),
        Apart::Nothing => {
            let title = format!("`{stem}` is measured for everything together");
            return Some(place.title(title).label(format!("this is `{stem}`")));
        }
    };
    if known.is_empty() {
        let none = if apart(stem) == Apart::Classes { "classes" } else { "instances" };
        let title = format!("`{stem}` is not measured for `{part}`: there are no {none}");
        return Some(place.title(title).label(format!("for everything it is `{stem}`")));
    }
    (!known.contains(&part)).then(|| {
        let title = format!("`{stem}` is not measured for `{part}`");
        place.title(title).choose(part, &known, "it is for")
    })
}

/// Whose requests can be told apart, in any variant: clients, and classes.
fn flows(scenario: &Scenario) -> Vec<String> {
    let mut names = Vec::new();
    for variant in &scenario.variants {
        let nodes = variant.nodes.iter().enumerate();
        let clients = nodes.filter(|(_, spec)| matches!(spec, Some(Spec::Client(_))));
        names.extend(clients.map(|(place, _)| scenario.names[place].clone()));
        let classes = variant.classes.iter();
        names.extend(
            classes.map(|class| format!("class:{}", scenario.lexicon.spelling(class.name))),
        );
    }
    names.sort();
    names.dedup();
    names
}

/// The addresses that stand for several nodes, in any variant.
fn addresses(scenario: &Scenario) -> Vec<&str> {
    let groups = scenario.variants.iter().flat_map(|variant| &variant.groups);
    groups.map(|group| scenario.node(group.address)).collect()
}

/// How values of a metric or of a measure of the scenario are to be read.
pub(crate) fn quantity(scenario: &Scenario, name: &str) -> Option<Quantity> {
    let own = scenario.measures.iter().find(|(known, _)| known == name);
    own.map(|(_, spec)| own::quantity(spec)).or_else(|| metric(name).map(|metric| metric.quantity))
}

fn problem(
    scenario: &Scenario,
    expected: &Expectation,
    spans: &Spans,
    path: &str,
) -> Option<Problem> {
    let name = &expected.metric;
    let Some(quantity) = quantity(scenario, name) else {
        let own = scenario.measures.iter().map(|(name, _)| name.as_str());
        let known: Vec<&str> = own.chain(ids()).collect();
        return Some(
            at(spans, &format!("{path}.metric"))
                .title(format!("no metric is called `{name}`"))
                .choose(name, &known, "the metrics are"),
        );
    };
    let own = scenario.measures.iter().find(|(own, _)| own == name).map(|(_, measure)| measure);
    if own.is_none() {
        let place = at(spans, &format!("{path}.metric"));
        let problem = faceted(scenario, name, &flows(scenario), place);
        if problem.is_some() {
            return problem;
        }
    }
    let bounds = [
        ("min", expected.min),
        ("max", expected.max),
        ("is", expected.is),
        ("margin", expected.margin),
    ];
    for (field, bound) in bounds {
        let subtracts = |part: &MeasureSpec| matches!(part, MeasureSpec::Difference(..));
        let is_of_difference =
            expected.versus.is_some() || own.is_some_and(|own| own.all().any(subtracts));
        if bound.is_some_and(|value| value.base() < 0.0) && !is_of_difference {
            let title = format!("`{name}` is never less than nothing");
            let help = "a difference between variants may be: say `versus` which";
            let place = at(spans, &format!("{path}.{field}"));
            return Some(place.title(title).label("a negative bound").help(help));
        }
        if let Some(value) = bound.filter(|value| !suits(quantity, *value)) {
            let wanted = match quantity {
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
        (Quantity::Share, Value::Number(number)) => (-1.0..=1.0).contains(&number),
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
        let nobody = complaint("metric: \"latency.p99/user\", max: \"1s\"");
        assert!(nobody.contains("did you mean `users`?"), "{nobody}");
        let whole = complaint("metric: \"latency.queued_p99/users\", max: \"1s\"");
        assert!(whole.contains("measured for everything together"), "{whole}");
        let classless = complaint("metric: \"throughput.goodput/users\", min: \"1/s\"");
        assert!(classless.contains("there are no classes"), "{classless}");
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
