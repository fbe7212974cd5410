//! What one step costs: a hold step of the queue, a call with its reply, an event of a whole run.
//!
//! All go through the public interface, so they time what a node pays, not the data structure
//! alone. `hold/N` keeps N messages pending, each of which posts the next one to its own node after
//! an exponential delay; `pingpong` is a request and its reply over the default network; `saga`,
//! `queue` and `pubsub` are the simulator as a user runs it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stormglass::engine::{Dist, Halt, Msg, Name, NodeId, Reply, Span, Time};
use stormglass::explore::simulate;
use stormglass::scenario::{load, source::Source};
use stormglass::world::{Cx, NetworkSpec, Node, Sim, World, add};

const STEPS: u64 = 100_000;
const SERVERS: u64 = 4;
const CLIENTS: u64 = 100;

fn ask(key: u64) -> Msg {
    Msg::Do { verb: Name::of("ask"), key, value: 0 }
}

/// One node that keeps many messages to itself pending.
#[derive(Clone)]
struct Holder {
    pending: u64,
    delay: Dist,
}

impl Node for Holder {
    async fn boot(&self, cx: &Cx) {
        for _ in 0..self.pending {
            cx.post(cx.me(), ask(0), cx.draw(&self.delay));
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        cx.post(cx.me(), ask(0), cx.draw(&self.delay));
        Ok(request)
    }
}

#[derive(Clone)]
struct Server;

impl Node for Server {
    async fn handle(&self, _: &Cx, request: Msg) -> Reply {
        Ok(request)
    }
}

#[derive(Clone)]
struct Client;

impl Node for Client {
    async fn boot(&self, cx: &Cx) {
        loop {
            let server = NodeId(cx.random(|rng| rng.below(SERVERS)) as u32);
            let reply = cx.call(server, ask(u64::from(cx.me().0))).within(Span::SECOND).await;
            assert_eq!(reply, Ok(ask(u64::from(cx.me().0))));
        }
    }

    async fn handle(&self, _: &Cx, request: Msg) -> Reply {
        Ok(request)
    }
}

/// Goes on with the run for so many events.
fn advance(sim: &mut Sim, events: u64) {
    let done = sim.with(|state| state.counts.events);
    assert_eq!(sim.run(Time::MAX, done + events), Halt::Events);
}

fn hold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold");
    group.throughput(Throughput::Elements(STEPS)).sample_size(20);
    for pending in [64, 1_000, 16_000, 1_000_000] {
        let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
        let holder = Holder { pending, delay: Dist::exponential(Span::SECOND) };
        let node = add(&mut sim, "holder", holder);
        sim.boot(node);
        // Once through all of them, so that every structure has its final size.
        advance(&mut sim, pending);
        group.bench_function(BenchmarkId::from_parameter(pending), |bencher| {
            bencher.iter(|| advance(&mut sim, STEPS));
        });
    }
    group.finish();
}

fn pingpong(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pingpong");
    // A round trip is two events.
    group.throughput(Throughput::Elements(STEPS / 2)).sample_size(20);
    let mut sim = Sim::new(2, World::new(2, NetworkSpec::default()));
    for server in 0..SERVERS {
        let node = add(&mut sim, &format!("server-{server}"), Server);
        sim.boot(node);
    }
    for client in 0..CLIENTS {
        let node = add(&mut sim, &format!("client-{client}"), Client);
        sim.boot(node);
    }
    group.bench_function("call", |bencher| bencher.iter(|| advance(&mut sim, STEPS)));
    group.finish();
}

/// The saga of `scenarios/saga_failure.ron`, a whole run: faults, metrics, checkers and digest.
fn saga(criterion: &mut Criterion) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/saga_failure.ron");
    let source = Source::read(&path).expect("the scenario is there");
    let scenario = load(&source).expect("the scenario can be read");
    let variant = scenario.variants.iter().find(|variant| variant.name == "saga");
    let variant = variant.expect("it has this variant");
    let mut seed = 0;
    let events = simulate(&scenario, variant, seed, Time(0)).events;
    let mut group = criterion.benchmark_group("saga");
    group.throughput(Throughput::Elements(events)).sample_size(20);
    group.bench_function("run", |bencher| {
        bencher.iter(|| {
            seed += 1;
            simulate(&scenario, variant, seed, Time(0))
        });
    });
    group.finish();
}

/// A queue as a user runs it: durable, ten consumers with a prefetch, metrics, checkers and digest.
fn queue(criterion: &mut Criterion) {
    let text = r#"Scenario(
    title: "A queue at work",
    run: (load: "20s", quiet: "5s"),
    network: (latency: LogNormal(median: "250us", p99: "2ms")),
    nodes: {
        "shop": Client(target: "broker", operation: "jobs", load: Poisson(rate: "5000/s")),
        "broker": Broker(queues: {
            "jobs": (consumers: [(to: "worker", operation: "do", prefetch: 20)]),
        }),
        "worker": Instances(of: Service(operations: {"do": (cost: Exponential(mean: "10ms"))}), count: 10),
    },
)"#;
    whole(criterion, "queue", text);
}

/// A topic as a user runs it: one publisher and a hundred durable subscriptions of ten services,
/// metrics, checkers and digest.
fn pubsub(criterion: &mut Criterion) {
    let subscription = |place: u32| {
        format!(
            r#""s{place}": (topics: "orders.*", queue: (consumers: [(to: "worker/{}", operation: "do", prefetch: 20)])),"#,
            place % 10 + 1
        )
    };
    let subscriptions: String = (0..100).map(subscription).collect();
    let text = format!(
        r#"Scenario(
    title: "A topic at work",
    run: (load: "20s", quiet: "5s"),
    network: (latency: LogNormal(median: "250us", p99: "2ms")),
    nodes: {{
        "shop": Client(target: "broker", operation: "orders.placed", load: Poisson(rate: "50/s")),
        "broker": Broker(topics: {{"orders.placed": ()}}, subscriptions: {{{subscriptions}}}),
        "worker": Instances(of: Service(operations: {{"do": (cost: Exponential(mean: "10ms"))}}), count: 10),
    }},
)"#
    );
    whole(criterion, "pubsub", &text);
}

/// Times whole runs of a scenario, by their events.
fn whole(criterion: &mut Criterion, name: &str, text: &str) {
    let source = Source::new(format!("{name}.ron"), text);
    let scenario = load(&source).expect("the scenario can be read");
    let mut seed = 0;
    let events = simulate(&scenario, &scenario.variants[0], seed, Time(0)).events;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(events)).sample_size(10);
    group.bench_function("run", |bencher| {
        bencher.iter(|| {
            seed += 1;
            simulate(&scenario, &scenario.variants[0], seed, Time(0))
        });
    });
    group.finish();
}

criterion_group!(benches, hold, pingpong, saga, queue, pubsub);
criterion_main!(benches);
