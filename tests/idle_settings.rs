//! A setting of messaging that could have no effect is refused, at the field that says it.

mod common;

use common::refused::{complaint, refused};
use stormglass::scenario::{load, source::Source};

/// Queues, topics and a log in which everything fits.
const SYSTEM: &str = r#"Scenario(
    title: "All fits",
    run: (load: "30s", quiet: "25s"),
    nodes: {
        "user": Client(target: "post", operation: "mail", load: Poisson(rate: "10/s"), classes: [
            (name: "vip"),
        ]),
        "post": Broker(
            queues: {
                "mail": (visibility: "5s", deliveries_max: 3, dead: (to: "dead"), late_acks: true),
                "dead": (),
                "pushed": (persistence: Mirrored, consumers: [(to: "shop", operation: "do")]),
            },
            topics: {"placed": ()},
            subscriptions: {"bills": (topics: "placed", queue: (consumers: [(to: "shop", operation: "do")]))},
            mirrors: ["mirror"],
        ),
        "mirror": Broker(),
        "reader": Consumer(from: "post", queue: "mail", to: "shop", operation: "do"),
        "shop": Service(operations: {"do": ()}),
        "writer": Client(target: "producer", operation: "orders", load: Constant(rate: "10/s")),
        "producer": Producer(to: "kafka"),
        "kafka": Instances(of: LogBroker(controller: "lead", topics: {"orders": (partitions: 3)}), count: 3),
        "lead": LogController(),
        "lone": LogBroker(controller: "chief", topics: {"notes": ()}),
        "chief": LogController(),
        "member": GroupConsumer(
            from: "kafka", group: "billing", topics: ["orders"], to: "shop", operation: "do",
        ),
    },
    invariants: {
        "billed": GroupAtLeastOnce(brokers: "kafka", group: "billing"),
        "kept": LogKept(brokers: "kafka", topic: "orders"),
    },
    measures: {"own": Ratio(Machine(node: "shop", what: Jobs), Requests(that: Began, of: "user"))},
    expect: [(metric: "latency.p99", max: "1s")],
    variants: [(name: "one"), (name: "two")],
)"#;

#[test]
fn what_fits_is_accepted() {
    assert_eq!(complaint(SYSTEM, "All fits", "All fits"), Ok(()));
}

