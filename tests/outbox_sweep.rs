//! One order, and a crash of each node at every step of it: exhaustively, not by luck.
//!
//! A step is an instant at which a message is sent or arrives, or something is noted, in a run
//! without crashes. At each of them, and right after it, each node crashes once.

mod common;

use std::collections::BTreeMap;

use common::{measured, orders, record, scenario};
use stormglass::engine::Time;
use stormglass::explore::simulate;

const POLLS: &str = r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Poll(interval: "100ms"), pause: "100ms"),"#;
const TAILS: &str =
    r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Tail(), pause: "100ms"),"#;

/// Rows are deleted, and several events are on their way at once.
const DELETES: &str = r#""relay": Outbox(store: "shop-db", to: "broker", order: Object, in_flight: 3, fetch: Poll(interval: "100ms", marks: Batch, deletes: true), pause: "100ms"),"#;
const FLIES: &str = r#""relay": Outbox(store: "shop-db", to: "broker", order: Object, in_flight: 3, fetch: Tail(), pause: "100ms"),"#;

/// A design: how the event gets to the broker, its relay, and whether the consumer has an inbox.
struct Design {
    by: &'static str,
    relay: &'static str,
    inbox: bool,
    /// How many orders come at once.
    orders: u32,
}

impl Design {
    fn text(&self, faults: &str) -> String {
        let publishes = format!("publishes: (event: \"placed\", by: {})", self.by);
        let parcels = format!("idempotent: {}", self.inbox);
        let words = [
            ("PUBLISHES", publishes.as_str()),
            ("RELAY", self.relay),
            ("PARCELS", &parcels),
            ("REST", faults),
        ];
        // One order or a few, which are over soon.
        let batch = format!("Constant(rate: \"1/s\"), batch: {}", self.orders);
        let text = orders::text(&words).replace("Constant(rate: \"1/s\")", &batch);
        text.replace("5500ms", "1500ms").replace("quiet: \"60s\"", "quiet: \"10s\"")
    }

    /// The steps of the order, each with what happens then.
    fn steps(&self) -> Vec<(Time, String)> {
        let scenario = scenario(&self.text(""));
        let record = record(&scenario, &scenario.variants[0], 1);
        assert_eq!(record.told(), [""; 0]);
        let root = record.of("request.started")[0].root;
        let facts = record.facts.iter().filter(|fact| fact.root == root);
        let mut steps: Vec<(Time, String)> =
            facts.map(|fact| (fact.at, format!("{} {}", fact.node, fact.what))).collect();
        let last = steps.iter().map(|(at, _)| *at).max().expect("it has steps");
        let first = steps[0].0;
        let ours = record.messages.iter().filter(|one| (first..=last).contains(&one.at));
        steps.extend(ours.map(|one| (one.at, format!("{} to {}: {}", one.from, one.to, one.fate))));
        let mut at_once: BTreeMap<Time, Vec<String>> = BTreeMap::new();
        steps.into_iter().for_each(|(at, what)| at_once.entry(at).or_default().push(what));
        at_once.into_iter().map(|(at, what)| (at, what.join(", "))).collect()
    }

    /// What each crash has led to: lost events, phantoms and repeated effects, each with the node
    /// and the step.
    fn sweep(&self) -> [Vec<String>; 3] {
        let mut found = [(); 3].map(|()| Vec::new());
        let mut crashes = 0;
        for node in ["shop", "shop-db", "relay", "broker", "parcels", "parcels-db"] {
            if node == "relay" && self.relay.is_empty() {
                continue;
            }
            for (at, step) in self.steps() {
                for at in [at.0, at.0 + 1] {
                    let fault = format!(
                        r#"faults: {{"crash": (what: Crash(node: "{node}"), at: "{at}ns", for: "300ms")}}"#
                    );
                    let scenario = scenario(&self.text(&fault));
                    let outcome = simulate(&scenario, &scenario.variants[0], 1, Time(0));
                    crashes += 1;
                    let metrics =
                        ["consistency.events_lost", "consistency.phantoms", "consistency.multiple"];
                    for (found, metric) in found.iter_mut().zip(metrics) {
                        if measured(&outcome, metric) > 0.0 {
                            found.push(format!("{node} crashes at: {step}"));
                        }
                    }
                }
            }
        }
        assert!(crashes > 150, "{crashes}");
        found
    }
}

/// Is it among what was found that this node crashes at a step at which this happens?
fn has(found: &[String], node: &str, what: &str) -> bool {
    let crash = format!("{node} crashes at: ");
    found.iter().any(|one| one.strip_prefix(&crash).is_some_and(|step| step.contains(what)))
}

#[test]
fn ob_b1_an_outbox_with_an_inbox_survives_a_crash_of_anybody_at_any_step() {
    for (relay, orders) in [(POLLS, 1), (TAILS, 1), (DELETES, 3), (FLIES, 3)] {
        let design = Design { by: "Outbox", relay, inbox: true, orders };
        let [lost, phantoms, double] = design.sweep();
        assert_eq!((lost, phantoms, double), (vec![], vec![], vec![]), "{relay}");
    }
}

#[test]
fn ob_b1_write_then_publish_loses_events() {
    let by = r#"AfterCommit(to: "broker", policy: (timeout: "200ms"))"#;
    let [lost, phantoms, double] = Design { by, relay: "", inbox: true, orders: 1 }.sweep();
    assert_eq!((phantoms, double), (vec![], vec![]));
    assert!(has(&lost, "shop", "shop-db orders"), "{lost:#?}");
    assert!(has(&lost, "broker", "shop to broker: Sent"), "{lost:#?}");
}

#[test]
fn ob_b1_publish_then_write_tells_of_what_never_was() {
    let by = r#"BeforeCommit(to: "broker", policy: (timeout: "200ms"))"#;
    let [lost, phantoms, double] = Design { by, relay: "", inbox: true, orders: 1 }.sweep();
    assert_eq!((lost, double), (vec![], vec![]));
    assert!(has(&phantoms, "shop", "broker queue.accepted"), "{phantoms:#?}");
    assert!(has(&phantoms, "shop-db", "shop to shop-db: Sent"), "{phantoms:#?}");
}

#[test]
fn ob_d4_without_an_inbox_effects_are_repeated() {
    let [lost, phantoms, double] =
        Design { by: "Outbox", relay: POLLS, inbox: false, orders: 1 }.sweep();
    assert_eq!((lost, phantoms), (vec![], vec![]));
    // The relay has published and not marked; the consumer is done and has not said so.
    assert!(has(&double, "relay", "broker queue.accepted"), "{double:#?}");
    assert!(has(&double, "parcels", "parcels-db sent"), "{double:#?}");
}
