//! Queues simulated through ordinary scenario files agree with the theory of queues.
//!
//! Each mean is estimated from independent replications, and theory must lie within the runs' own
//! 95 % interval. An interval of that kind misses once in twenty by its nature, so the seeds are
//! fixed: ten for each case, the first ten, not chosen.

#![expect(clippy::disallowed_methods, reason = "a test may ask the platform for a logarithm")]

use std::path::Path;

use stormglass::check::outcome::{NodeUse, Outcome, Study, VariantStudy};
use stormglass::explore::{Plan, Silent, study};
use stormglass::scenario::{load, source::Source};
use stormglass::stats::Estimate;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

/// Some of the variants of a case of validation, for a shorter time than there.
fn run(name: &str, load_time: &str, variants: &[&str]) -> Study {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/validation").join(name);
    let source = Source::read(&path).expect("the scenario is there");
    let source = source.set("run.load", load_time).expect("it has a load");
    let scenario = load(&source).expect("the scenario can be read");
    let variants = variants.iter().map(|name| (*name).to_owned()).collect();
    study(&scenario, &Plan { seeds: SEEDS.collect(), variants, jobs: 0 }, &Silent)
}

/// A metric's values over the seeds.
fn values(variant: &VariantStudy, id: &str) -> Vec<f64> {
    let value = |measures: &[stormglass::check::outcome::Measure]| {
        measures.iter().find(|one| one.id == id).and_then(|one| one.value).expect("it is measured")
    };
    variant.runs.iter().map(|run| value(&run.measures)).collect()
}

/// Theory lies within the interval, and the interval is narrow enough to mean something.
fn agrees(variant: &VariantStudy, id: &str, theory: f64) {
    let estimate = Estimate::of(&values(variant, id)).expect("there are runs");
    let half_width = estimate.half_width.expect("there are several runs");
    let found = format!("{} {id}: {} ±{half_width}, theory {theory}", variant.name, estimate.mean);
    assert!((estimate.mean - theory).abs() <= half_width, "{found}");
    assert!(half_width < 0.1 * theory, "too wide to mean anything: {found}");
}

#[test]
fn one_worker_is_an_m_m_1_queue() {
    let study = run("q01_mm1.ron", "\"1200s\"", &[]);
    let queue = &study.variants[0];
    let (arrivals, services) = (80.0, 100.0);
    let mean = 1.0 / (services - arrivals);
    agrees(queue, "latency.mean", mean);
    // The sojourn is exponential, so its quantiles are known too.
    agrees(queue, "latency.p50", mean * 2_f64.ln());
    agrees(queue, "latency.p99", mean * 100_f64.ln());
    agrees(queue, "saturation.utilisation", arrivals / services);
}

/// The probability of waiting for one of `workers` at `load` erlangs (Erlang's C formula), by the
/// recursion for his B formula.
fn erlang_c(workers: u32, load: f64) -> f64 {
    let mut blocked = 1.0;
    for servers in 1..=workers {
        blocked = load * blocked / (f64::from(servers) + load * blocked);
    }
    let utilisation = load / f64::from(workers);
    blocked / (1.0 - utilisation * (1.0 - blocked))
}

#[test]
fn ten_workers_are_an_m_m_c_queue() {
    let study = run("q03_erlang_c.ron", "\"12000s\"", &["10 at 80 %"]);
    let (workers, arrivals, service) = (10, 8.0, 1.0);
    let load = arrivals * service;
    let wait = erlang_c(workers, load) * service / (f64::from(workers) - load);
    agrees(&study.variants[0], "latency.mean", service + wait);
    agrees(&study.variants[0], "saturation.utilisation", load / f64::from(workers));
}

#[test]
fn a_worker_whose_times_vary_is_an_m_g_1_queue() {
    let study = run("q09_mg1.ron", "\"1100s\"", &["constant", "lognormal"]);
    let (arrivals, service) = (70.0, 0.010);
    let utilisation = arrivals * service;
    for (variant, cv) in study.variants.iter().zip([0.0, 2.0]) {
        // Pollaczek and Khinchine.
        let wait = utilisation * service * (1.0 + cv * cv) / (2.0 * (1.0 - utilisation));
        agrees(variant, "latency.mean", service + wait);
        agrees(variant, "saturation.utilisation", utilisation);
    }
}

