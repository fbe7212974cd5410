//! What surrounds the nodes: network, machines, disks, and the faults that befall them.
//!
//! The world is the engine's [`Environment`]. It decides how long a packet travels and whether it
//! arrives, when a machine has finished a job, and what of a disk survives a crash. Faults change
//! the world, never a node's memory: a crash takes a node's volatile state because the node is made
//! afresh, not because somebody clears it.

mod ask;
mod budget;
mod class;
mod clock;
mod dated;
mod disk;
mod fault;
mod flaw;
mod group;
mod life;
mod machine;
mod network;
mod node;

pub use ask::{Ask, Known, Offers, RowsOf, Want, Way};
pub use budget::Budget;
pub use class::{ClassInfo, ClassTraits};
pub use clock::{ClockSpec, ClocksSpec};
pub use dated::{Dated, Within};
pub use disk::{Disk, DiskSpec, DiskUse, Entry, wipe as wipe_disk};
pub use fault::{AfterFailure, FaultSpec, Injection, Phase, SlowSpec, Targets, Trigger, Windows};
pub(crate) use fault::{join, schedule};
pub use flaw::{EVERY_MIN, Flaw, Step, too_often, too_often_drawn};
pub use life::spec::{Autoscaler, Farewell, HealthCheck, LifeSpec, RollSpec, WarmUp};
pub(crate) use life::watch;
pub use machine::{
    DelayControl, Discipline, Gauge, Held, Limit, MachineSpec, MachineUse, Memory, Shedding,
    Signal, Threshold, Work,
};
pub use network::{
    Bottleneck, Bursts, CardSpec, Connect, DropPolicy, HostSpec, LinkSpec, NamesSpec, NetworkSpec,
    PipeUse, QueueSpec, Reordering, Transport, ZoneLinkSpec, ZoneSpec,
};
pub use node::{Edge, Node, add, upgrade};

use std::rc::Rc;

use crate::engine::{
    self, Class, Dist, Due, Environment, Fact, Name, NodeId, Packet, Rng, Root, Row, Span, State,
    Status, Time, Verdict, name_hash,
};
use clock::Clocks;
use disk::Drive;
use fault::Injections;
pub(crate) use group::Version;
use group::{Change, Groups};
use life::Lives;
use machine::Machines;
use network::Network;

/// What a task of a node may do: the engine's verbs, `work` and `disk`.
pub type Cx = engine::Cx<World>;
/// A run in this world.
pub type Sim = engine::Sim<World>;

/// Facts that the world itself records.
pub mod facts {
    use crate::engine::{Name, NodeId};

    /// Where a fault of the network befalls: no node in particular.
    pub const NETWORK: NodeId = NodeId(u32::MAX);
    /// A fault begins; the key is its place in the scenario.
    pub const FAULT_BEGINS: Name = Name::of("fault.begins");
    /// A fault ends; the key is its place in the scenario.
    pub const FAULT_ENDS: Name = Name::of("fault.ends");
    /// A node was stopped in an orderly way.
    pub const STOPPED: Name = Name::of("node.stopped");
    /// A node froze.
    pub const PAUSED: Name = Name::of("node.paused");
    /// A frozen node goes on.
    pub const RESUMED: Name = Name::of("node.resumed");
    /// A node crashed.
    pub const CRASHED: Name = Name::of("node.crashed");
    /// A node's process took more memory than there was, and is killed.
    pub const OUT_OF_MEMORY: Name = Name::of("node.out_of_memory");
    /// A node started again.
    pub const RESTARTED: Name = Name::of("node.restarted");
    /// All instances that an address wants have come back from a roll, in its version; the key is
    /// the fault's place in the scenario.
    pub const ROLLED: Name = Name::of("roll.done");
    /// An instance that a roll has started does not serve in time.
    pub const NOT_READY: Name = Name::of("roll.not_ready");
    /// An upgrade begins to take itself back.
    pub const ROLLING_BACK: Name = Name::of("roll.back");
    /// It has taken itself back.
    pub const ROLLED_BACK: Name = Name::of("roll.undone");
    /// What was durable is so no more: the key is the row's table, the value what is thereby taken
    /// back, which is the row's own value negated.
    pub const LOST: Name = Name::of("disk.lost");
    /// A fault would have damaged the last intact copies that a budget keeps, and did not; the key
    /// is its place in the scenario.
    pub const WITHHELD: Name = Name::of("fault.withheld");
    /// How they are spelt. Besides these, a row of a transaction that becomes durable is a fact:
    /// its kind is the row's table, its value what was added (two's complement) or the value set.
    pub const NAMES: [&str; 14] = [
        "fault.begins",
        "fault.ends",
        "node.crashed",
        "node.restarted",
        "disk.lost",
        "fault.withheld",
        "node.stopped",
        "node.paused",
        "node.resumed",
        "node.out_of_memory",
        "roll.done",
        "roll.not_ready",
        "roll.back",
        "roll.undone",
    ];
}

