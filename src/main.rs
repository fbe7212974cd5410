//! The command `stormglass`; see `stormglass --help`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::perform(&cli::args::Args::read()).into()
}
