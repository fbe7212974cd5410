//! `validate`: reproduce published results.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{Format, ValidateFlags};
use super::progress::Bar;
use super::{Exit, columns, files, is_watched, print, problems_of, refuse, remark};
use stormglass::check::published::{CaseStudy, Pending, Validation};
use stormglass::explore::{Effort, Progress, reproduce};
use stormglass::report::{Style, published};
use stormglass::scenario::diagnose::Problem;
use stormglass::scenario::source::Source;
use stormglass::scenario::{Case, Scenario, load};

/// The file beside the scenarios that names the results that cannot be reproduced yet.
const PENDING: &str = "pending.ron";

/// What cannot be read, and the text that it stands in.
type Unreadable = Box<(Vec<Problem>, Option<Source>)>;

/// What a folder holds: cases by id, and those that are to come.
struct Collection {
    cases: Vec<(Scenario, Case)>,
    pending: Vec<Pending>,
}

/// Runs the cases and reports.
pub fn validate(flags: &ValidateFlags, no_color: bool) -> Exit {
    let Collection { cases, pending } = match read(flags) {
        Ok(read) => read,
        Err(unreadable) => {
            let (problems, source) = *unreadable;
            return refuse(&problems, source.as_ref(), no_color);
        }
    };
    if let Some(path) = &flags.out {
        // Before anybody waits for a simulation in vain.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Err(error) = folder.map_or(Ok(()), files::make_folder) {
            return refuse(&[unwritable(path, error)], None, no_color);
        }
    }
    let effort = Effort { is_quick: flags.quick, jobs: flags.jobs.map_or(0, usize::from) };
    let bar = Bar::new(!flags.quiet && is_watched());
    let mut found = Validation { pending, ..Validation::default() };
    for (scenario, case) in &cases {
        let study: CaseStudy = reproduce(scenario, case, effort, &bar);
        if bar.is_cancelled() {
            found.interrupted = true;
            break;
        }
        found.cases.push(study);
    }
    bar.clear();
    report(&found, flags, no_color)
}

fn report(found: &Validation, flags: &ValidateFlags, no_color: bool) -> Exit {
    let color = !no_color && super::is_colored();
    let printed = print(&match flags.format {
        Format::Text => published::published_text(found, Style { width: columns(), color }),
        Format::Md => published::published_markdown(found, INTRO),
        Format::Json => published::published_json(found),
    });
    if printed != Exit::Held {
        return printed;
    }
    if let Some(path) = flags.out.as_ref().filter(|_| !found.interrupted) {
        let text = published::published_markdown(found, INTRO);
        if let Err(error) = files::write(path, &text) {
            return refuse(&[unwritable(path, error.to_string())], None, no_color);
        }
        if !flags.quiet {
            remark(&format!("written to {}", path.display()));
        }
    }
    match found.cases.iter().all(CaseStudy::agrees) {
        _ if found.interrupted => Exit::Interrupted,
        true => Exit::Held,
        false => Exit::Failed,
    }
}

fn unwritable(path: &Path, error: String) -> Problem {
    Problem::new(format!("the page cannot be written to `{}`", path.display())).note(error)
}

const INTRO: &str = "\
# Validation

What a simulator says is worth what it can be checked against. Each section sets figures that were
published, or that theory gives, beside those of an ordinary scenario of this repository, run with
as many seeds as it takes to tell. This page is written by `stormglass validate --out
docs/VALIDATION.md`.

A figure agrees (✓) if the mean over the runs lies within the tolerance of what is expected, or if
chance explains the difference: at most four standard errors, each less than the tolerance.
`simulated` is the mean with its 95 % interval.

On the sources: Brooker's text on retries says that N retries leave a failure rate of x^N; it is
x^(N+1), as his own simulator has it (C01). Of The Tail at Scale, 63 % and \"almost one in five\"
are exact (T01); 1,800 ms and 74 ms are reached with a distribution that is fitted to them, so
ours is consistent with the paper and no more (T02); its tables 1 and 2 cannot be reproduced, since
their slowness is correlated and parameters are missing. The figures of Exponential Backoff And
Jitter are read off its released simulator, since the article has graphs only (C07).
";

fn alone(problem: Problem) -> Unreadable {
    Box::new((vec![problem], None))
}

/// What of the folder is asked for.
fn read(flags: &ValidateFlags) -> Result<Collection, Unreadable> {
    let mut all = everything(&flags.from)?;
    let possible = all.cases.iter().map(|(_, case)| case.id.as_str());
    let known: Vec<&str> = possible.chain(all.pending.iter().map(|one| one.id.as_str())).collect();
    if let Some(id) = flags.ids.iter().find(|id| !known.contains(&id.as_str())) {
        let problem = Problem::new(format!("no case is called `{id}`"));
        return Err(alone(problem.choose(id, &known, "the cases are")));
    }
    let is_chosen = |id: &String| flags.ids.is_empty() || flags.ids.contains(id);
    all.cases.retain(|(_, case)| is_chosen(&case.id));
    all.pending.retain(|one| is_chosen(&one.id));
    Ok(all)
}

/// Every case of a folder, by id, and those that are to come.
fn everything(folder: &Path) -> Result<Collection, Unreadable> {
    let unreadable = |error: std::io::Error| {
        let title = format!("cannot read the folder {}", folder.display());
        let problem = Problem::new(title).note(error.to_string());
        alone(problem.help("say where the scenarios are: `--from DIR`"))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ron"));
    paths.sort();
    let (mut cases, mut pending) = (Vec::new(), Vec::new());
    for path in paths {
        let source = Source::read(&path).map_err(alone)?;
        if path.file_name().is_some_and(|name| name == PENDING) {
            pending = source.parse().map_err(|problems| Box::new((problems, Some(source))))?;
            continue;
        }
        let scenario =
            load(&source).map_err(|problems| Box::new((problems, Some(source.clone()))))?;
        let problems = problems_of(&scenario, &source.spans());
        if !problems.is_empty() {
            return Err(Box::new((problems, Some(source))));
        }
        if let Some(case) = scenario.validates.clone() {
            cases.push((scenario, case));
        }
    }
    cases.sort_by(|(_, one), (_, other)| one.id.cmp(&other.id));
    let twice = cases.windows(2).find(|pair| pair[0].1.id == pair[1].1.id);
    if let Some([(one, case), (other, _)]) = twice {
        let title = format!("two scenarios reproduce `{}`", case.id);
        let note = format!("{} and {}", one.path, other.path);
        return Err(alone(Problem::new(title).note(note)));
    }
    if cases.is_empty() {
        let title = format!("no scenario in {} reproduces anything", folder.display());
        let help = "a scenario says it with `validates: (id: \"Q01\", source: \"…\")`";
        return Err(alone(Problem::new(title).help(help)));
    }
    Ok(Collection { cases, pending })
}
