//! Recordings.

/// A WAV file of a tone, mono, 16 bit.
pub fn tone(rate: u32, hertz: f64, seconds: f64) -> Vec<u8> {
    let samples = (0..(f64::from(rate) * seconds) as usize).map(|at| {
        let angle = std::f64::consts::TAU * hertz * at as f64 / f64::from(rate);
        (20_000.0 * angle.sin()) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = data.len() as u32;
    let shorts = |numbers: [u16; 2]| numbers.map(u16::to_le_bytes).concat();
    let words = |numbers: [u32; 2]| numbers.map(u32::to_le_bytes).concat();
    let format = [words([16, 1 << 16 | 1]), words([rate, 2 * rate]), shorts([2, 16])].concat();
    let riff = [b"RIFF", &(36 + size).to_le_bytes()[..], b"WAVEfmt "].concat();
    [riff, format, b"data".to_vec(), size.to_le_bytes().to_vec(), data].concat()
}
