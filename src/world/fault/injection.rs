//! What a fault does, as a scenario spells it: what befalls whom.

use serde::Deserialize;

use super::{AfterFailure, SlowSpec, Targets, inner};
use crate::engine::{Bandwidth, Dist, Factor, Name, NodeId, Ratio, Shift, Span};
use crate::world::RollSpec;
use crate::world::network::{Bursts, QueueSpec};

/// What a fault does while it is on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Injection {
    /// The node's process dies: its tasks and its memory are gone, of its disk what was synced
    /// stays, and its connections break. When the fault ends it starts again and recovers.
    ///
    /// Source: Jepsen's nemesis package (kill and start), the crashes of TigerBeetle's VOPR,
    /// `PodChaos` of Chaos Mesh.
    ///
    /// ```ron
    /// (what: Crash(node: "bank", wipe: true), at: "20s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Crash(node: {node}, host: {bool})
    /// ```
    Crash {
        /// Which node.
        node: NodeId,
        /// Does the whole host go, so that nobody refuses or resets connections and callers meet
        /// only silence? What is sent to it is tried again, and once it is back it resets the
        /// connections that it had before, whether its process runs already or not. Default: false.
        #[serde(default)]
        host: bool,
        /// Of an address, how many of its instances: a random choice, another each time. Default:
        /// all of them.
        #[serde(default)]
        some: Option<u32>,
        /// Is the disk empty when it starts again? Withheld where a budget keeps what is on it.
        /// Default: false.
        #[serde(default)]
        wipe: bool,
    },
    /// Every node on a host is gone with it: there is only silence, of disks what was synced stays.
    /// When the fault ends they all start again, and connections from before it are reset when
    /// something comes over them.
    ///
    /// Source: the node kill of Antithesis; Chaos Mesh stops machines of clouds likewise.
    ///
    /// ```ron
    /// (what: HostDown(host: "rack-7"), at: "20s", for: "30s")
    /// ```
    ///
    /// ```swarm
    /// HostDown(host: {host})
    /// ```
    HostDown {
        /// Which host of the network.
        host: String,
    },
    /// Every node in a zone is gone with its host: there is only silence, of disks what was synced
    /// stays. When the fault ends they all start again.
    ///
    /// Source: this simulator's own, after outages of availability zones; Chaos Mesh stops machines
    /// of a cloud one by one.
    ///
    /// ```ron
    /// (what: ZoneDown(zone: "a"), at: "20s", for: "30s")
    /// ```
    ZoneDown {
        /// Which zone of the network.
        zone: String,
    },
    /// Every node in every zone of a region is gone, as when one zone is.
    ///
    /// Source: this simulator's own, after outages of whole regions.
    ///
    /// ```ron
    /// (what: RegionDown(region: "eu-west"), at: "20s", for: "30s")
    /// ```
    RegionDown {
        /// Which region: zones say to which they belong.
        region: String,
    },
    /// A graceful stop: the node is taken out of its address, goes on serving for `pre_stop`, then
    /// refuses requests and finishes those that it has; when it is idle, or after `grace` in any
    /// case, it is stopped. When the fault ends it starts again, or serves on if it still runs.
    ///
    /// Source: Kubernetes, the termination of pods (`preStop`, `terminationGracePeriodSeconds`).
    ///
    /// ```ron
    /// (what: Stop(node: "shop", pre_stop: "5s"), at: "20s", for: "1m")
    /// ```
    Stop {
        /// Which node, or all instances of which address.
        node: NodeId,
        /// How long callers have to learn that it goes. Default: not at all, as without a hook.
        #[serde(default)]
        pre_stop: Span,
        /// How long it has in all, `pre_stop` included. Default: `"30s"`, Kubernetes'
        /// `terminationGracePeriodSeconds`.
        #[serde(default = "inner::grace")]
        grace: Span,
    },
    /// The instances of an address are stopped gracefully and started again, a few at a time; the
    /// next ones when those serve again. When the fault ends, no further one is stopped.
    ///
    /// Source: the rolling update of a Deployment of Kubernetes; Jepsen upgrades clusters as a
    /// fault.
    ///
    /// ```ron
    /// (what: RollingRestart(node: "shop", pause: "5s"), at: "20s")
    /// ```
    RollingRestart(RollSpec),
    /// As `RollingRestart`, but each comes back as the `next` version of the instances: for a while
    /// both are live.
    ///
    /// Source: the rolling update of a Deployment of Kubernetes (`maxSurge`, `maxUnavailable`);
    /// Jepsen upgrades clusters as a fault. The rollback by itself is this simulator's own.
    ///
    /// ```ron
    /// (what: RollingUpgrade(node: "shop", surge: 1, ready_within: "1m", rollback: true), at: "20s")
    /// ```
    RollingUpgrade(RollSpec),
    /// So many instances of an address are wanted. New ones start, those with the highest numbers
    /// are stopped gracefully. When it ends, as many are wanted as before.
    ///
    /// Source: scaling by hand in Kubernetes, where a StatefulSet stops its highest numbers first;
    /// Jepsen's membership changes.
    ///
    /// ```ron
    /// (what: Scale(node: "shop", to: 8), at: "20s", for: "1m")
    /// ```
    Scale {
        /// Which address.
        node: NodeId,
        /// How many: from 1 to the `max` of the instances.
        to: u32,
    },
    /// Random failures: each node is well for a time drawn from `mttf`, then down for one from
    /// `mttr`, and so on, by a random stream of its own. When the fault ends all are repaired.
    ///
    /// Source: the alternating renewal process of reliability theory: Trivedi, "Probability and
    /// Statistics with Reliability, Queuing and Computer Science Applications".
    ///
    /// ```ron
    /// (what: Failures(node: "shop", mttf: Exponential(mean: "50h"), mttr: "1h"), at: "0s")
    /// ```
    Failures {
        /// Which node, or each instance of which address.
        node: NodeId,
        /// Time to failure.
        mttf: Dist,
        /// Time to repair.
        mttr: Dist,
        /// Does it freeze, so that work goes on where it stopped? Default: false, it crashes.
        #[serde(default)]
        freezes: bool,
    },
    /// Attrition: now and then one of the instances that serve crashes, but never so that fewer
    /// than `keep` are left.
    ///
    /// Source: the workload `Attrition` of FoundationDB's simulation; TigerBeetle's VOPR
    /// crashes within the quorum likewise.
    ///
    /// ```ron
    /// (what: Attrition(node: "shop", keep: 2, every: Exponential(mean: "10s"), down: "30s"), at: "5s")
    /// ```
    Attrition {
        /// Which address.
        node: NodeId,
        /// How many are always left, such as the majority that a quorum needs.
        keep: u32,
        /// How long between two crashes.
        every: Dist,
        /// How long each is down.
        down: Dist,
    },
    /// The node is frozen, as in a long garbage collection: what reaches it waits, its timers are
    /// late, its memory is intact.
    ///
    /// Source: Jepsen's nemesis package (SIGSTOP and SIGCONT), replica pauses of TigerBeetle's
    /// VOPR.
    ///
    /// ```swarm
    /// Pause(node: {node})
    /// ```
    Pause {
        /// Which node.
        node: NodeId,
    },
    /// The node's machine takes longer: for everything, or only for one operation or one caller, a
    /// grey failure that a health check does not see. Several that are on multiply.
    ///
    /// Source: `StressChaos` of Chaos Mesh; for one operation or caller P. Huang et al., "Gray
    /// Failure: The Achilles' Heel of Cloud-Scale Systems", HotOS 2017.
    ///
    /// ```ron
    /// (what: Slow(node: "bank", factor: "5x", operation: "commit", caller: "shop"), at: "20s")
    /// ```
    ///
    /// ```swarm
    /// Slow(node: {node}, factor: "{2..30}x")
    /// ```
    Slow(SlowSpec),
    /// Operations of the node fail before they have changed anything.
    ///
    /// Source: `HTTPChaos` of Chaos Mesh (abort, replace).
    ///
    /// ```swarm
    /// Errors(node: {node}, rate: "{1..100} %")
    /// ```
    Errors {
        /// Which node.
        node: NodeId,
        /// Which operation. Default: all.
        #[serde(default)]
        operation: Option<Name>,
        /// How often.
        rate: Ratio,
    },
    /// Messages take longer.
    ///
    /// Source: Jepsen's nemesis package (packet delay), `latency` of Toxiproxy, `NetworkChaos` of
    /// Chaos Mesh (delay).
    ///
    /// ```swarm
    /// Latency(links: {links}, add: Exponential(mean: "{1..500}ms"))
    /// ```
    Latency {
        /// Between which nodes.
        links: Targets,
        /// By how much.
        add: Dist,
    },
    /// Packets are lost: a stream sends them again, datagrams are gone.
    ///
    /// Source: Jepsen's nemesis package (packet loss), packet loss of TigerBeetle's VOPR,
    /// `NetworkChaos` of Chaos Mesh (loss).
    ///
    /// ```swarm
    /// Loss(links: {links}, rate: "{1..80} %")
    /// ```
    Loss {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// Packets are lost in bursts: a stream sends them again, datagrams are gone.
    ///
    /// Source: the model of Gilbert (1960) and Elliott (1963), as for the bursts of a network;
    /// `NetworkChaos` of Chaos Mesh correlates losses.
    ///
    /// ```ron
    /// (what: Bursts(links: All, bursts: (enter: "1 %", leave: "25 %")), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Bursts(links: {links}, bursts: (enter: "{1..5} %", leave: "{10..60} %"))
    /// ```
    Bursts {
        /// Between which nodes.
        links: Targets,
        /// How often, and for how long.
        bursts: Bursts,
    },
    /// Datagrams come twice, the copy a further latency later; a stream throws copies away.
    ///
    /// Source: Jepsen's nemesis package (packet duplication), packet replay of TigerBeetle's VOPR,
    /// `NetworkChaos` of Chaos Mesh (duplicate).
    ///
    /// ```ron
    /// (what: Duplication(links: All, rate: "1 %"), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Duplication(links: {datagrams}, rate: "{1..50} %")
    /// ```
    Duplication {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// Packets are held up, so that later ones overtake them; in a stream those behind wait.
    ///
    /// Source: Jepsen's nemesis package (packet reordering), `NetworkChaos` of Chaos Mesh
    /// (reorder).
    ///
    /// ```ron
    /// (what: Reordering(links: All, rate: "5 %", by: "20ms"), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Reordering(links: {links}, rate: "{1..50} %", by: "{1..100}ms")
    /// ```
    Reordering {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
        /// By how much longer such a packet takes.
        by: Dist,
    },
    /// Packets come damaged. With the network's `checksum` they are as good as lost; without it a
    /// request fails without effect (`failed`), and a damaged answer breaks the connection.
    ///
    /// Source: Jepsen's nemesis package (packet corruption), `NetworkChaos` of Chaos Mesh
    /// (corrupt).
    ///
    /// ```ron
    /// (what: Corruption(links: All, rate: "1 %"), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Corruption(links: {links}, rate: "{1..20} %")
    /// ```
    Corruption {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// Little passes: each link has no more than this bandwidth, in each direction.
    ///
    /// Source: `bandwidth` of Toxiproxy, `NetworkChaos` of Chaos Mesh (bandwidth), Jepsen's nemesis
    /// package (rate).
    ///
    /// ```ron
    /// (what: Throttle(links: Around("bank"), bandwidth: "1Mbit/s"), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Throttle(links: {links}, bandwidth: "{1..100}Mbit/s")
    /// ```
    Throttle {
        /// Between which nodes.
        links: Targets,
        /// How much passes.
        bandwidth: Bandwidth,
        /// What waits in front of it. Default: 1.5 MB, tail drop.
        #[serde(default)]
        queue: QueueSpec,
    },
    /// Everything waits, nothing is lost, no connection breaks; when the fault ends all of it comes
    /// at once.
    ///
    /// Source: path clogging of TigerBeetle's VOPR; FoundationDB's simulation and Antithesis clog
    /// as well.
    ///
    /// ```ron
    /// (what: Clog(links: Around("bank")), at: "10s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// Clog(links: {links})
    /// ```
    Clog {
        /// Between which nodes.
        links: Targets,
    },
    /// The links go down and up again, all together, the first time when the fault begins; while
    /// they are down it is a partition.
    ///
    /// Source: TigerBeetle's VOPR, whose partitions come and go by their probabilities; Jepsen's
    /// generators that start and stop a nemesis.
    ///
    /// ```ron
    /// (what: Flapping(links: All, up: "2s", down: Exponential(mean: "300ms")), at: "10s")
    /// ```
    ///
    /// ```swarm
    /// Flapping(links: {links}, up: "{100..2000}ms", down: "{10..300}ms")
    /// ```
    Flapping {
        /// Between which nodes.
        links: Targets,
        /// For how long they are up; drawn each time.
        up: Dist,
        /// For how long they are down; drawn each time.
        down: Dist,
    },
    /// No packet passes. A stream keeps trying until the partition heals or it gives up; who waits
    /// for an answer learns of it by `keepalive` only.
    ///
    /// Source: Jepsen's partitioner and nemesis package, the partitions of TigerBeetle's VOPR,
    /// `NetworkChaos` of Chaos Mesh (partition).
    ///
    /// ```swarm
    /// Partition(links: {links})
    /// ```
    Partition {
        /// Between which nodes.
        links: Targets,
    },
    /// Connections are reset when the fault begins; how long it lasts makes no difference. Whoever
    /// waits for an answer learns it at once (`connection reset`), what is under way is lost, and
    /// what was delivered is worked on in vain. Datagrams know no connection.
    ///
    /// Source: `reset_peer` of Toxiproxy; the reset of TCP (RFC 9293).
    ///
    /// ```ron
    /// (what: Reset(links: Around("bank")), at: "10s", every: "5s", for: "1s")
    /// ```
    ///
    /// ```swarm
    /// Reset(links: {links})
    /// ```
    Reset {
        /// Between which nodes.
        links: Targets,
    },
    /// Connections are lost on one side when the fault begins, as when a firewall forgets them; how
    /// long it lasts makes no difference. Nobody is told: what is sent or awaited over them is in
    /// vain until the sender gives up or `keepalive` finds out; then a new one is opened.
    ///
    /// Source: half-open connections of TCP (RFC 9293); `timeout` of Toxiproxy is near.
    ///
    /// ```ron
    /// (what: HalfOpen(links: Around("bank")), at: "10s")
    /// ```
    HalfOpen {
        /// Between which nodes.
        links: Targets,
    },
    /// Requests are accepted and never answered, also not when the fault has ended; whoever asked
    /// learns nothing until its own timeout.
    ///
    /// Source: `timeout` of Toxiproxy without an end, the node hang of Antithesis.
    ///
    /// ```ron
    /// (what: Hang(links: OneWay(["shop"], ["bank"])), at: "10s", for: "5s")
    /// ```
    Hang {
        /// Between which nodes.
        links: Targets,
    },
    /// The name service takes longer; longer than its `timeout` is as if it were down.
    ///
    /// Source: this simulator's own, after the timeouts of resolvers (resolv.conf(5)).
    ///
    /// ```ron
    /// (what: SlowNames(add: "200ms"), at: "10s", for: "5s")
    /// ```
    SlowNames {
        /// By how much.
        add: Dist,
    },
    /// The name service does not answer: after its `timeout` the call fails without effect
    /// (`unreachable`). Who still knows an address is not concerned.
    ///
    /// Source: this simulator's own, after the timeouts of resolvers (resolv.conf(5)).
    ///
    /// ```ron
    /// (what: NamesDown, at: "10s", for: "5s")
    /// ```
    NamesDown,
    /// The name service does not know this name: the call fails without effect (`unreachable`) as
    /// soon as the service has said so. Who still knows the address is not concerned.
    ///
    /// Source: `DNSChaos` of Chaos Mesh (error).
    ///
    /// ```ron
    /// (what: MissingName(node: "bank"), at: "10s", for: "5s")
    /// ```
    MissingName {
        /// Whose name.
        node: NodeId,
    },
    /// The name service does not learn of moves while it lasts: it gives the address that a node
    /// had when the fault began, and callers go by it for a `ttl`.
    ///
    /// Source: this simulator's own, after the caching of names for their time to live (RFC 1034);
    /// `DNSChaos` of Chaos Mesh gives wrong addresses (random).
    ///
    /// ```ron
    /// (what: StaleNames, at: "10s", for: "5s")
    /// ```
    StaleNames,
    /// A crash of the node while this is on tears the write that was under way: of what was not
    /// yet durable some entries are on the disk, and of the next one some of its rows (of one
    /// without rows, a value of zero). With checksums the torn entry is found and left out when the
    /// node starts again; without, it is applied by half.
    ///
    /// Source: LazyFS, as Jepsen uses it, and the write faults of TigerBeetle's VOPR at a crash.
    ///
    /// ```ron
    /// (what: TornWrite(node: "bank"), at: "20s", for: "10s")
    /// ```
    ///
    /// ```swarm
    /// TornWrite(node: {log})
    /// ```
    TornWrite {
        /// Which node.
        node: NodeId,
        /// How many of the crashes. Default: all.
        #[serde(default = "inner::all")]
        rate: Ratio,
    },
    /// Syncs take their time and end in an error; nothing was made durable.
    ///
    /// Source: `IOChaos` of Chaos Mesh (fault); A. Rebello et al., "Can Applications Recover from
    /// fsync Failures?", USENIX ATC 2020, for what follows.
    ///
    /// ```ron
    /// (what: SyncFails(node: "bank", rate: "10 %", after_failure: Retryable), at: "20s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// SyncFails(node: {log}, rate: "{1..50} %", after_failure: Retryable)
    /// ```
    SyncFails {
        /// Which node.
        node: NodeId,
        /// How many of the syncs. Default: all.
        #[serde(default = "inner::all")]
        rate: Ratio,
        /// What becomes of what the sync should have written. Default: `Lost`.
        #[serde(default)]
        after_failure: AfterFailure,
    },
    /// Syncs are acknowledged although nothing was made durable: a drive with a volatile cache that
    /// ignores flushes. The next honest sync writes what is in the cache; a crash loses it.
    ///
    /// Source: LazyFS, as Jepsen uses it, loses what was not synced; that a sync itself lies is a
    /// drive's volatile cache, modelled here in this simulator's own way.
    ///
    /// ```ron
    /// (what: SyncLies(node: "bank"), at: "20s", for: "5s")
    /// ```
    SyncLies {
        /// Which node.
        node: NodeId,
        /// How many of the syncs. Default: all.
        #[serde(default = "inner::all")]
        rate: Ratio,
    },
    /// The disk is full: nothing can be appended. What was appended before can still be synced.
    ///
    /// Source: `IOChaos` of Chaos Mesh (fault, with the error ENOSPC).
    ///
    /// ```ron
    /// (what: DiskFull(node: "bank"), at: "20s", for: "5s")
    /// ```
    ///
    /// ```swarm
    /// DiskFull(node: {log})
    /// ```
    DiskFull {
        /// Which node.
        node: NodeId,
    },
    /// The disk completes nothing; when this ends, the sync under way goes on with what was left of
    /// it.
    ///
    /// Source: `IOChaos` of Chaos Mesh (latency).
    ///
    /// ```ron
    /// (what: DiskStall(node: "bank"), at: "20s", for: "3s")
    /// ```
    ///
    /// ```swarm
    /// DiskStall(node: {log})
    /// ```
    DiskStall {
        /// Which node.
        node: NodeId,
    },
    /// Syncs that begin while this is on take longer: by a factor, or as long as what they write
    /// takes at a lower rate, or both.
    ///
    /// Source: the read and write latencies of TigerBeetle's VOPR, `IOChaos` of Chaos Mesh
    /// (latency).
    ///
    /// ```ron
    /// (what: DiskThrottle(node: "bank", factor: "10x", throughput: "1MB/s"), at: "20s", for: "10s")
    /// ```
    ///
    /// ```swarm
    /// DiskThrottle(node: {log}, factor: "{2..30}x")
    /// ```
    DiskThrottle {
        /// Which node.
        node: NodeId,
        /// How many times as long. Default: once.
        #[serde(default)]
        factor: Factor,
        /// At which rate it writes, besides. Default: at no other than before.
        #[serde(default)]
        throughput: Option<Bandwidth>,
    },
    /// When this begins, durable entries are altered: one of the lower 32 bits of an amount flips.
    /// With checksums they are found and left out when the log is read again; without, the wrong
    /// amount is believed. They stay so when the fault ends.
    ///
    /// Source: the corruption of reads and writes in TigerBeetle's VOPR, Jepsen's bit flips in
    /// files, `IOChaos` of Chaos Mesh (mistake).
    ///
    /// ```ron
    /// (what: BitRot(node: "bank", entries: 3), at: "20s")
    /// ```
    BitRot {
        /// Which node.
        node: NodeId,
        /// How many entries, each picked among those that are intact. Default: 1.
        #[serde(default = "inner::one")]
        entries: u32,
    },
    /// An entry that a sync writes lands in the place of another that was durable: that one is
    /// lost, and at its own place the written one is missing. With checksums, which cover the
    /// place, it is found and left out; without, it is believed where it stands.
    ///
    /// Source: the misdirected writes of TigerBeetle's VOPR.
    ///
    /// ```ron
    /// (what: MisdirectedWrite(node: "bank", rate: "1 %"), at: "20s", for: "5s")
    /// ```
    MisdirectedWrite {
        /// Which node.
        node: NodeId,
        /// How many of the entries. Default: all.
        #[serde(default = "inner::all")]
        rate: Ratio,
    },
    /// The node's clock jumps, forwards or back, and when this ends it jumps to where it would be
    /// without.
    ///
    /// Source: Jepsen's clock nemesis (bump), `TimeChaos` of Chaos Mesh.
    ///
    /// ```ron
    /// (what: ClockJump(node: "bank", by: "-2s"), at: "20s", for: "10s")
    /// ```
    ///
    /// ```swarm
    /// ClockJump(node: {node}, by: "{1..2000}ms")
    /// ```
    ClockJump {
        /// Which node.
        node: NodeId,
        /// How far; back, if negative. At most 365 days.
        by: Shift,
    },
    /// The node's clock runs too fast or too slow. When this ends it runs as before, and what it
    /// has gained or lost stays.
    ///
    /// Source: the clock drift of TigerBeetle's VOPR.
    ///
    /// ```ron
    /// (what: ClockDrift(node: "bank", ppm: 500), at: "20s", for: "10s")
    /// ```
    ///
    /// ```swarm
    /// ClockDrift(node: {node}, ppm: {1..500})
    /// ```
    ClockDrift {
        /// Which node.
        node: NodeId,
        /// How much faster, in millionths; slower, if negative. At most 100000.
        ppm: i64,
    },
    /// The node's clock jumps to and fro: by so much for one period, back for the next.
    ///
    /// Source: Jepsen's clock nemesis (strobe).
    ///
    /// ```ron
    /// (what: ClockStrobe(node: "bank", by: "500ms", period: "100ms"), at: "20s", for: "10s")
    /// ```
    ///
    /// ```swarm
    /// ClockStrobe(node: {node}, by: "{1..500}ms", period: "{50..500}ms")
    /// ```
    ClockStrobe {
        /// Which node.
        node: NodeId,
        /// How far; back, if negative. At most 365 days.
        by: Shift,
        /// How long it stays at each side.
        period: Span,
    },
}
