//! Replaces one value of a scenario by its path: `--set nodes.orders.timeout=5ms`.
//!
//! The new text goes where the old value stands, so a value can be of any kind, and the parse that
//! follows checks it like the rest. People do not type RON on a command line: where quotes are
//! needed and missing, they are added. A field that is not written in the file is written into its
//! struct, so that a default can be overridden as well.

use std::ops::Range;

use super::diagnose::{Problem, nearest};
use super::source::{Source, Splice};
use super::spans::{Node, NodeId, Shape, Spans, Step, first_step, is_plain};
use super::syntax;
use super::tokens::is_number;

impl Source {
    /// This source with `value` in place of what stands at `path`, as `--set PATH=VALUE` has it.
    ///
    /// The value is RON, but text may lack its quotes where text stood before and wherever the
    /// value would make no sense without (`5ms`, `1/20`). A missing field of a struct is added; an
    /// entry is added to a map if its key is written in brackets, `nodes["audit"]=Service(…)`.
    ///
    /// # Errors
    /// A problem if the path leads nowhere, with the nearest that leads somewhere; and if the value
    /// is no RON.
    pub fn set(&self, path: &str, value: &str) -> Result<Source, Problem> {
        self.set_as("--set", path, value)
    }

    /// As [`Source::set`], for a change that comes from elsewhere: `origin` is how messages name
    /// it, such as `--grid`.
    ///
    /// # Errors
    /// As [`Source::set`].
    pub fn set_as(&self, origin: &str, path: &str, value: &str) -> Result<Source, Problem> {
        let spans = Spans::of(self.text()).map_err(|problem| {
            problem
                .note("a value can be set only in a scenario whose brackets and commas are right")
        })?;
        let argument = Argument::new(origin, path, value);
        if argument.path.is_empty() {
            return Err(argument
                .refused(Problem::at(0..0).title("a path is missing"))
                .help("write --set PATH=VALUE, for example --set nodes.orders.cost=5ms"));
        }
        let walk = spans.walk(argument.path);
        let Some(failed) = walk.failed else {
            let old = spans.node(walk.reached);
            let new = argument.text(Some(old.shape))?;
            let piece = (0..new.text.len(), new.written.clone());
            return Ok(self.spliced(old.value(), &new.text, argument.splice(vec![piece])));
        };
        let from = failed.bytes.start;
        let Some(missing) = missing_steps(argument.path, from) else {
            return Err(argument.refused(spans.unknown(argument.path)));
        };
        let owner = insertable(&spans, walk.reached, &missing)
            .ok_or_else(|| argument.refused(spans.unknown(argument.path)))?;
        let new = argument.text(None)?;
        Ok(self.with_field(spans.node(owner), &missing, &new, &argument))
    }

    /// This source with a new field or entry in `owner`, just after its opening bracket, where the
    /// commas are right whatever follows.
    fn with_field(
        &self,
        owner: &Node,
        missing: &[(String, Range<usize>)],
        new: &Value,
        argument: &Argument<'_>,
    ) -> Source {
        let mut text = String::new();
        let mut pieces = Vec::new();
        let is_bare = owner.shape == Shape::Word;
        if is_bare {
            text.push('(');
        }
        for (depth, (name, bytes)) in missing.iter().enumerate() {
            if depth > 0 {
                text.push('(');
            }
            let start = text.len();
            match owner.shape {
                Shape::Map if depth == 0 => text.push_str(&format!("{name:?}")),
                _ => text.push_str(name),
            }
            let at = argument.path_at + bytes.start..argument.path_at + bytes.end;
            pieces.push((start..text.len(), at));
            text.push_str(": ");
        }
        pieces.push((text.len()..text.len() + new.text.len(), new.written.clone()));
        text.push_str(&new.text);
        text.push_str(&")".repeat(missing.len() - 1));
        text.push_str(if is_bare {
            ")"
        } else if owner.first_child == NodeId::MAX {
            ""
        } else {
            ", "
        });
        let at = if is_bare { owner.value().end } else { owner.body as usize };
        self.spliced(at..at, &text, argument.splice(pieces))
    }
}

