//! Folders as users have them: what becomes a sample, what is passed over, what is refused.

use std::fs;

use super::support::{Case, photos, png, request, samples, text};
use crate::data::{DataError, Literal, Places, schema};

fn refused(case: &Case, args: &[(&str, Literal)]) -> DataError {
    case.open(args).expect_err("this folder should be refused")
}

#[test]
fn a_sub_folder_is_a_class_and_paths_decide_the_order() {
    let case = Case::new();
    for (path, number) in
        [("b/2.png", 3), ("a/10.png", 0), ("a/9.png", 1), ("b/1/x.JPG", 2), ("B/z.png", 4)]
    {
        case.write(&format!("photos/{path}"), &png(4, 4, number));
    }
    let data = case.open(&[]).unwrap();
    let (images, labels) = samples(&data.train);
    // `B` comes before `a`; in each, names as bytes. A name says nothing about the contents.
    assert_eq!(labels, [0, 1, 1, 2, 2]);
    let blues: Vec<u8> = images.chunks(48).map(|image| image[2] / 9).collect();
    assert_eq!(blues, [4, 0, 1, 2, 3]);
    assert_eq!(data.schema.fields[0].shape, [4, 4, 3]);
    assert_eq!((data.schema.classes(), data.schema.train), (Some(3), Some(5)));
    assert_eq!(data.source, "images");
}

#[test]
fn what_is_not_an_image_is_passed_over_and_counted() {
    let case = Case::cats_and_dogs();
    for path in ["photos/.DS_Store", "photos/cat/.hidden.png", "photos/.git/x.png"] {
        case.write(path, b"ignored");
    }
    for path in ["photos/readme.md", "photos/cat/notes.txt", "photos/stray.png", "photos/dog/x"] {
        case.write(path, b"passed over");
    }
    let data = case.open(&[]).unwrap();
    assert_eq!(data.train.count(), 8);
    let note = &data.notes[0];
    assert!(note.line.contains("4 other entries"), "{}", note.line);
    assert_eq!(note.details.len(), 4);
    assert!(note.details.contains(&"stray.png: an image of no class".to_string()), "{note:?}");
}

#[test]
fn unreadable_images_are_left_out_up_to_a_part() {
    let case = Case::cats_and_dogs();
    case.write("photos/cat/bad.jpg", b"not an image");
    let error = refused(&case, &[]);
    assert!(error.message.contains("1 of 9 images cannot be read (11.1 %"), "{error}");
    assert_eq!(error.path.as_deref(), Some(case.path("photos").as_path()));
    assert!(error.notes[0].contains("bad.jpg: not an image"), "{error}");
    let data = case.open(&[("unreadable", Literal::Float(0.2))]).unwrap();
    assert_eq!((data.train.count(), data.schema.train), (8, Some(8)));
    assert!(data.notes[0].line.contains("1 of 9 images"), "{:?}", data.notes);
    assert_eq!(samples(&data.train).1, [0, 0, 0, 0, 1, 1, 1, 1]);
}

#[test]
fn folders_that_cannot_be_learnt_from_are_refused() {
    let case = Case::new();
    fs::create_dir(case.path("photos")).unwrap();
    assert!(refused(&case, &[]).message.contains("no sub-folders"));
    case.write("photos/1.png", &png(4, 4, 1));
    assert!(refused(&case, &[]).message.contains("1 image in the folder itself"));
    fs::create_dir(case.path("photos/cat")).unwrap();
    case.write("photos/cat/1.png", &png(4, 4, 1));
    assert!(refused(&case, &[]).message.contains("one class only (`cat`)"));
    fs::create_dir(case.path("photos/dog")).unwrap();
    let empty = refused(&case, &[]);
    assert_eq!(empty.path.as_deref(), Some(case.path("photos/dog").as_path()));
    case.write("photos/dog/1.png", b"damaged");
    let lost = refused(&case, &[("unreadable", Literal::Float(0.9))]);
    assert!(lost.message.contains("none of the images"), "{lost}");
    assert_eq!(lost.path.as_deref(), Some(case.path("photos/dog").as_path()));
}

