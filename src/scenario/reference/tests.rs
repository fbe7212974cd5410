//! Tests of the reference: what it says is whole, and what it shows can be read.

use super::*;
use crate::engine::{Bandwidth, Bytes, Dist, Factor, Rate, Ratio, Span, Time};
use crate::parts::{
    Backoff, Balance, Breaker, Budget, Bulkhead, BurstState, Delay, Fallback, Funding, Hedge,
    Limiter, Outliers, OwnZone, Pick, Policy, RateLimit, RequestClass, Resort, Session, SlowCalls,
    Subset, SuccessRate,
};
use crate::patterns::Spec;
use crate::scenario::source::Source;
use crate::scenario::{
    AccountRef, Expectation, Invariant, Phases, Prices, Value, Variation, load, names,
};
use crate::world::{DiskSpec, FaultSpec, MachineSpec, NetworkSpec};

/// Reads the text as a `T`.
fn reads<T: serde::de::DeserializeOwned>(text: &str) {
    let nodes = vec!["bank".to_owned(), "shop".to_owned()];
    let mut source = Source::new("example", text);
    source.attach("arrivals.csv", "time,key\n0,1\n0.5,2\n");
    let (value, _) = names::scope(nodes, source.files().clone(), || source.parse::<T>());
    assert!(value.is_ok(), "{text}: {:?}", value.err());
}

/// Reads an example as what it is one of. What has no type of its own here is put where it belongs.
fn check(entry: &Entry, text: &str) {
    let within = |before: &str, after: &str| format!("{before}{text}{after}");
    match (entry.topic, entry.of.as_str(), entry.name.as_str()) {
        (Topic::Pattern | Topic::Node, ..) => reads::<Spec>(text),
        (Topic::Fault, ..) | (_, _, "Fault") => reads::<FaultSpec>(text),
        (Topic::Invariant, ..) => reads::<Invariant>(text),
        (Topic::Distribution, ..) => reads::<Dist>(text),
        (_, "Targets", _) => {
            reads::<FaultSpec>(&within("(what: Partition(links: ", "), at: \"1s\")"));
        }
        (_, "Keys", _) => {
            reads::<Spec>(&within(
                "Client(target: \"shop\", operation: \"buy\", load: Poisson(rate: \"1/s\"), keys: ",
                ")",
            ));
        }
        (_, "Profile", _) => {
            reads::<Spec>(&within(
                "Client(target: \"shop\", operation: \"buy\", load: Poisson(rate: ",
                "))",
            ));
        }
        (_, _, "RequestClass") => reads::<RequestClass>(text),
        (_, _, "BurstState") => reads::<BurstState>(text),
        (_, _, "Session") => reads::<Session>(text),
        (_, "Load", _) => {
            reads::<Spec>(&within("Client(target: \"shop\", operation: \"buy\", load: ", ")"));
        }
        (Topic::Unit, _, name) => check_unit(name, text),
        (_, _, "Scenario") => {
            load(&Source::new("example", text)).expect("the example is a scenario");
        }
        (_, _, "Phases") => reads::<Phases>(text),
        (_, _, "Prices") => reads::<Prices>(text),
        (_, _, "Expectation") => reads::<Expectation>(text),
        (_, _, "AccountRef") => reads::<AccountRef>(text),
        (_, _, "Variation") => reads::<Variation>(text),
        (_, _, "Policy") => reads::<Policy>(text),
        (_, _, "Budget") => reads::<Budget>(text),
        (_, "Funding", _) => reads::<Funding>(text),
        (_, _, "RateLimit") => reads::<RateLimit>(text),
        (_, "Limiter", _) => reads::<Limiter>(text),
        (_, _, "Bulkhead") => reads::<Bulkhead>(text),
        (_, _, "SlowCalls") => reads::<SlowCalls>(text),
        (_, _, "Hedge") => reads::<Hedge>(text),
        (_, "Delay", _) => reads::<Delay>(text),
        (_, _, "Fallback") => reads::<Fallback>(text),
        (_, "Resort", _) => reads::<Resort>(text),
        (_, _, "Balance") => reads::<Balance>(text),
        (_, "Pick", _) => reads::<Pick>(text),
        (_, _, "OwnZone") => reads::<OwnZone>(text),
        (_, _, "Subset") => reads::<Subset>(text),
        (_, _, "Outliers") => reads::<Outliers>(text),
        (_, _, "SuccessRate") => reads::<SuccessRate>(text),
        (_, _, "Backoff") => reads::<Backoff>(text),
        (_, _, "Breaker") => reads::<Breaker>(text),
        (_, _, "Machine") => reads::<MachineSpec>(text),
        (_, _, "Disk") => reads::<DiskSpec>(text),
        (_, _, "Network") => reads::<NetworkSpec>(text),
        (_, _, "Zone") => reads::<NetworkSpec>(&within("(zones: [", "])")),
        (_, _, "Link") => reads::<NetworkSpec>(&within("(links: [", "])")),
        (_, _, "Operation") => reads::<Spec>(&within("Service(operations: {\"buy\": ", "})")),
        (_, _, "Call") => {
            reads::<Spec>(&within("Service(operations: {\"buy\": (calls: [", "])})"));
        }
        (_, _, "Transfer") => {
            reads::<Spec>(&within("Service(operations: {\"buy\": (transfer: ", ")})"));
        }
        (_, _, "Account") => reads::<Spec>(&within("Store(accounts: [", "])")),
        (_, of, name) => panic!("say here how the example of {of} {name} is read: {text}"),
    }
}

