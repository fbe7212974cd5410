//! Quantities as scenarios write them: integers inside, friendly strings outside.
//!
//! `Ratio` is a probability, `Factor` a multiplier, `Rate` events per time, `Bytes` a size and
//! `Bandwidth` bits per time, `Shift` a span with a sign ([`Span`](crate::engine::time::Span), a
//! length of time, has its own file). Each reads a string exactly, without floating point, says
//! what is wrong with a text it refuses, and prints a string that reads back as the same value: the
//! resolved scenario in a report can be run again.

mod bytes;
pub(crate) mod parse;
mod rate;
mod ratio;
mod shift;
pub(crate) mod spelt;

pub use bytes::{Bandwidth, Bytes};
pub use parse::ParseError;
pub use rate::Rate;
pub use ratio::{Factor, Ratio};
pub use shift::Shift;

/// The greatest common divisor, by Euclid's algorithm; the fractions here are kept reduced.
fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
