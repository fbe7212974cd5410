//! The lease of a relay: of several relays of one outbox one is at work.

use serde::Deserialize;

use super::Outbox;
use crate::engine::{Fault, Msg, Name, NodeId, Span, Time};
use crate::parts::{LEASE_ACQUIRE, LEASE_RENEW, Policy, lease_facts};
use crate::world::{Ask, Cx, Flaw, Want};

/// The lease under which a relay works. It renews it while it works, and looks at its own clock
/// before it publishes. Between that look and the broker is what no clock can protect: for a moment
/// two relays may publish.
///
/// ```ron
/// (locks: "shop", lock: "relay", ttl: "5s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// The lock service.
    pub(super) locks: NodeId,
    /// How it is called. Default: one try within a second.
    #[serde(default = "Outbox::patience")]
    pub(super) policy: Policy,
    /// Which lock the relays share.
    pub(super) lock: Name,
    /// How long a lease lasts; it is renewed when a third of that has passed. Default: `"5s"`.
    #[serde(default = "Leader::ttl")]
    pub(super) ttl: Span,
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tenure {
    token: u64,
    /// When it was asked for, and when it runs out, by this node's clock.
    since: Time,
    expires: Time,
}

impl Leader {
    fn ttl() -> Span {
        Span::from_seconds(5)
    }

    pub(super) fn problem(&self) -> Option<Flaw> {
        let zero = (self.ttl < Span::MILLISECOND).then(|| {
            Flaw::at("ttl", "a lease this short has run out when it comes").label("at least 1 ms")
        });
        zero.or_else(|| self.policy.problem().map(|flaw| flaw.within("policy")))
    }

    pub(super) fn asks(&self) -> impl Iterator<Item = Ask> {
        let ask = Ask::of(["locks", "lock"], self.locks, Want::Locks);
        self.policy.asks("policy", ask).map(|ask| ask.within("leader"))
    }

    /// Asks for the lease, or for more of it.
    ///
    /// It does so on behalf of no operation: the lock service knows the relay by its node, and one
    /// that comes back within its lease has it still.
    async fn ask(&self, cx: &Cx, verb: Name) -> Result<Tenure, Fault> {
        // It counts from before it was asked for: never longer than the lock service has it.
        let since = cx.clock();
        let request = Msg::Do { verb, key: u64::from(self.lock.value()), value: self.ttl.0 };
        match self.policy.call(cx, self.locks, request).await? {
            Msg::Done { value: token } => Ok(Tenure { token, since, expires: since + self.ttl }),
            _ => Err(Fault::Unknown),
        }
    }
}

impl Outbox {
    /// Sees to it that this relay is the one at work, if there are several.
    ///
    /// # Errors
    /// It is not, as far as it knows.
    pub(super) async fn lead(&self, cx: &Cx) -> Result<(), Fault> {
        let Some(leader) = &self.leader else { return Ok(()) };
        let now = cx.clock();
        let held = self.tenure.get().filter(|tenure| now < tenure.expires);
        let lock = u64::from(leader.lock.value());
        let tenure = match held {
            Some(tenure) if now < tenure.since + leader.ttl / 3 => return Ok(()),
            // A lease that cannot be renewed is good until it runs out.
            Some(_) => match leader.ask(cx, LEASE_RENEW).await {
                Ok(tenure) => tenure,
                Err(_) => return Ok(()),
            },
            None => {
                if let Some(lost) = self.tenure.take() {
                    cx.note(lease_facts::LEFT, lock, lost.token);
                }
                let tenure = leader.ask(cx, LEASE_ACQUIRE).await?;
                cx.note(lease_facts::HELD, lock, tenure.token);
                tenure
            }
        };
        self.tenure.set(Some(tenure));
        Ok(())
    }
}
