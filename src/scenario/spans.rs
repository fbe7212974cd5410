//! Where every value of a scenario stands in its text: a path leads to a range of bytes.
//!
//! Deserialized values have forgotten where they came from; this index has not. With it a check of
//! meaning ("no node is called `ordres`") points at the word, and `--set PATH=VALUE` replaces
//! exactly one value of any type. Paths are written `nodes["orders"].steps[1].timeout` or, as on a
//! command line, `nodes.orders.steps.1.timeout`. The name of a variant is no step of a path:
//! in `nodes: {"orders": Saga(steps: […])}` the steps are `nodes.orders.steps`.

use std::ops::Range;

use super::diagnose::{Problem, nearest};
use super::syntax;

/// The values of one text, as a tree.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    /// The root is the first; every parent stands before its children.
    pub(super) nodes: Vec<Node>,
    pub(super) duplicates: Vec<Duplicate>,
}

/// A key that a map or struct has twice. ron takes the last one without a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// The path of both.
    pub path: String,
    /// The bytes of the first key.
    pub first: Range<usize>,
    /// The bytes of the second key.
    pub second: Range<usize>,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// `"text"`
    Text,
    /// `5`
    Number,
    /// `true`, `None`, or a variant without fields.
    Word,
    /// A character.
    Char,
    /// `[…]`
    List,
    /// `{…}`
    Map,
    /// `(name: value)`, with or without a name before it.
    Struct,
    /// `(value)` or `()`, with or without a name before it.
    Tuple,
}

/// Indexes a node of [`Spans`].
pub(super) type NodeId = u32;
/// No node.
pub(super) const NONE: NodeId = NodeId::MAX;

/// One value. Offsets fit in 32 bits because a source is at most a few megabytes.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub parent: NodeId,
    pub first_child: NodeId,
    pub last_child: NodeId,
    pub next: NodeId,
    /// Position among its siblings.
    pub index: u32,
    /// How the parent calls it; `None` for an item of a list or tuple.
    pub name: Option<Box<str>>,
    pub key: (u32, u32),
    pub value: (u32, u32),
    /// Just after the opening bracket; the end of the value if it has none.
    pub body: u32,
    pub shape: Shape,
}

impl Node {
    pub fn key(&self) -> Range<usize> {
        self.key.0 as usize..self.key.1 as usize
    }

    pub fn value(&self) -> Range<usize> {
        self.value.0 as usize..self.value.1 as usize
    }

    /// The name of the variant or struct before the bracket, if one is written.
    pub fn written_name<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self.shape {
            Shape::Word => Some(&text[self.value()]),
            Shape::Struct | Shape::Tuple => {
                let head = &text[self.value.0 as usize..(self.body as usize - 1)];
                let end = head.find(|c: char| c != '_' && c != '#' && !c.is_alphanumeric());
                let name = &head[..end.unwrap_or(head.len())];
                (!name.is_empty()).then_some(name)
            }
            _ => None,
        }
    }
}

impl Spans {
    /// Indexes a text.
    ///
    /// # Errors
    /// What is wrong with its brackets, commas and quotes. Types and names are not looked at.
    pub fn of(text: &str) -> Result<Spans, Problem> {
        match syntax::scan(text) {
            (spans, None) => Ok(spans),
            (_, Some(broken)) => Err(broken.problem),
        }
    }

    /// The bytes of the value at `path`.
    pub fn get(&self, path: &str) -> Option<Range<usize>> {
        self.find(path).map(|id| self.node(id).value())
    }

    /// The bytes of the value at `path`, or of the nearest around it that there is.
    pub fn around(&self, path: &str) -> Option<Range<usize>> {
        let mut around = std::iter::successors(Some(path), |path| Some(path.rsplit_once('.')?.0));
        around.find_map(|path| self.get(path))
    }

    /// The bytes of the key at `path`; an item of a list has none.
    pub fn key(&self, path: &str) -> Option<Range<usize>> {
        let node = self.node(self.find(path)?);
        node.name.as_ref().map(|_| node.key())
    }

    /// The path of the smallest value whose key or value holds the byte at `offset`.
    pub fn path_at(&self, offset: usize) -> Option<String> {
        self.holding(offset).map(|id| self.path(id))
    }

