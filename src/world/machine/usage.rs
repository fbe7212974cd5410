//! What a machine has counted.

/// How a machine was used, up to now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MachineUse {
    /// Jobs finished.
    pub jobs: u64,
    /// Jobs refused because the queue was full.
    pub refused: u64,
    /// Jobs turned away by shedding.
    pub shed: u64,
    /// Jobs turned away by the limit on how many there may be.
    pub limited: u64,
    /// Jobs dropped because their deadline had passed.
    pub expired: u64,
    /// Jobs dropped by delay control.
    pub delayed: u64,
    /// Jobs that left the queue because they had waited too long.
    pub abandoned: u64,
    /// How often its process was killed because it took more memory than there was.
    pub killed: u64,
    /// Worker time spent, in nanoseconds.
    pub busy: u64,
    /// Integral of the queue's length over time, in job nanoseconds.
    pub queued: u64,
    /// The longest queue.
    pub queue_peak: u32,
    /// Workers occupied now.
    pub working: u32,
    /// Jobs queued now.
    pub waiting: u32,
    /// For how long it was there to be used, in nanoseconds.
    pub on: u64,
}
