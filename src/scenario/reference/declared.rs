//! Declarations are read out of source text: types, fields and variants with what is said of them.
//!
//! This is no parser of Rust. It relies on rustfmt: a type begins at the left margin and ends with
//! a brace there, and a field or variant begins a line.

/// A type that scenarios are made of.
pub(super) struct Declaration<'s> {
    /// As the source spells it.
    pub type_name: &'s str,
    /// As scenarios and messages spell it.
    pub name: String,
    /// Its doc comment.
    pub docs: Docs,
    pub body: Body<'s>,
}

pub(super) enum Body<'s> {
    /// A struct with these fields.
    Struct(Vec<Member<'s>>),
    /// One of these; each with what it is made of.
    Enum(Vec<(Member<'s>, Vec<Member<'s>>)>),
    /// The same as this type, under another name.
    Alias(&'s str),
}

/// A field or a variant.
pub(super) struct Member<'s> {
    /// As scenarios spell it; empty for a value without a name.
    pub name: String,
    /// Its type; empty for a variant.
    pub kind: &'s str,
    pub docs: Docs,
    /// May it be left out?
    pub is_optional: bool,
}

/// A doc comment, taken apart.
#[derive(Clone, Default)]
pub(super) struct Docs {
    /// Paragraphs, without what follows.
    pub says: String,
    /// What stands after `Default:`.
    pub default: Option<String>,
    /// What stands in the paragraph that begins with `Source:`.
    pub source: Option<String>,
    /// What stands in a fence that is marked as RON.
    pub example: Option<String>,
    /// What stands in a fence that is marked as `swarm`: how swarm mode draws it.
    pub swarm: Option<String>,
}

impl Docs {
    /// Takes a comment apart; `lines` come without the comment's signs.
    pub fn of<'s>(lines: impl Iterator<Item = &'s str>) -> Docs {
        let (mut text, mut example, mut swarm) = (String::new(), None::<String>, None::<String>);
        let mut fence: Option<&str> = None;
        for line in lines {
            let words = line.trim();
            match (words.strip_prefix("```"), fence) {
                (Some(language), None) => fence = Some(language),
                (Some(_), Some(_)) => fence = None,
                (None, Some(language @ ("ron" | "swarm"))) => {
                    let code = if language == "ron" { &mut example } else { &mut swarm };
                    let code = code.get_or_insert_default();
                    code.push_str(line.strip_prefix(' ').unwrap_or(line));
                    code.push('\n');
                }
                (None, Some(_)) => {}
                (None, None) if words.starts_with('#') => {}
                (None, None) if words.is_empty() => end_paragraph(&mut text),
                (None, None) => {
                    if !text.is_empty() && !text.ends_with('\n') {
                        text.push(' ');
                    }
                    text.push_str(words);
                }
            }
        }
        let text = without_links(text.trim_end());
        let (mut says, mut source) = (text.as_str(), None);
        let own = says.split_inclusive("\n\n").find_map(|part| part.strip_prefix("Source:"));
        let without = own.map(|own| text.replace(&format!("Source:{own}"), ""));
        if let (Some(own), Some(without)) = (own, &without) {
            (says, source) = (without.trim_end(), Some(own.trim().to_owned()));
        }
        let (says, default) = match says.split_once("Default:") {
            Some((says, default)) => (says.trim_end(), Some(default.trim().to_owned())),
            None => (says, None),
        };
        Docs { says: says.to_owned(), default, source, example, swarm }
    }
}

fn end_paragraph(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str("\n\n");
    }
}

/// The text of every link: ``[`Shape`]`` is `Shape`, and so is `[Shape](crate::Shape)`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((inner, behind)) = after.split_once(']') else {
            plain.push('[');
            rest = after;
            continue;
        };
        let target = behind.strip_prefix('(').and_then(|target| target.split_once(')'));
        match target {
            Some((_, behind)) => {
                plain.push_str(inner);
                rest = behind;
            }
            None if inner.starts_with('`') && inner.ends_with('`') => {
                plain.push_str(inner);
                rest = behind;
            }
            // A list in an example: it stays as it is.
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// What stands before an item: its documentation and its attributes.
#[derive(Default)]
struct Preface<'s> {
    docs: Vec<&'s str>,
    attributes: String,
    /// Brackets of an attribute that are still open.
    open: usize,
}

