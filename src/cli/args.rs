//! What can be typed.

use std::path::PathBuf;

use clap::{Args as Flags, Parser, Subcommand, ValueEnum};

/// A deterministic simulator for distributed-system designs: performance and correctness in one
/// run.
#[derive(Clone, Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Print without colour (as does the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

const EXAMPLES: &str = "\
Examples:
  stormglass run scenarios/saga_failure.ron
  stormglass run scenarios/saga_failure.ron --seeds 20 --format md
  stormglass run scenarios/saga_failure.ron --variant saga --set run.load=20s
  stormglass check scenarios/saga_failure.ron
  stormglass explain Saga

Exit codes:
  0  every expectation and invariant held
  1  at least one did not
  2  the input cannot be used
  3  a limit was reached
  130  interrupted";

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Simulate every variant of a scenario and print the trade-off report
    Run(RunFlags),
    /// Validate a scenario and say what its topology alone tells
    Check(CheckFlags),
    /// Draw the topology
    Graph(GraphFlags),
    /// List what scenarios can be made of
    List {
        /// What to list
        what: Topic,
    },
    /// Explain a node, a fault, a distribution, a metric, or anything else that `list` names
    Explain {
        /// Its name, for example `Saga`, `Policy.timeout` or `latency.p99`
        name: String,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// A scenario, and what is different this time.
#[derive(Clone, Debug, Flags)]
pub struct Input {
    /// The scenario file
    pub scenario: PathBuf,
    /// Give a value of the scenario another one, by its path (repeatable):
    /// `--set nodes.payments.machine.workers=2`
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Only this variant (repeatable); the first in the scenario's order is the baseline
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
}

#[derive(Clone, Debug, Flags)]
pub struct RunFlags {
    #[command(flatten)]
    pub input: Input,
    /// The first seed [default: the scenario's]
    #[arg(long, value_name = "N", help_heading = "Simulation")]
    pub seed: Option<u64>,
    /// How many seeds, one after the other: replications, for confidence intervals
    #[arg(long, value_name = "N", help_heading = "Simulation", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub seeds: u64,
    /// How many threads; the result is the same for any number [default: one a processor]
    #[arg(
        long,
        value_name = "N",
        help_heading = "Simulation",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub jobs: usize,
    /// What to print
    #[arg(long, value_enum, help_heading = "Output", default_value_t = Format::Text)]
    pub format: Format,
    /// Where to write the report, in a folder named after the scenario [default: reports]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write no files
    #[arg(long, help_heading = "Output", conflicts_with = "out")]
    pub no_write: bool,
    /// No progress bar and no remarks
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Clone, Debug, Flags)]
pub struct CheckFlags {
    #[command(flatten)]
    pub input: Input,
}

#[derive(Clone, Debug, Flags)]
pub struct GraphFlags {
    #[command(flatten)]
    pub input: Input,
    /// For Graphviz or for Mermaid
    #[arg(long, value_enum, default_value_t = Drawing::Mermaid)]
    pub format: Drawing,
}

/// How a report is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// JSON, for machines
    Json,
    /// Markdown
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
pub enum Topic {
    /// Patterns
    Patterns,
    /// Every kind of node
    Nodes,
    /// Faults
    Faults,
    /// Distributions
    Distributions,
    /// Invariants
    Invariants,
    /// Metrics
    Metrics,
    /// Everything that can be explained
    Topics,
}
