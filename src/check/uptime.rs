//! For how long each node, and as many of an address's instances as it needs, were up.

use std::collections::BTreeMap;

use crate::engine::{Fact, NodeId, Span, Time};
use crate::patterns::Spec;
use crate::scenario::{Scenario, Variant};
use crate::world::facts;

/// A node, or the instances behind one address.
struct Unit {
    name: String,
    is_group: bool,
    needed: u32,
    up: u32,
    /// For how long fewer than are needed were up, and since when for the first time.
    down: Span,
    first: Option<Time>,
}

/// What was up, from one instant to another.
pub(crate) struct Uptime {
    from: Time,
    until: Time,
    seen: Time,
    units: Vec<Unit>,
    /// The unit of each node that is no client, and whether that node is up.
    nodes: BTreeMap<NodeId, (usize, bool)>,
    /// For how long some unit was down.
    some_down: Span,
}

impl Uptime {
    pub fn new(scenario: &Scenario, variant: &Variant, from: Time) -> Uptime {
        let (mut units, mut nodes) = (Vec::new(), BTreeMap::new());
        for group in &variant.groups {
            let count = group.spec.count;
            for (place, id) in group.members.iter().enumerate() {
                nodes.insert(*id, (units.len(), place < count as usize));
            }
            units.push(Unit {
                name: scenario.node(group.address).to_owned(),
                is_group: true,
                needed: group.spec.needed,
                up: count,
                down: Span::ZERO,
                first: None,
            });
        }
        for (place, spec) in variant.nodes.iter().enumerate() {
            let id = NodeId(place as u32);
            let is_server = spec.as_ref().is_some_and(|spec| !matches!(spec, Spec::Client(_)));
            if is_server && !nodes.contains_key(&id) {
                nodes.insert(id, (units.len(), true));
                let name = scenario.node(id).to_owned();
                units.push(Unit {
                    name,
                    is_group: false,
                    needed: 1,
                    up: 1,
                    down: Span::ZERO,
                    first: None,
                });
            }
        }
        let until = variant.phases.quiet_from();
        Uptime { from, until, seen: from, units, nodes, some_down: Span::ZERO }
    }

    /// A node went or came, perhaps.
    pub fn fact(&mut self, fact: &Fact) {
        let is_up = match fact.what {
            facts::CRASHED | facts::STOPPED | facts::PAUSED => false,
            facts::RESTARTED | facts::RESUMED => true,
            _ => return,
        };
        let Some((unit, was_up)) = self.nodes.get(&fact.node).copied() else { return };
        if was_up != is_up {
            self.advance(fact.at);
            self.nodes.insert(fact.node, (unit, is_up));
            let up = &mut self.units[unit].up;
            *up = if is_up { *up + 1 } else { *up - 1 };
        }
    }

    fn advance(&mut self, now: Time) {
        let now = now.clamp(self.from, self.until.max(self.from));
        let passed = now - self.seen;
        self.seen = now;
        let mut some_down = false;
        for unit in self.units.iter_mut().filter(|unit| unit.up < unit.needed) {
            unit.down += passed;
            if !passed.is_zero() {
                unit.first.get_or_insert(now - passed);
            }
            some_down = true;
        }
        self.some_down += if some_down { passed } else { Span::ZERO };
    }

    /// When for the first time too few of a node or an address were up, as far as is known.
    pub fn first_outage(&self, name: &str) -> Option<Time> {
        self.units.iter().find(|unit| unit.name == name)?.first
    }

    /// The shares of the time in which all were up, and each of the addresses.
    pub fn shares(&mut self) -> (Option<f64>, Vec<(String, f64)>) {
        self.advance(self.until);
        let all = (self.seen - self.from).as_seconds();
        if all <= 0.0 || self.units.is_empty() {
            return (None, Vec::new());
        }
        let share = |down: Span| 1.0 - down.as_seconds() / all;
        let groups = self.units.iter().filter(|unit| unit.is_group);
        let each = groups.map(|unit| (unit.name.clone(), share(unit.down))).collect();
        (Some(share(self.some_down)), each)
    }
}
