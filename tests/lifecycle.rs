//! The lives of nodes: how they stop, start, scale, roll, wear and are found out.
//!
//! A user asks an address ten times a second at 0.1 s, 0.2 s and so on; one way takes 1 ms and the
//! work 10 ms, so a request that nothing befalls takes 12 ms. All figures are worked out by hand.

mod common;

use common::{Record, at, measured, ms, run};
use stormglass::scenario::{diagnose, load, source::Source};

/// The system: how long the load lasts, what is said of the instances besides, and the rest.
fn system(load: &str, instances: &str, rest: &str) -> String {
    format!(
        r#"Scenario(
    title: "Several servers",
    run: (load: "{load}", quiet: "60s"),
    network: (latency: "1ms", zones: [
        (name: "a", region: "eu"), (name: "b", region: "eu"), (name: "c"),
    ]),
    nodes: {{
        "user": Client(target: "api", operation: "serve", load: Constant(rate: "10/s")),
        "api": Instances(
            of: Service(machine: (workers: 1), operations: {{"serve": (cost: "10ms")}}),
            {instances}
        ),
    }},
    {rest}
)"#
    )
}

fn fault(what: &str, times: &str) -> String {
    format!("faults: {{\"f\": (what: {what}, {times})}},")
}

/// Which nodes this happened to, in order.
fn whom<'r>(record: &'r Record, what: &str) -> Vec<&'r str> {
    record.of(what).iter().map(|fact| fact.node.as_str()).collect()
}

/// How many requests came to a node.
fn came(record: &Record, node: &str) -> usize {
    let came = |one: &&common::Passed| !one.is_reply && one.to == node && one.fate == "Arrived";
    record.messages.iter().filter(came).count()
}

#[test]
fn a_graceful_stop_loses_nothing_where_a_crash_does() {
    let slow = "count: 1,";
    // At 1.005 s the request of 1 s is at work.
    let times = "at: \"1005ms\", for: \"500ms\"";
    let stop = run(&system("2s", slow, &fault("Stop(node: \"api/1\")", times)));
    let crash = run(&system("2s", slow, &fault("Crash(node: \"api/1\")", times)));
    assert_eq!(crash.told()[0], "connection reset");
    assert!(!stop.told().contains(&"connection reset"), "{:?}", stop.told());
    // It is looked at every 10 ms, and idle at 1.011 s.
    assert_eq!(stop.times("node.stopped"), [at(1015)]);
    assert_eq!(stop.times("node.restarted"), [at(1505)]);
    assert_eq!((whom(&stop, "node.crashed").len(), crash.told().len()), (0, stop.told().len() + 1));
}

#[test]
fn a_stop_takes_the_node_out_of_its_address_and_waits_no_longer_than_its_grace() {
    let stop = |more: &str| {
        let what = format!("Stop(node: \"api/1\", {more})");
        let text = system("3s", "count: 2,", &fault(&what, "at: \"1050ms\", for: \"1s\""));
        run(&text.replace("cost: \"10ms\"", "cost: \"150ms\""))
    };
    let calm = stop("pre_stop: \"300ms\"");
    assert!(calm.told().is_empty(), "nobody was sent to it: {:?}", calm.told());
    assert_eq!(calm.times("node.stopped"), [at(1350)], "it had nothing to do by then");
    let hasty = stop("grace: \"50ms\"");
    assert_eq!(hasty.times("node.stopped"), [at(1100)]);
    assert_eq!(hasty.told(), ["connection reset"], "one was at work and is lost");
}

#[test]
fn a_zone_goes_with_all_that_is_in_it_and_a_region_with_its_zones() {
    let spread = "count: 6, zones: [\"a\", \"b\", \"c\"],";
    let down = |what: &str| run(&system("3s", spread, &fault(what, "at: \"1s\", for: \"1s\"")));
    let zone = down("ZoneDown(zone: \"b\")");
    assert_eq!(whom(&zone, "node.crashed"), ["api/2", "api/5"]);
    assert_eq!(zone.times("node.restarted"), [at(2000), at(2000)]);
    let told = zone.times("request.failed");
    assert!(told.iter().all(|when| *when >= at(2000)), "there is only silence: {told:?}");
    let region = down("RegionDown(region: \"eu\")");
    assert_eq!(whom(&region, "node.crashed").len(), 4);
}

#[test]
fn some_instances_are_chosen_by_chance() {
    let what = "Crash(node: \"api\", some: 2)";
    let text =
        system("3s", "count: 5,", &fault(what, "at: \"1s\", for: \"100ms\", every: \"200ms\""));
    let record = run(&text);
    let crashed = whom(&record, "node.crashed");
    assert_eq!(crashed.len(), 20, "two at a time, ten times");
    let pairs: std::collections::BTreeSet<&[&str]> = crashed.chunks(2).collect();
    assert!(pairs.len() > 3 && pairs.iter().all(|pair| pair[0] != pair[1]), "{pairs:?}");
}

