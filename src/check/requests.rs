//! Requests: every one is counted once, from its beginning to its one end.

use super::classes;
use super::outcome::{ClassFlow, Finding, Flow, Stuck, Violation, Window};
use crate::engine::{Fact, Fault, NodeId, Root, Span, Time};
use crate::parts::client_facts as facts;

/// How a request stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Open,
    Succeeded,
    Failed(Fault),
}

/// One request of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    flow: u32,
    /// Its place in the run's table of classes, from 1; 0 for none.
    class: u8,
    pub began: Time,
    pub ended: Time,
    pub standing: Standing,
}

impl Request {
    /// Is it of the client at this place among the flows?
    pub fn is_of_flow(&self, place: usize) -> bool {
        self.flow as usize == place
    }

    /// Is it of the class at this place among the run's classes?
    pub fn is_of_class(&self, place: usize) -> bool {
        usize::from(self.class) == place + 1
    }
}

/// The requests of a run, by root: clients begin all operations, so roots number requests.
pub(crate) struct Requests {
    requests: Vec<Request>,
    flows: Vec<Flow>,
    classes: Vec<ClassFlow>,
    /// For each node its place among the flows.
    of_node: Vec<Option<u32>>,
    measured_from: Time,
    width: Span,
    windows: Vec<Window>,
    /// Latency of each measured success, in the order of their ends, for the warm-up.
    latencies: Vec<(Time, f64)>,
    /// Failures of the measured phase, by reason.
    measured_failed: [u64; Fault::ALL.len()],
    astray: Option<Violation>,
}

impl Requests {
    pub fn new(clients: &[(NodeId, String)], nodes: usize, from: Time, end: Time) -> Requests {
        let mut of_node = vec![None; nodes];
        for (place, (node, _)) in clients.iter().enumerate() {
            of_node[node.index()] = Some(place as u32);
        }
        Requests {
            requests: Vec::new(),
            flows: clients.iter().map(|(_, name)| classes::flow(name.clone())).collect(),
            classes: Vec::new(),
            of_node,
            measured_from: from,
            width: window(end),
            windows: vec![Window::default(); WINDOWS],
            latencies: Vec::new(),
            measured_failed: [0; Fault::ALL.len()],
            astray: None,
        }
    }

    /// The flows, when nothing more will happen to them.
    pub fn finished(&self) -> Vec<Flow> {
        let mut flows = self.flows.clone();
        flows.iter_mut().for_each(|flow| flow.latency.compact());
        flows
    }

    /// The classes, when nothing more will happen to them.
    pub fn finished_classes(&self) -> Vec<ClassFlow> {
        let mut classes = self.classes.clone();
        classes.iter_mut().for_each(|class| class.flow.latency.compact());
        classes
    }

    /// The same, told apart by these classes too.
    pub fn of_classes(self, classes: Vec<ClassFlow>) -> Requests {
        Requests { classes, ..self }
    }

    /// Which clients still wait for the answers to how many requests, and since when.
    pub fn stuck(&self) -> Vec<Stuck> {
        let mut stuck = Vec::new();
        for (place, flow) in self.flows.iter().enumerate() {
            let open = self.requests.iter().filter(|request| {
                request.flow as usize == place && request.standing == Standing::Open
            });
            let count = open.clone().count();
            let Some(since) = open.map(|request| request.began).min() else { continue };
            let what = match count {
                1 => "has a request in flight".to_owned(),
                count => format!("has {count} requests in flight, the oldest"),
            };
            stuck.push(Stuck { node: flow.name.clone(), what, since: Some(since) });
        }
        stuck
    }

    /// The width of the windows of the time line.
    pub fn width(&self) -> Span {
        self.width
    }

    fn window(&mut self, at: Time) -> &mut Window {
        let place = (at.0 / self.width.0) as usize;
        let last = self.windows.len() - 1;
        &mut self.windows[place.min(last)]
    }

    pub fn started(&mut self, fact: &Fact) {
        let Some(flow) = self.of_node[fact.node.index()] else { return };
        let root = fact.root.0 as usize;
        if self.requests.len() + 1 != root {
            return self.stray(fact, "a request began out of turn");
        }
        let standing = Standing::Open;
        let request = Request { flow, class: 0, began: fact.at, ended: Time::MAX, standing };
        self.requests.push(request);
        self.flows[flow as usize].started += 1;
        self.window(fact.at).offered += 1;
    }

