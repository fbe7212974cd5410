//! A lock service: it grants leases that run out by its own clock, each with a token greater than
//! all before it.
//!
//! A lease belongs to the operation that asked for it, and is granted again to nobody else before
//! it has run out or was given back. Tokens are durable: they grow across a restart. What the
//! service has granted before a crash it does not remember, so it grants nothing for as long as the
//! longest lease may last.
//!
//! ```ron
//! LockService(ttl_max: "10s")
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ACQUIRE, ACQUIRE_UNTIL, RELEASE, RENEW, RENEW_UNTIL};
use crate::engine::{Dist, Fault, Msg, Name, NodeId, Reply, Root, Span, Time};
use crate::world::{Cx, DiskSpec, Flaw, Known, MachineSpec, Node, Offers};

const GRANTED: Name = Name::of("lock.granted");

/// A lock service, as Chubby, etcd or ZooKeeper offer it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockService {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// Work for each request. Default: `"200us"`.
    #[serde(default = "LockService::cost")]
    cost: Dist,
    /// The disk that its tokens are on. Default: as `Disk` has it.
    #[serde(default)]
    disk: DiskSpec,
    /// The longest lease that it grants; longer ones are refused. Default: `"30s"`.
    #[serde(default = "LockService::ttl_max")]
    ttl_max: Span,
    #[serde(skip)]
    leases: RefCell<BTreeMap<u64, Lease>>,
    /// The newest token.
    #[serde(skip)]
    newest: Cell<u64>,
    /// After a restart, nothing is granted before this instant of its clock.
    #[serde(skip)]
    closed_until: Cell<Closed>,
}

/// Until when nothing is granted.
#[derive(Clone, Copy, Debug)]
struct Closed(Time);

impl Default for Closed {
    fn default() -> Closed {
        Closed(Time(0))
    }
}

/// Who holds a lock: an operation, or where there is none the node that asks by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holder {
    Operation(Root),
    Node(Option<NodeId>),
}

impl Holder {
    /// On whose behalf something is asked for.
    fn of(cx: &Cx) -> Holder {
        match cx.root() {
            Root::NONE => Holder::Node(cx.caller()),
            root => Holder::Operation(root),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    holder: Holder,
    token: u64,
    /// By this service's clock.
    expires: Time,
}

impl LockService {
    fn cost() -> Dist {
        Dist::constant(Span::from_micros(200))
    }

    fn ttl_max() -> Span {
        Span::from_seconds(30)
    }

    /// When a lease that is asked for runs out, if it may be so long.
    fn expiry(&self, now: Time, verb: Name, value: u64) -> Option<Time> {
        let is_instant = verb == ACQUIRE_UNTIL || verb == RENEW_UNTIL;
        let expires = if is_instant { Time(value) } else { now + Span(value) };
        (expires > now && expires - now <= self.ttl_max).then_some(expires)
    }

    async fn acquire(&self, cx: &Cx, lock: u64, expires: Time) -> Reply {
        let now = cx.clock();
        let held = self.leases.borrow().get(&lock).copied();
        let held = held.filter(|lease| now < lease.expires);
        let is_other = held.is_some_and(|lease| lease.holder != Holder::of(cx));
        if is_other || now < self.closed_until.get().0 {
            return Err(Fault::Conflict);
        }
        // Whoever asks twice holds it once.
        let token = held.map_or(self.newest.get() + 1, |lease| lease.token);
        self.newest.set(self.newest.get().max(token));
        let lease = Lease { holder: Holder::of(cx), token, expires };
        self.leases.borrow_mut().insert(lock, lease);
        if held.is_none() {
            if let Err(fault) = cx.disk().commit(GRANTED, lock, token, [].into()).await {
                self.release(cx, lock);
                return Err(fault);
            }
            if cx.disk().waste(1) {
                // Of all tokens the newest is all that a restart asks for.
                cx.disk().compact(vec![], |entry| entry.value >= token);
            }
        }
        Ok(Msg::Done { value: token })
    }

    fn renew(&self, cx: &Cx, lock: u64, expires: Time) -> Reply {
        let now = cx.clock();
        let mut leases = self.leases.borrow_mut();
        let mine = |lease: &&mut Lease| lease.holder == Holder::of(cx) && now < lease.expires;
        let lease = leases.get_mut(&lock).filter(mine).ok_or(Fault::Conflict)?;
        lease.expires = expires;
        Ok(Msg::Done { value: lease.token })
    }

    fn release(&self, cx: &Cx, lock: u64) {
        let mut leases = self.leases.borrow_mut();
        if leases.get(&lock).is_some_and(|lease| lease.holder == Holder::of(cx)) {
            leases.remove(&lock);
        }
    }
}

impl Node for LockService {
    async fn boot(&self, cx: &Cx) {
        let granted = cx.disk().replay();
        self.newest.set(granted.iter().map(|entry| entry.value).max().unwrap_or(0));
        if !granted.is_empty() {
            self.closed_until.set(Closed(cx.clock() + self.ttl_max));
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb, key: lock, value } = request else { return Err(Fault::Unknown) };
        let cost = cx.cost(verb, &self.cost);
        cx.work(cost).await?;
        if cx.errs(verb) {
            return Err(Fault::Failed);
        }
        if verb == RELEASE {
            self.release(cx, lock);
            return Ok(Msg::Done { value: 0 });
        }
        let expires = self.expiry(cx.clock(), verb, value);
        match verb {
            ACQUIRE | ACQUIRE_UNTIL => self.acquire(cx, lock, expires.ok_or(Fault::Refused)?).await,
            RENEW | RENEW_UNTIL => self.renew(cx, lock, expires.ok_or(Fault::Refused)?),
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn problem(&self) -> Option<Flaw> {
        let never =
            self.ttl_max.is_zero().then(|| Flaw::at("ttl_max", "`ttl_max` must be above 0"));
        never.or_else(|| self.machine.problem().map(|flaw| flaw.within("machine")))
    }

    fn offers(&self) -> Offers {
        let operations = Known::Always(&super::OPERATIONS);
        Offers {
            errs: operations.clone(),
            operations,
            locks: true,
            logs: true,
            ..Offers::default()
        }
    }
}
