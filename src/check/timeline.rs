//! Faults over time: when each was on, when it was felt, and when the system was well again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::outcome::{Episode, Window};
use super::requests::{Requests, Standing};
use crate::engine::{Dist, Fact, Fault, NodeId, Span, Time};
use crate::scenario::{Scenario, Variant};
use crate::world::{AfterFailure, FaultSpec, Injection, Targets};

/// A system is well if it serves this share of what it served before.
const WELL: f64 = 0.95;
/// How much of a run one look at its health takes in.
const LOOK: Span = Span::SECOND;

/// The faults of a run as they came and went.
#[derive(Default)]
pub(crate) struct Timeline {
    /// Which fault, from when to when.
    spells: Vec<(usize, Time, Option<Time>)>,
    /// How often each node crashed.
    crashes: BTreeMap<NodeId, u64>,
    /// Which fault was withheld, and when.
    withheld: Vec<(usize, Time)>,
}

impl Timeline {
    pub fn begins(&mut self, fact: &Fact) {
        self.spells.push((fact.key as usize, fact.at, None));
    }

    pub fn ends(&mut self, fact: &Fact) {
        let index = fact.key as usize;
        let open = self.spells.iter_mut().find(|spell| spell.0 == index && spell.2.is_none());
        if let Some(spell) = open {
            spell.2 = Some(fact.at);
        }
    }

    pub fn crashed(&mut self, fact: &Fact) {
        *self.crashes.entry(fact.node).or_default() += 1;
    }

    /// How often a node crashed.
    pub fn crashes(&self, node: NodeId) -> u64 {
        self.crashes.get(&node).copied().unwrap_or(0)
    }

    pub fn withheld(&mut self, fact: &Fact) {
        self.withheld.push((fact.key as usize, fact.at));
    }

    pub fn episodes(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        requests: &Requests,
    ) -> Vec<Episode> {
        let health = Health::of(requests, variant.phases.quiet_from());
        let failures = failures(requests);
        let episode = |&(index, begins, end): &(usize, Time, Option<Time>)| {
            let (name, spec) = &variant.faults[index];
            let ends = end.unwrap_or(variant.phases.end());
            let next = failures.partition_point(|at| *at < begins);
            let within = |one: &&(usize, Time)| one.0 == index && (begins..=ends).contains(&one.1);
            let felt = failures.get(next).copied().filter(|at| *at < ends);
            Episode {
                name: name.clone(),
                what: describe(spec, scenario),
                begins,
                ends,
                felt_after: felt.map(|at| at - begins),
                felt_beside: felt.map_or(Vec::new(), |at| self.beside(index, begins, at, variant)),
                recovered_after: health.recovery(begins, ends),
                withheld: self.withheld.iter().filter(|one| within(one)).count() as u64,
            }
        };
        self.spells.iter().map(episode).collect()
    }
}

impl Timeline {
    /// The other faults that were on at some time from one instant to another.
    fn beside(&self, index: usize, from: Time, to: Time, variant: &Variant) -> Vec<String> {
        let is_on = |spell: &&(usize, Time, Option<Time>)| {
            spell.0 != index && spell.1 <= to && spell.2.is_none_or(|end| end > from)
        };
        let places: BTreeSet<usize> =
            self.spells.iter().filter(is_on).map(|spell| spell.0).collect();
        places.into_iter().map(|place| variant.faults[place].0.clone()).collect()
    }
}

/// When requests failed for other than business reasons, in order.
fn failures(requests: &Requests) -> Vec<Time> {
    let failed = requests.iter().filter(|(_, request)| {
        matches!(request.standing, Standing::Failed(fault) if fault != Fault::Refused)
    });
    let mut times: Vec<Time> = failed.map(|(_, request)| request.ended).collect();
    times.sort();
    times
}

