//! Tests of the reference: what it says is whole, and what it shows can be read.

use super::*;
use crate::engine::{Bandwidth, Bytes, Dist, Factor, Rate, Ratio, Shift, Span, Time};
use crate::parts::{
    Backoff, Balance, Breaker, Bulkhead, BurstState, Delay, Fallback, Funding, Hedge, Limiter,
    LogTopic, OffsetsTopic, Outliers, OwnZone, Pick, Policy, RateLimit, RequestClass, Resort,
    Retention, RetryBudget, Session, SlowCalls, Subset, SuccessRate,
};
use crate::patterns::Spec;
use crate::scenario::source::Source;
use crate::scenario::{
    AccountRef, Case, Expectation, Invariant, MeasureSpec, Phases, Prices, Stat, Swarm, Value,
    Variation, load, names,
};
use crate::world::{
    Autoscaler, Budget, ClockSpec, ClocksSpec, DiskSpec, FaultSpec, HealthCheck, MachineSpec,
    NetworkSpec, Trigger, WarmUp,
};

/// Reads the text as a `T`.
fn reads<T: serde::de::DeserializeOwned>(text: &str) {
    let nodes =
        ["bank", "controller", "kafka", "mint", "post", "shop", "till"].map(str::to_owned).to_vec();
    let mut source = Source::new("example", text);
    source.attach(
        "arrivals.csv",
        "time,key
0,1
0.5,2
",
    );
    let (value, _) = names::scope(nodes, source.files().clone(), || source.parse::<T>());
    assert!(value.is_ok(), "{text}: {:?}", value.err());
}

/// Reads the text as a setting of a member of a consumer group.
fn group_member(setting: &str) {
    let reads_topic = "from: \"kafka\", group: \"g\", topics: [\"t\"]";
    let text = format!("GroupConsumer({reads_topic}, to: \"shop\", operation: \"o\", {setting})");
    reads::<Spec>(&text);
}

