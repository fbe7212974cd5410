//! What a scenario says of a topic of a log broker, with Kafka's names and defaults.

use serde::Deserialize;

use crate::engine::{Bytes, Span};
use crate::world::{Flaw, too_often};

/// A topic of a log broker.
///
/// ```ron
/// (partitions: 6, replicas: 3, min_isr: 2, retention: (time: "1h"), cleanup: Delete)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogTopic {
    /// How many partitions it has, from 1 to 4,095: `num.partitions`. Default: 1.
    pub partitions: u32,
    /// How many brokers have a copy of each partition, up to 15: `replication.factor`. Default: 3,
    /// or as many as there are brokers if they are fewer.
    pub replicas: Option<u32>,
    /// How many of them must be in sync for a producer with `acks: All`: `min.insync.replicas`.
    /// Default: 1.
    pub min_isr: u32,
    /// May a replica lead that is not in sync, if no other is there? What it lacks is lost:
    /// `unclean.leader.election.enable`. Default: false.
    pub unclean: bool,
    /// When records are thrown away. Default: after 7 days.
    pub retention: Retention,
    /// What is done about old records: `cleanup.policy`. Default: `Delete`.
    pub cleanup: Cleanup,
    /// When records are made durable: `flush.messages`, `flush.ms`. Default: as the operating
    /// system does.
    pub flush: Flush,
}

impl Default for LogTopic {
    fn default() -> LogTopic {
        LogTopic {
            partitions: 1,
            replicas: None,
            min_isr: 1,
            unclean: false,
            retention: Retention::default(),
            cleanup: Cleanup::Delete,
            flush: Flush::default(),
        }
    }
}

impl LogTopic {
    /// Of partitions and replicas, what the numbering of records has room for.
    const PARTITIONS_MAX: u32 = 4_095;
    const REPLICAS_MAX: u32 = 15;

    /// How many copies there are of each partition, of so many brokers.
    pub(crate) fn copies(&self, brokers: usize) -> u32 {
        self.replicas.unwrap_or(3).min(brokers as u32).max(1)
    }

    /// What so many brokers cannot do.
    pub(super) fn unfit_for(&self, brokers: u32) -> Option<Flaw> {
        let (field, count) = match self.replicas {
            Some(replicas) if replicas > brokers => ("replicas", replicas),
            _ if self.min_isr > self.copies(brokers as usize) => ("min_isr", self.min_isr),
            _ => return None,
        };
        let title = format!("`{field}` is {count}, and there are fewer brokers");
        Some(Flaw::at(field, title).label(format!("at most {brokers}, one on each broker")))
    }

    /// Is nothing lost that all in-sync replicas have, as long as the disks are intact?
    pub(crate) fn keeps_what_is_accepted(&self) -> bool {
        self.flush == Flush::Every && !self.unclean
    }

    /// What it says that could have no effect, because of something else that it says.
    pub(super) fn idle(&self) -> impl Iterator<Item = Flaw> {
        let (own, usual) = (self.retention, Retention::default());
        let fields = [("time", own.time != usual.time), ("size", own.size != usual.size)];
        let is_compacted = self.cleanup == Cleanup::Compact;
        let kept = fields.into_iter().filter(move |(_, is_said)| *is_said && is_compacted);
        let kept = kept.map(|(field, _)| {
            let title = "of what is compacted the last record about each object stays for ever";
            Flaw::at(field, title).label("with `Delete` only").within("retention")
        });
        let is_alone = self.unclean && self.replicas == Some(1);
        let alone = is_alone.then(|| {
            let title = "without a second replica there is none that could lead instead";
            Flaw::at("unclean", title)
        });
        kept.chain(alone)
    }

    pub(super) fn problem(&self) -> Option<Flaw> {
        let is_count = |count: u32, most: u32| (1..=most).contains(&count);
        if !is_count(self.partitions, Self::PARTITIONS_MAX) {
            return Some(Flaw::at("partitions", "`partitions` is from 1 to 4,095"));
        }
        if self.replicas.is_some_and(|replicas| !is_count(replicas, Self::REPLICAS_MAX)) {
            return Some(Flaw::at("replicas", "`replicas` is from 1 to 15"));
        }
        let most = self.replicas.unwrap_or(Self::REPLICAS_MAX);
        if !is_count(self.min_isr, most) {
            let title = "`min_isr` is from 1 to how many `replicas` there are";
            return Some(Flaw::at("min_isr", title));
        }
        let retention = || self.retention.problem().map(|flaw| flaw.within("retention"));
        self.flush.problem().map(|flaw| flaw.within("flush")).or_else(retention)
    }
}

