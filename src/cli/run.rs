//! `run`: simulate, report, and say by the exit code whether all held.
#![expect(clippy::disallowed_types, reason = "how long a study took is told, and kept apart")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{Format, RunFlags};
use super::progress::Bar;
use super::{Exit, Ready, files, is_watched, print, remark};
use stormglass::check::outcome::{Ending, Study};
use stormglass::explore::{Plan, study};
use stormglass::report::{self, Style};

/// Runs a scenario and reports.
pub fn run(input: &Ready, flags: &RunFlags, color: bool) -> Exit {
    let first = flags.seed.unwrap_or(input.scenario.seed);
    let seeds = (0..flags.seeds).map(|place| first.wrapping_add(place)).collect();
    let plan = Plan { seeds, variants: input.variants.clone(), jobs: flags.jobs };
    let bar = Bar::new(!flags.quiet && is_watched());
    let began = Instant::now();
    let mut found = study(&input.scenario, &plan, &bar);
    found.wall = began.elapsed().as_secs_f64();
    bar.clear();
    let printed = print(&match flags.format {
        Format::Text => report::text(&found, Style { width: width(), color }),
        Format::Json => report::json(&found),
        Format::Md => report::markdown(&found),
    });
    if printed != Exit::Held {
        return printed;
    }
    if let Err(exit) = keep(input, flags, &found) {
        return exit;
    }
    if found.interrupted {
        remark("interrupted: the report has the runs that were done by then");
    }
    verdict(&found)
}

fn verdict(found: &Study) -> Exit {
    let mut runs = found.variants.iter().flat_map(|variant| &variant.runs);
    if found.interrupted {
        Exit::Interrupted
    } else if runs.any(|run| run.ending != Ending::Complete) {
        Exit::Limit
    } else if found.held() {
        Exit::Held
    } else {
        Exit::Failed
    }
}

/// Writes the report. A run that was asked to differ from the scenario leaves the scenario's own
/// report alone, unless it is told where to write.
fn keep(input: &Ready, flags: &RunFlags, found: &Study) -> Result<(), Exit> {
    if flags.no_write {
        return Ok(());
    }
    let is_own = !input.is_changed
        && flags.seed.is_none_or(|seed| seed == input.scenario.seed)
        && flags.seeds == 1;
    let folder = match &flags.out {
        Some(folder) => folder.clone(),
        None if is_own && !found.interrupted => PathBuf::from("reports"),
        None => return Ok(()),
    };
    let folder = folder.join(&found.name);
    for (name, text) in
        [("report.md", report::markdown(found)), ("report.json", report::json(found))]
    {
        let path = folder.join(name);
        if let Err(error) = files::write(&path, &text) {
            remark(&format!("error: cannot write {}: {error}", path.display()));
            return Err(Exit::Unusable);
        }
    }
    if !flags.quiet {
        remark(&format!("written: {}", shown(&folder)));
    }
    Ok(())
}

fn shown(folder: &Path) -> String {
    format!("{}/report.md and report.json", folder.display())
}

/// The terminal's width, or what fits a page.
fn width() -> usize {
    const PAGE: u16 = 100;
    let columns = console::Term::stdout().size_checked().map_or(PAGE, |(_, columns)| columns);
    usize::from(columns.clamp(60, 200))
}
