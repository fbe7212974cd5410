//! What can be typed.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args as Flags, CommandFactory, Error, FromArgMatches};
use clap::{Parser, Subcommand, ValueEnum};

use super::guides::EXIT_CODES;
use stormglass::scenario::diagnose::nearest;

/// A deterministic simulator for distributed-system designs: performance and correctness in one
/// run.
#[derive(Clone, Debug, Parser)]
#[command(name = "stormglass", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = format!("{EXAMPLES}\n\nExit codes:\n{EXIT_CODES}"))]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Print without colour (as the environment variable NO_COLOR does)
    #[arg(long, global = true)]
    pub no_color: bool,
}

const EXAMPLES: &str = "\
Examples:
  stormglass run scenarios/saga_failure.ron        simulate, compare, report
  stormglass check scenarios/saga_failure.ron      validate, without simulating
  stormglass validate                              reproduce published results
  stormglass list patterns                         what a design can be made of
  stormglass explain Saga                          what something is and how it is written";

impl Args {
    /// Reads the command line; what cannot be read ends the process with exit code 2.
    pub fn read() -> Args {
        // Clap colours its own messages, and has not read the flag when it does.
        let is_plain = std::env::args_os().any(|argument| argument == "--no-color");
        let color = if is_plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
        let matches = Args::command().color(color).try_get_matches();
        matches
            .and_then(|matches| Args::from_arg_matches(&matches))
            .unwrap_or_else(|error| advised(error).exit())
    }
}

/// Clap's message with advice that fits.
fn advised(mut error: Error) -> Error {
    // Clap measures nearness in another way, and finds no `run` in `rnu`.
    let unknown = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        _ => None,
    };
    let command = Args::command();
    let commands = command.get_subcommands().map(clap::Command::get_name);
    if let Some(file) = unknown.as_ref().filter(|name| name.ends_with(".ron")) {
        let tip = format!("to simulate a scenario, use 'stormglass run {file}'").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    } else if let Some(near) = unknown.and_then(|name| nearest(&name, commands)) {
        let near = ContextValue::Strings(vec![near.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, near);
    }
    // "To pass '-q' as a value, use '-- -q'": no value of ours begins so.
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().starts_with("to pass "));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// A whole number within a range, for every flag that wants one; the flag should allow negative
/// numbers, since clap takes them for flags otherwise and says so.
#[derive(Clone, Debug)]
struct Whole<N>(RangeInclusive<N>);

