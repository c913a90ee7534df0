//! The choices of the agreement test's generators, taken from an input instead of a seed: whoever changes the input
//! changes the bundle, and what is covered says whether that was worth it.

/// Choices from bytes; behind the last one the first choice is made each time.
pub(crate) struct Rng {
    bytes: std::vec::IntoIter<u8>,
}

impl Rng {
    pub(crate) fn of(input: &[u8]) -> Self {
        Self { bytes: Vec::from(input).into_iter() }
    }

    /// As the generators make one from a seed; they are given [`Rng::of`] here.
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        Self::of(&[seed.to_le_bytes(), index.to_le_bytes()].concat())
    }

    /// A number from 0 to `n - 1`: one byte, or two where one is not enough.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = n > 256;
        let low = usize::from(self.bytes.next().unwrap_or_default());
        let high = if wide { usize::from(self.bytes.next().unwrap_or_default()) } else { 0 };
        let range = if wide { 1 << 16 } else { 1 << 8 };
        ((high << 8 | low) * n.min(range)) / range
    }

    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &'a [&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!("a draw below the sum falls into one of the weights")
    }
}
