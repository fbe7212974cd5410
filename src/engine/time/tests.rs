//! Time, spans, and how they are written.

use super::*;

fn span(text: &str) -> Span {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    text.parse::<Span>().expect_err("the text is not a span").to_string()
}

#[test]
fn spans_are_read_exactly() {
    let expected = [
        ("5ms", 5_000_000),
        ("5 ms", 5_000_000),
        (" 5ms ", 5_000_000),
        ("1.5s", 1_500_000_000),
        ("0.1s", 100_000_000),
        ("2m 30s", 150_000_000_000),
        ("2m30s", 150_000_000_000),
        ("2min 30s", 150_000_000_000),
        ("1h 5m", 3_900_000_000_000),
        ("1d", 86_400_000_000_000),
        ("250us", 250_000),
        ("3µs", 3_000),
        ("3μs", 3_000),
        ("10ns", 10),
        ("10_000ns", 10_000),
        ("0.000000001s", 1),
        ("1.50s", 1_500_000_000),
        ("0", 0),
        ("0ms", 0),
        ("18446744073709551615ns", u64::MAX),
    ];
    for (text, nanos) in expected {
        assert_eq!(span(text), Span(nanos), "{text}");
    }
}

#[test]
fn a_refused_span_says_why_and_what_would_work() {
    let tail = r#"; expected for example "5ms", "1.5s", "2m 30s""#;
    let expected = [
        ("5 parsecs", "unknown unit `parsecs`, the units are ns, us, ms, s, m, h, d"),
        ("5 sec", "unknown unit `sec`, did you mean `s`?"),
        ("5 Seconds", "unknown unit `Seconds`, did you mean `s`?"),
        ("5 sm", "unknown unit `sm`, did you mean `ms`?"),
        ("5MS", "unknown unit `MS`, did you mean `ms`?"),
        ("1h 5minutes", "unknown unit `minutes`, did you mean `m`?"),
        ("5", "it has no unit"),
        ("5s 0", "it has no unit"),
        ("-5ms", "it is negative"),
        ("ms", "a number is missing"),
        ("", "a number is missing"),
        (".5s", "a number is missing"),
        ("1,5s", "a number has no comma; write a decimal point"),
        ("1.5ns", "it is more precise than the smallest unit"),
        ("0.0000000001s", "it is more precise than the smallest unit"),
        ("600000d", "it is too large"),
        ("213503d 24h", "it is too large"),
        ("1234567890123456789012345678s", "the number has too many digits"),
        ("30s 2m", "its parts must go from the largest unit to the smallest"),
        ("5ms 5ms", "its parts must go from the largest unit to the smallest"),
    ];
    for (text, why) in expected {
        assert_eq!(error(text), format!("{text:?} is not a time span: {why}{tail}"));
    }
}

#[test]
fn people_read_four_digits_and_a_fitting_unit() {
    let expected = [
        (0, "0 s"),
        (412, "412 ns"),
        (1_500, "1.5 µs"),
        (1_500_000, "1.5 ms"),
        (1_234_567, "1.235 ms"),
        (12_345_678, "12.35 ms"),
        (999_949_000, "999.9 ms"),
        (999_950_000, "1 s"),
        (20_000_000_000, "20 s"),
        (59_994_999_999, "59.99 s"),
        (59_995_000_000, "1 m"),
        (150_400_000_000, "2 m 30 s"),
        (3_599_500_000_000, "1 h"),
        (3_900_000_000_000, "1 h 5 m"),
        (86_400_000_000_000, "1 d"),
        (93_600_000_000_000, "1 d 2 h"),
        (u64::MAX, "forever"),
    ];
    for (nanos, text) in expected {
        assert_eq!(Span(nanos).to_string(), text);
    }
    assert_eq!(format!("[{:>8}] [{:<7}]", Span(1_500_000), Time(7_000)), "[  1.5 ms] [7 µs   ]");
    assert_eq!(Time::MAX.to_string(), "never");
}

#[test]
fn the_exact_text_reads_back_as_the_same_span() {
    let expected = [
        (0, "0s"),
        (1, "1ns"),
        (1_234_567, "1.234567ms"),
        (150_000_000_000, "2m 30s"),
        (60_000_000_001, "1m 0.000000001s"),
        (93_600_000_000_000, "26h"),
    ];
    for (nanos, text) in expected {
        assert_eq!(Span(nanos).exact(), text);
    }
    let mut nanos = 1_u64;
    while nanos < u64::MAX / 7 {
        assert_eq!(span(&Span(nanos).exact()), Span(nanos));
        nanos = nanos * 7 + 3;
    }
    assert_eq!(span(&Span::MAX.exact()), Span::MAX);
    let text = ron::to_string(&Span(1_234_567)).expect("a span is serializable");
    assert_eq!(ron::from_str::<Span>(&text), Ok(Span(1_234_567)));
}

#[test]
fn ron_errors_carry_the_reason_and_a_bare_number_has_no_unit() {
    let error = ron::from_str::<Span>("5").expect_err("a unit is missing");
    assert!(error.to_string().contains("\"5\" is not a time span: it has no unit"), "{error}");
    let error = ron::from_str::<Span>("true").expect_err("not even a number");
    assert!(error.to_string().contains("a time span such as \"5ms\""), "{error}");
    assert_eq!(ron::from_str::<Time>("\"90s\""), Ok(Time(90_000_000_000)));
}

#[test]
fn arithmetic_saturates_instead_of_wrapping() {
    assert_eq!(Time(5) + Span(3), Time(8));
    assert_eq!(Time(5) - Time(3), Span(2));
    assert_eq!(Time(3) - Time(5), Span::ZERO);
    assert_eq!(Time(3) - Span(5), Time::ZERO);
    assert_eq!(Time::MAX + Span(1), Time::MAX);
    assert_eq!(Span::MAX * 2, Span::MAX);
    assert_eq!(Span(7) / 2, Span(3));
    assert_eq!([Span(1), Span(2)].into_iter().sum::<Span>(), Span(3));
}

#[test]
fn seconds_convert_both_ways_and_saturate() {
    assert_eq!(Span::from_seconds_f64(1.5), Span(1_500_000_000));
    assert_eq!(Span::from_seconds_f64(-1.0), Span::ZERO);
    assert_eq!(Span::from_seconds_f64(f64::NAN), Span::ZERO);
    assert_eq!(Span::from_seconds_f64(f64::INFINITY), Span::MAX);
    assert_eq!(Span::from_nanos_f64(-0.3), Span::ZERO);
    for (nanos, rounded) in [(0.0, 0), (0.5, 0), (2.4, 2), (2.5, 2), (2.6, 3), (3.5, 4)] {
        assert_eq!(Span::from_nanos_f64(nanos), Span(rounded), "{nanos}");
    }
    for whole in [1, (1 << 52) - 1, 1 << 52, (1 << 52) + 1, 1 << 53, 1 << 63] {
        assert_eq!(Span::from_nanos_f64(whole as f64), Span(whole));
    }
    let largest = (1_u64 << 52) as f64 - 0.5;
    assert_eq!(Span::from_nanos_f64(largest), Span(1 << 52), "a tie goes to the even one");
    assert!((Time(1_500_000_000).as_seconds() - 1.5).abs() < 1e-12);
}
