//! What a saga says that could have no effect, because of something else that it says.

use super::{Recovery, Saga};
use crate::world::Flaw;

impl Saga {
    pub(super) fn unused(&self) -> Vec<Flaw> {
        let forgets = !self.durable && self.recovery != Recovery::default();
        let forgets = forgets.then(|| {
            let title = "a coordinator that is not `durable` finds nothing after a restart";
            Flaw::at("recovery", title)
        });
        let steps = self.steps.iter().enumerate().flat_map(|(place, step)| {
            let is_final = self.pivot.is_some_and(|pivot| place >= pivot);
            step.idle(is_final).into_iter().map(move |flaw| flaw.within(place).within("steps"))
        });
        let backoff = self.persistence.backoff.idle().into_iter();
        let backoff = backoff.map(|flaw| flaw.within("backoff").within("persistence"));
        forgets.into_iter().chain(steps).chain(backoff).collect()
    }
}