    /// The request that has just begun is of a class.
    pub fn classed(&mut self, fact: &Fact) {
        let Some(request) = self.requests.get_mut((fact.root.0 as usize).wrapping_sub(1)) else {
            return self.stray(fact, "a request of a class that never began");
        };
        request.class = fact.key as u8;
        if let Some(class) = self.classes.get_mut((fact.key as usize).wrapping_sub(1)) {
            class.flow.started += 1;
        }
    }

    /// The request that has just begun was due earlier: that is where it counts.
    pub fn late(&mut self, fact: &Fact) {
        let Some(request) = self.requests.get_mut((fact.root.0 as usize).wrapping_sub(1)) else {
            return self.stray(fact, "a request was late that never began");
        };
        let (noted, due) = (request.began, Time(request.began.0.saturating_sub(fact.value)));
        request.began = due;
        self.window(noted).offered -= 1;
        self.window(due).offered += 1;
    }

    pub fn ended(&mut self, fact: &Fact) {
        let standing = match fact.what {
            facts::SUCCEEDED => Standing::Succeeded,
            _ => Standing::Failed(Fault::ALL[fact.key as usize]),
        };
        let place = (fact.root.0 as usize).wrapping_sub(1);
        let Some(request) = self.requests.get_mut(place) else {
            return self.stray(fact, "a request ended that never began");
        };
        if request.standing != Standing::Open {
            return self.stray(fact, "a request ended twice");
        }
        (request.standing, request.ended) = (standing, fact.at);
        let request = *request;
        let flow = &mut self.flows[request.flow as usize];
        let measured = request.began >= self.measured_from;
        if let Some(class) = self.classes.get_mut(usize::from(request.class).wrapping_sub(1)) {
            class.count(standing, measured, fact.value);
        }
        match standing {
            Standing::Succeeded => {
                flow.succeeded += 1;
                if measured {
                    flow.latency.record(fact.value);
                    self.latencies.push((fact.at, fact.value as f64));
                }
                let window = self.window(fact.at);
                window.good += 1;
                let change = fact.value as f64 - window.latency_mean;
                window.latency_mean += change / window.good as f64;
                window.latency_max = window.latency_max.max(fact.value);
            }
            Standing::Failed(fault) => {
                flow.failed[fault as usize] += 1;
                self.measured_failed[fault as usize] += u64::from(measured);
                let window = self.window(fact.at);
                window.failed += 1;
                window.technical += u64::from(fault != Fault::Refused);
            }
            Standing::Open => {}
        }
    }

    fn stray(&mut self, fact: &Fact, what: &str) {
        let (at, root) = (fact.at, fact.root.0);
        self.astray.get_or_insert(Violation { at, root, what: what.to_owned() });
    }

    /// When a request was to begin.
    pub fn began(&self, root: Root) -> Option<Time> {
        let place = (root.0 as usize).checked_sub(1)?;
        self.requests.get(place).map(|request| request.began)
    }

    /// Every request with its root.
    pub fn iter(&self) -> impl Iterator<Item = (Root, &Request)> {
        self.requests.iter().enumerate().map(|(place, request)| (Root(place as u32 + 1), request))
    }

    /// Requests that began in the measured phase: how many, how many succeeded, how many ended.
    pub fn measured(&self) -> (u64, u64, u64) {
        let mut counts = (0, 0, 0);
        for request in self.requests.iter().filter(|one| one.began >= self.measured_from) {
            counts.0 += 1;
            counts.1 += u64::from(request.standing == Standing::Succeeded);
            counts.2 += u64::from(request.standing != Standing::Open);
        }
        counts
    }

    /// How many requests had succeeded by an instant.
    pub fn succeeded_by(&self, at: Time) -> u64 {
        let is_good = |one: &&Request| one.standing == Standing::Succeeded && one.ended <= at;
        self.requests.iter().filter(is_good).count() as u64
    }

    /// Failures of requests that began in the measured phase, in the order of [`Fault::ALL`].
    pub fn measured_failures(&self) -> [u64; Fault::ALL.len()] {
        self.measured_failed
    }

    /// From here on requests are measured.
    pub fn measured_from(&self) -> Time {
        self.measured_from
    }