#[test]
fn classes_must_be_as_many_as_was_said() {
    let case = Case::cats_and_dogs();
    assert!(case.open(&[("classes", Literal::Int(2))]).is_ok());
    let error = refused(&case, &[("classes", Literal::Int(3))]);
    assert_eq!(error.argument.as_deref(), Some("classes"));
    assert!(error.message.contains("2 classes"), "{error}");
}

#[test]
fn other_splits_are_folders_whose_classes_have_the_same_names() {
    let case = Case::cats_and_dogs();
    case.write("held/dog/1.png", &png(5, 5, 1));
    let data = case.open(&[("test", text("held"))]).unwrap();
    assert_eq!(samples(&data.test).1, [1]);
    let missing = "no images of 1 of 2 classes: cat";
    assert!(data.notes.iter().any(|note| note.line.contains(missing)), "{:?}", data.notes);
    case.write("held/cow/1.png", &png(5, 5, 1));
    let error = refused(&case, &[("test", text("held"))]);
    assert_eq!(error.path.as_deref(), Some(case.path("held/cow").as_path()));
    assert!(error.notes.iter().any(|note| note.contains("cat, dog")), "{error}");
    let error = refused(&case, &[("validation", text("nowhere"))]);
    assert_eq!(error.argument.as_deref(), Some("validation"));
    assert_eq!(error.tried.len(), 1);
}

#[test]
fn fractions_are_taken_from_the_training_folder() {
    let case = Case::cats_and_dogs();
    let half = ("validation", Literal::Float(0.5));
    let data = case.open(&[half, ("test", Literal::Float(0.25))]).unwrap();
    let splits = [&data.train, &data.validation, &data.test];
    assert_eq!(splits.map(|split| split.count()), [2, 4, 2]);
    assert_eq!(samples(&data.validation).1, [0, 0, 1, 1]);
    let mut files: Vec<u32> = Vec::new();
    for split in splits {
        files.extend((0..split.count() as u32).map(|index| split.original(index)));
    }
    files.sort();
    assert!(files.into_iter().eq(0..8));
    let error =
        refused(&case, &[("validation", Literal::Float(0.5)), ("test", Literal::Float(0.5))]);
    assert!(error.message.contains("nothing to train on"), "{error}");
}

#[test]
fn the_folder_is_looked_for_where_the_user_says() {
    let case = Case::cats_and_dogs();
    let of = |places: Places| schema(&request("photos", &[]), &places);
    let folder = case.folder.path().to_path_buf();
    let under_data = Places { nnc_data: Some(folder.clone()), ..Places::default() };
    assert_eq!(of(under_data).unwrap().train, Some(8));
    for named in [folder.clone(), folder.join("photos")] {
        let places = Places { override_: Some(named), ..Places::default() };
        assert_eq!(of(places).unwrap().classes(), Some(2));
    }
    // A longer path is found by its end, and the folder itself only for training.
    let places = Places { override_: Some(folder.join("photos")), ..Places::default() };
    let request = request("data/elsewhere/train", &[("test", text("data/elsewhere/dog"))]);
    let error = schema(&request, &places).unwrap_err();
    assert_eq!(error.path.as_deref(), Some(folder.join("photos/dog").as_path()), "{error}");
    let missing = of(Places::default()).unwrap_err();
    assert!(!missing.tried.is_empty() && missing.help.is_some());
}

