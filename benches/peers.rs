//! The workloads of other simulators' benchmarks, through the public node interface.
//!
//! `cargo run --release --example peers -- mm1|phold|pingpong|idle N [NODES]` prints one line of
//! JSON: the process's own processor time per item, and an outcome that is checked against theory.
//! Every run has its digest on and draws from a ChaCha8 stream per node, as any scenario does.
#![expect(clippy::disallowed_macros, reason = "a bench prints its result")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use stormglass::engine::{Dist, Halt, Msg, Name, NodeId, Reply, Span, Time};
use stormglass::world::{Cx, MachineSpec, NetworkSpec, Node, Sim, World, add};

const JOB: Name = Name::of("job");
const SECOND: f64 = 1e9;

/// M/M/1: arrivals and services a second.
const LAMBDA: f64 = 0.8;
const MU: f64 = 1.0;
/// PHOLD: each event schedules one after `LOOKAHEAD` plus an exponential with mean `MEAN`.
const LOOKAHEAD: f64 = 0.1;
const MEAN: f64 = 1.0;
const EVENTS_PER_NODE: usize = 16;
/// Ping-pong: a closed loop over FIFO servers.
const SERVERS: usize = 10;
const LATENCY: f64 = 1.0;
const SERVICE: f64 = 0.01;

fn exponential(mean: f64) -> Dist {
    Dist::exponential(Span::from_seconds_f64(mean))
}

fn job(key: u64) -> Msg {
    Msg::Do { verb: JOB, key, value: 0 }
}

// -- M/M/1 ----------------------------------------------------------------------------------------

#[derive(Clone)]
struct Source {
    server: NodeId,
    gap: Dist,
    customers: u64,
}

impl Node for Source {
    async fn boot(&self, cx: &Cx) {
        for customer in 0..self.customers {
            cx.send(self.server, job(customer));
            let gap = cx.draw(&self.gap);
            let _ = cx.sleep(gap).await;
        }
    }

    async fn handle(&self, _: &Cx, request: Msg) -> Reply {
        Ok(request)
    }
}

#[derive(Clone)]
struct Server {
    service: Dist,
    waited: Rc<Cell<u64>>,
}

impl Node for Server {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let (came, cost) = (cx.now(), cx.draw(&self.service));
        cx.work(cost).await?;
        self.waited.set(self.waited.get() + (cx.now() - came - cost).0);
        Ok(request)
    }

    fn machine(&self) -> MachineSpec {
        MachineSpec { workers: Some(1), ..MachineSpec::default() }
    }
}

fn mm1(args: &Args) -> Outcome {
    let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
    let waited = Rc::new(Cell::new(0));
    let server = Server { service: exponential(1.0 / MU), waited: waited.clone() };
    let server = add(&mut sim, "server", server);
    let source = Source { server, gap: exponential(1.0 / LAMBDA), customers: args.items };
    let source = add(&mut sim, "source", source);
    let clock = Clock::start();
    sim.boot(server);
    sim.boot(source);
    assert_eq!(sim.run(Time::MAX, u64::MAX), Halt::Done);
    let cpu = clock.stop();
    let got = waited.get() as f64 / SECOND / args.items as f64;
    Outcome { cpu, events: sim.with(|s| s.counts.events), got, want: LAMBDA / MU / (MU - LAMBDA) }
}

// -- PHOLD ----------------------------------------------------------------------------------------

#[derive(Clone)]
struct Process {
    nodes: u64,
    increment: Dist,
}

impl Process {
    fn forward(&self, cx: &Cx) {
        let (to, delay) = cx.random(|rng| {
            let to = NodeId(rng.below(self.nodes) as u32);
            (to, Span::from_seconds_f64(LOOKAHEAD) + self.increment.sample(rng))
        });
        cx.post(to, job(0), delay);
    }
}

impl Node for Process {
    async fn boot(&self, cx: &Cx) {
        for _ in 0..EVENTS_PER_NODE {
            self.forward(cx);
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        self.forward(cx);
        Ok(request)
    }
}

fn phold(args: &Args) -> Outcome {
    let mut sim = Sim::new(2, World::new(2, NetworkSpec::ideal()));
    let process = Process { nodes: args.nodes as u64, increment: exponential(MEAN) };
    for node in 0..args.nodes {
        add(&mut sim, &format!("process-{node}"), process.clone());
    }
    for node in 0..args.nodes as u32 {
        sim.boot(NodeId(node));
    }
    let clock = Clock::start();
    assert_eq!(sim.run(Time::MAX, args.items), Halt::Events);
    let cpu = clock.stop();
    // All increments start at time 0, which puts the count ahead of end / mean by a constant share
    // of the population: renewal theory.
    let population = (args.nodes * EVENTS_PER_NODE) as f64;
    let mean = LOOKAHEAD + MEAN;
    let ahead = population * (mean * mean - MEAN * MEAN) / (2.0 * mean * mean);
    let end = sim.with(|state| state.now()).as_seconds();
    let got = end * population / (args.items as f64 + ahead);
    Outcome { cpu, events: args.items, got, want: mean }
}

// -- Ping-pong ------------------------------------------------------------------------------------

#[derive(Default)]
struct Progress {
    done: u64,
    tenth: Time,
    end: Time,
}

#[derive(Clone)]
struct Client {
    latency: Dist,
    total: u64,
    progress: Rc<RefCell<Progress>>,
}

impl Client {
    fn ask(&self, cx: &Cx) {
        let (server, delay) =
            cx.random(|rng| (NodeId(rng.below(SERVERS as u64) as u32), self.latency.sample(rng)));
        cx.post(server, job(u64::from(cx.me().0)), delay);
    }
}

impl Node for Client {
    async fn boot(&self, cx: &Cx) {
        self.ask(cx);
    }

