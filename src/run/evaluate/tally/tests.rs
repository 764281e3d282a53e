//! Counts of each task over samples of which only the target matters.

use super::super::details::tally_bytes;
use super::*;
use crate::base::schema::{
    CellMeaning, Conversion, Field, FieldKind, FieldRecipe, FieldTransform, ImageField,
    MissingValue, Schema,
};
use crate::base::tensor::DType;
use crate::data::{Column, Samples, Split};
use std::sync::Arc;

/// Test samples of one field.
fn of_field(field: Field, bytes: Vec<u8>) -> Dataset {
    let count = bytes.len() / field.bytes();
    let schema = Schema::of(vec![field.clone()]).counted([0, 0, count]);
    let test = Split::all(Arc::new(Samples::new(count, vec![(field, Column::Memory(bytes))])));
    let none = test.choose(Vec::new());
    Dataset {
        source: "test",
        schema,
        train: none.clone(),
        validation: none,
        test,
        classes: Vec::new(),
        transforms: Arc::default(),
        notice: None,
        notes: Vec::new(),
    }
}

fn split(dtype: DType, shape: &[usize], bytes: Vec<u8>) -> Dataset {
    of_field(Field { dtype, shape: shape.to_vec(), ..Field::class("label", None) }, bytes)
}

fn labels(labels: &[i32]) -> Dataset {
    let bytes = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    split(DType::I32, &[], bytes)
}

fn worst(count: usize) -> Keep {
    Keep { worst: count, random: 0 }
}

fn of(task: Task) -> OutputTask {
    OutputTask { output: StepOutput::ONLY.into(), target: Some("label".into()), task, ignore: None }
}

