//! Whose published figures a scenario reproduces.

use serde::Deserialize;

use crate::world::Flaw;

/// A published result that a scenario reproduces: its expectations are the figures.
///
/// ```ron
/// (id: "Q01", source: "L. Kleinrock, Queueing Systems I (1975), chapter 3")
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What `validate` calls it.
    pub id: String,
    /// Where the figures come from.
    pub source: String,
    /// The formula, or what else a reader should know. Default: nothing.
    #[serde(default)]
    pub note: String,
    /// How many runs it takes to say anything, where one alone says little. Default: 2.
    #[serde(default = "few")]
    pub runs_min: u32,
    /// How many runs there may be before the verdict stands as it is. Default: 32.
    #[serde(default = "runs")]
    pub runs_max: u32,
}

impl Case {
    /// What is wrong with it by itself.
    pub fn problem(&self) -> Option<Flaw> {
        let is_plain = |text: &str| !text.trim().is_empty() && !text.chars().any(char::is_control);
        if self.id.is_empty() || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let label = "letters, digits and `-` only";
            return Some(
                Flaw::at("id", format!("`{}` is no id", self.id.escape_debug())).label(label),
            );
        }
        if !is_plain(&self.source) {
            return Some(Flaw::at("source", "say where the figures come from, in one line"));
        }
        if self.runs_max == 0 {
            return Some(Flaw::at("runs_max", "of no runs nothing is known"));
        }
        // The default is for cases that chance plays a part in; one run is enough without.
        (self.runs_min > self.runs_max && self.runs_min != few()).then(|| {
            let label = format!("`runs_max` is {}", self.runs_max);
            Flaw::at("runs_min", "more runs are needed than there may be").label(label)
        })
    }
}

fn few() -> u32 {
    2
}

fn runs() -> u32 {
    32
}
