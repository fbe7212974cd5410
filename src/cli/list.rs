//! `list`: names, each with the sentence that says what it is.

use clap::ValueEnum;

use super::args::Listing;
use super::guides::GUIDES;
use super::prose::{rows, wrapped};
use stormglass::check::METRICS;
use stormglass::scenario::reference::{Entry, Topic, entries};

/// The topics of the reference, with their headings, in the order of the list of all of them.
const HEADINGS: &[(Topic, &str)] = &[
    (Topic::Pattern, "Patterns"),
    (Topic::Node, "Other nodes"),
    (Topic::Fault, "Faults"),
    (Topic::Distribution, "Distributions"),
    (Topic::Invariant, "Invariants"),
    (Topic::Measure, "Measures that a scenario defines"),
    (Topic::Fact, "Facts"),
    (Topic::Unit, "Units"),
    (Topic::Part, "Parts of a scenario"),
    (Topic::Choice, "Values of parts"),
];

/// What a client chooses from: when requests come, how often, and what they are about.
const LOADS: &[&str] = &["Load", "Profile", "Keys"];

/// What guards calls, from the outside to the inside, as a `Policy` applies it.
const CALLS: &[&str] = &[
    "Policy",
    "Fallback",
    "Resort",
    "RateLimit",
    "Limiter",
    "Bulkhead",
    "Breaker",
    "SlowCalls",
    "Window",
    "Failure",
    "Backoff",
    "Growth",
    "Jitter",
    "RetryBudget",
    "Funding",
    "Hedge",
    "Delay",
    "Balance",
    "Pick",
    "Knowledge",
    "OwnZone",
    "Subset",
    "SubsetBy",
    "Outliers",
    "SuccessRate",
    "Avoid",
];

/// What a server does with its work: a machine, and the caches in front of stores.
const SERVERS: &[&str] = &[
    "Machine",
    "Discipline",
    "Limit",
    "DelayControl",
    "Shedding",
    "Signal",
    "Threshold",
    "Memory",
    "Critical",
    "Cache",
    "Refresh",
    "Eviction",
];

/// What can be listed, and how to see it.
pub fn listings(width: usize) -> String {
    let values = Listing::value_variants().iter().filter_map(Listing::to_possible_value);
    let named = values.map(|value| {
        let says = value.get_help().map(ToString::to_string).unwrap_or_default();
        (value.get_name().to_owned(), says)
    });
    let named: Vec<(String, String)> = named.collect();
    let rows = rows(named.iter().map(|(name, says)| (name.as_str(), says.as_str())), width);
    let how = "`stormglass list faults` lists one of these, `stormglass list topics` all.";
    format!("{rows}\n{}\n", wrapped(how, 0, width))
}

/// Names and first sentences, aligned.
pub fn list(what: Listing, width: usize) -> String {
    let entries = entries();
    let of = |topics: &[Topic]| {
        let chosen = entries.iter().filter(|entry| topics.contains(&entry.topic));
        let named = chosen.map(|entry| (entry.name.as_str(), entry.brief()));
        rows(named.collect::<Vec<_>>().into_iter(), width)
    };
    match what {
        Listing::Patterns => of(&[Topic::Pattern]),
        Listing::Nodes => of(&[Topic::Pattern, Topic::Node]),
        Listing::Faults => of(&[Topic::Fault]),
        Listing::Distributions => of(&[Topic::Distribution]),
        Listing::Invariants => of(&[Topic::Invariant]),
        Listing::Measures => of(&[Topic::Measure]),
        Listing::Facts => of(&[Topic::Fact]),
        Listing::Units => of(&[Topic::Unit]),
        Listing::Loads => parts(&entries, LOADS, width),
        Listing::Calls => parts(&entries, CALLS, width),
        Listing::Servers => parts(&entries, SERVERS, width),
        Listing::Metrics => metrics(width),
        Listing::Topics => topics(&entries, width),
    }
}

/// The parts of these names, in their order; of a part that is one of several, these.
fn parts(entries: &[Entry], names: &[&str], width: usize) -> String {
    let mut named: Vec<(String, &str)> = Vec::new();
    for name in names {
        let is_itself = |entry: &&Entry| {
            let is_whole = matches!(entry.topic, Topic::Node | Topic::Part);
            is_whole && entry.name == *name && entry.choices.is_empty()
        };
        let itself = entries.iter().filter(is_itself);
        named.extend(itself.map(|entry| (entry.name.clone(), entry.brief())));
        let choices = entries.iter().filter(|entry| entry.of == *name);
        named.extend(choices.map(|entry| (format!("{} ({name})", entry.name), entry.brief())));
    }
    rows(named.iter().map(|(name, says)| (name.as_str(), *says)), width)
}

fn metrics(width: usize) -> String {
    rows(METRICS.iter().map(|metric| (metric.id, metric.says)), width)
}

fn topics(entries: &[Entry], width: usize) -> String {
    let mut text = String::new();
    for (topic, heading) in HEADINGS {
        let chosen = entries.iter().filter(|entry| entry.topic == *topic);
        let named: Vec<(String, &str)> = chosen
            .map(|entry| match topic {
                Topic::Choice => (format!("{} ({})", entry.name, entry.of), entry.brief()),
                _ => (entry.name.clone(), entry.brief()),
            })
            .collect();
        let named = named.iter().map(|(name, says)| (name.as_str(), *says));
        text += &format!("{heading}\n{}\n", rows(named, width));
    }
    text += &format!("Metrics\n{}\n", metrics(width));
    let guides = GUIDES.iter().map(|(name, says, _)| (*name, *says));
    text + "Commands\n" + &rows(guides, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a part, with those of its choices and theirs.
    fn within(entries: &[Entry], owner: &str) -> Vec<String> {
        let mut found = vec![owner.to_owned()];
        for place in 0.. {
            let Some(name) = found.get(place).cloned() else { break };
            let is_it = |entry: &&Entry| entry.topic == Topic::Part && entry.name == name;
            let whole = entries.iter().filter(is_it);
            let owners = whole.flat_map(|part| std::iter::once(part).chain(&part.choices));
            let parts = owners.flat_map(|one| &one.fields).flat_map(|field| field.parts.clone());
            for part in parts {
                // Distributions have a list of their own.
                if part != "Distribution" && !found.contains(&part) {
                    found.push(part);
                }
            }
        }
        found
    }

    #[test]
    fn whatever_a_policy_or_a_machine_can_have_is_listed() {
        let entries = entries();
        let listings = [(Listing::Calls, "Policy", CALLS), (Listing::Servers, "Machine", SERVERS)];
        for (what, owner, names) in listings {
            let parts = within(&entries, owner);
            assert!(parts.len() > 5, "{owner}: {parts:?}");
            for part in parts {
                assert!(names.contains(&part.as_str()), "{part} of {owner} is not listed");
            }
            let list = list(what, 200);
            for name in names {
                let is_about = |line: &str| {
                    line.split_whitespace().next() == Some(name)
                        || line.contains(&format!("({name})"))
                };
                assert!(list.lines().any(is_about), "nothing is said of {name}:\n{list}");
            }
        }
    }
}
