//! What is accepted by its type and means nothing is refused, at the field that says it.

mod common;

use common::refused;
use stormglass::check::outcome::Outcome;
use stormglass::engine::{Span, Time};
use stormglass::explore::{Plan, Silent, simulate, study};
use stormglass::report;
use stormglass::scenario::{diagnose, load, source::Source};

/// A system in which everything fits.
const SYSTEM: &str = r#"Scenario(
    title: "All fits",
    run: (load: "30s", quiet: "30s"),
    network: (latency: "1ms", bandwidth: "1Gbit/s", queue: (size: "64KiB")),
    nodes: {
        "user": Client(target: "shop", load: Poisson(rate: "10/s"), classes: [
            (name: "a", operation: "buy"),
        ]),
        "shop": Service(
            operations: {"buy": (
                reads: [(from: "cache", table: "articles")],
                calls: [(to: "pool", operation: "serve", policy: (
                    fallback: (to: Other(to: "spare", operation: "serve")),
                    hedge: (after: Fixed("10ms"), max: 2),
                    breaker: (open_for: "1s", rate: "50 %", window: Time("10s")),
                ))],
                transfer: (from: "purses", to: "till"), // of the shop
            )},
            store: "bank", // of the shop
        ),
        "spare": Service(operations: {"serve": ()}),
        "pool": Instances(
            of: Service(
                machine: (workers: 2, limit: Gradient(window: "1s")),
                operations: {"serve": ()},
            ),
            count: 8,
            health: (every: "5s"),
            autoscaler: (target: "60 %", every: "15s"),
        ),
        "cache": Cache(store: "bank", ttl: "10s", refresh: Ahead(before: "1s")),
        "bank": Store(
            accounts: [(name: "purses", balance: 1000)],
            tables: [(name: "articles", rows: 10)],
        ),
        "other": Store(),
        "locks": LockService(),
        "holder": LeaseHolder(
            locks: "locks", lock: "ledger", store: "bank", transfer: (from: "purses", to: "till"),
        ),
        "saga": Saga(steps: [(service: "shop", action: "buy", compensation: "buy")]),
        "patient": Client(target: "saga", operation: "trip", load: Gaps("1s")),
    },
    faults: {
        "f": (what: Pause(node: "shop"), at: "5s", for: "1s"),
    },
    budgets: [(nodes: ["bank", "other"], keep: 1)],
    swarm: (share: "50 %", only: ["Pause", "Loss"], without: ["Loss"], nodes: ["shop"]),
)"#;

/// What is said about the system with one thing changed.
fn complaint(from: &str, to: &str) -> Result<(), String> {
    refused::complaint(SYSTEM, from, to)
}

fn refused(cases: &str) {
    refused::refused(SYSTEM, cases);
}

#[test]
fn what_fits_is_accepted() {
    assert_eq!(complaint("All fits", "All fits"), Ok(()));
    let single = r#"Partition(links: Halves(["pool"]))"#;
    assert_eq!(complaint(PAUSE, single), Ok(()), "an address stands for several");
    for fine in ["swarm: true", "swarm: false", "swarm: ()", "swarm: (count: (0, 1))"] {
        assert_eq!(complaint(SWARM, fine), Ok(()), "{fine}");
    }
}

#[test]
fn nothing_happens_without_end() {
    refused(
        r#"
        health: (every: "5s") -> health: (every: "1ns") | too often | "1ns"
        every: "15s" -> every: "1ns" | at least 1 ms | "1ns"
        Gaps("1s") -> Gaps("0s") | no time to pass | Gaps
        max: 2 -> max: 1000000 | at most 100 copies | 1000000
        window: Time("10s") -> window: Time("0s") | no time is empty | Time
        Gradient(window: "1s") -> Gradient(window: "0s") | too often | "0s"
        at: "5s", for: "1s" -> at: "5s", for: "0s", every: "1ns" | too often | "1ns"
        at: "5s", for: "1s" -> mttf: "10ns" | too often | "10ns"
    "#,
    );
    befalls(
        r#"
        Failures(node: "pool", mttf: "1ns", mttr: "1s") | `mttf` of 1 ns | "1ns"
        Failures(node: "pool", mttf: "1s", mttr: "0s") | `mttr` of 0 s | "0s"
        Attrition(node: "pool", keep: 1, every: "1us", down: "1s") | too often | "1us"
        ClockStrobe(node: "shop", by: "1s", period: "1us") | too often | "1us"
    "#,
    );
}

const PAUSE: &str = r#"Pause(node: "shop")"#;

