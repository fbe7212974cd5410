//! Several nodes behind one address: who is called, what a fault of an address befalls, and how
//! they are counted.
//!
//! A user asks an address ten times a second, one way takes 1 ms and the work 10 ms, so a request
//! that nothing befalls takes 12 ms, to the nanosecond: an address is no stop on the way.

mod common;

use common::{Record, at, measured, ms, run, scenario, variant};
use stormglass::scenario::topology::Topology;
use stormglass::scenario::{diagnose, load, source::Source};

fn text(instances: &str, rest: &str) -> String {
    // A zone is there for who lives in it.
    let west = if instances.contains("west") { r#"(name: "west", nodes: [])"# } else { "" };
    format!(
        r#"Scenario(
    title: "Several servers",
    run: (load: "3s", quiet: "60s"),
    network: (latency: "1ms", zones: [(name: "east", nodes: ["user"]), {west}]),
    nodes: {{
        "user": Client(target: "api", operation: "serve", load: Constant(rate: "10/s")),
        "api": Instances(of: Service(operations: {{"serve": (cost: "10ms")}}), {instances}),
    }},
    {rest}
)"#
    )
}

/// The instances to which requests came, in order.
fn asked(record: &Record) -> Vec<&str> {
    let came = record.messages.iter().filter(|one| !one.is_reply && one.fate == "Arrived");
    came.map(|one| one.to.as_str()).filter(|to| *to != "user").collect()
}

fn complaint(text: &str) -> String {
    let source = Source::new("test.ron", text);
    let problems = load(&source).expect_err("it should be refused");
    diagnose::render(&problems, Some(&source), false)
}

#[test]
fn each_instance_is_called_in_turn_and_the_address_takes_no_time() {
    let record = run(&text("count: 3", ""));
    assert_eq!(asked(&record)[..4], ["api/1", "api/2", "api/3", "api/1"]);
    assert!(record.latencies().iter().all(|latency| *latency == ms(12)));
    assert_eq!(record.outcome.nodes.len(), 4, "three instances and the user");
}

#[test]
fn a_fault_of_one_instance_befalls_it_alone_and_one_of_the_address_all() {
    let crash = |node: &str| {
        format!("faults: {{\"f\": (what: Crash(node: \"{node}\"), at: \"1s\", for: \"1s\")}},")
    };
    let one = run(&text("count: 2", &crash("api/2")));
    let crashed: Vec<&str> = one.of("node.crashed").iter().map(|fact| &fact.node[..]).collect();
    assert_eq!(crashed, ["api/2"]);
    assert_eq!(one.told().len(), 5, "every other request of one second");
    let all = run(&text("count: 2", &crash("api")));
    let crashed: Vec<&str> = all.of("node.crashed").iter().map(|fact| &fact.node[..]).collect();
    assert_eq!(crashed, ["api/1", "api/2"]);
    assert!(all.told().len() >= 10, "{:?}", all.told());
    assert_eq!(all.times("node.restarted"), [at(2000), at(2000)]);
}

#[test]
fn links_of_an_address_are_those_of_its_instances() {
    for links in ["Around(\"api\")", "Between([\"user\"], [\"api\"])", "Around(\"api/1\")"] {
        let rest = format!(
            "faults: {{\"cut\": (what: Partition(links: {links}), at: \"1s\", for: \"500ms\")}},"
        );
        let record = run(&text("count: 2", &rest));
        let late = record.latencies().iter().filter(|latency| **latency > ms(100)).count();
        let few = if links.contains('1') { 2..=4 } else { 4..=7 };
        assert!(few.contains(&late), "{links}: {late}");
    }
}

#[test]
fn how_many_there_are_may_differ_between_variants() {
    let rest = "variants: [(name: \"two\"), (name: \"four\", set: {\"nodes.api.count\": \"4\"})],";
    let scenario = scenario(&text("count: 2, zones: [\"east\", \"west\"]", rest));
    assert_eq!(scenario.names, ["api", "api/1", "api/2", "api/3", "api/4", "user"]);
    let has = |name: &str| variant(&scenario, name).nodes.iter().flatten().count();
    assert_eq!((has("two"), has("four")), (3, 5));
    let zones = &variant(&scenario, "four").network.zones;
    let names = |zone: usize| {
        let names = zones[zone].nodes.iter().map(|id| scenario.node(*id));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["user", "api/1", "api/3"]);
    assert_eq!(names(1), ["api/2", "api/4"]);
}

#[test]
fn a_single_node_has_the_same_luck_whether_others_are_beside_it_or_not() {
    let gaps = text("count: 1", "").replace("Constant", "Poisson");
    let more = text("count: 3", "").replace("Constant", "Poisson");
    assert_eq!(run(&gaps).times("request.started"), run(&more).times("request.started"));
}

#[test]
fn instances_are_one_place_of_the_topology_and_no_single_point_of_failure() {
    let topology = |count: u32| {
        let scenario = scenario(&text(&format!("count: {count}"), ""));
        Topology::of(&scenario, &scenario.variants[0])
    };
    let hundred = topology(100);
    assert_eq!((hundred.nodes(), hundred.edges(), hundred.instances()), (2, 1, 101));
    assert!(hundred.single_points().is_empty());
    assert_eq!(topology(1).single_points().len(), 1, "one instance is as good as none beside it");
    let outcome = run(&text("count: 100", "")).outcome;
    assert_eq!(measured(&outcome, "complexity.nodes"), 1.0);
    assert_eq!(measured(&outcome, "cost.node_hours"), 100.0);
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    let cases = [
        ("count: 0", "", "`count` is from 1 to 10000"),
        ("count: 2, zones: [\"est\"]", "", "did you mean `east`?"),
        (
            "count: 2",
            "faults: {\"f\": (what: Crash(node: \"api/3\"), at: \"1s\")},",
            "no node is called `api/3`",
        ),
        (
            "count: 2",
            "invariants: {\"i\": Once(accounts: [(store: \"api\", account: \"a\")])},",
            "`api` stands for several nodes",
        ),
        (
            "count: 2",
            "variants: [(name: \"none\", set: {\"nodes.api.count\": \"0\"})],",
            "`count` is from 1 to 10000",
        ),
        (
            "count: 3",
            "faults: {\"f\": (what: Crash(node: \"api/3\"), at: \"1s\")}, \
             variants: [(name: \"two\", set: {\"nodes.api.count\": \"2\"})],",
            "which two does not have",
        ),
    ];
    for (instances, rest, says) in cases {
        let complaint = complaint(&text(instances, rest));
        assert!(complaint.contains(says), "{instances} {rest}:\n{complaint}");
    }
    let nested =
        text("count: 2", "").replace("of: Service(", "of: Instances(count: 2, of: Service(");
    let nested = nested.replace("(cost: \"10ms\")})", "(cost: \"10ms\")}))");
    assert!(complaint(&nested).contains("instances of instances"), "{nested}");
}
