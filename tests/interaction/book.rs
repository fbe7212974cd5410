//! A text of cases: comments, a command with its input, `----`, the output, an empty line.

use std::fmt::Write;

/// Between what is said and what comes out.
const RULE: &str = "----";

#[derive(Debug)]
pub struct Case {
    /// Where the command stands, counted from one.
    line: usize,
    /// Comments and empty lines before the command.
    before: Vec<String>,
    pub command: String,
    /// What follows the command up to the rule.
    pub input: String,
    pub output: Vec<String>,
}

#[derive(Debug)]
pub struct Book {
    pub cases: Vec<Case>,
    /// What follows the last case.
    after: Vec<String>,
}

impl Book {
    pub fn of(text: &str) -> Result<Book, String> {
        let mut lines = text.lines().enumerate().map(|(place, line)| (place + 1, line)).peekable();
        let mut book = Book { cases: Vec::new(), after: Vec::new() };
        loop {
            let mut before = Vec::new();
            let is_apart = |line: &str| line.is_empty() || line.starts_with('#');
            while let Some((_, line)) = lines.next_if(|(_, line)| is_apart(line)) {
                before.push(line.to_owned());
            }
            let Some((line, command)) = lines.next() else {
                book.after = before;
                return Ok(book);
            };
            let input: Vec<&str> = std::iter::from_fn(|| lines.next_if(|(_, line)| *line != RULE))
                .map(|l| l.1)
                .collect();
            if lines.next().is_none() {
                return Err(format!("line {line}: no `{RULE}` follows the command `{command}`"));
            }
            let output = std::iter::from_fn(|| lines.next_if(|(_, line)| !line.is_empty()));
            let output = output.map(|(_, line)| line.to_owned()).collect();
            let (command, input) = (command.to_owned(), input.join("\n"));
            book.cases.push(Case { line, before, command, input, output });
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for case in &self.cases {
            case.before.iter().for_each(|line| text += &format!("{line}\n"));
            text += &format!("{}\n", case.command);
            text.extend(case.input.lines().map(|line| format!("{line}\n")));
            text += &format!("{RULE}\n");
            case.output.iter().for_each(|line| text += &format!("{line}\n"));
        }
        self.after.iter().for_each(|line| text += &format!("{line}\n"));
        text
    }
}

/// The cases whose output differs: what all agree on, what was (`-`) and what is (`+`).
pub fn difference(name: &str, was: &str, is: &str) -> String {
    let (Ok(was), Ok(is)) = (Book::of(was), Book::of(is)) else { return String::new() };
    let mut text = String::new();
    for (was, is) in was.cases.iter().zip(&is.cases).filter(|(was, is)| was.output != is.output) {
        let _ = writeln!(text, "{name}:{}: {}", was.line, was.command);
        let (old, new) = (&was.output, &is.output);
        let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let rest = old.len().min(new.len()) - head;
        let ends = old.iter().rev().zip(new.iter().rev());
        let tail = ends.take(rest).take_while(|(old, new)| old == new).count();
        let mut show = |mark: &str, lines: &[String]| {
            lines.iter().for_each(|line| text += &format!("{mark} {line}\n"));
        };
        show(" ", &old[..head]);
        show("-", &old[head..old.len() - tail]);
        show("+", &new[head..new.len() - tail]);
        show(" ", &old[old.len() - tail..]);
        text.push('\n');
    }
    text
}
