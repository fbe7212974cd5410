//! `run`: simulate, report, and say by the exit code whether all held.
#![expect(clippy::disallowed_types, reason = "how long a study took is told, and kept apart")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{Format, RunFlags};
use super::progress::Bar;
use super::{Exit, Ready, columns, files, is_watched, print, refuse, remark};
use stormglass::check::outcome::{Ending, Study};
use stormglass::explore::{Plan, study};
use stormglass::report::{self, Style};
use stormglass::scenario::diagnose::Problem;

/// Runs a scenario and reports.
pub fn run(input: &Ready, flags: &RunFlags, no_color: bool) -> Exit {
    let prepared = seeds(input, flags).and_then(|seeds| Ok((seeds, folder(input, flags)?)));
    let (seeds, folder) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return refuse(&[*problem], None, no_color),
    };
    let jobs = flags.jobs.map_or(0, usize::from);
    let plan = Plan { seeds, variants: input.variants.clone(), jobs };
    let bar = Bar::new(!flags.quiet && is_watched());
    let began = Instant::now();
    let mut found = study(&input.scenario, &plan, &bar);
    found.wall = began.elapsed().as_secs_f64();
    bar.clear();
    if found.variants.iter().all(|variant| variant.runs.is_empty()) {
        remark("interrupted before the first run was done: there is nothing to report");
        return Exit::Interrupted;
    }
    let color = !no_color && super::is_colored();
    let printed = print(&match flags.format {
        Format::Text => report::text(&found, Style { width: columns(), color }),
        Format::Json => report::json(&found),
        Format::Md => report::markdown(&found),
    });
    if printed != Exit::Held {
        return printed;
    }
    if let Err(problem) = keep(folder, flags, &found) {
        return refuse(&[*problem], None, no_color);
    }
    if found.interrupted {
        remark("interrupted: the report is of the runs that were done by then");
    }
    verdict(&found)
}

/// The seeds, one after the other.
fn seeds(input: &Ready, flags: &RunFlags) -> Result<Vec<u64>, Box<Problem>> {
    let first = flags.seed.unwrap_or(input.scenario.seed);
    let Some(last) = first.checked_add(flags.seeds - 1) else {
        let title = format!("there are no {} seeds from {first} on", flags.seeds);
        return Err(Box::new(
            Problem::new(title).note(format!("the greatest seed is {}", u64::MAX)),
        ));
    };
    Ok((first..=last).collect())
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

/// Where the report will be written, and whether this is the scenario's own report.
enum Folder {
    Nowhere,
    /// As the command line says.
    Asked(PathBuf),
    /// In `reports/`, because the run is the one that the scenario describes.
    Own(PathBuf),
    /// Nowhere, since it would replace the scenario's own report by another.
    Spared(&'static str),
}

/// Decides where to write, and makes that folder, before anybody waits for a simulation in vain.
fn folder(input: &Ready, flags: &RunFlags) -> Result<Folder, Box<Problem>> {
    if flags.no_write {
        return Ok(Folder::Nowhere);
    }
    let differs = if !input.is_as_written {
        Some("other values or variants")
    } else if flags.seeds != 1 || flags.seed.is_some_and(|seed| seed != input.scenario.seed) {
        Some("other seeds")
    } else {
        None
    };
    let folder = match (&flags.out, differs) {
        (Some(out), _) => Folder::Asked(out.join(&input.scenario.name)),
        (None, Some(differs)) => Folder::Spared(differs),
        (None, None) => Folder::Own(Path::new("reports").join(&input.scenario.name)),
    };
    if let Folder::Asked(path) | Folder::Own(path) = &folder {
        files::make_folder(path).map_err(|error| unwritable(path, error))?;
    }
    Ok(folder)
}

fn unwritable(path: &Path, error: String) -> Box<Problem> {
    let title = format!("the report cannot be written to `{}`", path.display());
    let help = "`--out DIR` writes it elsewhere, `--no-write` not at all";
    Box::new(Problem::new(title).note(error).help(help))
}

/// Writes the report. A run that was asked to differ from the scenario, or was interrupted, leaves
/// the scenario's own report alone.
fn keep(folder: Folder, flags: &RunFlags, found: &Study) -> Result<(), Box<Problem>> {
    let say = |text: String| {
        if !flags.quiet {
            remark(&text);
        }
    };
    let folder = match folder {
        Folder::Nowhere => return Ok(()),
        Folder::Spared(differs) => {
            say(format!("not written, since it has {differs} than the scenario: see --out"));
            return Ok(());
        }
        Folder::Own(_) if found.interrupted => return Ok(()),
        Folder::Own(folder) | Folder::Asked(folder) => folder,
    };
    let files = [("report.md", report::markdown(found)), ("report.json", report::json(found))];
    for (name, text) in files {
        let path = folder.join(name);
        files::write(&path, &text).map_err(|error| unwritable(&path, error.to_string()))?;
    }
    say(format!("written to {}: report.md and report.json", folder.display()));
    Ok(())
}
