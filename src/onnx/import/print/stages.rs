//! The stages of a pipeline, runs of them that are alike as a `repeat`.
//!
//! ```text
//! block(64), block(64), relu   →   repeat 2 { block(64) }, relu
//! ```

use super::super::net::NetId;

/// A variable: the node that declares it, and which of the node's it is.
pub(super) type VariableOf = (NetId, usize);

/// Stages that are looked at as one turn of a `repeat`.
const TURN: usize = 8;

/// A call behind `|>`.
#[derive(Clone, Debug)]
pub(super) struct PrintedStage {
    pub text: String,
    pub weights: Vec<VariableOf>,
}

/// Stages with runs that are alike as a `repeat`.
pub(super) fn repeated(stages: &[PrintedStage]) -> Vec<String> {
    let (mut made, mut at) = (Vec::new(), 0);
    while at < stages.len() {
        let turns = |length: usize| {
            let alike = |turn: usize| {
                let from = at + turn * length;
                from + length <= stages.len()
                    && (0..length).all(|it| stages[from + it].text == stages[at + it].text)
            };
            (1..).take_while(|&turn| alike(turn)).count() + 1
        };
        let has_weights = |length: usize| {
            (at + length <= stages.len())
                && stages[at..at + length].iter().any(|stage| !stage.weights.is_empty())
        };
        let run = (1..=TURN).filter(|&length| has_weights(length)).map(|it| (it, turns(it)));
        let best = run
            .filter(|&(_, turns)| turns > 1)
            .max_by_key(|&(length, turns)| (length * (turns - 1), std::cmp::Reverse(length)));
        match best {
            Some((length, turns)) => {
                let texts: Vec<&str> =
                    stages[at..at + length].iter().map(|stage| stage.text.as_str()).collect();
                made.push(format!("repeat {turns} {{ {} }}", texts.join(" |> ")));
                at += length * turns;
            }
            None => {
                made.push(stages[at].text.clone());
                at += 1;
            }
        }
    }
    made
}