/// What the user wrote, taken apart.
struct Argument<'a> {
    page: &'a str,
    whole: String,
    path: &'a str,
    path_at: usize,
    value: &'a str,
    value_at: usize,
}

/// A value as it goes into the text.
struct Value {
    text: String,
    /// Its bytes in the argument.
    written: Range<usize>,
}

impl<'a> Argument<'a> {
    fn new(origin: &'a str, path: &'a str, value: &'a str) -> Argument<'a> {
        let whole = format!("{origin} {path}={value}");
        let trimmed = path.trim();
        let path_at = origin.len() + 1 + (path.len() - path.trim_start().len());
        let value_at = origin.len() + 1 + path.len() + 1 + (value.len() - value.trim_start().len());
        let page = if origin.starts_with('-') { "command line" } else { origin };
        Argument { page, whole, path: trimmed, path_at, value: value.trim(), value_at }
    }

    fn splice(&self, pieces: Vec<(Range<usize>, Range<usize>)>) -> Splice {
        Splice {
            now: 0..0,
            was: None,
            page: self.page.to_owned(),
            argument: self.whole.clone(),
            pieces,
        }
    }

    /// The value as RON, given what stood there before.
    fn text(&self, old: Option<Shape>) -> Result<Value, Problem> {
        if self.value.is_empty() {
            return Err(self
                .shown(Problem::at(0..0).title("a value is missing"), self.value_at)
                .help("write `PATH=\"\"` if empty text is meant"));
        }
        let whole = self.value_at..self.value_at + self.value.len();
        let quoted = || {
            let escaped = self.value.replace('\\', "\\\\").replace('"', "\\\"");
            Ok(Value { text: format!("\"{escaped}\""), written: whole.clone() })
        };
        let (spans, broken) = syntax::scan(self.value);
        if let Some(broken) = broken {
            return if is_bare(self.value) {
                quoted()
            } else {
                Err(self.shown(broken.problem, self.value_at))
            };
        }
        let root = spans.node(0);
        let is_scalar = matches!(root.shape, Shape::Word | Shape::Number);
        if is_scalar && old == Some(Shape::Text) && self.value != "None" {
            return quoted();
        }
        // A comment around the value would swallow what follows it in the text.
        let text = self.value[root.value()].to_owned();
        let start = self.value_at + root.value().start;
        Ok(Value { written: start..start + text.len(), text })
    }

    /// A problem of the path, shown in the argument.
    fn refused(&self, problem: Problem) -> Problem {
        self.shown(problem, self.path_at)
    }

    /// A problem whose places count from byte `at` of the argument.
    fn shown(&self, mut problem: Problem, at: usize) -> Problem {
        for (bytes, _) in &mut problem.marks {
            *bytes = bytes.start + at..bytes.end + at;
        }
        problem.on(self.page, self.whole.clone())
    }
}

/// Whether a value has none of the signs of RON, so that it can only be meant as text.
fn is_bare(value: &str) -> bool {
    !value.contains(['"', '(', ')', '[', ']', '{', '}', '\n', '\'']) || is_number(value)
}

/// The steps of a path from byte `from` on, if each is a name that can be added.
fn missing_steps(path: &str, from: usize) -> Option<Vec<(String, Range<usize>)>> {
    let mut steps = Vec::new();
    let mut at = from;
    while at < path.len() {
        let (step, length) = first_step(&path[at..]);
        let dot = usize::from(path[at..].starts_with('.'));
        let name = match step {
            Step::Name(name) if is_plain(&name) => name,
            Step::Key(name) if path[at..].starts_with("[\"") && steps.is_empty() => name,
            _ => return None,
        };
        steps.push((name, at + dot..at + length));
        at += length;
    }
    (!steps.is_empty()).then_some(steps)
}

/// The value into which a field or entry can be written: `reached`, or what it wraps.
fn insertable(
    spans: &Spans,
    reached: NodeId,
    missing: &[(String, Range<usize>)],
) -> Option<NodeId> {
    let mut id = reached;
    while let Some(inner) = spans.wrapped(id) {
        id = inner;
    }
    let (name, bytes) = &missing[0];
    let is_field = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.contains('-')
    };
    let is_bracketed = bytes.len() == name.len() + 4;
    let is_possible = match spans.node(id).shape {
        Shape::Struct => missing.iter().all(|(name, _)| is_field(name)) && !is_bracketed,
        Shape::Tuple => spans.node(id).first_child == NodeId::MAX && is_field(name),
        Shape::Map => is_bracketed && missing.len() == 1,
        Shape::Word => is_field(name) && !is_bracketed,
        _ => false,
    };
    // A misspelt step on the way to a value is a mistake, not a wish for a new field.
    let siblings = spans.children(id).filter_map(|child| spans.name(child));
    let is_slip = missing.len() > 1 && nearest(name, siblings).is_some();
    (is_possible && !is_slip).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::super::diagnose::render;
    use super::super::diagnose::toy::{Latency, Node, Scenario, Span, WHOLE};
    use super::*;

