//! The words and signs of a RON text, with their places.
//!
//! ron reports where its cursor stood, which is before, inside or after the word at fault. This
//! reader finds the word. It is lenient: what ron would refuse is a token too, so that the refusal
//! can name it.

use std::ops::Range;

use super::diagnose::Problem;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// A string or byte string, raw or not.
    Text,
    /// `'x'` or `b'x'`.
    Char,
    /// A number, well-formed or not: `5`, `1e3`, `5ms`, `1/20`.
    Number,
    /// An identifier: a field, a variant, `true`.
    Word,
    /// What looks like a name but is no identifier: `orders-app`.
    Dashed,
    /// Any other character.
    Odd(char),
    /// The end of the text.
    End,
}

/// A word or sign at bytes `start..end` of the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    /// Its bytes.
    pub fn bytes(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A text that cannot be divided into tokens, or whose brackets and commas do not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    /// What to tell the user.
    pub problem: Problem,
    /// From this byte on nothing that another reader says can be relied on.
    pub since: usize,
}

impl Broken {
    /// Broken at the problem's own place.
    pub fn here(problem: Problem) -> Box<Broken> {
        let since = problem.place().map_or(0, |bytes| bytes.start);
        Box::new(Broken { problem, since })
    }
}

/// A place in a text from which tokens are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    /// Reads `text` from byte `at`, which must be the boundary of a character.
    pub fn new(text: &'t str, at: usize) -> Lexer<'t> {
        Lexer { text, at }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The next token, or what is wrong with it.
    pub fn next(&mut self) -> Result<Token, Box<Broken>> {
        self.skip_blanks()?;
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: Kind::End, start, end: start });
        };
        let kind = match first {
            '(' | '[' | '{' => self.take(1, Kind::Open(first)),
            ')' | ']' | '}' => self.take(1, Kind::Close(first)),
            ',' => self.take(1, Kind::Comma),
            ':' => self.take(1, Kind::Colon),
            '"' => self.text(1)?,
            '\'' => self.character(1)?,
            'b' if rest.starts_with("b\"") => self.text(2)?,
            'b' if rest.starts_with("b'") => self.character(2)?,
            'r' | 'b' if raw_hashes(rest).is_some() => self.raw_text()?,
            '0'..='9' | '+' | '-' | '.' => self.number(),
            first if first == '_' || first.is_alphabetic() => self.word(),
            odd => self.take(odd.len_utf8(), Kind::Odd(odd)),
        };
        Ok(Token { kind, start, end: self.at })
    }

    fn take(&mut self, bytes: usize, kind: Kind) -> Kind {
        self.at += bytes;
        kind
    }

    /// Skips whitespace and comments; block comments nest.
    fn skip_blanks(&mut self) -> Result<(), Box<Broken>> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches(is_blank).len();
            self.at += blanks;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Box<Broken>> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while self.at < bytes.len() {
            match &bytes[self.at..bytes.len().min(self.at + 2)] {
                b"/*" => (depth, self.at) = (depth + 1, self.at + 2),
                b"*/" => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                return Ok(());
            }
        }
        let problem = Problem::at(start..start + 2)
            .title("a comment is never closed")
            .label("this `/*` has no `*/`")
            .help("comments nest: every `/*` inside a comment needs its own `*/`");
        Err(Broken::here(problem))
    }

    /// A string whose quote is the last of `opening` bytes.
    fn text(&mut self, opening: usize) -> Result<Kind, Box<Broken>> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + opening;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return Ok(Kind::Text);
                }
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        Err(unclosed_text(self.text, start, start + opening, "\""))
    }

    fn raw_text(&mut self) -> Result<Kind, Box<Broken>> {
        let start = self.at;
        let prefix = if self.rest().starts_with('b') { 2 } else { 1 };
        let hashes = raw_hashes(self.rest()).unwrap_or(0);
        let inside = start + prefix + hashes + 1;
        let closing = format!("\"{}", "#".repeat(hashes));
        match self.text[inside..].find(&closing) {
            Some(length) => Ok(self.take(inside - start + length + closing.len(), Kind::Text)),
            None => Err(unclosed_text(self.text, start, inside, &closing)),
        }
    }

    /// A character literal, or the text in single quotes that many write by habit.
    fn character(&mut self, opening: usize) -> Result<Kind, Box<Broken>> {
        let start = self.at;
        let inside = start + opening;
        let line = self.text[inside..].split('\n').next().unwrap_or("");
        let mut chars = line.chars();
        let content = match chars.next() {
            Some('\\') => {
                let escaped = chars.next().map_or(0, char::len_utf8);
                let tail = line.get(1 + escaped..).unwrap_or("");
                tail.find('\'').map(|length| 1 + escaped + length)
            }
            _ => line.find('\''),
        };
        let Some(length) = content else {
            let problem = Problem::at(start..inside)
                .title("a single quote is never closed")
                .label("nothing closes this quote on its line")
                .help("text is written in double quotes: \"…\"");
            return Err(Broken::here(problem));
        };
        self.at = inside + length + 1;
        let written = &self.text[inside..inside + length];
        if opening == 1 && !written.starts_with('\\') && written.chars().count() != 1 {
            let problem = Problem::at(start..self.at)
                .title("text is written in double quotes")
                .label("single quotes hold exactly one character")
                .help(format!("write \"{}\"", clipped(written)));
            return Err(Broken::here(problem));
        }
        Ok(Kind::Char)
    }

    /// A number and whatever sticks to it, so that `5ms` and `1/20` are one token.
    fn number(&mut self) -> Kind {
        let rest = self.rest();
        let mut previous = ' ';
        let mut length = 0;
        for (at, c) in rest.char_indices() {
            let is_comment = rest[at..].starts_with("//") || rest[at..].starts_with("/*");
            let sticks = c.is_alphanumeric()
                || matches!(c, '.' | '_' | '+' | '-' | '%')
                || (c == '/' && !is_comment)
                || (c == '=' && previous == '.');
            if !sticks {
                break;
            }
            previous = c;
            length = at + c.len_utf8();
        }
        self.take(length, Kind::Number)
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix("r#") {
            let length = raw.find(|c: char| !is_word_char(c) && !".+-".contains(c));
            return self.take(2 + length.unwrap_or(raw.len()), Kind::Word);
        }
        let plain = rest.find(|c: char| !is_word_char(c)).unwrap_or(rest.len());
        let joined = rest.find(|c: char| !is_word_char(c) && !".+-".contains(c));
        let joined = rest[..joined.unwrap_or(rest.len())].trim_end_matches(['.', '+', '-']).len();
        if joined > plain { self.take(joined, Kind::Dashed) } else { self.take(plain, Kind::Word) }
    }
}

