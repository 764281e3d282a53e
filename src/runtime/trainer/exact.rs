//! `f64` numbers in JSON, read back to the bit: what is not finite, which JSON has no number for,
//! is a string.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(String),
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        match value.is_finite() {
            true => Number::Finite(value),
            false => Number::Other(value.to_string()),
        }
    }
}

impl Number {
    fn value<E: serde::de::Error>(self) -> Result<f64, E> {
        match self {
            Number::Finite(value) => Ok(value),
            Number::Other(text) => text.parse().map_err(E::custom),
        }
    }
}

/// Writes a number.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number::from(*value).serialize(serializer)
}

/// Reads a number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer)?.value()
}

/// Numbers with names.
pub mod pairs {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    /// Writes them.
    pub fn serialize<S: Serializer>(
        values: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let numbers: Vec<(&str, Number)> =
            values.iter().map(|(name, value)| (name.as_str(), Number::from(*value))).collect();
        numbers.serialize(serializer)
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        let numbers = Vec::<(String, Number)>::deserialize(deserializer)?;
        numbers.into_iter().map(|(name, number)| Ok((name, number.value()?))).collect()
    }
}

/// Many `f32` numbers, as base64 of their bytes.
pub mod floats {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error;

    /// Writes them.
    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        STANDARD.encode(bytes).serialize(serializer)
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let bytes =
            STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        match bytes.as_chunks::<4>() {
            (words, []) => Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect()),
            _ => Err(D::Error::custom("numbers of 32 bits are cut")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::runtime::trainer::Scores;

    #[test]
    fn rows_of_metrics_read_back_to_the_bit() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Rows(#[serde(with = "super::floats")] Vec<f32>);
        let rows = vec![0.1, -0.0, f32::NAN, f32::INFINITY, 1e-45];
        let text = serde_json::to_string(&Rows(rows.clone())).unwrap();
        let Rows(read) = serde_json::from_str(&text).unwrap();
        let bits = |rows: &[f32]| rows.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&rows));
        assert!(serde_json::from_str::<Rows>("\"AAA=\"").is_err(), "two bytes");
    }

    #[test]
    fn every_number_reads_back_to_the_bit() {
        let third = 1.0f64 / 3.0;
        for value in [third, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300] {
            let scores = Scores {
                loss: value,
                metrics: vec![("accuracy".into(), -value)],
                ..Scores::default()
            };
            let text = serde_json::to_string(&scores).unwrap();
            let read: Scores = serde_json::from_str(&text).unwrap();
            assert_eq!(read.loss.to_bits(), value.to_bits(), "{text}");
            assert_eq!(read.metrics[0].1.to_bits(), (-value).to_bits(), "{text}");
        }
        let read: Scores = serde_json::from_str(r#"{"loss":"NaN","metrics":[]}"#).unwrap();
        assert!(read.loss.is_nan());
        assert!(serde_json::from_str::<Scores>(r#"{"loss":"one","metrics":[]}"#).is_err());
    }
}