    /// The value at `path` after these changes.
    fn after(changes: &[(&str, &str)], path: &str) -> String {
        let source =
            changes.iter().fold(Source::new("trip.ron", WHOLE), |source, (path, value)| {
                source.set(path, value).expect("the path is right")
            });
        let bytes = source.spans().get(path).expect("the path is still there");
        source.text()[bytes].to_owned()
    }

    #[test]
    fn quotes_are_added_where_text_stood_and_where_nothing_else_makes_sense() {
        for (path, value, expected) in [
            ("nodes.hotel.cost", "7ms", "\"7ms\""),
            ("nodes.hotel.cost", "\"7ms\"", "\"7ms\""),
            ("nodes.hotel.cost", "7", "\"7\""),
            ("nodes.hotel.cost", "None", "None"),
            ("nodes.users.target", "hotel", "\"hotel\""),
            ("nodes.users.target", "airline-app", "\"airline-app\""),
            ("nodes.airline.refuses", "1/20", "\"1/20\""),
            ("nodes.users.count", "7", "7"),
            ("seed", " 7 // seven", "7"),
            ("weights", "[1,2]", "[1,2]"),
            ("network.latency", "Zero", "Zero"),
            ("network.latency", "Constant(\"5ms\")", "Constant(\"5ms\")"),
        ] {
            assert_eq!(after(&[(path, value)], path), expected, "{path}={value}");
        }
    }

    #[test]
    fn a_field_that_is_not_written_is_added_to_its_struct() {
        for (path, value, expected) in [
            ("nodes.hotel.refuses", "1/20", "\"1/20\""),
            ("nodes.größe-ü.cost", "1s", "\"1s\""),
            ("nodes.trip.policy.timeout", "1s", "\"1s\""),
            ("strict", "true", "true"),
            ("nodes[\"audit\"]", "Service(cost: \"1ms\")", "Service(cost: \"1ms\")"),
        ] {
            assert_eq!(after(&[(path, value)], path), expected, "{path}={value}");
        }
    }

    #[test]
    fn a_struct_that_is_not_written_is_added_with_its_field() {
        let source = Source::new("t.ron", "Scenario(nodes: {}, run: \"1s\")");
        let source = source.set("network.loss", "0.5").expect("both can be added");
        assert_eq!(source.text(), "Scenario(network: (loss: 0.5), nodes: {}, run: \"1s\")");
        let source = source.set("network.latency", "Zero").expect("it can be added");
        let source = source.set("network.loss", "0.25").expect("it is there now");
        let scenario: Scenario = source.parse().expect("the changes are right");
        assert_eq!(scenario.network.loss, 0.25);
        assert!(matches!(scenario.network.latency, Some(Latency::Zero)));
    }

