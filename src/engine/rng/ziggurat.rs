//! The tables behind the exponential and the normal draws: a density cut into 256 layers.
//!
//! Ninety-nine draws in a hundred then cost one multiplication and one comparison of integers. The
//! tables are computed once, by the `libm` crate, and so are the same bits on every platform.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};
use std::sync::LazyLock;

/// The distance between two neighbouring results of `Rng::unit`: 2^-53.
pub(super) const ULP: f64 = 1.0 / (1_u64 << 53) as f64;

/// Where the tails begin if 256 layers shall have equal areas (from the paper that
/// `Rng::exp` cites).
pub(super) const EXP_TAIL: f64 = 7.697_117_470_131_05;
pub(super) const NORMAL_TAIL: f64 = 3.654_152_885_361_009;

const LAYERS: usize = 256;

/// One rectangle of a ziggurat, for 53 random bits.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    /// Below this number of ULPs the point lies under the curve for certain.
    inside: u64,
    /// The width of the layer times the ULP.
    width: f64,
}

impl Layer {
    /// The place within the layer's width that the upper 53 bits say.
    #[inline]
    pub fn place(&self, bits: u64) -> f64 {
        (bits >> 11) as f64 * self.width
    }

    /// Whether that place lies under the curve for certain.
    #[inline]
    pub fn holds(&self, bits: u64) -> bool {
        bits >> 11 < self.inside
    }
}

/// A decreasing density from 0 on, cut into layers of equal area; layer 0 contains the tail.
pub(super) struct Ziggurat {
    pub layers: [Layer; LAYERS],
    /// The density at the right edge of each layer, and at 0.
    density: [f64; LAYERS + 1],
}

/// The tables of both kinds of draws.
pub(super) struct Tables {
    pub exp: Ziggurat,
    pub normal: Ziggurat,
}

pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let exp_area = (EXP_TAIL + 1.0) * libm::exp(-EXP_TAIL);
    let exp = Ziggurat::new(EXP_TAIL, exp_area, |x| libm::exp(-x), |y| -libm::log(y));
    let bell = |x: f64| libm::exp(-0.5 * x * x);
    let half_root = FRAC_PI_2.sqrt();
    let tail_area = half_root * libm::erfc(NORMAL_TAIL * FRAC_1_SQRT_2);
    let normal_area = NORMAL_TAIL * bell(NORMAL_TAIL) + tail_area;
    let normal = Ziggurat::new(NORMAL_TAIL, normal_area, bell, |y| (-2.0 * libm::log(y)).sqrt());
    Tables { exp, normal }
});

impl Ziggurat {
    fn new(
        tail: f64,
        area: f64,
        density: impl Fn(f64) -> f64,
        inverse: impl Fn(f64) -> f64,
    ) -> Ziggurat {
        // Layer 0 is drawn as if it were a rectangle of the same area; what lies right of the
        // tail's start stands for the tail.
        let mut edge = [0.0; LAYERS + 1];
        edge[0] = area / density(tail);
        edge[1] = tail;
        for index in 2..LAYERS {
            edge[index] = inverse(density(edge[index - 1]) + area / edge[index - 1]);
        }
        let layers = std::array::from_fn(|index| Layer {
            inside: (edge[index + 1] / edge[index] * (1_u64 << 53) as f64) as u64,
            width: edge[index] * ULP,
        });
        Ziggurat { layers, density: edge.map(density) }
    }

    /// The height at this share of the layer's.
    pub fn height(&self, index: usize, share: f64) -> f64 {
        let (low, high) = (self.density[index], self.density[index + 1]);
        low + (high - low) * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_of_both_ziggurats_close_at_the_top() {
        for ziggurat in [&TABLES.exp, &TABLES.normal] {
            let top = ziggurat.layers[LAYERS - 1].width / ULP;
            let area = top * (1.0 - ziggurat.density[LAYERS - 1]);
            let bottom = ziggurat.layers[0].width / ULP * ziggurat.density[1];
            assert!((area / bottom - 1.0).abs() < 1e-9, "{area} {bottom}");
        }
    }
}
