//! Turns an error of ron into a problem in the user's words, at the word that causes it.
//!
//! ron gives the kind of error and where its cursor stood: before the value at fault, inside it, or
//! after it, depending on the kind. The index of the text tells which value that is and what the
//! user calls it. Advice is tried before it is given: where several corrections are thinkable, the
//! text is parsed again with each, and the one that is accepted is the one that is recommended.

use std::ops::Range;

use ron::Error;
use ron::error::{Position, SpannedError};

use super::diagnose::{Problem, listed, nearest};
use super::mistakes::too_deep;
use super::spans::{NodeId, Shape, Spans};
use super::tokens::{Kind, Lexer, clipped};

/// Everything needed to understand an error.
pub(super) struct Reader<'a> {
    /// The text that was parsed.
    pub text: &'a str,
    /// The index of it, which may end early.
    pub spans: &'a Spans,
    /// Parses another text as the same type and gives the error.
    pub probe: &'a dyn Fn(&str) -> Option<SpannedError>,
}

/// The part of the text that an error is about.
#[derive(Clone)]
pub(super) struct Subject {
    pub node: NodeId,
    pub bytes: Range<usize>,
    pub is_key: bool,
}

/// A name that no scenario uses, to make serde list the ones it knows.
pub(super) const NO_NAME: &str = "no_such_name__";
/// Larger texts are not parsed again for the sake of a better message.
const PROBE_BYTES: usize = 1 << 20;

