//! What is wrong with a value of a scenario, and where: what types cannot say.

use crate::engine::{Dist, Name, Span};

/// A step from a value to one inside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// To a field; of a variant too.
    Field(&'static str),
    /// To an item of a list, counted from 0.
    Item(usize),
    /// To the entry of a map.
    Key(Name),
}

impl From<&'static str> for Step {
    fn from(field: &'static str) -> Step {
        Step::Field(field)
    }
}

impl From<usize> for Step {
    fn from(item: usize) -> Step {
        Step::Item(item)
    }
}

impl From<Name> for Step {
    fn from(key: Name) -> Step {
        Step::Key(key)
    }
}

/// What is wrong with a value, and where inside what was asked it stands. Whoever holds a value
/// asks it and says where it has it, so the loader can point at the field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The way to it; none for what was asked itself.
    pub steps: Vec<Step>,
    /// Fields beside the last step that have a part in it: where that one is not written, because
    /// it is what it is by default, the first of these that is written is at fault.
    pub beside: Vec<&'static str>,
    /// What is wrong, in one line without a full stop.
    pub title: String,
    /// What is said beside it, such as what is expected there. Empty for nothing in particular.
    pub label: String,
}

impl Flaw {
    /// What was asked is wrong as a whole.
    pub fn new(title: impl Into<String>) -> Flaw {
        Flaw { steps: Vec::new(), beside: Vec::new(), title: title.into(), label: String::new() }
    }

    /// One of its fields is wrong.
    pub fn at(field: impl Into<Step>, title: impl Into<String>) -> Flaw {
        Flaw::new(title).within(field)
    }

    /// With what is said beside it.
    pub fn label(mut self, label: impl Into<String>) -> Flaw {
        self.label = label.into();
        self
    }

    /// The same; if that field is not written, this one beside it is at fault.
    pub fn or(mut self, field: &'static str) -> Flaw {
        self.beside.push(field);
        self
    }

    /// The same, asked of what has it there.
    pub fn within(mut self, place: impl Into<Step>) -> Flaw {
        self.steps.insert(0, place.into());
        self
    }
}

/// What happens again and again may do so this often at most: more often than the millisecond is
/// what no system that people build does, and a run of it would not come to its end.
pub const EVERY_MIN: Span = Span::MILLISECOND;

/// A field that says how often something happens is wrong if that is more often than anything does.
pub fn too_often(field: &'static str, every: Span) -> Option<Flaw> {
    let title = format!("`{field}` of {every} is too often");
    (every < EVERY_MIN).then(|| Flaw::at(field, title).label(format!("at least {EVERY_MIN}")))
}

/// The same of what is drawn each time: its mean counts.
pub fn too_often_drawn(field: &'static str, every: &Dist) -> Option<Flaw> {
    let mean = Span::from_seconds_f64(every.mean());
    let title = format!("`{field}` of {mean} in the mean is too often");
    let label = format!("at least {EVERY_MIN} in the mean");
    (mean < EVERY_MIN).then(|| Flaw::at(field, title).label(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_is_told_with_the_way_to_it() {
        let buy = Name::of("buy");
        let flaw = Flaw::at("timeout", "too short").within("policy").within(2).within(buy);
        let way = [Step::Key(buy), Step::Item(2), Step::Field("policy"), Step::Field("timeout")];
        assert_eq!(flaw.steps, way);
    }

    #[test]
    fn nothing_happens_more_often_than_once_in_a_millisecond() {
        assert_eq!(too_often("every", EVERY_MIN), None);
        assert!(too_often("every", Span(999_999)).is_some());
        assert!(too_often_drawn("mttf", &Dist::exponential(Span(1_000))).is_some());
        assert_eq!(too_often_drawn("mttf", &Dist::exponential(Span::SECOND)), None);
    }
}
