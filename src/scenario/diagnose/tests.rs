//! What users see: each case of `tests/diagnostics/*.txt` is an input and the whole text of the
//! answer to it.

use super::super::source::Source;
use super::super::spans::Spans;
use super::toy::{Scenario, WHOLE};
use super::*;

/// The cases of a file: title, input, expected answer.
fn cases(file: &str) -> Vec<(String, String, String)> {
    let file = file.replace("\r\n", "\n");
    let cases = file.split("=== ").filter(|case| !case.is_empty()).map(|case| {
        let (title, rest) = case.split_once('\n').expect("a title line begins the case");
        let (input, answer) = rest.split_once("\n---\n").expect("--- stands before the answer");
        (title.to_owned(), format!("{input}\n"), format!("{}\n", answer.trim_end()))
    });
    cases.collect()
}

fn answer(source: &Source) -> String {
    match source.parse::<Scenario>() {
        Ok(_) => "accepted\n".into(),
        Err(problems) => render(&problems, Some(source), false),
    }
}

fn check(file: &str) {
    let cases = cases(file);
    assert!(cases.len() > 10, "only {} cases were found", cases.len());
    for (title, input, expected) in cases {
        let found = answer(&Source::new("trip.ron", input));
        assert!(found == expected, "{title}: the answer is now\n\n{found}");
    }
}

#[test]
fn fields_and_names_are_answered_as_recorded() {
    check(include_str!("../../../tests/diagnostics/fields.txt"));
}

#[test]
fn wrong_values_are_answered_as_recorded() {
    check(include_str!("../../../tests/diagnostics/types.txt"));
}

#[test]
fn broken_structure_is_answered_as_recorded() {
    check(include_str!("../../../tests/diagnostics/structure.txt"));
}

#[test]
fn changes_from_the_command_line_are_answered_as_recorded() {
    let cases = cases(include_str!("../../../tests/diagnostics/set.txt"));
    assert!(cases.len() > 10, "only {} cases were found", cases.len());
    for (title, input, expected) in cases {
        let mut source = Source::new("trip.ron", WHOLE);
        let mut refused = None;
        for line in input.lines() {
            let (path, value) = line.split_once('=').expect("a line is PATH=VALUE");
            match source.set(path, value) {
                Ok(changed) => source = changed,
                Err(problem) => refused = Some(render(&[problem], Some(&source), false)),
            }
        }
        let found = refused.unwrap_or_else(|| answer(&source));
        assert!(found == expected, "{title}: the answer is now\n\n{found}");
    }
}

#[test]
fn the_whole_scenario_is_accepted() {
    let scenario: Scenario = Source::new("trip.ron", WHOLE).parse().expect("it is right");
    assert_eq!(scenario.nodes.len(), 5);
    assert_eq!(scenario.seed, 255);
}

#[test]
fn line_ends_of_windows_and_a_mark_of_byte_order_change_nothing() {
    for (_, input, expected) in cases(include_str!("../../../tests/diagnostics/fields.txt")) {
        let windows = format!("\u{feff}{}", input.replace('\n', "\r\n"));
        assert_eq!(answer(&Source::new("trip.ron", windows)), expected);
    }
}

#[test]
fn signs_that_control_a_terminal_are_shown_not_sent() {
    let text = "Scenario(nodes: {\"\u{1b}[31mred\": Sevice(\u{1b}[0m: 3)}, run: \"\u{1b}[2J\")";
    for text in [
        text.to_owned(),
        text.replace("Sevice", "Service"),
        text.replace("Sevice(\u{1b}[0m: 3)", "Service()"),
    ] {
        let found = answer(&Source::new("\u{1b}[1m.ron", text));
        assert!(found.starts_with("error"), "{found}");
        assert!(!found.contains('\u{1b}'), "{found:?}");
    }
}

#[test]
fn a_very_long_line_is_cut_around_the_place() {
    let numbers = "0, ".repeat(33_000);
    let text = format!("Scenario(nodes: {{}}, run: \"1s\", weights: [{numbers}300, {numbers}])");
    assert!(text.len() > 100_000);
    let found = answer(&Source::new("trip.ron", text));
    assert!(found.contains("300"), "{found}");
    assert!(found.len() < 600, "{} bytes", found.len());
    let word = format!("Scenario({}: 1)", "x".repeat(100_000));
    assert!(answer(&Source::new("trip.ron", word)).len() < 1_000);
}

#[test]
fn an_invisible_character_is_named() {
    let found = answer(&Source::new("trip.ron", "Scenario(nodes: {}, run:\u{a0}\"1s\")"));
    assert!(found.contains("an invisible character, U+00A0"), "{found}");
}

