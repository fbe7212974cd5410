//! `list`: names, each with the sentence that says what it is.

use super::args::Listing;
use super::guides::GUIDES;
use super::prose::rows;
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
const LOADS: [&str; 3] = ["Load", "Profile", "Keys"];

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
        Listing::Loads => {
            let chosen = entries.iter().filter(|entry| LOADS.contains(&entry.of.as_str()));
            let named: Vec<(String, &str)> = chosen
                .map(|entry| (format!("{} ({})", entry.name, entry.of), entry.brief()))
                .collect();
            rows(named.iter().map(|(name, says)| (name.as_str(), *says)), width)
        }
        Listing::Metrics => metrics(width),
        Listing::Topics => topics(&entries, width),
    }
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
