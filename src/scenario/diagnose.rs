//! A problem is what is wrong with the user's input, said so that it can be mended at once.
//!
//! Everything that reads a scenario reports [`Problem`]s: a title, the place in the text, what was
//! expected there and what to write instead. They are values: a check collects as many as it finds
//! and [`render`] shows them together, in the order of the text and in the look of rustc.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};

use super::source::{Place, Source};

/// Whether a scenario with this problem can run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not mean what its author thinks.
    Warning,
}

/// Something wrong with the user's input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong, in one line without a full stop.
    pub title: String,
    /// Places in the source with what is said beside each, which may be nothing. The first is at
    /// fault, the others explain it; there is none if it is not a matter of the text.
    pub marks: Vec<(Range<usize>, String)>,
    /// What to do about it, most useful first.
    pub helps: Vec<String>,
    /// Further facts.
    pub notes: Vec<String>,
    /// The text that the places are in, if it is not the source: an argument that never came into
    /// it.
    pub page: Option<Box<Page>>,
}

/// A text with a name, to show places in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Where the text comes from.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Problem {
    /// A problem with no place in a text: a missing file, an impossible argument.
    pub fn new(title: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            title: title.into(),
            marks: Vec::new(),
            helps: Vec::new(),
            notes: Vec::new(),
            page: None,
        }
    }

    /// A problem with these bytes of the source; its title is still to be given.
    pub fn at(bytes: Range<usize>) -> Problem {
        Problem { marks: vec![(bytes, String::new())], ..Problem::new("") }
    }

    /// The bytes at fault.
    pub fn place(&self) -> Option<Range<usize>> {
        self.marks.first().map(|(bytes, _)| bytes.clone())
    }

    /// Says what is wrong.
    pub fn title(mut self, title: impl Into<String>) -> Problem {
        self.title = title.into();
        self
    }

    /// Says what stands at the place, or what should. Without a place it is a note.
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        match self.marks.first_mut() {
            Some((_, said)) => *said = label.into(),
            None => self.notes.push(label.into()),
        }
        self
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.helps.push(help.into());
        self
    }

    /// Adds a fact.
    pub fn note(mut self, note: impl Into<String>) -> Problem {
        self.notes.push(note.into());
        self
    }

    /// Points at another place that explains the first.
    pub fn related(mut self, bytes: Range<usize>, text: impl Into<String>) -> Problem {
        self.marks.push((bytes, text.into()));
        self
    }

    /// Adds the advice that fits when `found` is none of `choices`: the nearest choice if there is
    /// one, and all of them if they are few or none is near. `what` names them: "the nodes are".
    pub fn choose(self, found: &str, choices: &[&str], what: &str) -> Problem {
        let near = nearest(found, choices.iter().copied());
        let problem = match near {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        };
        match choices {
            [] => problem,
            [_] if near.is_some() => problem,
            _ if near.is_none() || choices.len() <= CHOICES_BESIDE_A_NEAR_ONE => {
                problem.help(format!("{what} {}", listed(choices)))
            }
            _ => problem,
        }
    }

    /// Says that the places are in `text`, which comes from `name`, and not in the source.
    pub fn on(mut self, name: impl Into<String>, text: impl Into<String>) -> Problem {
        self.page = Some(Box::new(Page { name: name.into(), text: text.into() }));
        self
    }

    /// Makes it a warning.
    pub fn warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }
}

/// Up to so many choices are worth listing although a near one was found.
const CHOICES_BESIDE_A_NEAR_ONE: usize = 6;
/// A list in a help stops here.
const CHOICES_LISTED: usize = 30;
/// So many problems are shown; the rest are counted.
const PROBLEMS_SHOWN: usize = 20;
/// Neither the user's names nor our choices are longer; comparing longer ones costs their product.
const NAME_BYTES_COMPARED: usize = 100;

