//! Sources as a run uses them: real files where there are some, damaged ones, a mirror that
//! speaks HTTP on this machine, and the digits' bytes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

use super::fetch::KnownFile;
use super::*;
use crate::base::tensor::DType;

fn hex_sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// An idx file of bytes.
fn idx_file(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
    file.extend(bytes);
    file
}

/// Opens a source whose reading nobody follows.
fn open(request: &SourceRequest, places: &Places) -> Result<Dataset, DataError> {
    super::open(request, places, &|_, _| true)
}

/// All labels of a split.
fn labels(split: &Split) -> Vec<i32> {
    let all: Vec<u32> = (0..split.count() as u32).collect();
    let field = split.fields().len() - 1;
    let mut bytes = vec![0; 4 * all.len()];
    split.copy_batch(&all, field, &mut bytes).unwrap();
    bytes.chunks_exact(4).map(|four| i32::from_le_bytes(four.try_into().unwrap())).collect()
}

/// The folder of real data; where the variable is not set, tests that need it say so and pass,
/// except where `CI` is.
fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("NNC_DATA").map(PathBuf::from);
    if folder.is_none() {
        assert!(std::env::var_os("CI").is_none(), "NNC_DATA must name the data under CI");
        eprintln!("skipped: NNC_DATA does not name a folder with mnist/");
    }
    folder
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    let Some(folder) = real_data() else { return };
    let places = Places { nnc_data: Some(folder), ..Places::default() };
    let request =
        SourceRequest::new("mnist", vec![Argument::named("validation", Literal::Float(0.1))]);
    let data = open(&request, &places).unwrap();
    assert_eq!((data.source, data.notice.as_deref()), ("mnist", None));
    assert_eq!(data.schema, schema(&request, &Places::default()).unwrap());
    assert_eq!(data.schema.fields[0].shape, [28, 28, 1]);
    let counts = [&data.train, &data.validation, &data.test].map(Split::count);
    assert_eq!(counts, [54_000, 6_000, 10_000]);
    assert_eq!(labels(&data.test)[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    // A tenth of each class, of which the original file has these.
    let all = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let kept = labels(&data.validation);
    for (class, count) in all.into_iter().enumerate() {
        let found = kept.iter().filter(|&&label| label == class as i32).count();
        assert!(found.abs_diff(count / 10) <= 1, "{found} of {count} in class {class}");
    }
}

#[test]
fn a_file_that_is_not_the_original_is_refused_even_with_a_fallback() {
    let Some(folder) = real_data() else { return };
    let place = tempdir().unwrap();
    for known in &mnist::FILES {
        let name = format!("{}.gz", known.name);
        fs::copy(folder.join("mnist").join(&name), place.path().join(&name)).unwrap();
    }
    let labels = place.path().join("t10k-labels-idx1-ubyte.gz");
    fs::write(&labels, gzip(&idx_file(&[10_000], &[7; 10_000]))).unwrap();
    let places =
        Places { override_: Some(place.path().to_path_buf()), network: true, ..Places::default() };
    let request = SourceRequest::new(
        "mnist",
        vec![Argument::named("fallback", Literal::Name("digits".into()))],
    );
    let error = open(&request, &places).unwrap_err();
    assert_eq!(error.path.as_deref(), Some(labels.as_path()));
    assert!(error.message.contains(mnist::FILES[3].sum), "{error}");
}

#[test]
fn without_files_the_error_lists_every_place() {
    let place = tempdir().unwrap();
    let half = place.path().join("data/mnist");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("train-images.idx3-ubyte"), [0]).unwrap();
    let places = Places {
        beside: place.path().to_path_buf(),
        nnc_data: Some(place.path().join("data")),
        cache: Some(place.path().join("cache")),
        ..Places::default()
    };
    let error = open(&SourceRequest::new("mnist", Vec::new()), &places).unwrap_err();
    let tried = error.tried.join("\n");
    for part in ["no such folder", "no train-labels-idx1-ubyte", "cache", "not allowed"] {
        assert!(tried.contains(part), "{part} in {tried}");
    }
    assert!(error.help.unwrap().contains("NNC_DATA"));
}

#[test]
fn a_folder_that_was_named_must_have_the_files() {
    let place = tempdir().unwrap();
    let places = Places { override_: Some(place.path().to_path_buf()), ..Places::default() };
    let request = SourceRequest::new(
        "mnist",
        vec![Argument::named("fallback", Literal::Name("digits".into()))],
    );
    assert_eq!(open(&request, &places).unwrap_err().path.as_deref(), Some(place.path()));
}