/// The same of what is instead of a pause.
fn befalls(cases: &str) {
    let cases = cases.trim().lines().map(|case| format!("{PAUSE} -> {}\n", case.trim()));
    refused(&cases.collect::<String>());
}

#[test]
fn whoever_is_asked_can_answer() {
    refused(
        r#"
        Cache(store: "bank" -> Cache(store: "cache" | read from itself | "cache"
        Cache(store: "bank" -> Cache(store: "user" | is a Client and has no rows | "user"
        Cache(store: "bank" -> Cache(store: "shop" | is a Service and has no rows | "shop"
        "other": Store() -> "other": Cache(store: "more"), "more": Cache(store: "other") | read from itself | "more"
        from: "cache", table -> from: "locks", table | has no rows to read | "locks"
        table: "articles") -> table: "articels") | did you mean `articles`? | "articels"
        Client(target: "shop" -> Client(target: "bank" | is a Store and has no operations | (name:
        (name: "a", operation: "buy") -> (name: "a", operation: "buuy") | did you mean `buy`? | "buuy"
        to: "pool", operation: "serve" -> to: "pool", operation: "sreve" | `pool` has no operation `sreve` | "sreve"
        to: "spare", operation: "serve" -> to: "spare", operation: "sreve" | did you mean `serve`? | "sreve"
        store: "bank", // -> store: "cache", // | commits no transactions | "cache"
        (from: "purses", to: "till"), // -> (from: "prses", to: "till"), // | no account `prses` | (
        locks: "locks" -> locks: "bank" | grants no leases | "bank"
        action: "buy" -> action: "book" | `shop` has no operation `book` | "book"
        compensation: "buy" -> compensation: "cancel" | no operation `cancel` | "cancel"
    "#,
    );
}

#[test]
fn a_fault_befalls_what_there_is() {
    befalls(
        r#"
        Errors(node: "shop", operation: "buu", rate: "1 %") | did you mean `buy`? | "buu"
        Errors(node: "saga", operation: "trap", rate: "1 %") | did you mean `trip`? | "trap"
        Errors(node: "bank", operation: "comit", rate: "1 %") | did you mean `commit`? | "comit"
        Errors(node: "user", rate: "1 %") | no operations that could fail | "user"
        Crash(node: "pool", some: 0) | 0 instances are not possible | 0
        Crash(node: "pool", some: 99) | from 1 to 8 | 99
        Crash(node: "shop", some: 1) | no instances to choose from | 1
        Attrition(node: "pool", keep: 100, every: "1s", down: "1s") | from 0 to 7 | 100
        RollingRestart(node: "pool", unavailable: 99) | from 1 to 8 | 99
        Partition(links: Between(["shop"], ["shop"])) | no link to itself | Between
        Partition(links: Halves(["shop"])) | at least 2 nodes | Halves
        Partition(links: MajorityRing(["shop"])) | at least 4 nodes | MajorityRing
        Partition(links: AroundZone("eu")) | no zone is called `eu` | AroundZone
        DiskFull(node: "shop") | `shop` has no log | "shop"
        TornWrite(node: "cache") | `cache` has no log | "cache"
        Slow(node: "shop", factor: "2x", operation: "buu") | did you mean `buy`? | "buu"
        Slow(node: "bank", factor: "2x", operation: "raed") | did you mean `read`? | "raed"
        Slow(node: "user", factor: "2x", operation: "buy") | no operations that could be slow | "user"
        Slow(node: "other", factor: "2x", caller: "user") | `user` never asks `other` anything | "user"
        HostDown(host: "h") | the network names no host | "h"
        RollingRestart(node: "pool", unavailable: 0) | none may be away | 0
        RollingRestart(node: "pool", surge: 1) | at most 0 | 1
        RollingRestart(node: "pool", ready_within: "0s") | nothing serves at once | "0s"
        RollingRestart(node: "pool", rollback: true) | nothing to go back to | true
    "#,
    );
    refused(r#"["bank", "other"], keep -> ["bank", "user"], keep | `user` holds no copy | "user""#);
}

#[test]
fn a_slow_down_is_about_requests_of_somebody_there() {
    let text = SYSTEM
        .replacen(PAUSE, r#"Slow(node: "shop", factor: "2x", caller: "patient")"#, 1)
        .replacen("swarm:", r#"variants: [(name: "few", without: ["patient"])], swarm:"#, 1);
    let source = Source::new("fits.ron", text);
    let problems = load(&source).expect_err("the caller is missing");
    let complaint = diagnose::render(&problems, Some(&source), false);
    assert!(complaint.contains("requests of `patient`, which few does not have"), "{complaint}");
}

#[test]
fn hosts_and_what_is_between_zones_are_told_at_their_fields() {
    let cases = r#"
        hosts: [(name: "h", nodes: ["shop"]), (name: "i", nodes: ["shop"])] | on two hosts, `h` and `i` | ["shop"])], latency
        hosts: [(name: "h", nodes: ["shop"]), (name: "h", nodes: [])] | two hosts are called `h` | "h", nodes: [])
        hosts: [(name: "h", nodes: ["shop"], cores: 0)] | without a core | 0
        zones: [(name: "a", nodes: ["shop"]), (name: "b", nodes: ["bank"])], hosts: [(name: "h", nodes: ["bank", "shop"])] | several zones, `a` and `b` | ["bank", "shop"]
        zones: [(name: "a", nodes: [])], zone_links: [(from: "a", to: "a", bursts: (enter: "0 %", leave: "1 %"))] | no burst ever begins | "0 %"
    "#;
    let cases = cases.trim().lines().map(|case| {
        let (network, rest) = case.trim().split_once(" | ").expect("what is wrong with it");
        format!("network: (latency -> network: ({network}, latency | {rest}\n")
    });
    refused(&cases.collect::<String>());
}

#[test]
fn who_is_turned_away_and_who_comes_first_is_told_at_its_field() {
    refused(
        r#"
        (workers: 2, limit -> (workers: 2, weights: {"acme": 2}, limit | about the discipline | {"acme"
        (workers: 2, limit -> (workers: 2, discipline: FairQueueing, weights: {"acme": 0}, limit | from 1 to 1,000 | 0}
        (workers: 2, limit -> (workers: 2, discipline: FairQueueing, weights: {"acme": 2}, limit | has a tenant `acme` | 2}
        (workers: 2, limit -> (workers: 2, retry_after: "0s", limit | says nothing | "0s"
        (workers: 2, limit: Gradient(window: "1s")) -> (workers: 2, retry_after: "1s") | needs a bound | "1s"
        store: "bank", // -> machine: (reject_late: true), store: "bank", // | a number of `workers` | (reject_late
        policy: ( -> policy: (retry_after: true, | without `retries` | true
        policy: ( -> policy: (retries: 1, retry_on: [Timeout], retry_after: true, | leaves | true
        count: 8, -> count: 8, next_start: "1s", | about a `next` version | "1s"
    "#,
    );
}

#[test]
fn what_another_setting_makes_void_is_refused() {
    refused(
        r#"
        policy: ( -> policy: (backoff: (base: "1s"), | without `retries` nothing is waited for | (base
        policy: ( -> policy: (balance: (avoid: Tried), | no instance that was tried before | Tried
        policy: ( -> policy: (retries: 1, deadline: "2s", retry_for: "2s", | no try begins after | "2s",
        policy: ( -> policy: (retries: 1, backoff: (growth: Linear, multiplier: "3x"), | grows exponentially | "3x"
        policy: ( -> policy: (retries: 1, backoff: (base: "1s", growth: Linear, jitter: Decorrelated), | one before it | Linear
        hedge: (after: Fixed("10ms"), max: 2) -> timeout: "10ms", hedge: (after: Fixed("10ms")) | shorter than the `timeout` | Fixed
        hedge: (after: Fixed("10ms"), max: 2) -> deadline: "9ms", hedge: (after: Fixed("10ms")) | shorter than the `deadline` | Fixed
        rate: "50 %", window -> failures: 3, window | neither `rate` nor `slow` | Time
        rate: "50 %", window: Time("10s") -> failures: 3, calls_min: 20 | neither `rate` nor `slow` | 20
        ttl: "10s" -> ttl: "10s", eviction: Fifo | never full | Fifo
        store: "bank", // -> store: "bank", retention: "0s", // | recognises nothing | "0s"
        "spare": Service( -> "spare": Service(retention: "1s", | only operations with a `transfer` | "1s"
        "spare": Service( -> "spare": Service(store_policy: (timeout: "1s"), | there is no `store` | (timeout
        reads: [(from -> mode: Parallel, reads: [(from | none are made at once | Parallel
        (name: "a", operation: "buy") -> (name: "a", operation: "buy", weight: 3) | there is no other class | 3
        "user": Client(target: "shop", -> "user": Client(target: "shop", operation: "buy", | each of the classes has `operation` | "buy"
        count: 8, -> count: 2, zones: ["x", "y", "z"], | at most 2, one for each | [
        compensation: "buy")] -> compensation: "buy")], pivot: 0 | from the pivot on nothing is undone | "buy"
        Saga(steps -> Saga(durable: false, recovery: Forward, steps | nothing after | Forward
        (workers: 2, l -> (workers: 2, discipline: FairQueueing, l | has a tenant | FairQueueing
        (workers: 2, l -> (workers: 2, discipline: Priority(), l | the same priority | Priority
        latency: "1ms", -> latency: "1ms", zones: [(name: "eu", nodes: ["shop"]), (name: "us", nodes: [])], | nobody is in `us` | (name: "us"
        latency: "1ms", -> latency: "1ms", hosts: [(name: "h", nodes: [])], | nobody is in `h` | (name: "h"
        without: ["Loss"] -> without: ["Crash"] | `only` does not name it | "Crash"
    "#,
    );
}

#[test]
fn what_only_one_of_the_variants_makes_count_is_accepted() {
    let text = SYSTEM.replacen("policy: (", "policy: (backoff: (base: \"1s\"), retries: 0,", 1);
    let told = |variants: &str| {
        let variants = format!("variants: [{variants}], swarm:");
        refused::complaint(&text, "swarm:", &variants)
    };
    let path = "nodes.shop.operations.buy.calls[0].policy.retries";
    let tries = format!("(name: \"tries\", set: {{\"{path}\": \"2\"}})");
    assert_eq!(told(&format!("(name: \"once\"), {tries}")), Ok(()));
    let never = told("(name: \"once\"), (name: \"other\")").expect_err("in neither");
    assert!(never.contains("nothing is waited for"), "{never}");
    assert_eq!(never.matches("error").count(), 1, "it is said once: {never}");
}

const SWARM: &str =
    r#"swarm: (share: "50 %", only: ["Pause", "Loss"], without: ["Loss"], nodes: ["shop"])"#;

#[test]
fn swarm_mode_has_something_to_draw() {
    let cases = r#"
        swarm: Nope | on or off, or has bounds | Nope
        swarm: {} | on or off, or has bounds | {}
        swarm: (nodes: []) | nobody whom | []
        swarm: (only: []) | no fault that could be drawn | []
        swarm: (count: (0, 0)) | most is from 1 | (0, 0)
        swarm: (only: ["Loss"], without: ["Loss"]) | no fault that could be drawn | ["Loss"]
        swarm: (only: ["Lost"]) | did you mean `Loss`? | "Lost"
    "#;
    let cases = cases.trim().lines().map(|case| format!("{SWARM} -> {}\n", case.trim()));
    refused(&cases.collect::<String>());
}

#[test]
fn sizes_and_times_leave_room_for_what_they_bound() {
    refused(
        r#"
        size: "64KiB" -> size: "10B" | any message weighs 200 bytes | "10B"
        before: "1s" -> before: "10d" | shorter than the `ttl`, 10 s | "10d"
    "#,
    );
}

#[test]
fn a_variant_can_set_its_phases_and_nothing_that_holds_for_all() {
    let variants = |set: &str| {
        let (text, variants) = (SYSTEM.trim_end().trim_end_matches(')'), "variants");
        let set = format!("set: {{{set}}}");
        let text =
            format!("{text}    {variants}: [(name: \"base\"), (name: \"other\", {set})],\n)");
        let source = Source::new("fits.ron", text.replace(SWARM, "swarm: false"));
        load(&source).map_err(|problems| diagnose::render(&problems, Some(&source), false))
    };
    let longer = variants(r#""run.load": "\"40s\"""#).expect("it can be set");
    let outcomes = longer.variants.iter().map(|variant| simulate(&longer, variant, 1, Time(0)));
    let outcomes: Vec<_> = outcomes.collect();
    let started = |outcome: &Outcome| outcome.flows.iter().map(|flow| flow.started).sum::<u64>();
    assert_eq!(outcomes[1].end - outcomes[0].end, Span::from_seconds(10));
    // Ten and one a second.
    let more = started(&outcomes[1]) - started(&outcomes[0]);
    assert!((70..150).contains(&more), "{more}");
    let plan = Plan { seeds: vec![1], variants: Vec::new(), jobs: 1 };
    let markdown = report::markdown(&study(&longer, &plan, &Silent));
    assert!(markdown.contains("some variants differ in that"), "{markdown}");
    for (field, value) in [("seed", "2"), ("title", "\\\"x\\\""), ("events_max", "5")] {
        let complaint = variants(&format!("\"{field}\": \"{value}\"")).expect_err(field);
        assert!(complaint.contains("is the same for all variants"), "{complaint}");
    }
    let typo = variants(r#""nodes.user.classes[0].operation": "\"bui\"""#).map(|_| ());
    let typo = typo.expect_err("a typo");
    assert!(typo.contains("did you mean `buy`?"), "{typo}");
    assert!(typo.contains("with what the variant `other` sets"), "{typo}");
}