impl Reader<'_> {
    /// The byte at which ron's cursor stood.
    pub fn cursor(&self, error: &SpannedError) -> usize {
        offset(self.text, error.span.end)
    }

    /// What to tell the user.
    pub fn problem(&self, error: &SpannedError) -> Problem {
        let cursor = self.cursor(error);
        match &error.code {
            Error::NoSuchStructField { expected, found, .. } => {
                self.unknown_field(cursor, found, expected)
            }
            Error::NoSuchEnumVariant { expected, found, .. } => {
                self.unknown_variant(cursor, found, expected)
            }
            Error::MissingStructField { field, .. } => self.missing_field(cursor, field),
            Error::DuplicateStructField { field, .. } => {
                let subject = self.consumed(cursor);
                Problem::at(self.bytes(subject.as_ref(), cursor))
                    .title(format!("the field `{field}` is given twice"))
                    .label("given again")
            }
            Error::Message(message) => self.custom(cursor, message),
            Error::InvalidValueForType { expected, .. } => {
                self.mismatch(self.consumed(cursor), cursor, expected)
            }
            Error::ExpectedDifferentLength { expected, found } => {
                self.wrong_length(cursor, expected, *found)
            }
            Error::IntegerOutOfBounds => self.out_of_bounds(cursor),
            Error::InvalidEscape(why) => self.invalid_escape(cursor, why),
            Error::NoSuchExtension(name) => self.unknown_extension(cursor, name),
            Error::ExceededRecursionLimit => too_deep(self.word_at(cursor)),
            Error::ExpectedDifferentStructName { expected, found } => {
                self.wrong_struct_name(cursor, expected, found)
            }
            code => self.unexpected(cursor, code),
        }
    }

    /// The value or key that ends where the cursor stands, or shortly before.
    pub fn consumed(&self, cursor: usize) -> Option<Subject> {
        let mut end = cursor;
        loop {
            let ends_here = |&id: &usize| {
                let node = &self.spans.nodes[id];
                node.value().end == end || (node.name.is_some() && node.key().end == end)
            };
            if let Some(id) = (0..self.spans.nodes.len()).rev().find(ends_here) {
                return Some(self.subject(id, self.spans.nodes[id].value().end != end));
            }
            let kept = self.text[..end].trim_end_matches(|c: char| c.is_whitespace() || c == ',');
            if kept.len() == end {
                return self.upcoming(cursor);
            }
            end = kept.len();
        }
    }

    /// The value or key that the cursor stands before or inside.
    pub fn upcoming(&self, cursor: usize) -> Option<Subject> {
        let start = Lexer::new(self.text, cursor).next().map_or(cursor, |token| token.start);
        let is_here = |&id: &usize| {
            let node = &self.spans.nodes[id];
            let is_scalar = node.first_child == super::spans::NONE
                && matches!(node.shape, Shape::Text | Shape::Number | Shape::Char | Shape::Word);
            let is_inside = node.value().start < cursor && cursor < node.value().end;
            node.value().start == start
                || (node.name.is_some() && node.key().start == start)
                || (is_scalar && is_inside)
        };
        let id = (0..self.spans.nodes.len()).rev().find(is_here)?;
        let node = &self.spans.nodes[id];
        let is_key = node.name.is_some() && node.key().start == start && !node.key().is_empty();
        Some(self.subject(id, is_key))
    }

    pub fn subject(&self, id: usize, is_key: bool) -> Subject {
        let node = &self.spans.nodes[id];
        let bytes = if is_key { node.key() } else { node.value() };
        Subject { node: id as NodeId, bytes, is_key }
    }

    pub fn bytes(&self, subject: Option<&Subject>, cursor: usize) -> Range<usize> {
        subject.map_or_else(|| self.word_at(cursor), |subject| subject.bytes.clone())
    }

    /// The word or sign at or after the cursor, for errors that no value can be blamed for.
    pub fn word_at(&self, cursor: usize) -> Range<usize> {
        match Lexer::new(self.text, cursor).next() {
            Ok(token) if token.kind != Kind::End => token.bytes(),
            _ => {
                let end = self.text.trim_end().len();
                end..end
            }
        }
    }

    /// What the user calls a value: the name of its field or entry, with its place in a list.
    pub fn called(&self, id: NodeId) -> String {
        let mut places = Vec::new();
        let mut id = id;
        while id != 0 {
            let node = self.spans.node(id);
            let around = self.spans.node(node.parent);
            match &node.name {
                Some(name) => {
                    places.push(clipped(name));
                    break;
                }
                None if self.spans.wrapped(node.parent) == Some(id) => {}
                None if around.shape == Shape::Tuple => places.push(format!(".{}", node.index)),
                None => places.push(format!("[{}]", node.index)),
            }
            id = node.parent;
        }
        if places.is_empty() {
            return "the scenario".into();
        }
        let name: String = places.into_iter().rev().collect();
        format!("`{}`", name.strip_prefix('.').unwrap_or(&name))
    }

    /// What the user calls something that has fields: the name of the variant, or its path.
    pub fn owner(&self, id: NodeId) -> String {
        match self.spans.node(id).written_name(self.text) {
            _ if id == 0 => "the scenario".into(),
            Some(name) => format!("`{name}`"),
            None => format!("`{}`", clipped(&self.spans.path(id))),
        }
    }

    /// The names of the fields that a struct has already.
    fn present(&self, id: NodeId) -> Vec<&str> {
        self.spans.children(id).filter_map(|child| self.spans.name(child)).collect()
    }

    fn unknown_field(&self, cursor: usize, found: &str, expected: &[&str]) -> Problem {
        let subject = self.consumed(cursor);
        let parent = subject.as_ref().map_or(0, |subject| self.spans.node(subject.node).parent);
        let parent = if (parent as usize) < self.spans.nodes.len() { parent } else { 0 };
        let owner =
            if self.spans.nodes.is_empty() { "the scenario".into() } else { self.owner(parent) };
        let problem = Problem::at(self.bytes(subject.as_ref(), cursor))
            .title(format!("unknown field `{}`", clipped(found)));
        if expected.is_empty() {
            return problem.label(format!("{owner} has no fields"));
        }
        let present = self.present(parent);
        // A field that is given already is hardly what was meant.
        let free: Vec<&str> =
            expected.iter().copied().filter(|name| !present.contains(name)).collect();
        let problem = problem.label(format!("not a field of {owner}"));
        match nearest(found, free.iter().copied()) {
            Some(_) => problem.choose(found, &free, "fields not given yet are"),
            None => problem.choose(found, expected, "its fields are"),
        }
    }

    fn unknown_variant(&self, cursor: usize, found: &str, expected: &[&str]) -> Problem {
        let subject = self.consumed(cursor).filter(|subject| {
            self.text[subject.bytes.clone()].trim_start_matches("r#").starts_with(found)
        });
        let subject = subject.or_else(|| {
            let start = cursor.saturating_sub(found.len());
            self.spans.holding(start).map(|id| self.subject(id as usize, false))
        });
        let start = subject.as_ref().map_or(cursor, |subject| subject.bytes.start);
        let end = (start + found.len()).min(self.text.len());
        let bytes = if cursor > start && cursor <= end { start..cursor } else { start..end };
        let called = subject.map_or("the scenario".into(), |subject| self.called(subject.node));
        Problem::at(bytes)
            .title(format!("unknown name `{}`", clipped(found)))
            .label(format!("{called} cannot be this"))
            .choose(found, expected, "the choices are")
    }

    fn missing_field(&self, cursor: usize, field: &str) -> Problem {
        let mut id = self.spans.holding(cursor).unwrap_or(0);
        let has_fields = |id: NodeId| {
            matches!(self.spans.node(id).shape, Shape::Struct | Shape::Tuple | Shape::Map)
        };
        if self.spans.nodes.is_empty() {
            return Problem::at(self.word_at(cursor)).title(format!("missing field `{field}`"));
        }
        while id != 0 && !has_fields(id) {
            id = self.spans.node(id).parent;
        }
        let value = self.spans.node(id).value();
        let head = self.spans.node(id).written_name(self.text);
        let is_one_line = !self.text[value.clone()].contains('\n');
        let bytes = match head {
            Some(name) => value.start..value.start + name.len(),
            None if is_one_line => value,
            None => value.start..value.start + 1,
        };
        let missing = self.missing_fields(id, cursor, field);
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        let owner = self.owner(id);
        Problem::at(bytes)
            .title(format!("missing field{plural} {}", listed(&names)))
            .label(format!("{owner} needs {}", if plural.is_empty() { "it" } else { "them" }))
    }

    /// serde names only the first missing field. The others show themselves when the first is
    /// there, so values are tried for it until one is accepted.
    fn missing_fields(&self, id: NodeId, cursor: usize, first: &str) -> Vec<String> {
        const GUESSES: [&str; 9] =
            ["\"1s\"", "0", "[]", "{}", "\"1/2\"", "\"x\"", "true", "()", "None"];
        const NAMED_MAX: usize = 8;
        let body = self.spans.node(id).body as usize;
        let mut missing = vec![first.to_owned()];
        let mut inserted = String::new();
        while missing.len() < NAMED_MAX {
            let last = missing[missing.len() - 1].clone();
            let step = GUESSES.iter().find_map(|guess| {
                let attempt = format!("{inserted}{last}: {guess}, ");
                let (code, at) = self.try_with(body..body, &attempt)?;
                match code {
                    Error::MissingStructField { field, .. }
                        if at == cursor + attempt.len() && field != last =>
                    {
                        Some((field, attempt))
                    }
                    _ => None,
                }
            });
            let Some((field, attempt)) = step else { break };
            missing.push(field.to_owned());
            inserted = attempt;
        }
        missing
    }

    /// An error from a `Deserialize` of our own. Its first line is the title; a second line is the
    /// label, and further lines are help.
    fn custom(&self, cursor: usize, message: &str) -> Problem {
        let subject = self.consumed(cursor);
        let mut lines = message.lines();
        let title = lines.next().unwrap_or("this value is refused");
        let problem = Problem::at(self.bytes(subject.as_ref(), cursor)).title(title);
        let label = match (lines.next(), &subject) {
            (Some(label), _) => label.to_owned(),
            (None, Some(subject)) if !subject.is_key && subject.node != 0 => {
                format!("in {}", self.called(subject.node))
            }
            _ => String::new(),
        };
        lines.fold(problem.label(label), Problem::help)
    }

    fn wrong_length(&self, cursor: usize, expected: &str, found: usize) -> Problem {
        let id = self.spans.holding(cursor).unwrap_or(0);
        let bytes = match self.spans.nodes.get(id as usize) {
            Some(node) => node.value(),
            None => self.word_at(cursor),
        };
        let items = if found == 1 { "item" } else { "items" };
        let called = if self.spans.nodes.is_empty() { String::new() } else { self.called(id) };
        Problem::at(bytes)
            .title(format!("{called} has the wrong number of items"))
            .label(format!("{found} {items}, expected {expected}"))
    }

    fn invalid_escape(&self, cursor: usize, why: &str) -> Problem {
        let before = self.text[..cursor].rfind('\\').unwrap_or(cursor);
        let width = self.text[before..].chars().take(2).map(char::len_utf8).sum::<usize>();
        Problem::at(before..before + width)
            .title("an unknown escape in text")
            .label(lower_first(why))
            .help("a backslash itself is written `\\\\`, or use raw text: r\"…\"")
    }

    fn unknown_extension(&self, cursor: usize, name: &str) -> Problem {
        const KNOWN: [&str; 4] = [
            "implicit_some",
            "unwrap_newtypes",
            "unwrap_variant_newtypes",
            "explicit_struct_names",
        ];
        let start = self.text[..cursor].rfind(name).unwrap_or(cursor);
        Problem::at(start..start + name.len())
            .title(format!("no RON extension is called `{}`", clipped(name)))
            .choose(name, &KNOWN, "there are")
            .note("`implicit_some` and `unwrap_variant_newtypes` are always on")
    }

    /// The first error with `replacement` in place of `bytes`, and the cursor then.
    pub fn try_with(&self, bytes: Range<usize>, replacement: &str) -> Option<(Error, usize)> {
        let text = self.with(bytes, replacement)?;
        let error = (self.probe)(&text)?;
        let at = offset(&text, error.span.end);
        Some((error.code, at))
    }

    fn with(&self, bytes: Range<usize>, replacement: &str) -> Option<String> {
        if self.text.len() > PROBE_BYTES {
            return None;
        }
        Some([&self.text[..bytes.start], replacement, &self.text[bytes.end..]].concat())
    }

    /// Whether `replacement` would be accepted in place of `bytes`.
    pub fn accepts(&self, bytes: &Range<usize>, replacement: &str) -> bool {
        let Some(text) = self.with(bytes.clone(), replacement) else { return false };
        let end = bytes.start + replacement.len();
        match (self.probe)(&text) {
            None => true,
            Some(error) if matches!(error.code, Error::MissingStructField { .. }) => {
                offset(&text, error.span.end) >= end
            }
            Some(error) => offset(&text, error.span.end) > end,
        }
    }
}

/// The byte at a line and column of ron, which counts characters and both from one.
pub(super) fn offset(text: &str, position: Position) -> usize {
    let mut start = 0;
    for _ in 1..position.line {
        match text[start..].find('\n') {
            Some(newline) => start += newline + 1,
            None => return text.len(),
        }
    }
    let column = position.col.saturating_sub(1);
    let mut columns = text[start..].char_indices();
    columns.nth(column).map_or(text.len(), |(at, _)| start + at)
}

/// As the beginning of our titles: ron writes its own with a capital.
pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}