/// When records are thrown away, in whole segments: the oldest go first.
///
/// ```ron
/// (time: "1h", size: "1GB", segment: "64MiB", roll: "10min")
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How old the youngest record of a segment may become: `retention.ms`. `None` keeps them for
    /// ever. Default: `"7d"`.
    pub time: Option<Span>,
    /// How large a partition's log may be: `retention.bytes`. A record is 96 bytes and its body.
    /// Default: without limit.
    pub size: Option<Bytes>,
    /// How large a segment becomes: `segment.bytes`. Default: `"1GiB"`.
    pub segment: Bytes,
    /// How old a segment becomes before the next one begins: `segment.ms`. Default: `"7d"`.
    pub roll: Span,
}

/// Seven days.
const WEEK: Span = Span(7 * 24 * 3_600 * Span::SECOND.0);

impl Default for Retention {
    fn default() -> Retention {
        Retention { time: Some(WEEK), size: None, segment: Bytes(1 << 30), roll: WEEK }
    }
}

impl Retention {
    fn problem(&self) -> Option<Flaw> {
        if self.segment.0 == 0 {
            return Some(Flaw::at("segment", "a `segment` of nothing holds no record"));
        }
        let roll = || too_often("roll", self.roll);
        self.time.and_then(|time| too_often("time", time)).or_else(roll)
    }
}

/// What is done about old records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Cleanup {
    /// Segments are deleted as the retention has it.
    #[default]
    Delete,
    /// Of all records about one business object only the last stays; the active segment is left
    /// alone. The retention has no say, but for when segments end.
    Compact,
}

/// When records are made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Flush {
    /// Before they count as written by that replica: `flush.messages: 1`. A loss of power loses
    /// nothing.
    Every,
    /// Again and again; until then they are in the page cache, which a crash of the machine loses:
    /// `flush.ms`.
    Interval {
        /// How often. Default: `"30s"`, when Linux writes back what is dirty
        /// (`vm.dirty_expire_centisecs`).
        #[serde(default = "Flush::written_back")]
        every: Span,
    },
}

impl Default for Flush {
    fn default() -> Flush {
        Flush::Interval { every: Flush::written_back() }
    }
}

impl Flush {
    fn written_back() -> Span {
        Span::from_seconds(30)
    }

    fn problem(self) -> Option<Flaw> {
        let Flush::Interval { every } = self else { return None };
        too_often("every", every)
    }
}

/// When a producer counts a record as written: Kafka's `acks`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Acks {
    /// When it is sent: `acks=0`. Nobody answers, and nothing is tried again.
    None = 0,
    /// When its leader has written it: `acks=1`. What no follower has yet is lost with the leader.
    Leader = 1,
    /// When all in-sync replicas have it, and these are at least `min_isr`: `acks=all`.
    #[default]
    All = 2,
}

impl Acks {
    pub(crate) fn of(bits: u64) -> Acks {
        match bits & 3 {
            0 => Acks::None,
            1 => Acks::Leader,
            _ => Acks::All,
        }
    }
}

/// The internal topic in which consumer groups keep what they have committed, Kafka's
/// `__consumer_offsets`: compacted, and written with `acks: All`. The leader of a group's partition
/// is its coordinator.
///
/// ```ron
/// (partitions: 50, replicas: 3, min_isr: 2)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OffsetsTopic {
    /// How many partitions it has, from 1 to 4,095: `offsets.topic.num.partitions`. Default: 50,
    /// Kafka's.
    pub partitions: u32,
    /// How many brokers have a copy: `offsets.topic.replication.factor`. Default: 3, or as many as
    /// there are brokers if they are fewer.
    pub replicas: Option<u32>,
    /// How many of them must be in sync for a commit. Default: 1.
    pub min_isr: u32,
    /// When commits are made durable. Default: as the operating system does.
    pub flush: Flush,
    /// How large a segment becomes, of which there is one at least that is not compacted:
    /// `offsets.topic.segment.bytes`. Default: `"100MiB"`, Kafka's.
    pub segment: Bytes,
}

impl Default for OffsetsTopic {
    fn default() -> OffsetsTopic {
        let (flush, segment) = (Flush::default(), Bytes(100 << 20));
        OffsetsTopic { partitions: 50, replicas: None, min_isr: 1, flush, segment }
    }
}

impl OffsetsTopic {
    /// As a topic.
    pub(super) fn topic(&self) -> LogTopic {
        LogTopic {
            partitions: self.partitions,
            replicas: self.replicas,
            min_isr: self.min_isr,
            cleanup: Cleanup::Compact,
            flush: self.flush,
            retention: Retention { segment: self.segment, ..Retention::default() },
            ..LogTopic::default()
        }
    }
}