/// A fault in a few words, for people.
fn describe(spec: &FaultSpec, scenario: &Scenario) -> String {
    let node = |id| scenario.node(id).to_owned();
    let links = |targets: &Targets| reach(targets, scenario);
    match &spec.what {
        Injection::Crash { node: id, host, some, wipe } => {
            let whom = match some {
                Some(some) => format!("{some} of {}", node(*id)),
                None => node(*id),
            };
            let what =
                if *host { format!("host of {whom} down") } else { format!("crash of {whom}") };
            if *wipe { format!("{what}, disk wiped") } else { what }
        }
        Injection::HostDown { host } => format!("host {host} down"),
        Injection::ZoneDown { zone } => format!("zone {zone} down"),
        Injection::RegionDown { region } => format!("region {region} down"),
        Injection::Stop { node: id, .. } => format!("stop of {}", node(*id)),
        Injection::RollingRestart(roll) => format!("rolling restart of {}", node(roll.node)),
        Injection::RollingUpgrade(roll) => format!("rolling upgrade of {}", node(roll.node)),
        Injection::Scale { node: id, to } => format!("{} scaled to {to}", node(*id)),
        Injection::Failures { node: id, .. } => format!("random failures of {}", node(*id)),
        Injection::Attrition { node: id, keep, .. } => {
            format!("attrition of {}, {keep} kept", node(*id))
        }
        Injection::Pause { node: id } => format!("pause of {}", node(*id)),
        Injection::Slow(slow) => {
            let operation = slow.operation.map(|name| scenario.lexicon.spelling(name));
            let what = operation.map_or(String::new(), |verb| format!(" for {verb}"));
            let whose = slow.caller.map_or(String::new(), |id| format!(" of {}", node(id)));
            format!("{} at {} of its time{what}{whose}", node(slow.node), slow.factor)
        }
        Injection::Errors { node: id, operation, rate } => {
            let what = operation.map_or("all", |name| scenario.lexicon.spelling(name));
            format!("{rate} errors in {} ({what})", node(*id))
        }
        Injection::Latency { links: on, add } => {
            format!("{} more latency {}", mean(add), links(on))
        }
        Injection::Loss { links: on, rate } => format!("{rate} loss {}", links(on)),
        Injection::Partition { links: on } => format!("partition {}", links(on)),
        Injection::Bursts { links: on, .. } => format!("bursts of loss {}", links(on)),
        Injection::Duplication { links: on, rate } => format!("{rate} doubled {}", links(on)),
        Injection::Reordering { links: on, rate, .. } => format!("{rate} overtaken {}", links(on)),
        Injection::Corruption { links: on, rate } => format!("{rate} damaged {}", links(on)),
        Injection::Throttle { links: on, bandwidth, .. } => format!("{bandwidth} {}", links(on)),
        Injection::Clog { links: on } => format!("clog {}", links(on)),
        Injection::Flapping { links: on, .. } => format!("flapping {}", links(on)),
        Injection::Reset { links: on } => format!("connections reset {}", links(on)),
        Injection::HalfOpen { links: on } => format!("connections half-open {}", links(on)),
        Injection::Hang { links: on } => format!("hang {}", links(on)),
        Injection::SlowNames { add } => format!("names {} slower", mean(add)),
        Injection::NamesDown => "name service down".to_owned(),
        Injection::MissingName { node: id } => format!("name of {} missing", node(*id)),
        Injection::StaleNames => "stale names".to_owned(),
        other => of_disk_or_clock(other, scenario),
    }
}

/// The mean of what is drawn, as people read times.
fn mean(dist: &Dist) -> Span {
    Span::from_seconds_f64(dist.mean())
}

/// A fault of a disk or of a clock in a few words.
fn of_disk_or_clock(fault: &Injection, scenario: &Scenario) -> String {
    let disk = fault.node().map_or("?", |id| scenario.node(id));
    match fault {
        Injection::TornWrite { rate, .. } => format!("{rate} of crashes of {disk} tear a write"),
        Injection::SyncFails { rate, after_failure: AfterFailure::Lost, .. } => {
            format!("{rate} of syncs of {disk} fail and lose what they should write")
        }
        Injection::SyncFails { rate, .. } => format!("{rate} of syncs of {disk} fail"),
        Injection::SyncLies { rate, .. } => format!("{rate} of syncs of {disk} are lies"),
        Injection::DiskFull { .. } => format!("disk of {disk} full"),
        Injection::DiskStall { .. } => format!("disk of {disk} stalled"),
        Injection::DiskThrottle { factor, throughput, .. } => {
            let rate = throughput.map_or(String::new(), |rate| format!(" and at {rate}"));
            format!("disk of {disk} at {factor} of its time{rate}")
        }
        Injection::BitRot { entries, .. } => format!("{entries} entries of {disk} rot"),
        Injection::ClockJump { by, .. } => format!("clock of {disk} off by {by}"),
        Injection::ClockDrift { ppm, .. } => format!("clock of {disk} drifts by {ppm} ppm"),
        Injection::ClockStrobe { by, period, .. } => {
            format!("clock of {disk} to and fro by {by} every {period}")
        }
        Injection::MisdirectedWrite { rate, .. } => {
            format!("{rate} of writes of {disk} go astray")
        }
        _ => String::new(),
    }
}