impl<'s> Preface<'s> {
    /// Takes in a line if it belongs to a preface.
    fn takes(&mut self, line: &'s str) -> bool {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            self.docs.push(doc);
            return true;
        }
        if self.open > 0 || line.starts_with("#[") {
            self.attributes.push_str(line);
            let count = |sign: char| line.matches(sign).count();
            self.open = (self.open + count('[')).saturating_sub(count(']'));
            return true;
        }
        line.is_empty() || line.starts_with("//")
    }

    fn docs(&self) -> Docs {
        Docs::of(self.docs.iter().copied())
    }

    /// What serde is told: `default`, `rename = "for"`, each for itself.
    fn serde(&self) -> impl Iterator<Item = &str> {
        let told = self.attributes.split("#[serde(").skip(1);
        told.flat_map(|rest| rest.split(")]").next().unwrap_or(rest).split(',')).map(str::trim)
    }

    fn is_told(&self, word: &str) -> bool {
        self.serde().any(|told| told.split([' ', '=']).next() == Some(word))
    }

    fn rename(&self) -> Option<String> {
        let told = self.serde().find_map(|told| told.strip_prefix("rename = \""));
        told.map(|rest| rest.trim_end_matches('"').to_owned())
    }
}

/// Every type that a source declares.
pub(super) fn declarations(source: &str) -> Vec<Declaration<'_>> {
    let mut found = Vec::new();
    let mut preface = Preface::default();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if preface.takes(line) {
            continue;
        }
        found.extend(declaration(line, &preface, &mut lines));
        preface = Preface::default();
    }
    found
}

/// Every fact that a source declares: how it is spelt, with a dot, and what is said of it.
pub(super) fn facts(source: &str) -> Vec<(&str, Docs)> {
    let mut found = Vec::new();
    let mut preface = Preface::default();
    for line in source.lines() {
        if preface.takes(line) {
            continue;
        }
        let declared = line.trim().strip_prefix("pub const ");
        let spelt = declared.and_then(|line| line.split_once(": Name = Name::of(\""));
        let spelt = spelt.and_then(|(_, rest)| rest.strip_suffix("\");"));
        found.extend(spelt.filter(|name| name.contains('.')).map(|name| (name, preface.docs())));
        preface = Preface::default();
    }
    found
}

/// The declaration that begins with `line`, if one does.
fn declaration<'s>(
    line: &'s str,
    preface: &Preface<'s>,
    lines: &mut std::str::Lines<'s>,
) -> Option<Declaration<'s>> {
    let head = without_visibility(line);
    let is_struct = head.starts_with("struct ");
    let rest = head.strip_prefix("struct ").or_else(|| head.strip_prefix("enum "))?;
    let (type_name, rest) = split_name(rest);
    let all_optional = preface.is_told("default");
    let mut body = Vec::new();
    if rest.ends_with('{') {
        body.extend(lines.take_while(|line| *line != "}"));
    }
    let body = match rest.strip_prefix('(') {
        Some(inner) => Body::Alias(without_visibility(inner.trim_end_matches([';', ')']))),
        None if is_struct => Body::Struct(members(&mut body.into_iter(), all_optional)),
        None => Body::Enum(variants(&mut body.into_iter())),
    };
    let name = preface.rename().unwrap_or_else(|| shown(type_name).to_owned());
    Some(Declaration { type_name, name, docs: preface.docs(), body })
}

/// A specification of a thing is shown as the thing.
fn shown(type_name: &str) -> &str {
    match type_name {
        "Shape" => "Distribution",
        _ => type_name.strip_suffix("Spec").filter(|rest| !rest.is_empty()).unwrap_or(type_name),
    }
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else { return line };
    let rest = match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or(scope, |(_, rest)| rest),
        None => rest,
    };
    rest.trim_start()
}

