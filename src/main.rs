//! The command `stormglass`; see `stormglass --help`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::perform(&cli::args::Args::parse()).into()
}
