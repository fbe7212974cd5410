//! Stormglass: a deterministic simulator for distributed-system designs.
pub mod engine;
pub mod scenario;
pub mod world;