#[test]
fn a_cold_start_takes_its_time_and_a_warm_up_slows_the_machine() {
    let cold = "count: 1, start: \"500ms\", warm_up: (factor: \"4x\", lasts: \"300ms\"),";
    let times = "at: \"1050ms\", for: \"200ms\"";
    let record = run(&system("3s", cold, &fault("Crash(node: \"api\")", times)));
    assert_eq!(record.times("node.restarted"), [at(1750)], "1.25 s and half a second");
    let slow = record.latencies().iter().filter(|latency| **latency == ms(42)).count();
    assert_eq!(slow, 3, "those of 1.8, 1.9 and 2 s");
}

#[test]
fn a_health_check_takes_out_who_does_not_answer_and_in_who_does_again() {
    let check = "count: 2, health: (every: \"100ms\", unhealthy_after: 2),";
    let what = fault("Crash(node: \"api/1\")", "at: \"950ms\", for: \"1s\"");
    let checked = run(&system("3s", check, &what));
    let blind = run(&system("3s", "count: 2,", &what));
    assert_eq!(blind.told().len(), 5, "every other request of one second");
    assert_eq!(checked.told().len(), 1, "until the second failed look at 1.1 s");
    assert!(came(&checked, "api/1") < came(&blind, "api/1") + 2);
    assert_eq!(blind.outcome.nodes.len(), checked.outcome.nodes.len());
}

#[test]
fn scaling_out_starts_instances_and_scaling_in_stops_them_and_only_those_that_run_cost() {
    let scale = fault("Scale(node: \"api\", to: 4)", "at: \"1s\", for: \"1s\"");
    let record = run(&system("3s", "count: 2, max: 6,", &scale));
    assert_eq!(whom(&record, "node.restarted"), ["api/3", "api/4"]);
    assert_eq!(whom(&record, "node.stopped"), ["api/4", "api/3"]);
    assert!(record.told().is_empty());
    assert!(came(&record, "api/4") >= 2 && came(&record, "api/5") == 0);
    // Two nodes for the load of 3 s, and two more for 1 s of it.
    let hours = measured(&record.outcome, "cost.node_hours");
    assert!((hours - (2.0 + 2.0 / 3.0)).abs() < 2e-3, "{hours}");
    assert_eq!(
        measured(&run(&system("3s", "count: 2, max: 6,", "")).outcome, "cost.node_hours"),
        2.0
    );
}

#[test]
fn a_rolling_restart_stops_one_after_the_other() {
    let what = fault("RollingRestart(node: \"api\", pause: \"100ms\")", "at: \"1s\"");
    let record = run(&system("4s", "count: 3, start: \"200ms\",", &what));
    assert_eq!(whom(&record, "node.stopped"), ["api/1", "api/2", "api/3"]);
    let (stops, starts) = (record.times("node.stopped"), record.times("node.restarted"));
    assert!(starts[0] < stops[1] && starts[1] < stops[2], "{stops:?} {starts:?}");
    assert!(stops[1] - starts[0] >= ms(100));
    assert!(record.told().is_empty(), "{:?}", record.told());
    let two = what.replace("pause: \"100ms\"", "unavailable: 2");
    let record = run(&system("4s", "count: 3, start: \"200ms\",", &two));
    let (stops, starts) = (record.times("node.stopped"), record.times("node.restarted"));
    assert!(stops[1] < starts[0] && starts[0] <= stops[2], "{stops:?} {starts:?}");
}

#[test]
fn an_upgrade_brings_the_next_version_one_instance_at_a_time() {
    let next = "count: 2, next: Service(machine: (workers: 1), \
                operations: {\"serve\": (cost: \"30ms\")}),";
    let what =
        fault("RollingUpgrade(node: \"api\", pause: \"1s\", pre_stop: \"20ms\")", "at: \"1s\"");
    let record = run(&system("4s", next, &what));
    let latencies = record.latencies();
    let new = |from: usize, to: usize| {
        latencies[from..to].iter().filter(|latency| **latency == ms(32)).count()
    };
    assert_eq!(new(0, 9), 0);
    assert!((4..=6).contains(&new(10, 20)), "both are live: {latencies:?}");
    assert_eq!(new(25, 38), 13);
    assert!(record.told().is_empty());
}

#[test]
fn an_autoscaler_follows_the_load_up_at_once_and_down_late() {
    let auto = "count: 1, max: 8, autoscaler: (target: \"50 %\", every: \"1s\", delay: \"0s\", \
                stabilisation: \"5s\"),";
    let text = system("30s", auto, "").replace("cost: \"10ms\"", "cost: \"90ms\"");
    let record = run(&text);
    // Nine tenths of one worker want two instances.
    assert_eq!(whom(&record, "node.restarted"), ["api/2"]);
    assert_eq!(record.times("node.restarted"), [at(2000)], "after the second look");
    // Nobody asks from 5.05 s on; two were wanted until then, and that counts for 5 s more.
    let gone = fault("Crash(node: \"user\")", "at: \"5050ms\", for: \"20s\"");
    let text = system("30s", auto, &gone).replace("cost: \"10ms\"", "cost: \"90ms\"");
    let stop = run(&text).times("node.stopped")[0];
    assert!(stop > at(10_000) && stop < at(13_000), "{stop}");
}

