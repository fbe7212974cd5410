//! Stormglass: a deterministic simulator for distributed-system designs.
pub mod check;
pub mod engine;
pub mod explore;
pub mod parts;
pub mod patterns;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod world;
