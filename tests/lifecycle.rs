//! The lives of nodes: how they stop, start, scale, roll, wear and are found out.
//!
//! A user asks an address ten times a second at 0.1 s, 0.2 s and so on; one way takes 1 ms and the
//! work 10 ms, so a request that nothing befalls takes 12 ms. All figures are worked out by hand.

mod common;

use common::{Record, at, measured, ms, run};
use stormglass::scenario::{diagnose, load, source::Source};

/// The system: how long the load lasts, what is said of the instances besides, and the rest.
fn system(load: &str, instances: &str, rest: &str) -> String {
    // A zone is there for who lives in it.
    let zones = match instances.contains("zones: ") {
        true => r#"(name: "a", region: "eu"), (name: "b", region: "eu"), (name: "c")"#,
        false => "",
    };
    format!(
        r#"Scenario(
    title: "Several servers",
    run: (load: "{load}", quiet: "60s"),
    network: (latency: "1ms", zones: [{zones}]),
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

/// Two or more instances of 12 ms whose next version takes 32 ms; a start takes 200 ms.
fn upgraded(instances: &str, roll: &str, times: &str) -> Record {
    let next = "start: \"200ms\", next: Service(machine: (workers: 1), \
                operations: {\"serve\": (cost: \"30ms\")}),";
    let what = fault(&format!("RollingUpgrade(node: \"api\", {roll})"), times);
    run(&system("5s", &format!("{instances} {next}"), &what))
}

/// What happens to rolls, and when, in milliseconds.
fn rolled(record: &Record) -> Vec<(&str, u64)> {
    let ours = record.facts.iter().filter(|fact| fact.what.starts_with("roll."));
    ours.map(|fact| (fact.what.as_str(), fact.at.0 / 1_000_000)).collect()
}

/// Latencies of those who have heard from then on, without repetitions.
fn heard(record: &Record, from: u64) -> Vec<stormglass::engine::Span> {
    let ended = record.of("request.succeeded").into_iter().filter(|fact| fact.at >= at(from));
    let mut all: Vec<_> = ended.map(|fact| stormglass::engine::Span(fact.value as u64)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_surge_starts_the_next_version_before_it_stops_the_old_one() {
    let surge = "unavailable: 0, surge: 1";
    let record = upgraded("count: 2, max: 3,", surge, "at: \"1s\"");
    assert_eq!(whom(&record, "node.restarted"), ["api/3", "api/1", "api/2"]);
    assert_eq!(record.times("node.restarted"), [at(1200), at(1400), at(1600)]);
    assert_eq!(whom(&record, "node.stopped"), ["api/1", "api/2", "api/3"]);
    assert_eq!(record.times("node.stopped")[..2], [at(1200), at(1400)], "never fewer than two");
    assert_eq!(rolled(&record), [("roll.done", 1600)]);
    assert_eq!((heard(&record, 1700), record.told()), (vec![ms(32)], vec![]));
    // The third is there and paid for from its start until it has stopped.
    let (hours, load) = (measured(&record.outcome, "cost.node_hours"), 5.0);
    let extra = (hours - 2.0) * load;
    assert!((extra - 0.6).abs() < 1e-6, "{extra}");
    // After its pause only, and with room for one more at once.
    let slow = upgraded("count: 2, max: 3,", "surge: 1, pause: \"100ms\"", "at: \"1s\"");
    assert_eq!(slow.times("node.stopped")[..2], [at(1000), at(1300)]);
    assert_eq!(rolled(&slow), [("roll.done", 1600)]);
}

#[test]
fn who_is_scaled_out_after_an_upgrade_comes_in_the_next_version() {
    let scaled = |what: &str| {
        let next = "count: 2, max: 4, next: Service(machine: (workers: 1), \
                    operations: {\"serve\": (cost: \"30ms\")}),";
        let faults = format!(
            "faults: {{{what} \"more\": (what: Scale(node: \"api\", to: 4), at: \"2s\")}},"
        );
        heard(&run(&system("4s", next, &faults)), 2500)
    };
    assert_eq!(scaled("\"up\": (what: RollingUpgrade(node: \"api\"), at: \"1s\"),"), [ms(32)]);
    assert_eq!(scaled(""), [ms(12)]);
}

#[test]
fn an_upgrade_whose_instances_do_not_serve_in_time_stops_or_goes_back() {
    let late = "count: 3, next_start: \"1h\",";
    let stops = upgraded(late, "ready_within: \"500ms\"", "at: \"1s\"");
    assert_eq!(rolled(&stops), [("roll.not_ready", 1500)]);
    assert_eq!((whom(&stops, "node.stopped"), heard(&stops, 0)), (vec!["api/1"], vec![ms(12)]));
    assert!(stops.of("node.restarted").is_empty(), "it still starts");
    let back = upgraded(late, "ready_within: \"500ms\", rollback: true", "at: \"1s\"");
    let story = [("roll.not_ready", 1500), ("roll.back", 1500), ("roll.undone", 1700)];
    assert_eq!(rolled(&back), story);
    assert_eq!((whom(&back, "node.restarted"), heard(&back, 0)), (vec!["api/1"], vec![ms(12)]));
    // Who surges is the first that does not serve; nobody is stopped for it.
    let surge = "unavailable: 0, surge: 1, ready_within: \"500ms\", rollback: true";
    let record = upgraded("count: 3, max: 4, next_start: \"1h\",", surge, "at: \"1s\"");
    assert_eq!(rolled(&record)[..2], story[..2]);
    assert!(whom(&record, "node.stopped").iter().all(|node| *node == "api/4"));
    assert_eq!((rolled(&record)[2].0, heard(&record, 0)), ("roll.undone", vec![ms(12)]));
}

#[test]
fn an_upgrade_that_ends_on_a_condition_stays_half_done_or_goes_back() {
    let slow = "at: \"1s\", until: (fact: \"request.succeeded\", nth: 5)";
    let both = upgraded("count: 3,", "pause: \"1s\"", slow);
    assert_eq!((heard(&both, 3000), rolled(&both)), (vec![ms(12), ms(32)], vec![]));
    assert_eq!(whom(&both, "node.stopped"), ["api/1"]);
    let back = upgraded("count: 3,", "pause: \"1s\", rollback: true", slow);
    assert_eq!(whom(&back, "node.stopped"), ["api/1", "api/1"]);
    assert_eq!((heard(&back, 1000), heard(&back, 2000)), (vec![ms(12), ms(32)], vec![ms(12)]));
    assert_eq!(
        rolled(&back).iter().map(|one| one.0).collect::<Vec<_>>(),
        ["roll.back", "roll.undone"]
    );
    // When all are upgraded there is nothing to take back.
    let done = upgraded("count: 2,", "rollback: true", "at: \"1s\", for: \"3s\"");
    assert_eq!(rolled(&done), [("roll.done", 1400)]);
    // It goes back as carefully as it came, but who does not serve does so at once.
    let many = upgraded("count: 4,", "rollback: true", "at: \"1s\", for: \"500ms\"");
    let stopped = ["api/1", "api/2", "api/3", "api/3", "api/1", "api/2"];
    assert_eq!(whom(&many, "node.stopped"), stopped, "the third does not serve when it ends");
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
    let spread = "count: 3, zones: [\"a\", \"b\", \"c\"],";
    refused(spread, &fault("ZoneDown(zone: \"d\")"), "no zone of the network");
    refused(spread, &fault("RegionDown(region: \"ue\")"), "did you mean `eu`?");
    refused("count: 2,", &fault("Scale(node: \"api\", to: 3)"), "from 1 to 2");
    refused("count: 2,", &fault("RollingUpgrade(node: \"api\")"), "nothing to upgrade to");
    refused("count: 2,", &fault("RollingRestart(node: \"api/1\")"), "not about a single node");
    refused("count: 2,", &fault("Stop(node: \"api\", pre_stop: \"40s\")"), "`grace` includes");
    let roll = |what: &str| fault(&format!("RollingRestart(node: \"api\", {what})"));
    refused("count: 2,", &roll("surge: 1"), "at most 0, what the `max` of the instances leaves");
    refused("count: 2,", &roll("unavailable: 0"), "nothing rolls while none may be away");
    refused("count: 2,", &roll("ready_within: \"0s\""), "nothing serves at once");
    refused("count: 2,", &roll("rollback: true"), "nothing to go back to");
    refused("count: 2, next_start: \"1s\",", "", "`next_start` is about a `next` version");
    refused("count: 2, max: 1,", "", "`max` is 1, and there are 2 from the start");
    refused("count: 2, needed: 3,", "", "of 2 instances 3 cannot be `needed`");
    refused("count: 2, next: Store(),", "", "the next version of a Service is no Store");
    let faster = "count: 2, next: Service(machine: (workers: 2), operations: {\"serve\": ()}),";
    refused(faster, "", "runs on the same `machine`");
    refused("count: 2, health: (every: \"0s\"),", "", "`every` of 0 s is too often");
    refused("count: 2, autoscaler: (target: \"50 %\", min: 3),", "", "the autoscaler's `min`");
}

/// The same with hosts and more of the network.
fn on(hosts: &str, text: &str) -> String {
    text.replacen("zones: [", &format!("hosts: [{hosts}], zones: ["), 1)
}

#[test]
fn a_host_goes_with_all_that_is_on_it_and_there_is_only_silence() {
    let down = fault("HostDown(host: \"h\")", "at: \"1s\", for: \"1s\"");
    let hosts = "(name: \"h\", nodes: [\"api/1\", \"api/3\"])";
    let record = run(&on(hosts, &system("3s", "count: 3,", &down)));
    assert_eq!(whom(&record, "node.crashed"), ["api/1", "api/3"]);
    assert_eq!(record.times("node.restarted"), [at(2000), at(2000)]);
    let told = record.times("request.failed");
    assert!(!told.is_empty() && told.iter().all(|when| *when >= at(2000)), "{told:?}");
    assert_eq!(record.outcome.episodes[0].what, "host h down");
}

#[test]
fn what_is_on_one_host_speaks_over_its_loopback_whatever_the_network_is_like() {
    let latencies = |hosts: &str| {
        let mut latencies = run(&on(hosts, &system("2s", "count: 2,", ""))).latencies();
        latencies.sort();
        latencies.dedup();
        latencies
    };
    let (near, far) = (stormglass::engine::Span::from_micros(10_040), ms(12));
    assert_eq!(latencies(""), [far]);
    assert_eq!(latencies("(name: \"h\", nodes: [\"user\", \"api/1\"])"), [near, far]);
    let all = "(name: \"h\", nodes: [\"user\", \"api\"])";
    assert_eq!(latencies(all), [near], "an address is all of its instances");
    let poor = "], loss: \"50 %\", bandwidth: \"10kbit/s\", corruption: \"10 %\", \
                cards: [(nodes: [\"user\", \"api\"], up: \"10kbit/s\", down: \"10kbit/s\")";
    assert_eq!(latencies(&format!("{all}{poor}")), [near], "none of it is on the way");
    let slow = "], loopback: \"1ms\", links: [(from: \"user\", to: \"api/2\", latency: \"3ms\")";
    assert_eq!(latencies(&format!("{all}{slow}")), [ms(12), ms(16)]);
}

#[test]
fn hosts_that_cannot_be_are_refused() {
    let refused = |hosts: &str, rest: &str, says: &str| {
        let text = on(hosts, &system("3s", "count: 2, zones: [\"a\", \"b\"],", rest));
        let source = Source::new("test.ron", text);
        let problems = load(&source).expect_err("it should be refused");
        let complaint = diagnose::render(&problems, Some(&source), false);
        assert!(complaint.contains(says), "{hosts} {rest}:\n{complaint}");
    };
    let one = "(name: \"rack\", nodes: [\"user\"])";
    let twice = format!("{one}, (name: \"i\", nodes: [\"user\"])");
    refused(&twice, "", "`user` is on two hosts, `rack` and `i`");
    refused(&format!("{one}, (name: \"rack\", nodes: [])"), "", "two hosts are called `rack`");
    refused("(name: \"h\", nodes: [\"api\"])", "", "cannot be in several zones, `a` and `b`");
    refused("(name: \"h\", nodes: [\"user\"], cores: 0)", "", "at least 1 of `cores`");
    let down = fault("HostDown(host: \"rakc\")", "at: \"1s\"");
    refused(one, &down, "did you mean `rack`?");
    refused("", &down, "the network names no host");
    let slow = fault("Slow(node: \"api\", factor: \"2x\", operation: \"serv\")", "at: \"1s\"");
    refused(one, &slow, "did you mean `serve`?");
}

/// Latencies of the requests of two users who read and write what an address calls another for.
fn grey(faults: &[&str]) -> [Vec<u64>; 2] {
    let faults: Vec<String> = faults
        .iter()
        .enumerate()
        .map(|(place, what)| format!("\"{place}\": (what: Slow({what}), at: \"0s\")"))
        .collect();
    let record = run(&format!(
        r#"Scenario(
    title: "Grey failures",
    run: (load: "1s", quiet: "1s"),
    network: (latency: "1ms"),
    nodes: {{
        "reader": Client(target: "db", operation: "read", load: Constant(rate: "10/s")),
        "writer": Client(target: "api", operation: "serve", load: Constant(rate: "10/s")),
        "api": Instances(of: Service(operations: {{
            "serve": (cost: "0s", calls: [(to: "db", operation: "write")]),
        }}), count: 2),
        "db": Service(operations: {{"read": (cost: "10ms"), "write": (cost: "4ms", then: "6ms")}}),
    }},
    faults: {{{}}},
)"#,
        faults.join(", ")
    ));
    ["reader", "writer"].map(|node| {
        let ended = record.of("request.succeeded");
        let ours = ended.iter().filter(|fact| fact.node == node);
        let mut latencies: Vec<u64> = ours.map(|fact| fact.value as u64 / 1_000_000).collect();
        latencies.sort_unstable();
        latencies.dedup();
        latencies
    })
}

#[test]
fn a_grey_failure_befalls_one_operation_or_one_caller_and_multiplies_with_others() {
    assert_eq!(grey(&[]), [vec![12], vec![14]]);
    let writes = r#"node: "db", factor: "3x", operation: "write""#;
    assert_eq!(grey(&[writes]), [vec![12], vec![34]]);
    assert_eq!(grey(&[r#"node: "db", factor: "3x", caller: "reader""#]), [vec![32], vec![14]]);
    let address = r#"node: "db", factor: "3x", caller: "api""#;
    assert_eq!(grey(&[address]), [vec![12], vec![34]], "any of its instances");
    let one = r#"node: "db", factor: "3x", caller: "api/2""#;
    assert_eq!(grey(&[one]), [vec![12], vec![14, 34]]);
    let nobody = r#"node: "db", factor: "3x", operation: "write", caller: "reader""#;
    assert_eq!(grey(&[nobody]), [vec![12], vec![14]], "both must fit");
    let all = r#"node: "db", factor: "2x""#;
    assert_eq!(grey(&[writes, all]), [vec![22], vec![64]]);
    assert_eq!(grey(&[writes, address]), [vec![12], vec![94]]);
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
