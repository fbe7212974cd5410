//! Names while a scenario is read: addresses become integers, and an unknown one is an error at its
//! place.
//!
//! Which nodes there are is known before their descriptions are read, so `target: "ordrs"` fails
//! right there, with the nearest name. The table lives in the thread for the duration of one load.

use std::cell::RefCell;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::source::Files;
use crate::engine::{Lexicon, Name, NodeId};
use crate::parts::Recording;

#[derive(Default)]
struct Table {
    nodes: Vec<String>,
    lexicon: Lexicon,
    files: Files,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

/// Reads with these nodes and files known; returns what was read and the spelling of every name
/// that was met.
pub(super) fn scope<T>(nodes: Vec<String>, files: Files, read: impl FnOnce() -> T) -> (T, Lexicon) {
    TABLE.set(Table { nodes, lexicon: Lexicon::default(), files });
    let value = read();
    (value, TABLE.take().lexicon)
}

/// The arrivals that stand in a file.
pub(super) fn recording(path: &str) -> Result<Recording, String> {
    TABLE.with_borrow_mut(|Table { lexicon, files, .. }| files.recording(path, lexicon))
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        let name = String::deserialize(deserializer)?;
        TABLE.with_borrow(|table| match table.nodes.iter().position(|known| *known == name) {
            Some(index) => Ok(NodeId(index as u32)),
            // Where not even the nodes' names could be read, that is the mistake to be told of.
            None if table.nodes.is_empty() => Ok(NodeId(0)),
            None => Err(D::Error::custom(unknown(&name, &table.nodes))),
        })
    }
}

fn unknown(name: &str, nodes: &[String]) -> String {
    let advice = match super::diagnose::nearest(name, nodes) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let written = nodes.iter().filter(|name| !name.contains('/'));
            let written: Vec<&str> = written.map(String::as_str).collect();
            format!("the nodes are {}", written.join(", "))
        }
    };
    format!("no node is called `{name}`\nnot a node\n{advice}")
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(D::Error::custom("a name cannot be empty"));
        }
        TABLE.with_borrow_mut(|table| table.lexicon.intern(&text)).map_err(|other| {
            D::Error::custom(format!(
                "`{text}` and `{other}` have the same hash; rename one of them"
            ))
        })
    }
}
