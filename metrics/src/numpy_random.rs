/// numpy's `RandomState` of an integer seed: what torch-fidelity draws with.
///
/// MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998) seeded by `init_genrand`, and numpy's
/// legacy bounded draws: masked to the next `2^k - 1`, rejected when too large.
pub(crate) struct RandomState {
    state: [u32; Self::LENGTH],
    next: usize,
}

impl RandomState {
    const LENGTH: usize = 624;
    const SHIFT: usize = 397;

    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [seed; Self::LENGTH];
        for i in 1..Self::LENGTH {
            let last = state[i - 1];
            state[i] = (last ^ (last >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, next: Self::LENGTH }
    }

    /// The numbers `0..n` in random order: `RandomState.permutation(n)`.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            let other = self.up_to(last as u64) as usize;
            numbers.swap(last, other);
        }
        numbers
    }

    /// `RandomState.choice(n, size, replace=False)`.
    pub(crate) fn choice(&mut self, n: usize, size: usize) -> Vec<usize> {
        let mut numbers = self.permutation(n);
        numbers.truncate(size);
        numbers
    }

    /// Uniform in `0..=largest`.
    fn up_to(&mut self, largest: u64) -> u64 {
        let mask = u64::MAX.checked_shr(largest.leading_zeros()).unwrap_or(0);
        loop {
            let draw = match u32::try_from(largest) {
                Ok(_) => u64::from(self.next_u32()),
                Err(_) => (u64::from(self.next_u32()) << 32) | u64::from(self.next_u32()),
            };
            if draw & mask <= largest {
                return draw & mask;
            }
        }
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == Self::LENGTH {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..Self::LENGTH {
            let low = self.state[(i + 1) % Self::LENGTH];
            let y = (self.state[i] & 0x8000_0000) | (low & 0x7FFF_FFFF);
            let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + Self::SHIFT) % Self::LENGTH] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_mt19937() {
        // The first outputs for seed 5489, and the 10,000th, which the C++ standard states.
        let mut random = RandomState::new(5489);
        assert_eq!([random.next_u32(), random.next_u32()], [3_499_211_612, 581_869_302]);
        let last = (2..10_000).map(|_| random.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn permutations_are_numpys() {
        // np.random.RandomState(2020).permutation(10)
        assert_eq!(RandomState::new(2020).permutation(10), [2, 4, 9, 1, 5, 7, 6, 3, 8, 0]);
        assert_eq!(RandomState::new(2020).permutation(1), [0]);
        assert!(RandomState::new(2020).permutation(0).is_empty());
    }

    #[test]
    fn permutations_are_numpys_for_other_seeds_and_lengths() {
        assert_eq!(RandomState::new(0).permutation(7), [6, 2, 1, 3, 0, 5, 4]);
        let sixteen = [8, 1, 5, 11, 9, 14, 15, 13, 10, 6, 0, 4, 7, 12, 2, 3];
        assert_eq!(RandomState::new(u32::MAX).permutation(16), sixteen);
        // First three, and the sum of place (from 1) times number, as numpy gives them.
        for (n, seed, first, sum) in [
            (1000, 7, [778, 334, 271], 246_701_811),
            (70_000, 2020, [29_755, 22_946, 54_743], 85_794_542_896_324),
            (65_536, 3, [56_698, 27_265, 43_308], 70_354_029_515_829),
            (65_537, 3, [43_125, 60_809, 43_113], 70_368_115_519_919),
        ] {
            let numbers = RandomState::new(seed).permutation(n);
            assert_eq!(numbers[..3], first);
            assert_eq!(numbers.iter().zip(1..).map(|(a, at)| a * at).sum::<usize>(), sum);
        }
    }

    #[test]
    fn choices_follow_each_other_as_numpys_do() {
        // r = np.random.RandomState(1); r.choice(9, 4, replace=False); r.choice(5, 5, replace=False)
        let mut random = RandomState::new(1);
        assert_eq!(random.choice(9, 4), [8, 2, 6, 7]);
        assert_eq!(random.choice(5, 5), [2, 3, 1, 4, 0]);
    }

    #[test]
    fn bounds_beyond_32_bits_are_drawn_too() {
        let mut random = RandomState::new(5);
        let draws: Vec<u64> = (0..100).map(|_| random.up_to(1 << 40)).collect();
        assert!(draws.iter().all(|&draw| draw <= 1 << 40));
        assert!(draws.iter().any(|&draw| draw > 1 << 39) && draws.iter().any(|&d| d < 1 << 38));
        assert_eq!(random.up_to(0), 0);
    }
}
