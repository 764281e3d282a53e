//! How wide texts are, roughly. What draws the chart has the fonts; here their widths are guessed
//! a little too wide, so that texts do not run into one another.

use crate::report::escape::shorten;

/// The width of a text in a font of this size.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(part).sum::<f64>() * size
}

/// The width of a character as a part of the font's size.
fn part(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '\u{202f}' => 0.32,
        'f' | 'r' | 't' | ' ' | '(' | ')' | '[' | ']' | '/' | '-' | '¹' => 0.42,
        '⁰'..='⁹' | '⁻' | '²' | '³' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.98,
        'A'..='Z' | '_' => 0.72,
        _ if character.is_ascii() => 0.6,
        // Ideographs and pictures fill a square.
        '\u{1100}'.. => 1.05,
        _ => 0.68,
    }
}

/// A text shortened to a width.
pub fn fit(text: &str, size: f64, room: f64) -> String {
    // Nothing this narrow is longer than that, and a name can be a whole document.
    let mut most = text.chars().count().min((room / size / 0.3).max(1.0) as usize + 1);
    loop {
        let shortened = shorten(text, most);
        if most <= 1 || width(&shortened, size) <= room {
            return shortened;
        }
        most -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_their_room() {
        assert_eq!(fit("loss", 12.0, 100.0), "loss");
        for text in ["iiiiiiiiiiiiiiiiiiiiiiiii", "WWWWWWWWWWWWWWWW", "猫猫猫猫猫猫猫猫猫猫"]
        {
            for room in [20.0, 50.0, 80.0] {
                let fitted = fit(text, 12.0, room);
                assert!(width(&fitted, 12.0) <= room, "{fitted} in {room}");
                let wider = fit(text, 12.0, room + 14.0);
                assert!(wider.chars().count() > fitted.chars().count(), "{fitted} fills {room}");
            }
        }
        assert_eq!(fit("anything", 12.0, 0.0), "…");
        assert!(fit(&"x".repeat(10_000_000), 12.0, 100.0).contains('…'));
    }
}
