//! The name service: callers resolve a name before they call, and remember for a while.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::{Dist, NodeId, Rng, Span, Time, name_hash};

/// A name service that callers ask before they call, each for itself. It costs nothing where it is
/// not configured.
///
/// ```ron
/// (latency: Exponential(mean: "1ms"), ttl: "30s", timeout: "5s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NamesSpec {
    /// How long it takes to resolve a name. Default: `"500us"`, a resolver in the same data centre.
    pub latency: Dist,
    /// How long a caller goes on with what it was told. Default: `"30s"`, as in-cluster resolvers
    /// have it.
    pub ttl: Span,
    /// How long a caller waits for a service that does not answer; then the call fails without
    /// effect (`unreachable`). Default: `"5s"`, as in `resolv.conf`.
    pub timeout: Span,
    /// Does a node that starts again have another address, as a container has? Who still goes by
    /// the old one is refused there (`unreachable`), until what it was told has expired. Default:
    /// true.
    pub moves: bool,
}

impl Default for NamesSpec {
    fn default() -> NamesSpec {
        NamesSpec {
            latency: Dist::constant(Span(500 * Span::MICROSECOND.0)),
            ttl: Span::from_seconds(30),
            timeout: Span::from_seconds(5),
            moves: true,
        }
    }
}

/// What a caller was told, and for how long it goes on with it.
#[derive(Clone, Copy)]
struct Told {
    /// From here on it knows.
    from: Time,
    /// From here on it asks again.
    until: Time,
    /// How often the node had started anew at that address.
    address: u32,
}

/// What a look-up comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lookup {
    /// The caller knows where to go.
    Known,
    /// It goes where the node is no more.
    Old,
    /// It will know after this span.
    Later(Span),
    /// It learns after this span that it cannot be told.
    Fails(Span),
}

/// What the name service suffers from at present.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ailment {
    /// How much longer it takes.
    pub added: Span,
    /// It does not answer.
    pub is_down: bool,
    /// It says that there is no such name.
    pub is_missing: bool,
    /// It goes on telling what was so when this began.
    pub is_stale: bool,
}

struct Caller {
    rng: Rng,
    told: BTreeMap<NodeId, Told>,
}

/// The name service of a run.
pub(super) struct Names {
    spec: NamesSpec,
    seed: u64,
    callers: BTreeMap<NodeId, Caller>,
    /// How often each node has started anew.
    moves: Vec<u32>,
    /// What a service tells that does not learn of moves.
    stale: Vec<u32>,
}

impl Names {
    pub fn new(spec: NamesSpec, seed: u64) -> Names {
        let (callers, moves, stale) = (BTreeMap::new(), Vec::new(), Vec::new());
        Names { spec, seed, callers, moves, stale }
    }

    pub fn admit(&mut self) {
        self.moves.push(0);
    }

    /// Does a node that starts again have another address?
    pub fn moves(&self) -> bool {
        self.spec.moves
    }

    /// A node starts again.
    pub fn restarted(&mut self, node: NodeId) {
        self.moves[node.index()] += u32::from(self.spec.moves);
    }

    /// From now on a stale service tells what is so now.
    pub fn freeze(&mut self) {
        self.stale.clone_from(&self.moves);
    }

    /// Somebody whose name hashes to `hash` wants to speak to `to`.
    pub fn look_up(
        &mut self,
        (from, hash): (NodeId, u64),
        to: NodeId,
        now: Time,
        ails: impl FnOnce() -> Ailment,
    ) -> Lookup {
        let seed = self.seed;
        let caller = self.callers.entry(from).or_insert_with(|| {
            let rng = Rng::from_hash(seed, hash ^ name_hash("names"));
            Caller { rng, told: BTreeMap::new() }
        });
        if let Some(told) = caller.told.get(&to).filter(|told| now < told.until) {
            return match told.from > now {
                true => Lookup::Later(told.from - now),
                false if told.address == self.moves[to.index()] => Lookup::Known,
                false => Lookup::Old,
            };
        }
        let ails = ails();
        let takes = self.spec.latency.sample(&mut caller.rng) + ails.added;
        if ails.is_down || takes > self.spec.timeout {
            return Lookup::Fails(self.spec.timeout);
        }
        if ails.is_missing {
            return Lookup::Fails(takes);
        }
        let known = if ails.is_stale { &self.stale } else { &self.moves };
        let address = known[to.index()];
        let from = now + takes;
        caller.told.insert(to, Told { from, until: from + self.spec.ttl, address });
        match takes.is_zero() {
            false => Lookup::Later(takes),
            true if address == self.moves[to.index()] => Lookup::Known,
            true => Lookup::Old,
        }
    }

    /// Does what this caller was told still lead to `to`? For a packet that waited for the answer.
    pub fn is_current(&self, from: NodeId, to: NodeId) -> bool {
        let told = self.callers.get(&from).and_then(|caller| caller.told.get(&to));
        told.is_none_or(|told| told.address == self.moves[to.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: (NodeId, u64) = (NodeId(0), 1);
    const THEM: NodeId = NodeId(1);

    fn names() -> Names {
        let mut names = Names::new(NamesSpec::default(), 1);
        (0..2).for_each(|_| names.admit());
        names
    }

    fn at(millis: u64) -> Time {
        Time(0) + Span::from_millis(millis)
    }

    fn well() -> Ailment {
        Ailment::default()
    }

    #[test]
    fn a_name_is_resolved_once_and_again_when_its_time_is_over() {
        let mut names = names();
        let half = Span(500 * Span::MICROSECOND.0);
        assert_eq!(names.look_up(US, THEM, at(0), well), Lookup::Later(half));
        assert_eq!(names.look_up(US, THEM, at(0), well), Lookup::Later(half), "the same answer");
        assert_eq!(names.look_up(US, THEM, at(1), well), Lookup::Known);
        assert_eq!(names.look_up(US, THEM, at(30_000), well), Lookup::Known);
        assert_eq!(names.look_up(US, THEM, at(30_001), well), Lookup::Later(half));
    }

    #[test]
    fn whoever_was_told_before_a_move_goes_astray_until_it_asks_again() {
        let mut names = names();
        names.look_up(US, THEM, at(0), well);
        names.restarted(THEM);
        assert_eq!(names.look_up(US, THEM, at(20_000), well), Lookup::Old);
        names.look_up(US, THEM, at(40_000), well);
        assert_eq!(names.look_up(US, THEM, at(40_001), well), Lookup::Known);
    }

    #[test]
    fn a_service_that_ails_is_slow_silent_ignorant_or_stale() {
        let (second, mut names) = (Span::SECOND, names());
        let slow = || Ailment { added: second, ..well() };
        let Lookup::Later(takes) = names.look_up(US, THEM, at(0), slow) else { panic!("late") };
        assert!(takes > second);
        let down = || Ailment { is_down: true, ..well() };
        assert_eq!(names.look_up(US, THEM, at(60_000), down), Lookup::Fails(second * 5));
        let missing = || Ailment { is_missing: true, ..well() };
        let half = Span(500 * Span::MICROSECOND.0);
        assert_eq!(names.look_up(US, THEM, at(60_000), missing), Lookup::Fails(half));
        names.freeze();
        names.restarted(THEM);
        let stale = || Ailment { is_stale: true, ..well() };
        names.look_up(US, THEM, at(60_000), stale);
        assert_eq!(names.look_up(US, THEM, at(60_001), stale), Lookup::Old);
    }
}
