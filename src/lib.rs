//! Stormglass: a deterministic simulator for distributed-system designs.
//!
//! An architect describes a system in one file; Stormglass simulates it and says what each design
//! buys and what it costs. The same run checks invariants, so a design that is fast and wrong is
//! found out. A run is a function of the build, the scenario and the seed.
//!
//! The layers, each knowing only those above it in this list:
//!
//! - [`stats`]: estimates, intervals and histograms; knows nothing of simulation.
//! - [`engine`]: events, tasks, time, random streams; knows no network, no pattern, no file.
//! - [`world`]: network, machines, disks, and the faults that befall them.
//! - [`parts`]: clients, services, stores, and the policies between them.
//! - [`patterns`]: what the textbook has a name for. Read `patterns/saga` first.
//! - [`scenario`]: from a file to a system, and every way in which that can fail.
//! - [`check`]: the readers of the facts: metrics and invariants.
//! - [`report`]: from what was found to what is printed.
//! - [`explore`]: many runs: variants, seeds, and the story of a violation.
//!
//! ```
//! use stormglass::explore::{Plan, Silent, study};
//! use stormglass::scenario::{load, source::Source};
//!
//! let text = r#"Scenario(
//!     title: "One server",
//!     run: (load: "10s", quiet: "5s"),
//!     nodes: {
//!         "users": Client(target: "server", operation: "serve", load: Poisson(rate: "80/s")),
//!         "server": Service(machine: (workers: 1), operations: {"serve": (cost: Exponential(mean:
//! "10ms"))}),
//!     },
//! )"#;
//! let scenario = load(&Source::new("one_server.ron", text)).expect("the scenario can be read");
//! let plan = Plan { seeds: vec![1, 2], variants: vec![], jobs: 0 };
//! let found = study(&scenario, &plan, &Silent);
//! assert!(found.held(), "every request is accounted for");
//! ```

pub mod check;
pub mod engine;
pub mod explore;
pub mod parts;
pub mod patterns;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod world;