    /// All paths, in the order of the text.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        (1..self.nodes.len()).map(|id| self.path(id as NodeId))
    }

    /// The keys that occur twice.
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }

    /// Why `path` leads nowhere: the step that fails, and what there is instead. The place is in
    /// `path`.
    pub fn unknown(&self, path: &str) -> Problem {
        let walk = self.walk(path);
        let Some(failed) = walk.failed else {
            return Problem::new(format!("`{path}` is in the scenario"));
        };
        let place = self.path(walk.reached);
        let owner = if place.is_empty() { "the scenario".into() } else { format!("`{place}`") };
        let problem = Problem::at(failed.bytes).title("no such value in the scenario");
        let found = match failed.step {
            Step::Malformed(why) => return problem.label(why),
            Step::Key(found) | Step::Name(found) => found,
        };
        let names: Vec<&str> = self.children(walk.reached).filter_map(|id| self.name(id)).collect();
        let items = self.children(walk.reached).count();
        if items == 0 {
            return problem.label(format!("{owner} has no parts"));
        }
        if names.is_empty() {
            return problem.label(match items - 1 {
                0 => format!("{owner} has only the item [0]"),
                last => format!("{owner} has only the items [0] to [{last}]"),
            });
        }
        let problem = problem.label(format!("{owner} holds nothing of this name"));
        if let Some(corrected) = self.corrected(path) {
            return problem.help(format!("did you mean `{corrected}`?"));
        }
        let problem = problem.choose(&found, &names, &format!("{owner} holds"));
        let problem = match self.node(walk.reached).shape {
            Shape::Map => problem.help(format!("to add an entry, write `{place}[{found:?}]`")),
            _ => problem,
        };
        match self.elsewhere(path) {
            similar if similar.is_empty() => problem,
            similar => problem.help(format!("elsewhere there is `{}`", similar.join("`, `"))),
        }
    }

    /// The path with every step that fails replaced by the nearest name there, if that leads
    /// somewhere.
    fn corrected(&self, path: &str) -> Option<String> {
        const SLIPS: usize = 4;
        let mut path = path.to_owned();
        for _ in 0..SLIPS {
            let walk = self.walk(&path);
            let Some(failed) = walk.failed else { return Some(path) };
            let Step::Name(found) = failed.step else { return None };
            let names = self.children(walk.reached).filter_map(|id| self.name(id));
            let near = nearest(&found, names)?.to_owned();
            path.replace_range(failed.bytes, &near);
        }
        None
    }

    /// A few paths that end like `path`, nearest spelling first.
    fn elsewhere(&self, path: &str) -> Vec<String> {
        const SHOWN: usize = 3;
        const EXAMINED: usize = 20_000;
        let last = path.rsplit(['.', '[']).next().unwrap_or(path).trim_matches(['"', ']']);
        let nodes = self.nodes.iter().enumerate().take(EXAMINED);
        let same = nodes.filter(|(_, node)| node.name.as_deref() == Some(last));
        let mut found: Vec<String> =
            same.take(SHOWN).map(|(id, _)| self.path(id as NodeId)).collect();
        if found.is_empty() {
            let names = self.nodes.iter().take(EXAMINED).filter_map(|node| node.name.as_deref());
            let near = nearest(last, names);
            let id = near.and_then(|near| {
                self.nodes.iter().position(|node| node.name.as_deref() == Some(near))
            });
            found.extend(id.map(|id| self.path(id as NodeId)));
        }
        found
    }
}

/// One step of a written path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// `.orders` or `.1`
    Name(String),
    /// `["orders"]` or `[1]`
    Key(String),
    /// What cannot be read, and why.
    Malformed(&'static str),
}

/// A path followed as far as it leads.
pub(super) struct Walk {
    /// The last value on the way.
    pub reached: NodeId,
    /// The step that failed there.
    pub failed: Option<Failed>,
}

/// Where a path leads nowhere.
pub(super) struct Failed {
    /// The step.
    pub step: Step,
    /// Its bytes in the path.
    pub bytes: Range<usize>,
}

