//! Damaged files: whatever is changed in a file, it is read or refused, and has no more samples
//! than its bytes can hold.

use super::*;

/// splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
struct AudioNoise(u64);

impl AudioNoise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Changes a file in one to four places.
fn mutate(bytes: &mut Vec<u8>, noise: &mut AudioNoise) {
    for _ in 0..=noise.below(4) {
        let at = noise.below(bytes.len());
        match noise.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), noise.next() as u8),
            2 => {
                let length = noise.below(24).min(bytes.len() - at);
                let copy = bytes[at..at + length].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => {
                let number = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff][noise.below(5)];
                let number = u32::to_le_bytes(number);
                bytes[at..].iter_mut().zip(number).for_each(|(byte, new)| *byte = new);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << noise.below(8);
                }
            }
        }
    }
}

fn rounds() -> usize {
    if cfg!(debug_assertions) { 8_000 } else { 100_000 }
}

/// A frame of constant samples stands for many, so what comes out is bounded by more than the bytes.
#[cfg(feature = "flac")]
#[test]
fn damaged_flac_files_are_read_or_refused() {
    let seeds = [&include_bytes!("stereo16.flac")[..], include_bytes!("mono24.flac")];
    let (mut noise, mut accepted) = (AudioNoise(3), 0);
    for round in 0..rounds() {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        mutate(&mut bytes, &mut noise);
        let Ok(Waveform { rate, samples }) = read(&bytes, 1 << 16) else { continue };
        accepted += 1;
        assert!(samples.len() <= 1024 * bytes.len() && (1..=10_000_000).contains(&rate));
        assert!(samples.iter().all(|sample| sample.abs() <= 1.0), "round {round}");
    }
    assert!(accepted > rounds() / 50, "{accepted} of {} are still files", rounds());
}

#[test]
fn damaged_wav_files_are_read_or_refused() {
    let data: Vec<u8> = (0..48).collect();
    let floats = [0.5f32, -0.25, 0.0, 1.0].map(f32::to_le_bytes).concat();
    let list = (b"LIST", b"INFOx".to_vec());
    let seeds = [
        wav(format(1, 1, 8000, 8), &data),
        wav(format(1, 2, 8000, 16), &data),
        wav(extended(1, 4, 44100, 24), &data),
        wav(format(3, 1, 8000, 32), &floats),
        riff(&[list.clone(), format(1, 3, 8000, 32), (b"data", data.clone()), list]),
    ];
    let (mut noise, mut accepted) = (AudioNoise(2), 0);
    for round in 0..rounds() {
        let mut bytes = seeds[round % seeds.len()].clone();
        mutate(&mut bytes, &mut noise);
        let Ok(Waveform { rate, samples }) = read(&bytes, 1 << 16) else { continue };
        accepted += 1;
        assert!(samples.capacity() <= bytes.len(), "round {round}: {}", samples.len());
        assert!((1..=10_000_000).contains(&rate));
        assert!(samples.iter().all(|sample| sample.abs() <= 8.0));
        if let Ok(changed) = resample(&samples, rate, 16000) {
            assert!(changed.len() <= 1000 * bytes.len() && changed.iter().all(|it| it.is_finite()));
        }
    }
    assert!(accepted > rounds() / 50, "{accepted} of {} are still files", rounds());
}