    async fn handle(&self, cx: &Cx, reply: Msg) -> Reply {
        let mut progress = self.progress.borrow_mut();
        progress.done += 1;
        if progress.done == self.total / 10 {
            progress.tenth = cx.now();
        }
        if progress.done == self.total {
            progress.end = cx.now();
        }
        if progress.done < self.total {
            self.ask(cx);
        }
        Ok(reply)
    }
}

#[derive(Clone)]
struct Echo {
    service: Dist,
    latency: Dist,
}

impl Node for Echo {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let cost = cx.draw(&self.service);
        cx.work(cost).await?;
        let back = cx.draw(&self.latency);
        cx.post(NodeId(request.key() as u32), job(0), back);
        Ok(request)
    }

    fn machine(&self) -> MachineSpec {
        MachineSpec { workers: Some(1), ..MachineSpec::default() }
    }
}

fn pingpong(args: &Args) -> Outcome {
    let mut sim = Sim::new(3, World::new(3, NetworkSpec::ideal()));
    let progress = Rc::new(RefCell::new(Progress::default()));
    let latency = exponential(LATENCY);
    for server in 0..SERVERS {
        let echo = Echo { service: exponential(SERVICE), latency: latency.clone() };
        add(&mut sim, &format!("server-{server}"), echo);
    }
    for client in 0..args.nodes {
        let progress = progress.clone();
        let client_node = Client { latency: latency.clone(), total: args.items, progress };
        add(&mut sim, &format!("client-{client}"), client_node);
    }
    for node in 0..(SERVERS + args.nodes) as u32 {
        sim.boot(NodeId(node));
    }
    let clock = Clock::start();
    assert_eq!(sim.run(Time::MAX, u64::MAX), Halt::Done);
    let cpu = clock.stop();
    let progress = progress.borrow();
    let span = (progress.end - progress.tenth).as_seconds();
    let got = (args.items - args.items / 10) as f64 / span;
    Outcome { cpu, events: sim.with(|s| s.counts.events), got, want: rate(args.nodes) }
}

/// Throughput of the closed network by mean value analysis, exact.
fn rate(clients: usize) -> f64 {
    let demand = SERVICE / SERVERS as f64;
    let (mut queue, mut rate) = (0.0, 0.0);
    for population in 1..=clients {
        let residence = demand * (1.0 + queue);
        rate = population as f64 / (2.0 * LATENCY + SERVERS as f64 * residence);
        queue = rate * residence;
    }
    rate
}

// -- Idle nodes -----------------------------------------------------------------------------------

/// So many nodes that start and do nothing: what a node costs in memory. It wants the bytes of one
/// to stay below 1,024.
fn idle(args: &Args) -> Outcome {
    let mut sim = Sim::new(4, World::new(4, NetworkSpec::ideal()));
    let clock = Clock::start();
    let before = peak_kilobytes();
    for node in 0..args.items {
        let process = Process { nodes: 0, increment: exponential(MEAN) };
        let node = add(&mut sim, &format!("idle-{node}"), Idle(process));
        sim.boot(node);
    }
    assert_eq!(sim.run(Time::MAX, u64::MAX), Halt::Done);
    let bytes = (peak_kilobytes() - before) as f64 * 1024.0 / args.items as f64;
    Outcome { cpu: clock.stop(), events: 0, got: bytes, want: 1024.0 }
}

#[derive(Clone)]
struct Idle(Process);

impl Node for Idle {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        self.0.handle(cx, request).await
    }
}

// -- What the process is asked, and what it answers -----------------------------------------------

struct Args {
    workload: String,
    items: u64,
    nodes: usize,
}

struct Outcome {
    cpu: f64,
    events: u64,
    got: f64,
    want: f64,
}

/// The process's own processor time, from the operating system's account of it.
struct Clock(f64);

impl Clock {
    fn now() -> f64 {
        // Fields 14 and 15 of /proc/self/stat are too coarse; schedstat counts nanoseconds.
        let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
        let ran = text.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
        ran.unwrap_or(0.0) / SECOND
    }

    fn start() -> Clock {
        Clock(Clock::now())
    }

    fn stop(self) -> f64 {
        Clock::now() - self.0
    }
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, default| {
        words.get(place).and_then(|word| word.parse::<u64>().ok()).unwrap_or(default)
    };
    let workload = words.first().cloned().unwrap_or_else(|| "mm1".to_owned());
    let nodes = if workload == "pingpong" { 1_000 } else { 1_024 };
    let (items, nodes) = (number(1, 1_000_000), number(2, nodes) as usize);
    let args = Args { workload, items, nodes };
    let Outcome { cpu, events, got, want } = match args.workload.as_str() {
        "mm1" => mm1(&args),
        "phold" => phold(&args),
        "pingpong" => pingpong(&args),
        "idle" => idle(&args),
        other => panic!("no workload is called {other}: mm1, phold, pingpong, idle"),
    };
    println!(
        "{{\"peer\":\"stormglass\",\"workload\":\"{}\",\"n\":{items},\"lps\":{nodes},\"threads\":1,\
         \"items\":{items},\"events\":{events},\"wall_s\":{cpu:.4},\"cpu_s\":{cpu:.4},\
         \"items_per_cpu_s\":{:.0},\"ns_per_item\":{:.2},\"rss_kb\":{},\"got\":{got:.4},\
         \"want\":{want:.4}}}",
        args.workload,
        items as f64 / cpu,
        cpu * SECOND / items as f64,
        peak_kilobytes(),
    );
}
