//! Counter-based random numbers: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011).
//!
//! A number is a pure function of where it is used, so threads, order and resumption cannot
//! change it. Every engine (interpreters, compiled code, data, initialisers) draws from here.

/// Multipliers of the first and third word of a block, in each round.
pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Increments of the key after each round.
pub const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Rounds of the bijection.
pub const ROUNDS: usize = 10;

/// One block of four 32-bit words for a counter under a key.
pub fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut key, mut block) = (key, counter);
    for _ in 0..ROUNDS {
        let low = u64::from(MULTIPLIERS[0]) * u64::from(block[0]);
        let high = u64::from(MULTIPLIERS[1]) * u64::from(block[2]);
        block = [
            (high >> 32) as u32 ^ block[1] ^ key[0],
            high as u32,
            (low >> 32) as u32 ^ block[3] ^ key[1],
            low as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    block
}

/// A 64-bit seed as a Philox key.
pub fn key_of_seed(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// A word as a number in [0, 1): its top 24 bits, so every value is exact in `f32`.
pub fn unit_f32(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The random word of one element of a random operator.
///
/// Four elements in a row share a block: `key` is the seed, the counter is (element / 4, the
/// operator's stream, the step's low and high half), the word is element mod 4.
pub fn element_word(seed: u64, step: u64, stream: u32, element: usize) -> u32 {
    let block = u32::try_from(element / 4).expect("fewer than 2^34 elements");
    philox(key_of_seed(seed), [block, stream, step as u32, (step >> 32) as u32])[element % 4]
}

/// A sequence of random numbers for work outside a step: initial values, shuffling, drawn data.
#[derive(Clone, Debug)]
pub struct Sequence {
    key: [u32; 2],
    domain: [u32; 2],
    counter: u64,
    block: [u32; 4],
}

impl Sequence {
    /// The sequence of a seed in a domain (a hash of what the numbers are for): sequences of
    /// different domains have nothing to do with one another.
    pub fn new(seed: u64, domain: u64) -> Self {
        Sequence { key: key_of_seed(seed), domain: key_of_seed(domain), counter: 0, block: [0; 4] }
    }

    /// The next word.
    pub fn word(&mut self) -> u32 {
        let lane = (self.counter % 4) as usize;
        if lane == 0 {
            let block = self.counter / 4;
            let [low, high] = key_of_seed(block);
            self.block = philox(self.key, [low, high, self.domain[0], self.domain[1]]);
        }
        self.counter += 1;
        self.block[lane]
    }

    /// The next number in [0, 1), with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        let (high, low) = (u64::from(self.word()), u64::from(self.word()));
        ((high << 21) ^ (low >> 11)) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// The next integer in `0..bound`, without bias (Lemire's method).
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.word()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// The next standard normal number (Box–Muller, the cosine half).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Permutes a slice (Fisher–Yates).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let bound = u32::try_from(last + 1).expect("fewer than 2^32 values");
            values.swap(last, self.below(bound) as usize);
        }
    }
}

/// A 64-bit hash (FNV-1a) of a name: the domain of a parameter's initial values is its path's.
pub fn hash_name(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the Random123 distribution (`kat_vectors`, philox4x32 10).
    #[test]
    fn philox_matches_the_published_vectors() {
        assert_eq!(
            philox([0, 0], [0, 0, 0, 0]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox([u32::MAX; 2], [u32::MAX; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_sequence_is_uniform_and_repeats() {
        let mut sequence = Sequence::new(7, hash_name("test"));
        let mean = (0..10_000).map(|_| sequence.unit()).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let again: Vec<u32> = (0..9).map(|_| Sequence::new(1, 2).word()).collect();
        assert!(again.iter().all(|&word| word == again[0]));
        let mut order: Vec<usize> = (0..100).collect();
        sequence.shuffle(&mut order);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
