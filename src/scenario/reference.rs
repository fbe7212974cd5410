//! The reference: what scenarios can say, read from the very source that reads scenarios.
//!
//! The doc comments of the types are the reference. The source files are part of the binary, and an
//! entry is read out of them when somebody asks, so it cannot differ from the code beside it.

use crate::patterns::CATALOGUE;

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Topic {
    /// A pattern: a node with a mechanism that has a name.
    Pattern,
    /// Another kind of node.
    Node,
    /// A fault.
    Fault,
    /// A distribution of time spans.
    Distribution,
    /// An invariant.
    Invariant,
    /// A part of the others, or of the file.
    Part,
}

/// One thing that a scenario can say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// As scenarios spell it.
    pub name: String,
    /// What it is about.
    pub topic: Topic,
    /// What it means: paragraphs, the first sentence first.
    pub says: String,
    /// What it is made of.
    pub fields: Vec<Field>,
    /// If one of several is to be chosen: which.
    pub choices: Vec<Entry>,
    /// How it is written, if an example helps.
    pub example: Option<&'static str>,
}

/// A field of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// As scenarios spell it; empty for a value without a name.
    pub name: String,
    /// What kind of value, in words.
    pub kind: String,
    /// What it means, and its default.
    pub says: String,
    /// May it be left out?
    pub is_optional: bool,
}

impl Entry {
    /// Its first sentence.
    pub fn brief(&self) -> &str {
        let end = self.says.find(". ").or_else(|| self.says.find(".\n"));
        end.map_or(&self.says, |end| &self.says[..=end])
    }
}

/// A file that declares parts of scenarios, besides those of the nodes.
const FILES: &[&str] = &[
    include_str!("load.rs"),
    include_str!("mod.rs"),
    include_str!("../parts/policy.rs"),
    include_str!("../world/machine.rs"),
    include_str!("../world/disk.rs"),
    include_str!("../world/network.rs"),
    include_str!("../world/fault.rs"),
];

/// Enums whose every variant is an entry of its own: the type, the topic, the file.
const FAMILIES: &[(&str, Topic, &str)] = &[
    ("Injection", Topic::Fault, include_str!("../world/fault.rs")),
    ("Invariant", Topic::Invariant, include_str!("mod.rs")),
    ("Shape", Topic::Distribution, include_str!("../engine/dist/shape.rs")),
];

/// Everything that a scenario can say, by topic and then in the order of the source.
pub fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for kind in CATALOGUE {
        let topic = if kind.is_pattern { Topic::Pattern } else { Topic::Node };
        if let Some(mut entry) = read(kind.source, kind.name, topic, kind.name) {
            entry.says = module(kind.source);
            entries.push(entry);
        }
    }
    for (type_name, topic, source) in FAMILIES {
        entries.extend(read(source, type_name, *topic, "").into_iter().flat_map(|all| all.choices));
    }
    for source in CATALOGUE.iter().map(|kind| kind.source).chain(FILES.iter().copied()) {
        for type_name in declared(source) {
            let is_known = CATALOGUE.iter().any(|kind| kind.name == type_name)
                || FAMILIES.iter().any(|family| family.0 == type_name);
            if !is_known {
                let name = if type_name == "Draft" { "Scenario" } else { type_name };
                entries.extend(read(source, type_name, Topic::Part, name));
            }
        }
    }
    for entry in &mut entries {
        let known =
            EXAMPLES.iter().find(|(name, topic, _)| *name == entry.name && *topic == entry.topic);
        entry.example = known.map(|(_, _, text)| *text);
    }
    entries.sort_by_key(|entry| entry.topic);
    entries
}

/// The types of a file that are read from scenarios.
fn declared(source: &str) -> Vec<&str> {
    let mut types = Vec::new();
    let mut is_read = false;
    for line in source.lines().take_while(|line| *line != "#[cfg(test)]") {
        if line.starts_with("#[derive(") {
            is_read = line.contains("Deserialize");
        } else if line.starts_with("#[serde(transparent") {
            is_read = false;
        }
        let head = line.trim_start_matches("pub ");
        let named = head.strip_prefix("struct ").or_else(|| head.strip_prefix("enum "));
        if let Some(name) = named.and_then(|rest| rest.strip_suffix(" {")) {
            // What is read first, for its names only, is no part of the language.
            if is_read && !matches!(name, "Outline" | "Sketch") {
                types.push(name);
            }
            is_read = false;
        }
    }
    types
}