    #[test]
    fn a_name_alone_gets_the_parentheses_for_its_first_field() {
        let source = Source::new("t.ron", "(a: Service, b: [Users])");
        let source = source.set("a.cost", "5ms").expect("it can be added");
        assert_eq!(source.text(), "(a: Service(cost: \"5ms\"), b: [Users])");
    }

    #[test]
    fn changes_upon_changes_are_all_applied() {
        let changes = [
            ("network.latency", "Uniform(min: \"3ms\", max: \"4ms\")"),
            ("nodes.trip.steps[0].timeout", "1s"),
            ("network.latency.max", "9ms"),
            ("nodes.hotel.cost", "8ms"),
            ("nodes.hotel.cost", "11ms"),
        ];
        let source =
            changes.iter().fold(Source::new("trip.ron", WHOLE), |source, (path, value)| {
                source.set(path, value).expect("the path is right")
            });
        let scenario: Scenario = source.parse().expect("the changes are right");
        let Some(Node::Service(hotel)) = scenario.nodes.get("hotel") else { panic!("a service") };
        assert_eq!(hotel.cost, Some(Span(11_000_000)));
        let Some(Latency::Uniform { max, .. }) = scenario.network.latency else {
            panic!("uniform")
        };
        assert_eq!(max, Span(9_000_000));
        assert_eq!(source.changes().len(), 4, "the second cost replaces the first");
    }

    #[test]
    fn a_problem_beside_a_change_is_shown_where_it_is_in_the_file() {
        let service = "Service(cost: \"5ms\", colour: 3)";
        let text = format!("Scenario(\n    nodes: {{\"a\": {service}}},\n    run: \"1s\",\n)");
        let file = Source::new("t.ron", text);
        let problems = file.parse::<Scenario>().expect_err("there is no such field");
        let expected = render(&problems, Some(&file), false);
        assert!(expected.contains("t.ron:2:39"), "{expected}");
        let mut source = file;
        for (path, value) in
            [("nodes.a.cost", "\"1234567ms\""), ("nodes.a.workers", "3"), ("run", "9s")]
        {
            source = source.set(path, value).expect("the path is right");
            let problems = source.parse::<Scenario>().expect_err("there is no such field");
            assert_eq!(render(&problems, Some(&source), false), expected);
        }
        let after = source.text().find("},").expect("the map ends");
        assert_eq!(source.place(after..after + 1).line_column(), (2, 49));
    }

    #[test]
    fn a_settled_problem_is_shown_alike_without_the_changes() {
        let file =
            Source::new("t.ron", "Scenario(\n    nodes: {},\n    colour: 3,\n    run: \"1s\",\n)");
        let changed = file.set("run", "\"1234567s\"").expect("run is there");
        let changed = changed.set("nodes[\"a\"]", "Service()").expect("nodes is a map");
        let both = changed.set("colour", "4").expect("it is there");
        for source in [changed, both] {
            let problems = source.parse::<Scenario>().expect_err("there is no such field");
            let settled: Vec<Problem> =
                problems.iter().map(|problem| source.settled(problem.clone())).collect();
            let expected = render(&problems, Some(&source), false);
            assert!(expected.contains("t.ron:3:5"), "{expected}");
            assert_eq!(render(&settled, Some(&file), false), expected);
        }
        let changed = file.set("nodes.x", "1").expect_err("there is no such node");
        assert_eq!(file.settled(changed.clone()), changed);
        let changed = Source::new("t.ron", WHOLE).set("run", "5 ly").expect("run is there");
        let problem = changed.parse::<Scenario>().expect_err("no unit").remove(0);
        let shown = render(&[changed.settled(problem)], None, false);
        assert!(shown.contains("1 | --set run=5 ly"), "{shown}");
    }

    #[test]
    fn a_change_can_come_from_elsewhere() {
        let source = Source::new("trip.ron", WHOLE);
        let source = source.set_as("variant `slow`", "run", "5 parsecs").expect("run is there");
        let problems = source.parse::<Scenario>().expect_err("parsecs are no unit");
        let text = render(&problems, Some(&source), false);
        assert!(text.contains("--> variant `slow`:1:20"), "{text}");
    }
}
