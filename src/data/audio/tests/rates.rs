//! Resampling against NumPy's values in `f64`, and its filter.

use super::features::{assert_near, signal};
use super::*;

#[test]
fn higher_rates_are_those_of_torchaudio() {
    // torchaudio.functional.resample, as NumPy computes it in f64
    let right = [
        -0.968517261,
        0.250330867,
        1.41008199,
        0.549662113,
        -0.807282826,
        -0.928014715,
        -0.388706579,
        -0.257914608,
        0.0367290056,
        0.894639134,
        0.53680107,
        -0.300229588,
        0.375832025,
        0.19741972,
        -0.382180649,
        0.552746965,
        0.617673807,
        -0.538987746,
        -0.541493768,
        0.62333875,
        0.892907855,
        0.357202114,
        0.265089839,
        0.229949312,
        0.107744091,
        0.199729186,
        0.305358588,
        0.130284988,
    ];
    assert_near(&resample(&signal(20), 8000, 11025).unwrap(), &right);
}

#[test]
fn lower_rates_are_those_of_torchaudio() {
    let right = [
        0.102227932,
        -0.125457837,
        -0.125409579,
        0.395988227,
        -0.0496183103,
        0.319196098,
        0.27671311,
        0.387595922,
        0.22095698,
        0.226575591,
        -0.136930204,
        -0.188012224,
        -0.833075592,
        -0.473304886,
        0.477317766,
    ];
    assert_near(&resample(&signal(40), 44100, 16000).unwrap(), &right);
    let right = [
        -0.14137252,
        0.482698247,
        -0.823955602,
        0.421895474,
        0.172116829,
        0.186091467,
        -0.0359728945,
        0.336318913,
        0.399255355,
        0.146692869,
        0.385379722,
    ];
    assert_near(&resample(&signal(21), 8000, 4000).unwrap(), &right);
}

#[test]
fn rates_may_be_any_that_are_not_too_far_apart() {
    assert_eq!(resample(&signal(9), 7, 7).unwrap(), signal(9));
    assert!(resample(&[], 8000, 11025).unwrap().is_empty());
    assert!(resample(&[0.0], 0, 8000).is_err() && resample(&[0.0], 8000, 0).is_err());
    assert!(resample(&[0.0], 1, 1001).is_err() && resample(&[0.0], 1, 1000).is_ok());
    // Rates without a common divisor, and a kernel longer than the recording.
    assert_eq!(resample(&signal(100), 9_999_991, 9_999_990).unwrap().len(), 100);
    assert_eq!(resample(&signal(3), 1000, 1).unwrap().len(), 1);
}

#[test]
fn tones_below_the_limit_pass_and_those_above_do_not() {
    let tone = |frequency: f64, rate: u32| {
        let angle =
            |index: usize| std::f64::consts::TAU * frequency * index as f64 / f64::from(rate);
        (0..rate as usize / 4).map(|index| libm::sin(angle(index)) as f32).collect::<Vec<f32>>()
    };
    let low = resample(&tone(1000.0, 44100), 44100, 16000).unwrap();
    for (value, right) in low[100..3900].iter().zip(&tone(1000.0, 16000)[100..3900]) {
        assert!((value - right).abs() < 5e-3, "{value} {right}");
    }
    let high = resample(&tone(12000.0, 44100), 44100, 16000).unwrap();
    assert!(high[100..3900].iter().all(|value| value.abs() < 5e-3));
}
