//! Mutual exclusion: who is at work under which lock when somebody acts, and in which order tokens
//! come to a store.

use std::collections::BTreeMap;

use crate::engine::{Fact, NodeId, Root};
use crate::parts::lease_facts as lease;
use crate::scenario::Scenario;
use crate::world::facts;

/// Somebody's work under a lock, from the grant to its end.
struct Stint {
    node: NodeId,
    root: Root,
    lock: u64,
    token: u64,
    acts: bool,
}

/// Nobody acts under a lock while somebody else is at work under it.
pub(crate) struct Exclusion {
    holders: Vec<(NodeId, String)>,
    stints: Vec<Stint>,
}

impl Exclusion {
    pub fn new(holders: &[NodeId], scenario: &Scenario) -> Exclusion {
        let named = |node: &NodeId| (*node, scenario.node(*node).to_owned());
        Exclusion { holders: holders.iter().map(named).collect(), stints: Vec::new() }
    }

    pub fn says(&self) -> String {
        let names: Vec<&str> = self.holders.iter().map(|(_, name)| name.as_str()).collect();
        format!("of {} none acts under a lock that another holds", names.join(", "))
    }

    fn name(&self, node: NodeId) -> &str {
        let known = self.holders.iter().find(|(known, _)| *known == node);
        known.map_or("?", |(_, name)| name)
    }

    /// Whether the fact keeps the rule; `None` if it does not put it to the test.
    pub fn noted(&mut self, fact: &Fact) -> Option<Result<(), String>> {
        let Fact { node, root, key: lock, value: token, .. } = *fact;
        match fact.what {
            lease::HELD if self.holders.iter().any(|(known, _)| *known == node) => {
                self.stints.push(Stint { node, root, lock, token, acts: false });
            }
            lease::LEFT => self.stints.retain(|one| (one.node, one.token) != (node, token)),
            facts::CRASHED => self.stints.retain(|one| one.node != node),
            lease::ACTS => return self.acts(fact),
            _ => {}
        }
        None
    }

    fn acts(&mut self, fact: &Fact) -> Option<Result<(), String>> {
        let Fact { node, root, key: lock, value: token, .. } = *fact;
        let mine = self.stints.iter_mut().find(|one| (one.node, one.token) == (node, token))?;
        (mine.acts, mine.root) = (true, root);
        // Whoever was granted it later holds it now; whoever acts at this moment does, too.
        let other = self
            .stints
            .iter()
            .find(|one| one.lock == lock && one.token != token && (one.token > token || one.acts));
        Some(other.map_or(Ok(()), |other| {
            let (me, whom) = (self.name(node), self.name(other.node));
            Err(format!(
                "{me} acts with token {token} while {whom} is at work with {}",
                other.token
            ))
        }))
    }
}

/// A store takes no write with an older token after one with a newer.
pub(crate) struct Fencing {
    store: NodeId,
    name: String,
    newest: BTreeMap<u64, u64>,
}

impl Fencing {
    pub fn new(store: NodeId, scenario: &Scenario) -> Fencing {
        Fencing { store, name: scenario.node(store).to_owned(), newest: BTreeMap::new() }
    }

    pub fn says(&self) -> String {
        format!("{} takes no write with an older token after one with a newer", self.name)
    }

    /// Whether the fact keeps the rule; `None` if it does not put it to the test.
    pub fn noted(&mut self, fact: &Fact) -> Option<Result<(), String>> {
        if fact.what != lease::FENCE || fact.node != self.store {
            return None;
        }
        let newest = self.newest.entry(fact.key).or_default();
        if fact.value < *newest {
            let (store, token) = (&self.name, fact.value);
            return Some(Err(format!("{store} took a write with token {token} after {newest}")));
        }
        *newest = fact.value;
        Some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Name, Time};

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn fact(node: NodeId, what: Name, token: u64) -> Fact {
        Fact { at: Time(1), node, root: Root(token as u32), what, key: 7, value: token }
    }

    fn exclusion() -> Exclusion {
        let holders = vec![(A, "a".to_owned()), (B, "b".to_owned())];
        Exclusion { holders, stints: Vec::new() }
    }

    /// What comes of the last of these facts.
    fn last(facts: &[(NodeId, Name, u64)]) -> Option<Result<(), String>> {
        let mut exclusion = exclusion();
        let all =
            facts.iter().map(|(node, what, token)| exclusion.noted(&fact(*node, *what, *token)));
        all.last().flatten()
    }

    #[test]
    fn one_after_the_other_may_act() {
        let turns = [(A, lease::HELD, 1), (A, lease::ACTS, 1), (A, lease::LEFT, 1)];
        let next = [(B, lease::HELD, 2), (B, lease::ACTS, 2)];
        assert_eq!(last(&[&turns[..], &next].concat()), Some(Ok(())));
        let crash = [(A, lease::HELD, 1), (A, lease::ACTS, 1), (A, facts::CRASHED, 0)];
        assert_eq!(last(&[&crash[..], &next].concat()), Some(Ok(())), "a crash ends its work");
        let idle = [(A, lease::HELD, 1), (B, lease::HELD, 2), (B, lease::ACTS, 2)];
        assert_eq!(last(&idle), Some(Ok(())), "whoever only sleeps disturbs nobody");
    }

    #[test]
    fn whoever_acts_while_another_holds_the_lock_breaks_it() {
        let late = [(A, lease::HELD, 1), (B, lease::HELD, 2), (A, lease::ACTS, 1)];
        let says = "a acts with token 1 while b is at work with 2";
        assert_eq!(last(&late), Some(Err(says.to_owned())));
        let both =
            [(A, lease::HELD, 1), (A, lease::ACTS, 1), (B, lease::HELD, 2), (B, lease::ACTS, 2)];
        assert!(last(&both).is_some_and(|verdict| verdict.is_err()), "both act");
    }

    #[test]
    fn tokens_must_not_come_out_of_order() {
        let mut fencing = Fencing { store: B, name: "db".to_owned(), newest: BTreeMap::new() };
        let mut write = |node, token| fencing.noted(&fact(node, lease::FENCE, token));
        assert_eq!(write(B, 3), Some(Ok(())));
        assert_eq!(write(B, 3), Some(Ok(())), "twice with one token");
        assert_eq!(write(B, 5), Some(Ok(())));
        assert_eq!(write(B, 4), Some(Err("db took a write with token 4 after 5".to_owned())));
        assert_eq!(write(A, 1), None, "another store");
    }
}
