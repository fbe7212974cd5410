//! `explain`: everything that is known about a name.

use super::guides::GUIDES;
use super::prose::{rows, wrapped};
use stormglass::check::outcome::{Axis, Better, Quantity};
use stormglass::check::{METRICS, Metric, metric};
use stormglass::scenario::diagnose::{Problem, nearest};
use stormglass::scenario::reference::{Entry, Field, Topic, entries};

/// Where the names are found.
const ALL: &str = "`stormglass list topics` names everything that can be explained";

/// The entry of a whole scenario file.
const ROOT: &str = "Scenario";

/// Everything that is known about a name: an entry of the reference, a field of one, a metric, or
/// something about the commands.
pub fn explain(name: &str, width: usize) -> Result<String, Box<Problem>> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Box::new(Problem::new("the name is blank").help(ALL)));
    }
    let entries = entries();
    let page = Page { entries: &entries, width };
    let is_meant = |known: &str| known.eq_ignore_ascii_case(name);
    let meant = |entry: &&Entry| is_meant(&entry.name) || is_meant(&entry.type_name);
    let found: Vec<&Entry> = entries.iter().filter(meant).collect();
    if let Some(first) = found.first() {
        let pages: Vec<String> = found.iter().map(|entry| page.entry(entry)).collect();
        let several = match found.len() {
            1 => String::new(),
            _ => format!("{}\n\n", page.several(&first.name, &found)),
        };
        return Ok(several + &pages.join("\n"));
    }
    if let Some(metric) = metric(name) {
        return Ok(page.metric(metric));
    }
    if let Some((name, says, text)) = GUIDES.iter().find(|(known, ..)| is_meant(known)) {
        return Ok(format!("{name}\n\n{}\n\n{text}\n", wrapped(says, 2, width)));
    }
    let fields = page.fields_at(name);
    if !fields.is_empty() {
        return Ok(fields.into_iter().map(|(at, field)| page.field_at(&at, field)).collect());
    }
    Err(Box::new(unknown(name, &entries)))
}

fn unknown(name: &str, entries: &[Entry]) -> Problem {
    let fields = entries.iter().flat_map(|entry| &entry.fields).map(|field| field.name.as_str());
    let mut known: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    known.extend(METRICS.iter().map(|metric| metric.id));
    known.extend(GUIDES.iter().map(|(name, ..)| *name));
    known.extend(fields.filter(|field| !field.is_empty()));
    let problem = Problem::new(format!("nothing here is called `{name}`"));
    let near = match name.split_once('.') {
        None => nearest(name, known.iter().copied()).map(str::to_owned),
        Some((owner, field)) => nearest_field(owner, field, entries)
            .or_else(|| nearest(name, known.iter().copied()).map(str::to_owned)),
    };
    match near {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(ALL),
    }
}

fn nearest_field(owner: &str, field: &str, entries: &[Entry]) -> Option<String> {
    let owners: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let owner = nearest(owner, owners)?;
    let of_owner = entries.iter().filter(|entry| entry.name == owner);
    let fields: Vec<&str> =
        of_owner.flat_map(|entry| &entry.fields).map(|field| field.name.as_str()).collect();
    Some(format!("{owner}.{}", nearest(field, fields)?))
}

/// The reference, to be set at a width.
struct Page<'e> {
    entries: &'e [Entry],
    width: usize,
}