/// What surrounds the nodes of a run.
pub struct World {
    pub(crate) network: Network,
    pub(crate) machines: Machines,
    pub(crate) drives: Vec<Drive>,
    pub(crate) injections: Injections,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) clocks: Clocks,
    /// Hash of each node's name: the root of the names of its links' streams.
    hashes: Vec<u64>,
    seed: u64,
    /// From here on clients make no more requests.
    load_ends: Time,
    /// Of an address that stands for several nodes: those that a caller may be sent to now.
    instances: Vec<Option<Rc<[NodeId]>>>,
    /// How often that has changed, for any address.
    turnover: u64,
    /// The rows of an entry of a log that has none; all share them.
    no_rows: Rc<[Row]>,
    groups: Groups,
    pub(crate) lives: Lives,
    classes: Vec<ClassTraits>,
    /// Their names, from place 1 on.
    class_names: Vec<Name>,
    /// Nodes whose machines are watched job by job, and from when until when.
    watched: Vec<NodeId>,
    watch: (Time, Time),
    /// The tenants' names, from place 1 on.
    tenants: Vec<Name>,
}

/// Alarms carry what they are about in the lowest bit.
const JOB: u32 = 0;
const SYNC: u32 = 1;

impl World {
    /// A world without nodes.
    pub fn new(seed: u64, network: NetworkSpec) -> World {
        World {
            machines: Machines::new(network.hosts.iter().map(|host| host.cores)),
            network: Network::new(seed, network),
            drives: Vec::new(),
            injections: Injections::default(),
            budgets: Vec::new(),
            clocks: Clocks::default(),
            hashes: Vec::new(),
            seed,
            load_ends: Time::MAX,
            instances: Vec::new(),
            turnover: 0,
            no_rows: Rc::default(),
            groups: Groups::default(),
            lives: Lives::default(),
            classes: Vec::new(),
            class_names: Vec::new(),
            watched: Vec::new(),
            watch: (Time(0), Time::MAX),
            tenants: Vec::new(),
        }
    }

    /// From now on `address` stands for these nodes, among which its callers choose.
    pub fn set_instances(&mut self, address: NodeId, instances: &[NodeId]) {
        let places = (address.index() + 1).max(self.instances.len());
        self.instances.resize(places, None);
        self.instances[address.index()] = Some(instances.into());
        self.turnover += 1;
    }

    /// From now on `address` stands for these nodes, of which as many run and may be called as
    /// their life has it. Gives the group's number.
    pub fn add_group(&mut self, address: NodeId, members: &[NodeId], life: LifeSpec) -> u32 {
        self.set_instances(address, &members[..members.len().min(life.count as usize)]);
        let group = self.groups.add(address, members.to_vec());
        self.lives.join(group, members, life);
        group
    }

    /// The nodes of a group have two versions, of which this gives them one.
    pub(crate) fn set_change(&mut self, group: u32, change: Change) {
        self.groups.set_change(group, change);
    }

    /// Does a node run from the beginning?
    pub fn is_initial(&self, node: NodeId) -> bool {
        self.lives.is_initial(node)
    }

    /// From `end` on clients make no more requests.
    pub fn end_load(&mut self, end: Time) {
        self.load_ends = end;
    }

