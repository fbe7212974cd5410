//! Stormglass: a deterministic simulator for distributed-system designs.
pub mod engine;
pub mod parts;
pub mod patterns;
pub mod scenario;
pub mod world;
