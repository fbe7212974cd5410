//! What a scenario says of a machine.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::delay::DelayControl;
use super::limit::Limit;
use super::shedding::Shedding;
use crate::engine::{Bytes, Dist, Name, Span};
use crate::world::flaw::Flaw;

/// In which order queued work is taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Discipline {
    /// First in, first out.
    ///
    /// Source: first come, first served: L. Kleinrock, "Queueing Systems, Volume I", 1975.
    #[default]
    Fifo,
    /// Last in, first out: under overload some are served fast and the rest not at all.
    ///
    /// Source: last come, first served: L. Kleinrock, "Queueing Systems, Volume I", 1975.
    Lifo,
    /// First in, first out while the queue is healthy; last in, first out while it is long or old,
    /// so that those who still wait are served. The text that it comes from drops the old ones by
    /// `ControlledDelay`.
    ///
    /// Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015; the defaults are this simulator's
    /// own.
    ///
    /// ```ron
    /// AdaptiveLifo(age: "50ms")
    /// ```
    AdaptiveLifo {
        /// The queue is old if the first in it has waited for longer. Default: `"100ms"`.
        #[serde(default = "hundred_milliseconds")]
        age: Span,
        /// The queue is long if more than this many wait. Default: it never is.
        #[serde(default)]
        length: Option<u32>,
    },
    /// The most important class first, first in, first out within it. Into a full queue a more
    /// important request gets in the place of the least important one that waits.
    ///
    /// Source: A. Cobham, "Priority Assignment in Waiting Line Problems", Journal of the Operations
    /// Research Society of America 2(1), 1954; preemptive L. Kleinrock, "Queueing Systems, Volume
    /// II", 1976.
    ///
    /// ```ron
    /// Priority(preemptive: true)
    /// ```
    Priority {
        /// Does a request take the worker of a less important one, which later goes on where it
        /// was? Default: false.
        #[serde(default)]
        preemptive: bool,
    },
    /// The least work first, which is best for the mean and worst for whoever brings much.
    ///
    /// Source: R. W. Conway, W. L. Maxwell and L. W. Miller, "Theory of Scheduling", 1967.
    ShortestFirst,
    /// Each tenant gets a share of the work by its weight while all of them want it, equal ones
    /// where the machine names no `weights`.
    ///
    /// Source: S. J. Golestani, "A Self-Clocked Fair Queueing Scheme for Broadband Applications",
    /// INFOCOM 1994.
    FairQueueing,
    /// All jobs are worked on at once, each at an equal share of the workers: a processor that
    /// switches quickly between threads.
    ///
    /// Source: L. Kleinrock, "Queueing Systems, Volume II", 1976.
    ///
    /// ```ron
    /// ProcessorSharing(jobs_max: 200)
    /// ```
    ProcessorSharing {
        /// How many jobs share at most, the multiprogramming level; the others wait, first in,
        /// first out. Default: all.
        #[serde(default)]
        jobs_max: Option<u32>,
    },
}

fn hundred_milliseconds() -> Span {
    Span::from_millis(100)
}

/// The memory of a node's process: what jobs take of it, at work or waiting, and what follows when
/// it is exceeded: the process is killed, as by the out-of-memory killer of Linux. That is a crash:
/// its connections are reset, its memory is gone, its disk keeps what was synced. So a queue that
/// grows without a bound ends.
///
/// Source: the out-of-memory killer of Linux and systemd's restarts; that each job takes the same
/// is this simulator's own.
///
/// ```ron
/// (limit: "512MiB", base: "64MiB", per_job: "1MiB")
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// More than this kills the process.
    pub limit: Bytes,
    /// What the process takes without any job. Default: `"0B"`.
    #[serde(default)]
    pub base: Bytes,
    /// What each job takes from when it is let in until it is done or dropped. Default: `"0B"`.
    #[serde(default)]
    pub per_job: Bytes,
    /// Does a job take the size of its request's body as well? Default: false.
    #[serde(default)]
    pub payloads: bool,
    /// How long after it was killed the process starts again. Default: `"100ms"`, the `RestartSec`
    /// of systemd (systemd.service(5)).
    #[serde(default = "restart")]
    pub restart_after: Span,
}

fn restart() -> Span {
    Span::from_millis(100)
}