/// A server under Poisson load, ten seeds of it.
fn served(rate: &str, load: &str, machine: &str, cost: &str) -> VariantStudy {
    let text = format!(
        r#"Scenario(
            title: "A queue",
            run: (warmup: "100s", load: "{load}", quiet: "0s"),
            network: (latency: "0s"),
            nodes: {{
                "users": Client(target: "server", operation: "serve", load: Poisson(rate: "{rate}")),
                "server": Service(machine: ({machine}), operations: {{"serve": (cost: {cost})}}),
            }},
        )"#
    );
    of_text(&text)
}

/// The first variant of the scenario in this text.
fn of_text(text: &str) -> VariantStudy {
    let scenario = load(&Source::new("queue.ron", text)).expect("the scenario can be read");
    let plan = Plan { seeds: SEEDS.collect(), variants: vec![], jobs: 0 };
    study(&scenario, &plan, &Silent).variants.remove(0)
}

/// Theory lies within the interval of what is read from the server in each run.
fn server_agrees(variant: &VariantStudy, read: fn(&NodeUse) -> f64, theory: f64) {
    let server = |run: &Outcome| run.nodes.iter().find(|node| node.name == "server").map(read);
    let values: Vec<f64> = variant.runs.iter().filter_map(server).collect();
    let estimate = Estimate::of(&values).expect("there are runs");
    let half_width = estimate.half_width.expect("there are several runs");
    let found = format!("{} ±{half_width}, theory {theory}", estimate.mean);
    assert!((estimate.mean - theory).abs() <= half_width, "{found}");
    assert!(half_width < 0.1 * theory, "too wide to mean anything: {found}");
}

const EXPONENTIAL: &str = r#"Exponential(mean: "1s")"#;
const LOGNORMAL: &str = r#"LogNormal(mean: "1s", cv: 2)"#;

#[test]
fn ten_workers_without_a_queue_lose_what_erlang_b_says_whatever_the_times() {
    for cost in [EXPONENTIAL, LOGNORMAL, r#""1s""#] {
        let bulkhead = served("8/s", "2000s", "workers: 10, queue_max: 0", cost);
        agrees(&bulkhead, "availability.other", 0.12166);
    }
}

#[test]
fn a_short_queue_under_overload_is_an_m_m_1_k_queue() {
    let cost = r#"Exponential(mean: "10ms")"#;
    let queue = served("120/s", "1100s", "workers: 1, queue_max: 9", cost);
    agrees(&queue, "availability.other", 0.19259);
    agrees(&queue, "throughput.goodput", 96.89);
    agrees(&queue, "latency.mean", 0.069261);
}

#[test]
fn under_processor_sharing_only_the_mean_of_the_work_counts() {
    for cost in [r#""1s""#, EXPONENTIAL, LOGNORMAL] {
        let machine = "workers: 1, discipline: ProcessorSharing()";
        let shared = served("0.7/s", "40000s", machine, cost);
        agrees(&shared, "latency.mean", 1.0 / 0.3);
        agrees(&shared, "saturation.utilisation", 0.7);
    }
}

/// Two nodes on one host, each under half of the load.
fn neighbours(rate: &str, cores: u32, machine: &str, cost: &str) -> VariantStudy {
    of_text(&format!(
        r#"Scenario(
            title: "Neighbours",
            run: (warmup: "1000s", load: "200000s", quiet: "0s"),
            network: (latency: "0s", hosts: [
                (name: "host", nodes: ["left", "right"], cores: {cores}),
            ]),
            nodes: {{
                "users": Client(target: "left", operation: "go", load: Poisson(rate: "{rate}")),
                "others": Client(target: "right", operation: "go", load: Poisson(rate: "{rate}")),
                "left": Service(machine: ({machine}), operations: {{"go": (cost: {cost})}}),
                "right": Service(machine: ({machine}), operations: {{"go": (cost: {cost})}}),
            }},
        )"#
    ))
}

