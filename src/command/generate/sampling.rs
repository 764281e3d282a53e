//! Which token follows: drawn from the likely ones.

/// How a token is drawn from the model's distribution: its logits divided by the temperature, then the
/// softmax of those that are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The divisor of logits; at 0 the likeliest token is taken.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are kept (Fan et al. 2018).
    pub top_k: Option<usize>,
    /// Only the fewest of the likeliest tokens whose probabilities add up to this are kept (Holtzman et
    /// al. 2020).
    pub top_p: Option<f64>,
}

impl Sampling {
    /// One of the allowed tokens, by a random number in [0, 1), and its probability among those that are
    /// kept; `None` where no logit is a number. Of equally likely tokens the first comes first.
    pub fn choose(
        &self,
        logits: &[f32],
        allowed: impl Fn(usize) -> bool,
        random: f64,
    ) -> Option<(usize, f64)> {
        let candidates = logits.iter().enumerate().filter(|&(token, _)| allowed(token));
        let mut kept: Vec<(usize, f64)> =
            candidates.map(|(token, &logit)| (token, f64::from(logit))).collect();
        if kept.iter().any(|(_, logit)| logit.is_nan() || *logit == f64::INFINITY) {
            return None;
        }
        kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let greedy = self.temperature == 0.0;
        let temperature = if greedy { 1.0 } else { self.temperature };
        let largest = kept.first()?.1;
        for (_, value) in &mut kept {
            *value = libm::exp((*value - largest) / temperature);
        }
        kept.truncate(self.top_k.unwrap_or(usize::MAX).max(1));
        if let Some(top_p) = self.top_p {
            kept.truncate(fewest(&kept, top_p));
        }
        if greedy {
            let total = total(&kept);
            return kept.first().map(|&(token, weight)| (token, weight / total));
        }
        let total = total(&kept);
        let mut left = random * total;
        let drawn = kept.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a little behind the last.
        let (token, weight) = *drawn.or(kept.last())?;
        Some((token, weight / total))
    }
}

fn total(kept: &[(usize, f64)]) -> f64 {
    kept.iter().map(|(_, weight)| weight).sum()
}

/// How many of the first weights make up a share of all; at least 1.
fn fewest(kept: &[(usize, f64)], share: f64) -> usize {
    let wanted = share * total(kept);
    let mut sum = 0.0;
    let enough = kept.iter().position(|(_, weight)| {
        sum += weight;
        sum >= wanted
    });
    enough.map_or(kept.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Sampling = Sampling { temperature: 1.0, top_k: None, top_p: None };

    fn at(sampling: Sampling, random: f64) -> (usize, f64) {
        // Probabilities 0.1, 0.6, 0.3.
        let logits = [0.1f32, 0.6, 0.3].map(f32::ln);
        sampling.choose(&logits, |_| true, random).unwrap()
    }

    fn is_near(got: (usize, f64), token: usize, probability: f64) {
        assert!(got.0 == token && (got.1 - probability).abs() < 1e-6, "{got:?}");
    }

    #[test]
    fn tokens_are_drawn_by_their_probabilities() {
        is_near(at(PLAIN, 0.0), 1, 0.6);
        is_near(at(PLAIN, 0.59), 1, 0.6);
        is_near(at(PLAIN, 0.61), 2, 0.3);
        is_near(at(PLAIN, 0.9999), 0, 0.1);
        is_near(at(Sampling { temperature: 0.0, ..PLAIN }, 0.9999), 1, 0.6);
        is_near(at(Sampling { temperature: 0.5, ..PLAIN }, 0.0), 1, 0.36 / 0.46);
    }

    #[test]
    fn unlikely_tokens_are_left_out() {
        is_near(at(Sampling { top_k: Some(2), ..PLAIN }, 0.9999), 2, 1.0 / 3.0);
        is_near(at(Sampling { top_k: Some(1), ..PLAIN }, 0.9999), 1, 1.0);
        is_near(at(Sampling { top_p: Some(0.6), ..PLAIN }, 0.9999), 1, 1.0);
        is_near(at(Sampling { top_p: Some(0.7), ..PLAIN }, 0.9999), 2, 1.0 / 3.0);
        is_near(at(Sampling { top_p: Some(0.0), ..PLAIN }, 0.9999), 1, 1.0);
        let allowed = PLAIN.choose(&[5.0, 1.0, 1.0], |token| token > 0, 0.2).unwrap();
        is_near(allowed, 1, 0.5);
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        assert_eq!(PLAIN.choose(&[f32::NAN, 1.0], |_| true, 0.5), None);
        assert_eq!(PLAIN.choose(&[f32::INFINITY, 1.0], |_| true, 0.5), None);
        assert_eq!(PLAIN.choose(&[], |_| true, 0.5), None);
        let impossible = PLAIN.choose(&[f32::NEG_INFINITY, 1.0], |_| true, 0.9999);
        assert_eq!(impossible, Some((1, 1.0)));
    }
}