/// The documentation of a source file as a whole, without its heading.
fn module(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//!"));
    let text: Vec<&str> = lines.map(|line| line[3..].trim()).collect();
    paragraphs(text.into_iter().filter(|line| !line.starts_with('#')))
}

/// Joins the lines of a doc comment to paragraphs.
fn paragraphs<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let mut text = String::new();
    for line in lines {
        match line {
            "" if text.is_empty() || text.ends_with("\n\n") => {}
            "" => text.push_str("\n\n"),
            _ => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push(' ');
                }
                text.push_str(line);
            }
        }
    }
    text.trim_end().to_owned()
}

/// What stands before an item: its documentation and its attributes.
#[derive(Default)]
struct Preface<'s> {
    docs: Vec<&'s str>,
    attributes: String,
}

impl<'s> Preface<'s> {
    /// Takes in a line if it belongs to a preface.
    fn takes(&mut self, line: &'s str) -> bool {
        if let Some(doc) = line.strip_prefix("///") {
            self.docs.push(doc.trim());
            return true;
        }
        let is_attribute = line.starts_with("#[");
        if is_attribute {
            self.attributes.push_str(line);
        }
        is_attribute || line.is_empty() || line.starts_with("//")
    }

    fn says(&self) -> String {
        paragraphs(self.docs.iter().copied())
    }

    fn skips(&self) -> bool {
        self.attributes.contains("serde(skip")
    }

    fn rename(&self) -> Option<&str> {
        let (_, rest) = self.attributes.split_once("rename = \"")?;
        rest.split('"').next()
    }
}

/// Reads a struct or an enum out of its source.
fn read(source: &str, type_name: &str, topic: Topic, name: &str) -> Option<Entry> {
    let mut preface = Preface::default();
    let mut lines = source.lines();
    let heads = [format!("struct {type_name} {{"), format!("enum {type_name} {{")];
    loop {
        let line = lines.next()?.trim_end();
        if preface.takes(line) {
            continue;
        }
        let head = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        if heads.iter().any(|wanted| head == wanted) {
            let all_optional = preface.attributes.contains(", default)]")
                || preface.attributes.contains("(default, ");
            let mut entry = Entry {
                name: name.to_owned(),
                topic,
                says: preface.says(),
                fields: Vec::new(),
                choices: Vec::new(),
                example: None,
            };
            let body: Vec<&str> = lines.take_while(|line| *line != "}").map(str::trim).collect();
            if head.starts_with("struct") {
                entry.fields = fields(&mut body.into_iter(), all_optional);
            } else {
                entry.choices = variants(&body, topic);
            }
            return Some(entry);
        }
        preface = Preface::default();
    }
}

/// Reads fields up to a closing brace or the end.
fn fields<'s>(lines: &mut impl Iterator<Item = &'s str>, all_optional: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut preface = Preface::default();
    for line in lines {
        if preface.takes(line) {
            continue;
        }
        if line.starts_with('}') {
            break;
        }
        let declared = line.trim_start_matches("pub ").trim_end_matches(',');
        if let Some((name, kind)) = declared.split_once(": ").filter(|_| !preface.skips()) {
            let name = preface.rename().unwrap_or(name).trim_start_matches("r#");
            fields.push(Field {
                name: name.to_owned(),
                kind: words(kind),
                says: preface.says(),
                is_optional: all_optional || preface.attributes.contains("serde(default"),
            });
        }
        preface = Preface::default();
    }
    fields
}

fn variants(body: &[&str], topic: Topic) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut preface = Preface::default();
    let mut lines = body.iter().copied();
    while let Some(line) = lines.next() {
        if preface.takes(line) {
            continue;
        }
        let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
        let rest = &line[name.len()..];
        let mut entry = Entry {
            name,
            topic,
            says: preface.says(),
            fields: Vec::new(),
            choices: Vec::new(),
            example: None,
        };
        if rest.trim_start().starts_with('{') {
            entry.fields = fields(&mut lines, false);
        } else if let Some(kind) = rest.strip_prefix('(') {
            let kind = kind.trim_end_matches(',').trim_end_matches(')');
            let (name, says) = (String::new(), String::new());
            entry.fields.push(Field { name, kind: words(kind), says, is_optional: false });
        }
        if !entry.name.is_empty() && !preface.skips() {
            entries.push(entry);
        }
        preface = Preface::default();
    }
    entries
}