fn classes(details: Details) -> ClassCounts {
    match details {
        Details::Classes(counts) => counts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn classes_of_samples_are_counted_and_the_worst_kept() {
    let split = labels(&[0, 1, 1]);
    let mut tally =
        Tally::new(&split, &of(Task::Class { classes: 2, scale: Scale::Logits }), worst(1));
    tally.try_add(&[2.0, 0.0, 3.0, 0.0], &[0, 1]).unwrap();
    tally.try_add(&[9.0, 0.0], &[2]).unwrap();
    let counts = classes(tally.finish());
    assert_eq!(counts.counts, [[1, 0], [2, 0]]);
    assert_eq!(counts.right(), (1, 3));
    assert_eq!(counts.worst.len(), 1);
    assert_eq!((counts.worst[0].index, &counts.worst[0].label), (2, &Answer::Class(1)));
}

#[test]
fn positions_are_counted_and_many_classes_have_no_table() {
    // Two positions of three classes, each with a target of its own.
    let split = split(DType::U8, &[2], vec![2, 0]);
    let task = Task::ClassPerPosition { positions: 2, classes: 3, scale: Scale::Scores };
    let mut tally = Tally::new(&split, &of(task), worst(4));
    tally.try_add(&[0.0, 0.0, 1.0, 0.0, 5.0, 1.0], &[0]).unwrap();
    let counts = classes(tally.finish());
    assert_eq!((counts.right(), counts.worst.len()), ((1, 2), 1));
    assert_eq!(counts.counts, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);

    let many = Task::Class { classes: 36_864, scale: Scale::Logits };
    assert!(tally_bytes(many, worst(24)) < 2 << 20, "{}", tally_bytes(many, worst(24)));
    assert_eq!(Tally::new(&split, &of(many), worst(0)).counts.counts.len(), 0);
}

#[test]
fn yes_and_no_are_told_by_the_sigmoid() {
    let split = labels(&[0, 1, 1, 0]);
    let task = Task::Labels { labels: 1, scale: Scale::Sigmoids };
    let mut tally = Tally::new(&split, &of(task), worst(4));
    tally.try_add(&[-1.0, 2.0, -3.0, -0.5], &[0, 1, 2, 3]).unwrap();
    let counts = classes(tally.finish());
    assert_eq!(counts.counts, [[2, 0], [1, 1]]);
    let probability = counts.worst[0].probability.unwrap();
    assert!((probability - 0.952_574_126_8).abs() < 1e-9, "{probability}");
}

#[test]
fn numbers_have_errors_and_no_classes() {
    let split = labels(&[3, 5]);
    let mut tally = Tally::new(&split, &of(Task::Numbers { numbers: 1 }), worst(4));
    tally.try_add(&[4.0, 2.0], &[0, 1]).unwrap();
    let Details::Numbers(errors) = tally.finish() else { panic!("numbers") };
    assert_eq!(errors.mean_absolute, 2.0);
    assert_eq!(errors.root_mean_square, 5f64.sqrt());
    assert_eq!((errors.worst[0].index, &errors.worst[0].predicted), (1, &Answer::Number(2.0)));

    // More numbers than targets: nothing is said.
    let mut tally = Tally::new(&split, &of(Task::Numbers { numbers: 2 }), worst(4));
    assert_eq!(tally.try_add(&[4.0, 2.0, 1.0, 1.0], &[0, 1]), None);
}

#[test]
fn each_label_has_counts_of_its_own() {
    let numbers = [1.0f32, 0.0, 1.0, 1.0];
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let data = split(DType::F32, &[2], bytes);
    let task = Task::Labels { labels: 2, scale: Scale::Sigmoids };
    let mut tally = Tally::new(&data, &of(task), Keep { worst: 4, random: 4 });
    tally.try_add(&[2.0, 1.0, -1.0, 3.0], &[0, 1]).unwrap();
    let counts = classes(tally.finish());
    let of = |support, predicted, right| ClassCount { support, predicted, right };
    assert_eq!(counts.each_label, [of(2, 1, 1), of(1, 2, 1)]);
    assert_eq!((counts.worst.len(), counts.random.len()), (2, 2));
    assert_eq!(counts.random[0].label, Answer::Labels(vec![1.0, 0.0]));
}

#[test]
fn numbers_are_told_apart_by_column_and_turned_back() {
    let standardize = FieldTransform::Standardize { mean: vec![10.0, 0.0], std: vec![2.0, 1.0] };
    let recipe = FieldRecipe {
        columns: vec!["a".into(), "b".into()],
        value: CellMeaning::Number,
        missing: MissingValue::Refuse,
        transforms: vec![standardize],
    };
    let field = Field::number("label", DType::F32, &[2]);
    let field = Field { recipe: Some(Arc::new(recipe)), is_target: true, ..field };
    let bytes = [0.0f32, 1.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let data = of_field(field, bytes);
    let keep = Keep { worst: 1, random: 1 };
    let mut tally = Tally::new(&data, &of(Task::Numbers { numbers: 2 }), keep);
    tally.try_add(&[1.0, 0.0], &[0]).unwrap();
    let Details::Numbers(errors) = tally.finish() else { panic!("numbers") };
    assert_eq!(errors.mean_absolute, 1.5);
    let told: Vec<_> = errors.columns.iter().map(|it| (&it.name[..], it.points.clone())).collect();
    assert_eq!(told, [("a", vec![(10.0, 12.0)]), ("b", vec![(1.0, 0.0)])]);
    assert_eq!(errors.columns[0].mean_absolute, 2.0);
    assert_eq!(errors.worst[0].loss, 1.0, "units differ, so as the model has them");
}

#[test]
fn a_picture_is_compared_in_bytes_behind_its_conversions() {
    let normalize = Conversion::Normalize { mean: vec![0.5], std: vec![0.5] };
    let image = ImageField { conversions: vec![normalize], ..ImageField::default() };
    let field = Field { kind: FieldKind::Image(image), ..Field::image("label", &[1, 2, 1]) };
    let data = of_field(field, vec![0, 255]);
    for (scale, output) in [(None, [-1.0f32, 0.6]), (Some(Scale::Probabilities), [-1.0, 0.6])] {
        let task = Task::Picture { sides: [1, 2, 1], scale };
        let mut tally = Tally::new(&data, &of(task), Keep { worst: 1, random: 1 });
        tally.try_add(&output, &[0]).unwrap();
        let Details::Numbers(errors) = tally.finish() else { panic!("numbers") };
        assert!((errors.mean_absolute - 25.5).abs() < 1e-4, "{}", errors.mean_absolute);
        assert_eq!(errors.worst[0].predicted, Answer::Bytes(vec![0, 204]));
        assert!(errors.columns.is_empty());
    }
}

#[test]
fn an_ignored_label_is_in_no_count() {
    let split = split(DType::U8, &[3], vec![2, 255, 0]);
    let task = Task::ClassPerPosition { positions: 3, classes: 3, scale: Scale::Logits };
    let ignoring = OutputTask { ignore: Some(255), ..of(task) };
    let outputs = [0.0, 0.0, 1.0, 0.0, 5.0, 1.0, 0.0, 5.0, 1.0];
    let mut tally = Tally::new(&split, &ignoring, worst(4));
    tally.try_add(&outputs, &[0]).unwrap();
    assert_eq!(classes(tally.finish()).counts, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);
    // Where it is not ignored, it is no class, and nothing is said.
    assert_eq!(Tally::new(&split, &of(task), worst(4)).try_add(&outputs, &[0]), None);
}
