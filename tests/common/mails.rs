//! A shop that has mails sent by way of a broker: the scenario of the tests of queues.

/// A shop that publishes to a queue, and a mailer that consumes it. `LOAD` stands for when the shop
/// publishes, `QUEUE` for the queue's settings, `PREFETCH` and `CONSUMER` for how the mailer is
/// called and what it is, `NODES` and `REST` for more.
const SHOP: &str = r#"Scenario(
    title: "A shop that writes mails",
    run: (load: "10s", quiet: "20s"),
    network: (latency: "1ms"NETWORK),
    nodes: {
        "shop": Client(target: "broker", operation: "mail", load: LOAD, policy: (POLICY)),
        "broker": Broker(
            cost: "0s",
            BROKER
            queues: {
                "mail": (
                    consumers: [(to: "mailer", operation: "send"PREFETCH)],
                    QUEUE
                ),
                "dead": (),
            },
        ),
        "mailer": CONSUMER,
        NODES
    },
    REST
)"#;

const MAILER: &str = "Service(operations: {\"send\": (cost: \"10ms\")})";

/// The shop with these words in their places.
pub fn text(words: &[(&str, &str)]) -> String {
    let places =
        ["LOAD", "POLICY", "BROKER", "PREFETCH", "QUEUE", "CONSUMER", "NODES", "NETWORK", "REST"];
    places.iter().fold(SHOP.to_owned(), |text, place| {
        let otherwise = match *place {
            "LOAD" => "At([\"0s\"])",
            "CONSUMER" => MAILER,
            _ => "",
        };
        let word = words.iter().find(|(known, _)| known == place);
        text.replace(place, word.map_or(otherwise, |(_, word)| word))
    })
}
