//! The reference: what scenarios can say, read from the very source that reads scenarios.
//!
//! The doc comments of the types are the reference. The source files are part of the binary, and an
//! entry is read out of them when somebody asks, so it cannot differ from the code beside it. From
//! the scenario itself the types of fields lead to everything else that can be said: a new pattern
//! is in the reference as soon as it is in the catalogue.

mod declared;
mod examples;
mod sources;

use std::collections::{BTreeMap, VecDeque};

use crate::patterns::CATALOGUE;
use declared::{Body, Declaration, Docs, Member, declarations, listed};
use sources::{FACTS, SOURCES};

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
    /// A measure that a scenario defines.
    Measure,
    /// A fact that nodes note.
    Fact,
    /// A quantity that is written with a unit.
    Unit,
    /// A part of the others, or of the file.
    Part,
    /// One of the values that a part can have.
    Choice,
}

/// One thing that a scenario can say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// As scenarios spell it, or, for a part, as this reference calls it.
    pub name: String,
    /// As the source spells it.
    pub type_name: String,
    /// What it is about.
    pub topic: Topic,
    /// What it is a choice of; empty if it stands for itself.
    pub of: String,
    /// What it means: paragraphs, the first sentence first.
    pub says: String,
    /// Where a formula, a figure or a behaviour of it comes from.
    pub source: Option<String>,
    /// What it is made of.
    pub fields: Vec<Field>,
    /// If one of several is to be chosen: which.
    pub choices: Vec<Entry>,
    /// How it is written.
    pub example: Option<String>,
    /// The fields that it is the value of: `Client.policy`.
    pub used_in: Vec<String>,
    /// The source that declares it; none for a choice, which belongs to its type.
    home: Option<usize>,
}

/// A field of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// As scenarios spell it; empty for a value without a name.
    pub name: String,
    /// What kind of value, in words.
    pub kind: String,
    /// What it means.
    pub says: String,
    /// What it is if it is left out, in words.
    pub default: Option<String>,
    /// Where the default or the meaning comes from.
    pub source: Option<String>,
    /// May it be left out?
    pub is_optional: bool,
    /// The entries that its value is made of.
    pub parts: Vec<String>,
}

impl Entry {
    /// Its first sentence.
    pub fn brief(&self) -> &str {
        let first = self.says.split("\n\n").next().unwrap_or(&self.says);
        first.find(". ").map_or(first, |end| &first[..=end])
    }
}

/// The type of a whole scenario file.
const ROOT: &str = "Draft";