    /// Share of the windows in which at least 99 % of the ended requests did not fail technically.
    pub fn good_windows(&self) -> Option<f64> {
        let ended = self.windows.iter().filter(|window| window.good + window.technical > 0);
        let (mut good, mut all) = (0_u64, 0_u64);
        for window in ended {
            all += 1;
            good += u64::from(window.technical * 100 <= window.good + window.technical);
        }
        (all > 0).then(|| good as f64 / all as f64)
    }

    /// The longest time, in seconds, in which requests came and none succeeded, under load.
    pub fn longest_outage(&self, quiet: Time) -> f64 {
        let loaded = (quiet.0 / self.width.0) as usize;
        let (mut longest, mut spell, mut came) = (0_u64, 0_u64, false);
        for window in &self.windows[..loaded.min(self.windows.len())] {
            if window.good > 0 {
                (spell, came) = (0, false);
                continue;
            }
            came |= window.offered > 0;
            spell += u64::from(came);
            longest = longest.max(spell);
        }
        (longest * self.width.0) as f64 / 1e9
    }

    /// Latencies of the measured successes in nanoseconds, in the order of their ends.
    pub fn latencies(&self) -> &[(Time, f64)] {
        &self.latencies
    }

    /// Counts what is still open, and whether all adds up: started = succeeded + failed + in
    /// flight.
    pub fn close(&mut self) -> Finding {
        for request in self.requests.iter().filter(|one| one.standing == Standing::Open) {
            self.flows[request.flow as usize].in_flight += 1;
        }
        for request in &self.requests {
            let class = self.classes.get_mut(usize::from(request.class).wrapping_sub(1));
            let Some(class) = class else { continue };
            class.flow.in_flight += u64::from(request.standing == Standing::Open);
            class.measured.0 += u64::from(request.began >= self.measured_from);
        }
        let mut first = self.astray.take();
        for flow in &self.flows {
            let failed: u64 = flow.failed.iter().sum();
            let ended = flow.succeeded + failed + flow.in_flight;
            if ended != flow.started && first.is_none() {
                let what =
                    format!("{} began {} requests, {ended} are known", flow.name, flow.started);
                first = Some(Violation { at: Time(0), root: 0, what });
            }
        }
        Finding {
            invariant: "requests-accounted".to_owned(),
            says: "every request is counted once: succeeded + failed + in flight = started".into(),
            checked: self.requests.len() as u64,
            violations: u64::from(first.is_some()),
            first,
        }
    }

    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    pub fn classes(&self) -> &[ClassFlow] {
        &self.classes
    }

    pub fn windows(&self) -> &[Window] {
        &self.windows
    }
}

impl ClassFlow {
    fn count(&mut self, standing: Standing, measured: bool, latency: u64) {
        let measured = u64::from(measured);
        self.measured.2 += measured;
        match standing {
            Standing::Succeeded => {
                self.flow.succeeded += 1;
                self.measured.1 += measured;
                if measured > 0 {
                    self.flow.latency.record(latency);
                }
            }
            Standing::Failed(fault) => self.flow.failed[fault as usize] += 1,
            Standing::Open => {}
        }
    }
}

/// How many windows the time line of a run has.
const WINDOWS: usize = 240;

