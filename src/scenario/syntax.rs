//! Reads the brackets, commas, colons and quotes of a scenario and indexes what they enclose.
//!
//! ron tells what is wrong from where its cursor happens to stand, which for a forgotten bracket is
//! the end of the file. This reader knows which bracket is open, how far lines are indented and
//! what people forget, so it is the one that reports structure; types and names are left to serde.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnose::Problem;
use super::mistakes::too_deep;
use super::spans::{Duplicate, NONE, Node, NodeId, Shape, Spans};
use super::tokens::{Broken, Kind, Lexer, Token, is_number};

/// No scenario nests deeper, and a reader that recurses must stop before the stack does.
pub(super) const DEPTH_MAX: usize = 100;

/// So many keys that occur twice are collected; who has more has made one mistake many times.
const DUPLICATES_MAX: usize = 100;

/// Indexes `text` as far as its structure holds, and says what breaks it there.
pub(super) fn scan(text: &str) -> (Spans, Option<Broken>) {
    let start = Token { kind: Kind::End, start: 0, end: 0 };
    let mut parser = Parser {
        text,
        lexer: Lexer::new(text, 0),
        token: start,
        previous: start,
        line: 0,
        spans: Spans::default(),
        open: Vec::new(),
        suspect: None,
    };
    let outcome = match u32::try_from(text.len()) {
        Ok(_) => parser.document(),
        Err(_) => Err(Broken::here(Problem::at(0..0).title("the text is longer than 4 GiB"))),
    };
    (parser.spans, outcome.err().map(|broken| *broken))
}

type Outcome = Result<(), Box<Broken>>;

/// The reader, at one token of the text.
pub(super) struct Parser<'t> {
    pub text: &'t str,
    pub lexer: Lexer<'t>,
    pub token: Token,
    pub previous: Token,
    /// Where the line of the current token begins.
    line: usize,
    spans: Spans,
    /// The brackets that are open, outermost first, each with the beginning of its line.
    pub open: Vec<(Token, usize)>,
    /// The first bracket whose closing partner stands at another indentation, and that partner.
    pub suspect: Option<(Token, Token)>,
}

impl<'t> Parser<'t> {
    fn document(&mut self) -> Outcome {
        self.advance()?;
        while self.token.kind == Kind::Odd('#') {
            self.attribute()?;
        }
        let root = self.new_node(NONE, None, 0..0);
        self.value(root)?;
        match self.token.kind {
            Kind::End => Ok(()),
            Kind::Close(bracket) => Err(self.closes_nothing(bracket)),
            _ => Err(self.after_the_end()),
        }
    }

    /// Skips `#![enable(…)]`; ron checks what is in it.
    fn attribute(&mut self) -> Outcome {
        let start = self.token;
        while self.token.kind != Kind::Close(']') {
            if self.token.kind == Kind::End {
                let problem = Problem::at(start.bytes()).title("an attribute is never closed");
                return Err(Broken::here(problem.label("no `]` closes this `#![…]`")));
            }
            self.advance()?;
        }
        self.advance()
    }

    fn advance(&mut self) -> Outcome {
        self.previous = self.token;
        self.token = match self.lexer.next() {
            Ok(token) => token,
            Err(broken) => return Err(self.blamed(broken)),
        };
        let passed = &self.text[self.previous.start..self.token.start];
        if let Some(newline) = passed.rfind('\n') {
            self.line = self.previous.start + newline + 1;
        }
        Ok(())
    }

    /// A text that is never closed often begins where an earlier one was to end.
    fn blamed(&self, broken: Box<Broken>) -> Box<Broken> {
        let previous = self.previous;
        let is_adjacent = previous.end > previous.start && broken.since <= previous.end + 1;
        if previous.kind == Kind::Text && is_adjacent && self.slice(previous).contains('\n') {
            return self.text_over_lines();
        }
        broken
    }

    /// The token after the current one.
    pub fn following(&self) -> Kind {
        let mut ahead = self.lexer;
        ahead.next().map_or(Kind::End, |token| token.kind)
    }

