//! What can be typed, and what is said about what cannot.

use std::path::Path;

use super::{ONE, folder, printed, refused, stormglass, write};

#[test]
fn without_arguments_it_shows_its_help() {
    let seen = stormglass(Path::new("."), &[]);
    assert_eq!(seen.code, Some(2));
    assert!(seen.err.contains("Usage: stormglass") && seen.err.contains("Exit codes:"));
    assert!(printed(&["--help"]).contains("Examples:"));
    assert_eq!(printed(&["--version"]), format!("stormglass {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_command_has_a_help_with_an_example() {
    for command in ["run", "check", "graph", "list", "explain", "completions"] {
        let help = printed(&[command, "--help"]);
        assert!(help.contains(&format!("stormglass {command} ")), "{help}");
        assert!(help.contains("Example"), "{help}");
    }
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("stormglass") && script.contains("no-write"), "{shell}");
    }
}

#[test]
fn a_bad_flag_is_refused_with_the_nearest() {
    let folder = folder("flags");
    let path = write(&folder, "one.ron", ONE);
    for (arguments, said) in [
        (&["runn", &path][..], &["unrecognized subcommand 'runn'", "exists: 'run'"][..]),
        (&["rnu", &path], &["unrecognized subcommand 'rnu'", "exists: 'run'"]),
        (&[&path], &["to simulate a scenario, use 'stormglass run ", "one.ron'"]),
        (&["CHECK", &path], &["unrecognized subcommand 'CHECK'", "exists: 'check'"]),
        (&["run"], &["<SCENARIO>"]),
        (&["run", &path, "--sed", "3"], &["'--sed'", "'--seed'"]),
        (
            &["run", &path, "--seed", "18446744073709551615", "--seeds", "2"],
            &["there are no 2 seeds"],
        ),
        (&["run", &path, "--format", "yaml"], &["yaml", "text, json, md"]),
        (&["run", &path, "--out", "x", "--no-write"], &["'--no-write'"]),
        (&["graph", &path, "--format", "svg"], &["svg", "dot, mermaid"]),
        (&["list", "pattern"], &["'pattern'", "'patterns'"]),
        (&["completions", "tcsh"], &["tcsh", "bash"]),
        (
            &["check", &path, "--variant", "as describd"],
            &["no variant is called", "did you mean `as described`?"],
        ),
    ] {
        refused(&folder, arguments, said);
    }
}

#[test]
fn a_number_that_is_none_is_told_what_is_wanted() {
    let folder = folder("numbers");
    let path = write(&folder, "one.ron", ONE);
    for (command, flag, wanted) in [
        ("run", "--seed", "a whole number from 0 to 18446744073709551615"),
        ("run", "--seeds", "a whole number from 1 to 1000000"),
        ("run", "--jobs", "a whole number from 1 to 1024"),
        ("validate", "--jobs", "a whole number from 1 to 1024"),
    ] {
        for value in ["abc", "", "-1", "1.5", "99999999999999999999"] {
            let said = format!("invalid value '{value}' for '{flag} <N>'\n\n  tip: {wanted} is");
            refused(&folder, &[command, &path, flag, value], &[&said]);
        }
    }
    refused(&folder, &["run", &path, "--seeds", "0"], &["from 1 to"]);
    refused(&folder, &["run", &path, "--jobs", "1025"], &["to 1024"]);
    refused(&folder, &["run", &path, "--seeds", "--jobs", "2"], &["a value is required"]);
}

/// No value of ours begins with a hyphen.
#[test]
fn nobody_is_told_to_pass_a_flag_as_a_value() {
    for arguments in [
        &["run", "one.ron", "-x"][..],
        &["run", "one.ron", "--colour"],
        &["check", "-1"],
        &["graph", "one.ron", "-q"],
        &["list", "-q"],
        &["explain", "-q"],
        &["validate", "-x"],
        &["completions", "-x"],
    ] {
        let seen = stormglass(Path::new("."), arguments);
        assert_eq!(seen.code, Some(2), "{arguments:?}: {}", seen.err);
        assert!(seen.err.contains("unexpected argument"), "{arguments:?}: {}", seen.err);
        assert!(!seen.err.contains("-- -"), "{arguments:?}: {}", seen.err);
    }
    let misplaced = ["--quiet", "run", "one.ron"];
    refused(Path::new("."), &misplaced, &["'--quiet'", "'run --quiet' exists"]);
}
