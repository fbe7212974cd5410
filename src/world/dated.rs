//! What happens at instants of the run that a description names: one after the end never happens.

use super::flaw::{Flaw, Step};
use crate::engine::Span;

/// Something that a node does at an instant of the run that its description names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dated {
    /// The way to what names it.
    pub steps: Vec<Step>,
    /// The instant, counted from the start of the run.
    pub at: Span,
    /// Until when there is anything that it could change.
    pub within: Within,
}

/// Until when something can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Within {
    /// While clients make requests: before the end of the load.
    Load,
    /// As long as anything happens: before the end of the run.
    Run,
}

impl Dated {
    /// A field names an instant of the load.
    pub fn of_load(field: impl Into<Step>, at: Span) -> Dated {
        Dated { steps: vec![field.into()], at, within: Within::Load }
    }

    /// A field names an instant of the run.
    pub fn of_run(field: impl Into<Step>, at: Span) -> Dated {
        Dated { within: Within::Run, ..Dated::of_load(field, at) }
    }

    /// The same, told by what has it there.
    pub fn within(mut self, place: impl Into<Step>) -> Dated {
        self.steps.insert(0, place.into());
        self
    }

    /// What is wrong with it, in a run of which load and all end then.
    pub fn problem(&self, load: Span, end: Span) -> Option<Flaw> {
        let (what, ends) = match self.within {
            Within::Load => ("the load", load),
            Within::Run => ("the run", end),
        };
        let title = format!("{what} is over at {}: nothing comes of this", self.at);
        let flaw = Flaw::new(title).label(format!("{what} ends after {ends}"));
        (self.at >= ends).then(|| Flaw { steps: self.steps.clone(), ..flaw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_when_all_is_over_is_found_with_the_way_to_it() {
        let (load, end) = (Span::SECOND, Span::SECOND * 2);
        let told = |dated: Dated| dated.within("of").problem(load, end);
        assert_eq!(told(Dated::of_load("at", Span::MILLISECOND)), None);
        assert_eq!(told(Dated::of_run("at", load)), None);
        let late = told(Dated::of_load("at", load)).expect("nobody asks any more");
        assert_eq!(late.steps, [Step::Field("of"), Step::Field("at")]);
        assert!(told(Dated::of_run("at", end)).is_some());
    }
}
