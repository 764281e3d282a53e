//! The tolerance of numbers that two engines, or PyTorch and an engine, should agree on.

/// How far elements may be from `want`: `1e-5 + 1e-4 · max|want|`.
pub fn tolerance(want: &[f32]) -> f64 {
    let largest = want.iter().fold(0f64, |largest, &value| largest.max(f64::from(value).abs()));
    1e-5 + 1e-4 * largest
}

/// What is too far away, if anything: the element, what it is and what it should be.
pub fn mismatch(got: &[f32], want: &[f32]) -> Option<String> {
    if got.len() != want.len() {
        return Some(format!("{} elements, not {}", got.len(), want.len()));
    }
    let allowed = tolerance(want);
    let far = |&(_, (&got, &want)): &(usize, (&f32, &f32))| {
        let distance = (f64::from(got) - f64::from(want)).abs();
        distance.is_nan() || distance > allowed
    };
    let (index, (got, want)) = got.iter().zip(want).enumerate().find(far)?;
    Some(format!("element {index} is {got:e}, not {want:e} (within {allowed:.1e})"))
}

/// Fails where `got` is too far from `want`.
#[track_caller]
pub fn assert_close(got: &[f32], want: &[f32], what: &str) {
    if let Some(complaint) = mismatch(got, want) {
        panic!("{what}: {complaint}");
    }
}
