//! A shop whose orders are sent to a parcel service by way of a broker: the scenario of the tests
//! of outboxes.

/// The shop. `PUBLISHES` stands in the order's operation, `SHOP` in the shop, `DB` in its database,
/// `RELAY` for the relay, `QUEUE` in the queue, `PARCELS` in the consumer, `REST` after the nodes.
const SHOP: &str = r#"Scenario(
    title: "A shop",
    run: (load: "5500ms", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "customers": Client(target: "shop", operation: "order", load: Constant(rate: "1/s"), policy: (timeout: "500ms")),
        "shop": Service(store: "shop-db", store_policy: (timeout: "200ms"), operations: {
            "order": (cost: "5ms", transfer: (from: "stock", to: "orders", amount: 1), PUBLISHES),
        }, SHOP),
        "shop-db": Store(disk: (sync: "1ms"), accounts: [(name: "stock", balance: 1000), (name: "orders", balance: 0)], DB),
        RELAY
        "broker": Broker(disk: (sync: "1ms"), queues: {
            "placed": (consumers: [(to: "parcels", operation: "send", reconnect: "10ms")], visibility: "1s", QUEUE),
        }),
        "parcels": Service(store: "parcels-db", store_policy: (timeout: "200ms"), operations: {
            "send": (cost: "5ms", transfer: (from: "boxes", to: "sent", amount: 1)),
        }, PARCELS),
        "parcels-db": Store(disk: (sync: "1ms"), accounts: [(name: "boxes", balance: 1000), (name: "sent", balance: 0)]),
    },
    invariants: {
        "published": Published(account: (store: "shop-db", account: "orders"), broker: "broker", queue: "placed"),
        "once": Once(accounts: [(store: "parcels-db", account: "sent")]),
    },
    REST
)"#;

/// The shop with these words in their places.
pub fn text(words: &[(&str, &str)]) -> String {
    // The longest first: `SHOP` is the beginning of none.
    let places = ["PUBLISHES", "PARCELS", "QUEUE", "RELAY", "SHOP", "REST", "DB"];
    places.iter().fold(SHOP.to_owned(), |text, place| {
        let word = words.iter().find(|(known, _)| known == place).map_or("", |(_, word)| word);
        text.replace(place, word).replace(", ,", ",").replace(",,", ",").replace(", )", ")")
    })
}
