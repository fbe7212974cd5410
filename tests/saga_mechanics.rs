//! The mechanics of the saga, one by one, each on a trip of three bookings that can be checked by
//! hand.
//!
//! The names of the tests carry the ids of the mechanics. One customer books once, one second after
//! the start; every way of a message takes 1 ms and every operation 5 ms, so a step of hotel,
//! airline or car with its commit takes about 10 ms.

mod common;

use common::{Record, at, ms, run};

/// The trip. `SAGA` stands in the coordinator, `FIRST`, `SECOND` and `LAST` in the book operations,
/// `LAST_UNDO` in the last cancellation, `REST` after the nodes.
const TRIP: &str = r#"Scenario(
    title: "A trip",
    run: (load: "1500ms", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "customer": Client(target: "trip", operation: "book", load: Constant(rate: "1/s"), value: (7, 7)),
        "trip": Saga(
            steps: [
                (service: "hotel", action: "book", compensation: "cancel", policy: (timeout: "100ms")),
                (service: "airline", action: "book", compensation: "cancel", policy: (timeout: "100ms")),
                (service: "car", action: "book", compensation: "cancel", policy: (timeout: "100ms"LAST_POLICY)),
            ],
            persistence: (attempts: 10, backoff: (base: "100ms", max: "1s", jitter: None)),
            SAGA
        ),
        "hotel": Service(store: "hotel-db", operations: {
            "book": (cost: "5ms", transfer: (from: "rooms", to: "guests") FIRST),
            "cancel": (cost: "5ms", undoes: "book"),
        }),
        "airline": Service(store: "airline-db", operations: {
            "book": (cost: "5ms", transfer: (from: "seats", to: "flyers") SECOND),
            "cancel": (cost: "5ms", undoes: "book"),
        }),
        "car": Service(store: "car-db", operations: {
            "book": (cost: "5ms", transfer: (from: "cars", to: "drivers") LAST),
            "cancel": (cost: "5ms", undoes: "book"),
        }),
        "hotel-db": Store(accounts: [(name: "rooms", balance: 100), (name: "guests", balance: 0)]),
        "airline-db": Store(accounts: [(name: "seats", balance: 100), (name: "flyers", balance: 0)]),
        "car-db": Store(accounts: [(name: "cars", balance: 100), (name: "drivers", balance: 0)]),
    },
    invariants: {
        "atomic": Atomic(accounts: [(store: "hotel-db", account: "guests"), (store: "airline-db", account: "flyers"), (store: "car-db", account: "drivers")]),
        "once": Once(accounts: [(store: "hotel-db", account: "guests"), (store: "airline-db", account: "flyers"), (store: "car-db", account: "drivers")]),
        "truth": Truthful(accounts: [(store: "hotel-db", account: "guests"), (store: "airline-db", account: "flyers"), (store: "car-db", account: "drivers")]),
        "settled": Settled(node: "trip"),
    },
    REST
)"#;

/// The trip with these words in their places.
fn text(words: &[(&str, &str)]) -> String {
    // The longest first: `LAST` is the beginning of others.
    let places = ["LAST_POLICY", "LAST", "FIRST", "SECOND", "SAGA", "REST"];
    places.iter().fold(TRIP.to_owned(), |text, place| {
        let word = words.iter().find(|(known, _)| known == place).map_or("", |(_, word)| word);
        text.replace(place, word)
    })
}

