//! Names of topics, in levels with dots in between, and patterns that stand for several of them.

use std::fmt;

use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::engine::Name;

/// What stands for exactly one level of a name.
const ONE: &str = "*";
/// What stands, at the end of a pattern, for one level or more.
const REST: &str = ">";

/// The name of a topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TopicName {
    /// As it is compared and called.
    pub name: Name,
    text: String,
}

impl TopicName {
    /// As it is spelt.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why no topic can be called this.
    pub(in crate::parts::broker) fn problem(&self) -> Option<&'static str> {
        let levels = || self.text.split('.');
        if levels().any(|level| level == ONE || level == REST) {
            return Some("`*` and `>` are for patterns: a topic has a name of its own");
        }
        levels().any(str::is_empty).then_some("a level of a topic's name cannot be empty")
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TopicName, D::Error> {
        let text = String::deserialize(deserializer)?;
        let spelt: serde::de::value::StrDeserializer<'_, D::Error> =
            text.as_str().into_deserializer();
        Ok(TopicName { name: Name::deserialize(spelt)?, text })
    }
}

/// A topic, or a pattern that stands for several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern(String);

impl Pattern {
    /// As it is spelt.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Does it stand for this topic?
    pub fn matches(&self, topic: &str) -> bool {
        let (mut pattern, mut topic) = (self.0.split('.'), topic.split('.'));
        loop {
            match (pattern.next(), topic.next()) {
                (None, None) => return true,
                (Some(REST), Some(_)) => return pattern.next().is_none(),
                (Some(ONE), Some(_)) => {}
                (Some(level), Some(name)) if level == name => {}
                _ => return false,
            }
        }
    }

    /// Why it stands for nothing, whatever topics there are.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let mut levels = self.0.split('.');
        let is_early = |level| level == REST;
        let last = levels.next_back();
        if levels.any(is_early) {
            return Some("`>` stands for the rest of a topic's name, at the end of a pattern");
        }
        let empty = self.0.split('.').any(str::is_empty) || last.is_none();
        empty.then_some("a level of a pattern cannot be empty")
    }
}

/// The topics of a subscription: a pattern, or several in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patterns {
    patterns: Vec<Pattern>,
    /// Do they stand in a list?
    is_list: bool,
}

impl Patterns {
    /// Does one of them stand for this topic?
    pub fn matches(&self, topic: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(topic))
    }

    /// Each of them, with its place where they stand in a list.
    pub fn each(&self) -> impl Iterator<Item = (Option<usize>, &Pattern)> {
        let places = self.patterns.iter().enumerate();
        places.map(|(place, pattern)| (self.is_list.then_some(place), pattern))
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Patterns, D::Error> {
        deserializer.deserialize_any(PatternsVisitor)
    }
}

struct PatternsVisitor;

impl<'de> Visitor<'de> for PatternsVisitor {
    type Value = Patterns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a topic such as \"orders.paid\", a pattern such as \"orders.*\", or a list")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Patterns, E> {
        Ok(Patterns { patterns: vec![Pattern(text.to_owned())], is_list: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Patterns, A::Error> {
        let mut patterns = Vec::new();
        while let Some(text) = items.next_element()? {
            patterns.push(Pattern(text));
        }
        Ok(Patterns { patterns, is_list: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_level_and_an_arrow_for_the_rest() {
        for (pattern, topic, is_it) in [
            ("orders.paid", "orders.paid", true),
            ("orders.paid", "orders", false),
            ("orders", "orders.paid", false),
            ("orders.*", "orders.paid", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.paid.eu", false),
            ("*.paid", "orders.paid", true),
            ("*.paid", "orders.placed", false),
            ("orders.*.eu", "orders.paid.eu", true),
            ("orders.>", "orders.paid", true),
            ("orders.>", "orders.paid.eu", true),
            ("orders.>", "orders", false),
            (">", "orders.paid.eu", true),
            // A star is a level, and no part of one.
            ("ord*", "orders", false),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(topic), is_it, "{pattern} {topic}");
        }
    }

    #[test]
    fn patterns_are_one_or_a_list() {
        let one: Patterns = ron::from_str("\"a.*\"").expect("one");
        assert_eq!(one.each().map(|(place, _)| place).collect::<Vec<_>>(), [None]);
        let two: Patterns = ron::from_str("[\"a.*\", \"b\"]").expect("two");
        assert_eq!(two.each().map(|(place, _)| place).collect::<Vec<_>>(), [Some(0), Some(1)]);
        assert!(two.matches("b") && two.matches("a.x") && !two.matches("a"));
    }

    #[test]
    fn what_can_be_no_pattern_and_no_topic_is_said() {
        let pattern = |text: &str| Pattern(text.to_owned()).problem().is_some();
        assert!(pattern("orders.>.eu") && pattern("orders..eu") && pattern(""));
        assert!(!pattern("orders.*.>") && !pattern(">"));
        let topic = |text: &str| ron::from_str::<TopicName>(text).expect("a name").problem();
        assert!(topic("\"orders.*\"").is_some() && topic("\"orders.\"").is_some());
        assert_eq!(topic("\"orders.eu*\""), None);
    }
}
