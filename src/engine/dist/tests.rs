//! Every distribution against its closed form, and its numbers against those of every platform.

use super::moments::Moments;
use super::*;
use crate::engine::units::Rate;

/// A text, the mean in milliseconds and the coefficient of variation by its textbook formula, and
/// the digest of the first 10 000 draws.
type Kind = (&'static str, f64, f64, u64);

/// Each kind in each way to give it.
const KINDS: &[Kind] = &[
    (r#""5ms""#, 5.0, 0.0, 0x85f1_e43d_4914_c365),
    (r#"Uniform(min: "1ms", max: "9ms")"#, 5.0, 0.461_880_273_1, 0xd9a9_3525_668e_f94b),
    (r#"Exponential(mean: "10ms")"#, 10.0, 1.0, 0xca14_7f01_3821_4f95),
    (r#"Exponential(rate: "3/s")"#, 333.333_333_333, 1.0, 0xb9f8_c9bd_7f79_e91f),
    (r#"Erlang(k: 4, mean: "10ms")"#, 10.0, 0.5, 0x260e_4b1b_fd65_8669),
    (r#"Erlang(k: 100, mean: "10ms")"#, 10.0, 0.1, 0x6b7b_86d5_d641_5c05),
    (r#"Gamma(mean: "10ms", cv: 0.5)"#, 10.0, 0.5, 0x0ea7_de55_85ee_bcab),
    (r#"Gamma(mean: "10ms", shape: 0.25)"#, 10.0, 2.0, 0x4309_6d81_6ed7_d23b),
    (
        r#"LogNormal(median: "5ms", p99: "40ms")"#,
        7.455_376_588,
        1.106_031_465_6,
        0x5e4e_3133_627b_4f6b,
    ),
    (r#"LogNormal(median: "5ms", cv: 0.5)"#, 5.590_169_943_7, 0.5, 0xf40d_6b2e_aece_fbd9),
    (r#"LogNormal(mean: "8ms", cv: 1.2)"#, 8.0, 1.2, 0xee14_fa22_a3c3_41a8),
    (r#"LogNormal(mean: "8ms", p99: "40ms")"#, 8.0, 1.021_662_972_4, 0x28de_0adb_b15b_7ae6),
    (r#"Normal(mean: "10ms", deviation: "2ms")"#, 10.0, 0.2, 0x4c45_9b8c_dbfa_9e46),
    (
        r#"Normal(mean: "0s", deviation: "10ms")"#,
        7.978_845_608,
        0.755_510_639_8,
        0xd537_f4f5_b9f4_b324,
    ),
    (r#"Weibull(mean: "10ms", shape: 2.0)"#, 10.0, 0.522_723_200_9, 0x8e6d_5f37_583a_0619),
    (r#"Weibull(scale: "10ms", shape: 0.5)"#, 20.0, 2.236_067_977_5, 0x09ff_2c3e_be16_d83a),
    (r#"Pareto(min: "1ms", alpha: 2.5)"#, 1.666_666_666_7, 0.894_427_191, 0x120d_4501_5587_3df1),
    (
        r#"Pareto(min: "1ms", alpha: 1.0, max: "100ms")"#,
        4.651_687_056_6,
        1.903_012_902_2,
        0xd811_88c4_4054_1624,
    ),
    (
        r#"Pareto(min: "1ms", alpha: 2.0, max: "100ms")"#,
        1.980_198_019_8,
        1.161_508_486_2,
        0xd19c_c7fd_21d8_fa8a,
    ),
    (r#"HyperExponential(mean: "10ms", cv: 3.0)"#, 10.0, 3.0, 0x2266_b42d_0026_03f9),
    (
        r#"HyperExponential(branches: [(weight: 9.0, mean: "2ms"), (weight: 1.0, mean: "82ms")])"#,
        10.0,
        3.538_361_202_6,
        0xa102_bc98_754b_fbd5,
    ),
    (
        r#"Mixture([(weight: 0.9, dist: "1ms"), (weight: 0.1, dist: Exponential(mean: "20ms"))])"#,
        2.9,
        2.935_898_600_9,
        0xd5a6_abe8_1ab0_90cc,
    ),
    (
        r#"Empirical(points: [("1ms", 0.0), ("3ms", 0.5), ("9ms", 1.0)])"#,
        4.0,
        0.595_119_035_7,
        0xcc9c_1fb2_132b_f14f,
    ),
    (
        r#"Empirical(points: [("1ms", 0.0), ("10ms", 0.9), ("100ms", 1.0)], between: Logarithmic)"#,
        7.426_435_640_5,
        1.802_412_598_9,
        0x8927_00ee_78ff_6805,
    ),
    (r#"Empirical(values: ["1ms", "2ms", "2ms", "5ms"])"#, 2.5, 0.6, 0xe9b9_d9f0_defa_f765),
    (
        r#"Shifted(by: "1ms", dist: Exponential(mean: "2ms"))"#,
        3.0,
        0.666_666_666_7,
        0x1a54_62c8_87ed_1d09,
    ),
    (
        r#"Truncated(max: "10ms", dist: Exponential(mean: "10ms"))"#,
        4.180_232_931,
        0.673_764_937,
        0xf07c_89f8_62d9_bc3f,
    ),
    (
        r#"Truncated(min: "10ms", dist: Exponential(mean: "10ms"))"#,
        20.0,
        0.5,
        0x5604_b357_ef39_5a17,
    ),
    (
        r#"Truncated(min: "2ms", max: "30ms", dist: LogNormal(median: "5ms", p99: "40ms"))"#,
        7.584_740_926_7,
        0.720_575_863_4,
        0x49c7_4632_ce3b_f5bc,
    ),
];

fn dist(text: &str) -> Dist {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn draws(text: &str, count: usize) -> Vec<f64> {
    let (dist, mut rng) = (dist(text), Rng::new(42, text));
    (0..count).map(|_| dist.sample(&mut rng).0 as f64).collect()
}

#[test]
fn moments_follow_the_textbook() {
    for &(text, mean, cv, _) in KINDS {
        let dist = dist(text);
        assert!((dist.mean() * 1e3 / mean - 1.0).abs() < 1e-6, "{text}: {}", dist.mean());
        assert!((dist.cv() - cv).abs() < 1e-6 * cv.max(1.0), "{text}: {}", dist.cv());
        let deviation = dist.cv() * dist.mean();
        assert!((dist.variance() - deviation * deviation).abs() <= 1e-12 * dist.variance());
    }
    let pareto = |alpha: f64| dist(&format!("Pareto(min: \"1ms\", alpha: {alpha})"));
    assert_eq!((pareto(1.0).mean(), pareto(1.0).cv()), (f64::INFINITY, f64::INFINITY));
    assert_eq!((pareto(2.0).mean(), pareto(2.0).cv()), (2e-3, f64::INFINITY));
}

/// A release build affords more.
const DRAWS: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

#[test]
fn draws_have_the_mean_and_the_variance_that_were_asked_for() {
    for &(text, ..) in KINDS {
        let draws = draws(text, DRAWS);
        let (count, Moments { mean, variance }) = (draws.len() as f64, dist(text).moments());
        let power = |n: i32| {
            let powers = draws.iter().map(|x| (0..n).fold(1.0, |power, _| power * (x - mean)));
            powers.sum::<f64>() / count
        };
        // Half a nanosecond for the rounding, and for a constant.
        let error = (variance / count).sqrt() + 0.5;
        assert!(power(1).abs() < 4.5 * error, "{text}: the mean is off by {}", power(1));
        if text.contains("alpha: 2.5") {
            // Its fourth moment is infinite, so the variance has no standard error.
            continue;
        }
        let error = ((power(4) - variance * variance).max(0.0) / count).sqrt() + 1.0;
        let off = power(2) - variance;
        assert!(off.abs() < 4.5 * error, "{text}: the variance {variance} is off by {off}");
    }
}

#[test]
fn draws_follow_the_distribution_function() {
    for &(text, ..) in KINDS {
        let mut draws = draws(text, 50_000);
        draws.sort_unstable_by(f64::total_cmp);
        let (count, dist) = (draws.len() as f64, dist(text));
        let mut distance = 0.0_f64;
        for equal in draws.chunk_by(|left, right| left == right) {
            let below = draws.partition_point(|x| *x < equal[0]) as f64;
            // A draw stands for the nanosecond around it.
            let (low, high) = (dist.cdf_nanos(equal[0] - 0.5), dist.cdf_nanos(equal[0] + 0.5));
            let upper = below + equal.len() as f64;
            distance = distance.max((below / count - low).abs()).max((upper / count - high).abs());
        }
        // Kolmogorov and Smirnov: exceeded by one seed in twenty thousand, as there are many kinds.
        assert!(distance < 2.3 / count.sqrt(), "{text}: {distance}");
    }
}

#[test]
fn the_given_quantiles_are_met() {
    for text in
        [r#"LogNormal(median: "5ms", p99: "40ms")"#, r#"LogNormal(mean: "8ms", p99: "40ms")"#]
    {
        assert!((dist(text).cdf(Span::from_millis(40)) - 0.99).abs() < 1e-12, "{text}");
    }
    let median = dist(r#"LogNormal(median: "5ms", cv: 0.5)"#).cdf(Span::from_millis(5));
    assert!((median - 0.5).abs() < 1e-12, "{median}");
    let bounded = dist(r#"Truncated(min: "3ms", max: "4ms", dist: Exponential(mean: "9ms"))"#);
    let mut rng = Rng::new(1, "bounded");
    let range = Span::from_millis(3)..=Span::from_millis(4);
    assert!((0..2_000).all(|_| range.contains(&bounded.sample(&mut rng))));
}

#[test]
fn draws_keep_their_values() {
    let digest = |text: &str| {
        let fold = |sum: u64, x: &f64| (sum ^ *x as u64).wrapping_mul(0x0100_0000_01b3);
        draws(text, 10_000).iter().fold(0xcbf2_9ce4_8422_2325, fold)
    };
    for &(text, _, _, expected) in KINDS {
        assert_eq!(format!("{:x}", digest(text)), format!("{expected:x}"), "{text}");
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    for &(text, ..) in KINDS {
        assert_eq!(dist(text).to_string(), text);
        let compact = Dist::options().to_string(&dist(text));
        assert_eq!(compact.map(|text| dist(&text)), Ok(dist(text)));
        assert_eq!(Dist::new(dist(text).shape()), Ok(dist(text)));
    }
    assert_eq!(dist("5 ms"), Dist::constant(Span::from_millis(5)));
    assert_eq!(dist(r#"Constant("5ms")"#), dist(r#""5ms""#));
    assert_eq!(dist(r#"Exponential(rate: "100/s")"#).to_string(), r#"Exponential(mean: "10ms")"#);
    assert_eq!(Dist::exponential(Span::from_millis(10)), dist(r#"Exponential(mean: "10ms")"#));
    assert_eq!(format!("{:>8}", Dist::default()), "    \"0s\"");
}

#[test]
fn every_example_in_the_reference_is_valid() {
    let source = include_str!("shape.rs");
    let comments: Vec<&str> =
        source.lines().filter_map(|line| line.trim().strip_prefix("///")).collect();
    let comments = comments.join(" ");
    let named = |code: &&str| {
        Shape::<Span>::LIST.iter().any(|(name, _)| code.starts_with(&format!("{name}(")))
    };
    let examples: Vec<&str> = comments.split('`').filter(named).collect();
    assert!(examples.len() >= 20, "{examples:?}");
    for example in examples {
        assert!(dist(example).mean() > 0.0);
    }
}

#[test]
fn the_list_for_the_command_line_is_complete() {
    let error = Dist::options().from_str::<Dist>(r#"Gauss(mean: "5ms")"#).map_err(|e| e.code);
    let names: Vec<&str> = Shape::<Span>::LIST.iter().map(|(name, _)| *name).collect();
    let Err(ron::Error::NoSuchEnumVariant { expected, found, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((expected, found.as_str()), (names.as_slice(), "Gauss"));
}

#[test]
fn a_distribution_is_read_wherever_a_scenario_may_have_one() {
    #[derive(serde::Deserialize, PartialEq, Debug)]
    enum Step {
        Work(Dist),
        Perhaps(Option<Dist>),
        Named { cost: Dist, times: Vec<Dist> },
    }
    let step = |text: &str| Dist::options().from_str::<Step>(text);
    let uniform = || dist(r#"Uniform(min: "1ms", max: "2ms")"#);
    assert_eq!(step(r#"Work("5ms")"#), Ok(Step::Work(dist("5ms"))));
    assert_eq!(step(r#"Work(Uniform(min: "1ms", max: "2ms"))"#), Ok(Step::Work(uniform())));
    assert_eq!(step(r#"Perhaps("5ms")"#), Ok(Step::Perhaps(Some(dist("5ms")))));
    let perhaps = step(r#"Perhaps(Some(Uniform(min: "1ms", max: "2ms")))"#);
    assert_eq!(perhaps, Ok(Step::Perhaps(Some(uniform()))));
    assert_eq!(step("Perhaps(None)"), Ok(Step::Perhaps(None)));
    let named = step(r#"Named(cost: "1s", times: ["5ms", Uniform(min: "1ms", max: "2ms",),],)"#);
    assert_eq!(named, Ok(Step::Named { cost: dist("1s"), times: vec![dist("5ms"), uniform()] }));
}

#[test]
fn a_mistake_is_reported_where_it_is() {
    let error = |text: &str| Dist::options().from_str::<Dist>(text).expect_err("a mistake");
    let text = "Mixture([\n  (weight: 1, dist: Exponential(maen: \"5ms\")),\n])";
    let mistake = error(text);
    assert_eq!((mistake.span.start.line, mistake.span.start.col), (2, 33));
    let field = "Unexpected field named `maen` in `Exponential`, expected either `mean` or `rate`";
    assert!(mistake.code.to_string().starts_with(field), "{mistake}");
    let mistake = error("Erlang(\n  k: 3,\n  mean: \"5 parsecs\",\n)");
    assert_eq!((mistake.span.start.line, mistake.span.start.col), (3, 10));
    assert!(mistake.code.to_string().starts_with("\"5 parsecs\" is not a time span"), "{mistake}");
    let mistake = error("Shifted(by: \"1s\", dist: Exponential())");
    assert_eq!(mistake.code.to_string(), "Exponential needs exactly one of `mean` or `rate`");
    let says = |text: &str, part: &str| {
        let message = error(text).code.to_string();
        assert!(message.contains(part), "{text}: {message}");
    };
    says("Exponential", "Exponential needs its parameters in parentheses");
    says("\"soon\"", "\"soon\" is not a distribution: expected a time span such as \"5ms\", or C");
    says("5", "\"5\" is not a time span: it has no unit");
    says("-0.5", "\"-0.5\" is not a time span: it is negative");
    says("[]", "a distribution such as \"5ms\" or Exponential(mean: \"5ms\")");
    says("Constant()", "a value is missing between the parentheses");
}

#[test]
fn every_parameter_is_checked() {
    let expected = [
        (
            r#"Uniform(min: "2ms", max: "1ms")"#,
            "a `max` that is not below `min`, but 1ms is below 2ms",
        ),
        ("Exponential()", "exactly one of `mean` or `rate`"),
        (r#"Exponential(mean: "1s", rate: "1/s")"#, "exactly one of `mean` or `rate`"),
        (r#"Exponential(mean: "0s")"#, "a `mean` above zero"),
        (r#"Erlang(k: 0, mean: "1s")"#, "a `k` from 1 to 1000000, but 0 was given"),
        (r#"Erlang(k: 2, mean: "0s")"#, "a `mean` above zero"),
        (r#"Gamma(mean: "1s")"#, "exactly one of `cv` or `shape`"),
        (r#"Gamma(mean: "1s", cv: 0)"#, "a `cv` from 0.001 to 1000, but 0 was given"),
        (r#"Gamma(mean: "1s", cv: NaN)"#, "a `cv` from 0.001 to 1000, but NaN was given"),
        (r#"Gamma(mean: "1s", shape: -1)"#, "a `shape` from 0.000001 to 1000000, but -1 was given"),
        (r#"LogNormal(p99: "1s")"#, "exactly one of `median` or `mean`"),
        (r#"LogNormal(median: "1s")"#, "exactly one of `p99` or `cv`"),
        (r#"LogNormal(median: "1s", mean: "1s", cv: 1)"#, "exactly one of `median` or `mean`"),
        (r#"LogNormal(median: "0s", cv: 1)"#, "a `median` above zero"),
        (r#"LogNormal(median: "1s", p99: "1s")"#, "a `p99` above its `median`"),
        (r#"LogNormal(mean: "1s", p99: "500ms")"#, "a `p99` above its `mean`"),
        (r#"LogNormal(mean: "1s", p99: "15s")"#, "at most 14.9 times its `mean`"),
        (r#"LogNormal(mean: "1s", cv: -1)"#, "a `cv` from 0.000001 to 1000, but -1 was given"),
        (r#"Weibull(shape: 1)"#, "exactly one of `mean` or `scale`"),
        (r#"Weibull(mean: "1s", shape: 0)"#, "a `shape` from 0.05 to 1000, but 0 was given"),
        (r#"Pareto(min: "1ms", alpha: 0)"#, "an `alpha` from 0.05 to 1000, but 0 was given"),
        (r#"Pareto(min: "0ms", alpha: 2)"#, "a `min` above zero"),
        (r#"Pareto(min: "1ms", alpha: 2, max: "1ms")"#, "a `max` above its `min`"),
        (r#"HyperExponential(mean: "1s")"#, "either `mean` and `cv`, or `branches`"),
        (r#"HyperExponential(mean: "1s", cv: 1)"#, "a `cv` above 1; below, take Gamma or Erlang"),
        ("HyperExponential(branches: [])", "at least one part"),
        (r#"HyperExponential(branches: [(weight: 1, mean: "0s")])"#, "a `mean` above zero"),
        ("Mixture([])", "at least one part"),
        (r#"Mixture([(weight: 0, dist: "1s")])"#, "a `weight` from 0.000000001 to 1000000000"),
        ("Empirical()", "exactly one of `points` or `values`"),
        ("Empirical(values: [])", "at least one of `values`"),
        (r#"Empirical(values: ["1s"], between: Linear)"#, "takes `between` only with `points`"),
        (r#"Empirical(points: [("1s", 0.5), ("2s", 1)])"#, "from probability 0 (the minimum) to 1"),
        (
            r#"Empirical(points: [("1s", 0), ("2s", 0), ("3s", 1)])"#,
            "probabilities, but 0 follows 0",
        ),
        (r#"Empirical(points: [("2s", 0), ("1s", 1)])"#, "rising values, but 1s follows 2s"),
        (r#"Empirical(points: [("0s", 0), ("1s", 1)], between: Logarithmic)"#, "values above zero"),
        (r#"Truncated(dist: "1s")"#, "at least one of `min` or `max`"),
        (r#"Truncated(min: "2s", max: "1s", dist: "1s")"#, "a `max` that is not below `min`"),
        (r#"Truncated(min: "10s", dist: Exponential(mean: "2s"))"#, "keeps only 0.67 % of its"),
    ];
    for (text, part) in expected {
        let message = text.parse::<Dist>().expect_err(text).to_string();
        let name = text.split('(').next().unwrap_or_default();
        assert!(message.starts_with(name) && message.contains(part), "{text}: {message}");
    }
}

#[test]
fn rates_that_are_no_whole_nanoseconds_stay_exact() {
    let third: Rate = "3/s".parse().expect("a rate");
    let dist = dist(r#"Exponential(rate: "3/s")"#);
    assert_eq!(dist.shape(), Shape::Exponential { mean: None, rate: Some(third) });
    assert_eq!(size_of::<Dist>(), 16);
}
