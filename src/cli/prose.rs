//! Setting text: wrapped at words, in paragraphs, indented.

/// Wraps paragraphs so that no line is longer than `width` columns, if its words allow. Every line
/// is indented.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut line = " ".repeat(indent);
        let mut columns = indent;
        for word in words(paragraph) {
            let length = word.chars().count();
            if columns > indent && columns + 1 + length > width {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
                columns = indent;
            }
            if columns > indent {
                line.push(' ');
                columns += 1;
            }
            line.push_str(word);
            columns += length;
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// The words of a text; what stands in backticks is not broken if it is short.
fn words(text: &str) -> Vec<&str> {
    const CODE: usize = 40;
    let mut words: Vec<&str> = Vec::new();
    let mut from = None;
    let mut code_from = None;
    for (at, c) in text.char_indices() {
        if c == '`' {
            code_from = if code_from.is_some() { None } else { Some(at) };
        }
        let is_code = code_from.is_some_and(|start: usize| closes(&text[start..], CODE));
        match (c.is_whitespace() && !is_code, from) {
            (true, Some(start)) => {
                words.push(&text[start..at]);
                from = None;
            }
            (false, None) => from = Some(at),
            _ => {}
        }
    }
    words.extend(from.map(|start| &text[start..]));
    words
}

/// Is there a second backtick in reach?
fn closes(text: &str, reach: usize) -> bool {
    text.char_indices().skip(1).take(reach).any(|(_, c)| c == '`')
}

/// Rows of a name and what it means, aligned.
pub fn rows<'t>(rows: impl Iterator<Item = (&'t str, &'t str)> + Clone, width: usize) -> String {
    let longest = rows.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let column = longest + 4;
    let row = |(name, says): (&str, &str)| {
        let text = wrapped(says, column, width);
        let gap = " ".repeat(column - 2 - name.chars().count());
        format!("  {name}{gap}{}\n", text.trim_start())
    };
    rows.map(row).collect()
}

/// `3 nodes`, `1 node`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        0 => format!("no {what}s"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words_and_short_code_stays_whole() {
        let text = "Written as `2m 30s` or as a word.\n\nSecond.";
        assert_eq!(wrapped(text, 2, 14), "  Written as\n  `2m 30s` or\n  as a word.\n\n  Second.");
    }

    #[test]
    fn rows_are_aligned() {
        let text = rows([("a", "One two three."), ("long", "Two.")].into_iter(), 16);
        assert_eq!(text, "  a     One two\n        three.\n  long  Two.\n");
    }
}
