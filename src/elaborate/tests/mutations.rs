//! Programs with words exchanged: whatever they mean, elaboration ends and does not panic.

use crate::base::source::Sources;
use crate::elaborate::{ElaborateOptions, PRELUDE, PRELUDE_NAME, ProgramFiles, elaborate};
use crate::syntax::parse;

const SEED: &str = "const wide = [4, 6]\n\
    layer block(x: f32[..S, D], units: int, gain: float = 2.0) -> f32[..S, units] {\n param w: f32[D, units] = he_normal\n state seen: f32[units] = zeros\n let y = x @ w * gain\n seen <- 0.5 * seen + 0.5 * mean(y, axis: 0)\n if training and D > 3 { y - seen } else { y }\n}\n\
    optimizer mine(p, g, step, lr: f32 = 0.1, beta: float = 0.9) {\n state m = 0\n m <- beta * m + (1 - beta) * g ^ 2\n p <- p - lr * m / (1 - beta ^ step)\n}\n\
    model net(x: f32[N, 4]) -> f32[N, 3] {\n x |> block(wide[0]) as head |> head |> repeat i in 0..2 { block(4 + i * 0) |> dropout(0.5) } |> reshape([N, -1]) |> dense(3, init: normal(std: 0.1))\n}\n\
    train net {\n loss = cross_entropy(smoothing: 0.1)\n optimizer = mine(lr: 0.5)\n metrics = [accuracy]\n batch = 8\n}\n";

/// The text cut into words, numbers and single characters.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut joins = false;
    for character in text.chars() {
        let part_of_word = character.is_alphanumeric() || character == '_';
        match words.last_mut() {
            Some(last) if part_of_word && joins => last.push(character),
            _ => words.push(character.into()),
        }
        joins = part_of_word;
    }
    words
}

#[test]
fn exchanged_words_never_panic() {
    let words = words(SEED);
    let mut sources = Sources::new();
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let prelude = parse(&sources, prelude).expect("the prelude parses");
    let mut state = 1u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut right, mut wrong) = (0, 0);
    for _ in 0..3000 {
        let mut mutated = words.clone();
        for _ in 0..=random(2) {
            let (at, from) = (random(words.len()), random(words.len()));
            mutated[at].clone_from(&words[from]);
        }
        let mut sources = Sources::new();
        let main = sources.add("main.nn", mutated.concat());
        let Ok(file) = parse(&sources, main) else { continue };
        let program = ProgramFiles { files: &[file], prelude: &prelude };
        match elaborate(&program, &ElaborateOptions::default()) {
            Ok(_) => right += 1,
            Err(errors) => {
                assert!(!errors.is_empty(), "{}", mutated.concat());
                wrong += 1;
            }
        }
    }
    assert!(right > 50 && wrong > 50, "{right} right, {wrong} wrong");
}