/// The width of a window, so that they cover a run.
fn window(end: Time) -> Span {
    Span(end.0.div_ceil(WINDOWS as u64).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Name;

    const BUYERS: NodeId = NodeId(0);

    fn requests(from: u64) -> Requests {
        let clients = [(BUYERS, "buyers".to_owned()), (NodeId(2), "sellers".to_owned())];
        // 240 windows of 10 ns each.
        Requests::new(&clients, 3, Time(from), Time(2400))
    }

    fn fact(at: u64, root: u32, what: Name, (key, value): (u64, u64)) -> Fact {
        Fact { at: Time(at), node: BUYERS, root: Root(root), what, key, value }
    }

    fn begin(requests: &mut Requests, at: u64, root: u32) {
        requests.started(&fact(at, root, facts::STARTED, (9, 1)));
    }

    fn succeed(requests: &mut Requests, at: u64, root: u32, latency: u64) {
        requests.ended(&fact(at, root, facts::SUCCEEDED, (9, latency)));
    }

    fn fail(requests: &mut Requests, at: u64, root: u32, fault: Fault) {
        requests.ended(&fact(at, root, facts::FAILED, (fault as u64, 5)));
    }

    #[test]
    fn every_request_is_succeeded_failed_or_in_flight() {
        let mut requests = requests(0);
        (1..=4).for_each(|root| begin(&mut requests, 5, root));
        succeed(&mut requests, 8, 1, 3);
        fail(&mut requests, 9, 2, Fault::Timeout);
        fail(&mut requests, 9, 3, Fault::Refused);
        let found = requests.close();
        assert_eq!((found.checked, found.violations, found.first), (4, 0, None));
        let flow = &requests.flows()[0];
        assert_eq!((flow.started, flow.succeeded, flow.in_flight), (4, 1, 1));
        assert_eq!((flow.failed[Fault::Timeout as usize], flow.failed.iter().sum()), (1, 2));
        assert_eq!(requests.flows()[1].started, 0, "the sellers asked for nothing");
    }

    #[test]
    fn a_request_that_ends_twice_is_found_out() {
        let mut requests = requests(0);
        begin(&mut requests, 5, 1);
        succeed(&mut requests, 8, 1, 3);
        fail(&mut requests, 9, 1, Fault::Timeout);
        let first = requests.close().first.expect("that cannot be");
        assert_eq!((first.at, first.root), (Time(9), 1));
        assert_eq!(first.what, "a request ended twice");
        assert_eq!(requests.flows()[0].succeeded, 1, "the first end counts");
    }

    #[test]
    fn a_request_that_ends_without_a_beginning_or_begins_out_of_turn_is_found_out() {
        let mut early = requests(0);
        succeed(&mut early, 8, 1, 3);
        assert_eq!(early.close().first.expect("it is").what, "a request ended that never began");
        let mut skipped = requests(0);
        begin(&mut skipped, 5, 2);
        assert_eq!(skipped.close().first.expect("it is").what, "a request began out of turn");
    }

    #[test]
    fn what_began_in_the_warm_up_is_counted_and_not_measured() {
        let mut requests = requests(100);
        begin(&mut requests, 99, 1);
        begin(&mut requests, 100, 2);
        begin(&mut requests, 100, 3);
        succeed(&mut requests, 120, 1, 21);
        succeed(&mut requests, 130, 2, 30);
        fail(&mut requests, 140, 3, Fault::Timeout);
        assert_eq!(requests.measured(), (2, 1, 2));
        assert_eq!(requests.measured_failures().iter().sum::<u64>(), 1);
        assert_eq!(requests.latencies(), [(Time(130), 30.0)]);
        let flow = &requests.flows()[0];
        assert_eq!((flow.started, flow.succeeded, flow.latency.count()), (3, 2, 1));
    }

    #[test]
    fn windows_count_by_beginning_and_by_end() {
        let mut requests = requests(0);
        assert_eq!(requests.width(), Span(10));
        for (root, began, ended) in [(1, 5, 15), (2, 6, 19), (3, 14, 16)] {
            begin(&mut requests, began, root);
            if root < 3 {
                succeed(&mut requests, ended, root, ended - began);
            }
        }
        fail(&mut requests, 16, 3, Fault::Refused);
        let [first, second] = [0, 1].map(|place| requests.windows()[place]);
        assert_eq!((first.offered, first.good, second.offered), (2, 0, 1));
        assert_eq!((second.good, second.failed, second.technical), (2, 1, 0));
        assert_eq!((second.latency_mean, second.latency_max), (11.5, 13));
        assert_eq!(requests.good_windows(), Some(1.0), "a refusal is no technical failure");
    }

    #[test]
    fn an_outage_begins_with_a_request_that_finds_nobody() {
        let mut requests = requests(0);
        // Nobody asks before 500 ns; who asks then is served at 535 ns, in the fourth window.
        begin(&mut requests, 500, 1);
        succeed(&mut requests, 535, 1, 35);
        assert_eq!(requests.longest_outage(Time(2000)), 30e-9);
        // Nobody asks from then until 1000 ns either, and then all goes well.
        begin(&mut requests, 1000, 2);
        succeed(&mut requests, 1001, 2, 1);
        assert_eq!(requests.longest_outage(Time(2000)), 30e-9);
        begin(&mut requests, 1500, 3);
        assert_eq!(requests.longest_outage(Time(2000)), 500e-9, "unto the end of the load");
    }
}