fn trip(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// The same with the pivot in this place: from there on no step has a compensation.
fn pivoted(pivot: usize, words: &[(&str, &str)]) -> Record {
    let saga = format!("pivot: {pivot},");
    let text = text(&[words, &[("SAGA", saga.as_str())]].concat());
    let (back, last) = ("compensation: \"cancel\", ", 2);
    let without = (pivot..=last).fold(text, |text, _| {
        let at = text.rfind(back).expect("each step has one");
        text[..at].to_owned() + &text[at + back.len()..]
    });
    run(&without)
}

fn sound(record: &Record) {
    for invariant in ["requests-accounted", "atomic", "once", "truth", "settled"] {
        let found = record.finding(invariant);
        assert_eq!(found.violations, 0, "{invariant}: {:?}", found.first);
    }
}

fn booked(record: &Record) -> [i64; 3] {
    ["guests", "flyers", "drivers"].map(|account| record.sum(account))
}

const SAGA: &[&str] = &["saga."];

#[test]
fn sg_m1_a_business_request_starts_a_saga_over_several_services() {
    let record = trip(&[]);
    let began = record.of("saga.began");
    let started = record.of("request.started");
    assert_eq!((began.len(), began[0].node.as_str(), began[0].at), (1, "trip", at(1001)));
    assert_eq!((began[0].key, began[0].root), (started[0].key, started[0].root));
    assert_eq!(began[0].value, 7, "the amount is the request's");
    assert_eq!(booked(&record), [7, 7, 7], "all three services have changed");
    sound(&record);
}

#[test]
fn sg_m2_each_step_is_one_local_transaction_that_is_whole_or_not_at_all() {
    let record = trip(&[]);
    for (gone, come) in [("rooms", "guests"), ("seats", "flyers"), ("cars", "drivers")] {
        assert_eq!(record.times(gone), record.times(come), "{gone} and {come} change at once");
        assert_eq!((record.values(gone), record.values(come)), (vec![-7], vec![7]));
    }
    // Fewer cars than asked for: the transaction leaves no trace, not even of the idempotency key.
    let text = text(&[]).replace("(name: \"cars\", balance: 100)", "(name: \"cars\", balance: 6)");
    let refused = run(&text);
    assert_eq!((refused.sum("cars"), refused.sum("drivers")), (0, 0));
    assert!(refused.facts.iter().all(|fact| fact.node != "car-db"));
    sound(&refused);
}

#[test]
fn sg_m3_each_step_answers_with_success_or_failure() {
    let done = trip(&[]);
    let failed = trip(&[("LAST", ", refuses: \"100 %\"")]);
    let answer = |record: &Record| -> Vec<String> {
        let ours = record.messages.iter().filter(|one| {
            one.is_reply && one.fate == "Arrived" && one.from == "car" && one.to == "trip"
        });
        ours.map(|one| one.body.clone()).collect()
    };
    assert_eq!(answer(&done), ["Ok(Done { value: 7 })"]);
    assert_eq!(answer(&failed), ["Err(Refused)"]);
    assert_eq!(failed.told(), ["refused"], "the reason reaches the client");
}

#[test]
fn sg_m4_the_coordinator_triggers_the_next_step_when_the_last_is_done() {
    let record = trip(&[]);
    let services = ["hotel", "airline", "car"];
    let done = record.times("saga.step-done");
    assert_eq!(record.values("saga.step-done"), [0, 1, 2]);
    for (place, service) in services.iter().enumerate() {
        let asked = record.passed("trip", service, false, "Sent");
        assert_eq!(asked.len(), 1);
        // Half a millisecond for the log, which is written before anything is built on it.
        let before = if place == 0 { at(1001) } else { done[place - 1] };
        assert_eq!(asked[0], before + ms(1) / 2, "{service}");
        for other in services.iter().filter(|other| *other != service) {
            assert!(record.passed(service, other, false, "Sent").is_empty(), "orchestrated");
        }
    }
}

#[test]
fn sg_m5_if_all_steps_succeed_the_saga_completes() {
    let record = trip(&[]);
    let told = ["began 7", "step-done 0", "step-done 1", "step-done 2", "completed 7"];
    assert_eq!(record.story(SAGA), told.map(|word| format!("trip saga.{word}")));
    assert_eq!(record.of("request.succeeded").len(), 1);
    sound(&record);
}

#[test]
fn sg_m6_compensations_run_in_reverse_order() {
    let record = trip(&[("LAST", ", refuses: \"100 %\"")]);
    let story = record.story(&["saga.", "guests", "flyers", "drivers"]);
    let told = [
        "trip saga.began 7",
        "hotel-db guests 7",
        "trip saga.step-done 0",
        "airline-db flyers 7",
        "trip saga.step-done 1",
        "trip saga.turned-back 2",
        "airline-db flyers -7",
        "trip saga.step-undone 1",
        "hotel-db guests -7",
        "trip saga.step-undone 0",
        "trip saga.compensated 7",
    ];
    assert_eq!(story, told);
    let asked = record.messages.iter().any(|one| one.to == "car" && one.at > at(1100));
    assert!(!asked, "what certainly did not happen is not undone");
    sound(&record);
}

#[test]
fn sg_m6_a_failure_of_the_first_step_leaves_nothing_to_undo() {
    let record = trip(&[("FIRST", ", refuses: \"100 %\"")]);
    let told = ["began 7", "turned-back 0", "compensated 7"];
    assert_eq!(record.story(SAGA), told.map(|word| format!("trip saga.{word}")));
    assert_eq!(booked(&record), [0, 0, 0]);
}

#[test]
fn sg_m8_a_step_that_timed_out_may_have_happened_and_is_undone_too() {
    // The answer needs 300 ms, the coordinator waits for 100.
    let slow =
        r#"faults: {"slow": (what: Slow(node: "car", factor: "60x"), at: "1s", for: "400ms")},"#;
    let record = trip(&[("REST", slow)]);
    let story = record.story(&["saga."]);
    assert_eq!(story[3..5], ["trip saga.turned-back 2", "trip saga.step-undone 2"]);
    assert_eq!(record.values("saga.step-undone"), [2, 1, 0]);
    assert_eq!(booked(&record), [0, 0, 0]);
    assert_eq!(record.told(), ["failed"], "nothing is left of it, and the client may know");
    sound(&record);
}

#[test]
fn sg_m8_an_undo_before_its_do_leaves_a_mark_that_keeps_the_do_from_happening() {
    // The do is held up on its way; the undo, asked for 100 ms later, comes to a car rental that
    // knows of nothing. Datagrams may overtake one another.
    let late = r#"faults: {"late": (what: Latency(links: OneWay(["trip"], ["car"]), add: "200ms"), at: "1s", for: "100ms")},"#;
    let datagrams = text(&[("REST", late)])
        .replace("(latency: \"1ms\")", "(latency: \"1ms\", transport: Datagram)");
    let record = run(&datagrams);
    let arrived = record.passed("trip", "car", false, "Arrived");
    assert_eq!(arrived.len(), 2);
    let undone = record.of("saga.step-undone")[0];
    assert!(undone.value == 2 && undone.at < arrived[1], "the do comes after the undo is done");
    assert_eq!(record.sum("drivers"), 0);
    assert!(record.of("drivers").is_empty(), "it was refused, not done and undone");
    let marks: Vec<_> =
        record.facts.iter().filter(|fact| fact.node == "car-db").map(|fact| &fact.what).collect();
    assert_eq!(marks, ["service.records"], "the mark is durable, and all that there is");
    sound(&record);
}

#[test]
fn sg_m8_the_same_key_twice_has_one_effect() {
    // The first answer comes too late, so the step is tried again.
    let slow =
        r#"faults: {"slow": (what: Slow(node: "car", factor: "60x"), at: "1s", for: "150ms")},"#;
    let again = ", retries: 3, backoff: (base: \"300ms\", max: \"300ms\", jitter: None)";
    let words = [("REST", slow), ("LAST_POLICY", again)];
    let keyed = trip(&words);
    assert!(keyed.passed("trip", "car", false, "Arrived").len() >= 2);
    assert_eq!(keyed.values("drivers"), [7]);
    assert_eq!(keyed.of("saga.completed").len(), 1, "the second answer is the first one's");
    sound(&keyed);
    let text = text(&words).replace("\"car\": Service(", "\"car\": Service(idempotent: false, ");
    let without = run(&text);
    assert_eq!(without.values("drivers"), [7, 7], "without keys it is done twice");
    assert!(without.finding("once").violations > 0);
}

#[test]
fn sg_m8_a_compensation_that_fails_is_tried_again_until_it_succeeds() {
    let faults = r#"faults: {"no cancelling": (what: Errors(node: "hotel", operation: "cancel", rate: "100 %"), at: "0s", for: "1400ms")},"#;
    let record = trip(&[("LAST", ", refuses: \"100 %\""), ("REST", faults)]);
    let tries = record.passed("trip", "hotel", false, "Sent").len() - 1;
    assert!((2..10).contains(&tries), "{tries} tries");
    assert_eq!(record.values("saga.step-undone"), [1, 0]);
    assert_eq!(booked(&record), [0, 0, 0]);
    sound(&record);
}

#[test]
fn sg_m8_a_compensation_that_never_succeeds_is_parked_with_its_value() {
    let text = text(&[("LAST", ", refuses: \"100 %\"")]).replacen(
        "\"cancel\": (cost: \"5ms\", undoes: \"book\")",
        "\"cancel\": (cost: \"5ms\", refuses: \"100 %\", undoes: \"book\")",
        1,
    );
    let record = run(&text);
    let tries = record.passed("trip", "hotel", false, "Sent").len() - 1;
    assert_eq!(tries, 10, "as persistent as it is told to be");
    assert_eq!(record.values("saga.parked"), [7]);
    assert_eq!(booked(&record), [7, 0, 0], "the hotel keeps its guest");
    assert_eq!(record.told(), ["timeout"], "nobody can tell the client for certain");
    assert_eq!(record.finding("settled").violations, 0, "parked is an end");
    assert_eq!(record.finding("atomic").violations, 1, "but half applied it is");
    assert_eq!(common::measured(&record.outcome, "consistency.at_risk"), 7.0);
}

#[test]
fn sg_m8_from_the_pivot_on_steps_are_retried_and_never_undone() {
    let faults = r#"faults: {"no cars": (what: Errors(node: "car", operation: "book", rate: "100 %"), at: "0s", for: "1450ms")},"#;
    let turned = trip(&[("REST", faults)]);
    assert_eq!(turned.of("saga.compensated").len(), 1, "without a pivot it turns back");
    let record = pivoted(1, &[("REST", faults)]);
    assert!(record.passed("trip", "car", false, "Sent").len() > 2);
    assert!(record.of("saga.turned-back").is_empty());
    assert_eq!(record.of("saga.completed").len(), 1);
    assert_eq!(booked(&record), [7, 7, 7]);
    sound(&record);
    let never = pivoted(2, &[("LAST", ", refuses: \"100 %\"")]);
    assert_eq!(never.values("saga.parked"), [7], "neither forward nor back");
    assert_eq!(booked(&never), [7, 7, 0]);
}

/// A crash of the coordinator at this millisecond, for 200 ms.
fn crash(at: u64, host: bool) -> String {
    format!(
        "faults: {{\"crash\": (what: Crash(node: \"trip\", host: {host}), at: \"{at}ms\", for: \"200ms\")}},"
    )
}

#[test]
fn sg_m7_a_coordinator_that_crashes_at_any_moment_recovers_backward() {
    let mut recovered = 0;
    for moment in 1000..1060 {
        let record = trip(&[("REST", &crash(moment, moment % 2 == 0))]);
        sound(&record);
        let all = booked(&record);
        let ended = record.of("saga.completed").len() + record.of("saga.compensated").len();
        // At 1000 ms the host goes before the request is there, which is sent again when it is on;
        // at 1001 ms the process refuses it.
        assert_eq!(ended, usize::from(moment != 1001), "crash at {moment} ms");
        assert!(all == [0, 0, 0] || all == [7, 7, 7], "crash at {moment} ms left {all:?}");
        if !record.of("saga.recovered").is_empty() {
            recovered += 1;
            let whole = record.of("saga.step-done").len() == 3;
            assert!(whole || all == [0, 0, 0], "crash at {moment} ms went forward");
        }
    }
    assert!((25..=45).contains(&recovered), "{recovered} crashes met a saga under way");
}

#[test]
fn sg_m7_a_coordinator_that_crashes_at_any_moment_recovers_forward() {
    let mut recovered = 0;
    for moment in 1000..1060 {
        let words = [("REST", &*crash(moment, false)), ("SAGA", "recovery: Forward,")];
        let record = trip(&words);
        sound(&record);
        if !record.of("saga.recovered").is_empty() {
            recovered += 1;
            assert_eq!(booked(&record), [7, 7, 7], "crash at {moment} ms");
            assert_eq!(record.of("saga.completed").len(), 1);
        }
    }
    assert!((25..=45).contains(&recovered), "{recovered} crashes met a saga under way");
}

#[test]
fn sg_m7_without_a_durable_log_a_crash_leaves_a_saga_half_applied() {
    let words = [("REST", &*crash(1020, false)), ("SAGA", "durable: false,")];
    let record = trip(&words);
    assert!(record.of("saga.recovered").is_empty());
    assert_eq!(record.finding("atomic").violations, 1);
    assert_eq!(record.finding("settled").violations, 1);
}

#[test]
fn sg_m7_the_log_is_on_the_disk_that_the_coordinator_has() {
    let latency = |saga: &str| trip(&[("SAGA", saga)]).latencies()[0];
    let usual = latency("");
    assert_eq!(latency("disk: (sync: \"500us\"),"), usual, "the default");
    // The beginning and each of three steps are written before anything is built on them, and so is
    // the end before it is told.
    assert_eq!(latency("disk: (sync: \"10500us\"),"), usual + ms(10) * 5);
    assert_eq!(latency("durable: false, disk: (sync: \"1s\"),"), latency("durable: false,"));
}

#[test]
fn sg_m7_a_crash_while_undoing_goes_on_undoing() {
    for moment in 1028..1055 {
        let rest = crash(moment, false);
        let record = trip(&[("LAST", ", refuses: \"100 %\""), ("REST", &rest)]);
        sound(&record);
        assert_eq!(booked(&record), [0, 0, 0], "crash at {moment} ms");
        assert!(record.of("drivers").is_empty());
    }
}
