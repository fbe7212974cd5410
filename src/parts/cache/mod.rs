//! A cache in front of a store: what was read is kept for a while, so that it need not be read
//! again.
//!
//! A read of what is there and fresh is a hit. Otherwise the cache reads from the store, answers,
//! and keeps the value until its time to live is over; a fill that lands while a fresh one is there
//! changes nothing. When a popular entry expires, everybody who asks before the first fill lands
//! asks the store as well: a stampede. What helps against it is said by `single_flight`, `refresh`
//! and `stale_while_revalidate`, and by a time to live that is drawn instead of constant. It holds
//! everything in memory: a crash empties it.
//!
//! ```ron
//! Cache(store: "bank", ttl: "60s", single_flight: true)
//! ```

mod flight;
mod shelf;

use std::cell::RefCell;

use serde::Deserialize;

use super::policy::Policy;
use crate::engine::{Dist, Factor, Fault, Msg, Name, NodeId, Reply, Row, Span, Time};
use crate::world::{Ask, Cx, Flaw, Known, MachineSpec, Node, Offers, RowsOf, Want};
use flight::Flights;
pub use shelf::Eviction;
use shelf::{Entry, Key, Shelf};

/// Facts that caches record.
pub mod facts {
    use crate::engine::Name;

    /// A read is answered from the cache; the value is the entry's age in nanoseconds.
    pub const HIT: Name = Name::of("cache.hit");
    /// The same with an entry that has expired; the value is for how long, in nanoseconds.
    pub const STALE: Name = Name::of("cache.stale");
    /// A read has to wait for the store.
    pub const MISSED: Name = Name::of("cache.missed");
    /// The store is asked; the value is how many such calls for this key are under way with it.
    pub const FETCHED: Name = Name::of("cache.fetched");
    /// How they are spelt.
    pub const NAMES: [&str; 4] = ["cache.hit", "cache.stale", "cache.missed", "cache.fetched"];
}

/// A cache in front of a store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// Work for each read, whether it is a hit or not. Default: `"50us"`.
    #[serde(default = "Cache::cost")]
    cost: Dist,
    /// The store that it is in front of, or another cache.
    store: NodeId,
    /// How it calls the store. Default: one try without a time limit.
    #[serde(default)]
    policy: Policy,
    /// For how long an entry is fresh, drawn for each: a constant lets entries that came together
    /// expire together, `Uniform(min: "54s", max: "66s")` spreads them. Default: for ever.
    #[serde(default)]
    ttl: Option<Dist>,
    /// The same for rows that do not exist: negative caching. Default: they are not kept.
    #[serde(default)]
    negative_ttl: Option<Dist>,
    /// How many entries it holds at most. Default: without limit.
    #[serde(default)]
    capacity: Option<u64>,
    /// Which entry goes when it is full. Default: `Lru`.
    #[serde(default)]
    eviction: Eviction,
    /// Do reads that miss the same key share one call of the store? Default: false.
    #[serde(default)]
    single_flight: bool,
    /// Are entries fetched anew before they expire? Default: `Never`.
    #[serde(default)]
    refresh: Refresh,
    /// For how long after it has expired an entry is still served, while it is fetched anew in the
    /// background (RFC 5861). Default: `"0s"`.
    #[serde(default)]
    stale_while_revalidate: Span,
    /// For how long after it has expired an entry is still served if the store fails (RFC 5861).
    /// Default: `"0s"`.
    #[serde(default)]
    stale_if_error: Span,
    #[serde(skip)]
    shelf: RefCell<Shelf>,
    #[serde(skip)]
    flights: Flights,
}

