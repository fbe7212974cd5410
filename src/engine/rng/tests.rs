//! Streams that are what they are said to be, and never change.

use super::*;

#[test]
fn the_stream_is_chacha8_with_the_expanded_seed_and_the_hashed_name() {
    let mut state = 42;
    let words: [u64; 4] = std::array::from_fn(|_| split_mix(&mut state));
    // The first numbers of SplitMix64 from 42, as other implementations have them.
    assert_eq!(words[0], 13_679_457_532_755_275_413);
    let key: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut plain = ChaCha8Rng::from_seed(key.try_into().expect("the key has 32 bytes"));
    plain.set_stream(name_hash("node-a"));
    let mut rng = Rng::new(42, "node-a");
    assert!((0..1_000).all(|_| rng.u64() == plain.next_u64()));
}

#[test]
fn numbers_left_out_are_those_that_would_have_been_drawn() {
    for skipped in [0, 1, 63, 64, 65, 127, 128, 1_000] {
        for drawn in [0, 1, 63, 64, 65, 100] {
            let (mut some, mut all) = (Rng::new(1, "a"), Rng::new(1, "a"));
            (0..drawn).for_each(|_| assert_eq!(some.u64(), all.u64()));
            for _ in 0..skipped {
                assert!(!some.chance(Ratio::ZERO));
                all.u64();
            }
            assert!((0..200).all(|_| some.u64() == all.u64()), "{drawn}, then {skipped}");
        }
    }
}

#[test]
fn chacha8_is_the_published_cipher() {
    // Key and nonce zero: the first bytes of test vector 1 for ChaCha8 with a 256-bit key, from
    // draft-strombergson-chacha-test-vectors-01.
    let mut plain = ChaCha8Rng::from_seed([0; 32]);
    assert_eq!(plain.next_u64().to_le_bytes(), [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
}

#[test]
fn every_kind_of_draw_keeps_its_values() {
    let rng = || Rng::new(42, "node-a");
    let draws = |draw: fn(&mut Rng) -> f64| {
        let mut rng = rng();
        (0..10_000).map(|_| draw(&mut rng)).fold(0, digest)
    };
    let digests = [
        rng().u64(),
        draws(|rng| rng.below(1_000) as f64),
        draws(|rng| rng.below(3 << 62) as f64),
        draws(Rng::unit),
        draws(Rng::open_unit),
        draws(Rng::exp),
        draws(Rng::normal),
        draws(|rng| f64::from(u8::from(rng.chance(third())))),
        name_hash("node-a"),
    ];
    assert_eq!(
        digests,
        [
            0xcb5c_0e73_5876_a861,
            0x3f31_b7d4_2bf6_c17e,
            0x19ad_1ffe_6e3a_4dcb,
            0xbde3_5cbf_b293_388c,
            0xcead_2762_bfe5_0fcb,
            0x4075_e59e_cb7d_6e66,
            0xa169_139c_1268_3579,
            0x97e8_dafb_fd05_2fe5,
            0x48e8_6629_c152_a3f3
        ]
    );
    let mut cards = [0, 1, 2, 3, 4, 5, 6, 7];
    rng().shuffle(&mut cards);
    assert_eq!(cards, [1, 3, 7, 0, 2, 5, 4, 6]);
    assert_eq!((rng().pick(&cards), rng().pick::<u8>(&[])), (Some(&4), None));
}

fn third() -> Ratio {
    Ratio::new(1, 3).expect("a third is a probability")
}

fn digest(sum: u64, value: f64) -> u64 {
    (sum ^ value.to_bits()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
}

/// The sum of squared deviations from equal counts, in units of what chance explains.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let terms = counts.iter().map(|count| {
        let distance = *count as f64 - expected;
        distance * distance / expected
    });
    terms.sum()
}

#[test]
fn below_is_uniform_even_where_the_bound_divides_badly() {
    let mut rng = Rng::new(1, "below");
    let mut counts = [0; 10];
    (0..50_000).for_each(|_| counts[rng.below(10) as usize] += 1);
    // 27.9 and 13.8 are exceeded once in a thousand seeds.
    assert!(chi_square(&counts) < 27.9, "{counts:?}");
    let mut counts = [0; 3];
    (0..50_000).for_each(|_| counts[(rng.below(3 << 62) >> 62) as usize] += 1);
    assert!(chi_square(&counts) < 13.8, "{counts:?}");
    assert_eq!(rng.below(1), 0);
}

