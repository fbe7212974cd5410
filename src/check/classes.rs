//! Requests by class: how each class was served, and how evenly the tenants were.

use super::outcome::{ClassFlow, Flow};
use crate::engine::Fault;
use crate::scenario::{Scenario, Variant};
use crate::stats::Histogram;

/// A flow that nothing has come of yet.
pub(crate) fn flow(name: String) -> Flow {
    Flow {
        name,
        started: 0,
        succeeded: 0,
        failed: [0; Fault::ALL.len()],
        in_flight: 0,
        latency: Histogram::new(),
    }
}

/// The classes of a variant, none of which has had a request.
pub(crate) fn flows(scenario: &Scenario, variant: &Variant) -> Vec<ClassFlow> {
    let spelling = |name| scenario.lexicon.spelling(name).to_owned();
    let class = |info: &crate::world::ClassInfo| ClassFlow {
        flow: flow(format!("class:{}", spelling(info.name))),
        priority: info.priority,
        tenant: info.tenant.map(spelling),
        measured: (0, 0, 0),
    };
    variant.classes.iter().map(class).collect()
}

/// Jain's index of how evenly tenants are served: each counts with the share of its measured
/// requests that succeeded. It is 1 if all fare alike, and 1/n if one of n gets everything. `None`
/// with fewer than two tenants that asked for anything.
///
/// Source: R. Jain, D. Chiu and W. Hawe, "A Quantitative Measure of Fairness and Discrimination for
/// Resource Allocation in Shared Computer Systems", DEC-TR-301, 1984: (sum x)² / (n sum x²), where x
/// is what somebody gets in relation to what would be fair.
pub(crate) fn fairness(classes: &[ClassFlow]) -> Option<f64> {
    let mut tenants: Vec<(&str, u64, u64)> = Vec::new();
    for class in classes {
        let Some(tenant) = &class.tenant else { continue };
        let (begun, succeeded, _) = class.measured;
        match tenants.iter_mut().find(|(name, ..)| name == tenant) {
            Some((_, asked, got)) => (*asked, *got) = (*asked + begun, *got + succeeded),
            None => tenants.push((tenant, begun, succeeded)),
        }
    }
    let served = tenants.iter().filter(|(_, asked, _)| *asked > 0);
    let shares: Vec<f64> = served.map(|(_, asked, got)| *got as f64 / *asked as f64).collect();
    let (sum, squares) = shares
        .iter()
        .fold((0.0, 0.0), |(sum, squares), share| (sum + share, squares + share * share));
    (shares.len() > 1 && squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(tenant: &str, begun: u64, succeeded: u64) -> ClassFlow {
        ClassFlow {
            flow: flow("class:c".to_owned()),
            priority: 0,
            tenant: Some(tenant.to_owned()),
            measured: (begun, succeeded, begun),
        }
    }

    #[test]
    fn tenants_that_fare_alike_are_served_fairly_however_much_they_ask() {
        assert_eq!(fairness(&[class("a", 1000, 500), class("b", 10, 5)]), Some(1.0));
        // Two classes of one tenant are one tenant.
        let mixed = [class("a", 100, 100), class("a", 100, 0), class("b", 50, 25)];
        assert_eq!(fairness(&mixed), Some(1.0));
    }

    #[test]
    fn one_tenant_that_gets_everything_makes_it_one_over_n() {
        let index = fairness(&[class("a", 9, 9), class("b", 9, 0), class("c", 9, 0)]);
        assert!((index.expect("three tenants") - 1.0 / 3.0).abs() < 1e-12);
        // Shares of 1 and 1/2: (3/2)² / (2 · 5/4) = 0.9.
        let index = fairness(&[class("a", 10, 10), class("b", 10, 5)]).expect("two tenants");
        assert!((index - 0.9).abs() < 1e-12);
    }

    #[test]
    fn fairness_is_about_several_tenants() {
        assert_eq!(fairness(&[class("a", 10, 10)]), None);
        assert_eq!(fairness(&[class("a", 10, 10), class("b", 0, 0)]), None);
        assert_eq!(fairness(&[class("a", 10, 0), class("b", 10, 0)]), None);
    }
}