/// When an entry is fetched anew before it expires.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Refresh {
    /// Not before it has expired.
    ///
    /// Source: this simulator's own; a cache with nothing but a time to live.
    #[default]
    Never,
    /// In the background, by the first read that comes so shortly before it expires.
    ///
    /// Source: the refresh-ahead of Oracle Coherence.
    ///
    /// ```ron
    /// Ahead(before: "5s")
    /// ```
    Ahead {
        /// How shortly before.
        before: Span,
    },
    /// By a read that draws it, the more probably the nearer expiry is and the longer the last
    /// fetch took.
    ///
    /// Source: XFetch: A. Vattani, F. Chierichetti and K. Lowenstein, "Optimal Probabilistic Cache
    /// Stampede Prevention", VLDB 2015.
    ///
    /// ```ron
    /// Early(beta: "1x")
    /// ```
    Early {
        /// More than 1 for earlier. Default: `"1x"`.
        #[serde(default)]
        beta: Factor,
    },
}

/// The operation of a cache, as faults of kind `Errors` name it.
const READS: Name = Name::of("read");

/// What a read finds on the shelf.
enum Found {
    Fresh,
    /// It is fetched anew in the background.
    Renewed,
    /// This read fetches it anew.
    Missed,
}

impl Cache {
    fn cost() -> Dist {
        Dist::constant(Span::from_micros(50))
    }

    /// What there is of a key: how it is to be taken, and whether this read has it fetched anew.
    fn look(&self, cx: &Cx, key: Key) -> Option<(Entry, Found, bool)> {
        let mut shelf = self.shelf.borrow_mut();
        let entry = shelf.read(self.eviction, key)?;
        let found = self.judge(cx, entry.expires, entry.took);
        let starts = matches!(found, Found::Renewed) && !entry.is_renewed;
        entry.is_renewed |= starts;
        Some((*entry, found, starts))
    }

    async fn read(&self, cx: &Cx, key: Key) -> Reply {
        let now = cx.now();
        let Some((entry, found, starts)) = self.look(cx, key) else {
            return self.miss(cx, key).await;
        };
        if starts {
            cx.kick(Msg::Get { table: key.0, key: key.1 });
        }
        if let Found::Missed = found {
            return self.miss(cx, key).await;
        }
        if now < entry.expires {
            cx.note(facts::HIT, key.1, (now - entry.fetched).0);
        } else {
            cx.note(facts::STALE, key.1, (now - entry.expires).0);
        }
        Ok(Msg::Done { value: entry.value })
    }

    /// Is an entry served that expires then and took this long to fetch?
    fn judge(&self, cx: &Cx, expires: Time, took: Span) -> Found {
        let now = cx.now();
        if now >= expires {
            let is_served = now < expires + self.stale_while_revalidate;
            return if is_served { Found::Renewed } else { Found::Missed };
        }
        match self.refresh {
            Refresh::Ahead { before } if now + before >= expires => Found::Renewed,
            Refresh::Early { beta } => {
                let early = Dist::exponential(beta.of(took));
                let gap = cx.draw(&early);
                if now + gap >= expires { Found::Missed } else { Found::Fresh }
            }
            _ => Found::Fresh,
        }
    }

    /// A read that has to wait for the store.
    async fn miss(&self, cx: &Cx, key: Key) -> Reply {
        cx.note(facts::MISSED, key.1, 0);
        let shared = self.flights.under_way(key).filter(|_| self.single_flight);
        let reply = match shared {
            None => self.fetch(cx, key).await,
            Some(flight) => self.flights.join(cx, flight).await.map(|value| Msg::Done { value }),
        };
        if reply.is_ok() {
            return reply;
        }
        let now = cx.now();
        let kept = self.shelf.borrow_mut().get(key).copied();
        match kept.filter(|entry| now < entry.expires + self.stale_if_error) {
            None => reply,
            Some(entry) => {
                cx.note(facts::STALE, key.1, (now.max(entry.expires) - entry.expires).0);
                Ok(Msg::Done { value: entry.value })
            }
        }
    }