/// A type in words.
fn words(kind: &str) -> String {
    let kind = kind.trim();
    let inner = |prefix: &str| kind.strip_prefix(prefix)?.strip_suffix('>');
    if let Some(inner) = inner("Option<").or_else(|| inner("Box<")) {
        return words(inner);
    }
    if let Some(inner) = inner("Vec<") {
        return format!("list of {}", words(inner));
    }
    if let Some(inner) = inner("BTreeMap<") {
        let value = inner.split_once(", ").map_or(inner, |(_, value)| value);
        return format!("map from name to {}", words(value));
    }
    if let Some(inner) = kind.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return format!("({})", inner.split(", ").map(words).collect::<Vec<_>>().join(", "));
    }
    match kind {
        "Span" => "time span, as \"5ms\"",
        "Dist" | "Think" => "distribution",
        "Ratio" => "share, as \"1 %\"",
        "Rate" => "rate, as \"10/s\"",
        "Factor" => "factor, as 3",
        "NodeId" => "node",
        "Name" | "String" => "name or text",
        "Value" => "value, as \"250ms\", \"99 %\", \"10/s\" or 3",
        "u64" | "u32" | "usize" => "whole number",
        "f64" => "number",
        "bool" => "true or false",
        "Spec" => "node",
        "Injection" => "fault",
        other => other.rsplit("::").next().unwrap_or(other),
    }
    .to_owned()
}

