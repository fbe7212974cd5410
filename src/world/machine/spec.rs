//! What a scenario says of a machine.

use serde::Deserialize;

/// In which order queued work is taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Discipline {
    /// First in, first out.
    #[default]
    Fifo,
    /// Last in, first out: under overload some are served fast and the rest not at all.
    Lifo,
}

/// The machine of a node.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MachineSpec {
    /// How many jobs run at once, for example threads or processors. Default: without limit.
    pub workers: Option<u32>,
    /// How many jobs may wait for a worker; more are refused as overloaded. Default: without limit.
    pub queue_max: Option<u32>,
    /// In which order queued jobs are taken up. Default: `Fifo`.
    pub discipline: Discipline,
}