#[test]
fn neighbours_that_contend_for_cores_are_one_shared_processor() {
    // Coupled processors, each at half of its speed while both work: together they end at one rate
    // while there is anything to do, so the number of both is that of an M/M/1 queue.
    for machine in ["workers: 1", "workers: 1, discipline: ProcessorSharing()", ""] {
        let coupled = neighbours("0.35/s", 1, machine, EXPONENTIAL);
        agrees(&coupled, "latency.mean", 1.0 / 0.3);
    }
    // With a worker for each request it is processor sharing: only the mean of the work counts.
    let shared = neighbours("0.35/s", 1, "", r#""1s""#);
    agrees(&shared, "latency.mean", 1.0 / 0.3);
    // On four cores the number is that of an M/M/4 queue, whoever is worked on how fast.
    let four = neighbours("1.6/s", 4, "", EXPONENTIAL);
    agrees(&four, "latency.mean", 1.0 + erlang_c(4, 3.2) / 0.8);
    // And where there are enough, each is alone.
    let enough = neighbours("0.35/s", 2, "workers: 1", EXPONENTIAL);
    agrees(&enough, "latency.mean", 1.0 / 0.65);
}

#[test]
fn without_a_limit_the_mean_number_at_work_is_rate_times_time() {
    let unlimited = served("80/s", "600s", "", r#"LogNormal(mean: "250ms", cv: 1.5)"#);
    server_agrees(&unlimited, |server| server.working_mean, 20.0);
}

#[test]
fn a_deadline_in_the_queue_is_barrers_m_m_1_d() {
    for (rate, deadline, dropped) in [("0.9/s", "5s", 0.10731), ("1.3/s", "3s", 0.30387)] {
        let machine = format!("workers: 1, queue_timeout: \"{deadline}\"");
        let queue = served(rate, "20000s", &machine, EXPONENTIAL);
        agrees(&queue, "availability.other", dropped);
    }
}

#[test]
fn impatient_requests_are_an_erlang_a_queue() {
    let machine = r#"workers: 10, queue_timeout: Exponential(mean: "2s")"#;
    let queue = served("12/s", "4000s", machine, EXPONENTIAL);
    agrees(&queue, "availability.other", 0.19566);
    server_agrees(&queue, |server| server.queue_mean / 12.0, 0.39131);
}

#[test]
fn batches_make_a_longer_queue_than_single_requests() {
    let text = r#"Scenario(
        title: "Batches of five",
        run: (warmup: "1000s", load: "60000s", quiet: "0s"),
        network: (latency: "0s"),
        nodes: {
            "users": Client(target: "batch", operation: "go", load: Poisson(rate: "0.12/s")),
            "batch": Service(operations: {"go": (cost: "0s", mode: Parallel, calls: [
                (to: "server", operation: "serve"), (to: "server", operation: "serve"),
                (to: "server", operation: "serve"), (to: "server", operation: "serve"),
                (to: "server", operation: "serve"),
            ])}),
            "server": Service(machine: (workers: 1), operations: {"serve": (
                cost: Exponential(mean: "1s"),
            )}),
        },
    )"#;
    // Little: the mean sojourn of 7.5 s is the mean number there over 0.6 a second.
    let there = |server: &NodeUse| (server.working_mean + server.queue_mean) / 0.6;
    server_agrees(&of_text(text), there, 7.5);
}

#[test]
fn a_lock_is_what_limits_threads_that_share_it() {
    // Machine repairman: 9 ms in parallel, 1 ms under the lock.
    for (threads, each_ms) in [(1, 0.1), (5, 0.47509), (10, 0.83204), (20, 0.99938), (60, 1.0)] {
        let text = format!(
            r#"Scenario(
                title: "A lock",
                run: (warmup: "10s", load: "110s", quiet: "1s"),
                network: (latency: "0s"),
                nodes: {{
                    "threads": Client(target: "server", operation: "step", load: Closed(users: {threads})),
                    "server": Service(operations: {{"step": (
                        cost: Exponential(mean: "9ms"),
                        critical: (lock: "counter", cost: Exponential(mean: "1ms")),
                    )}}),
                }},
            )"#
        );
        agrees(&of_text(&text), "throughput.goodput", each_ms * 1_000.0);
    }
}