impl<'e> Page<'e> {
    /// The part called `name` that the field at `place` has. Two nodes may each have a part of the
    /// same name.
    fn part_at(&self, name: &str, place: &str) -> Option<&'e Entry> {
        let called = |entry: &&Entry| entry.name == name && entry.topic != Topic::Choice;
        let is_here = |entry: &&Entry| entry.used_in.iter().any(|known| known == place);
        let mut all = self.entries.iter().filter(called);
        all.clone().find(is_here).or_else(|| all.next())
    }

    /// Which is which of entries that have one name.
    fn several(&self, name: &str, entries: &[&Entry]) -> String {
        let which = |entry: &&Entry| match entry.topic {
            Topic::Part => format!("{}, in {}", kind(entry), few(&entry.used_in)),
            _ => kind(entry),
        };
        let kinds: Vec<String> = entries.iter().map(which).collect();
        wrapped(&format!("{name} is several things: {}.", kinds.join("; ")), 0, self.width)
    }

    fn entry(&self, entry: &Entry) -> String {
        let mut text = format!("{}: {}\n\n", entry.name, kind(entry));
        text += &format!("{}\n", wrapped(&entry.says, 2, self.width));
        text += &self.source(entry.source.as_deref(), 2);
        text += &self.contents(entry, 2);
        let (inner, others) = self.parts(entry);
        for part in inner {
            let places = few(&part.used_in);
            text += &format!("\n{} (in {places})\n", part.name);
            text += &format!("{}\n", wrapped(&part.says, 2, self.width));
            text += &self.source(part.source.as_deref(), 2);
            text += &self.contents(part, 2);
        }
        if let Some((example, place)) = self.example(entry) {
            text += &format!("\nExample{place}\n");
            text.extend(example.trim_end().lines().map(|line| format!("  {line}\n")));
        }
        let mut see: Vec<&str> = others.iter().map(|part| part.name.as_str()).collect();
        see.extend((!entry.of.is_empty()).then_some(entry.of.as_str()));
        if !entry.used_in.is_empty() && entry.topic != Topic::Unit {
            text += &format!("\n{}\n", wrapped(&used_in(entry), 0, self.width));
        }
        if !see.is_empty() {
            text += &format!(
                "\n{}\n",
                wrapped(&format!("See also: {}", see.join(", ")), 0, self.width)
            );
        }
        text
    }

    /// The fields of an entry, and what can be chosen for it.
    fn contents(&self, entry: &Entry, indent: usize) -> String {
        let mut text = String::new();
        for field in &entry.fields {
            text += &format!("\n{}", self.field(field, indent + 2));
        }
        if entry.choices.iter().any(|choice| choice.topic != Topic::Choice) {
            let briefs = entry.choices.iter().map(|choice| (choice.name.as_str(), choice.brief()));
            text += &format!("\n{}", rows(briefs.collect::<Vec<_>>().into_iter(), self.width));
            return text;
        }
        for choice in &entry.choices {
            let says = wrapped(&choice.says, indent + 6, self.width);
            text += &format!("\n{:indent$}  {}\n{says}\n", "", choice.name);
            text += &self.source(choice.source.as_deref(), indent + 6);
            for field in &choice.fields {
                text += &self.field(field, indent + 6);
            }
        }
        text
    }

    /// Where something comes from.
    fn source(&self, source: Option<&str>, indent: usize) -> String {
        let said =
            |source| format!("{}\n", wrapped(&format!("Source: {source}"), indent, self.width));
        source.map(said).unwrap_or_default()
    }

    fn field(&self, field: &Field, indent: usize) -> String {
        let Field { name, kind, says, default, source, is_optional, .. } = field;
        let need = if *is_optional { "optional" } else { "required" };
        let head = match name.as_str() {
            "" => kind.clone(),
            name => format!("{name}: {kind}, {need}"),
        };
        let mut text = format!("{:indent$}{head}\n", "");
        if !says.is_empty() {
            text += &format!("{}\n", wrapped(says, indent + 4, self.width));
        }
        if let Some(default) = default {
            let default = format!("Default: {default}");
            text += &format!("{}\n", wrapped(&default, indent + 4, self.width));
        }
        text + &self.source(source.as_deref(), indent + 4)
    }

    /// A field by itself, with its place, and where to read on.
    fn field_at(&self, at: &str, field: &Field) -> String {
        let mut text = format!("{at}\n");
        text += &self.field(field, 2);
        if !field.parts.is_empty() {
            text += &format!("    See also: {}\n", field.parts.join(", "));
        }
        text + "\n"
    }

    fn metric(&self, metric: &Metric) -> String {
        let Metric { id, label, axis, quantity, better, says } = metric;
        let kind = format!("`{label}` in the report, under {}.", axis_name(*axis));
        let unit = match quantity {
            Quantity::Time => "A time",
            Quantity::Share => "A share",
            Quantity::Count => "A number",
            Quantity::Rate => "A rate",
            Quantity::Bytes => "A number of bytes",
            Quantity::Money => "An amount of money, in the currency of the scenario's prices",
        };
        let (better, side) = match better {
            Better::Lower => ("Less is better.", "max"),
            Better::Higher => ("More is better.", "min"),
            Better::Neither => ("Neither more nor less is better.", "max"),
        };
        let about = wrapped(&format!("{says}\n\n{kind} {unit}. {better}"), 2, self.width);
        let example = format!("(metric: \"{id}\", {side}: {})", bound(*quantity));
        format!("{id}: a metric\n\n{about}\n\nExample\n  {example}\n")
    }

    /// The parts of an entry: those that belong to it alone, and the others. The scenario itself,
    /// which everything belongs to, only names them.
    fn parts(&self, entry: &Entry) -> (Vec<&'e Entry>, Vec<&'e Entry>) {
        let mut inner: Vec<&Entry> = Vec::new();
        // A part may belong to one that is found to belong to the entry only later.
        loop {
            let mut others: Vec<&Entry> = Vec::new();
            let known = inner.len();
            let mut all = self.parts_of(entry);
            all.extend(inner.clone().into_iter().flat_map(|part| self.parts_of(part)));
            for part in all {
                let is_known = |list: &[&Entry]| list.iter().any(|one| std::ptr::eq(*one, part));
                if std::ptr::eq(part, entry) || is_known(&inner) || is_known(&others) {
                    continue;
                }
                let is_own = part.used_in.iter().all(|place| belongs(place, entry, &inner));
                let is_shown = is_own && entry.name != ROOT && part.type_name != "Shape";
                if is_shown { inner.push(part) } else { others.push(part) }
            }
            if inner.len() == known {
                return (inner, others);
            }
        }
    }

    /// The parts that the fields of an entry and of its choices have.
    fn parts_of(&self, entry: &Entry) -> Vec<&'e Entry> {
        let owners = std::iter::once(entry).chain(&entry.choices);
        let of = |owner: &Entry| {
            let fields = owner.fields.iter();
            let parts = fields.flat_map(|field| {
                let place = place(owner, field);
                field.parts.iter().filter_map(move |name| self.part_at(name, &place))
            });
            parts.collect::<Vec<_>>()
        };
        owners.flat_map(of).collect()
    }

    /// The entry's example, or that of what it is a part of, and then of what.
    fn example(&self, entry: &'e Entry) -> Option<(&'e str, String)> {
        if let Some(own) = &entry.example {
            return Some((own, String::new()));
        }
        let mut entry = entry;
        for _ in 0..self.entries.len() {
            let place = entry.used_in.first().cloned().unwrap_or_default();
            let owner = place.split('.').next().filter(|owner| !owner.is_empty());
            let owner = owner.unwrap_or(&entry.of);
            entry = self.entries.iter().find(|known| known.name == owner)?;
            if let Some(example) = &entry.example {
                return Some((example, format!(", in a {}", entry.name)));
            }
        }
        None
    }

    /// The fields that `path` may mean: `Policy.timeout`, `Client.policy.timeout`, `timeout`.
    fn fields_at(&self, path: &str) -> Vec<(String, &'e Field)> {
        // Fields without a name, as `At` has one, are not meant by a step without a name.
        if path.split('.').any(|step| step.trim().is_empty()) {
            return Vec::new();
        }
        let mut steps = path.split('.');
        let first = steps.next().unwrap_or_default();
        let has_more = path.contains('.');
        let mut found: Vec<(String, &Field)> = Vec::new();
        let mut owners: Vec<&Entry> =
            self.entries.iter().filter(|entry| is_called(entry, first)).collect();
        if !has_more || owners.is_empty() {
            found = self.fields_of(self.entries.iter(), first);
            owners = self.leading_to(&found);
        }
        for step in steps {
            found = self.fields_of(owners.iter().copied(), step);
            owners = self.leading_to(&found);
        }
        found
    }

    fn fields_of(
        &self,
        owners: impl Iterator<Item = &'e Entry>,
        name: &str,
    ) -> Vec<(String, &'e Field)> {
        let of = |owner: &'e Entry| {
            let fields = owner.fields.iter();
            let meant = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
            meant.map(|field| (place(owner, field), field)).collect::<Vec<_>>()
        };
        owners.flat_map(of).collect()
    }

    fn leading_to(&self, fields: &[(String, &Field)]) -> Vec<&'e Entry> {
        let parts = fields.iter().flat_map(|(at, field)| {
            field.parts.iter().filter_map(move |name| self.part_at(name, at))
        });
        parts.collect()
    }
}

