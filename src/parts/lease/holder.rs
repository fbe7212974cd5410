//! A lease holder: it does a transfer under a lease, for as long as it believes that it holds it.
//!
//! For each request it acquires the lock, works, renews the lease meanwhile, looks at its own
//! clock, and writes to the store. Between that look and the write is what no clock can protect: a
//! pause there, or a clock that is behind the lock service's, lets it write after somebody else was
//! granted the lock. The write carries the fencing token of its lease; a store that checks it
//! refuses what comes with an older one than it has seen.
//!
//! ```ron
//! LeaseHolder(
//!     locks: "shop",
//!     lock: "ledger",
//!     ttl: "3s",
//!     renew_every: "1s",
//!     margin: "100ms",
//!     cost: Exponential(mean: "80ms"),
//!     store: "bank",
//!     transfer: (from: "purses", to: "till"),
//! )
//! ```

use serde::Deserialize;

use super::{ACQUIRE, ACQUIRE_UNTIL, RELEASE, RENEW, RENEW_UNTIL, facts};
use crate::engine::{Change, Dist, Expect, Fault, Msg, Name, NodeId, Reply, Row, Span, Time};
use crate::parts::{Policy, Transfer};
use crate::world::{Ask, Cx, Flaw, Known, MachineSpec, Node, Offers, Want, too_often};

/// A node that works under a lease.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseHolder {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// The lock service.
    locks: NodeId,
    /// How it is called. Default: one try without a time limit.
    #[serde(default)]
    locks_policy: Policy,
    /// Which lock it needs.
    lock: Name,
    /// How long a lease lasts. Default: `"10s"`.
    #[serde(default = "LeaseHolder::ttl")]
    ttl: Span,
    /// In which terms it asks for a lease. Default: `Relative`.
    #[serde(default)]
    expiry: Expiry,
    /// How often it renews its lease while it works. Default: not at all.
    #[serde(default)]
    renew_every: Option<Span>,
    /// So long before its lease runs out by its own clock it changes nothing any more. Default: 0.
    #[serde(default)]
    margin: Span,
    /// How long it waits before it asks again for a lock that somebody else holds. Default:
    /// `"50ms"`.
    #[serde(default = "LeaseHolder::poll")]
    poll: Span,
    /// For how long it asks before it answers `conflict`. Default: `"10s"`.
    #[serde(default = "LeaseHolder::ttl")]
    patience: Span,
    /// Work under the lease before the last look at the clock. Default: `"10ms"`.
    #[serde(default = "LeaseHolder::cost")]
    cost: Dist,
    /// Work between the last look at the clock and the write. Default: none.
    #[serde(default = "LeaseHolder::write")]
    write: Dist,
    /// The store that it writes to.
    store: NodeId,
    /// How it calls its store. Default: one try without a time limit.
    #[serde(default)]
    store_policy: Policy,
    /// What it moves there.
    transfer: Transfer,
}

/// In which terms a lease is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Expiry {
    /// For so long: both sides measure it on their own clocks, so drift and jumps are felt, an
    /// offset is not.
    #[default]
    Relative,
    /// Until an instant, as its own clock has it: an offset between the clocks of both sides is
    /// felt, too.
    Absolute,
}

/// A lease as its holder knows it.
struct Lease {
    token: u64,
    /// By the holder's clock.
    expires: Time,
}

impl LeaseHolder {
    fn ttl() -> Span {
        Span::from_seconds(10)
    }

    fn poll() -> Span {
        Span::from_millis(50)
    }

    fn cost() -> Dist {
        Dist::constant(Span::from_millis(10))
    }

    fn write() -> Dist {
        Dist::constant(Span::ZERO)
    }

    /// Asks the lock service; a lease counts from before it was asked for, so that it is never
    /// believed to last longer than it does on clocks that agree.
    async fn ask(&self, cx: &Cx, [plain, until]: [Name; 2]) -> Result<Lease, Fault> {
        let expires = cx.clock() + self.ttl;
        let (verb, value) = match self.expiry {
            Expiry::Relative => (plain, self.ttl.0),
            Expiry::Absolute => (until, expires.0),
        };
        let request = Msg::Do { verb, key: u64::from(self.lock.value()), value };
        match self.locks_policy.call(cx, self.locks, request).await? {
            Msg::Done { value: token } => Ok(Lease { token, expires }),
            _ => Err(Fault::Unknown),
        }
    }