#[test]
fn a_schema_without_the_folder_is_what_the_arguments_say() {
    let known = |args: &[(&str, Literal)]| {
        crate::data::presumed(&request("nowhere", args), &Places::default()).unwrap().unwrap()
    };
    let grey = known(&[("channels", Literal::Int(1)), ("size", Literal::Int(9))]);
    assert_eq!(grey.fields[0].shape, [9, 9, 1]);
    assert_eq!((grey.classes(), grey.train), (Some(10), None));
    assert_eq!(known(&[("classes", Literal::Int(3))]).classes(), Some(3));
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let case = Case::cats_and_dogs();
    let pair = |a, b| Literal::List(vec![Literal::Int(a), Literal::Int(b)]);
    for (name, value) in [
        ("size", pair(0, 4)),
        ("size", pair(4, 100_000)),
        ("size", Literal::List(vec![Literal::Int(3)])),
        ("channels", Literal::Int(2)),
        ("resize", Literal::Name("squash".into())),
        ("unreadable", Literal::Float(1.5)),
        ("test", Literal::Float(1.0)),
        ("classes", Literal::Int(1)),
    ] {
        let error = refused(&case, &[(name, value)]);
        assert_eq!(error.argument.as_deref(), Some(name), "{error}");
    }
    let mut unsized_ = request("photos", &[]);
    unsized_.args.retain(|argument| argument.name.is_none());
    let error = schema(&unsized_, &case.places()).unwrap_err();
    assert!(error.message.contains("[height, width]"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_names_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let case = Case::cats_and_dogs();
    let cat = case.path("photos/cat");
    symlink(&cat, cat.join("again")).unwrap();
    symlink(case.path("photos"), case.path("photos/all")).unwrap();
    symlink("round", cat.join("round")).unwrap();
    case.write("elsewhere/5.png", &png(3, 3, 3));
    symlink(case.path("elsewhere"), cat.join("more")).unwrap();
    symlink(case.path("elsewhere/5.png"), cat.join("linked.png")).unwrap();
    let odd = case.path("photos/dog").join(OsStr::from_bytes(b"\xff\xfe.png"));
    fs::write(odd, png(3, 3, 4)).unwrap();
    let class = case.path("photos").join(OsStr::from_bytes(b"\xe9"));
    fs::create_dir(&class).unwrap();
    fs::write(class.join("1.png"), png(3, 3, 5)).unwrap();
    let data = case.open(&[]).unwrap();
    assert_eq!(samples(&data.train).1, [[0; 6].as_slice(), &[1; 5], &[2]].concat());
    let passed = data.notes[0].details.join("\n");
    for line in ["cat/again: a link", "all: a link to the folder itself", "cat/round: no image"] {
        assert!(passed.contains(line), "{line} in {passed}");
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_opened_is_named_and_what_would_wait_is_not_opened() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let case = Case::cats_and_dogs();
    symlink("/dev/zero", case.path("photos/cat/zero.jpg")).unwrap();
    symlink("nowhere", case.path("photos/cat/broken.jpg")).unwrap();
    let pipe = case.path("photos/dog/pipe.jpg");
    let piped =
        std::process::Command::new("mkfifo").arg(pipe).status().is_ok_and(|it| it.success());
    // The second time, what is known of them comes from the cache.
    for _ in 0..2 {
        let data = case.open(&[("unreadable", Literal::Float(0.5))]).unwrap();
        let details = data.notes[0].details.join("\n");
        assert!(details.contains("zero.jpg: not a file"), "{details}");
        assert!(details.contains("broken.jpg: No such file"), "{details}");
        assert!(!piped || details.contains("pipe.jpg: not a file"), "{details}");
    }
    let locked = case.path("photos/dog/locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&locked).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let error = refused(&case, &[]);
    assert_eq!(error.path.as_deref(), Some(locked.as_path()));
}

#[test]
fn real_photos_are_read() {
    let Some(photos) = photos() else { return };
    let case = Case::new();
    for (name, file) in photos {
        let name = name.split_once('/').expect("a path").1;
        case.write(&format!("photos/{name}"), &file);
    }
    let mut source = request("photos/train", &[("validation", text("photos/validation"))]);
    source.args[0].value = text("photos/train");
    let data = crate::data::open(&source, &case.places(), &|_, _| true).unwrap();
    assert_eq!((data.train.count(), data.validation.count()), (1000, 200));
    let (images, labels) = samples(&data.train);
    assert_eq!(labels.iter().sum::<i32>(), 500);
    let mean = images.iter().map(|&byte| u64::from(byte)).sum::<u64>() / images.len() as u64;
    assert!((90..150).contains(&mean), "the mean of all bytes is {mean}");
}