fn check_unit(name: &str, text: &str) {
    match name {
        "span" => reads::<Span>(text),
        "instant" => reads::<Time>(text),
        "share" => reads::<Ratio>(text),
        "factor" => reads::<Factor>(text),
        "rate" => reads::<Rate>(text),
        "size" => reads::<Bytes>(text),
        "bandwidth" => reads::<Bandwidth>(text),
        "value" => reads::<Value>(text),
        other => panic!("say here how a {other} is read"),
    }
}

#[test]
fn every_example_is_what_it_says() {
    for entry in entries() {
        if let Some(text) = &entry.example {
            check(&entry, text);
        }
    }
}

#[test]
fn every_example_belongs_to_an_entry() {
    let entries = entries();
    for (name, of, text) in examples::EXAMPLES {
        let found = entries.iter().find(|entry| entry.name == *name && entry.of == *of);
        let shown = found.and_then(|entry| entry.example.as_deref());
        assert!(shown.is_some(), "{name} is not in the reference: {text}");
    }
}

#[test]
fn every_topic_has_entries_and_every_entry_an_explanation() {
    let entries = entries();
    for entry in &entries {
        assert!(entry.says.ends_with(['.', ')', '`']), "{}: {:?}", entry.name, entry.says);
        let is_shown_elsewhere = matches!(entry.topic, Topic::Part | Topic::Choice);
        assert!(entry.example.is_some() || is_shown_elsewhere, "{} has no example", entry.name);
        let is_used = !entry.used_in.is_empty() || !entry.of.is_empty();
        let is_root = entry.type_name == ROOT || entry.topic <= Topic::Node;
        assert!(is_used || is_root, "{} is used nowhere", entry.name);
    }
    let of = |topic| entries.iter().filter(|entry| entry.topic == topic).count();
    assert_eq!(of(Topic::Pattern) + of(Topic::Node), CATALOGUE.len());
    assert_eq!(of(Topic::Distribution), crate::engine::dist::Shape::<Span>::LIST.len());
    for topic in [Topic::Fault, Topic::Invariant, Topic::Unit, Topic::Part, Topic::Choice] {
        assert!(of(topic) >= 5, "{topic:?}: {}", of(topic));
    }
}

#[test]
fn every_field_is_explained_and_every_optional_one_has_its_default() {
    let entries = entries();
    let mut missing = Vec::new();
    for entry in &entries {
        for field in entry.fields.iter().filter(|field| !field.name.is_empty()) {
            let place = format!("{}.{}", entry.name, field.name);
            if field.says.is_empty() {
                missing.push(format!("{place} is not explained"));
            }
            if field.is_optional && field.default.is_none() {
                missing.push(format!("{place} does not say its `Default:`"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_type_that_a_field_has_is_known() {
    let entries = entries();
    for entry in &entries {
        for field in &entry.fields {
            let rust = |word: &str| word.contains("::") || word.contains('<');
            assert!(!rust(&field.kind), "{}.{}: {}", entry.name, field.name, field.kind);
            for part in &field.parts {
                let is_known = entries.iter().any(|known| known.name == *part);
                assert!(is_known, "{}.{} leads to {part}", entry.name, field.name);
            }
        }
    }
}

#[test]
fn a_field_is_described_in_the_words_of_scenarios() {
    let entries = entries();
    let field = |name: &str, field: &str| {
        let entry =
            entries.iter().find(|entry| entry.name == name).expect("there is such an entry");
        entry
            .fields
            .iter()
            .find(|known| known.name == field)
            .expect("there is such a field")
            .clone()
    };
    let timeout = field("Policy", "timeout");
    assert_eq!(timeout.kind, "span such as \"5ms\"");
    assert_eq!(timeout.default.as_deref(), Some("without limit."));
    assert!(timeout.is_optional && timeout.parts.is_empty());
    let steps = field("Saga", "steps");
    assert_eq!((steps.kind.as_str(), steps.is_optional), ("list of Step", false));
    assert_eq!(steps.parts, ["Step"]);
    assert_eq!(field("Scenario", "nodes").kind, "map from names to nodes");
    assert_eq!(field("Zone", "nodes").kind, "list of nodes");
    assert_eq!(field("Machine", "discipline").kind, "Fifo or Lifo");
    assert_eq!(field("Fault", "for").kind, "span such as \"5ms\"");
    assert_eq!(field("Client", "value").kind, "(whole number, whole number)");
    let step = entries.iter().find(|entry| entry.name == "Step").expect("there is such an entry");
    assert_eq!(step.used_in, ["Saga.steps"]);
}
