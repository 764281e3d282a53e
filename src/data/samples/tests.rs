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
fn small_fields_lie_side_by_side_and_are_the_same_samples() {
    let fields = [("a", 8), ("b", 1), ("image", 65), ("c", 64)];
    let field = |size| Field::number("x", DType::U8, &[size]);
    let bytes = |size: usize| (0..3 * size).map(|it| (it * 7 % 251) as u8).collect::<Vec<_>>();
    let of = |chosen: &[(&str, usize)]| {
        let columns = chosen.iter().map(|&(name, size)| {
            let field = Field { name: name.to_owned(), ..field(size) };
            (field, Column::Memory(bytes(size)))
        });
        Samples::new(3, columns.collect())
    };
    let hash = |samples: &Samples| {
        let mut hasher = blake3::Hasher::new();
        samples.fingerprint(&mut hasher);
        hasher.finalize()
    };
    let samples = of(&fields);
    let in_rows = |column: &Column| matches!(column, Column::Row { step: 73, .. });
    let kinds: Vec<bool> = samples.columns.iter().map(in_rows).collect();
    assert_eq!(kinds, [true, true, false, true]);
    assert!(matches!(of(&fields[1..3]).columns[0], Column::Memory(_)), "alone, it stays");
    let columns = fields.iter().map(|&(_, size)| Column::Memory(bytes(size))).collect();
    assert_eq!(hash(&samples), hash(&Samples { columns, ..samples.clone() }));
    let samples = Arc::new(samples);
    Split::of(samples.clone(), Vec::new()).copy_batch(&[], 0, &mut []).unwrap();
    let split = Split::of(samples, vec![2, 0]);
    for (place, &(_, size)) in fields.iter().enumerate() {
        let mut out = vec![0; 2 * size];
        split.copy_batch(&[1, 0], place, &mut out).unwrap();
        let values = bytes(size);
        assert_eq!(out, [&values[..size], &values[2 * size..]].concat());
    }
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