/// The name at the beginning, and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// Reads fields up to a closing brace or the end.
fn members<'s>(lines: &mut impl Iterator<Item = &'s str>, all_optional: bool) -> Vec<Member<'s>> {
    let mut fields = Vec::new();
    let mut preface = Preface::default();
    for line in lines {
        if preface.takes(line) {
            continue;
        }
        if line.trim_start().starts_with('}') {
            break;
        }
        let declared = without_visibility(line.trim()).trim_end_matches(',');
        if let Some((name, kind)) = declared.split_once(": ").filter(|_| !preface.is_told("skip")) {
            let is_optional =
                all_optional || preface.is_told("default") || kind.starts_with("Option<");
            let name = preface.rename().unwrap_or_else(|| name.to_owned());
            fields.push(Member { name, kind, docs: preface.docs(), is_optional });
        }
        preface = Preface::default();
    }
    fields
}

fn variants<'s>(lines: &mut impl Iterator<Item = &'s str>) -> Vec<(Member<'s>, Vec<Member<'s>>)> {
    let mut found = Vec::new();
    let mut preface = Preface::default();
    while let Some(line) = lines.next() {
        if preface.takes(line) {
            continue;
        }
        let (name, rest) = split_name(line.trim());
        let values = if rest.trim_start().starts_with('{') {
            members(lines, false)
        } else {
            rest.strip_prefix('(').into_iter().flat_map(values).collect()
        };
        if !name.is_empty() && !preface.is_told("skip") {
            let (name, docs) = (name.to_owned(), preface.docs());
            found.push((Member { name, kind: "", docs, is_optional: false }, values));
        }
        preface = Preface::default();
    }
    found
}

/// The values of a variant without names for them.
fn values(inner: &str) -> Vec<Member<'_>> {
    let inner = inner.trim_end_matches(',').trim_end_matches(')');
    let value =
        |kind| Member { name: String::new(), kind, docs: Docs::default(), is_optional: false };
    listed(inner).into_iter().map(value).collect()
}

/// Splits at the commas that stand in no bracket.
pub(super) fn listed(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
/// A thing, see [`Other`] and [others](crate::Others).
///
/// Two paragraphs: `Thing(a: [1])`.
///
/// ```ron
/// Thing(
///     a: 1,
/// )
/// ```
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename = "Stuff"
)]
pub(crate) struct Thing {
    /// First. Default: `2`,
    /// or more.
    #[serde(default = "two", rename = "for")]
    pub lasts: Map<Name, (u64, Vec<Span>)>,
    /// Second.
    count: u32,
    #[serde(skip)]
    hidden: Cell<u64>,
}

pub struct Same(pub Dist);

enum Choice {
    /// Nothing.
    #[default]
    None,
    /// Two lists.
    Both(Vec<NodeId>, Vec<NodeId>),
    /// With a name.
    Named {
        /// The name.
        name: Option<Name>,
    },
}
"#;

    #[test]
    fn types_are_read_with_what_is_said_of_them() {
        let found = declarations(SOURCE);
        assert_eq!(
            found.iter().map(|one| one.type_name).collect::<Vec<_>>(),
            ["Thing", "Same", "Choice"]
        );
        let thing = &found[0];
        assert_eq!(thing.name, "Stuff");
        assert_eq!(
            thing.docs.says,
            "A thing, see `Other` and others.\n\nTwo paragraphs: `Thing(a: [1])`."
        );
        assert_eq!(thing.docs.example.as_deref(), Some("Thing(\n    a: 1,\n)\n"));
        let Body::Struct(fields) = &thing.body else { panic!("it is a struct") };
        let seen: Vec<(&str, &str, bool)> =
            fields.iter().map(|field| (&field.name[..], field.kind, field.is_optional)).collect();
        assert_eq!(seen, [("for", "Map<Name, (u64, Vec<Span>)>", true), ("count", "u32", false)]);
        assert_eq!(fields[0].docs.says, "First.");
        assert_eq!(fields[0].docs.default.as_deref(), Some("`2`, or more."));
        assert!(matches!(found[1].body, Body::Alias("Dist")));
        let Body::Enum(choices) = &found[2].body else { panic!("it is an enum") };
        let seen: Vec<(&str, Vec<&str>)> = choices
            .iter()
            .map(|(choice, values)| (&choice.name[..], values.iter().map(|one| one.kind).collect()))
            .collect();
        assert_eq!(
            seen,
            [
                ("None", vec![]),
                ("Both", vec!["Vec<NodeId>", "Vec<NodeId>"]),
                ("Named", vec!["Option<Name>"])
            ]
        );
        assert!(choices[2].1[0].is_optional);
    }
}