impl Spans {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn name(&self, id: NodeId) -> Option<&str> {
        self.node(id).name.as_deref()
    }

    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let first = self.nodes.get(id as usize).map_or(NONE, |node| node.first_child);
        std::iter::successors((first != NONE).then_some(first), |id| {
            let next = self.node(*id).next;
            (next != NONE).then_some(next)
        })
    }

    /// The value that a path leads to.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        let walk = self.walk(path);
        (walk.failed.is_none() && !self.nodes.is_empty()).then_some(walk.reached)
    }

    pub(super) fn walk(&self, path: &str) -> Walk {
        let mut reached = 0;
        let mut at = 0;
        while at < path.len() {
            let Some((child, length)) = self.follow(reached, &path[at..]) else {
                let (step, length) = first_step(&path[at..]);
                let skipped = usize::from(path[at..].starts_with('.'));
                let failed = Failed { step, bytes: at + skipped..at + length };
                return Walk { reached, failed: Some(failed) };
            };
            (reached, at) = (child, at + length);
        }
        Walk { reached, failed: None }
    }

    /// The child that `rest` of a path begins with, and how much of the path that is.
    fn follow(&self, id: NodeId, rest: &str) -> Option<(NodeId, usize)> {
        if self.nodes.is_empty() {
            return None;
        }
        let (step, length) = first_step(rest);
        let found = match &step {
            Step::Malformed(_) => return None,
            Step::Key(key) | Step::Name(key) => self.child(id, key),
        };
        if let Some(child) = found {
            return Some((child, length));
        }
        let bare = rest.strip_prefix('.').unwrap_or(rest);
        let whole = self.children(id).find(|child| {
            let after = self.name(*child).and_then(|name| bare.strip_prefix(name));
            after.is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
        });
        if let Some(child) = whole {
            let length = self.name(child).map_or(0, str::len);
            return Some((child, rest.len() - bare.len() + length));
        }
        // `Some((timeout: …))` and `Service((cost: …))` have one value in two pairs of brackets.
        self.wrapped(id).and_then(|inner| self.follow(inner, rest))
    }

    /// The only item of a `Name(item)`, which a path may pass over.
    pub(super) fn wrapped(&self, id: NodeId) -> Option<NodeId> {
        let node = self.node(id);
        let is_single = node.shape == Shape::Tuple && node.first_child == node.last_child;
        (is_single && node.first_child != NONE).then_some(node.first_child)
    }

    fn child(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let index = key.parse::<u32>().ok();
        self.children(id).find(|child| match self.name(*child) {
            Some(name) => name == key,
            None => index == Some(self.node(*child).index),
        })
    }

    /// The path of a value in its shortest unmistakable form.
    pub(super) fn path(&self, id: NodeId) -> String {
        let mut steps = Vec::new();
        let mut id = id;
        while id != 0 && (id as usize) < self.nodes.len() {
            let node = self.node(id);
            let Some(around) = self.nodes.get(node.parent as usize) else { break };
            let is_tuple = around.shape == Shape::Tuple;
            steps.push(match &node.name {
                Some(name) if is_plain(name) => format!(".{name}"),
                Some(name) => format!("[{name:?}]"),
                None if is_tuple => format!(".{}", node.index),
                None => format!("[{}]", node.index),
            });
            id = node.parent;
        }
        let path: String = steps.into_iter().rev().collect();
        path.strip_prefix('.').map_or(path.clone(), str::to_owned)
    }

    /// The smallest value whose key or value holds the byte at `offset`.
    pub(super) fn holding(&self, offset: usize) -> Option<NodeId> {
        let holds = |node: &Node| node.key().contains(&offset) || node.value().contains(&offset);
        // Children stand after their parents: the last that holds the byte is the smallest.
        self.nodes.iter().rposition(holds).map(|id| id as NodeId)
    }
}

/// Whether a key can be written as `.key`.
pub(super) fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The first step of a path, and how many bytes of it that is.
pub(super) fn first_step(path: &str) -> (Step, usize) {
    if let Some(inside) = path.strip_prefix('[') {
        let quoted = inside.strip_prefix('"').and_then(|text| text.split_once("\"]"));
        if let Some((key, _)) = quoted {
            return (Step::Key(key.replace("\\\"", "\"")), key.len() + 4);
        }
        return match inside.split_once(']') {
            Some((key, _)) if !key.is_empty() => (Step::Key(key.to_owned()), key.len() + 2),
            _ => {
                (Step::Malformed("close the bracket: `steps[1]`, `nodes[\"orders\"]`"), path.len())
            }
        };
    }
    let bare = path.strip_prefix('.').unwrap_or(path);
    let skipped = path.len() - bare.len();
    let length = bare.find(['.', '[']).unwrap_or(bare.len());
    if length == 0 {
        return (Step::Malformed("a name is missing beside a dot"), path.len());
    }
    (Step::Name(bare[..length].to_owned()), skipped + length)
}