#[test]
fn drawn_digits_stand_in_loudly() {
    let validation = Argument::named("validation", Literal::Float(0.1));
    let fallback = Argument::named("fallback", Literal::Name("digits".into()));
    let request = SourceRequest::new("mnist", vec![validation, fallback]);
    let data = open(&request, &Places::default()).unwrap();
    assert_eq!(data.source, "digits");
    assert!(data.notice.unwrap().contains("drawn by the program"));
    assert_eq!(data.schema, schema(&request, &Places::default()).unwrap());
    assert_eq!(data.train.count(), 54_000);
}

/// The first hundred digits of each split, pinned: they may never change unnoticed.
#[test]
fn digits_are_the_same_on_every_machine() {
    let args = vec![
        Argument::named("train", Literal::Int(100)),
        Argument::named("test", Literal::Int(100)),
    ];
    let data = open(&SourceRequest::new("digits", args), &Places::default()).unwrap();
    let all: Vec<u32> = (0..100).collect();
    let sums = [&data.train, &data.test].map(|split| {
        let mut images = vec![0; 100 * 784];
        split.copy_batch(&all, 0, &mut images).unwrap();
        hex_sum(&images)
    });
    assert_eq!(
        sums,
        [
            "3166a52e478c28b103564157529cddbcf5daa94a33334ecf5993ce5551b95107",
            "7138b5f1ccf492153b02a5817e99b0b3cd469c10a2b527f46b37bf6ec2ac8a66",
        ]
    );
    assert_eq!(labels(&data.train)[..10], [5, 6, 5, 1, 1, 7, 0, 9, 8, 6]);
}

#[test]
fn digits_differ_by_seed_but_not_by_how_many_there_are() {
    let first = |train, seed| {
        let args = vec![Argument::positional(Literal::Int(train))];
        let args = [args, vec![Argument::named("seed", Literal::Int(seed))]].concat();
        let data = open(&SourceRequest::new("digits", args), &Places::default()).unwrap();
        let mut image = vec![0; 784];
        data.train.copy_batch(&[0], 0, &mut image).unwrap();
        image
    };
    assert_eq!(first(1, 0), first(50, 0));
    assert_ne!(first(1, 0), first(1, 1));
}

/// A folder with two files of an `idx` source, and the source.
fn idx_source(images: &[u8], labels: &[u8]) -> (TempDir, SourceRequest, Places) {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("images"), images).unwrap();
    fs::write(folder.path().join("labels.gz"), gzip(labels)).unwrap();
    let args = vec![
        Argument::positional(Literal::Str("images".into())),
        Argument::positional(Literal::Str("labels".into())),
        Argument::named("validation", Literal::Float(0.5)),
    ];
    let places = Places { beside: folder.path().to_path_buf(), ..Places::default() };
    (folder, SourceRequest::new("idx", args), places)
}

#[test]
fn idx_files_are_read_plain_and_packed() {
    let images = idx_file(&[4, 2, 3], &(0..24).collect::<Vec<u8>>());
    let (_folder, request, places) = idx_source(&images, &idx_file(&[4], &[0, 2, 0, 2]));
    let data = open(&request, &places).unwrap();
    assert_eq!(data.schema, schema(&request, &places).unwrap());
    assert_eq!(data.schema.classes(), Some(3));
    assert_eq!(data.schema.fields[0].shape, [2, 3, 1]);
    assert_eq!(data.schema.fields[1].dtype, DType::I32);
    assert_eq!((data.train.count(), data.validation.count(), data.test.count()), (2, 2, 0));
    let mut image = [0; 6];
    data.train.copy_batch(&[1], 0, &mut image).unwrap();
    assert_eq!(u32::from(image[0]), 6 * data.train.original(1));
}

#[test]
fn damaged_idx_files_are_errors_that_name_the_byte() {
    let good_labels = idx_file(&[2], &[0, 1]);
    let huge = idx_file(&[u32::MAX, u32::MAX, u32::MAX], &[]);
    let cases: [(Vec<u8>, &str); 9] = [
        (idx_file(&[2, 1, 2], &[1, 2, 3]), "2 × 1 × 2 = 4 bytes, but the file ends after 3"),
        (idx_file(&[2, 1, 1], &[1, 2, 3]), "goes on"),
        (huge, "byte 8: sizes multiply to more"),
        (idx_file(&[1 << 31, 1, 1], &[5]), "ends after 1"),
        (idx_file(&[2, 0, 1], &[]), "byte 8: dimension 1 is 0"),
        (vec![0, 0, 8, 3, 0, 0], "header at byte 4"),
        (vec![0, 0, 13, 1, 0, 0, 0, 1], "byte 2: elements of type 0x0d"),
        (b"PNG, not idx".to_vec(), "not an idx file"),
        (idx_file(&[3, 1, 1], &[1, 2, 3]), "2 labels for 3 images"),
    ];
    for (images, expected) in cases {
        let (_folder, request, places) = idx_source(&images, &good_labels);
        let error = open(&request, &places).unwrap_err();
        assert!(error.message.contains(expected), "{error}");
        assert!(error.path.is_some(), "{error}");
    }
}

