//! What runs have shown: plain data, the whole interface between simulating and reporting.
//!
//! Everything but [`Study::wall`] is a function of the build, the scenario and the seeds.

use crate::engine::{Fault, Span, Time};
use crate::stats::Histogram;

/// A side of a trade-off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Axis {
    /// How long requests take.
    Latency,
    /// How much gets done.
    Throughput,
    /// How often it works.
    Availability,
    /// Whether what is stored is right.
    Consistency,
    /// What it takes to run.
    Cost,
    /// What it takes to understand.
    Complexity,
    /// How close to its limits it runs.
    Saturation,
    /// What the scenario itself asks for.
    Own,
}

/// How a value is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quantity {
    /// Seconds.
    Time,
    /// A share of one.
    Share,
    /// A plain count or mean count.
    Count,
    /// Per second.
    Rate,
    /// Bytes.
    Bytes,
    /// Money, in the currency of the scenario's price list.
    Money,
}

/// Which direction is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// Less of it.
    Lower,
    /// More of it.
    Higher,
    /// Neither: it is what it is.
    Neither,
}

/// One measured value of one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Measure {
    /// Stable id, for expectations and machine readers: `latency.p99`, or `latency.p99/buyers`
    /// where there is one for each flow or node.
    pub id: String,
    /// For people: `p99`.
    pub label: String,
    /// Which side of the trade-off.
    pub axis: Axis,
    /// How to read the value.
    pub quantity: Quantity,
    /// Which direction is better.
    pub better: Better,
    /// The value, in base units; `None` if the run had nothing to measure it on.
    pub value: Option<f64>,
}

/// The requests of one client.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The client's name.
    pub name: String,
    /// Requests begun in the whole run.
    pub started: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed, by reason, in the order of [`Fault::ALL`].
    pub failed: [u64; Fault::ALL.len()],
    /// Requests without an answer at the end.
    pub in_flight: u64,
    /// Latency of the successful requests of the measured phase, from their intended start, in
    /// nanoseconds.
    pub latency: Histogram,
}

/// The requests of one class, of whichever client.
#[derive(Clone, Debug)]
pub struct ClassFlow {
    /// The requests; their name is `class:` and the name of the class.
    pub flow: Flow,
    /// How important they are: 0 before 1.
    pub priority: u8,
    /// Who they are made for.
    pub tenant: Option<String>,
    /// Requests that began in the measured phase: how many, how many of them succeeded, how many
    /// ended.
    pub measured: (u64, u64, u64),
}

/// An invariant after a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its name, as `explain` knows it or as the scenario calls it.
    pub invariant: String,
    /// What it demands, as a sentence.
    pub says: String,
    /// How often it was checked: zero means that the run never exercised it.
    pub checked: u64,
    /// How often it did not hold.
    pub violations: u64,
    /// The first time that it did not hold.
    pub first: Option<Violation>,
}

/// One time that an invariant did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// When it happened, or was bound to be noticed.
    pub at: Time,
    /// The business operation concerned, 0 for none.
    pub root: u32,
    /// What was found, as a sentence.
    pub what: String,
}

/// A fault of the run's timeline, and how the system took it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Episode {
    /// The fault's name in the scenario.
    pub name: String,
    /// What it is: `crash of inventory`.
    pub what: String,
    /// When it began.
    pub begins: Time,
    /// When it ended.
    pub ends: Time,
    /// From its beginning to the first request that failed; `None` if none did while it lasted.
    pub felt_after: Option<Span>,
    /// The other faults that were on at some time from its beginning to that failure: if there are
    /// any, the failure may be theirs.
    pub felt_beside: Vec<String>,
    /// From its end to the first success of the first second, none of it before that end, in which
    /// the share of requests served is back at 95 % of its level before the fault; `None` if it did
    /// not come back before the load ended.
    pub recovered_after: Option<Span>,
    /// How often it was withheld because too few intact copies would have been left.
    pub withheld: u64,
}

/// One window of the run's time line.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Window {
    /// Requests whose intended start lies in it.
    pub offered: u64,
    /// Successes that ended in it.
    pub good: u64,
    /// Failures that ended in it.
    pub failed: u64,
    /// Those of them that were no business refusals.
    pub technical: u64,
    /// Mean latency of those successes, in nanoseconds.
    pub latency_mean: f64,
    /// Greatest latency of those successes, in nanoseconds.
    pub latency_max: u64,
}

/// How a node was used: shares and means over the measured load, counts over the whole run.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeUse {
    /// Its name.
    pub name: String,
    /// Its kind: `Service`.
    pub kind: String,
    /// Share of its workers' time that was spent working; `None` if it has workers without limit.
    pub utilisation: Option<f64>,
    /// Mean number of workers at work.
    pub working_mean: f64,
    /// Mean number of jobs queued.
    pub queue_mean: f64,
    /// The longest queue of the run.
    pub queue_peak: u32,
    /// Jobs done.
    pub jobs: u64,
    /// Jobs refused because the queue was full.
    pub refused: u64,
    /// Jobs turned away by a limit or by shedding.
    pub turned_away: u64,
    /// Jobs dropped because their deadline had passed.
    pub expired: u64,
    /// Jobs that left the queue because they had waited too long.
    pub dropped: u64,
    /// Entries written to its disk.
    pub disk_writes: u64,
    /// Syncs of its disk.
    pub disk_syncs: u64,
    /// Times that it crashed.
    pub crashes: u64,
    /// Utilisation, or mean workers at work, in each window of the run.
    pub load: Vec<f64>,
    /// Queue length at the end of each window of the run.
    pub queue: Vec<u32>,
}

