//! The discrete Fourier transform of real numbers.
//!
//! ```text
//! [1, 0, 0, 0]   →   [1, 1, 1], the bins 0 to 2;   Xₖ = Σ xⱼ e^(−2πi jk / n)
//! ```
//!
//! Any even size: `n` real numbers are transformed as `n / 2` complex ones (Press et al., Numerical
//! Recipes, 12.3), these by Cooley and Tukey's radix 2 where they are a power of two, else by
//! Bluestein's convolution of such a length. All in `f64` and in a fixed order.

use std::f64::consts::PI;

use super::error::AudioError;

/// Real numbers of a transform at most.
const MOST_SIZE: usize = 1 << 20;

/// A complex number: its real and its imaginary part.
type ComplexPair = [f64; 2];

fn multiply(a: ComplexPair, b: ComplexPair) -> ComplexPair {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn conjugate(a: ComplexPair) -> ComplexPair {
    [a[0], -a[1]]
}

/// `e^(−πi part / whole)`.
fn turn(part: usize, whole: usize) -> ComplexPair {
    let (sine, cosine) = libm::sincos(-PI * part as f64 / whole as f64);
    [cosine, sine]
}

/// The transform of real numbers of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct RealFft {
    half: ComplexFft,
    /// `e^(−2πi k / size)` for each bin `k`.
    turns: Vec<ComplexPair>,
}

impl RealFft {
    /// Of `size` real numbers.
    ///
    /// # Errors
    ///
    /// A size that is odd, 0, or above 2²⁰.
    pub fn new(size: usize) -> Result<RealFft, AudioError> {
        if size == 0 || size % 2 == 1 || size > MOST_SIZE {
            let message = format!("a Fourier transform of {size} samples cannot be made");
            return Err(
                AudioError::new(message).help(format!("take an even size up to {MOST_SIZE}"))
            );
        }
        let turns = (0..=size / 2).map(|bin| turn(bin, size / 2)).collect();
        Ok(RealFft { half: ComplexFft::new(size / 2), turns })
    }

    /// The number of bins, `size / 2 + 1`: from 0 to half the rate of the samples.
    pub fn bins(&self) -> usize {
        self.half.size + 1
    }

    /// Transforms `samples`, of which missing ones are zeros and further ones ignored, into
    /// [`bins`] complex numbers, real part first. `out` is overwritten, whatever its length.
    ///
    /// [`bins`]: RealFft::bins
    pub fn apply(&self, samples: &[f64], out: &mut Vec<[f64; 2]>) {
        let half = self.half.size;
        out.clear();
        let samples = &samples[..samples.len().min(2 * half)];
        out.extend(samples.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0.0)]));
        out.resize(half, [0.0; 2]);
        self.half.apply(out);
        out.push(out[0]);
        // Bins k and half − k are made of the same two numbers.
        for bin in 0..=half / 2 {
            let (one, other) = (out[bin], out[half - bin]);
            out[bin] = real_bin(one, other, self.turns[bin]);
            out[half - bin] = real_bin(other, one, self.turns[half - bin]);
        }
    }
}

/// `Xₖ = (Zₖ + Z̄₋ₖ) / 2 − i/2 · e^(−2πi k / n) (Zₖ − Z̄₋ₖ)`.
fn real_bin(this: ComplexPair, mirror: ComplexPair, turn: ComplexPair) -> ComplexPair {
    let mirror = conjugate(mirror);
    let even = [(this[0] + mirror[0]) / 2.0, (this[1] + mirror[1]) / 2.0];
    let odd = multiply([(this[1] - mirror[1]) / 2.0, (mirror[0] - this[0]) / 2.0], turn);
    [even[0] + odd[0], even[1] + odd[1]]
}

/// The transform of complex numbers, in place.
#[derive(Clone, Debug, PartialEq)]
struct ComplexFft {
    size: usize,
    /// For powers of two, `e^(−2πi j / size)` for the first half of them; else Bluestein's chirp,
    /// `e^(−πi j² / size)`.
    turns: Vec<ComplexPair>,
    bluestein: Option<Box<ChirpFilter>>,
}

/// Bluestein's convolution: the transform of the chirp's conjugate, of a power of two.
#[derive(Clone, Debug, PartialEq)]
struct ChirpFilter {
    fft: ComplexFft,
    spectrum: Vec<ComplexPair>,
}

impl ComplexFft {
    fn new(size: usize) -> ComplexFft {
        if size.is_power_of_two() {
            let turns = (0..size / 2).map(|part| turn(part, size / 2)).collect();
            return ComplexFft { size, turns, bluestein: None };
        }
        // Angles repeat after 2 · size, which keeps them small and exact.
        let turns: Vec<ComplexPair> =
            (0..size).map(|index| turn(index * index % (2 * size), size)).collect();
        let fft = ComplexFft::new((2 * size - 1).next_power_of_two());
        let mut spectrum = vec![[0.0; 2]; fft.size];
        for (index, &turn) in turns.iter().enumerate() {
            spectrum[index] = conjugate(turn);
            spectrum[(fft.size - index) % fft.size] = conjugate(turn);
        }
        fft.apply(&mut spectrum);
        ComplexFft { size, turns, bluestein: Some(Box::new(ChirpFilter { fft, spectrum })) }
    }

    /// Transforms as many numbers as its size.
    fn apply(&self, values: &mut [ComplexPair]) {
        match &self.bluestein {
            None => self.radix_2(values),
            Some(filter) => self.convolve(values, filter),
        }
    }

    fn radix_2(&self, values: &mut [ComplexPair]) {
        let bits = self.size.trailing_zeros();
        for index in 0..self.size {
            let mirror = index.reverse_bits().checked_shr(usize::BITS - bits).unwrap_or(0);
            if index < mirror {
                values.swap(index, mirror);
            }
        }
        let mut half = 1;
        while half < self.size {
            let step = self.size / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                let turns = self.turns.iter().step_by(step);
                for ((low, high), &turn) in low.iter_mut().zip(high).zip(turns) {
                    let turned = multiply(*high, turn);
                    *high = [low[0] - turned[0], low[1] - turned[1]];
                    *low = [low[0] + turned[0], low[1] + turned[1]];
                }
            }
            half *= 2;
        }
    }

    /// `Xₖ = wₖ Σ (xⱼ wⱼ) w̄ₖ₋ⱼ` with `wⱼ = e^(−πi j² / size)`, a convolution.
    fn convolve(&self, values: &mut [ComplexPair], filter: &ChirpFilter) {
        let mut wide = vec![[0.0; 2]; filter.fft.size];
        for ((wide, &value), &turn) in wide.iter_mut().zip(&*values).zip(&self.turns) {
            *wide = multiply(value, turn);
        }
        filter.fft.radix_2(&mut wide);
        // The way back is the conjugate of the transform of the conjugate.
        for (wide, &factor) in wide.iter_mut().zip(&filter.spectrum) {
            *wide = conjugate(multiply(*wide, factor));
        }
        filter.fft.radix_2(&mut wide);
        let scale = 1.0 / filter.fft.size as f64;
        for ((value, &wide), &turn) in values.iter_mut().zip(&wide).zip(&self.turns) {
            *value = multiply([wide[0] * scale, -wide[1] * scale], turn);
        }
    }
}