#[test]
fn a_packed_file_that_ends_early_is_an_error() {
    let packed = gzip(&idx_file(&[100, 9, 9], &vec![7; 8100]));
    let (_folder, request, places) =
        idx_source(&packed[..packed.len() - 12], &idx_file(&[100], &[0; 100]));
    assert!(open(&request, &places).unwrap_err().message.contains("damaged after"));
}

#[test]
fn a_test_label_beyond_the_classes_names_its_record() {
    let images = idx_file(&[2, 1, 1], &[1, 2]);
    let (folder, mut request, places) = idx_source(&images, &idx_file(&[2], &[0, 1]));
    fs::write(folder.path().join("test"), idx_file(&[2], &[1, 2])).unwrap();
    request.args.push(Argument::named("test_images", Literal::Str("images".into())));
    request.args.push(Argument::named("test_labels", Literal::Str("test".into())));
    let error = open(&request, &places).unwrap_err();
    assert!(error.message.starts_with("record 1: label 2"), "{error}");
}

#[test]
fn a_file_that_is_not_there_lists_where_it_was_sought() {
    let (folder, mut request, places) = idx_source(&[], &[]);
    request.args[0].value = Literal::Str("missing".into());
    let error = open(&request, &places).unwrap_err();
    assert_eq!(error.argument.as_deref(), Some("images"));
    let packed = folder.path().join("missing.gz").display().to_string();
    assert!(error.tried.contains(&packed), "{error}");
}

#[test]
fn an_unknown_source_or_transform_is_refused() {
    let error = open(&SourceRequest::new("mnits", Vec::new()), &Places::default()).unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean `mnist`?"));
    let mut digits = SourceRequest::new("digits", Vec::new());
    digits.transforms.push(TransformCall::new("mixup", Vec::new()));
    assert!(schema(&digits, &Places::default()).unwrap().mixed);
    digits.transforms[0].name = "mixap".into();
    let error = schema(&digits, &Places::default()).unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean `mixup`?"));
    assert_eq!(error.transform, Some(0));
}

/// A mirror on this machine: answers `times` requests, each with the same bytes.
fn mirror(bytes: Vec<u8>, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
        }
    });
    format!("http://{address}/")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_download_passes_over_a_mirror_that_lies() {
    let file = idx_file(&[3], &[1, 2, 3]);
    let sum: &'static str = Box::leak(hex_sum(&file).into_boxed_str());
    let known = [KnownFile { name: "labels", sum }];
    let liar = mirror(gzip(&idx_file(&[3], &[3, 2, 1])), 1);
    let honest = mirror(gzip(&file), 1);
    let folder = tempdir().unwrap();
    fetch::fetch(&known, &[&liar, &honest], folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["labels.gz"]);
    // What is there is not fetched again: no mirror would answer.
    fetch::fetch(&known, &[], folder.path()).unwrap();
}

#[test]
fn a_mirror_that_cannot_encrypt_is_passed_over() {
    let file = idx_file(&[1], &[1]);
    let sum: &'static str = Box::leak(hex_sum(&file).into_boxed_str());
    let plain = mirror(gzip(&file), 2);
    let encrypted = plain.replace("http:", "https:");
    let folder = tempdir().unwrap();
    fetch::fetch(&[KnownFile { name: "labels", sum }], &[&encrypted, &plain], folder.path())
        .unwrap();
    assert_eq!(names(folder.path()), ["labels.gz"]);
}

#[test]
fn a_download_that_fails_leaves_nothing_behind() {
    let known = [KnownFile { name: "labels", sum: "00" }];
    let liar = mirror(gzip(&idx_file(&[3], &[3, 2, 1])), 1);
    let closed = "http://127.0.0.1:9/";
    let folder = tempdir().unwrap();
    let error = fetch::fetch(&known, &[&liar, closed], folder.path()).unwrap_err();
    assert_eq!(error.tried.len(), 2, "{error}");
    assert!(error.tried[0].contains("should be 00"), "{error}");
    assert!(names(folder.path()).is_empty());
}
