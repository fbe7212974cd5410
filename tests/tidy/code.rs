//! Rules about sources: layers, sizes, words, and that every file is used.

use std::collections::BTreeSet;
use std::fs;

use super::{LAYERS, breach, has_word, none, of_kind, root, tree};

/// Uses of an upper layer that are meant: file, what it uses, why.
const UPWARD: &[(&str, &str, &str)] = &[
    ("src/stats/estimate.rs", "report::number", "an estimate prints as every figure does"),
    ("src/stats/proportion.rs", "report::number", "a proportion prints as every figure does"),
];

const COLUMNS_MAX: usize = 100;
const LINES_MAX: usize = 500;
const PATTERN_LINES_MAX: usize = 300;

/// Files that may be longer, and why.
const LONG: &[(&str, &str)] = &[(
    "src/world/fault/injection.rs",
    "the catalogue of faults: one enum, most of it the text of the reference",
)];

/// Words that stand nowhere in code, and what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "write it, or leave the whole of it out"),
    ("unimplemented!", "write it, or leave the whole of it out"),
    ("dbg!", "write a test, or a Tracer"),
    ("HashMap", "use BTreeMap, or a Vec indexed by a dense id: iteration order must not be random"),
    ("HashSet", "use BTreeSet, or a Vec<bool> indexed by a dense id"),
    ("SystemTime", "use simulated time: cx.now()"),
    ("thread_rng", "use cx.random, the node's own stream"),
    ("rand_distr", "use engine::dist, whose bits are the same everywhere"),
    (".partial_cmp", "use total_cmp"),
    (".cos()", "use libm::cos: the platform's differs in the last bit"),
    (".tan()", "use libm::tan"),
    (".log2()", "use libm::log2"),
    (".log10()", "use libm::log10"),
    (".exp_m1()", "use libm::expm1"),
    (".ln_1p()", "use libm::log1p"),
    (".cbrt()", "use libm::cbrt"),
    (".hypot(", "use libm::hypot"),
];

/// Words that stand nowhere at all, comments included.
const LEFTOVERS: &[&str] = &["TODO", "FIXME", "XXX"];

/// What only these places may do; a place that ends in `/` is a folder.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("unsafe", &["src/engine/prefetch.rs"], "find the safe way: std and a measurement"),
    ("std::time", &["src/cli/"], "use simulated time: cx.now()"),
    ("Instant", &["src/cli/"], "use simulated time: cx.now()"),
    ("std::thread", &[], "run whole simulations side by side, in src/explore/"),
    ("rayon", &["src/explore/"], "run whole simulations side by side, in src/explore/"),
    // The loader's tests need a folder of their own, and texts of tests are written anew on demand.
    (
        "std::env",
        &["src/cli/", "src/scenario/source/", "benches/", "tests/interaction.rs"],
        "a run depends on no such thing",
    ),
    ("std::fs", &["src/cli/", "src/scenario/source/", "tests/", "benches/"], "take a Source"),
    ("println!", &["benches/"], "record a fact; only src/cli/ prints, through `print`"),
    ("eprintln!", &["benches/"], "record a fact; only src/cli/ prints, through `remark`"),
];

/// The paths that follow `crate::` in a line: `report::number` of `use crate::report::number;`.
fn uses(line: &str) -> impl Iterator<Item = &str> {
    let starts = ["crate::", "stormglass::"].into_iter().flat_map(move |prefix| {
        line.match_indices(prefix).map(move |(at, _)| &line[at + prefix.len()..])
    });
    starts.map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        rest[..end.unwrap_or(rest.len())].trim_end_matches(':')
    })
}

#[test]
fn a_layer_uses_only_layers_below_it() {
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let (mut breaches, mut needed) = (Vec::new(), BTreeSet::new());
    for file in of_kind("rs") {
        let Some(inner) = file.path.strip_prefix("src/").filter(|path| *path != "lib.rs") else {
            continue;
        };
        let layer = inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs");
        let Some(own) = rank(layer) else {
            let remedy = "give it its place in LAYERS of tests/tidy/main.rs and in ARCHITECTURE.md";
            breaches.push(breach(&file.path, 1, format!("`{layer}` is no layer"), remedy));
            continue;
        };
        for (line, code) in file.code() {
            for path in uses(code) {
                let used = path.split("::").next().unwrap_or(path);
                if used.is_empty() {
                    let remedy = "write one `use` for each module, so that the layers can be read";
                    breaches.push(breach(&file.path, line, "`use crate::{…}`", remedy));
                } else if rank(used).is_some_and(|other| other > own) {
                    let is_meant = |known: &&(&str, &str, &str)| {
                        known.0 == file.path && path.starts_with(known.1)
                    };
                    match UPWARD.iter().find(is_meant) {
                        Some(exception) => _ = needed.insert(exception),
                        None => breaches.push(breach(
                            &file.path,
                            line,
                            format!("`{layer}` uses `{path}`, which is above it"),
                            "move what is needed down, or hand it in from above",
                        )),
                    }
                }
            }
        }
    }
    let idle = UPWARD.iter().filter(|known| !needed.contains(known));
    breaches.extend(idle.map(|(path, what, _)| {
        breach(path, 1, format!("no longer uses {what}"), "take it out of UPWARD")
    }));
    none(breaches);
}

