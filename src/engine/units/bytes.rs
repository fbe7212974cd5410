//! `Bytes` is a size and `Bandwidth` how much of it passes in a second.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parse::{ParseError, Quantity, Unit, decimal, deserialize_text, four_digits};
use crate::engine::time::Span;

/// A size in bytes.
///
/// Written as a number and a unit: `"512B"`, `"10kB"` (1000 bytes each), `"64KiB"` (1024 bytes
/// each), `"1.5MiB"`, `"1GB"`, up to `TB` and `TiB`. A fraction of a byte is an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Bytes(pub u64);

/// A positive number of bits per second.
///
/// Written as `"100Mbit/s"` or in bytes as `"10MiB/s"`; `k`, `M`, `G` and `T` are powers of 1000,
/// `Ki`, `Mi`, `Gi` and `Ti` powers of 1024.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bandwidth {
    bits_per_second: u64,
}

const fn unit(name: &'static [&'static str], hints: &'static [&'static str], scale: u64) -> Unit {
    Unit { names: name, hints, scale }
}

const BYTES: Quantity = Quantity {
    what: "a size",
    examples: r#""512B", "64KiB", "1.5MB""#,
    units: &[
        unit(&["B"], &["byte", "bytes"], 1),
        unit(&["kB"], &["k", "kb"], 1_000),
        unit(&["KiB"], &["Ki"], 1 << 10),
        unit(&["MB"], &["M", "Mb"], 1_000_000),
        unit(&["MiB"], &["Mi"], 1 << 20),
        unit(&["GB"], &["G", "Gb"], 1_000_000_000),
        unit(&["GiB"], &["Gi"], 1 << 30),
        unit(&["TB"], &["T", "Tb"], 1_000_000_000_000),
        unit(&["TiB"], &["Ti"], 1 << 40),
    ],
    bare: None,
    compound: false,
};

const BANDWIDTH: Quantity = Quantity {
    what: "a bandwidth",
    examples: r#""100Mbit/s", "10MiB/s", "1Gbit/s""#,
    units: &[
        unit(&["bit/s"], &["bps", "b/s"], 1),
        unit(&["kbit/s"], &["kbps", "kb/s"], 1_000),
        unit(&["Mbit/s"], &["Mbps", "Mb/s"], 1_000_000),
        unit(&["Gbit/s"], &["Gbps", "Gb/s"], 1_000_000_000),
        unit(&["Tbit/s"], &["Tbps", "Tb/s"], 1_000_000_000_000),
        unit(&["B/s"], &["Bps", "bytes/s"], 8),
        unit(&["kB/s"], &["kBps"], 8 * 1_000),
        unit(&["KiB/s"], &["KiBps"], 8 << 10),
        unit(&["MB/s"], &["MBps"], 8 * 1_000_000),
        unit(&["MiB/s"], &["MiBps"], 8 << 20),
        unit(&["GB/s"], &["GBps"], 8 * 1_000_000_000),
        unit(&["GiB/s"], &["GiBps"], 8 << 30),
        unit(&["TB/s"], &["TBps"], 8 * 1_000_000_000_000),
        unit(&["TiB/s"], &["TiBps"], 8 << 40),
    ],
    bare: None,
    compound: false,
};

impl Bytes {
    /// Nothing.
    pub const ZERO: Bytes = Bytes(0);

    /// The text that reads back as exactly this size: `1536KiB`, `10kB`.
    pub fn exact(self) -> String {
        exact(self.0, &BYTES)
    }
}

/// The value in the largest unit that divides it.
fn exact(value: u64, quantity: &Quantity) -> String {
    let fits = |unit: &&Unit| value.is_multiple_of(unit.scale) && value >= unit.scale;
    let unit = quantity.units.iter().filter(fits).max_by_key(|unit| unit.scale);
    let unit = unit.unwrap_or(&quantity.units[0]);
    format!("{}{}", value / unit.scale, unit.names[0])
}

/// The exact value if it is short, else four digits with a power of a thousand.
fn rounded(value: u64, quantity: &Quantity) -> String {
    let exact = exact(value, quantity);
    let digits = exact.find(|c: char| !c.is_ascii_digit()).unwrap_or(exact.len());
    if digits <= 4 {
        return format!("{} {}", &exact[..digits], &exact[digits..]);
    }
    let value = four_digits(value);
    let decimal_unit = |unit: &&Unit| unit.scale <= value && is_power_of_thousand(unit.scale);
    let unit = quantity.units.iter().filter(decimal_unit).max_by_key(|unit| unit.scale);
    let unit = unit.unwrap_or(&quantity.units[0]);
    format!("{} {}", decimal(value, unit.scale), unit.names[0])
}

fn is_power_of_thousand(scale: u64) -> bool {
    let digits = scale.ilog10();
    digits.is_multiple_of(3) && scale == 10_u64.pow(digits)
}

impl Add for Bytes {
    type Output = Bytes;

    fn add(self, other: Bytes) -> Bytes {
        Bytes(self.0.saturating_add(other.0))
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Bytes>>(sizes: I) -> Bytes {
        sizes.fold(Bytes::ZERO, Add::add)
    }
}

/// For people: `64 KiB`, `1.235 MB`. Rounded; see [`Bytes::exact`].
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&rounded(self.0, &BYTES))
    }
}