#[cfg(test)]
mod tests {
    use super::super::diagnose::toy::WHOLE;
    use super::*;

    fn value<'t>(text: &'t str, path: &str) -> Option<&'t str> {
        let spans = Spans::of(text).expect("the text is well-formed");
        spans.get(path).map(|bytes| &text[bytes])
    }

    #[test]
    fn a_path_leads_to_the_text_of_its_value() {
        for (path, expected) in [
            ("nodes[\"trip\"].steps[1].timeout", "\"50ms\""),
            ("nodes.trip.steps.1.service", "\"airline\""),
            ("nodes.trip.policy", "(retries: 2)"),
            ("nodes.airline.refuses", "r#\"1/\"20\"\"#"),
            ("nodes.größe-ü", "Service()"),
            ("network.latency", "Uniform(min: \"1ms\", max: \"2ms\")"),
            ("network.latency.max", "\"2ms\""),
            ("network.loss", "1e-3"),
            ("seed", "0xff"),
            ("weights[2]", "3"),
            ("pair.1", "4"),
            ("pair[0]", "3"),
        ] {
            assert_eq!(value(WHOLE, path), Some(expected), "{path}");
        }
        for path in
            ["nodes.trip.steps[2]", "nodes.bus", "seed.x", "nodes[trip", "nodes..trip", "pair.2"]
        {
            assert_eq!(value(WHOLE, path), None, "{path}");
        }
    }

    #[test]
    fn every_path_of_the_index_leads_to_its_own_value() {
        let text = "S(a: {\"x.y\": [1], \"q\\\"[\": (b: 2), 7: 'c', One: Two}, t: (1, (2, 3)))";
        for text in [WHOLE, text] {
            let spans = Spans::of(text).expect("the text is well-formed");
            assert!(spans.paths().count() > 8);
            for (id, path) in spans.paths().enumerate() {
                assert_eq!(spans.find(&path), Some(id as NodeId + 1), "{path}");
                let start = spans.get(&path).expect("the path was just found").start;
                assert_eq!(spans.path_at(start), Some(path));
            }
        }
    }

    #[test]
    fn a_key_with_a_dot_is_found_in_both_forms() {
        let text = "(a: {\"x.y\": (z: 5)})";
        assert_eq!(value(text, "a.x.y.z"), Some("5"));
        assert_eq!(value(text, "a[\"x.y\"].z"), Some("5"));
    }

    #[test]
    fn a_path_passes_over_the_only_item_of_a_variant() {
        let text = "(policy: Some((retries: 2)), latency: Constant(\"5ms\"))";
        assert_eq!(value(text, "policy.retries"), Some("2"));
        assert_eq!(value(text, "policy"), Some("Some((retries: 2))"));
        assert_eq!(value(text, "latency.0"), Some("\"5ms\""));
    }

    #[test]
    fn a_key_has_its_own_place() {
        let spans = Spans::of(WHOLE).expect("the text is well-formed");
        let key = |path: &str| spans.key(path).map(|bytes| &WHOLE[bytes]);
        assert_eq!(key("nodes.trip"), Some("\"trip\""));
        assert_eq!(key("nodes.trip.policy.retries"), Some("retries"));
        assert_eq!(key("weights[0]"), None, "an item has no key");
    }

    #[test]
    fn keys_and_fields_that_occur_twice_are_collected() {
        let text = "(a: {\"x\": 1, \"y\": 2, \"x\": 3}, b: 1, b: 2)";
        let spans = Spans::of(text).expect("the text is well-formed");
        let found: Vec<(&str, usize, usize)> = spans
            .duplicates()
            .iter()
            .map(|twice| (twice.path.as_str(), twice.first.start, twice.second.start))
            .collect();
        assert_eq!(found, [("a.x", 5, 21), ("b", 30, 36)]);
    }

    #[test]
    fn nesting_is_bounded() {
        for open in ["(", "[", "{", "(a: ", "{\"a\": ", "Some(", "{(", "[{["] {
            let problem = Spans::of(&open.repeat(100_000)).expect_err("nothing is closed");
            assert!(problem.title.contains("nested more than 100 deep"), "{}", problem.title);
        }
    }
}
