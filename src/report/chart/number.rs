//! How the numbers at ticks read: `0.25`, `−3`, `60 000`, `2×10⁻⁵`, with as many digits as tell
//! neighbours apart, alike along an axis.

use crate::base::units::in_groups;

/// A power of ten.
pub fn power(exponent: f64) -> f64 {
    10f64.powf(exponent)
}

/// Labels of ticks at multiples of a power of ten, all with the same number of decimals.
pub fn labels(multiples: &[i64], exponent: i32) -> Vec<String> {
    let largest = multiples.iter().map(|multiple| multiple.unsigned_abs()).max().unwrap_or(0);
    // The place of the first digit of the largest: 0 for units.
    let first_digit = largest.checked_ilog10().map_or(0, |digits| digits as i32 + exponent);
    let plain = (-4..6).contains(&first_digit);
    let shift = if plain { 0 } else { first_digit };
    let decimals = (shift - exponent).max(0) as usize;
    let label = |&multiple: &i64| {
        let digits = decimal(multiple, exponent - shift, decimals);
        match (plain, multiple) {
            (true, _) => grouped(&digits),
            (false, 0) => "0".to_owned(),
            (false, _) => format!("{digits}×10{}", superscript(shift)),
        }
    };
    multiples.iter().map(label).collect()
}

/// Labels of ticks at factors below ten times a power of ten: as decimals if none has many
/// digits.
pub fn powers(products: &[(u32, i32)]) -> Vec<String> {
    let plain = products.iter().all(|&(_, exponent)| (-3..5).contains(&exponent));
    let label = |&(factor, exponent): &(u32, i32)| match (factor, exponent) {
        _ if plain => grouped(&decimal(factor.into(), exponent, (-exponent).max(0) as usize)),
        (_, 0) => factor.to_string(),
        (1, _) => format!("10{}", superscript(exponent)),
        _ => format!("{factor}×10{}", superscript(exponent)),
    };
    products.iter().map(label).collect()
}

/// `multiple · 10^exponent` with so many decimals, exactly.
fn decimal(multiple: i64, exponent: i32, decimals: usize) -> String {
    let zeros = "0".repeat(exponent.max(0) as usize);
    let digits = match multiple {
        0 => "0".to_owned(),
        _ => format!("{}{zeros}", multiple.unsigned_abs()),
    };
    let digits = format!("{digits:0>width$}", width = decimals + 1);
    let (before, after) = digits.split_at(digits.len() - decimals);
    let sign = if multiple < 0 { "−" } else { "" };
    let point = if decimals > 0 { "." } else { "" };
    format!("{sign}{before}{point}{after}")
}

/// Digits before the point in groups of three, from five on, with narrow spaces.
fn grouped(number: &str) -> String {
    let end = number.find('.').unwrap_or(number.len());
    let start = number.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    if end - start < 5 {
        return number.to_owned();
    }
    let (sign, digits, rest) = (&number[..start], &number[start..end], &number[end..]);
    format!("{sign}{}{rest}", in_groups(digits, "\u{202f}"))
}

fn superscript(number: i32) -> String {
    let raised = |character| match character {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // The others stand in order.
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    };
    number.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_have_the_same_decimals() {
        assert_eq!(labels(&[-5, 0, 5, 10], -1), ["−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&[0, 25, 50], 0), ["0", "25", "50"]);
        assert_eq!(labels(&[9_990, 10_005], -3), ["9.990", "10.005"]);
        assert_eq!(labels(&[], -3), [""; 0]);
    }

    #[test]
    fn large_and_small_numbers_have_powers() {
        assert_eq!(labels(&[0, 5, 10], -8), ["0", "0.5×10⁻⁷", "1.0×10⁻⁷"]);
        assert_eq!(labels(&[-2, 2], 12), ["−2×10¹²", "2×10¹²"]);
        assert_eq!(labels(&[5, 10], 5), ["0.5×10⁶", "1.0×10⁶"]);
        assert_eq!(labels(&[9], 5), ["900\u{202f}000"]);
        assert_eq!(superscript(-1_234_567_890), "⁻¹²³⁴⁵⁶⁷⁸⁹⁰");
    }

    #[test]
    fn digits_are_grouped_from_five_on() {
        assert_eq!(grouped("9999"), "9999");
        assert_eq!(grouped("10000"), "10\u{202f}000");
        assert_eq!(grouped("−123456.78"), "−123\u{202f}456.78");
    }

    #[test]
    fn products_are_decimals_where_none_is_long() {
        assert_eq!(powers(&[(1, -3), (5, 0), (2, 4)]), ["0.001", "5", "20\u{202f}000"]);
        assert_eq!(powers(&[(1, -4), (5, 0), (2, 4)]), ["10⁻⁴", "5", "2×10⁴"]);
    }
}
