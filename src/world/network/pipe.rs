//! A bandwidth: packets pass one behind the other, each as long as its bytes take.

use super::queue::{Coming, Dropper, QueueSpec};
use super::usage::PipeUse;
use crate::engine::{Bandwidth, Bytes, Rng, Span, Time};

/// A bandwidth with its queue. Packets must come in the order of time.
pub(in crate::world) struct Pipe {
    bandwidth: Bandwidth,
    size: u64,
    policy: Dropper,
    rng: Rng,
    /// When everything that has come so far has passed.
    free_at: Time,
    /// How long something passed, in all, until all that has come has passed.
    busy: Span,
    /// How many packets it has dropped.
    dropped: u64,
}

impl Pipe {
    pub fn new(bandwidth: Bandwidth, queue: &QueueSpec, rng: Rng) -> Pipe {
        Pipe {
            bandwidth,
            size: queue.size.0,
            policy: Dropper::new(&queue.policy),
            rng,
            free_at: Time(0),
            busy: Span::ZERO,
            dropped: 0,
        }
    }

    /// A packet comes: when it has passed, or `None` if it is dropped.
    pub fn offer(&mut self, at: Time, bytes: u32) -> Option<Time> {
        let takes = self.bandwidth.time_for(Bytes(u64::from(bytes)));
        let begins = self.free_at.max(at);
        let waiting = self.waiting(begins - at);
        let idle = if self.free_at < at {
            (at - self.free_at).0 as f64 / takes.0.max(1) as f64
        } else {
            0.0
        };
        // A packet that finds nobody before it does not wait, so it fits in any queue.
        let fits = waiting == 0 || waiting + u64::from(bytes) <= self.size;
        let come = Coming { at, begins, waiting, idle };
        if self.policy.drops(&come, &mut self.rng) || !fits {
            self.dropped += 1;
            return None;
        }
        Some(self.take(begins, takes))
    }

    /// A packet passes whatever waits: when it has. A stream sends on what was dropped.
    pub fn force(&mut self, at: Time, bytes: u32) -> Time {
        let takes = self.bandwidth.time_for(Bytes(u64::from(bytes)));
        self.take(self.free_at.max(at), takes)
    }

    /// What it has done until now.
    pub fn usage(&self, now: Time) -> PipeUse {
        let to_come = self.free_at.max(now) - now;
        PipeUse { busy: Span(self.busy.0.saturating_sub(to_come.0)), dropped: self.dropped }
    }

    fn take(&mut self, begins: Time, takes: Span) -> Time {
        self.busy += takes;
        self.free_at = begins + takes;
        self.free_at
    }

    /// How many bytes are still to pass if the last of them is through after `left`.
    fn waiting(&self, left: Span) -> u64 {
        let bits = u128::from(left.0) * u128::from(self.bandwidth.bits_per_second());
        (bits / (8 * u128::from(Span::SECOND.0))) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::DropPolicy;
    use super::*;

    /// One byte takes one microsecond.
    fn pipe(size: u64, policy: DropPolicy) -> Pipe {
        let bandwidth = Bandwidth::from_bits_per_second(8_000_000).unwrap();
        Pipe::new(bandwidth, &QueueSpec { size: Bytes(size), policy }, Rng::new(1, "pipe"))
    }

    fn micros(count: u64) -> Time {
        Time(count * 1_000)
    }

    #[test]
    fn packets_pass_one_behind_the_other_and_the_tail_is_dropped() {
        let mut pipe = pipe(300, DropPolicy::Tail);
        let passed: Vec<Option<Time>> = (0..5).map(|_| pipe.offer(micros(10), 100)).collect();
        // The first passes at once; 100, 200 and 300 bytes wait before the next ones.
        let expected = [110, 210, 310].map(|at| Some(micros(at)));
        assert_eq!(passed[..3], expected);
        assert_eq!(passed[3..], [None, None]);
        assert_eq!(pipe.offer(micros(110), 100), Some(micros(410)), "one has passed meanwhile");
        assert_eq!(pipe.offer(micros(900), 100), Some(micros(1_000)), "nobody is before it");
        assert_eq!(pipe.usage(micros(1_000)), PipeUse { busy: Span(500_000), dropped: 2 });
        assert_eq!(pipe.usage(micros(970)).busy, Span(470_000), "the rest is still to pass");
    }

    #[test]
    fn a_packet_larger_than_the_queue_passes_if_nobody_is_before_it() {
        let mut pipe = pipe(100, DropPolicy::Tail);
        assert_eq!(pipe.offer(micros(0), 500), Some(micros(500)));
        assert_eq!(pipe.offer(micros(1), 500), None);
    }

    /// A tenth more than passes is offered for two seconds: the longest wait in the second of them
    /// and how many were dropped.
    fn overload(policy: DropPolicy) -> (Span, u64) {
        let mut pipe = pipe(1_000_000, policy);
        let mut longest = Span::ZERO;
        for place in 0..2_200 {
            let at = micros(place * 909);
            if let Some(passed) = pipe.offer(at, 1_000)
                && place > 1_100
            {
                longest = longest.max(passed - at);
            }
        }
        (longest, pipe.dropped)
    }

    #[test]
    fn active_policies_keep_the_queue_short_where_tail_drop_lets_it_grow() {
        let (tail, none) = overload(DropPolicy::Tail);
        assert!(tail > Span::from_millis(190) && none == 0, "{tail} {none}");
        let (target, interval) = (Span::from_millis(5), Span::from_millis(100));
        let (codel, dropped) = overload(DropPolicy::CoDel { target, interval });
        assert!(codel < Span::from_millis(150) && dropped > 40, "{codel} {dropped}");
        let percent = |part| crate::engine::Ratio::new(part, 100).unwrap();
        let (min, max) = (Bytes(10_000), Bytes(60_000));
        let red = DropPolicy::Red { min, max, probability: percent(20), weight: percent(1) };
        let (red, dropped) = overload(red);
        assert!(red < Span::from_millis(70) && dropped > 50, "{red} {dropped}");
    }
}