/// The choices as prose: `a`, `b` and `c`.
pub fn listed(choices: &[&str]) -> String {
    let shown = &choices[..choices.len().min(CHOICES_LISTED)];
    let mut ticked: Vec<String> = shown.iter().map(|choice| format!("`{choice}`")).collect();
    if choices.len() > shown.len() {
        ticked.push(format!("{} more", choices.len() - shown.len()));
    }
    match ticked.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The candidate that the user most probably meant by `found`, if any is near: at most one third of
/// its letters wrong, missing, superfluous or swapped (the rule of rustc), case not counted. Of
/// equally near ones the first. Takes names in any form: an iterator, or a borrowed list.
pub fn nearest<C: AsRef<str>>(found: &str, candidates: impl IntoIterator<Item = C>) -> Option<C> {
    if found.is_empty() || found.len() > NAME_BYTES_COMPARED {
        return None;
    }
    let folded = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = folded(found);
    let mut best: Option<(usize, C)> = None;
    for candidate in candidates {
        let name = candidate.as_ref();
        if name.len() > NAME_BYTES_COMPARED {
            continue;
        }
        let letters = name.chars().count();
        let allowed = (found.chars().count().max(letters) / 3).max(1);
        let distance = strsim::damerau_levenshtein(&wanted, &folded(name));
        // With every letter wrong it is another name, however short.
        let is_near = distance <= allowed && distance < letters;
        if is_near && best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Shows the problems as rustc shows its own: those without a place first, then in the order of the
/// text, with a closing count if there are several. `source` is the text that the places refer to;
/// without it only the words are shown. `color` adds ANSI escapes. The text ends with a newline.
pub fn render(problems: &[Problem], source: Option<&Source>, color: bool) -> String {
    let mut ordered: Vec<&Problem> = problems.iter().collect();
    ordered.sort_by_key(|problem| {
        (problem.page.is_none(), problem.place().map(|bytes| (bytes.start, bytes.end)))
    });
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in ordered.iter().take(PROBLEMS_SHOWN) {
        out.push_str(renderer.render(&[group(problem, source)]).trim_end());
        out.push_str("\n\n");
    }
    if let Some(summary) = summary(problems) {
        out.push_str(&summary);
        out.push('\n');
    } else if out.ends_with("\n\n") {
        out.pop();
    }
    out
}

/// The closing line: how many problems there are. One problem needs no count.
fn summary(problems: &[Problem]) -> Option<String> {
    let total = problems.len();
    if total < 2 {
        return None;
    }
    let hidden = total.saturating_sub(PROBLEMS_SHOWN);
    let shown =
        if hidden > 0 { format!(", the first {PROBLEMS_SHOWN} are shown") } else { String::new() };
    Some(format!("{total} problems found{shown}"))
}

/// One problem in the renderer's terms.
fn group<'p>(problem: &'p Problem, source: Option<&'p Source>) -> Group<'p> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group =
        level.primary_title(one_line(&problem.title)).elements(snippets(problem, source));
    for note in &problem.notes {
        group = group.element(Level::NOTE.message(trusted(note)));
    }
    for help in &problem.helps {
        group = group.element(Level::HELP.message(trusted(help)));
    }
    group
}

/// The pieces of text that a problem talks about: one for each document (the file, and every
/// `--set` argument) in which it has a place, the primary one first.
fn snippets<'p>(
    problem: &'p Problem,
    source: Option<&'p Source>,
) -> Vec<Snippet<'p, Annotation<'p>>> {
    let mut sheets: Vec<Sheet<'p>> = Vec::new();
    for (rank, (bytes, label)) in problem.marks.iter().enumerate() {
        let kind = if rank == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let place = match (&problem.page, source) {
            (Some(page), _) => Place { name: &page.name, text: &page.text, bytes: bytes.clone() },
            (None, Some(source)) => source.place(bytes.clone()),
            (None, None) => return Vec::new(),
        };
        let range = first_line_of(place.text, place.bytes);
        let mark = (range, label.as_str(), kind);
        match sheets.iter_mut().find(|sheet| std::ptr::eq(sheet.text, place.text)) {
            Some(sheet) => sheet.marks.push(mark),
            None => sheets.push(Sheet { name: place.name, text: place.text, marks: vec![mark] }),
        }
    }
    sheets.into_iter().map(Sheet::snippet).collect()
}

/// A document with the marks that are to be drawn on it.
struct Sheet<'p> {
    name: &'p str,
    text: &'p str,
    marks: Vec<(Range<usize>, &'p str, AnnotationKind)>,
}

impl<'p> Sheet<'p> {
    /// Only the lines from the first to the last mark are handed on: the renderer copies what it
    /// gets, and a scenario can be megabytes.
    fn snippet(self) -> Snippet<'p, Annotation<'p>> {
        let text = self.text;
        let first = self.marks.iter().map(|(range, ..)| range.start).min().unwrap_or(0);
        let last = self.marks.iter().map(|(range, ..)| range.end).max().unwrap_or(0);
        let from = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
        let to = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
        let line = 1 + text[..from].bytes().filter(|byte| *byte == b'\n').count();
        let marks = self.marks.into_iter().map(|(range, label, kind)| {
            let label = (!label.is_empty()).then(|| one_line(label));
            kind.span(range.start - from..range.end - from).label(label)
        });
        Snippet::source(text[from..to].trim_end_matches('\r'))
            .path(one_line(self.name))
            .line_start(line)
            .annotations(marks)
    }
}

/// The part of `bytes` on its first line: a caret under forty lines of a list helps nobody.
fn first_line_of(text: &str, bytes: Range<usize>) -> Range<usize> {
    let start = floor_char(text, bytes.start);
    let end = floor_char(text, bytes.end).max(start);
    let line = text[start..end].split(['\n', '\r']).next().unwrap_or("");
    start..start + line.trim_end().len()
}

/// The nearest character boundary at or before `offset`.
fn floor_char(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A title or label on one line of bearable length, whatever the user's text holds.
fn one_line(text: &str) -> String {
    const CHARS: usize = 200;
    let mut line = normalize_untrusted_str(&text.replace(['\n', '\r'], " "));
    if let Some((cut, _)) = line.char_indices().nth(CHARS) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// A message without escape sequences: the renderer trusts messages, and these quote user text.
fn trusted(text: &str) -> String {
    text.split('\n').map(normalize_untrusted_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod toy;