impl<N> TypedValueParser for Whole<N>
where
    N: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    type Value = N;

    fn parse_ref(
        &self,
        command: &clap::Command,
        flag: Option<&Arg>,
        text: &OsStr,
    ) -> Result<N, Error> {
        let number: Option<N> = text.to_str().and_then(|text| text.parse().ok());
        if let Some(number) = number.filter(|number| self.0.contains(number)) {
            return Ok(number);
        }
        let flag = flag.map(ToString::to_string).unwrap_or_default();
        let value = text.to_string_lossy().into_owned();
        let (least, greatest) = (self.0.start(), self.0.end());
        let tip = format!("a whole number from {least} to {greatest} is wanted");
        let mut error = Error::new(ErrorKind::ValueValidation).with_cmd(command);
        error.insert(ContextKind::InvalidArg, ContextValue::String(flag));
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        Err(error)
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Simulate every variant of a scenario and print the trade-off report
    ///
    /// Every variant runs under the same seeds. The report goes to standard output and, as Markdown
    /// and as JSON, into a folder of `reports/` that is named after the scenario. A run with other
    /// seeds, variants or values than the scenario's own is written only if --out says where, so
    /// that reports that are checked in stay comparable. Ctrl-C lets the runs under way finish and
    /// reports what is done; a second one ends at once.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunFlags),
    /// Validate a scenario and say what its topology alone tells
    ///
    /// Nothing is simulated. For each variant: its size, the longest chain of calls, single points
    /// of failure, circles of calls, and nodes that no client reaches.
    #[command(after_help = "\
Examples:
  stormglass check scenarios/saga_failure.ron
  stormglass check scenarios/saga_failure.ron --variant saga --set nodes.orders.pivot=1")]
    Check(CheckFlags),
    /// Draw the topology
    ///
    /// The first variant is drawn unless others are asked for. Solid edges are calls whose caller
    /// waits for the answer, dashed ones are messages that nobody waits for.
    #[command(after_help = "\
Examples:
  stormglass graph scenarios/saga_failure.ron --format dot | dot -Tsvg > topology.svg
  stormglass graph scenarios/saga_failure.ron --variant saga --format mermaid")]
    Graph(GraphFlags),
    /// Reproduce published results, and say how near the simulation comes
    ///
    /// Every scenario of the folder that names a published result is run with as many seeds as it
    /// takes to tell whether its figures agree, within their tolerances.
    #[command(after_help = "\
Examples:
  stormglass validate
  stormglass validate Q01 Q05
  stormglass validate --quick
  stormglass validate --out docs/VALIDATION.md")]
    Validate(ValidateFlags),
    /// List what scenarios can be made of, and what is measured
    #[command(after_help = "\
Examples:
  stormglass list
  stormglass list faults
  stormglass list topics | grep -i queue")]
    List {
        /// What to list [default: what can be listed]
        what: Option<Listing>,
    },
    /// Explain anything that `list` names, or a field of it
    #[command(after_help = "\
Examples:
  stormglass explain Saga
  stormglass explain Policy.timeout
  stormglass explain latency.p99
  stormglass explain exit-codes")]
    Explain {
        /// Its name; upper and lower case are the same. Without it, where the names are
        name: Option<String>,
    },
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  stormglass completions bash > ~/.local/share/bash-completion/completions/stormglass")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  stormglass run scenarios/saga_failure.ron
  stormglass run scenarios/saga_failure.ron --seeds 20
  stormglass run scenarios/saga_failure.ron --variant saga --set nodes.payments.machine.workers=2
  stormglass run scenarios/saga_failure.ron --seed 7 --format json --no-write";

/// A scenario, and what is different this time.
#[derive(Clone, Debug, Flags)]
pub struct Input {
    /// The scenario file
    pub scenario: PathBuf,
    /// Another value for what stands at a path (repeatable), such as nodes.orders.pivot=1
    #[arg(long, value_name = "PATH=VALUE", help_heading = "Scenario")]
    pub set: Vec<String>,
    /// Only this variant (repeatable); the first of the scenario's own order is the baseline
    #[arg(long, value_name = "NAME", help_heading = "Scenario")]
    pub variant: Vec<String>,
}

#[derive(Clone, Debug, Flags)]
pub struct RunFlags {
    #[command(flatten)]
    pub input: Input,
    /// The first seed [default: the scenario's]
    #[arg(long, value_name = "N", help_heading = "Simulation",
          value_parser = Whole(0..=u64::MAX), allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// How many seeds, one after the other: replications, for confidence intervals
    #[arg(long, value_name = "N", help_heading = "Simulation", default_value_t = 1,
          value_parser = Whole(1..=1_000_000_u64), allow_negative_numbers = true)]
    pub seeds: u64,
    /// How many threads; the result is the same for any number [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation",
          value_parser = Whole(1..=1024_u16), allow_negative_numbers = true)]
    pub jobs: Option<u16>,
    /// What to print
    #[arg(long, value_enum, help_heading = "Output", default_value_t = Format::Text)]
    pub format: Format,
    /// Write the report into a folder of this one, named after the scenario [default: reports]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write no files
    #[arg(long, help_heading = "Output", conflicts_with = "out")]
    pub no_write: bool,
    /// No progress and no remarks on standard error, only errors
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Clone, Debug, Flags)]
pub struct ValidateFlags {
    /// Only these cases, by their ids [default: all]
    pub ids: Vec<String>,
    /// Where the scenarios are
    #[arg(
        long,
        value_name = "DIR",
        default_value = "scenarios/validation",
        help_heading = "Scenario"
    )]
    pub from: PathBuf,
    /// Few runs: enough to see what is wrong, not to be sure of what is right
    #[arg(long, help_heading = "Simulation")]
    pub quick: bool,
    /// How many threads; the result is the same for any number [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Simulation",
          value_parser = Whole(1..=1024_u16), allow_negative_numbers = true)]
    pub jobs: Option<u16>,
    /// What to print
    #[arg(long, value_enum, help_heading = "Output", default_value_t = Format::Text)]
    pub format: Format,
    /// Write what was found as a page of documentation as well
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// No progress and no remarks on standard error, only errors
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Clone, Debug, Flags)]
pub struct CheckFlags {
    #[command(flatten)]
    pub input: Input,
    /// Print nothing if the scenario is valid: the exit code says it
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Clone, Debug, Flags)]
pub struct GraphFlags {
    #[command(flatten)]
    pub input: Input,
    /// For Graphviz or for Mermaid
    #[arg(long, value_enum, default_value_t = Drawing::Mermaid, help_heading = "Output")]
    pub format: Drawing,
}

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For machines
    Json,
    /// Markdown, as it is written
    Md,
}

/// How a topology is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Drawing {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
}

/// What can be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Listing {
    /// Known designs that a node can follow, such as a saga
    Patterns,
    /// Every kind of node, patterns among them
    Nodes,
    /// What can go wrong
    Faults,
    /// When requests come, how often, and which objects they are about
    Loads,
    /// What guards calls: limits, breakers, retries, hedging, balancing, fallbacks
    Calls,
    /// What a machine does with its work, and what caches do for it
    Servers,
    /// Distributions of time spans
    Distributions,
    /// What can be demanded to hold
    Invariants,
    /// What nodes note, for faults that wait for it
    Facts,
    /// How quantities are written
    Units,
    /// What is measured
    Metrics,
    /// What a scenario can measure besides
    Measures,
    /// Everything that can be explained
    Topics,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_that_wants_a_number_says_which() {
        let mut flags = 0;
        for command in Args::command().get_subcommands() {
            let wants_number = |flag: &&Arg| {
                flag.get_value_names().is_some_and(|names| names.iter().any(|name| name == "N"))
            };
            for flag in command.get_arguments().filter(wants_number) {
                let name = format!("--{}", flag.get_long().expect("it is a flag"));
                for value in ["abc", "-1"] {
                    let typed = ["stormglass", command.get_name(), "x", &name, value];
                    let error = Args::try_parse_from(typed).expect_err(&name).to_string();
                    let said = format!("invalid value '{value}' for '{name} <N>'\n");
                    assert!(error.contains(&said), "{error}");
                    assert!(error.contains("tip: a whole number from "), "{error}");
                }
                flags += 1;
            }
        }
        assert!(flags >= 4, "{flags}");
    }
}
