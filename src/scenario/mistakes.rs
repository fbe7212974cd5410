//! What is said of a scenario whose brackets, commas, colons and quotes do not fit.
//!
//! The reader of the structure stops at the first token that cannot follow. Here is decided what
//! the author most probably forgot there, and which bracket is to blame: often one that was opened
//! far above.

use std::ops::Range;

use super::diagnose::Problem;
use super::syntax::{DEPTH_MAX, Parser, closing, indentation};
use super::tokens::{Broken, Kind, Token, clipped};

/// What is said of an input that is nested too deeply for any reader.
pub(super) fn too_deep(at: Range<usize>) -> Problem {
    Problem::at(at)
        .title(format!("brackets are nested more than {DEPTH_MAX} deep"))
        .label("too deep")
        .note("a scenario needs about ten levels")
}

/// What a structure that does not hold is called, and how to mend it.
impl Parser<'_> {
    pub fn no_value(&self) -> Box<Broken> {
        match self.token.kind {
            Kind::End if self.open.is_empty() => Broken::here(
                Problem::at(self.token.bytes()).title("there is no scenario in this text"),
            ),
            Kind::End => self.never_closed(None),
            Kind::Close(_) if self.previous.kind == Kind::Colon => self.value_missing(),
            Kind::Close(bracket) => self.mismatch(bracket),
            Kind::Comma if self.previous.kind == Kind::Colon => self.value_missing(),
            Kind::Comma => Broken::here(
                Problem::at(self.token.bytes())
                    .title("nothing stands before this `,`")
                    .label("one comma too many"),
            ),
            Kind::Odd(odd) => self.odd(odd),
            _ => Broken::here(
                Problem::at(self.token.bytes())
                    .title(format!("unexpected `{}`", clipped(self.slice(self.token))))
                    .label("a value should stand here"),
            ),
        }
    }

    fn value_missing(&self) -> Box<Broken> {
        let problem = Problem::at(self.previous.bytes())
            .title("a value is missing")
            .label("nothing follows this `:`");
        Broken::here(problem)
    }

    pub fn no_separator(&self) -> Box<Broken> {
        let is_same_line = !self.text[self.previous.end..self.token.start].contains('\n');
        match self.token.kind {
            Kind::End => self.never_closed(None),
            Kind::Close(bracket) => self.mismatch(bracket),
            Kind::Word if self.previous.kind == Kind::Number && is_same_line => {
                self.unquoted(self.previous.start..self.token.end)
            }
            Kind::Odd('%') if self.previous.kind == Kind::Number && is_same_line => {
                self.unquoted(self.previous.start..self.token.end)
            }
            _ if self.previous.kind == Kind::Text && self.slice(self.previous).contains('\n') => {
                self.text_over_lines()
            }
            Kind::Odd(odd) => self.odd(odd),
            Kind::Colon => self.stray_colon(),
            _ => {
                let after = self.previous.end;
                let problem = Problem::at(after..after)
                    .title("a comma is missing")
                    .label("a `,` should stand here")
                    .related(self.token.bytes(), "before this");
                Box::new(Broken { problem, since: after })
            }
        }
    }

    pub fn text_over_lines(&self) -> Box<Broken> {
        let lines = self.slice(self.previous).lines().count();
        let problem = Problem::at(self.previous.bytes())
            .title("text is not closed where it should be")
            .label(format!("this text goes on for {lines} lines: is its closing `\"` missing?"))
            .related(self.previous.end - 1..self.previous.end, "this quote ends it");
        Broken::here(problem)
    }

    fn stray_colon(&self) -> Box<Broken> {
        let (opener, name) = (self.opener(), self.previous);
        if opener.kind != Kind::Open('[') || !matches!(name.kind, Kind::Word | Kind::Text) {
            let problem = Problem::at(self.token.bytes())
                .title("unexpected `:`")
                .label("no field name or key stands before this");
            return Broken::here(problem);
        }
        if self.begins_line(name) && self.depth(name) <= self.depth(opener) {
            return self.never_closed(Some(name));
        }
        let problem = Problem::at(name.bytes())
            .title("a field name in a list")
            .label("the items of a list have no names")
            .related(opener.bytes(), "in this list")
            .help("put the fields of an item in parentheses: `[(name: value), …]`");
        Broken::here(problem)
    }

    fn odd(&self, odd: char) -> Box<Broken> {
        let at = Problem::at(self.token.bytes());
        let problem = match odd {
            '=' => at
                .title("unexpected `=`")
                .label("a field and its value are separated by `:`")
                .help("write `name: value`"),
            ';' => at.title("unexpected `;`").label("items are separated by `,`"),
            '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '`' => at
                .title(format!("`{odd}` is not a quotation mark of the format"))
                .label("text is written in plain double quotes")
                .help("write \"…\""),
            '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' | '\u{200b}' | '\u{feff}' => at
                .title(format!("an invisible character, U+{:04X}", odd as u32))
                .label("this is not a plain space")
                .help("replace it by a space; it often comes from copying out of a web page"),
            '#' => {
                at.title("unexpected `#`").label("not a comment").help("comments begin with `//`")
            }
            odd if odd.is_control() => at
                .title(format!("an invisible character, U+{:04X}", odd as u32))
                .label("control characters have no place in a scenario"),
            odd => at.title(format!("unexpected `{odd}`")).label("this sign has no meaning here"),
        };
        Broken::here(problem)
    }

    /// A duration, ratio or name that lacks its quotes.
    pub fn unquoted(&self, bytes: Range<usize>) -> Box<Broken> {
        let written: String = clipped(&self.text[bytes.clone()]);
        let joined: String = written.split_whitespace().collect();
        let starts_with_digit = written.starts_with(|c: char| !c.is_alphabetic());
        let why = match starts_with_digit {
            true if written.contains('/') => "a ratio is text",
            true if written.contains('%') => "a percentage is text",
            true if written.contains(char::is_alphabetic) => "a number with a unit is text",
            true => "this is not a number",
            false => "a name with `-`, `.` or `+` in it is text",
        };
        let problem = Problem::at(bytes)
            .title(format!("`{written}` needs quotes"))
            .label(why)
            .help(format!("write \"{joined}\""));
        Broken::here(problem)
    }

    pub fn misses_colon(&self) -> bool {
        let follows = self.following();
        matches!(follows, Kind::Text | Kind::Number | Kind::Word | Kind::Char | Kind::Odd('='))
            || (matches!(follows, Kind::Open(bracket) if bracket != '('))
    }

    pub fn missing_colon(&self) -> Box<Broken> {
        let mut ahead = self.lexer;
        match ahead.next() {
            Ok(token) if token.kind == Kind::Odd('=') => Broken::here(
                Problem::at(token.bytes())
                    .title("unexpected `=`")
                    .label("a field and its value are separated by `:`")
                    .help(format!("write `{}: value`", self.slice(self.token))),
            ),
            _ => self.missing_colon_after(self.token.bytes()),
        }
    }

    pub fn missing_colon_after(&self, key: Range<usize>) -> Box<Broken> {
        if let Kind::Odd(odd @ '=') = self.token.kind {
            return self.odd(odd);
        }
        let name = clipped(&self.text[key.clone()]);
        if matches!(self.token.kind, Kind::Comma | Kind::Close(_)) {
            let problem = Problem::at(key)
                .title(format!("{name} has no value"))
                .label("a `:` and a value should follow")
                .related(self.opener().bytes(), "an entry of this map");
            return Broken::here(problem);
        }
        if self.token.kind == Kind::End {
            return self.never_closed(None);
        }
        let problem = Problem::at(key.end..key.end)
            .title("a colon is missing")
            .label(format!("a `:` should follow `{name}`"));
        Box::new(Broken { problem, since: key.start })
    }

    /// An item without a name in a struct whose other fields have names.
    pub fn nameless(&self) -> Box<Broken> {
        if self.token.kind == Kind::Word && self.misses_colon() {
            return self.missing_colon();
        }
        if !matches!(
            self.token.kind,
            Kind::Word | Kind::Text | Kind::Number | Kind::Char | Kind::Open(_)
        ) {
            return self.no_value();
        }
        let written = clipped(self.slice(self.token));
        let is_name = self.token.kind == Kind::Word && self.following() != Kind::Open('(');
        let problem = match is_name {
            true => Problem::at(self.token.bytes())
                .title(format!("field `{written}` has no value"))
                .label("a `:` and a value should follow"),
            false => Problem::at(self.token.bytes())
                .title("a value without a field name")
                .label("a field name and a `:` should come before this")
                .related(self.opener().bytes(), "all fields here have names"),
        };
        Broken::here(problem)
    }

    /// `"name": value` in parentheses: an entry of the map around them, or a habit from JSON.
    pub fn quoted_field(&self) -> Box<Broken> {
        let around = self.open.len().checked_sub(2).map(|at| self.open[at].0.kind);
        if around == Some(Kind::Open('{')) && self.begins_line(self.token) {
            return self.never_closed(Some(self.token));
        }
        let written = clipped(self.slice(self.token));
        let name = written.trim_matches('"');
        let problem = Problem::at(self.token.bytes())
            .title(format!("a field name in quotes, {written}"))
            .label("in `(…)` fields are named without quotes")
            .related(self.opener().bytes(), "these are the fields of a struct");
        let problem = match self.token.kind {
            Kind::Text => {
                problem.help(format!("write `{name}: …`; only the keys of `{{…}}` are quoted"))
            }
            _ => problem
                .title(format!("`{written}` is not a field name"))
                .label("with `-` or `.` in it"),
        };
        Broken::here(problem)
    }

    /// A closing bracket that is not the one of the innermost open bracket.
    fn mismatch(&self, found: char) -> Box<Broken> {
        if self
            .open
            .iter()
            .any(|(open, _)| matches!(open.kind, Kind::Open(b) if closing(b) == found))
        {
            return self.never_closed(Some(self.token));
        }
        let opener = self.opener();
        let expected = match opener.kind {
            Kind::Open(bracket) => closing(bracket),
            _ => found,
        };
        let problem = Problem::at(self.token.bytes())
            .title(format!("`{found}` where `{expected}` is expected"))
            .label(format!("this should be `{expected}`"))
            .related(opener.bytes(), "to close this bracket");
        Broken::here(problem)
    }

    /// The innermost open bracket has no partner; `before` is where one should have stood.
    fn never_closed(&self, before: Option<Token>) -> Box<Broken> {
        if let (None, Some((opener, closer))) = (before, self.suspect) {
            let problem = self
                .lacks_partner(opener)
                .related(closer.bytes(), "this closes it, though it is indented to close another");
            return Box::new(Broken { problem, since: opener.start });
        }
        let opener = self.opener();
        let problem = match before {
            Some(token) => {
                self.lacks_partner(opener).related(token.bytes(), "expected before this")
            }
            None => self.lacks_partner(opener),
        };
        Box::new(Broken { problem, since: opener.start })
    }

    fn lacks_partner(&self, opener: Token) -> Problem {
        let Kind::Open(bracket) = opener.kind else {
            return Problem::at(opener.bytes()).title("the text ends too early");
        };
        Problem::at(opener.bytes())
            .title(format!("`{bracket}` is never closed"))
            .label(format!("its `{}` is missing", closing(bracket)))
    }

    pub fn closes_nothing(&self, bracket: char) -> Box<Broken> {
        let problem = Problem::at(self.token.bytes())
            .title(format!("`{bracket}` closes nothing"))
            .label("no bracket is open here");
        let problem = match self.suspect {
            Some((opener, closer)) => problem
                .related(opener.bytes(), "this bracket")
                .related(closer.bytes(), "is closed here, though the lines are not indented alike"),
            None => problem.related(self.previous.bytes(), "the scenario ends here"),
        };
        Broken::here(problem)
    }

    pub fn after_the_end(&self) -> Box<Broken> {
        let previous = self.previous;
        let is_same_line = !self.text[previous.end..self.token.start].contains('\n');
        if previous.kind == Kind::Number && self.token.kind == Kind::Word && is_same_line {
            return self.unquoted(previous.start..self.token.end);
        }
        if previous.kind == Kind::Word && matches!(self.token.kind, Kind::Colon | Kind::Odd('=')) {
            let problem = Problem::at(self.token.bytes())
                .title(format!("unexpected `{}`", self.slice(self.token)))
                .label("the whole text should be one value")
                .help("a scenario is RON, written `Scenario(name: value, …)`");
            return Broken::here(problem);
        }
        let problem = Problem::at(self.token.bytes())
            .title("something follows the end of the scenario")
            .label("not expected")
            .related(previous.bytes(), "the scenario ends here");
        Broken::here(problem)
    }

    fn line(&self, token: Token) -> usize {
        self.text[..token.start].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn begins_line(&self, token: Token) -> bool {
        self.text[self.line(token)..token.start].trim().is_empty()
    }

    /// How far the line of a token is indented.
    fn depth(&self, token: Token) -> usize {
        indentation(self.text, self.line(token)).len()
    }
}