    pub fn slice(&self, token: Token) -> &'t str {
        &self.text[token.bytes()]
    }

    fn new_node(&mut self, parent: NodeId, name: Option<Box<str>>, key: Range<usize>) -> NodeId {
        let id = self.spans.nodes.len() as NodeId;
        let start = self.token.start as u32;
        let mut index = 0;
        if let Some(owner) = self.spans.nodes.get_mut(parent as usize) {
            let elder = std::mem::replace(&mut owner.last_child, id);
            if elder == NONE {
                owner.first_child = id;
            } else {
                index = self.spans.nodes[elder as usize].index + 1;
                self.spans.nodes[elder as usize].next = id;
            }
        }
        self.spans.nodes.push(Node {
            parent,
            first_child: NONE,
            last_child: NONE,
            next: NONE,
            index,
            name,
            key: (key.start as u32, key.end as u32),
            value: (start, self.text.len() as u32),
            body: start,
            shape: Shape::Word,
        });
        id
    }

    fn close_node(&mut self, id: NodeId) {
        let end = self.previous.end as u32;
        let node = &mut self.spans.nodes[id as usize];
        node.value.1 = end;
        if node.body <= node.value.0 {
            node.body = end;
        }
    }

    fn shape(&mut self, id: NodeId, shape: Shape) {
        self.spans.nodes[id as usize].shape = shape;
    }

    fn value(&mut self, id: NodeId) -> Outcome {
        self.spans.nodes[id as usize].value.0 = self.token.start as u32;
        match self.token.kind {
            Kind::Text => self.scalar(id, Shape::Text)?,
            Kind::Char => self.scalar(id, Shape::Char)?,
            Kind::Number if is_number(self.slice(self.token)) => self.scalar(id, Shape::Number)?,
            Kind::Number | Kind::Dashed => return Err(self.unquoted(self.token.bytes())),
            Kind::Word => {
                self.scalar(id, Shape::Word)?;
                if self.token.kind == Kind::Open('(') {
                    self.container(id, '(')?;
                }
            }
            Kind::Open(bracket) => self.container(id, bracket)?,
            _ => return Err(self.no_value()),
        }
        self.close_node(id);
        Ok(())
    }

    fn scalar(&mut self, id: NodeId, shape: Shape) -> Outcome {
        self.shape(id, shape);
        self.advance()
    }

    fn container(&mut self, id: NodeId, bracket: char) -> Outcome {
        if self.open.len() == DEPTH_MAX {
            return Err(Broken::here(too_deep(self.token.bytes())));
        }
        self.open.push((self.token, self.line));
        self.spans.nodes[id as usize].body = self.token.end as u32;
        self.shape(id, if bracket == '[' { Shape::List } else { Shape::Map });
        if bracket == '(' {
            self.shape(id, Shape::Tuple);
        }
        let mut keys = BTreeMap::new();
        self.advance()?;
        while self.token.kind != Kind::Close(closing(bracket)) {
            match bracket {
                '(' => self.field(id, &mut keys)?,
                '{' => self.entry(id, &mut keys)?,
                _ => {
                    let item = self.new_node(id, None, 0..0);
                    self.value(item)?;
                }
            }
            self.separator(bracket)?;
        }
        self.note_indentation();
        self.open.pop();
        self.advance()
    }

    /// `name: value` or `value` in parentheses; all items must be of one kind.
    fn field(&mut self, id: NodeId, keys: &mut BTreeMap<Box<str>, Range<usize>>) -> Outcome {
        let key = self.token;
        let shape = self.spans.nodes[id as usize].shape;
        let is_first = self.spans.nodes[id as usize].first_child == NONE;
        let looks_named = matches!(key.kind, Kind::Word | Kind::Text | Kind::Dashed)
            && self.following() == Kind::Colon;
        if !looks_named {
            if shape == Shape::Struct {
                return Err(self.nameless());
            }
            if key.kind == Kind::Word && self.misses_colon() {
                return Err(self.missing_colon());
            }
            let item = self.new_node(id, None, 0..0);
            return self.value(item);
        }
        if key.kind != Kind::Word {
            return Err(self.quoted_field());
        }
        if shape == Shape::Tuple && !is_first {
            let problem = Problem::at(self.previous_item(id))
                .title("a value without a field name")
                .label("this item has no name")
                .related(key.bytes(), "this one has")
                .help("name all items, `(name: value, …)`, or none");
            return Err(Broken::here(problem));
        }
        self.shape(id, Shape::Struct);
        self.named(id, key, keys)
    }

    fn entry(&mut self, id: NodeId, keys: &mut BTreeMap<Box<str>, Range<usize>>) -> Outcome {
        let key = self.token;
        match key.kind {
            Kind::Open(_) => {
                // A composite key has no path; it is read and forgotten.
                let kept = self.spans.nodes.len();
                let scratch = self.new_node(NONE, None, 0..0);
                self.spans.nodes[scratch as usize].parent = id;
                self.value(scratch)?;
                self.spans.nodes.truncate(kept);
                let bytes = key.start..self.previous.end;
                self.colon_and_value(id, self.text[bytes.clone()].into(), bytes)
            }
            Kind::Word if self.following() == Kind::Open('(') => Err(Broken::here(
                Problem::at(key.bytes())
                    .title("an entry of a map has no key")
                    .label("a key and a `:` should come before this")
                    .related(self.opener().bytes(), "in this map")
                    .help(format!("write `\"name\": {}(…)`", self.slice(key))),
            )),
            Kind::Number if !is_number(self.slice(key)) => Err(self.unquoted(key.bytes())),
            Kind::Dashed => Err(self.unquoted(key.bytes())),
            Kind::Text | Kind::Word | Kind::Char | Kind::Number => self.named(id, key, keys),
            _ => Err(self.no_value()),
        }
    }

    /// The rest of `key: value`, whose key is the current token.
    fn named(
        &mut self,
        id: NodeId,
        key: Token,
        keys: &mut BTreeMap<Box<str>, Range<usize>>,
    ) -> Outcome {
        let written = self.slice(key);
        let name: Box<str> = match key.kind {
            Kind::Text => ron::from_str::<String>(written).map_or(written.into(), String::into),
            _ => written.strip_prefix("r#").unwrap_or(written).into(),
        };
        self.advance()?;
        let earlier = keys.insert(name.clone(), key.bytes());
        let child = self.spans.nodes.len() as NodeId;
        let outcome = self.colon_and_value(id, name, key.bytes());
        let is_indexed = (child as usize) < self.spans.nodes.len();
        if let Some(first) = earlier
            && is_indexed
            && self.spans.duplicates.len() < DUPLICATES_MAX
        {
            let path = self.spans.path(child);
            self.spans.duplicates.push(Duplicate { path, first, second: key.bytes() });
        }
        outcome
    }

    fn colon_and_value(&mut self, id: NodeId, name: Box<str>, key: Range<usize>) -> Outcome {
        if self.token.kind != Kind::Colon {
            return Err(self.missing_colon_after(key));
        }
        self.advance()?;
        let child = self.new_node(id, Some(name), key);
        self.value(child)
    }

    fn separator(&mut self, bracket: char) -> Outcome {
        match self.token.kind {
            Kind::Comma => self.advance(),
            Kind::Close(found) if found == closing(bracket) => Ok(()),
            _ => Err(self.no_separator()),
        }
    }

    pub fn previous_item(&self, id: NodeId) -> Range<usize> {
        let last = self.spans.nodes[id as usize].last_child;
        self.spans.nodes.get(last as usize).map_or(self.previous.bytes(), Node::value)
    }

    /// The innermost open bracket.
    pub fn opener(&self) -> Token {
        self.open.last().map_or(self.token, |(opener, _)| *opener)
    }

    /// Remembers the first closing bracket that begins a line at another depth than the line of
    /// its opening one: if brackets turn out not to match, that is the place to look at.
    fn note_indentation(&mut self) {
        let Some(&(opener, line)) = self.open.last() else { return };
        let begins_line = self.text[self.line..self.token.start].trim().is_empty();
        let is_aligned = || indentation(self.text, line) == indentation(self.text, self.line);
        if self.suspect.is_none() && begins_line && !is_aligned() {
            self.suspect = Some((opener, self.token));
        }
    }
}

/// The blanks at the beginning of a line.
pub(super) fn indentation(text: &str, line: usize) -> &str {
    let line = &text[line..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// The bracket that closes `bracket`.
pub(super) fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}
