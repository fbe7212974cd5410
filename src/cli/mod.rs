//! The command line: what a person types, and what is done about it.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 all held, 1 an
//! expectation or invariant did not, 2 the input cannot be used, 3 a limit was reached, 130
//! interrupted.

pub mod args;
mod check;
mod explain;
mod files;
mod guides;
mod list;
mod progress;
mod prose;
mod run;
mod validate;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::CommandFactory;

use args::{Args, Command, Input};
use stormglass::check::validate as problems_of;
use stormglass::scenario::diagnose::{self, Problem};
use stormglass::scenario::source::Source;
use stormglass::scenario::{Scenario, load};

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Every expectation and invariant held.
    Held,
    /// At least one did not.
    Failed,
    /// The input cannot be used.
    Unusable,
    /// A stated limit was reached.
    Limit,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// As `explain exit-codes` has it.
    fn code(self) -> u8 {
        match self {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
            Exit::Limit => 3,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Does what was asked.
pub fn perform(args: &Args) -> Exit {
    let no_color = args.no_color;
    match &args.command {
        Command::Run(flags) => match read(&flags.input, no_color) {
            Ok(input) => run::run(&input, flags, no_color),
            Err(exit) => exit,
        },
        Command::Check(flags) => match read(&flags.input, no_color) {
            Ok(_) if flags.quiet => Exit::Held,
            Ok(input) => print(&check::check(&input.scenario, &input.variants, prose_width())),
            Err(exit) => exit,
        },
        Command::Graph(flags) => match read(&flags.input, no_color) {
            Ok(input) => print(&check::graph(&input.scenario, &input.variants, flags.format)),
            Err(exit) => exit,
        },
        Command::Validate(flags) => validate::validate(flags, no_color),
        Command::List { what } => {
            // A line for each name, where it goes to other programs.
            let is_read = std::io::stdout().is_terminal();
            let width = if is_read { columns() } else { usize::MAX };
            print(&what.map_or_else(|| list::listings(width), |what| list::list(what, width)))
        }
        Command::Explain { name: None } => print(&list::listings(columns())),
        Command::Explain { name: Some(name) } => match explain::explain(name, prose_width()) {
            Ok(text) => print(&text),
            Err(problem) => refuse(&[*problem], None, no_color),
        },
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "stormglass", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
    }
}

/// A scenario that can be run, and which of its variants are asked for.
pub struct Ready {
    scenario: Scenario,
    /// Names; all if empty.
    variants: Vec<String>,
    /// Is it the scenario that stands in the file, with all of its variants?
    is_as_written: bool,
}

fn read(input: &Input, no_color: bool) -> Result<Ready, Exit> {
    let source =
        Source::read(&input.scenario).map_err(|problem| refuse(&[problem], None, no_color))?;
    let mut changed = source.clone();
    for set in &input.set {
        changed = match set.split_once('=') {
            Some((path, value)) => changed.set(path.trim(), value.trim()),
            None => Err(Problem::new(format!("`--set {set}` has no `=`"))
                .help("write a path and a value: `--set nodes.orders.machine.workers=4`")),
        }
        .map_err(|problem| refuse(&[changed.settled(problem)], Some(&source), no_color))?;
    }
    let scenario =
        load(&changed).map_err(|problems| refuse(&problems, Some(&changed), no_color))?;
    let problems = problems_of(&scenario, &changed.spans());
    if !problems.is_empty() {
        return Err(refuse(&problems, Some(&changed), no_color));
    }
    for name in &input.variant {
        if !scenario.variants.iter().any(|variant| variant.name == *name) {
            let known: Vec<&str> =
                scenario.variants.iter().map(|variant| variant.name.as_str()).collect();
            let problem = Problem::new(format!("no variant is called `{name}`")).choose(
                name,
                &known,
                "the variants are",
            );
            return Err(refuse(&[problem], None, no_color));
        }
    }
    let is_as_written = input.set.is_empty() && input.variant.is_empty();
    Ok(Ready { scenario, variants: input.variant.clone(), is_as_written })
}

/// Does standard output want colour?
fn is_colored() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// The columns of the terminal, or what fits a page.
fn columns() -> usize {
    const PAGE: u16 = 100;
    let columns = console::Term::stdout().size_checked().map_or(PAGE, |(_, columns)| columns);
    usize::from(columns.clamp(60, 200))
}

/// The width of prose: longer lines are hard to read.
fn prose_width() -> usize {
    columns().min(96)
}

/// Says what is wrong.
fn refuse(problems: &[Problem], source: Option<&Source>, no_color: bool) -> Exit {
    let out = std::io::stderr();
    let color = !no_color && anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never;
    let text = diagnose::render(problems, source, color);
    // Nobody is left to hear of it if standard error is gone.
    let _ = writeln!(out.lock(), "{}", text.trim_end());
    Exit::Unusable
}

/// Says something on the side.
fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a result. A reader that has seen enough, such as `head`, is no failure.
fn print(text: &str) -> Exit {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Ok(()) => Exit::Held,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Held,
        Err(error) => {
            remark(&format!("error: cannot write the result: {error}"));
            Exit::Unusable
        }
    }
}

/// Is somebody watching the progress?
fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
