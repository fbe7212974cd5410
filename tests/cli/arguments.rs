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
        (&["runn", &path][..], &["unrecognized subcommand 'runn'", "'run'"][..]),
        (&["run"], &["<SCENARIO>"]),
        (&["run", &path, "--sed", "3"], &["'--sed'", "'--seed'"]),
        (&["run", &path, "--seed", "-1"], &["'-1'"]),
        (&["run", &path, "--seeds", "0"], &["--seeds", "1..=1000000"]),
        (
            &["run", &path, "--seed", "18446744073709551615", "--seeds", "2"],
            &["there are no 2 seeds"],
        ),
        (&["run", &path, "--jobs", "0"], &["--jobs", "1..=1024"]),
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