#[test]
fn problems_are_shown_in_the_order_of_the_text_and_counted() {
    let source = Source::new("t.ron", "(a: 1, b: 2, c: 3)");
    let problems = [
        Problem::at(13..14).title("third").label("here"),
        Problem::new("first"),
        Problem::at(1..2).title("second").warning(),
    ];
    let expected = "\
error: first

warning: second
 --> t.ron:1:2
  |
1 | (a: 1, b: 2, c: 3)
  |  ^

error: third
 --> t.ron:1:14
  |
1 | (a: 1, b: 2, c: 3)
  |              ^ here

3 problems found
";
    assert_eq!(render(&problems, Some(&source), false), expected);
    let many = vec![Problem::new("again"); 50];
    let text = render(&many, None, false);
    assert!(text.ends_with("50 problems found, the first 20 are shown\n"), "{text}");
    assert_eq!(text.matches("error: again").count(), 20);
    assert_eq!(render(&[], None, false), "");
}

#[test]
fn colour_is_escape_sequences_and_nothing_else() {
    let source = Source::new("t.ron", "Scenario(nodes: 5)");
    let problems = source.parse::<Scenario>().expect_err("a number is no map");
    let colored = render(&problems, Some(&source), true);
    assert!(colored.contains("\u{1b}["));
    let stripped: String = colored
        .split('\u{1b}')
        .enumerate()
        .map(|(part, text)| match part {
            0 => text,
            _ => text.split_once('m').map_or("", |(_, text)| text),
        })
        .collect();
    assert_eq!(stripped, render(&problems, Some(&source), false));
}

#[test]
fn the_nearest_name_is_the_one_that_was_meant() {
    let names = ["orders", "payment", "inventory", "orders-db", "db"];
    for (found, expected) in [
        ("ordres", Some("orders")),
        ("Orders", Some("orders")),
        ("order", Some("orders")),
        ("orders_db", Some("orders-db")),
        ("pyament", Some("payment")),
        ("dbs", Some("db")),
        ("shipping", None),
        ("x", None),
        ("", None),
    ] {
        assert_eq!(nearest(found, names), expected, "{found}");
    }
    assert_eq!(nearest(&"x".repeat(1_000_000), names), None);
    assert_eq!(nearest("ordres", &names), Some(&"orders"), "a borrowed list will do");
    assert_eq!(nearest("a", ["b", "c"]), None, "another letter is another name");
}

/// Parses, renders and indexes; panics if any of it does not hold together.
fn survives(text: &str) -> bool {
    let source = Source::new("trip.ron", text);
    match source.parse::<Scenario>() {
        Ok(_) => {
            assert!(Spans::of(text).is_ok(), "ron accepts what the index refuses: {text}");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "{text}");
            for problem in &problems {
                assert!(!problem.title.is_empty(), "{text}");
                let place = problem.place().expect("each problem of a text has a place");
                assert!(text.get(place).is_some(), "{problem:?} in {text}");
            }
            assert!(render(&problems, Some(&source), false).starts_with("error: "), "{text}");
            false
        }
    }
}

#[test]
fn every_truncation_is_answered() {
    for (end, _) in WHOLE.char_indices() {
        let accepted = survives(&WHOLE[..end]);
        assert_eq!(accepted, WHOLE[end..].trim().is_empty(), "cut at {end}");
        survives(&WHOLE[end..]);
    }
}

#[test]
fn every_mutation_of_one_character_is_answered() {
    const SIGNS: [&str; 22] = [
        "", "(", ")", "[", "]", "{", "}", "\"", "'", ",", ":", "\\", "/", "/*", "#", "-", "0", "x",
        "é", "\n", "\0", "r#",
    ];
    let mut refused = 0_u32;
    for (start, c) in WHOLE.char_indices() {
        for sign in SIGNS {
            let after = &WHOLE[start + c.len_utf8()..];
            refused += u32::from(!survives(&[&WHOLE[..start], sign, after].concat()));
        }
    }
    assert!(refused > 5_000, "{refused} refused");
}

#[test]
fn changes_to_every_path_are_answered() {
    let source = Source::new("trip.ron", WHOLE);
    let paths: Vec<String> = source.spans().paths().collect();
    for path in &paths {
        for value in
            ["5", "-1", "5ms", "a b", "\"", "(", "[1]", "Zero", "None", "é", "{\"a\": 1}", "()"]
        {
            for path in
                [path.clone(), format!("{path}.x"), format!("{path}[0]"), format!("x{path}")]
            {
                match source.set(&path, value) {
                    Ok(changed) => {
                        let problems = changed.parse::<Scenario>().err().unwrap_or_default();
                        let text = render(&problems, Some(&changed), false);
                        assert!(problems.is_empty() || text.starts_with("error: "), "{text}");
                    }
                    Err(problem) => {
                        let text = render(&[problem], Some(&source), false);
                        assert!(text.contains("command line:1:"), "{text}");
                    }
                }
            }
        }
    }
}
