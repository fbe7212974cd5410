//! How things are written, one example for each.
//!
//! An example in a doc comment, in a fence marked `ron`, goes before these. A test reads each of
//! them as what it is an example of. A part without an example is shown in that of what it is in.

/// The example of `name`, which is a choice of `of` or, where that is empty, stands for itself.
pub(super) fn of(name: &str, of: &str) -> Option<&'static str> {
    let known = EXAMPLES.iter().find(|(known, family, _)| *known == name && *family == of);
    known.map(|(.., text)| *text)
}

/// A name, what it is a choice of, and the example.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    ("Scenario", "", super::super::source::MINIMAL_SCENARIO),
    ("Phases", "", r#"(warmup: "5s", load: "60s", quiet: "30s")"#),
    (
        "Prices",
        "",
        r#"(currency: "EUR", node_hour: 0.05, cpu_hour: 0.04, gibibyte: 0.01, million_writes: 0.2)"#,
    ),
    ("Expectation", "", r#"(metric: "latency.p99", max: "250ms", variant: "saga")"#),
    ("AccountRef", "", r#"(store: "bank", account: "till")"#),
    (
        "Variation",
        "",
        r#"(
    name: "two workers",
    about: "The same, on smaller machines.",
    set: {"nodes.bank.machine.workers": "2"},
)"#,
    ),
    (
        "Client",
        "",
        r#"Client(
    target: "shop",
    operation: "buy",
    load: Poisson(rate: "50/s"),
    policy: (timeout: "2s"),
)"#,
    ),
    (
        "Service",
        "",
        r#"Service(
    machine: (workers: 4, queue_max: 100),
    operations: {
        "buy": (
            cost: Exponential(mean: "5ms"),
            calls: [(to: "bank", operation: "pay", policy: (timeout: "300ms", retries: 2))],
        ),
    },
)"#,
    ),
    (
        "Store",
        "",
        r#"Store(
    cost: "200us",
    disk: (sync: "1ms"),
    accounts: [(name: "stock", balance: 1000), (name: "sold", balance: 0)],
)"#,
    ),
    (
        "Saga",
        "",
        r#"Saga(
    steps: [
        (service: "shop", action: "reserve", compensation: "release", policy: (timeout: "300ms")),
        (service: "bank", action: "pay", policy: (timeout: "300ms")),
    ],
    pivot: 1,
)"#,
    ),
    (
        "Policy",
        "",
        r#"(
    timeout: "300ms",
    retries: 2,
    backoff: (base: "50ms"),
    breaker: (failures: 5, open_for: "2s"),
)"#,
    ),
    ("Backoff", "", r#"(base: "50ms", max: "2s", jitter: Equal)"#),
    ("Breaker", "", r#"(failures: 5, open_for: "2s")"#),
    ("Machine", "", r#"(workers: 4, queue_max: 100, discipline: Lifo)"#),
    ("Disk", "", r#"(sync: LogNormal(median: "1ms", p99: "20ms"))"#),
    ("Operation", "", r#"(cost: "5ms", refuses: "1 %", transfer: (from: "purses", to: "till"))"#),
    ("Call", "", r#"(to: "bank", operation: "pay", policy: (timeout: "300ms"))"#),
    ("Transfer", "", r#"(from: "stock", to: "sold", amount: 1)"#),
    ("Account", "", r#"(name: "stock", balance: 1000)"#),
    (
        "Network",
        "",
        r#"(
    latency: LogNormal(median: "250us", p99: "2ms"),
    loss: "0.01 %",
    zones: [(name: "a", nodes: ["shop"]), (name: "b", nodes: ["bank"])],
    between_zones: "1ms",
)"#,
    ),
    ("Zone", "", r#"(name: "a", nodes: ["shop", "bank"])"#),
    ("Link", "", r#"(from: "shop", to: "bank", latency: "40ms", loss: "0.1 %")"#),
    ("Fault", "", r#"(what: Crash(node: "shop"), at: "20s", for: "5s", every: "30s")"#),
    ("Crash", "Injection", r#"(what: Crash(node: "shop"), at: "20s", for: "5s")"#),
    ("Pause", "Injection", r#"(what: Pause(node: "shop"), at: "20s", for: "800ms", every: "10s")"#),
    ("Slow", "Injection", r#"(what: Slow(node: "shop", factor: 5), at: "20s", for: "10s")"#),
    (
        "Errors",
        "Injection",
        r#"(what: Errors(node: "shop", operation: "buy", rate: "20 %"), at: "20s", for: "10s")"#,
    ),
    (
        "Latency",
        "Injection",
        r#"(
    what: Latency(links: Around("bank"), add: Exponential(mean: "50ms")),
    at: "20s",
    for: "10s",
)"#,
    ),
    (
        "Loss",
        "Injection",
        r#"(what: Loss(links: Between(["shop"], ["bank"]), rate: "2 %"), at: "20s", for: "10s")"#,
    ),
    (
        "Partition",
        "Injection",
        r#"(what: Partition(links: Between(["shop"], ["bank"])), at: "20s", for: "5s")"#,
    ),
    ("All", "Targets", "All"),
    ("Around", "Targets", r#"Around("bank")"#),
    ("Between", "Targets", r#"Between(["shop"], ["bank"])"#),
    ("OneWay", "Targets", r#"OneWay(["shop"], ["bank"])"#),
    ("Poisson", "Load", r#"Poisson(rate: "50/s")"#),
    ("Constant", "Load", r#"Constant(rate: "50/s")"#),
    ("Gaps", "Load", r#"Gaps(Uniform(min: "10ms", max: "30ms"))"#),
    ("Closed", "Load", r#"Closed(users: 20, think: Exponential(mean: "1s"))"#),
    (
        "Atomic",
        "Invariant",
        r#"Atomic(accounts: [(store: "shop", account: "sold"), (store: "bank", account: "till")])"#,
    ),
    ("Once", "Invariant", r#"Once(accounts: [(store: "bank", account: "till")])"#),
    (
        "Conserved",
        "Invariant",
        r#"Conserved(accounts: [(store: "shop", account: "stock"), (store: "shop", account: "sold")])"#,
    ),
    (
        "Truthful",
        "Invariant",
        r#"Truthful(accounts: [(store: "shop", account: "sold"), (store: "bank", account: "till")])"#,
    ),
    ("Settled", "Invariant", r#"Settled(node: "shop")"#),
    ("Constant", "Distribution", r#""5ms""#),
    ("Uniform", "Distribution", r#"Uniform(min: "1ms", max: "9ms")"#),
    ("Exponential", "Distribution", r#"Exponential(mean: "10ms")"#),
    ("Erlang", "Distribution", r#"Erlang(k: 3, mean: "10ms")"#),
    ("Gamma", "Distribution", r#"Gamma(mean: "10ms", cv: 0.5)"#),
    ("LogNormal", "Distribution", r#"LogNormal(median: "5ms", p99: "40ms")"#),
    ("Normal", "Distribution", r#"Normal(mean: "10ms", deviation: "2ms")"#),
    ("Weibull", "Distribution", r#"Weibull(mean: "10ms", shape: 0.7)"#),
    ("Pareto", "Distribution", r#"Pareto(min: "1ms", alpha: 2.5)"#),
    ("HyperExponential", "Distribution", r#"HyperExponential(mean: "10ms", cv: 3)"#),
    (
        "Mixture",
        "Distribution",
        r#"Mixture([
    (weight: 0.9, dist: "1ms"),
    (weight: 0.1, dist: Exponential(mean: "50ms")),
])"#,
    ),
    ("Empirical", "Distribution", r#"Empirical(values: ["1ms", "2ms", "7ms"])"#),
    ("Shifted", "Distribution", r#"Shifted(by: "1ms", dist: Exponential(mean: "2ms"))"#),
    ("Truncated", "Distribution", r#"Truncated(max: "50ms", dist: Exponential(mean: "10ms"))"#),
];