/// How a bandwidth of the network was used.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkUse {
    /// What has it: `shop → bank`, `card of bank, in`, `line eu → us`.
    pub name: String,
    /// Share of the measured load in which something was passing.
    pub utilisation: f64,
    /// Packets that its queue dropped in the whole run.
    pub dropped: u64,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// At its end.
    Complete,
    /// At the limit of events that was stated.
    EventLimit,
    /// Time did not advance; the sentence names the nodes that kept it.
    Stuck(String),
}

/// Something that had not come to rest when a run with a quiet phase ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Where.
    pub node: String,
    /// What: `waits for hotel in operation 17`, `is down`, `has 3 jobs queued`.
    pub what: String,
    /// Since when, where that is known.
    pub since: Option<Time>,
}

/// One run: a variant under a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The digest over every event.
    pub digest: u64,
    /// Events processed.
    pub events: u64,
    /// Simulated time at the end.
    pub end: Time,
    /// How it ended.
    pub ending: Ending,
    /// What had not come to rest by then; nothing if there was no quiet phase.
    pub stuck: Vec<Stuck>,
    /// The faults that the seed drew in swarm mode, as `faults` would have them.
    pub swarm: Option<String>,
    /// Every measured value, always in the same order for a variant.
    pub measures: Vec<Measure>,
    /// The requests, a flow for each client.
    pub flows: Vec<Flow>,
    /// The same requests by class; those without one are not among them.
    pub classes: Vec<ClassFlow>,
    /// Every invariant, always in the same order for a scenario.
    pub findings: Vec<Finding>,
    /// The faults, in the order in which they began.
    pub episodes: Vec<Episode>,
    /// Width of the windows.
    pub window: Span,
    /// The time line over all flows.
    pub windows: Vec<Window>,
    /// How each node was used.
    pub nodes: Vec<NodeUse>,
    /// How the bandwidths of the network were used, in a fixed order; none without a bandwidth.
    pub links: Vec<LinkUse>,
}

/// One step of a causal chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainStep {
    /// When.
    pub at: Time,
    /// Where: the node's name.
    pub node: String,
    /// What happened, as a short sentence.
    pub what: String,
    /// Is this a step at which things went wrong: a loss, a crash, a timeout?
    pub is_bad: bool,
}

/// Why an invariant did not hold: everything that happened to one business operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// The invariant.
    pub invariant: String,
    /// In the run with this seed.
    pub seed: u64,
    /// The violation itself.
    pub violation: Violation,
    /// What happened to that operation, in order, faults of the world among it.
    pub steps: Vec<ChainStep>,
}

/// The stages of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stages {
    /// From here on requests are measured.
    pub warmup: Span,
    /// From here on there is no load and no fault: the system must converge.
    pub quiet: Time,
    /// The end.
    pub end: Time,
}

/// All runs of one variant.
#[derive(Clone, Debug)]
pub struct VariantStudy {
    /// Its name.
    pub name: String,
    /// What it is, as a sentence.
    pub about: String,
    /// When its runs are what.
    pub stages: Stages,
    /// The runs, in the order of the seeds.
    pub runs: Vec<Outcome>,
    /// Why each violated invariant did not hold, for the first seed that shows it.
    pub chains: Vec<Chain>,
    /// Who waited for whom at the end of the first run that had not come to rest.
    pub waits: Vec<Stuck>,
    /// Invariants that this variant is there to violate: not a failure, but a demonstration.
    pub breaks: Vec<String>,
}

/// An expectation of the scenario, judged.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// The variant that it is about.
    pub variant: String,
    /// What is expected: `latency.p99 at most 500 ms`.
    pub says: String,
    /// Did it hold?
    pub held: bool,
    /// What was found: `412 ms`, or `violated in 3 of 20 runs, first by seed 4`.
    pub found: String,
    /// The command that shows the failure again, if it did not hold.
    pub reproduce: Option<String>,
}

/// Everything that a command has found out about a scenario.
#[derive(Clone, Debug)]
pub struct Study {
    /// The scenario's stem: `saga_failure`.
    pub name: String,
    /// The path it was read from, as given.
    pub path: String,
    /// Its title.
    pub title: String,
    /// What it is about, a paragraph.
    pub about: String,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// The first variant is the one that the others are compared with.
    pub variants: Vec<VariantStudy>,
    /// The currency of the scenario's price list, if it has one.
    pub currency: Option<String>,
    /// Every expectation, judged.
    pub judgements: Vec<Judgement>,
    /// Wall-clock seconds of all runs together: the one value that differs between machines.
    pub wall: f64,
    /// True if it was interrupted: then it holds what was done by then.
    pub interrupted: bool,
}

impl Study {
    /// Did every expectation and every invariant hold that should?
    pub fn held(&self) -> bool {
        self.judgements.iter().all(|judgement| judgement.held)
    }
}
