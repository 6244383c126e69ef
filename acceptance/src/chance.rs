//! Random numbers of trials, the same for the same seed.

/// A small generator (SplitMix64: <https://prng.di.unimi.it/splitmix64.c>, in the public domain).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A generator for one of the trials that are drawn from a seed.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let mut chance = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        // what is below a `usize` is one
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }

    /// A number from one to another, both of which may be drawn.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// One of these, of which there must be one at least.
    pub fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.between(1, times) == 1
    }

    /// Brings these into another order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }
}
