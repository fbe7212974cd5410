//! From what is wrong with a value to a problem at its place in the text.

use crate::engine::{Lexicon, NodeId};
use crate::scenario::diagnose::Problem;
use crate::scenario::spans::Spans;
use crate::world::{Flaw, Step};

/// Where everything stands, and how it is spelt.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct Places<'a> {
    pub text: &'a str,
    pub spans: &'a Spans,
    pub lexicon: &'a Lexicon,
    /// The names of the nodes, by id.
    pub nodes: &'a [String],
}

impl Places<'_> {
    /// A problem with the value at `path`, or at the nearest place around it that exists.
    pub fn at(&self, path: &str) -> Problem {
        self.spans.around(path).map_or_else(|| Problem::new(""), Problem::at)
    }

    /// The path of what these steps lead to from the value at `path`.
    pub fn path(&self, path: &str, steps: &[Step]) -> String {
        let mut whole = path.to_owned();
        for step in steps {
            whole += &match step {
                Step::Field(field) => format!(".{field}"),
                Step::Item(item) => format!(".{item}"),
                Step::Key(key) => format!(".{}", self.lexicon.spelling(*key)),
            };
        }
        whole
    }

    /// A flaw of the value at `path`, which is a `what`.
    pub fn flaw(&self, path: &str, flaw: Flaw, what: &str) -> Problem {
        let label = match (flaw.label, flaw.steps.as_slice()) {
            (label, []) if label.is_empty() => format!("in this {what}"),
            (label, _) if label.is_empty() => "here".to_owned(),
            (label, _) => label,
        };
        let mut path = self.path(path, &flaw.steps);
        if self.spans.get(&path).is_none()
            && let Some((around, _)) = path.rsplit_once('.')
        {
            let beside = flaw.beside.iter().map(|field| format!("{around}.{field}"));
            path = beside.into_iter().find(|it| self.spans.get(it).is_some()).unwrap_or(path);
        }
        self.at(&path).title(flaw.title).label(label)
    }

    /// The name of a node.
    pub fn name(&self, id: NodeId) -> &str {
        self.nodes.get(id.index()).map_or("?", String::as_str)
    }

    /// Where a variant has what the base has at `path`: in itself if it has its own, or else there.
    pub fn of_variant(&self, variant: usize, path: &str) -> String {
        let own = format!("variants.{variant}.{path}");
        if self.spans.get(&own).is_some() { own } else { path.to_owned() }
    }
}