#[test]
fn attrition_keeps_as_many_alive_as_it_says() {
    let what = "Attrition(node: \"api\", keep: 2, every: \"100ms\", down: \"1s\")";
    let record = run(&system("5s", "count: 3,", &fault(what, "at: \"1s\"")));
    let (mut up, mut least) = (3, 3);
    for fact in &record.facts {
        match fact.what.as_str() {
            "node.crashed" => up -= 1,
            "node.restarted" => up += 1,
            _ => {}
        }
        least = least.min(up);
    }
    assert_eq!((least, up), (2, 3));
    assert!(whom(&record, "node.crashed").len() >= 3);
}

#[test]
fn availability_is_what_mean_times_to_failure_and_repair_make_it() {
    // Of each node 0.8; of one of two 1 - 0.2².
    let what =
        "Failures(node: \"api\", mttf: Exponential(mean: \"8s\"), mttr: Exponential(mean: \"2s\"))";
    let calm = |text: String| text.replace("rate: \"10/s\"", "rate: \"0.01/s\"");
    let one = run(&calm(system("100000s", "count: 1,", &fault(what, "at: \"0s\""))));
    let two = run(&calm(system("100000s", "count: 2,", &fault(what, "at: \"0s\""))));
    let both = run(&calm(system("100000s", "count: 2, needed: 2,", &fault(what, "at: \"0s\""))));
    let up = |record: &Record| measured(&record.outcome, "availability.up/api");
    assert!((up(&one) - 0.8).abs() < 0.01, "{}", up(&one));
    assert!((up(&two) - 0.96).abs() < 0.005, "{}", up(&two));
    assert!((up(&both) - 0.64).abs() < 0.01, "{}", up(&both));
    assert_eq!(measured(&run(&system("3s", "count: 2,", "")).outcome, "availability.up"), 1.0);
}

#[test]
fn work_goes_on_after_a_freeze_and_not_after_a_crash() {
    let failures = |freezes: bool| {
        let what = format!(
            "Failures(node: \"api/1\", mttf: \"1005ms\", mttr: \"10s\", freezes: {freezes})"
        );
        run(&system("2s", "count: 1,", &fault(&what, "at: \"0s\"")))
    };
    assert!(failures(true).told().is_empty());
    assert_eq!(failures(false).told()[0], "connection reset");
}

#[test]
fn what_cannot_be_had_is_refused() {
    let refused = |instances: &str, rest: &str, says: &str| {
        let text = system("3s", instances, rest);
        let source = Source::new("test.ron", text);
        let problems = load(&source).expect_err("it should be refused");
        let complaint = diagnose::render(&problems, Some(&source), false);
        assert!(complaint.contains(says), "{instances} {rest}:\n{complaint}");
    };
    let fault = |what: &str| fault(what, "at: \"1s\"");
    refused("count: 2,", &fault("ZoneDown(zone: \"d\")"), "no zone of the network");
    refused("count: 2,", &fault("RegionDown(region: \"ue\")"), "did you mean `eu`?");
    refused("count: 2,", &fault("Scale(node: \"api\", to: 3)"), "from 1 to 2");
    refused("count: 2,", &fault("RollingUpgrade(node: \"api\")"), "nothing to upgrade to");
    refused("count: 2,", &fault("RollingRestart(node: \"api/1\")"), "not about a single node");
    refused("count: 2,", &fault("Stop(node: \"api\", pre_stop: \"40s\")"), "`grace` includes");
    refused("count: 2, max: 1,", "", "`max` is 1, and there are 2 from the start");
    refused("count: 2, needed: 3,", "", "of 2 instances 3 cannot be `needed`");
    refused("count: 2, next: Store(),", "", "the next version of a Service is no Store");
    let faster = "count: 2, next: Service(machine: (workers: 2), operations: {\"serve\": ()}),";
    refused(faster, "", "runs on the same `machine`");
    refused("count: 2, health: (every: \"0s\"),", "", "`every` of 0 s is too often");
    refused("count: 2, autoscaler: (target: \"50 %\", min: 3),", "", "the autoscaler's `min`");
}

#[test]
fn the_quiet_phase_costs_nothing() {
    // A node costs 1 a second, and so does a worker at work.
    let prices = "prices: (node_hour: 3600, cpu_hour: 3600),";
    let outcome = run(&system("10s", "count: 1,", prices)).outcome;
    // 99 requests, at work for 10 ms each, and 10 s of one node.
    let expected = (10.0 + 99.0 * 0.010) / 99.0 * 1e3;
    let money = measured(&outcome, "cost.money");
    assert!((money - expected).abs() < 1e-9, "{money} {expected}");
}
