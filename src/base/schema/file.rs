//! How a [`Schema`] is written into a run's folder and beside its weights.
//!
//! The form is that of the first versions, in which a sample is images and a class: `inputs` and a
//! `target`, and what is known of images and classes beside them. Samples of other fields stand in
//! `fields` as well, each with its kind and its recipe; where that is there, it is what is read.

use super::{ClassField, Conversion, Field, FieldKind, ImageField, Schema};
use crate::base::tensor::DType;
use serde::{Deserialize, Serialize};

/// A schema as it is written.
#[derive(Serialize, Deserialize)]
pub struct SchemaFile {
    inputs: Vec<FieldEntry>,
    target: FieldEntry,
    grey: bool,
    classes: Option<usize>,
    prepare: Preparation,
    train: Option<usize>,
    validation: Option<usize>,
    test: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    oddities: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pixels: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
struct FieldEntry {
    name: String,
    dtype: DType,
    shape: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
struct Preparation {
    conversions: Vec<Conversion>,
    one_hot: bool,
    mixed: bool,
}

impl From<Field> for FieldEntry {
    fn from(field: Field) -> FieldEntry {
        FieldEntry { name: field.name, dtype: field.dtype, shape: field.shape }
    }
}

impl From<Schema> for SchemaFile {
    fn from(schema: Schema) -> SchemaFile {
        let (grey, pixels, classes) = (schema.is_grey(), schema.pixels(), schema.classes());
        let fields = match is_of_first_form(&schema) {
            true => Vec::new(),
            false => schema.fields.clone(),
        };
        let images = schema.fields.iter().filter_map(Field::as_image);
        let conversions = images.map(|image| image.conversions.clone()).next().unwrap_or_default();
        let one_hot = schema.target().and_then(Field::as_class).is_some_and(|class| class.one_hot);
        let (targets, inputs): (Vec<Field>, Vec<Field>) =
            schema.fields.into_iter().partition(|field| field.is_target);
        let none = || Field::number("", DType::I32, &[]);
        SchemaFile {
            inputs: inputs.into_iter().map(FieldEntry::from).collect(),
            target: targets.into_iter().next().unwrap_or_else(none).into(),
            grey,
            classes,
            prepare: Preparation { conversions, one_hot, mixed: schema.mixed },
            train: schema.train,
            validation: schema.validation,
            test: schema.test,
            oddities: schema.oddities,
            pixels,
            fields,
        }
    }
}

/// Whether the form of the first versions says all of a schema: images, then at most one class.
fn is_of_first_form(schema: &Schema) -> bool {
    let images = schema.fields.iter().take_while(|field| field.as_image().is_some()).count();
    let rest = &schema.fields[images..];
    let is_class = |field: &Field| field.is_target && field.as_class().is_some();
    images > 0 && rest.len() <= 1 && rest.iter().all(|it| is_class(it) && it.recipe.is_none())
}

impl From<SchemaFile> for Schema {
    fn from(file: SchemaFile) -> Schema {
        let Preparation { conversions, one_hot, mixed } = file.prepare;
        let (grey, pixels) = (file.grey, file.pixels);
        let input = |entry: FieldEntry| {
            let kind = match entry.dtype {
                DType::U8 => {
                    let conversions = conversions.clone();
                    FieldKind::Image(ImageField { conversions, grey, pixels })
                }
                _ => FieldKind::Number,
            };
            Field { kind, ..Field::number(&entry.name, entry.dtype, &entry.shape) }
        };
        let mut fields: Vec<Field> = file.inputs.into_iter().map(input).collect();
        let target = file.target;
        let kind = match file.classes {
            None => FieldKind::Number,
            count => FieldKind::Class(ClassField { count, one_hot }),
        };
        let own = Field::number(&target.name, target.dtype, &target.shape);
        fields.extend((!target.name.is_empty()).then_some(Field { kind, is_target: true, ..own }));
        let SchemaFile { train, validation, test, oddities, .. } = file;
        if !file.fields.is_empty() {
            fields = file.fields;
        }
        let (in_buckets, constants) = (Vec::new(), Vec::new());
        Schema { fields, mixed, train, validation, test, in_buckets, oddities, constants }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_read_as_it_was_written_and_as_the_first_versions_wrote_it() {
        let text = r#"{"inputs":[{"name":"image","dtype":"u8","shape":[2,2,3]}],"target":{"name":"label","dtype":"i32","shape":[]},"grey":true,"classes":5,"prepare":{"conversions":[{"Rescale":{"scale":0.5,"offset":0.0}}],"one_hot":true,"mixed":false},"train":7,"validation":0,"test":null,"pixels":12}"#;
        let schema: Schema = serde_json::from_str(text).expect("a schema");
        assert_eq!((schema.classes(), schema.is_grey(), schema.pixels()), (Some(5), true, 12));
        assert!(schema.fields[1].as_class().expect("a class").one_hot);
        assert_eq!(schema.fields[0].as_image().expect("an image").conversions.len(), 1);
        assert_eq!(serde_json::to_string(&schema).expect("it is written"), text);
    }
}