/// What ron takes for whitespace.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}')
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The number of `#` if `text` begins a raw string (`r"`, `r#"`, `br"`, …).
fn raw_hashes(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn unclosed_text(text: &str, start: usize, inside: usize, closing: &str) -> Box<Broken> {
    let line = text[inside..].split('\n').next().unwrap_or("").trim_end();
    let problem = Problem::at(start..inside + line.len())
        .title("text is never closed")
        .label(format!("no `{closing}` closes this text"));
    Broken::here(problem)
}

/// Whether `text` is a number of RON: an integer in any base, a decimal, `inf`, or a range of them.
pub(super) fn is_number(text: &str) -> bool {
    if let Some((from, to)) = text.split_once("..") {
        let to = to.strip_prefix('=').unwrap_or(to);
        return [from, to].into_iter().all(|end| end.is_empty() || is_number(end));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "inf" | "NaN") {
        return true;
    }
    for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            let digits = without_suffix(digits, base == 16);
            return !digits.is_empty() && digits.chars().all(|c| c == '_' || c.is_digit(base));
        }
    }
    let decimal = without_suffix(unsigned, false);
    let (mantissa, exponent) = match decimal.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (decimal, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|c| c == '_' || c.is_ascii_digit());
    let exponent_holds = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let some_digit = mantissa.contains(|c: char| c.is_ascii_digit());
    some_digit && digits(whole) && digits(fraction) && exponent_holds
}

/// Cuts off a type suffix such as `u8`; `f32` at the end of a hexadecimal number is digits.
fn without_suffix(text: &str, hexadecimal: bool) -> &str {
    const SUFFIXES: [&str; 10] =
        ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64"];
    let suffix = SUFFIXES
        .iter()
        .find(|suffix| text.ends_with(*suffix) && !(hexadecimal && suffix.starts_with('f')));
    suffix.map_or(text, |suffix| &text[..text.len() - suffix.len()])
}

/// At most forty characters of a user's text, for quoting in a message.
pub(super) fn clipped(text: &str) -> String {
    const CHARS: usize = 40;
    let line = text.lines().next().unwrap_or("");
    let mut clipped: String = line.chars().take(CHARS).collect();
    if clipped.len() < text.trim_end().len() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_numbers_with_units() {
        for number in ["5", "-5", "+5", "1_000", "0xff", "0b1010", "0o17", "1.5", ".5", "5.", "1e3"]
        {
            assert!(is_number(number), "{number}");
        }
        for number in ["1e-3", "1.5E+6", "5u8", "0xffu8", "2.5f64", "inf", "-inf", "1..5", "1..=5"]
        {
            assert!(is_number(number), "{number}");
        }
        for other in
            ["5ms", "1/20", "10%", "1.2.3", "e5", "1e", "0x", "0xfg", "-", ".", "5_ms", "--5"]
        {
            assert!(!is_number(other), "{other}");
        }
    }

    #[test]
    fn every_kind_of_token_is_read_to_its_end() {
        let text =
            "a \"b\\\"\" r#\"c\"d\"# br\"e\" b'f' '\\'' 5ms /* /* */ */ r#x-y g-h // i\n ( }";
        let mut lexer = Lexer::new(text, 0);
        let read = std::iter::from_fn(|| lexer.next().ok().filter(|token| token.kind != Kind::End));
        let read: Vec<(Kind, &str)> =
            read.map(|token| (token.kind, &text[token.bytes()])).collect();
        let expected = [
            (Kind::Word, "a"),
            (Kind::Text, "\"b\\\"\""),
            (Kind::Text, "r#\"c\"d\"#"),
            (Kind::Text, "br\"e\""),
            (Kind::Char, "b'f'"),
            (Kind::Char, "'\\''"),
            (Kind::Number, "5ms"),
            (Kind::Word, "r#x-y"),
            (Kind::Dashed, "g-h"),
            (Kind::Open('('), "("),
            (Kind::Close('}'), "}"),
        ];
        assert_eq!(read, expected);
    }
}