/// How things are written. Each is read by a test as what it is an example of.
const EXAMPLES: &[(&str, Topic, &str)] = &[
    (
        "Client",
        Topic::Node,
        r#"Client(target: "shop", operation: "buy", load: Poisson(rate: "50/s"), policy: (timeout: "2s"))"#,
    ),
    (
        "Service",
        Topic::Node,
        r#"Service(machine: (workers: 4, queue_max: 100), operations: {"buy": (cost: Exponential(mean: "5ms"), calls: [(to: "bank", operation: "pay", policy: (timeout: "300ms", retries: 2))])})"#,
    ),
    (
        "Store",
        Topic::Node,
        r#"Store(cost: "200us", disk: (sync: "1ms"), accounts: [(name: "stock", balance: 1000), (name: "sold", balance: 0)])"#,
    ),
    (
        "Saga",
        Topic::Pattern,
        r#"Saga(steps: [(service: "shop", action: "reserve", compensation: "release", policy: (timeout: "300ms")), (service: "bank", action: "pay", policy: (timeout: "300ms"))], pivot: 1)"#,
    ),
    ("Crash", Topic::Fault, r#"(what: Crash(node: "shop"), at: "20s", for: "5s")"#),
    (
        "Pause",
        Topic::Fault,
        r#"(what: Pause(node: "shop"), at: "20s", for: "800ms", every: "10s")"#,
    ),
    ("Slow", Topic::Fault, r#"(what: Slow(node: "shop", factor: 5), at: "20s", for: "10s")"#),
    (
        "Errors",
        Topic::Fault,
        r#"(what: Errors(node: "bank", operation: "pay", rate: "20 %"), at: "20s", for: "10s")"#,
    ),
    (
        "Latency",
        Topic::Fault,
        r#"(what: Latency(links: Around("bank"), add: Exponential(mean: "50ms")), at: "20s", for: "10s")"#,
    ),
    (
        "Loss",
        Topic::Fault,
        r#"(what: Loss(links: Between(["shop"], ["bank"]), rate: "2 %"), at: "20s", for: "10s")"#,
    ),
    (
        "Partition",
        Topic::Fault,
        r#"(what: Partition(links: Between(["shop"], ["bank"])), at: "20s", for: "5s")"#,
    ),
    (
        "Atomic",
        Topic::Invariant,
        r#"Atomic(accounts: [(store: "shop", account: "sold"), (store: "bank", account: "till")])"#,
    ),
    ("Once", Topic::Invariant, r#"Once(accounts: [(store: "bank", account: "till")])"#),
    (
        "Conserved",
        Topic::Invariant,
        r#"Conserved(accounts: [(store: "shop", account: "stock"), (store: "shop", account: "sold")])"#,
    ),
    (
        "Truthful",
        Topic::Invariant,
        r#"Truthful(accounts: [(store: "shop", account: "sold"), (store: "bank", account: "till")])"#,
    ),
    ("Settled", Topic::Invariant, r#"Settled(node: "shop")"#),
    ("Constant", Topic::Distribution, r#""5ms""#),
    ("Uniform", Topic::Distribution, r#"Uniform(min: "1ms", max: "9ms")"#),
    ("Exponential", Topic::Distribution, r#"Exponential(mean: "10ms")"#),
    ("Erlang", Topic::Distribution, r#"Erlang(k: 3, mean: "10ms")"#),
    ("Gamma", Topic::Distribution, r#"Gamma(mean: "10ms", cv: 0.5)"#),
    ("LogNormal", Topic::Distribution, r#"LogNormal(median: "5ms", p99: "40ms")"#),
    ("Weibull", Topic::Distribution, r#"Weibull(mean: "10ms", shape: 0.7)"#),
    ("Pareto", Topic::Distribution, r#"Pareto(min: "1ms", alpha: 2.5)"#),
    ("HyperExponential", Topic::Distribution, r#"HyperExponential(mean: "10ms", cv: 3)"#),
    (
        "Mixture",
        Topic::Distribution,
        r#"Mixture([(weight: 0.9, dist: "1ms"), (weight: 0.1, dist: Exponential(mean: "50ms"))])"#,
    ),
    ("Empirical", Topic::Distribution, r#"Empirical(values: ["1ms", "2ms", "7ms"])"#),
    ("Shifted", Topic::Distribution, r#"Shifted(by: "1ms", dist: Exponential(mean: "2ms"))"#),
    (
        "Truncated",
        Topic::Distribution,
        r#"Truncated(max: "50ms", dist: Exponential(mean: "10ms"))"#,
    ),
    (
        "Policy",
        Topic::Part,
        r#"(timeout: "300ms", retries: 2, backoff: (base: "50ms"), breaker: (failures: 5, open_for: "2s"))"#,
    ),
    (
        "NetworkSpec",
        Topic::Part,
        r#"(latency: LogNormal(median: "250us", p99: "2ms"), loss: "0.01 %", zones: [(name: "a", nodes: ["shop"]), (name: "b", nodes: ["bank"])], between_zones: "1ms")"#,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Dist;
    use crate::parts::Policy;
    use crate::patterns::Spec;
    use crate::scenario::source::Source;
    use crate::scenario::{Invariant, names};
    use crate::world::{FaultSpec, NetworkSpec};

    /// Is the text an example of a `T`?
    fn parses<T: serde::de::DeserializeOwned>(text: &str) -> Result<(), String> {
        let nodes = vec!["bank".to_owned(), "shop".to_owned()];
        let (value, _) = names::scope(nodes, || Source::new("example", text).parse::<T>());
        value.map(|_| ()).map_err(|problems| format!("{text}: {problems:?}"))
    }

    #[test]
    fn every_example_is_what_it_says() {
        for (name, topic, text) in EXAMPLES {
            let parsed = match topic {
                Topic::Node | Topic::Pattern => parses::<Spec>(text),
                Topic::Fault => parses::<FaultSpec>(text),
                Topic::Invariant => parses::<Invariant>(text),
                Topic::Distribution => parses::<Dist>(text),
                Topic::Part if *name == "Policy" => parses::<Policy>(text),
                Topic::Part => parses::<NetworkSpec>(text),
            };
            parsed.unwrap();
        }
    }

    #[test]
    fn every_node_fault_invariant_and_distribution_has_an_example_and_an_explanation() {
        let entries = entries();
        for entry in entries.iter().filter(|entry| entry.topic != Topic::Part) {
            assert!(entry.example.is_some(), "{} has no example", entry.name);
            assert!(entry.says.ends_with('.'), "{} is not explained", entry.name);
        }
        let of = |topic| entries.iter().filter(|entry| entry.topic == topic).count();
        assert_eq!(of(Topic::Fault), 7);
        assert_eq!(of(Topic::Distribution), crate::engine::dist::Shape::LIST.len());
    }

    #[test]
    fn every_field_is_explained_and_every_optional_one_has_its_default() {
        fn look(entry: &Entry) {
            for field in entry.fields.iter().filter(|field| !field.name.is_empty()) {
                let place = format!("{}.{}", entry.name, field.name);
                assert!(!field.says.is_empty(), "{place} is not explained");
                if field.is_optional {
                    assert!(field.says.contains("efault:"), "{place} does not say its default");
                }
            }
            entry.choices.iter().for_each(look);
        }
        let entries = entries();
        for name in ["Scenario", "Policy", "Step", "Operation", "LinkSpec", "FaultSpec"] {
            assert!(entries.iter().any(|entry| entry.name == name), "{name} is missing");
        }
        entries.iter().for_each(look);
    }
}