/// Reads an example as what it is one of. What has no type of its own here is put where it belongs.
#[expect(clippy::too_many_lines, reason = "a table, one row for each kind of entry")]
fn check(entry: &Entry, text: &str) {
    let within = |before: &str, after: &str| format!("{before}{text}{after}");
    match (entry.topic, entry.of.as_str(), entry.name.as_str()) {
        (Topic::Pattern | Topic::Node, ..) => reads::<Spec>(text),
        (Topic::Fault, ..) | (_, _, "Fault") => reads::<FaultSpec>(text),
        (Topic::Invariant, ..) => reads::<Invariant>(text),
        (Topic::Measure, ..) | (_, _, "Measure") => reads::<MeasureSpec>(text),
        (_, "Stat", _) => reads::<Stat>(text),
        (_, _, "Case") => reads::<Case>(text),
        (Topic::Distribution, ..) => reads::<Dist>(text),
        (_, "Targets", _) => {
            reads::<FaultSpec>(&within("(what: Partition(links: ", "), at: \"1s\")"));
        }
        (_, "Keys", _) | (_, _, "Keys") => {
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
        (Topic::Fact, ..) | (_, _, "Trigger") => reads::<Trigger>(text),
        (Topic::Unit, _, name) => check_unit(name, text),
        (_, _, "Scenario") => {
            load(&Source::new("example", text)).expect("the example is a scenario");
        }
        (_, _, "Swarm") => reads::<Swarm>(text),
        (_, _, "Phases") => reads::<Phases>(text),
        (_, _, "Prices") => reads::<Prices>(text),
        (_, _, "Expectation") => reads::<Expectation>(text),
        (_, _, "AccountRef") => reads::<AccountRef>(text),
        (_, _, "Variation") => reads::<Variation>(text),
        (_, _, "Policy") => reads::<Policy>(text),
        (_, _, "Backoff") => reads::<Backoff>(text),
        (_, _, "Breaker") => reads::<Breaker>(text),
        (_, _, "Machine") => reads::<MachineSpec>(text),
        (_, _, "Disk") => reads::<DiskSpec>(text),
        (_, _, "Network") => reads::<NetworkSpec>(text),
        (_, of, part) if NETWORK.iter().any(|one| *one == of || *one == part) => {
            network(if of.is_empty() { part } else { of }, text);
        }
        (_, _, "WarmUp") => reads::<WarmUp>(text),
        (_, _, "HealthCheck") => reads::<HealthCheck>(text),
        (_, _, "Autoscaler") => reads::<Autoscaler>(text),
        (_, _, "Operation") => reads::<Spec>(&within("Service(operations: {\"buy\": ", "})")),
        (_, _, "Call") => operation(&within("calls: [", "]")),
        (_, _, "Transfer") => operation(&within("transfer: ", "")),
        (_, _, "Publishes") => operation(&within("publishes: ", "")),
        (_, "PublishBy", _) => operation(&within("publishes: (event: \"placed\", by: ", ")")),
        (_, _, "Leader") => {
            reads::<Spec>(&within("Outbox(store: \"bank\", to: \"post\", leader: ", ")"));
        }
        (_, "Discipline", _) => reads::<MachineSpec>(&within("(discipline: ", ")")),
        (_, "DelayControl", _) => reads::<MachineSpec>(&within("(delay_control: ", ")")),
        (_, "Limit", _) => reads::<MachineSpec>(&within("(limit: ", ")")),
        (_, _, "Shedding") => reads::<MachineSpec>(&within("(shedding: ", ")")),
        (_, _, "Memory") => reads::<MachineSpec>(&within("(memory: ", ")")),
        (_, "Signal", _) => {
            reads::<MachineSpec>(&within("(shedding: (thresholds: [], by: ", "))"));
        }
        (_, _, "Critical") => {
            reads::<Spec>(&within("Service(operations: {\"buy\": (critical: ", ")})"));
        }
        (_, _, "Reads") => {
            reads::<Spec>(&within("Service(operations: {\"buy\": (reads: [", "])})"));
        }
        (_, "Refresh", _) => reads::<Spec>(&within("Cache(store: \"bank\", refresh: ", ")")),
        (_, _, "Rows") => reads::<Spec>(&within("Store(tables: [", "])")),
        (_, _, "MessageQueue") => reads::<Spec>(&within("Broker(queues: {\"mail\": ", "})")),
        (_, _, "Receiver") => {
            reads::<Spec>(&within("Broker(queues: {\"mail\": (consumers: [", "])})"));
        }
        (_, "Order", _) => {
            reads::<Spec>(&within("Broker(queues: {\"mail\": (order: ", ")})"));
        }
        (_, _, "DeadLetters") => {
            reads::<Spec>(&within("Broker(queues: {\"mail\": (dead: ", ")})"));
        }
        (_, _, "Seek") => group_member(&within("seek: [", "]")),
        (_, _, "Failures") => group_member(&within("failures: ", "")),
        (_, _, "Topic") => reads::<Spec>(&within("Broker(topics: {\"orders\": ", "})")),
        (_, _, "Subscription") => {
            reads::<Spec>(&within("Broker(subscriptions: {\"mail\": ", "})"));
        }
        (_, _, "Filter") => {
            let before = "Broker(subscriptions: {\"mail\": (topics: \"orders\", filter: ";
            reads::<Spec>(&within(before, ")})"));
        }
        (_, "Objects", _) | (_, _, "Objects") => {
            let before = "Broker(subscriptions: {\"mail\": (topics: \"a\", filter: (keys: ";
            reads::<Spec>(&within(before, "))})"));
        }
        (_, _, "Budget") => reads::<Budget>(text),
        (_, _, "Clocks") => reads::<ClocksSpec>(text),
        (_, _, "Clock") => reads::<ClockSpec>(text),
        (_, _, "Account") => reads::<Spec>(&within("Store(accounts: [", "])")),
        (_, of, name) if guards(of, name, text) || is_of_log(name, text) => {}
        (_, of, name) => panic!("say here how the example of {of} {name} is read: {text}"),
    }
}

/// Reads an example of what a topic of a log broker is made of, if it is one.
fn is_of_log(name: &str, text: &str) -> bool {
    match name {
        "LogTopic" => reads::<LogTopic>(text),
        "Retention" => reads::<Retention>(text),
        "OffsetsTopic" => reads::<OffsetsTopic>(text),
        _ => return false,
    }
    true
}

/// Reads an example of what guards a call, if it is one.
fn guards(of: &str, name: &str, text: &str) -> bool {
    match (of, name) {
        (_, "RetryBudget") => reads::<RetryBudget>(text),
        ("Funding", _) => reads::<Funding>(text),
        (_, "RateLimit") => reads::<RateLimit>(text),
        ("Limiter", _) => reads::<Limiter>(text),
        (_, "Bulkhead") => reads::<Bulkhead>(text),
        (_, "SlowCalls") => reads::<SlowCalls>(text),
        (_, "Hedge") => reads::<Hedge>(text),
        ("Delay", _) => reads::<Delay>(text),
        (_, "Fallback") => reads::<Fallback>(text),
        ("Resort", _) => reads::<Resort>(text),
        (_, "Balance") => reads::<Balance>(text),
        ("Pick", _) => reads::<Pick>(text),
        (_, "OwnZone") => reads::<OwnZone>(text),
        (_, "Subset") => reads::<Subset>(text),
        (_, "Outliers") => reads::<Outliers>(text),
        (_, "SuccessRate") => reads::<SuccessRate>(text),
        _ => return false,
    }
    true
}

/// Reads an operation with these fields.
fn operation(fields: &str) {
    reads::<Spec>(&format!("Service(operations: {{\"buy\": ({fields})}})"));
}

/// The parts of a network.
const NETWORK: &[&str] = &[
    "Zone",
    "Host",
    "Link",
    "ZoneLink",
    "Card",
    "Bursts",
    "Reordering",
    "Queue",
    "DropPolicy",
    "Names",
];

/// Reads an example of a part of a network.
fn network(part: &str, text: &str) {
    let (before, after) = match part {
        "Zone" => ("(zones: [", "])"),
        "Host" => ("(hosts: [", "])"),
        "Link" => ("(links: [", "])"),
        "ZoneLink" => ("(zone_links: [", "])"),
        "Card" => ("(cards: [", "])"),
        "Bursts" => ("(bursts: ", ")"),
        "Reordering" => ("(reordering: ", ")"),
        "Queue" => ("(queue: ", ")"),
        "DropPolicy" => ("(queue: (policy: ", "))"),
        _ => ("(names: ", ")"),
    };
    reads::<NetworkSpec>(&format!("{before}{text}{after}"));
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
        "shift" => reads::<Shift>(text),
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

/// What has choices of which each says where it comes from.
const SOURCED: &[&str] = &[
    "Load",
    "Profile",
    "Keys",
    "Discipline",
    "DelayControl",
    "Limit",
    "Signal",
    "Refresh",
    "Eviction",
    "Limiter",
    "Growth",
    "Jitter",
    "Funding",
    "Delay",
    "Window",
    "Resort",
    "Pick",
    "Knowledge",
    "SubsetBy",
    "Avoid",
];

/// Parts that say themselves where they come from.
const SOURCED_PARTS: &[&str] =
    &["Breaker", "SlowCalls", "Bulkhead", "Hedge", "Fallback", "Backoff", "Shedding", "Memory"];

/// Does the entry say where it comes from?
fn is_sourced(entry: &Entry) -> bool {
    match entry.topic {
        Topic::Fault | Topic::Distribution | Topic::Invariant => true,
        Topic::Choice => SOURCED.contains(&entry.of.as_str()),
        Topic::Part => SOURCED_PARTS.contains(&entry.name.as_str()),
        _ => false,
    }
}

#[test]
fn what_must_have_a_source_is_in_the_reference() {
    let entries = entries();
    for owner in SOURCED {
        assert!(entries.iter().any(|entry| entry.of == *owner), "{owner} has no choices");
    }
    for part in SOURCED_PARTS {
        let is_it = |entry: &Entry| entry.topic == Topic::Part && entry.name == *part;
        assert!(entries.iter().any(is_it), "{part} is no part");
    }
}

#[test]
fn every_topic_has_entries_and_every_entry_an_explanation() {
    let entries = entries();
    for entry in &entries {
        assert!(entry.says.ends_with(['.', ')', '`']), "{}: {:?}", entry.name, entry.says);
        let is_shown_elsewhere = matches!(entry.topic, Topic::Part | Topic::Choice);
        assert!(entry.example.is_some() || is_shown_elsewhere, "{} has no example", entry.name);
        assert!(entry.source.is_some() || !is_sourced(entry), "{} has no `Source:`", entry.name);
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
fn every_fact_that_is_noted_is_in_the_reference() {
    let known = facts();
    let of_nodes = CATALOGUE.iter().flat_map(|kind| kind.facts);
    let others = crate::world::facts::NAMES.iter().chain(&crate::parts::policy_facts::NAMES);
    for name in of_nodes.chain(others) {
        assert!(known.iter().any(|fact| fact.name == *name), "`{name}` has no `pub const`");
        assert!(!name.contains(' '), "`{name}` cannot be typed as one word");
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
    assert_eq!(field("Operation", "mode").kind, "Sequential or Parallel");
    assert_eq!(field("Fault", "for").kind, "distribution");
    assert_eq!(field("Fault", "every").kind, "span such as \"5ms\"");
    assert_eq!(field("Client", "value").kind, "(whole number, whole number)");
    let step = entries.iter().find(|entry| entry.name == "Step").expect("there is such an entry");
    assert_eq!(step.used_in, ["Saga.steps"]);
}
