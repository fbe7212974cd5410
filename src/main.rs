//! temp
#![allow(clippy::disallowed_macros)]
use stormglass::{
    explore::*,
    scenario::{diagnose, load, source::Source},
};
struct P;
impl Progress for P {
    fn begins(&self, _: u64) {}
    fn advances(&self) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let source = Source::read(std::path::Path::new(&a[1]))
        .map_err(|p| print!("{}", diagnose::render(&[p], None, false)))
        .unwrap();
    let scenario = load(&source)
        .map_err(|p| println!("{}", diagnose::render(&p, Some(&source), true)))
        .unwrap();
    let n: u64 = a.get(2).map_or(1, |n| n.parse().unwrap());
    let t = std::time::Instant::now();
    let s = study(&scenario, &Plan { seeds: (1..=n).collect(), variants: vec![], jobs: 0 }, &P);
    let wall = t.elapsed().as_secs_f64();
    let ev: u64 = s.variants.iter().flat_map(|v| &v.runs).map(|r| r.events).sum();
    for v in &s.variants {
        println!("== {}", v.name);
        let r = &v.runs[0];
        println!("events {} digest {:016x}", r.events, r.digest);
        for m in &r.measures {
            println!("  {:32} {:?}", m.id, m.value);
        }
        for f in &r.flows {
            println!(
                "  {} started {} ok {} failed {:?} inflight {}",
                f.name, f.started, f.succeeded, f.failed, f.in_flight
            );
        }
        for f in &r.findings {
            println!("  {} checked {} viol {} {:?}", f.invariant, f.checked, f.violations, f.first);
        }
        for e in &r.episodes {
            println!("  {:?}", e);
        }
        for c in &v.chains {
            println!("  chain {} seed {}", c.invariant, c.seed);
            for st in &c.steps {
                println!(
                    "     {} {:14} {}{}",
                    st.at,
                    st.node,
                    if st.is_bad { "! " } else { "  " },
                    st.what
                );
            }
        }
    }
    for j in &s.judgements {
        println!(
            "{} {}: {} -> {} {:?}",
            if j.held { "ok  " } else { "FAIL" },
            j.variant,
            j.says,
            j.found,
            j.reproduce
        );
    }
    println!("{} events, {:.3} s wall, {:.2} M events/s", ev, wall, ev as f64 / wall / 1e6);
}
