//! A class of requests: what some of a client's requests ask for, whose they are, and how much they
//! matter.

use std::cell::Cell;

use serde::Deserialize;

use super::keys::Keys;
use crate::engine::{Class, Name, NodeId, Rng, SizeDist};
use crate::parts::Policy;
use crate::world::{ClassInfo, Cx, Flaw};

/// A class of requests. A client draws the class of each of its requests by weight; what a class
/// does not say is as the client has it. The class travels with the request and with every call
/// that is made for it, and the report has a line for it. Clients may have a class in common: then
/// it has the same priority and tenant with all of them.
///
/// ```ron
/// (name: "checkout", weight: 1, operation: "buy", priority: 1, tenant: "acme")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestClass {
    /// What it is called.
    name: Name,
    /// How many of the requests are of this class, in relation to the weights of the others: from 1
    /// to 1,000,000. Default: 1.
    #[serde(default = "one")]
    weight: u32,
    /// Whom they ask. Default: as the client.
    #[serde(default)]
    pub(super) target: Option<NodeId>,
    /// Which operation they ask for. Default: as the client.
    #[serde(default)]
    pub(super) operation: Option<Name>,
    /// How important they are, from 0 to 255: 0 goes before 1 where priorities count. Requests
    /// without a class have 0. Default: 0.
    #[serde(default)]
    priority: u8,
    /// Who they are made for: the report tells how evenly tenants are served. Default: nobody in
    /// particular.
    #[serde(default)]
    tenant: Option<Name>,
    /// The amount of each request, drawn uniformly from first to last. Default: as the client.
    #[serde(default)]
    pub(super) value: Option<(u64, u64)>,
    /// The size of each request's body. Default: as the client.
    #[serde(default)]
    pub(super) payload: Option<SizeDist>,
    /// Which business objects they are about. Default: as the client.
    #[serde(default)]
    pub(super) keys: Option<Keys>,
    /// How they are made. Default: as the client.
    #[serde(default)]
    pub(super) policy: Option<Policy>,
    /// Its place in the table of the run; looked up at the start.
    #[serde(skip)]
    id: Cell<Class>,
}

fn one() -> u32 {
    1
}

/// The greatest weight.
const WEIGHT_MAX: u32 = 1_000_000;

impl RequestClass {
    /// As the run's table has it.
    pub(super) fn info(&self) -> ClassInfo {
        ClassInfo { name: self.name, priority: self.priority, tenant: self.tenant }
    }

    /// Looks its place up.
    pub(super) fn settle(&self, cx: &Cx) {
        self.id.set(cx.class_named(self.name).unwrap_or_default());
    }

    /// Its place in the run's table.
    pub(super) fn id(&self) -> Class {
        self.id.get()
    }

    /// Draws one of several by weight: exactly one number of the stream each time, whatever the
    /// classes are.
    pub(super) fn draw<'c>(classes: &'c [RequestClass], rng: &mut Rng) -> Option<&'c RequestClass> {
        let total: u64 = classes.iter().map(|class| u64::from(class.weight)).sum();
        let mut place = ((u128::from(rng.u64()) * u128::from(total)) >> 64) as u64;
        classes.iter().find(|class| {
            let weight = u64::from(class.weight);
            let is_it = place < weight;
            place = place.saturating_sub(weight);
            is_it
        })
    }

    /// What they say that could have no effect.
    pub(super) fn idle(classes: &[RequestClass]) -> Vec<Flaw> {
        let policies = classes.iter().enumerate().flat_map(|(place, class)| {
            let flaws = class.policy.iter().flat_map(Policy::idle);
            flaws.map(move |flaw| flaw.within("policy").within(place))
        });
        let alone = classes.first().filter(|only| classes.len() == 1 && only.weight != one());
        let alone = alone.map(|_| {
            let title = "a `weight` is in relation to those of others, and there is no other class";
            Flaw::at("weight", title).within(0)
        });
        policies.chain(alone).collect()
    }

    /// What is wrong with these classes.
    pub(super) fn problem(classes: &[RequestClass]) -> Option<Flaw> {
        let mut flaws = classes.iter().enumerate().filter_map(|(place, class)| {
            let twice = classes[..place].iter().any(|other| other.name == class.name);
            let title = "two classes of one client have the same name";
            let twice = twice.then(|| Flaw::at("name", title));
            Some(twice.or_else(|| class.ill())?.within(place))
        });
        flaws.next()
    }

    /// What is wrong with it alone.
    fn ill(&self) -> Option<Flaw> {
        if self.weight == 0 || self.weight > WEIGHT_MAX {
            let title =
                format!("the `weight` of a class is from 1 to {WEIGHT_MAX}, not {}", self.weight);
            return Some(Flaw::at("weight", title));
        }
        let keys = || self.keys.as_ref().and_then(Keys::problem).map(|flaw| flaw.within("keys"));
        let policy = || Some(self.policy.as_ref()?.problem()?.within("policy"));
        self.value.and_then(super::value_problem).or_else(keys).or_else(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, weight: u32) -> RequestClass {
        RequestClass {
            name: Name::of(name),
            weight,
            target: None,
            operation: None,
            priority: 0,
            tenant: None,
            value: None,
            payload: None,
            keys: None,
            policy: None,
            id: Cell::default(),
        }
    }

    #[test]
    fn classes_are_drawn_by_weight() {
        let classes = [class("browse", 7), class("buy", 2), class("refund", 1)];
        let mut rng = Rng::new(1, "weights");
        let mut counts = [0_u32; 3];
        for _ in 0..100_000 {
            let drawn = RequestClass::draw(&classes, &mut rng).expect("there are classes");
            counts[classes.iter().position(|one| one.name == drawn.name).unwrap()] += 1;
        }
        // Within four standard deviations of the binomial distribution.
        for (count, share) in counts.into_iter().zip([0.7, 0.2, 0.1]) {
            let deviation = (100_000.0_f64 * share * (1.0 - share)).sqrt();
            assert!((f64::from(count) - 100_000.0 * share).abs() < 4.0 * deviation, "{counts:?}");
        }
    }

    #[test]
    fn a_class_takes_one_number_from_the_stream_however_many_there_are() {
        let many: Vec<RequestClass> = (1..50).map(|weight| class("c", weight)).collect();
        let (mut one, mut other) = (Rng::new(1, "s"), Rng::new(1, "s"));
        for _ in 0..100 {
            RequestClass::draw(&many, &mut one);
            RequestClass::draw(&many[..1], &mut other);
        }
        assert_eq!(one.u64(), other.u64());
    }
}