#[test]
fn requests_that_come_back_are_a_jackson_network() {
    let text = r#"Scenario(
        title: "Feedback",
        run: (warmup: "20s", load: "400s", quiet: "1s"),
        network: (latency: "0s"),
        nodes: {
            "users": Client(target: "gateway", operation: "go", load: Poisson(rate: "50/s")),
            "gateway": Service(machine: (workers: 1), operations: {"go": (
                cost: Exponential(mean: "5ms"), calls: [(to: "server", operation: "go")],
            )}),
            "server": Service(machine: (workers: 2), operations: {"go": (
                cost: Exponential(mean: "25ms"),
                calls: [(to: "database", operation: "go", share: "60 %")],
            )}),
            "database": Service(machine: (workers: 1), operations: {"go": (
                cost: Exponential(rate: "90/s"),
                calls: [(to: "server", operation: "go", share: "25 %")],
            )}),
        },
    )"#;
    let network = of_text(text);
    agrees(&network, "latency.mean", 0.0836);
    server_agrees(&network, |server| server.utilisation.unwrap_or(0.0), 0.73529);
}

/// Two classes with Poisson arrivals and exponential work, the first one before the other.
fn prioritised(preemptive: bool, high: (&str, &str), low: (&str, &str)) -> VariantStudy {
    let client = |name: &str, rate: &str, priority: u8| {
        format!(
            r#""{name}": Client(target: "server", operation: "{name}", load: Poisson(rate: "{rate}"),
                classes: [(name: "{name} class", priority: {priority})]),"#
        )
    };
    let (important, other) = (client("high", high.0, 0), client("low", low.0, 1));
    of_text(&format!(
        r#"Scenario(
            title: "Two priorities",
            run: (warmup: "1000s", load: "120000s", quiet: "100s"),
            network: (latency: "0s"),
            nodes: {{
                {important}
                {other}
                "server": Service(
                    machine: (workers: 1, discipline: Priority(preemptive: {preemptive})),
                    operations: {{
                        "high": (cost: Exponential(mean: "{}")),
                        "low": (cost: Exponential(mean: "{}")),
                    }},
                ),
            }},
        )"#,
        high.1, low.1
    ))
}

#[test]
fn priorities_wait_as_cobham_says_and_less_with_preemption() {
    let polite = prioritised(false, ("0.3/s", "1s"), ("0.4/s", "1s"));
    agrees(&polite, "latency.mean/high", 2.0);
    agrees(&polite, "latency.mean/low", 4.3333);
    let rude = prioritised(true, ("0.4/s", "500ms"), ("0.3/s", "1500ms"));
    agrees(&rude, "latency.mean/high", 0.625);
    agrees(&rude, "latency.mean/low", 4.6429);
}

/// Poisson reads of one key through a cache whose entries live for 10 s.
fn cached(store: &str, single_flight: bool) -> VariantStudy {
    of_text(&format!(
        r#"Scenario(
            title: "One key",
            run: (warmup: "0s", load: "20000s", quiet: "1s"),
            network: (latency: "0s"),
            nodes: {{
                "users": Client(target: "shop", operation: "read", load: Poisson(rate: "5/s")),
                "shop": Service(operations: {{"read": (
                    cost: "0s", reads: [(from: "cache", table: "articles", keys: 1)],
                )}}),
                "cache": Cache(store: "db", cost: "0s", ttl: "10s", single_flight: {single_flight}),
                "db": Store(cost: "{store}", tables: [(name: "articles", rows: 1)]),
            }},
        )"#
    ))
}

#[test]
fn a_cache_hits_and_stampedes_as_often_as_poisson_reads_say() {
    agrees(&cached("0s", false), "cost.hits", 0.98039);
    // One, and those who come in the 0.4 s until it lands.
    agrees(&cached("400ms", false), "cost.fetches", 3.0);
    let single = cached("400ms", true);
    assert_eq!(values(&single, "cost.fetches"), [1.0; 10]);
}