/// Types that are explained by a word: the type, the word, an example of one.
const WORDS: &[(&str, &str, &str)] = &[
    ("NodeId", "node", r#""orders""#),
    ("Name", "name", r#""reserve""#),
    ("String", "text", r#""two words""#),
    ("Patterns", "topic, pattern or list of them", r#""orders.*""#),
    ("bool", "true or false", "true"),
    ("u64", "whole number", "3"),
    ("u32", "whole number", "3"),
    ("u8", "whole number", "3"),
    ("i64", "whole number with or without a sign", "-3"),
    ("usize", "whole number", "3"),
    ("f64", "number", "0.5"),
    ("Level", "rate", r#""0/s""#),
    ("Recording", "file", r#""arrivals.csv""#),
    // What a distribution is of.
    ("U", "span or size", r#""5ms" or "4KiB""#),
];

/// Quantities: the type, its name, an example of one.
const UNITS: &[(&str, &str, &str)] = &[
    ("Span", "span", r#""5ms""#),
    ("Time", "instant", r#""90s""#),
    ("Shift", "shift", r#""-30ms""#),
    ("Ratio", "share", r#""2 %""#),
    ("Factor", "factor", r#""3x""#),
    ("Rate", "rate", r#""200/s""#),
    ("Bytes", "size", r#""64KiB""#),
    ("Bandwidth", "bandwidth", r#""100Mbit/s""#),
    ("Value", "value", r#""250ms""#),
];

/// Types that are spelt as a text or as one of the choices of another type: what they are in words,
/// and that other type.
const SPELT: &[(&str, &str, &str)] = &[
    ("Dist", "distribution", "Shape"),
    ("SizeDist", "distribution of sizes", "Shape"),
    ("U::Dist", "distribution", "Shape"),
    ("Intensity", "rate such as \"200/s\", or profile", "Profile"),
];

/// Types around others.
const AROUND: &[&str] = &["Option", "Vec", "BTreeMap", "Box", "Rc"];

/// Enums whose choices are a topic of their own.
const FAMILIES: &[(&str, Topic)] = &[
    ("Injection", Topic::Fault),
    ("Invariant", Topic::Invariant),
    ("MeasureSpec", Topic::Measure),
    ("Shape", Topic::Distribution),
];

/// Everything that a scenario can say, by topic and then in the order in which it is come upon.
pub fn entries() -> Vec<Entry> {
    let sources = CATALOGUE.iter().map(|kind| kind.source).chain(SOURCES.iter().copied());
    let declared = sources.map(declarations).collect();
    let mut walk = Walk { declared, seen: BTreeMap::new(), next: VecDeque::new() };
    let mut entries = Vec::new();
    for (source, kind) in CATALOGUE.iter().enumerate() {
        walk.next.push_back((source, kind.name));
    }
    let root = walk.find(0, ROOT).map(|(source, _)| source);
    walk.next.extend(root.map(|source| (source, ROOT)));
    while let Some((source, type_name)) = walk.next.pop_front() {
        entries.extend(walk.entry(source, type_name));
    }
    for entry in &mut entries {
        let users = entry.home.and_then(|home| walk.seen.get(&(home, entry.type_name.as_str())));
        entry.used_in.extend(users.into_iter().flatten().cloned());
    }
    entries.extend(facts());
    entries.sort_by_key(|entry| entry.topic);
    entries
}

/// Every fact that nodes and the world note, by name.
pub fn facts() -> Vec<Entry> {
    let of_nodes = CATALOGUE.iter().map(|kind| kind.source);
    let sources = of_nodes.chain(SOURCES.iter().copied()).chain(FACTS.iter().copied());
    let found: BTreeMap<_, _> = sources.flat_map(declared::facts).collect();
    found.into_iter().map(|(name, docs)| Entry::fact(name, docs)).collect()
}

/// How swarm mode draws each fault: its name, and its text with `{…}` where something is drawn.
pub(super) fn swarm() -> Vec<(String, String)> {
    let found = declarations(include_str!("../world/fault/injection.rs"));
    let kinds = found.into_iter().filter_map(|one| match (one.type_name, one.body) {
        ("Injection", Body::Enum(choices)) => Some(choices),
        _ => None,
    });
    let drawn = kinds.flatten().filter_map(|(choice, _)| Some((choice.name, choice.docs.swarm?)));
    drawn.map(|(name, text)| (name, text.trim().to_owned())).collect()
}

/// The way from a type to those of its fields.
struct Walk<'s> {
    /// The declarations of each source, those of the catalogue first.
    declared: Vec<Vec<Declaration<'s>>>,
    /// Every type that was come upon, by source and name, with the fields that it is in.
    seen: BTreeMap<(usize, &'s str), Vec<String>>,
    next: VecDeque<(usize, &'s str)>,
}

impl<'s> Walk<'s> {
    /// The declaration of a type that `source` speaks of, and where it stands.
    fn find(&self, source: usize, type_name: &str) -> Option<(usize, &Declaration<'s>)> {
        let within = |place: usize| {
            let found = self.declared[place].iter().find(|one| one.type_name == type_name);
            found.map(|one| (place, one))
        };
        within(source).or_else(|| (0..self.declared.len()).find_map(within))
    }

    /// The entry of a type, and those of its choices. Their types are visited next.
    fn entry(&mut self, source: usize, type_name: &str) -> Vec<Entry> {
        let Some((_, declaration)) = self.find(source, type_name) else { return Vec::new() };
        let mut entry = Entry::new(declaration, source);
        let topic = FAMILIES.iter().find(|(family, _)| *family == type_name);
        let topic = topic.map_or(Topic::Choice, |(_, topic)| *topic);
        let mut used: Vec<(String, &'s str)> = Vec::new();
        if entry.topic != Topic::Unit {
            match &declaration.body {
                Body::Struct(fields) => {
                    entry.fields = self.fields(source, fields, &entry.name, &mut used);
                }
                Body::Enum(choices) => {
                    for (choice, values) in choices {
                        let mut one = Entry::choice(choice, &entry.name, topic);
                        one.fields = self.fields(source, values, &one.name, &mut used);
                        entry.choices.push(one);
                    }
                }
                Body::Alias(_) => {}
            }
        }
        for (place, kind) in used {
            self.visit(source, kind, &place);
        }
        let choices = entry.choices.clone();
        std::iter::once(entry).chain(choices).collect()
    }

    /// The fields of `owner`; each of their types is added to `used`, with the field's place.
    fn fields(
        &self,
        source: usize,
        members: &[Member<'s>],
        owner: &str,
        used: &mut Vec<(String, &'s str)>,
    ) -> Vec<Field> {
        let mut fields = Vec::new();
        for Member { name, kind, docs, is_optional } in members {
            let place = if name.is_empty() { owner.to_owned() } else { format!("{owner}.{name}") };
            used.extend(type_names(kind).map(|type_name| (place.clone(), type_name)));
            let parts = type_names(kind).filter_map(|kind| self.part(source, kind)).collect();
            fields.push(Field {
                name: name.clone(),
                kind: self.words(source, kind),
                says: docs.says.clone(),
                default: docs.default.clone(),
                source: docs.source.clone(),
                is_optional: *is_optional,
                parts,
            });
        }
        fields
    }

    /// Remembers where a type is used, and to visit it.
    fn visit(&mut self, source: usize, type_name: &'s str, place: &str) {
        let declared = declared_as(type_name);
        let Some((home, declaration)) = self.find(source, declared) else { return };
        let (declared, alias) = (declaration.type_name, &declaration.body);
        if let (Body::Alias(inner), false) = (alias, is_unit(declared)) {
            let inner = *inner;
            return self.visit(home, inner, place);
        }
        let users = self.seen.entry((home, declared)).or_insert_with(|| {
            self.next.push_back((home, declared));
            Vec::new()
        });
        if !users.iter().any(|user| user == place) {
            users.push(place.to_owned());
        }
    }

    /// The name of the entry that a type leads to, if it needs more than the words of its field.
    fn part(&self, source: usize, type_name: &str) -> Option<String> {
        let declared = declared_as(type_name);
        if declared == "Spec" || is_unit(declared) {
            return None;
        }
        let (home, declaration) = self.find(source, declared)?;
        match declaration.body {
            Body::Alias(inner) => self.part(home, inner),
            _ => Some(declaration.name.clone()),
        }
    }

    /// A type in words.
    fn words(&self, source: usize, kind: &str) -> String {
        let kind = kind.strip_suffix("<U>").unwrap_or(kind);
        let inner = |prefix: &str| kind.strip_prefix(prefix)?.strip_suffix('>');
        if let Some(inner) = inner("Option<").or_else(|| inner("Box<")) {
            return self.words(source, inner);
        }
        if let Some(inner) = inner("Vec<") {
            return format!("list of {}", self.plural(source, inner));
        }
        if let Some(inner) = inner("BTreeMap<") {
            let value = listed(inner).last().map(|value| self.plural(source, value));
            return format!("map from names to {}", value.unwrap_or_default());
        }
        if let Some(inner) = kind.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            let parts: Vec<String> =
                listed(inner).into_iter().map(|part| self.words(source, part)).collect();
            return format!("({})", parts.join(", "));
        }
        let simple = WORDS.iter().chain(UNITS).find(|(known, ..)| *known == kind);
        if let Some((_, word, example)) = simple {
            let is_plain =
                matches!(kind, "bool" | "u64" | "u32" | "u8" | "usize" | "f64" | "String");
            return if is_plain { (*word).to_owned() } else { format!("{word} such as {example}") };
        }
        let spelt = SPELT.iter().find(|(known, ..)| *known == kind);
        match (kind, spelt) {
            (_, Some((_, words, _))) => (*words).to_owned(),
            ("Spec", None) => "node".to_owned(),
            _ => self.declared_words(source, kind),
        }
    }

    /// Several of a type in words.
    fn plural(&self, source: usize, kind: &str) -> String {
        let simple = WORDS.iter().chain(UNITS).find(|(known, ..)| *known == kind);
        match (simple, kind) {
            (Some((_, word, _)), _) => format!("{word}s"),
            (None, "Dist" | "Spec") => format!("{}s", self.words(source, kind)),
            _ => self.words(source, kind),
        }
    }

    /// A declared type in words: its name, or its choices if these are few and simple.
    fn declared_words(&self, source: usize, kind: &str) -> String {
        const LISTED: usize = 4;
        let Some((home, declaration)) = self.find(source, kind) else { return kind.to_owned() };
        match &declaration.body {
            Body::Alias(inner) => self.words(home, inner),
            Body::Enum(choices)
                if choices.len() <= LISTED && choices.iter().all(|(_, of)| of.is_empty()) =>
            {
                let names: Vec<&str> = choices.iter().map(|(one, _)| one.name.as_str()).collect();
                names.join(" or ")
            }
            _ => declaration.name.clone(),
        }
    }
}

/// The names of the types in a type, those around them left out.
fn type_names(kind: &str) -> impl Iterator<Item = &str> {
    let names = kind.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.filter(|name| !name.is_empty() && !AROUND.contains(name))
}

/// The type whose choices a type is spelt by: most often itself.
fn declared_as(type_name: &str) -> &str {
    SPELT.iter().find(|(known, ..)| *known == type_name).map_or(type_name, |(.., other)| other)
}

fn is_unit(type_name: &str) -> bool {
    UNITS.iter().any(|(known, ..)| *known == type_name)
}

impl Entry {
    /// The entry of a type, without its fields and choices.
    fn new(declaration: &Declaration<'_>, home: usize) -> Entry {
        let type_name = declaration.type_name;
        let kind = CATALOGUE.iter().find(|kind| kind.name == type_name);
        let unit = UNITS.iter().find(|(known, ..)| *known == type_name);
        let (topic, docs) = match (kind, unit) {
            (Some(kind), _) if kind.is_pattern => (Topic::Pattern, module(kind.source)),
            (Some(kind), _) => (Topic::Node, module(kind.source)),
            (None, Some(_)) => (Topic::Unit, declaration.docs.clone()),
            (None, None) => (Topic::Part, declaration.docs.clone()),
        };
        let name = unit.map_or(declaration.name.as_str(), |(_, name, _)| *name);
        let known = unit.map(|(.., example)| *example).or_else(|| examples::of(name, ""));
        Entry {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            topic,
            of: String::new(),
            says: docs.says,
            source: docs.source,
            fields: Vec::new(),
            choices: Vec::new(),
            example: docs.example.or_else(|| known.map(str::to_owned)),
            used_in: Vec::new(),
            home: Some(home),
        }
    }

    /// The entry of a fact.
    fn fact(name: &str, docs: Docs) -> Entry {
        Entry {
            name: name.to_owned(),
            type_name: name.to_owned(),
            topic: Topic::Fact,
            of: String::new(),
            says: docs.says,
            source: docs.source,
            fields: Vec::new(),
            choices: Vec::new(),
            example: Some(format!("(fact: \"{name}\", nth: 3)")),
            used_in: vec!["Trigger.fact".to_owned()],
            home: None,
        }
    }

    /// The entry of a choice, without its fields.
    fn choice(choice: &Member<'_>, of: &str, topic: Topic) -> Entry {
        let known = examples::of(&choice.name, of).map(str::to_owned);
        Entry {
            name: choice.name.clone(),
            type_name: choice.name.clone(),
            topic,
            of: of.to_owned(),
            says: choice.docs.says.clone(),
            source: choice.docs.source.clone(),
            fields: Vec::new(),
            choices: Vec::new(),
            example: choice.docs.example.clone().or(known),
            used_in: Vec::new(),
            home: None,
        }
    }
}

/// The documentation of a source file as a whole.
fn module(source: &str) -> Docs {
    Docs::of(source.lines().map_while(|line| line.strip_prefix("//!")))
}

#[cfg(test)]
mod tests;
