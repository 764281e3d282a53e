//! Files of weights: what is saved is loaded, and what cannot be read is named.

use super::*;

#[test]
fn what_is_saved_reads_back_and_replaces_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, "old").unwrap();
    let weight = Tensor::f32([2, 3], vec![1.0, -2.5, 0.0, f32::MIN, f32::MAX, 1e-30]);
    save(&path, &[("dense.weight".to_string(), weight.clone())]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let view = read.tensor("dense.weight").unwrap();
    assert_eq!(view.shape(), [2, 3]);
    assert_eq!(Tensor::from_bytes(DType::F32, [2, 3], view.data()), weight);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_a_file_says_of_itself_is_read_from_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let entry = StoredTensor { name: "w".into(), dtype: DType::U8, shape: vec![1], bytes: vec![7] };
    let said = Some(metadata("{\"model\":\"net\"}"));
    write_entries(&path, &[entry], said, |_, _, _| Ok(())).unwrap();
    assert_eq!(about(&path).as_deref(), Some("{\"model\":\"net\"}"));
    save(&path, &[]).unwrap();
    assert_eq!(about(&path), None);
    std::fs::write(&path, [0xff; 9]).unwrap();
    assert_eq!(about(&path), None, "a length without a bound");
}

#[test]
fn elements_are_copied_from_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.safetensors");
    let stream = |name: &str, numbers: [f32; 2]| {
        let mut rows = tempfile::tempfile().unwrap();
        numbers.iter().for_each(|row| rows.write_all(&row.to_le_bytes()).unwrap());
        (name.to_string(), vec![2, 1], rows)
    };
    let mut streams = [stream("kind", [1.5, -2.0]), stream("value", [3.0, 4.0])];
    write_streams(&path, &mut streams, metadata("x")).unwrap();
    let tensor = |numbers: [f32; 2]| Tensor::f32([2, 1], numbers.to_vec());
    let want = [("kind", tensor([1.5, -2.0])), ("value", tensor([3.0, 4.0]))];
    let want = want.map(|(name, tensor)| (name.to_string(), tensor)).to_vec();
    assert_eq!(load(&path), Ok(want));
}

/// A file with one tensor.
fn file(folder: &Path, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> std::path::PathBuf {
    let view = TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
    let path = folder.join("one.safetensors");
    std::fs::write(&path, safetensors::serialize([("label", view)], None).unwrap()).unwrap();
    path
}

#[test]
fn what_is_saved_loads_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensors = [
        ("a".to_string(), Tensor::i32([2], vec![-1, 7])),
        ("b".to_string(), Tensor::f32([], vec![f32::MIN_POSITIVE])),
        ("c".to_string(), Tensor::new([3], Data::Bool(vec![true, false, true]))),
        ("d".to_string(), Tensor::new([0, 2], Data::U8(Vec::new()))),
    ];
    let mut backwards = tensors.to_vec();
    backwards.reverse();
    save(&path, &backwards).unwrap();
    assert_eq!(about(&path), None);
    assert_eq!(load(&path), Ok(tensors.to_vec()));
}

#[test]
fn wide_integers_are_narrowed_where_they_fit() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |numbers: &[i64]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let fits = bytes(&[3, -1, i64::from(i32::MAX)]);
    let path = file(folder.path(), Dtype::I64, &[3], &fits);
    let want = Tensor::i32([3], vec![3, -1, i32::MAX]);
    assert_eq!(load(&path), Ok(vec![("label".to_string(), want)]));

    let path = file(folder.path(), Dtype::I64, &[2], &bytes(&[0, 1 << 31]));
    let Err(LoadError::Malformed(message)) = load(&path) else { panic!("it was taken") };
    assert!(message.contains("`label` has 2147483648 as its element 1"), "{message}");
}

#[test]
fn floats_of_other_widths_become_f32() {
    let folder = tempfile::tempdir().unwrap();
    let read = |dtype, bytes: &[u8]| load(&file(folder.path(), dtype, &[3], bytes));
    let want =
        |numbers: [f32; 3]| Ok(vec![("label".to_string(), Tensor::f32([3], numbers.to_vec()))]);
    // 1.5, −2⁻²⁴ and 65,504 in halves; 1.5, −2⁻¹³³ and 2¹²⁷ in the upper half of an f32.
    let halves = [0x00, 0x3e, 0x01, 0x80, 0xff, 0x7b];
    assert_eq!(read(Dtype::F16, &halves), want([1.5, -5.960_464_5e-8, 65_504.0]));
    let upper = [0xc0, 0x3f, 0x01, 0x80, 0x00, 0x7f];
    assert_eq!(read(Dtype::BF16, &upper), want([1.5, -9.183_55e-41, 1.701_411_8e38]));
    let wide: Vec<u8> = [0.1, 1e-50, -3.0].iter().flat_map(|it: &f64| it.to_le_bytes()).collect();
    assert_eq!(read(Dtype::F64, &wide), want([0.1, 0.0, -3.0]));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), Dtype::I16, &[2], &[0; 4]);
    let Err(LoadError::Malformed(message)) = load(&path) else { panic!("it was taken") };
    assert!(message.contains("one.safetensors: `label` is I16"), "{message}");

    let whole = std::fs::read(&path).unwrap();
    for len in 0..whole.len() {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(matches!(load(&path), Err(LoadError::Malformed(_))), "{len} bytes");
    }
    std::fs::remove_file(&path).unwrap();
    let Err(LoadError::Io(message)) = load(&path) else { panic!("it was read") };
    assert!(message.contains("one.safetensors"), "{message}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let missing = Path::new("no-such-folder/w.safetensors");
    assert!(save(missing, &[]).unwrap_err().contains("no-such-folder"));
}