    async fn acquire(&self, cx: &Cx) -> Result<Lease, Fault> {
        let since = cx.now();
        loop {
            match self.ask(cx, [ACQUIRE, ACQUIRE_UNTIL]).await {
                Err(Fault::Conflict) if cx.now() - since < self.patience => {
                    let _ = cx.sleep(self.poll).await;
                }
                // Nothing was changed yet, whatever became of the lock.
                Err(fault) if !fault.is_definite() => return Err(Fault::Failed),
                other => return other,
            }
        }
    }

    /// Works under the lease and then, if there is still one, writes.
    async fn act(&self, cx: &Cx, mut lease: Lease, (verb, value): (Name, u64)) -> Reply {
        let mut left = cx.cost(verb, &self.cost);
        while let Some(every) = self.renew_every.filter(|every| *every < left) {
            cx.work(every).await?;
            left -= every;
            let renewed = self.ask(cx, [RENEW, RENEW_UNTIL]).await;
            lease.expires = renewed.map_err(|_| Fault::Conflict)?.expires;
        }
        cx.work(left).await?;
        let lock = u64::from(self.lock.value());
        if cx.clock() + self.margin >= lease.expires {
            cx.note(facts::RAN_OUT, lock, lease.token);
            return Err(Fault::Conflict);
        }
        cx.note(facts::ACTS, lock, lease.token);
        let write = cx.cost(verb, &self.write);
        cx.work(write).await?;
        self.store(cx, lease.token, value).await
    }

    async fn store(&self, cx: &Cx, token: u64, value: u64) -> Reply {
        let fence = Row {
            table: facts::FENCE,
            key: u64::from(self.lock.value()),
            expect: Expect::AtMost(token),
            change: Change::Set(token),
        };
        let [take, give] = self.transfer.rows(value, false);
        let rows = [fence, take, give].into();
        match self.store_policy.call(cx, self.store, Msg::Commit { rows }).await? {
            Msg::Clash { row: 0, .. } => Err(Fault::Conflict),
            Msg::Clash { .. } => Err(Fault::Refused),
            _ => Ok(Msg::Done { value }),
        }
    }
}

impl Node for LeaseHolder {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb, value, .. } = request else { return Err(Fault::Unknown) };
        if cx.errs(verb) {
            return Err(Fault::Failed);
        }
        let lease = self.acquire(cx).await?;
        let (lock, token) = (u64::from(self.lock.value()), lease.token);
        cx.note(facts::HELD, lock, token);
        let reply = self.act(cx, lease, (verb, value)).await;
        cx.note(facts::LEFT, lock, token);
        cx.send(self.locks, Msg::Do { verb: RELEASE, key: lock, value: token });
        reply
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn problem(&self) -> Option<Flaw> {
        if self.margin >= self.ttl {
            let title = "a `margin` as long as the lease leaves no time to act";
            return Some(Flaw::at("margin", title));
        }
        if let Some(every) = self.renew_every {
            if every >= self.ttl {
                return Some(Flaw::at("renew_every", "`renew_every` is above 0 and below `ttl`"));
            }
            if let Some(flaw) = too_often("renew_every", every) {
                return Some(flaw);
            }
        }
        let parts = [
            too_often("poll", self.poll),
            self.machine.problem().map(|flaw| flaw.within("machine")),
            self.locks_policy.problem().map(|flaw| flaw.within("locks_policy")),
            self.store_policy.problem().map(|flaw| flaw.within("store_policy")),
        ];
        parts.into_iter().flatten().next()
    }

    fn idle(&self) -> Vec<Flaw> {
        let locks = self.locks_policy.idle().into_iter().map(|flaw| flaw.within("locks_policy"));
        let store = self.store_policy.idle().into_iter().map(|flaw| flaw.within("store_policy"));
        locks.chain(store).collect()
    }

    fn asks(&self) -> Vec<Ask> {
        let locks = Ask::of(["locks", "locks"], self.locks, Want::Locks);
        let moved = [vec![self.transfer.to], vec![self.transfer.from]];
        let store = Ask::of(["store", "transfer"], self.store, Want::Commit(moved));
        let locks = self.locks_policy.asks("locks_policy", locks);
        locks.chain(self.store_policy.asks("store_policy", store)).collect()
    }

    fn offers(&self) -> Offers {
        Offers { operations: Known::Anything, errs: Known::Anything, ..Offers::default() }
    }
}