    /// Makes room for the next node.
    fn admit(&mut self, name: &str, machine: MachineSpec, disk: DiskSpec) {
        let hash = name_hash(name);
        self.hashes.push(hash);
        self.network.admit(hash);
        let seed = self.seed;
        let node = NodeId(self.hashes.len() as u32 - 1);
        let host = self.network.host(node);
        let gauge = self.watched.contains(&node).then(|| Gauge::new(self.watch.0, self.watch.1));
        self.machines.admit(machine, host, gauge, || Rng::new(seed, &format!("{name}/machine")));
        self.lives.admit(Rng::new(self.seed, &format!("{name}/start")));
        self.drives.push(Drive::new(disk, Rng::new(self.seed, &format!("{name}/disk"))));
    }

    /// How a node's machine was used so far.
    pub fn machine_use(&self, node: NodeId, now: Time) -> MachineUse {
        MachineUse { on: self.lives.on(node, now).0, ..self.machines.usage(node, now) }
    }

    /// Watches the machines of these nodes job by job, from `from` to before `until`. To be said
    /// before the nodes are added.
    pub fn watch_machines(&mut self, nodes: Vec<NodeId>, from: Time, until: Time) {
        (self.watched, self.watch) = (nodes, (from, until));
    }

    /// What the jobs of a node's machine met up to now, if it is watched.
    pub fn gauge(&self, node: NodeId, now: Time) -> Option<Gauge> {
        self.machines.gauge(node, now)
    }

    /// How the bandwidths of the network were used so far.
    pub fn bandwidth_use(&self, now: Time) -> Vec<(Bottleneck, PipeUse)> {
        self.network.usage(now)
    }

    /// How a node's disk was used so far.
    pub fn disk_use(&self, node: NodeId) -> DiskUse {
        self.drives[node.index()].usage
    }

    /// What a node has written to its disk, oldest first, and whether a crash would leave it as it
    /// was written.
    pub fn log(&self, node: NodeId) -> impl Iterator<Item = (&Entry, bool)> {
        self.drives[node.index()].log()
    }

    /// The host that a node shares with others, by its place in the scenario's list.
    pub fn host(&self, node: NodeId) -> Option<u32> {
        self.network.host(node)
    }

    /// Should this operation of this node fail, as a fault has it?
    fn errs(&mut self, node: NodeId, verb: Name) -> bool {
        self.injections.errs(node, verb)
    }
}

impl Environment for World {
    #[inline]
    fn route(&mut self, packet: &Packet, now: Time) -> Verdict {
        // An address is no place: its instances are, and the way to one of them is yet to come.
        if !self.groups.is_empty() && self.groups.is_address(packet.to) {
            return Verdict::Deliver(Span::ZERO);
        }
        self.network.route(packet, now)
    }

    #[inline]
    fn is_at_once(&self, from: NodeId, to: NodeId) -> bool {
        self.network.is_at_once(from, to)
    }

    fn stand_in(&mut self, packet: &Packet) -> Option<NodeId> {
        let instances = self.instances.get(packet.to.index())?.clone()?;
        self.groups.next(packet.to, &instances)
    }

    fn knock(&mut self, packet: &Packet, now: Time) -> Verdict {
        self.network.knock(packet, now)
    }

    fn inspect(&mut self, packet: &Packet, now: Time) -> Option<Verdict> {
        self.network.inspect(packet, now)
    }

    #[inline]
    fn timer(&self, node: NodeId, span: Span) -> Span {
        self.clocks.timer(node, span)
    }

    #[inline]
    fn alarm(state: &mut State<World>, alarm: u32, sequence: u64) -> Due {
        match alarm & 1 {
            JOB => machine::finished(state, alarm >> 1, sequence),
            _ => disk::synced(state, NodeId(alarm >> 1), sequence),
        }
    }

    fn control(sim: &mut Sim, control: u32) {
        if control & life::LIFE != 0 {
            return life::due(sim, control);
        }
        fault::turn(sim, control);
    }

    fn noted(state: &mut State<World>, fact: &Fact) {
        fault::noted(state, fact);
    }
}

impl engine::Cx<World> {
    /// Does a fault of the scenario make this operation fail here and now? Draws from the fault's
    /// own stream, and only while such a fault is on.
    pub fn errs(&self, verb: Name) -> bool {
        let me = self.me();
        self.with(|state| state.env.errs(me, verb))
    }

