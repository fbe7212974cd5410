//! Tests of the links of a network.

use super::*;
use crate::engine::{Dist, Fault, Ratio};

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

fn spec() -> NetworkSpec {
    NetworkSpec { latency: Dist::exponential(Span::MILLISECOND), ..NetworkSpec::default() }
}

fn network(spec: NetworkSpec, names: &[&str]) -> Network {
    let mut network = Network::new(7, spec);
    names.iter().for_each(|name| network.admit(name_hash(name)));
    network
}

fn packet(from: u32, to: u32) -> Packet {
    let (from, to) = (NodeId(from), NodeId(to));
    Packet { from, to, bytes: 200, is_reply: false, is_reset: false, stage: 0, sent: Time(0) }
}

/// When packets that are sent every 100 us arrive.
fn arrivals(network: &mut Network, from: u32, to: u32) -> Vec<Time> {
    let mut arrive = |count: u64| {
        let now = Time(count * 100_000);
        match network.route(&Packet { sent: now, ..packet(from, to) }, now) {
            Verdict::Deliver(after) => now + after,
            other => panic!("{other:?}"),
        }
    };
    (1..200).map(&mut arrive).collect()
}

#[test]
fn an_ideal_network_and_a_node_itself_take_no_time() {
    let mut ideal = network(NetworkSpec::ideal(), &NAMES);
    assert_eq!(ideal.route(&packet(0, 1), Time(5)), Verdict::Deliver(Span::ZERO));
    let mut slow = network(spec(), &NAMES);
    assert_eq!(slow.route(&packet(1, 1), Time(5)), Verdict::Deliver(Span::ZERO));
    assert_ne!(slow.route(&packet(0, 1), Time(5)), Verdict::Deliver(Span::ZERO));
}

#[test]
fn a_stream_keeps_its_order_and_datagrams_do_not() {
    let stream = arrivals(&mut network(spec(), &NAMES), 0, 1);
    assert!(stream.is_sorted());
    let datagram = NetworkSpec { transport: Transport::Datagram, ..spec() };
    assert!(!arrivals(&mut network(datagram, &NAMES), 0, 1).is_sorted());
}

#[test]
fn a_link_draws_from_its_own_stream_whatever_else_there_is() {
    let alone = arrivals(&mut network(spec(), &NAMES), 0, 1);
    let mut busy = network(spec(), &NAMES);
    let others = [arrivals(&mut busy, 1, 0), arrivals(&mut busy, 0, 2)];
    assert_eq!(arrivals(&mut busy, 0, 1), alone);
    assert!(others.iter().all(|other| *other != alone), "no two links are alike");
    let mut shifted = network(spec(), &["other", "alpha", "beta", "gamma"]);
    assert_eq!(arrivals(&mut shifted, 1, 2), alone, "names count, not numbers");
}

#[test]
fn the_last_link_that_fits_counts_more_than_zones_and_zones_more_than_the_rest() {
    let fixed = |millis| Some(Dist::constant(Span::from_millis(millis)));
    let zone = |name: &str, nodes| ZoneSpec { name: name.to_owned(), nodes, region: None };
    let link = |from, to, latency| {
        let (from, to) = (NodeId(from), NodeId(to));
        LinkSpec {
            from,
            to,
            one_way: false,
            latency,
            loss: None,
            bursts: None,
            duplication: None,
            reordering: None,
            corruption: None,
            bandwidth: None,
            queue: None,
            transport: None,
        }
    };
    let spec = NetworkSpec {
        latency: Dist::constant(Span::from_millis(1)),
        between_zones: fixed(20),
        zones: vec![zone("here", vec![NodeId(0), NodeId(1)]), zone("there", vec![NodeId(2)])],
        links: vec![link(2, 1, fixed(5)), link(1, 2, fixed(7)), link(1, 2, None)],
        ..NetworkSpec::default()
    };
    let mut network = network(spec, &NAMES);
    let mut millis = |from, to| match network.route(&packet(from, to), Time(0)) {
        Verdict::Deliver(after) => after.0 / Span::MILLISECOND.0,
        other => panic!("{other:?}"),
    };
    assert_eq!([millis(0, 1), millis(0, 2), millis(2, 0)], [1, 20, 20]);
    assert_eq!([millis(1, 2), millis(2, 1)], [7, 7], "a link is about both directions");
}