/// Where a field is, as `used_in` has it.
fn place(owner: &Entry, field: &Field) -> String {
    match field.name.as_str() {
        "" => owner.name.clone(),
        name => format!("{}.{name}", owner.name),
    }
}

fn is_called(entry: &Entry, name: &str) -> bool {
    entry.name.eq_ignore_ascii_case(name) || entry.type_name.eq_ignore_ascii_case(name)
}

/// Is a place such as `Saga.steps` one of `entry`, of its choices, or of its parts?
fn belongs(place: &str, entry: &Entry, parts: &[&Entry]) -> bool {
    let owner = place.split('.').next().unwrap_or(place);
    let is = |known: &Entry| {
        known.name == owner || known.choices.iter().any(|choice| choice.name == owner)
    };
    is(entry) || parts.iter().any(|part| is(part))
}

/// Places, and how many more there are if they are many.
fn few(places: &[String]) -> String {
    const SHOWN: usize = 3;
    match places.get(SHOWN + 1..) {
        Some(more) => format!("{} and {} more", places[..SHOWN].join(", "), more.len() + 1),
        None => places.join(", "),
    }
}

fn used_in(entry: &Entry) -> String {
    format!("Used in: {}", entry.used_in.join(", "))
}

fn kind(entry: &Entry) -> String {
    match entry.topic {
        Topic::Pattern => "a pattern".to_owned(),
        Topic::Node => "a kind of node".to_owned(),
        Topic::Fault => "a fault".to_owned(),
        Topic::Distribution => "a distribution".to_owned(),
        Topic::Invariant => "an invariant".to_owned(),
        Topic::Measure => "a measure that a scenario defines".to_owned(),
        Topic::Fact => "a fact".to_owned(),
        Topic::Unit => "a unit".to_owned(),
        Topic::Part if entry.name == ROOT => "a whole file".to_owned(),
        Topic::Part => "a part of a scenario".to_owned(),
        Topic::Choice => format!("one choice for {}", entry.of),
    }
}

fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Latency => "latency",
        Axis::Throughput => "throughput",
        Axis::Availability => "availability",
        Axis::Consistency => "consistency",
        Axis::Cost => "cost",
        Axis::Complexity => "complexity",
        Axis::Saturation => "saturation",
        Axis::Own => "own",
    }
}

fn bound(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Time => "\"250ms\"",
        Quantity::Share => "\"99.9 %\"",
        Quantity::Rate => "\"200/s\"",
        Quantity::Count => "12",
        Quantity::Bytes => "1500",
        Quantity::Money => "0.25",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_says_where_something_comes_from() {
        for (name, source) in [
            ("BitRot", "  Source: the corruption of reads and writes in TigerBeetle's VOPR"),
            ("Conserved", "  Source: Jepsen's bank test"),
            // A choice, by itself and among the others.
            ("SlidingCounter", "  Source: Cloudflare"),
            ("RateLimit", "        Source: Cloudflare"),
            // A part that only this has.
            ("Policy", "  Source: M. Nygard, \"Release It!\", 2007; resilience4j's `Bulkhead`"),
        ] {
            let text = explain(name, 1_000).unwrap_or_default();
            assert!(text.contains(&format!("\n{source}")), "{name}:\n{text}");
        }
    }
}