/// Which links, in a few words.
fn reach(targets: &Targets, scenario: &Scenario) -> String {
    let list =
        |nodes: &[_]| nodes.iter().map(|id| scenario.node(*id)).collect::<Vec<_>>().join(", ");
    match targets {
        Targets::All => "on every link".to_owned(),
        Targets::Around(id) => format!("around {}", scenario.node(*id)),
        Targets::Between(left, right) => format!("between {} and {}", list(left), list(right)),
        Targets::OneWay(from, to) => format!("from {} to {}", list(from), list(to)),
        Targets::Zones(one, other) => format!("between zones {one} and {other}"),
        Targets::AroundZone(zone) => format!("around zone {zone}"),
        Targets::RandomNode(nodes) => format!("around one of {}", list(nodes)),
        Targets::Halves(nodes) => format!("between halves of {}", list(nodes)),
        Targets::RandomHalves(nodes) => format!("between random halves of {}", list(nodes)),
        Targets::Minority(nodes) => format!("around a minority of {}", list(nodes)),
        Targets::MajorityRing(nodes) => format!("in a ring of majorities of {}", list(nodes)),
        Targets::Bridge(nodes) => format!("but for a bridge in {}", list(nodes)),
        Targets::Groups(count, nodes) => format!("between {count} groups of {}", list(nodes)),
    }
}

/// How much of what was offered was served, over sliding looks at the run.
struct Health<'a> {
    width: Span,
    /// The windows of the load.
    windows: &'a [Window],
    /// How many windows one look takes in.
    reach: usize,
    /// When requests succeeded, in order.
    successes: Vec<Time>,
}