#[test]
fn only_a_host_that_is_on_refuses_a_connection() {
    let mut network = network(spec(), &NAMES);
    let refuses = |network: &mut Network| match network.knock(&packet(0, 1), Time(0)) {
        Verdict::Refuse(fault, _) => Ok(fault),
        other => Err(other),
    };
    assert_eq!(refuses(&mut network), Ok(Fault::Unreachable));
    // Two crashes of the host overlap.
    network.set_dark(NodeId(1), true, Time(0));
    network.set_dark(NodeId(1), true, Time(0));
    network.set_dark(NodeId(1), false, Time(0));
    let again = Verdict::Resend(Span::from_millis(200), stage::HELD);
    assert_eq!(refuses(&mut network), Err(again), "it is sent again");
    assert_eq!(network.route(&packet(1, 0), Time(0)), Verdict::Drop("host down"));
    network.set_dark(NodeId(1), false, Time(0));
    assert_eq!(refuses(&mut network), Ok(Fault::Unreachable));
    assert!(network.weather.is_calm());
    let datagram = NetworkSpec { transport: Transport::Datagram, ..spec() };
    let knocked = self::network(datagram, &NAMES).knock(&packet(0, 1), Time(0));
    assert_eq!(knocked, Verdict::Drop("node down"));
}

#[test]
fn what_is_said_of_a_pair_of_zones_is_between_that_of_the_nodes_and_that_of_the_network() {
    let zone = |name: &str, node: u32| ZoneSpec {
        name: name.to_owned(),
        nodes: vec![NodeId(node)],
        region: None,
    };
    let share = |percent| Ratio::new(percent, 100).expect("it is a share");
    let text = "(from: \"a\", to: \"b\", one_way: true, duplication: Some(\"20%\"),
        corruption: Some(\"30%\"), bursts: Some((enter: \"1%\", leave: \"25%\")),
        reordering: Some((rate: \"40%\", by: \"1ms\")))";
    let spec = || NetworkSpec {
        zones: vec![zone("a", 0), zone("b", 1), zone("c", 2)],
        zone_links: vec![ron::from_str(text).expect("it can be read")],
        duplication: share(1),
        ..spec()
    };
    let rare = |network: &mut Network, from: u32, to: u32| {
        let index = network.link(NodeId(from), NodeId(to)) as usize;
        let rare = network.links[index].rare.as_ref().expect("datagrams come twice");
        let reordered = rare.reordering.as_ref().map(|one| one.rate);
        (rare.duplication, rare.corruption, rare.bursts.is_some(), reordered)
    };
    let mut general = network(spec(), &NAMES);
    let (none, poor) = ((share(1), Ratio::ZERO, false, None), (share(20), share(30), true));
    assert_eq!(rare(&mut general, 0, 1), (poor.0, poor.1, poor.2, Some(share(40))));
    assert_eq!(rare(&mut general, 1, 0), none, "one way");
    assert_eq!(rare(&mut general, 0, 2), none, "another zone");
    let mut special = spec();
    special.links = vec![LinkSpec {
        from: NodeId(0),
        to: NodeId(1),
        one_way: false,
        latency: None,
        loss: None,
        bursts: None,
        duplication: None,
        reordering: None,
        corruption: Some(share(50)),
        bandwidth: None,
        queue: None,
        transport: None,
    }];
    let mut special = network(special, &NAMES);
    assert_eq!(rare(&mut special, 0, 1), (poor.0, share(50), poor.2, Some(share(40))));
}
