//! Images with a class each: what the sources have in common. Bytes and labels go in, schemas,
//! samples and data sets come out.
//!
//! ```text
//! dims [60000, 28, 28]   →   image: u8[28, 28, 1], label: i32[]
//! ```
//!
//! Where bytes come from, and whether they are right, is the sources' business.

use std::sync::Arc;

use super::dataset::Dataset;
use super::samples::{Column, Samples, Split};
use super::split::{kept, train_and_validation};
use crate::base::schema::{Field, Schema};

/// A data set of training samples, some of which are kept for validation, and test samples.
pub fn assemble(
    source: &'static str,
    schema: Schema,
    train: Samples,
    labels: &[u8],
    validation: f64,
    test: Option<Samples>,
) -> Dataset {
    let train = Arc::new(train);
    let test = match test {
        Some(test) => Split::all(Arc::new(test)),
        None => Split::of(train.clone(), Vec::new()),
    };
    let labels: Vec<usize> = labels.iter().map(|&label| usize::from(label)).collect();
    let (train, validation) = train_and_validation(train, &labels, validation);
    let transforms = Arc::default();
    let (notice, notes) = (None, Vec::new());
    let classes = Vec::new();
    Dataset { source, schema, train, validation, test, classes, transforms, notice, notes }
}

/// The schema of images with sizes `[count, height, width]` (channels may follow), or of plain
/// vectors `[count, length]`.
pub fn image_schema(dims: &[usize], classes: usize, validation: f64, test: usize) -> Schema {
    let validation = kept(dims[0], validation);
    Schema::of(vec![image_field(dims), label_field(Some(classes))]).counted([
        dims[0] - validation,
        validation,
        test,
    ])
}

/// A line about classes that no label names, if there are any.
pub fn absent_classes(labels: &[u8], classes: usize) -> Vec<String> {
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let absent = counts.iter().enumerate().filter(|(_, count)| **count == 0);
    let absent: Vec<String> = absent.map(|(class, _)| class.to_string()).collect();
    match absent.len() {
        0 => Vec::new(),
        1 => vec![format!("class {} of {classes} has no samples to train on", absent[0])],
        count => {
            let shown = absent[..count.min(8)].join(", ");
            let more = if count > 8 { ", …" } else { "" };
            vec![format!("classes {shown}{more} of {classes} have no samples to train on")]
        }
    }
}

fn image_field(dims: &[usize]) -> Field {
    let mut shape = dims[1..].to_vec();
    if shape.len() == 2 {
        shape.push(1);
    }
    Field::image("image", &shape)
}

/// The class of a sample, of so many.
pub fn label_field(classes: Option<usize>) -> Field {
    Field::class("label", classes)
}

/// Samples of images with sizes `[count, …]`, and a label for each.
pub fn image_samples(dims: &[usize], bytes: Vec<u8>, labels: &[u8]) -> Samples {
    let field = image_field(dims);
    let label_bytes = labels.iter().flat_map(|&label| i32::from(label).to_le_bytes()).collect();
    let label_column = (label_field(None), Column::Memory(label_bytes));
    Samples::new(labels.len(), vec![(field, Column::Memory(bytes)), label_column])
}