    /// Draws what an operation costs here and now: more, while a fault slows it down or slows down
    /// the requests of whoever asked.
    #[inline]
    pub fn cost(&self, verb: Name, cost: &Dist) -> Span {
        let span = self.draw(cost);
        if !self.with(|state| state.env.injections.is_grey()) {
            return span;
        }
        let (me, caller) = (self.me(), self.caller());
        self.with(|state| state.env.injections.slowed(me, (verb, caller), span))
    }

    /// May clients still make requests?
    pub fn is_loading(&self) -> bool {
        self.with(|state| state.now() < state.env.load_ends)
    }

    /// Was this node told to stop, as by SIGTERM? It takes no more requests and finishes what it
    /// has.
    pub fn is_stopping(&self) -> bool {
        self.with(|state| state.status(self.me()) == Status::Draining)
    }

    /// The nodes that `address` stands for, among which a caller chooses; `None` for a node that
    /// stands for itself.
    #[inline]
    pub fn instances(&self, address: NodeId) -> Option<Rc<[NodeId]>> {
        self.with(|state| state.env.instances.get(address.index())?.clone())
    }

    /// How often any address has been given other nodes to stand for: as long as this is the same,
    /// [`Cx::instances`] is.
    #[inline]
    pub fn turnover(&self) -> u64 {
        self.with(|state| state.env.turnover)
    }

    /// All nodes that an address can stand for, whether they run or not; a node stands for itself.
    pub fn members(&self, address: NodeId) -> Vec<NodeId> {
        self.with(|state| state.env.groups.members(address))
    }

    /// All instances of the description that a node is an instance of, itself among them, whether
    /// they run or not.
    pub fn siblings_of(&self, node: NodeId) -> Vec<NodeId> {
        self.with(|state| state.env.groups.siblings(node))
    }

    /// Does this node stand for itself, and may this task take its time? Then a call to it needs no
    /// more than its own timeout.
    #[inline]
    pub fn is_plain(&self, to: NodeId) -> bool {
        self.baggage().deadline.is_never() && !self.is_cancellable() && !self.is_address(to)
    }

    /// Does this node stand for others, among which a caller chooses?
    #[inline]
    pub fn is_address(&self, node: NodeId) -> bool {
        self.with(|state| matches!(state.env.instances.get(node.index()), Some(Some(_))))
    }

    /// How many jobs a node's machine has, running and queued: only an oracle knows.
    pub fn jobs_at(&self, node: NodeId) -> u32 {
        self.with(|state| state.env.machines.jobs_at(node))
    }

    /// The hint of a node that has answered that it is overloaded: after how long it may be asked
    /// again. That of an address is the one of its instances.
    pub fn retry_after(&self, node: NodeId) -> Option<Span> {
        self.with(|state| {
            let node = state.env.groups.members(node).first().copied()?;
            state.env.machines.retry_after(node)
        })
    }

    /// The hash of a node's name: the same whatever else there is.
    pub fn name_hash_of(&self, node: NodeId) -> u64 {
        self.with(|state| state.env.hashes[node.index()])
    }

    /// The zone that a node is in, by its place in the scenario's list.
    pub fn zone(&self, node: NodeId) -> Option<u32> {
        self.with(|state| state.env.network.zone(node))
    }

    /// The class of this name, as its place in the run's table.
    pub fn class_named(&self, name: Name) -> Option<Class> {
        self.with(|state| state.env.class_named(name))
    }

    /// A random stream of this node's own beside its usual one, for one purpose; what is drawn from
    /// it moves no other draw. `salt` tells the lives of a node apart.
    pub fn stream(&self, purpose: &str, salt: u64) -> Rng {
        let me = self.me();
        let mixed = name_hash(purpose).wrapping_add(salt).rotate_left(23);
        self.with(|state| {
            let env = &state.env;
            Rng::from_hash(env.seed, env.hashes[me.index()] ^ mixed)
        })
    }

    /// The hash of this node's name: the same whatever else there is.
    pub fn name_hash(&self) -> u64 {
        self.name_hash_of(self.me())
    }
}

/// Records a fact of the world itself.
fn note(state: &mut State<World>, node: NodeId, what: Name, key: u64) {
    state.note(node, Root::NONE, what, (key, 0));
}
