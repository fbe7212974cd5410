//! What a caller's process has learnt about a target, shared by all of its calls to it that have
//! the same settings.
//!
//! A breaker that only one of two edges to the same target knew of would learn half as fast and
//! protect half as much, so the state belongs to the process and the target, not to the place in
//! the scenario. It is gone with the process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::facts::{self, Guard};
use crate::engine::NodeId;
use crate::world::Cx;

/// The states of one target, by settings.
type States<S, T> = Vec<(S, Rc<T>)>;

/// States of type `T` by target and settings.
struct Registry<S, T> {
    known: RefCell<BTreeMap<NodeId, States<S, T>>>,
}

impl<S, T> Default for Registry<S, T> {
    fn default() -> Registry<S, T> {
        Registry { known: RefCell::default() }
    }
}

/// Settings whose calls share a state for each target.
pub(super) trait Share: Clone + PartialEq + 'static {
    type State: 'static;
    /// Which guard they set up, if its work is counted.
    const GUARD: Option<Guard>;

    /// The state at the first call.
    fn fresh(&self, cx: &Cx, to: NodeId) -> Self::State;

    /// The state for this target.
    fn state(&self, cx: &Cx, to: NodeId) -> Rc<Self::State> {
        let registry = cx.local::<Registry<Self, Self::State>>();
        let mut known = registry.known.borrow_mut();
        let states = known.entry(to).or_default();
        let found = states.iter().find(|(settings, _)| settings == self);
        found.map(|(_, state)| state.clone()).unwrap_or_else(|| {
            let state = Rc::new(self.fresh(cx, to));
            states.push((self.clone(), state.clone()));
            if let Some(guard) = Self::GUARD {
                cx.note(facts::GUARDED, u64::from(to.0), guard as u64);
            }
            state
        })
    }
}