#[test]
fn lines_and_files_have_a_length_that_can_be_read() {
    let mut breaches = Vec::new();
    for file in of_kind("rs") {
        for (place, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            // A text is printed, or read as a scenario, as it stands; to break it would change it.
            if columns > COLUMNS_MAX && !line.contains('"') {
                let rule = format!("{columns} columns, at most {COLUMNS_MAX}");
                breaches.push(breach(&file.path, place + 1, rule, "wrap it; rustfmt cannot"));
            }
        }
        let is_pattern = file.path.starts_with("src/patterns/");
        let (lines, most) = match file.text.lines().count() {
            lines if is_pattern => (lines, PATTERN_LINES_MAX),
            lines => (lines, LINES_MAX),
        };
        let is_meant = LONG.iter().any(|(path, _)| *path == file.path);
        if lines > most && !is_meant {
            let remedy = "what can be said in a sentence of its own becomes a module of its own";
            breaches.push(breach(&file.path, lines, format!("{lines} lines of {most}"), remedy));
        }
    }
    none(breaches);
}

#[test]
fn every_file_begins_with_the_sentence_that_it_is_about() {
    let mut breaches = Vec::new();
    for file in of_kind("rs") {
        let head = file.text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
        let prose = head.skip_while(|line| line.is_empty() || line.starts_with("# "));
        let sentence: Vec<&str> = prose.take_while(|line| !line.is_empty()).collect();
        if !file.text.starts_with("//! ") || !sentence.concat().contains('.') {
            let remedy = "begin with `//! ` and one whole sentence that says the concept";
            breaches.push(breach(&file.path, 1, "no sentence", remedy));
        }
    }
    none(breaches);
}

#[test]
fn banned_words_are_replaced() {
    let mut breaches = Vec::new();
    for file in of_kind("rs") {
        for (line, code) in file.code() {
            for (word, remedy) in BANNED.iter().filter(|(word, _)| has_word(code, word)) {
                breaches.push(breach(&file.path, line, format!("`{word}`"), remedy));
            }
            for (word, places, remedy) in CONFINED.iter().filter(|rule| has_word(code, rule.0)) {
                let is_at = |place: &str| {
                    file.path == *place || place.ends_with('/') && file.path.starts_with(place)
                };
                if !places.iter().any(|place| is_at(place)) {
                    let rule = format!("`{word}` belongs to {places:?}");
                    breaches.push(breach(&file.path, line, rule, remedy));
                }
            }
        }
    }
    for file in tree().iter().filter(|file| file.path != "tests/tidy/code.rs") {
        for (place, line) in file.text.lines().enumerate() {
            for word in LEFTOVERS.iter().filter(|word| has_word(line, word)) {
                let remedy = "do it, or say in ARCHITECTURE.md why it is left out";
                breaches.push(breach(&file.path, place + 1, format!("`{word}`"), remedy));
            }
        }
    }
    none(breaches);
}

#[test]
fn a_silenced_lint_says_why() {
    let mut breaches = Vec::new();
    for file in of_kind("rs").iter().filter(|file| file.path != "tests/tidy/code.rs") {
        for silence in ["allow(", "expect("] {
            for opening in ["#[", "#!["] {
                for (at, _) in file.text.match_indices(&format!("{opening}{silence}")) {
                    let attribute = file.text[at..].split(")]").next().unwrap_or_default();
                    if !attribute.contains("reason = \"") {
                        let line = file.text[..at].matches('\n').count() + 1;
                        let remedy = "write #[expect(lint, reason = \"…\")]";
                        breaches.push(breach(&file.path, line, "no reason", remedy));
                    }
                }
            }
        }
    }
    none(breaches);
}

#[test]
fn every_source_file_is_part_of_the_crate() {
    let mut breaches = Vec::new();
    for file in of_kind("rs") {
        let Some(inner) = file.path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs"))
        else {
            continue;
        };
        let module = inner.strip_suffix("/mod").unwrap_or(inner);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let (parents, name) = match module.rsplit_once('/') {
            Some((parent, name)) => ([format!("{parent}/mod.rs"), format!("{parent}.rs")], name),
            None => (["lib.rs".to_owned(), "main.rs".to_owned()], module),
        };
        let declares = |parent: &String| {
            let text = fs::read_to_string(root().join("src").join(parent)).unwrap_or_default();
            text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")))
        };
        if !parents.iter().any(declares) {
            let rule = format!("no `mod {name};` in {}", parents.join(" or "));
            breaches.push(breach(&file.path, 1, rule, "declare it, or delete it"));
        }
    }
    none(breaches);
}