    /// Reads from the store, and keeps what it says.
    async fn fetch(&self, cx: &Cx, key: Key) -> Reply {
        let began = cx.now();
        let (call, under_way) = self.flights.begin(cx, key);
        cx.note(facts::FETCHED, key.1, under_way);
        let (table, row) = key;
        let reply = self.policy.call(cx, self.store, Msg::Get { table, key: row }).await;
        match &reply {
            Ok(Msg::Done { value }) => {
                self.keep(cx, key, *value, (began, cx.now() - began));
                call.land(Ok(*value));
            }
            other => {
                if let Some(entry) = self.shelf.borrow_mut().get(key) {
                    entry.is_renewed = false;
                }
                call.land(Err(other.as_ref().err().copied().unwrap_or(Fault::Failed)));
            }
        }
        reply
    }

    fn keep(&self, cx: &Cx, key: Key, value: u64, (began, took): (Time, Span)) {
        let now = cx.now();
        let mut shelf = self.shelf.borrow_mut();
        // Of several fills the first counts: it was there already when this one landed.
        let is_later =
            shelf.get(key).is_some_and(|entry| entry.fetched >= began && now < entry.expires);
        let is_absent = value == Row::ABSENT;
        if is_later || is_absent && self.negative_ttl.is_none() {
            return;
        }
        let ttl = if is_absent { &self.negative_ttl } else { &self.ttl };
        let expires = ttl.as_ref().map_or(Time::MAX, |ttl| now + cx.draw(ttl));
        let is_full = self.capacity.is_some_and(|most| shelf.len() as u64 >= most);
        if is_full && shelf.get(key).is_none() {
            cx.random(|rng| shelf.evict(self.eviction, rng));
        }
        shelf.keep(key, value, (now, took), expires);
    }
}

impl Node for Cache {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        match request {
            // To itself, for nobody asks: fetch it anew.
            Msg::Get { table, key } if cx.caller().is_none() => self.fetch(cx, (table, key)).await,
            Msg::Get { table, key } => {
                let cost = cx.cost(READS, &self.cost);
                cx.work(cost).await?;
                if cx.errs(READS) {
                    return Err(Fault::Failed);
                }
                self.read(cx, (table, key)).await
            }
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn idle(&self) -> Vec<Flaw> {
        let never = self.capacity.is_none() && self.eviction != Eviction::default();
        let never = never.then(|| Flaw::at("eviction", "without a `capacity` it is never full"));
        let policy = self.policy.idle().into_iter().map(|flaw| flaw.within("policy"));
        never.into_iter().chain(policy).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        let fades = self.refresh != Refresh::Never
            || !self.stale_while_revalidate.is_zero()
            || !self.stale_if_error.is_zero();
        let lives = self.ttl.as_ref().map(|ttl| Span::from_seconds_f64(ttl.mean()));
        let (field, title) = match self.refresh {
            _ if self.capacity == Some(0) => {
                ("capacity", "a cache with a `capacity` of 0 keeps nothing")
            }
            _ if fades && self.ttl.is_none() => {
                let title = "without a `ttl` nothing expires, so nothing is refreshed or stale";
                return Some(Flaw::new(title));
            }
            Refresh::Ahead { before } if before.is_zero() => {
                ("refresh.before", "`before` must be longer than zero")
            }
            Refresh::Ahead { before } if lives.is_some_and(|lives| before >= lives) => {
                let title = "every read would fetch anew what is no older than it may be";
                let label = format!("shorter than the `ttl`, {}", lives.unwrap_or_default());
                return Some(Flaw::at("refresh.before", title).label(label));
            }
            _ => {
                let policy = self.policy.problem().map(|flaw| flaw.within("policy"));
                let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
                return policy.or_else(machine);
            }
        };
        Some(Flaw::at(field, title))
    }

    fn asks(&self) -> Vec<Ask> {
        let ask = Ask::of(["store", "store"], self.store, Want::Rows(None));
        self.policy.asks("policy", ask).collect()
    }

    fn offers(&self) -> Offers {
        let errs = Known::Always(&["read"]);
        Offers { errs, rows: RowsOf::Other(self.store), ..Offers::default() }
    }
}