#[test]
fn the_field_is_marked_that_is_written() {
    refused(
        SYSTEM,
        r#"
        group: "billing", topics -> session: "2s", group: "billing", topics | shorter than the `session` | "2s"
        group: "billing", topics -> heartbeat: "45s", group: "billing", topics | shorter than the `session` | "45s"
        group: "billing", topics -> session: "2s", heartbeat: "2s", group: "billing", topics | shorter than the `session` | "2s", group
    "#,
    );
    let alone = SYSTEM.replace("mirrors: [\"mirror\"],", "").replace("persistence: Mirrored, ", "");
    refused(
        &alone,
        r#"
        (visibility: "5s", -> (persistence: Mirrored, visibility: "5s", | needs `mirrors` | Mirrored
        (visibility: "5s", -> (preset: RabbitMqQuorum, visibility: "5s", | needs `mirrors` | RabbitMqQuorum
        "placed", queue: (c -> "placed", queue: (persistence: Mirrored, c | needs `mirrors` | Mirrored
    "#,
    );
}

#[test]
fn partitions_are_of_a_cluster_and_not_of_one_of_its_brokers() {
    refused(
        SYSTEM,
        r#"
        from: "kafka" -> from: "kafka/1" | the address of all is `kafka` | "kafka/1"
        Producer(to: "kafka") -> Producer(to: "kafka/2") | the address of all is `kafka` | "kafka/2"
        brokers: "kafka", group -> brokers: "kafka/3", group | the address of all is `kafka` | "kafka/3"
        brokers: "kafka", topic -> brokers: "kafka/3", topic | the address of all is `kafka` | "kafka/3"
        from: "kafka" -> from: "post" | `post` is a Broker and has no topics | "post"
        topics: ["orders"] -> topics: ["order"] | did you mean `orders`? | "order"
    "#,
    );
}

#[test]
fn a_measure_is_wrong_where_its_part_is() {
    refused(
        SYSTEM,
        r#"
        of: "user") -> of: "usr") | did you mean `user`? | "usr"
        Machine(node: "shop", what: Jobs) -> Machine(node: "user", what: Jobs) | has no machine | "user"
        Machine(node: "shop", what: Jobs) -> Sum([Number(1), Waited(node: "user")]) | has no machine | "user"
        Machine(node: "shop", what: Jobs) -> Spread(address: "shop", stat: Max) | has no instances | "shop"
        Machine(node: "shop", what: Jobs) -> Metric("latency.p98") | did you mean `latency.p9 | "latency.p98"
        Machine(node: "shop", what: Jobs) -> Metric("latency.p99/usr") | did you mean `user`? | "latency.p99/usr"
        Machine(node: "shop", what: Jobs) -> Facts(what: "queue.acepted") | did you mean `queue.accepted`? | "queue.acepted"
        Machine(node: "shop", what: Jobs) -> Between(from: "queue.accepted", to: "queue.ded") | did you mean `queue.dead`? | "queue.ded"
        Machine(node: "shop", what: Jobs) -> Moment(what: "queue.accepted", nth: 0) | counts from 1 | 0
        Machine(node: "shop", what: Jobs) -> PerSecond(Latency()) | has no rate | Latency()
        Machine(node: "shop", what: Jobs) -> PerSecond(Machine(node: "shop", what: Working)) | has no rate | Machine
        Machine(node: "shop", what: Jobs) -> PerSecond(Sum([Number(1), InFlight()])) | has no rate | Sum
    "#,
    );
    for fine in
        ["PerSecond(Facts(what: \"queue.dead\"))", "PerSecond(Metric(\"consistency.dead\"))"]
    {
        assert_eq!(
            complaint(SYSTEM, "Machine(node: \"shop\", what: Jobs)", fine),
            Ok(()),
            "{fine}"
        );
    }
}

#[test]
fn a_bound_is_negative_where_it_is_one_of_a_difference() {
    refused(
        SYSTEM,
        r#"
        max: "1s" -> max: "-1ms" | say `versus` which | "-1ms"
        max: "1s" -> min: "-1ms", max: "1s" | never less than nothing | "-1ms"
        "latency.p99", max: "1s" -> "cost.retries", max: -1 | never less than nothing | -1
        max: "1s" -> max: "-5 parsecs", versus: "one" | is not a time span | "-5 parsecs"
        max: "1s" -> min: "-1ms", max: "-2ms", versus: "one" | at least `min` and at most | "-2ms"
        max: "1s" -> max: "-3 %", versus: "one" | it wants a time span | "-3 %"
    "#,
    );
    for (metric, bound) in [
        ("latency.p99", "\"-1ms\""),
        ("availability.success", "\"-3 %\""),
        ("availability.success", "-0.03"),
        ("throughput.goodput", "\"-2/s\""),
        ("cost.retries", "-2"),
    ] {
        let fine = format!("\"{metric}\", variant: \"two\", versus: \"one\", min: {bound}");
        assert_eq!(complaint(SYSTEM, "\"latency.p99\", max: \"1s\"", &fine), Ok(()), "{fine}");
    }
    let own = SYSTEM.replace("\"latency.p99\", max: \"1s\"", "\"own\", min: -3");
    let told = complaint(&own, "min: -3", "min: -3").expect_err("a ratio of counts");
    assert!(told.contains("never less than nothing"), "{told}");
    let difference = "\"own\": Difference(Number(1.0), ";
    let (from, ends) = ("\"own\": Ratio(", "Requests(that: Began, of: \"user\"))");
    let own = own.replace(from, &format!("{difference}Ratio(")).replace(ends, &format!("{ends})"));
    assert_eq!(complaint(&own, "min: -3", "min: -3"), Ok(()));
}

#[test]
fn late_acknowledgements_count_where_somebody_can_be_late() {
    refused(
        SYSTEM,
        r#"
        "dead": (), -> "dead": (late_acks: true), | so that nobody could be late | true
        operation: "do")]), -> operation: "do")], late_acks: true), | only a Consumer can | true
        operation: "do")]))} -> operation: "do")], late_acks: true))} | only a Consumer can | true
        visibility: "5s" -> visibility: "60s" | for so long that anybody could be late | true
        late_acks: true -> late_acks: true, guarantee: AtMostOnce, | has no `deliveries_max` | 3
        deliveries_max: 3, dead: (to: "dead"), -> guarantee: AtMostOnce, | has left when its time is over | true
    "#,
    );
    // It is enough that in one variant somebody can be.
    let text = SYSTEM.replace("(name: \"one\")", "(name: \"one\", without: [\"reader\"])");
    assert_eq!(complaint(&text, "All fits", "All fits"), Ok(()));
    let text = text.replace("(name: \"two\")", "(name: \"two\", without: [\"reader\"])");
    assert!(complaint(&text, "All fits", "All fits").is_err_and(|it| it.contains("could be late")));
}

#[test]
fn what_would_happen_when_all_is_over_is_refused() {
    refused(
        SYSTEM,
        r#"
        dead: (to: "dead") -> dead: (to: "dead", redrive: ["10s", "55s"]) | the run is over at 55 s | "55s"
        (topics: "placed", -> (topics: "placed", from: "60s", | the run ends after 55 s | "60s"
        (topics: "placed", -> (topics: "placed", until: "2min", | the run ends after 55 s | "2min"
        (topics: "placed", queue: (c -> (topics: "placed", queue: (deliveries_max: 2, dead: (to: "dead", redrive: ["2min"]), c | the run ends | "2min"
        group: "billing", topics -> seek: [(at: "1h", to: Earliest)], group: "billing", topics | the run ends after | "1h"
        Constant(rate: "10/s") -> Constant(rate: "10/s", first: "30s") | the load ends after 30 s | "30s"
        Constant(rate: "10/s") -> Constant(rate: "10/s"), start: "30s" | the load ends after 30 s | "30s"
        Constant(rate: "10/s") -> Constant(rate: "10/s"), stop: "40s" | the load ends after 30 s | "40s"
        Constant(rate: "10/s") -> Constant(rate: "10/s", first: "11s"), start: "20s" | the load ends after 30 s | "11s"
        Constant(rate: "10/s") -> Constant(rate: Step(from: "10/s", to: "20/s", at: "31s")) | the load ends after 30 s | "31s"
        Constant(rate: "10/s") -> Poisson(rate: Points(points: [("0s", "1/s"), ("30s", "5/s"), ("40s", "5/s")])) | the load ends after 30 s | "40s"
        Constant(rate: "10/s") -> Poisson(rate: Points(points: [("0s", "1/s"), ("30s", "5/s")], between: Steps)) | the load ends after 30 s | "30s"
        Constant(rate: "10/s") -> At(["1s", "30s"]) | the load ends after 30 s | "30s"
        Constant(rate: "10/s") -> Closed(users: 3, ramp_up: "45s") | the load ends after 30 s | "45s"
    "#,
    );
    let (from, log) = ("Constant(rate: \"10/s\")", "topics: [\"orders\"]");
    for (right, fine) in [
        (from, "Closed(users: 3, ramp_up: \"44s\")"),
        (from, "Poisson(rate: Points(points: [(\"0s\", \"1/s\"), (\"40s\", \"5/s\")]))"),
        (from, "Constant(rate: \"10/s\", first: \"9s\"), start: \"20s\""),
        (log, "topics: [\"orders\"], seek: [(at: \"54s\", to: Earliest)]"),
        ("topics: \"placed\"", "topics: \"placed\", from: \"40s\", until: \"50s\""),
    ] {
        assert_eq!(complaint(SYSTEM, right, fine), Ok(()), "{fine}");
    }
    // It is enough that it happens in one of the variants.
    let longer = "topics: [\"orders\"], seek: [(at: \"52s\", to: Earliest)]";
    let text =
        SYSTEM.replace("(name: \"two\")", "(name: \"two\", set: {\"run.quiet\": \"\\\"20s\\\"\"})");
    assert_eq!(complaint(&text, log, longer), Ok(()));
    let never = "topics: [\"orders\"], seek: [(at: \"55s\", to: Earliest)]";
    let told = complaint(&text, log, never).expect_err("both are too short");
    assert!(told.contains("the run is over at 55 s"), "{told}");
}

#[test]
fn a_queue_says_what_can_happen_to_its_messages() {
    refused(
        SYSTEM,
        r#"
        late_acks: true -> redelivery: (base: "1s") | a Consumer refuses if it `releases` | (base
        deliveries_max: 3, dead: (to: "dead") -> order: Priority | all requests have the same priority | Priority
        late_acks: true -> order: Fifo, in_flight_max: 1 | with a consumer at a time | 1
        "mail", to: "shop" -> "mail", extend_every: "5s", to: "shop" | shorter than the `visibility` | "5s"
        "mail", to: "shop" -> "mail", batch: 3, concurrency: 2, to: "shop" | at most `concurrency`, 2 | 3
        "mail", to: "shop" -> "mail", telling: (backoff: (base: "1s")), to: "shop" | without `retries` | (base
    "#,
    );
    let refusing = SYSTEM.replace("late_acks: true", "redelivery: (base: \"1s\")");
    let released = complaint(&refusing, "\"mail\", to:", "\"mail\", releases: true, to:");
    assert_eq!(released, Ok(()));
    let set = |path: &str, value: &str| format!("set: {{\"{path}\": \"{value}\"}}");
    let lonely = SYSTEM.replace("persistence: Mirrored, ", "");
    let told = complaint(&lonely, "All fits", "All fits").expect_err("they keep nothing");
    assert!(told.contains("mirrors have nothing to keep"), "{told}");
    // What one of the variants needs is there for all.
    for path in ["nodes.post.queues.mail.persistence", "nodes.post.queues.pushed.persistence"] {
        let two = format!("(name: \"two\", {})", set(path, "Mirrored"));
        assert_eq!(complaint(&lonely, "(name: \"two\")", &two), Ok(()), "{path}");
    }
}

#[test]
fn a_log_says_what_can_happen_to_its_records() {
    refused(
        SYSTEM,
        r#"
        partitions: 3 -> partitions: 3, cleanup: Compact, retention: (time: "1h") | with `Delete` only | "1h"
        partitions: 3 -> partitions: 3, cleanup: Compact, retention: (size: "1GB") | with `Delete` only | "1GB"
        partitions: 3 -> partitions: 3, replicas: 1, unclean: true | that could lead | true
        "notes": () -> "notes": (min_isr: 2) | there are fewer brokers | 2
        topics: ["orders"] -> topics: ["orders"], failures: (tries: 1, backoff: (base: "1s")) | tried only once | (base
        topics: ["orders"] -> topics: ["orders"], failures: (backoff: (growth: Fixed, multiplier: "3x")) | grows exponentially | "3x"
        to: "kafka") -> to: "kafka", retry_backoff: (jitter: Decorrelated, growth: Linear)) | depends on the one before | Linear
    "#,
    );
    // What one sees on purpose: too many readers, and replicas that nobody waits for.
    let leader = SYSTEM.replace("Producer(to: \"kafka\")", "Producer(to: \"kafka\", acks: Leader)");
    assert_eq!(complaint(&leader, "partitions: 3", "partitions: 3, min_isr: 2"), Ok(()));
    for fine in ["concurrency: 4", "failures: (tries: 2, backoff: (base: \"1s\"))"] {
        let fine = format!("topics: [\"orders\"], {fine}");
        assert_eq!(complaint(SYSTEM, "topics: [\"orders\"]", &fine), Ok(()), "{fine}");
    }
}

#[test]
fn what_was_published_is_told_of_a_case_only() {
    let published = "max: \"1s\", published: \"about a second\"";
    let told = complaint(SYSTEM, "max: \"1s\"", published).expect_err("nobody tells it");
    assert!(told.contains("say what it `validates`"), "{told}");
    let case = SYSTEM.replace("run: (", "validates: (id: \"X01\", source: \"a book\"), run: (");
    assert_eq!(complaint(&case, "max: \"1s\"", published), Ok(()));
}

#[test]
fn who_tries_another_value_need_not_take_out_what_that_makes_void() {
    let text = SYSTEM.replace(
        "to: \"shop\", operation: \"do\",\n        ),",
        "to: \"shop\", operation: \"do\",\n            policy: (retries: 2, backoff: (base: \"20ms\")),\n        ),",
    );
    let path = ("nodes.member.policy.retries", "0");
    assert!(complaint(&text, "retries: 2", "retries: 0").is_err(), "it is in the file itself");
    let tried = Source::new("fits.ron", &text).set(path.0, path.1).expect("it can be set");
    assert!(load(&tried).is_ok());
    let short = Source::new("fits.ron", SYSTEM).set("run.load", "15s").expect("it can be set");
    let late =
        SYSTEM.replace("Constant(rate: \"10/s\")", "Constant(rate: \"10/s\"), stop: \"20s\"");
    assert!(load(&short).is_ok());
    assert!(
        load(&Source::new("fits.ron", &late).set("run.load", "15s").expect("so can this")).is_ok()
    );
}

#[test]
fn with_and_without_retries_are_two_variants() {
    let text = SYSTEM.replace(
        "to: \"shop\", operation: \"do\",\n        ),",
        "to: \"shop\", operation: \"do\",\n            policy: (retries: 2, budget: (by: Share(deposit: \"5 %\"))),\n        ),",
    );
    let without = "(name: \"two\", set: {\"nodes.member.policy.retries\": \"0\"})";
    assert_eq!(complaint(&text, "(name: \"two\")", without), Ok(()));
    let told = complaint(&text, "retries: 2", "retries: 0").expect_err("in none of them");
    assert!(told.contains("without `retries`"), "{told}");
}
