//! A small scenario type for the tests of the reader: every construct that a real one has.
//!
//! It stands apart from the real one, whose fields may change without touching what is recorded in
//! `tests/diagnostics/`.

#![expect(dead_code, reason = "most fields are here to be accepted or refused, not to be read")]

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A duration in nanoseconds, written with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"5ms\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
                let number: u64 = text[..text.len() - unit.len()].parse().unwrap_or(0);
                match unit {
                    "ms" => Ok(Span(number * 1_000_000)),
                    "s" => Ok(Span(number * 1_000_000_000)),
                    _ => Err(E::custom(format!(
                        "{text:?} is not a duration\nthe unit must be `ms` or `s`"
                    ))),
                }
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub nodes: BTreeMap<String, Node>,
    #[serde(default)]
    pub network: Network,
    pub run: Span,
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub weights: Vec<u8>,
    #[serde(default)]
    pub pair: Option<(u32, u32)>,
    #[serde(default)]
    pub strict: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    pub latency: Option<Latency>,
    pub loss: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Latency {
    Zero,
    Constant(Span),
    Uniform { min: Span, max: Span },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Node {
    Users(Users),
    Saga(Saga),
    Service(Service),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    pub target: String,
    pub count: u32,
    #[serde(default)]
    pub think: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saga {
    pub steps: Vec<StepSpec>,
    #[serde(default)]
    pub policy: Policy,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    pub service: String,
    pub timeout: Span,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub retries: u32,
    pub backoff: Option<Span>,
    pub timeout: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Service {
    pub cost: Option<Span>,
    pub workers: u32,
    pub refuses: Option<String>,
}

/// A scenario with comments, raw text, tuples, nested comments and characters beyond ASCII.
pub const WHOLE: &str = include_str!("../../../tests/diagnostics/trip.ron");
