//! What is refused: a scenario with one thing changed, what is said of it, and where.

use stormglass::check::validate;
use stormglass::scenario::{diagnose, load, source::Source};

/// What is said about a scenario with one thing changed, by whatever reads it before it runs.
pub fn complaint(text: &str, from: &str, to: &str) -> Result<(), String> {
    assert!(text.contains(from), "{from}");
    let source = Source::new("fits.ron", text.replacen(from, to, 1));
    let problems = match load(&source) {
        Ok(scenario) => validate(&scenario, &source.spans()),
        Err(problems) => problems,
    };
    if problems.is_empty() {
        Ok(())
    } else {
        Err(diagnose::render(&problems, Some(&source), false))
    }
}

/// Each line is what stands there, what stands there instead, which words refuse it, and the text
/// that the first mark is at.
pub fn refused(text: &str, cases: &str) {
    for case in cases.trim().lines().filter(|line| !line.trim().is_empty()) {
        let (from, rest) = case.trim().split_once(" -> ").expect("what is changed");
        let [to, says, at] = rest.split(" | ").collect::<Vec<_>>()[..] else { panic!("{case}") };
        let complaint = complaint(text, from, to).expect_err(to);
        assert!(complaint.contains(says), "{to}: `{says}` is not said\n{complaint}");
        let marked = marked(&complaint);
        assert!(marked.starts_with(at), "{to}: the mark is at {marked}\n{complaint}");
    }
}

/// The text at the first mark.
fn marked(complaint: &str) -> String {
    let lines: Vec<&str> = complaint.lines().collect();
    let place = lines.iter().position(|line| line.contains('^')).expect("there is a mark");
    let column = lines[place].find('^').expect("it is in this line");
    lines[place - 1].chars().skip(lines[place][..column].chars().count()).collect()
}