impl Health<'_> {
    fn of(requests: &Requests, quiet: Time) -> Health<'_> {
        let width = requests.width();
        let loaded = (quiet.0 / width.0) as usize;
        let windows = requests.windows();
        let successes =
            requests.iter().filter(|(_, request)| request.standing == Standing::Succeeded);
        let mut successes: Vec<Time> = successes.map(|(_, request)| request.ended).collect();
        successes.sort();
        Health {
            width,
            windows: &windows[..loaded.min(windows.len())],
            reach: (LOOK.0.div_ceil(width.0) as usize).max(2),
            successes,
        }
    }

    /// The share served in a look; `None` where nothing was offered.
    fn served(&self, look: Range<usize>) -> Option<f64> {
        let look = &self.windows[look];
        let sum = |pick: fn(&Window) -> u64| look.iter().map(pick).sum::<u64>();
        let (offered, good) = (sum(|window| window.offered), sum(|window| window.good));
        (offered > 0).then(|| good as f64 / offered as f64)
    }

    /// The share served in the last looks that were over when a fault began.
    fn level(&self, begins: Time) -> f64 {
        let before = ((begins.0 / self.width.0) as usize).min(self.windows.len());
        let look = |end: usize| self.served(end.saturating_sub(self.reach)..end);
        let known: Vec<f64> = (1..=before).rev().filter_map(look).take(20).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        if known.is_empty() { 1.0 } else { mean.min(1.0) }
    }

    /// From the end of a fault to the first success of the first look, of those that begin no
    /// earlier than that end, in which the share served is back at [`WELL`] of its level before.
    fn recovery(&self, begins: Time, ends: Time) -> Option<Span> {
        let well = WELL * self.level(begins);
        let first = ends.0.div_ceil(self.width.0) as usize;
        // Where the load ends sooner than a look does, what is left of it is the look.
        let reach = self.reach.min(self.windows.len().saturating_sub(first));
        let starts = first..=self.windows.len() - reach;
        let mut starts = starts.filter(|_| reach > 0);
        let start = starts.find(|start| {
            self.served(*start..*start + reach).is_some_and(|served| served >= well)
        })?;
        let from = ends.max(Time(start as u64 * self.width.0));
        let next = self.successes.partition_point(|at| *at < from);
        self.successes.get(next).map(|at| *at - ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Name, Root};
    use crate::parts::client_facts;
    use crate::scenario::{load, source::Source};

    /// Windows of 100 ms, because the run takes 24 s.
    fn scenario() -> Scenario {
        let text = r#"Scenario(
    title: "Faults",
    run: (load: "20s", quiet: "4s"),
    nodes: {
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "10/s")),
        "server": Service(operations: {"serve": ()}),
    },
    faults: {
        "crash": (what: Crash(node: "server"), at: "5s", for: "2s"),
        "cut": (what: Partition(links: Between(["user"], ["server"])), at: "18s"),
    },
)"#;
        load(&Source::new("faults.ron", text)).expect("it can be read")
    }

    fn turn(timeline: &mut Timeline, seconds: u64, index: u64, begins: bool) {
        let at = Time(seconds * Span::SECOND.0);
        let what = Name::of("fault");
        let fact = Fact { at, node: NodeId(0), root: Root::NONE, what, key: index, value: 0 };
        if begins { timeline.begins(&fact) } else { timeline.ends(&fact) }
    }

    /// A request every 100 ms, answered 50 ms later: well or, from `bad.0` to `bad.1` s, not.
    fn requests(scenario: &Scenario, bad: (u64, u64), why: Fault) -> Requests {
        let user = [(NodeId(1), "user".to_owned())];
        let mut requests = Requests::new(&user, 2, Time(0), scenario.variants[0].phases.end());
        let tenth = Span::SECOND.0 / 10;
        for root in 1..200 {
            let at = Time(root * tenth);
            let is_bad = (bad.0 * 10..bad.1 * 10).contains(&root);
            let (what, key) = match is_bad {
                true => (client_facts::FAILED, why as u64),
                false => (client_facts::SUCCEEDED, 0),
            };
            let root = Root(root as u32);
            let fact =
                Fact { at, node: NodeId(1), root, what: client_facts::STARTED, key: 0, value: 1 };
            requests.started(&fact);
            requests.ended(&Fact { at: at + Span(tenth / 2), what, key, value: tenth / 2, ..fact });
        }
        requests
    }

    fn timeline() -> Timeline {
        let mut timeline = Timeline::default();
        turn(&mut timeline, 5, 0, true);
        turn(&mut timeline, 7, 0, false);
        turn(&mut timeline, 18, 1, true);
        timeline
    }

    #[test]
    fn an_episode_says_when_a_fault_was_felt_and_when_all_was_well_again() {
        let scenario = scenario();
        let variant = &scenario.variants[0];
        let requests = requests(&scenario, (6, 9), Fault::Timeout);
        let [crash, cut] = &timeline().episodes(&scenario, variant, &requests)[..] else {
            panic!("two faults have begun")
        };
        assert_eq!((crash.name.as_str(), crash.what.as_str()), ("crash", "crash of server"));
        assert_eq!(crash.felt_after, Some(Span::from_millis(1050)));
        assert_eq!(crash.recovered_after, Some(Span::from_millis(2050)), "the first good answer");
        assert_eq!(
            (cut.what.as_str(), cut.felt_after),
            ("partition between user and server", None)
        );
        assert_eq!(
            cut.ends,
            scenario.variants[0].phases.end(),
            "it had no end while facts were noted"
        );
        assert_eq!(cut.recovered_after, None, "the load ended first");
    }

    #[test]
    fn recovery_is_counted_from_the_end_of_the_fault_and_looks_at_nothing_before_it() {
        let scenario = scenario();
        let variant = &scenario.variants[0];
        let recovered = |bad| {
            let requests = requests(&scenario, bad, Fault::Timeout);
            timeline().episodes(&scenario, variant, &requests)[0].recovered_after
        };
        // Nothing fails, or only while the fault is on: the next answer is the proof.
        assert_eq!(recovered((0, 0)), Some(Span::from_millis(50)));
        assert_eq!(recovered((5, 7)), Some(Span::from_millis(50)));
        // What fails before the fault does not lower what counts as well for long.
        assert_eq!(recovered((7, 12)), Some(Span::from_millis(5050)));
        assert_eq!(recovered((7, 20)), None);
    }

    #[test]
    fn a_failure_while_several_faults_are_on_names_the_others() {
        let scenario = scenario();
        let variant = &scenario.variants[0];
        let requests = requests(&scenario, (6, 9), Fault::Timeout);
        let mut timeline = timeline();
        turn(&mut timeline, 6, 1, true);
        timeline.spells[2].2 = Some(Time(8 * Span::SECOND.0));
        let episodes = timeline.episodes(&scenario, variant, &requests);
        let beside = |place: usize| episodes[place].felt_beside.join(", ");
        assert_eq!((beside(0).as_str(), beside(2).as_str()), ("cut", "crash"));
        assert!(episodes.iter().take(1).all(|one| one.felt_after.is_some()));
        assert_eq!(beside(1), "", "what is over is to blame for nothing");
    }

    #[test]
    fn business_refusals_are_no_way_to_feel_a_fault() {
        let scenario = scenario();
        let requests = requests(&scenario, (5, 7), Fault::Refused);
        let episodes = timeline().episodes(&scenario, &scenario.variants[0], &requests);
        assert_eq!(episodes[0].felt_after, None);
    }

    #[test]
    fn a_fault_that_comes_again_is_another_episode() {
        let mut timeline = timeline();
        turn(&mut timeline, 9, 0, true);
        turn(&mut timeline, 10, 0, false);
        let spells: Vec<_> = timeline.spells.iter().filter(|spell| spell.0 == 0).collect();
        assert_eq!((spells.len(), spells[1].2), (2, Some(Time(10 * Span::SECOND.0))));
    }
}
