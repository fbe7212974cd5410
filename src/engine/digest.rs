//! A running 64-bit hash over every processed event: two runs are the same if their digests are.

/// The digest of a run so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0x243f_6a88_85a3_08d3)
    }
}

impl Digest {
    /// Folds in one event: when, what kind at which node, and its key fields.
    ///
    /// Two rounds of xor, multiplication by an odd constant and a shift: every step is a bijection
    /// of the state, so two runs that differed once never meet again except by chance.
    #[inline]
    pub fn fold(&mut self, at: u64, what: u64, key: u64) {
        let mut hash = (self.0 ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ hash >> 32 ^ what.rotate_left(40) ^ key).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.0 = hash ^ hash >> 29;
    }

    /// The value, as reports print it in hexadecimal.
    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_the_order_matter() {
        let of = |events: &[(u64, u64, u64)]| {
            let mut digest = Digest::default();
            events.iter().for_each(|&(at, what, key)| digest.fold(at, what, key));
            digest.value()
        };
        let base = of(&[(1, 2, 3), (4, 5, 6)]);
        assert_eq!(base, of(&[(1, 2, 3), (4, 5, 6)]));
        let others: [&[(u64, u64, u64)]; 6] = [
            &[(4, 5, 6), (1, 2, 3)],
            &[(2, 2, 3), (4, 5, 6)],
            &[(1, 3, 3), (4, 5, 6)],
            &[(1, 2, 4), (4, 5, 6)],
            &[(1, 2, 3), (4, 5, 6), (0, 0, 0)],
            &[(1, 2, 3)],
        ];
        for other in others {
            assert_ne!(base, of(other));
        }
    }
}