/// The machine of a node.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MachineSpec {
    /// How many jobs run at once, for example threads or processors. Default: without limit.
    pub workers: Option<u32>,
    /// How many jobs may wait for a worker; more are refused as overloaded. 0 is a pure loss
    /// system. Default: without limit.
    pub queue_max: Option<u32>,
    /// In which order queued jobs are taken up. Default: `Fifo`.
    pub discipline: Discipline,
    /// How large the share of each tenant is, from 1 to 1,000, for `FairQueueing`: one of weight 3
    /// gets three times as much work done as one of weight 1. Default: 1 for everybody, and for
    /// those who are not named.
    pub weights: BTreeMap<Name, u32>,
    /// How long a job waits in the queue before it leaves, its place free for another; drawn for
    /// each job. Default: for ever.
    pub queue_timeout: Option<Dist>,
    /// Is a job dropped that would be taken up after its request's deadline? Default: false.
    pub drop_expired: bool,
    /// Is a request turned away at once whose deadline would pass before it is done, as far as can
    /// be told? With so many jobs there and so many workers that is after the mean time that a job
    /// has its worker × (jobs + 1) ÷ workers, and at least after that mean. The mean is a moving
    /// one, an eighth of it the last job, as TCP smooths round trips (RFC 6298). A request without
    /// a deadline is let in. Default: false.
    pub reject_late: bool,
    /// Which jobs are dropped because they have waited too long when they would be taken up.
    /// Default: none.
    pub delay_control: Option<DelayControl>,
    /// How many jobs may be there at once, at work or waiting; more are turned away at once.
    /// Default: without limit.
    pub limit: Option<Limit>,
    /// Which classes of requests are turned away first under load. Default: none.
    pub shedding: Option<Shedding>,
    /// How much memory its process may take before it is killed. Default: without limit.
    pub memory: Option<Memory>,
    /// After how long whoever is turned away may come again: a hint that goes with each answer
    /// `overloaded` of the node, as the `Retry-After` of HTTP (RFC 9110, section 10.2.3). A caller
    /// keeps it whose policy has `retry_after`. More than nothing. Default: no hint.
    pub retry_after: Option<Span>,
    /// May a job keep its worker when its work is done?
    #[serde(skip)]
    pub holds_workers: bool,
}

impl MachineSpec {
    /// Is it a plain queue in front of workers?
    pub(super) fn is_plain(&self) -> bool {
        let MachineSpec {
            discipline, queue_timeout, delay_control, limit, shedding, memory, ..
        } = self;
        matches!(discipline, Discipline::Fifo | Discipline::Lifo)
            && queue_timeout.is_none()
            && delay_control.is_none()
            && limit.is_none()
            && shedding.is_none()
            && memory.is_none()
            && !self.drop_expired
            && !self.reject_late
            && !self.holds_workers
    }

    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self.discipline {
            _ if self.workers == Some(0) => ("workers", "a machine needs at least 1 of `workers`"),
            Discipline::ProcessorSharing { .. } if self.workers.is_none() => {
                ("discipline", "processor sharing needs `workers`: the processors that are shared")
            }
            Discipline::ProcessorSharing { jobs_max: Some(0) } => {
                ("discipline.jobs_max", "`jobs_max` must be at least 1")
            }
            _ if self.workers.is_none() && self.queues() => {
                let title = "without a number of `workers` nothing ever waits, so nothing of a \
                             queue has effect";
                return Some(Flaw::new(title));
            }
            other if other != Discipline::FairQueueing && !self.weights.is_empty() => {
                ("weights", "`weights` are about the discipline `FairQueueing`")
            }
            _ if self.retry_after.is_some_and(Span::is_zero) => {
                ("retry_after", "a `retry_after` of nothing says nothing")
            }
            _ if self.retry_after.is_some() && !self.turns_away() => {
                let title = "nobody is ever turned away: `retry_after` needs a bound";
                return Some(Flaw::at("retry_after", title).label("such as `queue_max`"));
            }
            _ => return self.problem_of_parts(),
        };
        Some(Flaw::at(field, title))
    }

    fn problem_of_parts(&self) -> Option<Flaw> {
        let weights = self.weights.iter();
        let odd = weights.filter(|(_, weight)| !(1..=1_000).contains(*weight));
        let mut odd = odd.map(|(tenant, weight)| {
            let title = format!("{weight} is no weight");
            Flaw::at(*tenant, title).within("weights").label("from 1 to 1,000")
        });
        let delay = || self.delay_control.as_ref().and_then(DelayControl::problem);
        let limit = || self.limit.as_ref().and_then(Limit::problem);
        let shedding = || self.shedding.as_ref().and_then(|one| one.problem(self));
        let memory = || self.memory.as_ref().and_then(Memory::problem);
        odd.next()
            .or_else(|| delay().map(|flaw| flaw.within("delay_control")))
            .or_else(|| limit().map(|flaw| flaw.within("limit")))
            .or_else(|| shedding().map(|flaw| flaw.within("shedding")))
            .or_else(|| memory().map(|flaw| flaw.within("memory")))
    }

    /// May it ever answer that it is overloaded?
    fn turns_away(&self) -> bool {
        self.queue_max.is_some()
            || self.queue_timeout.is_some()
            || self.delay_control.is_some()
            || self.limit.is_some()
            || self.shedding.is_some()
            || self.reject_late
    }

    /// Does it say how its queue is to be?
    fn queues(&self) -> bool {
        self.queue_max.is_some()
            || self.queue_timeout.is_some()
            || self.delay_control.is_some()
            || self.discipline != Discipline::Fifo
            || self.reject_late
    }
}
