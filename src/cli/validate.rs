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
type Unreadable = (Vec<Problem>, Option<Source>);

/// Runs the cases and reports.
pub fn validate(flags: &ValidateFlags, no_color: bool) -> Exit {
    let read = read(&flags.from).and_then(|(cases, pending)| {
        let cases = chosen(cases, &pending, &flags.ids)?;
        Ok((cases, pending))
    });
    let (cases, pending) = match read {
        Ok(read) => read,
        Err((problems, source)) => return refuse(&problems, source.as_ref(), no_color),
    };
    let effort = Effort { is_quick: flags.quick, jobs: flags.jobs.map_or(0, usize::from) };
    let bar = Bar::new(!flags.quiet && is_watched());
    let mut found = Validation { pending, ..Validation::default() };
    if !flags.ids.is_empty() {
        found.pending.retain(|one| flags.ids.contains(&one.id));
    }
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
            let problem = Problem::new(format!("cannot write {}", path.display()));
            return refuse(&[problem.note(error.to_string())], None, no_color);
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

const INTRO: &str = "\
# Validation

What a simulator says is worth what it can be checked against. Each section sets figures that were
published, or that theory gives, beside those of an ordinary scenario of this repository, run with as
many seeds as it takes to tell. This page is written by `stormglass validate --out docs/VALIDATION.md`.

A figure agrees (✓) if the mean over the runs lies within the tolerance of what is expected, or if
chance explains the difference: at most four standard errors, each less than the tolerance. `simulated`
is the mean with its 95 % interval.
";

/// Every case of a folder, by id, and those that are to come.
fn read(folder: &Path) -> Result<(Vec<(Scenario, Case)>, Vec<Pending>), Unreadable> {
    let unreadable = |error: std::io::Error| {
        let title = format!("cannot read the folder {}", folder.display());
        let problem = Problem::new(title).note(error.to_string());
        (vec![problem.help("say where the scenarios are: `--from DIR`")], None)
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ron"));
    paths.sort();
    let (mut cases, mut pending) = (Vec::new(), Vec::new());
    for path in paths {
        let source = Source::read(&path).map_err(|problem| (vec![problem], None))?;
        if path.file_name().is_some_and(|name| name == PENDING) {
            pending = source.parse().map_err(|problems| (problems, Some(source)))?;
            continue;
        }
        let scenario = load(&source).map_err(|problems| (problems, Some(source.clone())))?;
        let problems = problems_of(&scenario, &source.spans());
        if !problems.is_empty() {
            return Err((problems, Some(source)));
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
        return Err((vec![Problem::new(title).note(note)], None));
    }
    if cases.is_empty() {
        let title = format!("no scenario in {} reproduces anything", folder.display());
        let help = "a scenario says it with `validates: (id: \"Q01\", source: \"…\")`";
        return Err((vec![Problem::new(title).help(help)], None));
    }
    Ok((cases, pending))
}

/// The cases with these ids, or all.
fn chosen(
    cases: Vec<(Scenario, Case)>,
    pending: &[Pending],
    ids: &[String],
) -> Result<Vec<(Scenario, Case)>, Unreadable> {
    let possible = cases.iter().map(|(_, case)| case.id.as_str());
    let known: Vec<&str> = possible.chain(pending.iter().map(|one| one.id.as_str())).collect();
    if let Some(id) = ids.iter().find(|id| !known.contains(&id.as_str())) {
        let problem = Problem::new(format!("no case is called `{id}`"));
        return Err((vec![problem.choose(id, &known, "the cases are")], None));
    }
    let is_chosen = |case: &Case| ids.is_empty() || ids.contains(&case.id);
    Ok(cases.into_iter().filter(|(_, case)| is_chosen(case)).collect())
}