#[test]
fn chance_takes_one_number_whatever_its_ratio_and_agrees_with_it() {
    let mut streams: [Rng; 4] = std::array::from_fn(|_| Rng::new(1, "dice"));
    let tenth = Ratio::new(1, 10).expect("a tenth is a probability");
    let ratios = [Ratio::ZERO, tenth, third(), Ratio::ONE];
    let mut hits = [0; 4];
    for _ in 0..90_000 {
        let mut before = false;
        for (index, rng) in streams.iter_mut().enumerate() {
            let happens = rng.chance(ratios[index]);
            assert!(happens || !before, "what happens at a lower ratio happens at a higher");
            hits[index] += i32::from(happens);
            before = happens;
        }
    }
    assert_eq!((hits[0], hits[3]), (0, 90_000));
    // The standard deviation is sqrt(90 000 / 3 * 2 / 3) = 141.
    assert!((hits[2] - 30_000).abs() < 4 * 141, "{hits:?}");
    let [first, rest @ ..] = streams.map(|mut rng| rng.u64());
    assert_eq!(rest, [first; 3]);
}

#[test]
fn streams_of_other_names_and_seeds_are_independent() {
    let count = 20_000;
    let pairs = [((7, "node-a"), (7, "node-b")), ((7, "node-a"), (8, "node-a"))];
    for ((seed, name), (other_seed, other_name)) in pairs {
        let (mut left, mut right) = (Rng::new(seed, name), Rng::new(other_seed, other_name));
        let products = (0..count).map(|_| left.normal() * right.normal());
        let correlation = products.sum::<f64>() / f64::from(count);
        assert!(correlation.abs() < 4.0 / f64::from(count).sqrt(), "{correlation}");
    }
    // The first draws of many similar names fill their range evenly.
    let mut counts = [0; 16];
    for index in 0..4_000 {
        counts[Rng::new(7, &format!("node-{index}")).below(16) as usize] += 1;
    }
    assert!(chi_square(&counts) < 37.7, "{counts:?}");
}

/// Checks the mean of a function of the draws against its known value, within 4.5 standard
/// errors of the known variance.
fn expect_mean(name: &str, draws: &[f64], f: impl Fn(f64) -> f64, [mean, variance]: [f64; 2]) {
    let count = draws.len() as f64;
    let measured = draws.iter().map(|x| f(*x)).sum::<f64>() / count;
    let error = (variance / count).sqrt();
    assert!((measured - mean).abs() < 4.5 * error, "{name}: {measured}, expected {mean}");
}

/// The mean and variance of whether an event of this probability happens.
fn share(p: f64) -> [f64; 2] {
    [p, p * (1.0 - p)]
}

#[test]
fn exponential_draws_have_the_moments_and_the_tail_of_an_exponential() {
    let mut rng = Rng::new(3, "exp");
    let draws: Vec<f64> = (0..300_000).map(|_| rng.exp()).collect();
    assert!(draws.iter().all(|x| *x >= 0.0));
    expect_mean("mean", &draws, |x| x, [1.0, 1.0]);
    expect_mean("square", &draws, |x| x * x, [2.0, 20.0]);
    expect_mean("cube", &draws, |x| x * x * x, [6.0, 684.0]);
    for bound in [0.001, 0.1, 0.5, 1.0, 3.0, 6.0, EXP_TAIL, 9.0] {
        let above = |x: f64| f64::from(u8::from(x > bound));
        expect_mean("tail", &draws, above, share(libm::exp(-bound)));
    }
}

#[test]
fn normal_draws_have_the_moments_and_the_tails_of_a_normal() {
    let mut rng = Rng::new(3, "normal");
    let draws: Vec<f64> = (0..300_000).map(|_| rng.normal()).collect();
    expect_mean("mean", &draws, |x| x, [0.0, 1.0]);
    expect_mean("square", &draws, |x| x * x, [1.0, 2.0]);
    expect_mean("cube", &draws, |x| x * x * x, [0.0, 15.0]);
    expect_mean("fourth power", &draws, |x| x * x * x * x, [3.0, 96.0]);
    for bound in [-3.0, -1.0, -0.01, 0.3, 2.0, 3.0, NORMAL_TAIL, 4.0] {
        let above = |x: f64| f64::from(u8::from(x > bound));
        let tail = 0.5 * libm::erfc(bound * std::f64::consts::FRAC_1_SQRT_2);
        expect_mean("tail", &draws, above, share(tail));
    }
}

#[test]
fn a_shuffle_makes_every_order_equally_likely() {
    let mut rng = Rng::new(5, "cards");
    let mut counts = [0; 6];
    for _ in 0..30_000 {
        let mut cards = [0, 1, 2];
        rng.shuffle(&mut cards);
        counts[cards[0] * 2 + usize::from(cards[1] > cards[2])] += 1;
    }
    // 20.5 is exceeded once in a thousand seeds.
    assert!(chi_square(&counts) < 20.5, "{counts:?}");
}
