//! Batches are copied through the choice of a split and as far as a bucket goes.

use super::*;
use crate::data::spill::{ColumnWriter, Spill};

fn samples() -> Arc<Samples> {
    let labels = (0..4i32).flat_map(|label| label.to_le_bytes()).collect();
    Arc::new(Samples::new(
        4,
        vec![
            (Field::image("image", &[1, 2, 1]), Column::Memory((10..18).collect())),
            (Field::class("label", Some(4)), Column::Memory(labels)),
        ],
    ))
}

#[test]
fn a_batch_is_copied_field_by_field_through_the_choice() {
    let split = Split::of(samples(), vec![3, 0]);
    let mut images = [0; 6];
    split.copy_batch(&[1, 0, 1], 0, &mut images).unwrap();
    assert_eq!(images, [10, 11, 16, 17, 10, 11]);
    let mut label = [0; 4];
    split.copy_batch(&[0], 1, &mut label).unwrap();
    assert_eq!(i32::from_le_bytes(label), 3);
    assert_eq!((split.count(), split.original(0)), (2, 3));
    assert_eq!(Split::all(samples()).count(), 4);
}

#[test]
fn samples_of_a_bucket_are_copied_as_far_as_it_goes() {
    let field = Field::number("text", DType::I32, &[3]);
    let values: Vec<u8> = (0..6i32).flat_map(i32::to_le_bytes).collect();
    let copied = |column: Column| {
        let samples = Samples::new(2, vec![(field.clone(), column)]).in_buckets(vec![0, 1]);
        let split = Split::of(Arc::new(samples), vec![1, 0]);
        assert_eq!((split.bucket(0), split.bucket(1)), (1, 0));
        let mut out = [0; 16];
        split.copy_batch(&[0, 1], 0, &mut out).unwrap();
        out
    };
    let folder = tempfile::tempdir().unwrap();
    let spill = Spill::above(0, folder.path());
    let mut writer = ColumnWriter::File(spill.file().unwrap(), Box::default());
    writer.push(&values).unwrap();
    let memory = copied(Column::Memory(values));
    assert_eq!([memory[0], memory[4], memory[8], memory[12]], [3, 4, 0, 1]);
    assert_eq!(memory, copied(writer.finish(field.bytes())));
}
