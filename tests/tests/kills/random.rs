//! Choices that follow from a seed.

/// SplitMix64: a small generator with the same numbers on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of a part of a round. Parts of the same seed have different choices.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(1_000).wrapping_add(part));
        random.below(2);
        random
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a bound");
        usize::try_from((z ^ (z >> 31)) % bound).expect("below the bound")
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub(crate) fn percent(&mut self, cases: usize) -> bool {
        self.below(100) < cases
    }
}
