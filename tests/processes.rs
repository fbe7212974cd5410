//! Arrival processes against what is known of them in closed form: means and variances of counts,
//! exact instants, and that nobody's draws move anybody else's.

mod common;

use common::{Record, run};

/// Runs a client with `load` and whatever else is said of it.
fn client(load: &str, run_for: &str) -> Record {
    run(&format!(
        "Scenario(
    title: \"Arrivals\",
    run: (load: \"{run_for}\", quiet: \"1s\"),
    network: (latency: \"0s\"),
    nodes: {{
        \"users\": Client(target: \"server\", operation: \"go\", load: {load}),
        \"server\": Service(operations: {{\"go\": (cost: \"0s\")}}),
    }},
)"
    ))
}

/// When requests began, in seconds.
fn began(record: &Record) -> Vec<f64> {
    record.times("request.started").iter().map(|at| at.as_seconds()).collect()
}

fn arrivals(load: &str, run_for: &str) -> Vec<f64> {
    began(&client(load, run_for))
}

/// Mean of the counts in windows, and their index of dispersion: variance over mean.
fn dispersion(times: &[f64], window: f64, windows: usize) -> (f64, f64) {
    let mut counts = vec![0.0; windows];
    for time in times {
        if let Some(count) = counts.get_mut((time / window) as usize) {
            *count += 1.0;
        }
    }
    let mean = counts.iter().sum::<f64>() / windows as f64;
    let squares: f64 = counts.iter().map(|count| (count - mean) * (count - mean)).sum();
    (mean, squares / (windows - 1) as f64 / mean)
}

fn near(found: f64, expected: f64, share: f64, what: &str) {
    assert!((found / expected - 1.0).abs() <= share, "{what}: {found} for {expected}");
}

#[test]
fn poisson_counts_have_a_variance_like_their_mean() {
    let (mean, index) = dispersion(&arrivals("Poisson(rate: \"100/s\")", "1000s"), 1.0, 1000);
    near(mean, 100.0, 0.01, "mean");
    near(index, 1.0, 0.1, "index of dispersion");
}

#[test]
fn constant_arrivals_do_not_drift() {
    let times = arrivals("Constant(rate: \"3/s\")", "100s");
    assert_eq!(times.len(), 299, "one after each gap, and the load ends with the last");
    assert!((times[298] - 299.0 / 3.0).abs() < 1e-9);
    let (mean, index) = dispersion(&times, 1.0, 99);
    near(mean, 3.0, 0.01, "mean");
    assert!(index < 0.01, "{index}");
}

#[test]
fn the_first_of_constant_arrivals_may_come_at_the_start() {
    // Case K01: one request every 20 ms from 0 on for 10 s.
    let times = arrivals("Constant(rate: \"50/s\", first: \"0s\")", "10s");
    assert_eq!((times.len(), times[0], times[499]), (500, 0.0, 9.98));
}

#[test]
fn counts_of_a_renewal_process_are_as_uneven_as_its_gaps() {
    // In the long run the index of dispersion of counts is the squared coefficient of variation of
    // the gaps (D. R. Cox, "Renewal Theory", 1962, section 4.2).
    let cases = [
        ("Gamma(rate: \"100/s\", cv: 2)", 4.0),
        ("Gamma(rate: \"100/s\", shape: 4)", 0.25),
        ("Gaps(Erlang(k: 4, mean: \"10ms\"))", 0.25),
        // Gamma(1 + 2/k) / Gamma(1 + 1/k)² - 1 with k = 0.6.
        ("Weibull(rate: \"100/s\", shape: 0.6)", 3.0909),
    ];
    for (load, expected) in cases {
        let (mean, index) = dispersion(&arrivals(load, "2000s"), 2.0, 1000);
        near(mean, 200.0, 0.02, load);
        near(index, expected, 0.15, load);
    }
}

#[test]
fn bursts_have_the_dispersion_of_their_states() {
    let load =
        "Bursts(states: [(rate: \"20/s\", stay: \"400ms\"), (rate: \"220/s\", stay: \"100ms\")])";
    let (mean, index) = dispersion(&arrivals(load, "4000s"), 10.0, 400);
    // 20 · 0.8 + 220 · 0.2 = 60 a second.
    near(mean, 600.0, 0.02, "mean");
    // 1 + 2 (l1 - l2)² r1 r2 / ((r1 + r2)² (l1 r2 + l2 r1)) with rates of leaving 2.5 and 10:
    // 1 + 2 · 200² · 25 / (12.5² · (20 · 10 + 220 · 2.5)) = 18.07 (Heffes and Lucantoni, 1986).
    near(index, 18.07, 0.2, "index of dispersion");
}

/// The gaps of a process in the time that its cumulated rate makes: exponential of mean 1 if the
/// process is Poisson with that rate (time rescaling).
fn rescaled(times: &[f64], area: impl Fn(f64) -> f64) -> (f64, f64) {
    let areas: Vec<f64> = times.iter().map(|time| area(*time)).collect();
    let gaps: Vec<f64> = areas.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let square = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>();
    (mean, square / gaps.len() as f64 / (mean * mean))
}

#[test]
fn a_profile_makes_an_exact_poisson_process_of_its_rate() {
    use std::f64::consts::PI;
    let day = |t: f64| {
        100.0 * t + 100.0 * 0.9 * 50.0 / (2.0 * PI) * (1.0 - libm::cos(2.0 * PI * t / 50.0))
    };
    let crowd = |t: f64| {
        let after = (t - 20.0).max(0.0);
        50.0 * t + 950.0 * 30.0 * (1.0 - libm::exp(-after / 30.0))
    };
    let ramp = |t: f64| if t < 100.0 { 10.0 * t + t * t } else { 11_000.0 + 210.0 * (t - 100.0) };
    let cases: [(&str, &dyn Fn(f64) -> f64); 3] = [
        ("Diurnal(mean: \"100/s\", amplitude: \"90 %\", period: \"50s\")", &day),
        ("FlashCrowd(base: \"50/s\", peak: \"1000/s\", at: \"20s\", decay: \"30s\")", &crowd),
        ("Ramp(from: \"10/s\", to: \"210/s\", over: \"100s\")", &ramp),
    ];
    for (profile, area) in cases {
        let times = arrivals(&format!("Poisson(rate: {profile})"), "200s");
        near(times.len() as f64, area(200.0), 0.03, profile);
        let (mean, squared_variation) = rescaled(&times, area);
        near(mean, 1.0, 0.03, profile);
        near(squared_variation, 1.0, 0.06, profile);
    }
}

#[test]
fn constant_arrivals_follow_a_profile_to_the_nanosecond() {
    // The cumulated rate is t²/2, so request n comes at the root of 2n.
    let times = arrivals("Constant(rate: Ramp(from: \"0/s\", to: \"10/s\", over: \"10s\"))", "10s");
    assert_eq!(times.len(), 49, "the fiftieth comes when the load ends");
    for (place, time) in times.iter().enumerate() {
        let expected = (2.0 * (place + 1) as f64).sqrt();
        assert!((time - expected).abs() < 2e-9, "request {place}: {time} for {expected}");
    }
    // Ten a second, then none for five seconds, then twenty a second.
    let steps = "Constant(rate: Points(points: [(\"0s\", \"10/s\"), (\"5s\", \"0/s\"), (\"10s\", \"20/s\")], between: Steps))";
    let times = arrivals(steps, "11s");
    let quiet = times.iter().filter(|time| (5.0..10.0).contains(*time)).count();
    assert_eq!((times.len(), quiet), (49 + 20, 0));
}

#[test]
fn requests_come_at_given_instants() {
    // Case E03: every hop takes 2 ms, the only server 4 ms.
    let text = "Scenario(
    title: \"A trace by hand\",
    run: (load: \"1s\"),
    network: (latency: \"2ms\"),
    nodes: {
        \"users\": Client(target: \"server\", operation: \"go\", load: At([\"0ms\", \"5ms\", \"6ms\", \"20ms\"])),
        \"server\": Service(machine: (workers: 1), operations: {\"go\": (cost: \"4ms\")}),
    },
)";
    let record = run(text);
    let told: Vec<f64> =
        record.times("request.succeeded").iter().map(|at| at.as_seconds() * 1e3).collect();
    assert_eq!(told, [8.0, 13.0, 17.0, 28.0]);
    let latencies: Vec<f64> = record.latencies().iter().map(|one| one.as_seconds() * 1e3).collect();
    assert_eq!(latencies.iter().sum::<f64>() / 4.0, 8.75);
}

#[test]
fn a_batch_comes_at_once() {
    // Case B07: a hundred jobs at once on four servers that take 10 ms.
    let text = "Scenario(
    title: \"A batch\",
    run: (load: \"1s\"),
    network: (latency: \"0s\"),
    nodes: {
        \"users\": Client(target: \"server\", operation: \"go\", load: At([\"0s\"]), batch: 100),
        \"server\": Service(machine: (workers: 4), operations: {\"go\": (cost: \"10ms\")}),
    },
)";
    let record = run(text);
    let latencies: Vec<f64> = record.latencies().iter().map(|one| one.as_seconds() * 1e3).collect();
    assert_eq!(latencies.len(), 100);
    assert_eq!(latencies.iter().fold(0.0_f64, |most, one| most.max(*one)), 250.0);
    assert_eq!(latencies.iter().sum::<f64>() / 100.0, 130.0, "a wait of 120 ms and 10 ms of work");
}

#[test]
fn a_client_starts_stops_and_counts() {
    let load = "Constant(rate: \"10/s\"), start: \"2s\", stop: \"5s\"";
    let times = arrivals(load, "10s");
    assert_eq!((times.len(), times[0], times[28]), (29, 2.1, 4.9));
    assert_eq!(arrivals("Poisson(rate: \"100/s\"), count: 50", "10s").len(), 50);
    assert_eq!(arrivals("Constant(rate: \"1/s\"), batch: 7, count: 10", "10s").len(), 10);
    assert_eq!(arrivals("Closed(users: 3, think: \"10ms\"), count: 100", "10s").len(), 100);
    let closed = arrivals("Closed(users: 1, think: \"500ms\"), start: \"2s\", stop: \"5s\"", "10s");
    assert_eq!((closed.len(), closed[0]), (5, 2.5));
}

#[test]
fn another_client_moves_nobodys_arrivals() {
    let one = "\"users\": Client(target: \"server\", operation: \"go\", load: Poisson(rate: \"50/s\"), keys: Zipf(objects: 100, exponent: 1)),";
    let other = "\"others\": Client(target: \"server\", operation: \"go\", load: Bursts(states: [(rate: \"20/s\", stay: \"400ms\"), (rate: \"220/s\", stay: \"100ms\")]), keys: Uniform(objects: 7), payload: Exponential(mean: \"4KiB\")),";
    let of_users = |clients: &str| {
        let record = run(&format!(
            "Scenario(title: \"t\", run: (load: \"10s\"), nodes: {{{clients} \"server\": Service(operations: {{\"go\": ()}})}})"
        ));
        let started = record.of("request.started").into_iter().filter(|fact| fact.node == "users");
        started.map(|fact| (fact.at, fact.key, fact.value)).collect::<Vec<_>>()
    };
    assert_eq!(of_users(one), of_users(&format!("{one}{other}")));
}
