//! Amounts that are counted otherwise elsewhere, as they are here.
//!
//! ```text
//! weight_decay=1e-4               l2 = 5e-5
//! kernel_regularizer=l2(1e-4)     ⟦l2 1e-4⟧, which becomes a setting of the run
//! ZeroPadding2D((2, 1))           pad([0, 2, 1, 0])
//! RandomRotation(0.1)             36 degrees: Keras counts turns
//! ```

use super::bound::{BoundArguments, OPEN, size};

/// An amount by the name of its conversion, where others of the call say what it means.
pub fn amount(bound: &BoundArguments<'_>, conversion: &str, given: &str) -> Option<String> {
    match conversion {
        "part" => part(bound, given),
        "crop" => cropped(bound, given),
        _ => Some(degrees(given)),
    }
}

/// The border of a crop. Keras has the width in its place: `RandomCrop(24, 24)`.
fn cropped(bound: &BoundArguments<'_>, given: &str) -> Option<String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let extent = bound.values.get("size").and_then(|it| number(it));
    match extent.zip(number(given)) {
        Some((extent, pad)) if pad == extent => None,
        Some((extent, pad)) if 2 * pad > extent => Some(OPEN.to_owned()),
        _ => size(given),
    }
}

/// The amounts of a border around images: `1`, `[1, 2]`, `[[1, 0], [2, 2]]`.
pub fn border(given: &str) -> String {
    let inner = given.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    format!("[0, {}, 0]", inner.map_or(format!("{given}, {given}"), str::to_owned))
}

/// Half of a number, written as it is: `1e-4` and `5e-5`, `0.001` and `0.0005`.
pub fn half(given: &str) -> Option<String> {
    let value = given.parse::<f64>().ok()? / 2.0;
    match given.contains(['e', 'E']) && value != 0.0 {
        true => Some(format!("{value:e}")),
        false => Some(((value * 1e12).round() / 1e12).to_string()),
    }
}

/// The factor of Keras's `l2(1e-4)`; as a word it is 0.01. A mark that says which penalty it is.
pub fn penalty(given: &str) -> Option<String> {
    let word = given.trim_matches('"').to_lowercase();
    if matches!(word.as_str(), "l1" | "l2") {
        return Some(format!("⟦{word} 0.01⟧"));
    }
    let (kind, inner) = word.split_once('(')?;
    let value = inner.strip_suffix(')')?.rsplit(": ").next()?;
    let is_known = matches!(kind, "l1" | "l2") && value.parse::<f64>().is_ok();
    is_known.then(|| format!("⟦{kind} {value}⟧"))
}

/// An angle in degrees: Keras gives it in turns, `0.1`, torchvision in degrees, `10`.
fn degrees(given: &str) -> String {
    let Ok(turns) = given.parse::<f64>() else { return given.to_owned() };
    match turns.abs() < 1.0 && turns != 0.0 {
        true => ((turns * 360.0 * 1e6).round() / 1e6).to_string(),
        false => given.to_owned(),
    }
}

/// A part of the rate that a schedule begins from, as a rate.
fn part(bound: &BoundArguments<'_>, given: &str) -> Option<String> {
    let share = given.parse::<f64>().ok();
    let peak = bound.values.get("peak").and_then(|it| it.parse::<f64>().ok());
    match share.zip(peak) {
        Some((0.0, _)) => None,
        Some((share, peak)) => Some(((share * peak * 1e12).round() / 1e12).to_string()),
        None => Some(OPEN.to_owned()),
    }
}