impl FromStr for Bytes {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Bytes, ParseError> {
        BYTES.read(text).map(Bytes)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserialize_text(deserializer, "a size such as \"64KiB\"")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl Bandwidth {
    /// So many bits per second, if that is above none.
    pub fn from_bits_per_second(bits_per_second: u64) -> Option<Bandwidth> {
        (bits_per_second > 0).then_some(Bandwidth { bits_per_second })
    }

    /// Bits per second; at least 1.
    pub fn bits_per_second(self) -> u64 {
        self.bits_per_second
    }

    /// How long so many bytes take to pass, rounded up to a nanosecond; saturates.
    pub fn time_for(self, size: Bytes) -> Span {
        let bit_nanos = u128::from(size.0) * 8 * u128::from(Span::SECOND.0);
        let nanos = bit_nanos.div_ceil(u128::from(self.bits_per_second));
        Span(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The text that reads back as exactly this bandwidth: `100Mbit/s`.
    pub fn exact(self) -> String {
        exact(self.bits_per_second, &BANDWIDTH)
    }
}

/// For people: `100 Mbit/s`. Rounded; see [`Bandwidth::exact`].
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&rounded(self.bits_per_second, &BANDWIDTH))
    }
}

impl FromStr for Bandwidth {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Bandwidth, ParseError> {
        let bits_per_second = BANDWIDTH.read(text)?;
        Bandwidth::from_bits_per_second(bits_per_second)
            .ok_or_else(|| BANDWIDTH.error(text, "it must be above zero"))
    }
}

impl<'de> Deserialize<'de> for Bandwidth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bandwidth, D::Error> {
        deserialize_text(deserializer, "a bandwidth such as \"100Mbit/s\"")
    }
}

impl Serialize for Bandwidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Bytes {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn bandwidth(text: &str) -> Bandwidth {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn decimal_and_binary_sizes_are_told_apart() {
        let expected = [
            ("512B", 512),
            ("10kB", 10_000),
            ("64KiB", 65_536),
            ("1.5MiB", 1_572_864),
            ("1 GB", 1_000_000_000),
            ("2TiB", 2 << 40),
            ("0", 0),
        ];
        for (text, bytes) in expected {
            assert_eq!(size(text), Bytes(bytes), "{text}");
        }
    }

    #[test]
    fn a_refused_size_or_bandwidth_says_why() {
        let error = |text: &str| text.parse::<Bytes>().expect_err("not a size").to_string();
        let tail = r#"; expected for example "512B", "64KiB", "1.5MB""#;
        let expected = [
            ("512", "it has no unit"),
            ("5 KB", "unknown unit `KB`, did you mean `kB`?"),
            ("5 Mb", "unknown unit `Mb`, did you mean `MB`?"),
            ("5 bytes", "unknown unit `bytes`, did you mean `B`?"),
            ("0.5B", "it is more precise than the smallest unit"),
            ("-1B", "it is negative"),
            ("20000000TB", "it is too large"),
        ];
        for (text, why) in expected {
            assert_eq!(error(text), format!("{text:?} is not a size: {why}{tail}"));
        }
        let error = |text: &str| text.parse::<Bandwidth>().expect_err("no bandwidth").to_string();
        let tail = r#"; expected for example "100Mbit/s", "10MiB/s", "1Gbit/s""#;
        let expected = [
            ("0bit/s", "it must be above zero"),
            ("100 Mbps", "unknown unit `Mbps`, did you mean `Mbit/s`?"),
            ("100 Mb/s", "unknown unit `Mb/s`, did you mean `Mbit/s`?"),
            ("100 Mbits/s", "unknown unit `Mbits/s`, did you mean `Mbit/s`?"),
        ];
        for (text, why) in expected {
            assert_eq!(error(text), format!("{text:?} is not a bandwidth: {why}{tail}"));
        }
    }

    #[test]
    fn transmission_takes_size_over_bandwidth_rounded_up() {
        assert_eq!(bandwidth("100Mbit/s").time_for(size("1.25MB")), Span(100_000_000));
        assert_eq!(bandwidth("10MiB/s").time_for(size("1MiB")), Span(100_000_000));
        assert_eq!(bandwidth("3bit/s").time_for(Bytes(1)), Span(2_666_666_667));
        assert_eq!(bandwidth("1Gbit/s").time_for(Bytes::ZERO), Span::ZERO);
        assert_eq!(bandwidth("1bit/s").time_for(Bytes(u64::MAX)), Span::MAX);
    }

    #[test]
    fn sizes_and_bandwidths_print_for_people_and_exactly() {
        let people = [("64KiB", "64 KiB"), ("1.5MiB", "1536 KiB"), ("1234567B", "1.235 MB")];
        for (text, printed) in people {
            assert_eq!(size(text).to_string(), printed);
        }
        for text in ["0B", "1B", "1536KiB", "10kB", "1234567B", "1GB"] {
            assert_eq!(size(text).exact(), text);
            assert_eq!(size(&size(text).exact()), size(text));
        }
        for text in ["100Mbit/s", "10MiB/s", "7bit/s", "12345678bit/s"] {
            assert_eq!(bandwidth(text).exact(), text);
        }
        assert_eq!(format!("{:>12}", bandwidth("12345678bit/s")), " 12.35 Mbit/s".trim_start());
        assert_eq!(ron::to_string(&size("64KiB")), Ok("\"64KiB\"".into()));
        assert_eq!(ron::from_str::<Bandwidth>("\"1Gbit/s\""), Ok(bandwidth("1000Mbit/s")));
    }
}
