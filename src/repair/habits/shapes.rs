//! Images whose channels come first, as PyTorch and Caffe have them.
//!
//! ```text
//! image: f32[N, 1, 28, 28]     image: f32[N, 28, 28, 1]
//! ```

use super::TextChange;
use super::tokens::{ForeignToken, closer, split};

/// Numbers of channels that an image may have.
const CHANNELS: [&str; 3] = ["1", "3", "4"];
/// An extent up to this is none of an image.
const SMALL: u32 = 7;

/// The changes that turn such shapes.
pub fn turned<'a>(text: &'a str, all: &[ForeignToken<'a>]) -> Vec<TextChange> {
    let mut changes = Vec::new();
    for (at, token) in all.iter().enumerate() {
        let of_type = at > 1 && all[at - 1].is("f32") && all[at - 2].is(":");
        if !token.is("[") || !of_type {
            continue;
        }
        let Some(close) = closer(all, at) else { continue };
        let dims = split(&all[at + 1..close], |token| token.is(","));
        let [[batch], [channels], [height], [width]] = dims[..] else { continue };
        let large = |token: &ForeignToken<'_>| token.text.parse::<u32>().is_ok_and(|it| it > SMALL);
        if CHANNELS.contains(&channels.text) && large(height) && large(width) {
            let place = batch.start..width.end();
            let order =
                [batch, height, width, channels].map(|token| &text[token.start..token.end()]);
            changes.push(TextChange::new(place, order.join(", ")));
        }
    }
    changes
}
