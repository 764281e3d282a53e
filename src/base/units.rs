//! Numbers as people read them: digits in groups, prefixes of units, times.
//!
//! ```
//! # use nnc::base::units::{duration, grouped, short};
//! assert_eq!(grouped(1_234_567), "1 234 567");
//! assert_eq!(short(389_400.0) + "FLOP", "389.4 kFLOP");
//! assert_eq!(duration(185.0), "3 min 05 s");
//! ```

/// A number in groups of three digits, with gaps.
pub fn grouped(number: u64) -> String {
    in_groups(&number.to_string(), " ")
}

/// Digits in groups of three, counted from their end.
pub fn in_groups(digits: &str, gap: &str) -> String {
    let count = digits.chars().count();
    let mut text = String::with_capacity(digits.len() + count / 3 * gap.len());
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (count - index).is_multiple_of(3) {
            text.push_str(gap);
        }
        text.push(digit);
    }
    text
}

/// A number in three or four digits with a unit's prefix, the unit to follow: `12.3 M`, `12 `.
pub fn short(number: f64) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let mut scaled = number;
    let mut index = 0;
    while scaled >= 1000.0 && index + 1 < prefixes.len() {
        scaled /= 1000.0;
        index += 1;
    }
    match index {
        0 => format!("{number} "),
        _ => format!("{scaled:.1} {}", prefixes[index]),
    }
}

/// Seconds with a unit's prefix: `12.3 ms`.
pub fn short_seconds(seconds: f64) -> String {
    let text = match seconds {
        small if small < 1e-3 => format!("{:.1} µ", small * 1e6),
        some if some < 1.0 => format!("{:.1} m", some * 1e3),
        many if many < 1000.0 => format!("{many:.1} "),
        more => short(more),
    };
    text + "s"
}

/// Whole megabytes, without their unit.
pub fn megabytes(bytes: usize) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

/// `8 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, minutes) => format!("{minutes} min {rest:02} s"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

/// A number of any size in three or four digits: `0.05`, `8.21e-4`.
pub fn compact(value: f32) -> String {
    let digits = if value.abs() < 0.01 && value != 0.0 {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if digits.is_empty() { "0".into() } else { digits }
}

/// A share as a percentage, for print; `–` where it is not defined.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{202f}%", share * 100.0) } else { "–".to_owned() }
}

/// A number for print with four significant digits, or two and a power of ten where it is very large
/// or small.
pub fn significant(number: f64) -> String {
    let size = number.abs();
    match size {
        _ if number.is_nan() => "–".to_owned(),
        _ if number.is_infinite() => if number > 0.0 { "∞" } else { "−∞" }.to_owned(),
        0.0 => "0".to_owned(),
        1e-3..1e5 => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            format!("{number:.decimals$}").replace('-', "−")
        }
        _ => format!("{number:.1e}").replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_shortened() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1234567), "1 234 567");
        assert_eq!(short(12.0), "12 ");
        assert_eq!(short(389_400.0), "389.4 k");
        assert_eq!(short(2.5e9), "2.5 G");
        assert_eq!([0.05, 8.214e-4, 0.0, 12.0].map(compact), ["0.05", "8.21e-4", "0", "12"]);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let times = [2e-6, 0.0123, 1.5, 12_345.0].map(short_seconds);
        assert_eq!(times, ["2.0 µs", "12.3 ms", "1.5 s", "12.3 ks"]);
        assert_eq!([8.2, 185.0, 7_800.0].map(duration), ["8 s", "3 min 05 s", "2 h 10 min"]);
    }

    #[test]
    fn printed_numbers_have_four_digits() {
        let numbers = [0.0, 3.61449, 123.456, 12_345.6, 0.00123456, 1.5e-7, 2e9, -0.5];
        let texts = ["0", "3.614", "123.5", "12346", "0.001235", "1.5e−7", "2.0e9", "−0.5000"];
        assert_eq!(numbers.map(significant), texts);
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        assert_eq!([nan, infinity, -infinity].map(significant), ["–", "∞", "−∞"]);
        assert_eq!([0.5, 1.0, nan].map(percent), ["50.0\u{202f}%", "100.0\u{202f}%", "–"]);
    }
}
