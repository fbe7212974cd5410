//! Reports.
pub mod number;
