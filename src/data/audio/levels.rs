//! Waves as whole numbers: levels that lie the closer the quieter the sound is (µ-law companding).
//!
//! ```text
//! 256 levels:  −1 → 0     −0.01 → 98     0 → 128     0.01 → 157     1 → 255
//! ```
//!
//! ITU-T G.711 with µ as one less than the number of levels, as WaveNet has it (van den Oord et al.
//! 2016, section 2.2): `level = round(µ·(1 + sign(x)·ln(1 + µ·|x|) / ln(1 + µ)) / 2)`.

/// The level of a sample, −1 to 1 (louder ones are clipped), among `count`.
pub fn level_of(sample: f32, count: usize) -> i32 {
    let mu = (count - 1) as f64;
    let sample = f64::from(sample).clamp(-1.0, 1.0);
    let bent = libm::log1p(mu * sample.abs()) / libm::log1p(mu) * sample.signum();
    libm::floor((bent + 1.0) / 2.0 * mu + 0.5) as i32
}

/// The sample that a level among `count` stands for.
pub fn sample_of(level: i32, count: usize) -> f32 {
    let mu = (count - 1) as f64;
    let bent = (2.0 * f64::from(level) / mu - 1.0).clamp(-1.0, 1.0);
    (libm::expm1(bent.abs() * libm::log1p(mu)) / mu * bent.signum()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_formulas_and_every_one_is_its_own_samples() {
        let levels = [-1.0, -0.01, 0.0, 0.01, 1.0, 7.5].map(|sample| level_of(sample, 256));
        assert_eq!(levels, [0, 98, 128, 157, 255, 255]);
        for count in [2, 3, 16, 256, 1024] {
            for level in 0..count as i32 {
                assert_eq!(level_of(sample_of(level, count), count), level, "of {count}");
            }
        }
        // The step between neighbours grows with loudness.
        let steps = [128, 200, 254].map(|level| sample_of(level + 1, 256) - sample_of(level, 256));
        assert!(steps[0] < steps[1] && steps[1] < steps[2], "{steps:?}");
    }
}
