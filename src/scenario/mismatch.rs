//! Values of another kind than the field can take, and the correction that it would accept.

use ron::Error;

use super::diagnose::{Problem, listed, nearest};
use super::spans::{NodeId, Shape};
use super::tokens::clipped;
use super::translate::{NO_NAME, Reader, Subject, lower_first};

/// Longer values are not tried in other forms: nobody slips by so much.
const VALUE_BYTES_TRIED: usize = 100;

impl Reader<'_> {
    /// Errors that name what ron expected at its cursor.
    pub fn unexpected(&self, cursor: usize, code: &Error) -> Problem {
        let subject = self.upcoming(cursor);
        let expected = match code {
            Error::ExpectedInteger => "a whole number",
            Error::ExpectedFloat => "a number",
            Error::ExpectedBoolean => "`true` or `false`",
            Error::ExpectedChar => "one character in single quotes",
            Error::ExpectedString => "text in quotes",
            Error::ExpectedByteString => "bytes in quotes, `b\"…\"`",
            Error::ExpectedArray => "a list, `[…]`",
            Error::ExpectedMap => "a map, `{…}`",
            Error::ExpectedUnit => "`()`",
            Error::ExpectedOption => "a value or `None`",
            Error::ExpectedIdentifier | Error::SuggestRawIdentifier(_) => {
                if let Some(problem) = self.nameless(cursor, subject.as_ref()) {
                    return problem;
                }
                "one of its choices"
            }
            Error::ExpectedStructLike | Error::ExpectedNamedStructLike(_) => {
                return self.no_fields(cursor, subject);
            }
            Error::ExpectedComma
            | Error::ExpectedArrayEnd
            | Error::ExpectedStructLikeEnd
            | Error::ExpectedOptionEnd
            | Error::ExpectedMapEnd
            | Error::TrailingCharacters => return self.superfluous(cursor, subject, code),
            code => {
                return Problem::at(self.bytes(subject.as_ref(), cursor))
                    .title(lower_first(&code.to_string()));
            }
        };
        self.mismatch(subject, cursor, expected)
    }

    /// A value of another kind than expected, with the correction that would be accepted.
    pub fn mismatch(&self, subject: Option<Subject>, cursor: usize, expected: &str) -> Problem {
        let Some(subject) = subject else {
            return Problem::at(self.word_at(cursor)).title(format!("expected {expected}"));
        };
        let written = &self.text[subject.bytes.clone()];
        if subject.is_key {
            let parent = self.spans.node(subject.node).parent;
            return Problem::at(subject.bytes.clone())
                .title(format!("the keys of {} must be {expected}", self.called(parent)))
                .label("this key is not")
                .help(format!("write \"{}\"", clipped(written.trim_matches('"'))));
        }
        let problem = Problem::at(subject.bytes.clone())
            .title(format!("{} must be {expected}", self.called(subject.node)))
            .label(format!("this is {}", self.described(subject.node)));
        match self.variants(&subject) {
            Some(variants) => self.choose_variant(problem, &subject, &variants),
            None => match self.correction(&subject) {
                Some(help) => problem.help(help),
                None => self.list_fields(problem, &subject),
            },
        }
    }

    /// What stands there, in plain words.
    fn described(&self, id: NodeId) -> String {
        let node = self.spans.node(id);
        let written = &self.text[node.value()];
        match node.shape {
            Shape::Text => "text".into(),
            Shape::Number if written.contains("..") => "a range".into(),
            Shape::Number if written.contains(['.', 'e']) && !written.starts_with("0x") => {
                "a number with a fraction".into()
            }
            Shape::Number => "a number".into(),
            Shape::Char => "a character".into(),
            Shape::Word => format!("`{}`", clipped(written)),
            Shape::List => "a list".into(),
            Shape::Map => "a map".into(),
            Shape::Struct | Shape::Tuple => match node.written_name(self.text) {
                Some(name) => format!("`{}(…)`", clipped(name)),
                None => "a value in parentheses".into(),
            },
        }
    }

    /// What to write instead, if one of the usual slips explains the value.
    fn correction(&self, subject: &Subject) -> Option<String> {
        let written = &self.text[subject.bytes.clone()];
        let shape = self.spans.node(subject.node).shape;
        let content = written.trim_matches('"');
        if written.len() > VALUE_BYTES_TRIED {
            return None;
        }
        let quoted = format!("\"{written}\"");
        let candidates: Vec<(String, String)> = match shape {
            Shape::Text => vec![
                (content.to_owned(), format!("write it without quotes: {content}")),
                (format!("[{written}]"), format!("write a list: [{written}]")),
                (
                    format!("\"{content}ms\""),
                    format!("a time has a unit: \"{content}ms\" or \"{content}s\""),
                ),
            ],
            Shape::Number => vec![
                (quoted.clone(), format!("write it in quotes: {quoted}")),
                (
                    format!("\"{written}ms\""),
                    format!("a time is written with its unit: \"{written}ms\" or \"{written}s\""),
                ),
                (format!("[{written}]"), format!("write a list: [{written}]")),
            ],
            Shape::Word => vec![
                (quoted.clone(), format!("write it in quotes: {quoted}")),
                (format!("[{quoted}]"), format!("write a list: [{quoted}]")),
            ],
            _ => vec![(format!("[{written}]"), format!("write a list: [{written}]"))],
        };
        let accepted = |(text, help): (String, String)| {
            (!text.is_empty() && self.accepts(&subject.bytes, &text)).then_some(help)
        };
        candidates.into_iter().find_map(accepted)
    }

    /// The variants that may stand there, if it is an enum.
    fn variants(&self, subject: &Subject) -> Option<Vec<&'static str>> {
        match self.try_with(subject.bytes.clone(), NO_NAME)? {
            (Error::NoSuchEnumVariant { expected, found, .. }, _) if found == NO_NAME => {
                Some(expected.to_vec())
            }
            _ => None,
        }
    }

    fn choose_variant(&self, problem: Problem, subject: &Subject, variants: &[&str]) -> Problem {
        let written = &self.text[subject.bytes.clone()];
        let content = written.trim_matches('"');
        if written.len() > VALUE_BYTES_TRIED {
            return problem.help(format!("the choices are {}", listed(variants)));
        }
        if let Some(near) = nearest(content, variants.iter().copied()) {
            return problem.help(format!("write `{near}`, without quotes"));
        }
        let around = |content: &str| {
            let wrapped = variants.iter().take(12).map(|variant| format!("{variant}({content})"));
            wrapped.into_iter().find(|wrapped| self.accepts(&subject.bytes, wrapped))
        };
        let problem = match around(written).or_else(|| around(&format!("\"{written}ms\""))) {
            Some(wrapped) => problem.help(format!("write `{wrapped}`")),
            None => problem,
        };
        problem.help(format!("the choices are {}", listed(variants)))
    }

    /// Names the fields of the struct that should stand there.
    fn list_fields(&self, problem: Problem, subject: &Subject) -> Problem {
        let probe = format!("({NO_NAME}: 0)");
        match self.try_with(subject.bytes.clone(), &probe) {
            Some((Error::NoSuchStructField { expected, found, .. }, _))
                if found == NO_NAME && !expected.is_empty() =>
            {
                problem.help(format!("its fields are {}", listed(expected)))
            }
            _ => problem,
        }
    }

    /// The value of a field without the field's name, as in `Exponential("1s")`.
    fn nameless(&self, cursor: usize, subject: Option<&Subject>) -> Option<Problem> {
        let subject = subject.filter(|subject| !subject.is_key && subject.node != 0)?;
        let parent = self.spans.node(subject.node).parent;
        let owner = self.spans.node(parent).written_name(self.text)?;
        if self.spans.node(parent).shape != Shape::Tuple || cursor > subject.bytes.start {
            return None;
        }
        let written = &self.text[subject.bytes.clone()];
        let named = |name: &str| format!("{name}: {written}");
        let fields = match self.try_with(subject.bytes.clone(), &named(NO_NAME))? {
            (Error::NoSuchStructField { expected, found, .. }, _) if found == NO_NAME => expected,
            _ => return None,
        };
        let problem = Problem::at(subject.bytes.clone())
            .title(format!("the fields of `{owner}` have names"))
            .label("the name of this is missing");
        let fits = |name: &&&str| self.accepts(&subject.bytes, &named(name));
        let problem = match fields.iter().find(fits) {
            Some(name) if written.len() <= VALUE_BYTES_TRIED => {
                problem.help(format!("write `{}`", named(name)))
            }
            _ => problem,
        };
        Some(problem.help(format!("its fields are {}", listed(fields))))
    }

    /// Something without parentheses where fields are expected.
    fn no_fields(&self, cursor: usize, subject: Option<Subject>) -> Problem {
        let name = self.consumed(cursor).filter(|subject| {
            !subject.is_key && self.spans.node(subject.node).shape == Shape::Word
        });
        match name {
            Some(subject) => {
                let written = clipped(&self.text[subject.bytes.clone()]);
                let problem = Problem::at(subject.bytes.clone())
                    .title(format!("`{written}` needs a value in parentheses"))
                    .label("nothing follows it")
                    .help(format!("write `{written}(…)`"));
                let probe = format!("{written}({NO_NAME}: 0)");
                match self.try_with(subject.bytes, &probe) {
                    Some((Error::NoSuchStructField { expected, .. }, _)) => {
                        problem.help(format!("its fields are {}", listed(expected)))
                    }
                    _ => problem,
                }
            }
            None => {
                let map = subject
                    .as_ref()
                    .filter(|subject| self.spans.node(subject.node).shape == Shape::Map);
                let help = map.map(|subject| match subject.node {
                    0 => "this looks like JSON; a scenario is RON: `Scenario(name: value, …)`",
                    _ => "`{…}` is for maps, whose keys are free; write `(name: value, …)`",
                });
                let problem = self.mismatch(subject, cursor, "a struct, `(…)`");
                help.into_iter().fold(problem, Problem::help)
            }
        }
    }

    /// More than the type can take: a second item, fields of a variant without any, a fraction.
    fn superfluous(&self, cursor: usize, subject: Option<Subject>, code: &Error) -> Problem {
        let Some(subject) = subject else {
            return self.after_a_name(cursor).unwrap_or_else(|| {
                Problem::at(self.word_at(cursor)).title(lower_first(&code.to_string()))
            });
        };
        if subject.bytes.start < cursor && !subject.is_key {
            return self.mismatch(Some(subject), cursor, "a whole number");
        }
        let parent = self.spans.node(subject.node).parent;
        if parent as usize >= self.spans.nodes.len() {
            return Problem::at(subject.bytes).title(lower_first(&code.to_string()));
        }
        let count = self.spans.node(subject.node).index;
        let owner = self.owner(parent);
        Problem::at(subject.bytes).title(format!("too many values for {owner}")).label(
            match count {
                1 => format!("{owner} takes one value"),
                count => format!("{owner} takes {count} values"),
            },
        )
    }

    /// The parentheses after a variant that has none.
    fn after_a_name(&self, cursor: usize) -> Option<Problem> {
        let id = self.spans.holding(cursor)?;
        let node = self.spans.node(id);
        let name = node.written_name(self.text)?;
        let bracket = (node.body as usize).checked_sub(1)?;
        (self.word_at(cursor).start == bracket).then(|| {
            Problem::at(bracket..node.value().end)
                .title(format!("`{}` takes no values", clipped(name)))
                .label("remove this")
        })
    }

    pub fn wrong_struct_name(&self, cursor: usize, expected: &str, found: &str) -> Problem {
        let start = cursor.saturating_sub(found.len());
        let subject = self.spans.holding(start).map(|id| self.subject(id as usize, false));
        let bytes = start..cursor;
        let Some(subject) = subject else {
            return Problem::at(self.word_at(start)).title(format!("unexpected `{found}`"));
        };
        let called = self.called(subject.node);
        if self.spans.node(subject.node).shape == Shape::Word {
            let expected = "a struct, `(…)`";
            return self.mismatch(Some(subject), cursor, expected);
        }
        let problem = Problem::at(bytes.clone())
            .title(format!("unexpected name `{}`", clipped(found)))
            .label(format!("{called} is not called this"));
        if subject.node == 0 || nearest(found, [expected]).is_some() {
            return problem.help(format!("did you mean `{expected}`?"));
        }
        problem.help("leave the name out: `(field: value, …)`")
    }

    pub fn out_of_bounds(&self, cursor: usize) -> Problem {
        const LIMITS: [u64; 7] = [
            u64::MAX,
            i64::MAX as u64,
            u32::MAX as u64,
            i32::MAX as u64,
            u16::MAX as u64,
            u8::MAX as u64,
            i8::MAX as u64,
        ];
        let Some(subject) = self.consumed(cursor) else {
            return Problem::at(self.word_at(cursor)).title("this number is out of range");
        };
        let written = clipped(&self.text[subject.bytes.clone()]);
        let called = self.called(subject.node);
        let problem = Problem::at(subject.bytes.clone());
        if written.starts_with('-') {
            return problem
                .title(format!(
                    "{called} cannot be {}",
                    if self.accepts(&subject.bytes, "-1") { "so small" } else { "negative" }
                ))
                .label("this number is less than 0");
        }
        let problem = problem.title(format!("{written} is too large for {called}"));
        match LIMITS.iter().find(|limit| self.accepts(&subject.bytes, &limit.to_string())) {
            Some(limit) => problem.label(format!("the largest possible number is {limit}")),
            None => problem.label("too large"),
        }
    }
}
