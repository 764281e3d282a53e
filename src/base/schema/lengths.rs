//! Samples of differing lengths: buckets, each a length of its own, and the masks of what is padding.
//!
//! ```text
//! comment = text(tokens: chars) |> bucket([64, 128, 256])
//! the schema            comment: i32[256]
//! its bucket 0          comment: i32[64]
//! `comment_mask`        comment != 0, of any text
//! ```

use super::{CellMeaning, Field, LengthBuckets, Schema};

/// The end of a mask's name, behind that of its field.
const MASK: &str = "_mask";

impl Field {
    /// The buckets that its texts go into, where there are some.
    pub fn buckets(&self) -> Option<&LengthBuckets> {
        match &self.recipe.as_deref()?.value {
            CellMeaning::Text { buckets, .. } => buckets.as_ref(),
            _ => None,
        }
    }

    /// Whether its values are the positions of texts, of which some are padding.
    pub fn is_text(&self) -> bool {
        let value = self.recipe.as_deref().map(|recipe| &recipe.value);
        matches!(value, Some(CellMeaning::Text { .. }))
    }

    /// The name of its mask, where it is a text: true where it has a token.
    pub fn mask_name(&self) -> Option<String> {
        self.is_text().then(|| format!("{}{MASK}", self.name))
    }

    /// The field in the samples of a bucket.
    fn in_bucket(&self, bucket: usize) -> Field {
        let mut field = self.clone();
        if let Some(buckets) = self.buckets() {
            field.shape[0] = buckets.lengths[bucket];
        }
        field
    }
}

impl Schema {
    /// How many buckets samples go into; 1 where they all have the same shapes.
    pub fn bucket_count(&self) -> usize {
        self.fields.iter().find_map(Field::buckets).map_or(1, |buckets| buckets.lengths.len())
    }

    /// The samples of a bucket.
    pub fn in_bucket(&self, bucket: usize) -> Schema {
        let fields = self.fields.iter().map(|field| field.in_bucket(bucket)).collect();
        Schema { fields, ..self.clone() }
    }

    /// A bucket in words: `comment of 64`.
    pub fn bucket_name(&self, bucket: usize) -> String {
        let of = |field: &Field| {
            Some(format!("`{}` of {}", field.name, field.buckets()?.lengths[bucket]))
        };
        self.fields.iter().filter_map(of).collect::<Vec<_>>().join(", ")
    }

    /// How many samples there are to train on, bucket by bucket, where that is known.
    pub fn train_counts(&self) -> Option<Vec<usize>> {
        match self.in_buckets.is_empty() {
            true => self.train.map(|count| vec![count]),
            false => Some(self.in_buckets.iter().map(|[train, ..]| *train).collect()),
        }
    }

    /// The text field whose mask has this name: `comment_mask` is true where `comment` has a token.
    pub fn masked_by(&self, name: &str) -> Option<&Field> {
        let field = self.field(name.strip_suffix(MASK)?)?;
        (field.is_text() && self.field(name).is_none()).then_some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_into_the_first_bucket_that_holds_it() {
        let buckets = LengthBuckets { lengths: vec![4, 8], cut: true };
        assert_eq!([0, 4, 5, 8, 9].map(|positions| buckets.of(positions)), [0, 0, 1, 1, 1]);
    }
}
