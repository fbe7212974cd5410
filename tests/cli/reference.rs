//! What `list` and `explain` say.

use std::path::Path;

use super::{printed, refused};

#[test]
fn lists_have_a_line_for_each_name() {
    for (what, name, part) in [
        ("patterns", "Saga", "A transaction across services"),
        ("nodes", "Service", "A service"),
        ("faults", "Crash", "The node's process dies"),
        ("distributions", "LogNormal", "What measured latencies look like"),
        ("loads", "Zipf", "(Keys)"),
        ("calls", "Breaker", "A circuit breaker"),
        ("servers", "AdaptiveLifo", "(Discipline)"),
        ("invariants", "Atomic", "When the system has come to rest"),
        ("facts", "saga.step-done", "A step is done"),
        ("units", "share", "A probability from 0 to 1"),
        ("metrics", "latency.p99", "99 %"),
        ("topics", "exit-codes", "What the exit code"),
    ] {
        let list = printed(&["list", what]);
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in the list:\n{list}"));
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn what_is_listed_can_be_explained() {
    let topics = printed(&["list", "topics"]);
    let names = topics.lines().filter(|line| line.starts_with("  "));
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 80, "{topics}");
    for name in names {
        let text = printed(&["explain", name]);
        assert!(text.starts_with(name) || text.contains(&format!("\n{name}:")), "{name}:\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
    }
}

#[test]
fn an_explanation_has_fields_defaults_and_an_example() {
    let saga = printed(&["explain", "saga"]);
    for part in [
        "Saga: a pattern",
        "steps: list of Step, required",
        "Step (in Saga.steps)",
        "compensation: name such as",
        "Default: none",
        "Example\n  Saga(\n",
        "See also:",
    ] {
        assert!(saga.contains(part), "{part}:\n{saga}");
    }
    let field = printed(&["explain", "policy.TIMEOUT"]);
    assert!(field.starts_with("Policy.timeout\n  timeout: span such as \"5ms\", optional\n"));
    assert!(field.contains("Default: without limit."), "{field}");
    assert_eq!(printed(&["explain", "Client.policy.timeout"]), field);
    let everywhere = printed(&["explain", "idempotent"]);
    assert!(everywhere.contains("Service.idempotent\n"), "{everywhere}");
    let metric = printed(&["explain", "latency.p99/buyers"]);
    assert!(metric.starts_with("latency.p99: a metric\n"), "{metric}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let here = Path::new(".");
    for (name, near) in [
        ("Sagga", "did you mean `Saga`?"),
        ("Policy.timeuot", "did you mean `Policy.timeout`?"),
        ("latency.p98", "did you mean `latency.p9"),
        ("exit-code", "did you mean `exit-codes`?"),
        ("qwertyuiop", "`stormglass list topics`"),
    ] {
        refused(here, &["explain", name], &[&format!("nothing here is called `{name}`"), near]);
    }
}

#[test]
fn a_name_without_a_letter_explains_nothing() {
    let here = Path::new(".");
    for name in ["", " ", "\t \n"] {
        refused(here, &["explain", name], &["the name is blank", "`stormglass list topics`"]);
    }
    for name in [".", "..", "Policy.", ".timeout", "Policy..timeout", "Client. .timeout"] {
        refused(here, &["explain", name], &[&format!("nothing here is called `{name}`")]);
    }
    for name in ["Saga", "latency.p99", "exit-codes", "Policy.timeout"] {
        assert_eq!(printed(&["explain", &format!("  {name} ")]), printed(&["explain", name]));
    }
}

#[test]
fn without_a_topic_the_topics_are_listed() {
    let list = printed(&["list"]);
    let lines: Vec<&str> = list.lines().collect();
    let (Some((last, rows)), true) = (lines.split_last(), list.contains("What can go wrong"))
    else {
        panic!("{list}");
    };
    assert!(last.contains("`stormglass list topics`"), "{list}");
    assert_eq!(printed(&["explain"]), list, "there is what can be explained");
    let named = rows.iter().filter_map(|line| line.split_whitespace().next());
    let named: Vec<&str> = named.collect();
    assert!(named.contains(&"faults") && named.len() > 10, "{list}");
    for name in named {
        assert!(!printed(&["list", name]).is_empty());
    }
}
