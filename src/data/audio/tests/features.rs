//! Features against NumPy's values in `f64` (scripts in the comments), and the bits that they have.

use super::*;

/// `((i * i * 31 + i * 7919) % 1000) / 512 - 0.9765625` for `i = 0, 1, …`: exact in `f32`.
pub(super) fn signal(count: usize) -> Vec<f32> {
    let value = |index: usize| (index * index * 31 + index * 7919) % 1000;
    (0..count).map(|index| value(index) as f32 / 512.0 - 0.9765625).collect()
}

#[track_caller]
pub(super) fn assert_near(values: &[f32], right: &[f64]) {
    assert_eq!(values.len(), right.len());
    for (index, (&value, &right)) in values.iter().zip(right).enumerate() {
        let error = (f64::from(value) - right).abs();
        assert!(error <= 3e-7 * right.abs().max(1.0), "{index}: {value}, not {right}");
    }
}

/// FNV-1a of the bits.
fn fingerprint(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn spectrum(values: &[f64]) -> Vec<[f64; 2]> {
    let mut out = Vec::new();
    RealFft::new(values.len()).unwrap().apply(values, &mut out);
    out
}

#[test]
fn transforms_of_any_even_size_are_their_definition() {
    // numpy.fft.rfft(signal(12))
    let wide: Vec<f64> = signal(12).iter().map(|&it| f64::from(it)).collect();
    let right = [
        [0.6640625, 0.0],
        [0.321524212982, 1.07824041968],
        [0.97265625, -2.55071544708],
        [-2.68359375, -0.49609375],
        [-1.94921875, 0.27739876215],
        [-1.32933671298, 2.79675958032],
        [-3.046875, 0.0],
    ];
    for (value, right) in spectrum(&wide).iter().zip(&right) {
        assert!((value[0] - right[0]).abs() < 1e-10 && (value[1] - right[1]).abs() < 1e-10);
    }
    for size in (2..=64).step_by(2).chain([100, 122, 400, 512, 1000]) {
        let values: Vec<f64> = signal(size).iter().map(|&it| f64::from(it)).collect();
        let bins = spectrum(&values);
        assert_eq!(bins.len(), size / 2 + 1);
        for (bin, value) in bins.iter().enumerate() {
            let mut right = [0.0; 2];
            for (index, &value) in values.iter().enumerate() {
                let angle = std::f64::consts::TAU * (index * bin % size) as f64 / size as f64;
                right[0] += value * libm::cos(angle);
                right[1] -= value * libm::sin(angle);
            }
            let error = (value[0] - right[0]).abs().max((value[1] - right[1]).abs());
            assert!(error < 1e-11 * size as f64, "size {size}, bin {bin}: {error}");
        }
    }
    let mut out = vec![[1.0; 2]; 99];
    RealFft::new(4).unwrap().apply(&[1.0], &mut out);
    assert_eq!(out, [[1.0, 0.0]; 3], "missing samples are zeros");
    for wrong in [0, 7, (1 << 20) + 2] {
        assert!(RealFft::new(wrong).is_err());
    }
}

#[test]
fn spectrograms_are_those_of_torch() {
    // numpy: abs(rfft(signal(64)[24 f : 24 f + 16] * hann(16)))**2, the same as torch.stft
    let power = Spectrogram::new(16, 16, 24, SpectrumScale::Power).unwrap();
    let mut out = vec![0.0; 3 * 9];
    assert_eq!((power.frames(64), power.bins()), (3, 9));
    power.apply(&signal(64), &mut out).unwrap();
    let right = [
        0.562683026,
        1.0832747,
        1.42126054,
        1.79016171,
        1.36673283,
        0.0434814769,
        1.80816664,
        4.93396935,
        3.22774588,
        11.5655657,
        7.3546673,
        2.51872677,
        0.676090417,
        0.75197653,
        0.614689799,
        0.474798095,
        0.336107372,
        0.271078981,
        1.68019127,
        1.24625079,
        0.40380539,
        0.367538627,
        2.29519738,
        1.43888135,
        4.12797767,
        4.06546774,
        1.31433386,
    ];
    assert_near(&out, &right);
    let log = Spectrogram::new(16, 16, 24, SpectrumScale::LogPower).unwrap();
    log.apply(&signal(64), &mut out).unwrap();
    assert_near(&out, &right.map(libm::log));
    log.apply(&[0.0; 64], &mut out).unwrap();
    assert_near(&out, &[libm::log(1e-6); 27]);
}

#[test]
fn windows_may_be_shorter_than_transforms_of_any_even_size() {
    let magnitude = Spectrogram::new(12, 20, 40, SpectrumScale::Magnitude).unwrap();
    let mut out = vec![0.0; 2 * 11];
    magnitude.apply(&signal(64), &mut out).unwrap();
    let right = [
        0.938872077,
        0.703214454,
        0.365066326,
        0.0394254813,
        0.583768094,
        0.948968841,
        0.703183063,
        1.15600882,
        1.8545967,
        1.89210407,
        1.70449708,
        0.372465827,
        0.322007997,
        0.110648314,
        0.719652341,
        0.875004753,
        0.36759118,
        0.487871387,
        0.445959599,
        0.314217839,
        0.484063349,
        0.239653327,
    ];
    assert_near(&out, &right);
}

#[test]
fn frames_are_whole_ones() {
    let power = Spectrogram::new(16, 16, 24, SpectrumScale::Power).unwrap();
    assert_eq!([15, 16, 39, 40].map(|count| power.frames(count)), [0, 1, 1, 2]);
    power.apply(&[0.0; 15], &mut []).unwrap();
    assert_eq!(
        power.apply(&[0.0; 16], &mut []).unwrap_err().to_string(),
        "1 frames of 9 values do not fit 0 numbers"
    );
    let refused =
        |window, size, hop| Spectrogram::new(window, size, hop, SpectrumScale::Power).is_err();
    assert!(refused(17, 16, 1) && refused(0, 16, 1) && refused(16, 16, 0) && refused(5, 5, 1));
}

fn mel_of_32(is_log: bool) -> MelSpectrogram {
    let power = Spectrogram::new(32, 32, 16, SpectrumScale::Power).unwrap();
    MelSpectrogram::new(power, 8000, 5, 100.0, 3800.0, is_log).unwrap()
}

#[test]
fn mel_bands_and_coefficients_are_those_of_torchaudio() {
    // torchaudio.functional.melscale_fbanks(17, 100, 3800, 5, 8000), as NumPy computes it
    let right = [
        4.06896224,
        0.727827455,
        3.89529351,
        9.59955501,
        16.4387736,
        16.842356,
        13.0068186,
        5.86048482,
        5.5164178,
        11.9421807,
        1.19936832,
        1.15397247,
        3.61975136,
        9.6932203,
        15.7863326,
    ];
    let mut out = vec![0.0; 3 * 5];
    let mel = mel_of_32(false);
    assert_eq!((mel.frames(64), mel.bands()), (3, 5));
    mel.apply(&signal(64), &mut out).unwrap();
    assert_near(&out, &right);
    mel_of_32(true).apply(&signal(64), &mut out).unwrap();
    assert_near(&out, &right.map(libm::log));
    let mut out = vec![0.0; 3 * 3];
    let mfcc = Mfcc::new(mel, 3).unwrap();
    assert_eq!((mfcc.frames(64), mfcc.coefficients()), (3, 3));
    mfcc.apply(&signal(64), &mut out).unwrap();
    let right = [
        3.35715432,
        -1.79873846,
        0.910620472,
        5.07382088,
        0.525673189,
        0.760388829,
        2.97038461,
        -2.34143846,
        0.219272887,
    ];
    assert_near(&out, &right);
    mfcc.apply(&[0.0; 40], &mut out[..3]).unwrap();
    assert_near(&out[..1], &[libm::log(1e-6) * libm::sqrt(5.0)]);
}

#[test]
fn bands_that_cannot_be_are_refused() {
    let power = Spectrogram::new(400, 400, 160, SpectrumScale::Power).unwrap();
    let mel = |bands, low, high| MelSpectrogram::new(power.clone(), 16000, bands, low, high, true);
    assert!(mel(40, 0.0, 8000.0).unwrap().silent_bands().is_empty());
    assert!(!mel(128, 0.0, 8000.0).unwrap().silent_bands().is_empty());
    for (bands, low, high) in
        [(0, 0.0, 8000.0), (5000, 0.0, 8000.0), (9, 0.0, 8001.0), (9, -1.0, 9.0), (9, 9.0, 9.0)]
    {
        assert!(mel(bands, low, high).is_err(), "{bands} {low} {high}");
    }
    assert!(mel(9, f64::NAN, 9.0).is_err() && mel(9, 0.0, f64::NAN).is_err());
    let log = Spectrogram::new(400, 400, 160, SpectrumScale::LogPower).unwrap();
    assert!(MelSpectrogram::new(log, 16000, 9, 0.0, 8000.0, true).is_err());
    assert!(Mfcc::new(mel(9, 0.0, 8000.0).unwrap(), 10).is_err());
    assert!(Mfcc::new(mel(9, 0.0, 8000.0).unwrap(), 0).is_err());
}

#[test]
fn the_bits_of_features_do_not_change() {
    let samples = resample(&signal(4000), 8000, 11025).unwrap();
    let spectrogram = |size| Spectrogram::new(200, size, 80, SpectrumScale::Power).unwrap();
    let bits = |apply: &dyn Fn(&mut [f32]), values: usize, size: usize| {
        let mut out = vec![0.0; spectrogram(size).frames(samples.len()) * values];
        apply(&mut out);
        fingerprint(&out)
    };
    let mel = |size| MelSpectrogram::new(spectrogram(size), 11025, 20, 50.0, 5000.0, true).unwrap();
    let mfcc = Mfcc::new(mel(200), 13).unwrap();
    let prints = [
        fingerprint(&samples),
        fingerprint(&resample(&signal(4000), 8000, 3000).unwrap()),
        bits(&|out| spectrogram(256).apply(&samples, out).unwrap(), 129, 256),
        bits(&|out| spectrogram(200).apply(&samples, out).unwrap(), 101, 200),
        bits(&|out| mel(256).apply(&samples, out).unwrap(), 20, 256),
        bits(&|out| mfcc.apply(&samples, out).unwrap(), 13, 200),
    ];
    let right = [
        0xa50b_3123_0125_c93b,
        0x257f_91d7_d41b_24d5,
        0x5fa8_5bd4_80e2_59e7,
        0x8522_c5ca_56a2_42aa,
        0xdfca_c15a_a13e_c5e1,
        0x683a_604a_fe15_0f68,
    ];
    assert_eq!(prints, right, "{prints:#018x?}");
}
