//! `list` and `explain`.

use super::args;
use stormglass::check::{METRICS, Metric, metric};
use stormglass::scenario::diagnose::Problem;
use stormglass::scenario::reference::{Entry, Field, Topic, entries};

/// The width that explanations are wrapped to.
const WIDTH: usize = 96;

/// Names and first sentences, aligned.
pub fn list(what: args::Topic) -> String {
    let is_wanted = |topic: Topic| match what {
        args::Topic::Patterns => topic == Topic::Pattern,
        args::Topic::Nodes => matches!(topic, Topic::Pattern | Topic::Node),
        args::Topic::Faults => topic == Topic::Fault,
        args::Topic::Distributions => topic == Topic::Distribution,
        args::Topic::Invariants => topic == Topic::Invariant,
        args::Topic::Metrics => false,
        args::Topic::Topics => true,
    };
    let entries = entries();
    let chosen = entries.iter().filter(|entry| is_wanted(entry.topic));
    let mut rows: Vec<(&str, &str)> =
        chosen.map(|entry| (entry.name.as_str(), entry.brief())).collect();
    if matches!(what, args::Topic::Metrics | args::Topic::Topics) {
        rows.extend(METRICS.iter().map(|metric| (metric.id, metric.says)));
    }
    let indent = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let row = |(name, says): &(&str, &str)| {
        let text = wrapped(says, indent);
        format!("{name:indent$}{}\n", text.trim_start())
    };
    rows.iter().map(row).collect()
}

/// Everything that is known about a name.
pub fn explain(name: &str) -> Result<String, Box<Problem>> {
    let entries = entries();
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    let found: Vec<&Entry> = entries.iter().filter(|entry| same(&entry.name)).collect();
    if !found.is_empty() {
        return Ok(found.into_iter().map(entry).collect::<Vec<_>>().join("\n"));
    }
    if let Some(metric) = metric(name) {
        return Ok(explained_metric(metric));
    }
    let field_of = name.split_once('.').and_then(|(owner, wanted)| {
        let owner = entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(owner))?;
        let found = owner.fields.iter().find(|field| field.name.eq_ignore_ascii_case(wanted))?;
        Some(format!("{}.{}", owner.name, field_text(found, 0).trim_start()))
    });
    field_of.ok_or_else(|| Box::new(unknown(name, &entries)))
}

fn unknown(name: &str, entries: &[Entry]) -> Problem {
    let names = entries.iter().map(|entry| entry.name.as_str());
    let known: Vec<&str> = names.chain(METRICS.iter().map(|metric| metric.id)).collect();
    let near = stormglass::scenario::diagnose::nearest(name, known);
    let problem = Problem::new(format!("nothing here is called `{name}`"));
    match near {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("`stormglass list topics` names everything that can be explained"),
    }
}

fn explained_metric(metric: &Metric) -> String {
    let Metric { id, label, axis, quantity, better, says } = metric;
    format!("{id} ({axis:?}: {label})\n\n{says}\n\nRead as {quantity:?}; better: {better:?}.\n")
}

fn entry(entry: &Entry) -> String {
    let kind = match entry.topic {
        Topic::Pattern => "pattern",
        Topic::Node => "node",
        Topic::Fault => "fault",
        Topic::Distribution => "distribution",
        Topic::Invariant => "invariant",
        Topic::Part => "part of a scenario",
    };
    let mut text = format!("{} ({kind})\n\n{}\n", entry.name, wrapped(&entry.says, 0));
    if !entry.fields.is_empty() {
        text.push('\n');
    }
    for field in &entry.fields {
        text += &field_text(field, 2);
    }
    for choice in &entry.choices {
        text += &format!("\n  {}\n{}\n", choice.name, wrapped(&choice.says, 6));
        for field in &choice.fields {
            text += &field_text(field, 6);
        }
    }
    if let Some(example) = entry.example {
        text += &format!("\nExample:\n  {example}\n");
    }
    text
}

fn field_text(field: &Field, indent: usize) -> String {
    let Field { name, kind, says, is_optional } = field;
    let need = if *is_optional { "optional" } else { "required" };
    let head = if name.is_empty() { kind.clone() } else { format!("{name}: {kind}, {need}") };
    let says = if says.is_empty() { String::new() } else { wrapped(says, indent + 4) + "\n" };
    format!("{:indent$}{head}\n{says}", "")
}

/// Wraps paragraphs at [`WIDTH`] columns, every line indented.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut line = " ".repeat(indent);
        for word in paragraph.split_whitespace() {
            if line.len() > indent && line.len() + 1 + word.len() > WIDTH {
                lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            }
            if line.len() > indent {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}
