//! Decoded images are kept, used again, and never believed.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use super::support::{Case, png, request, samples, text};
use crate::data::{Dataset, Literal, Places};

/// Opens the folder; says how many images had to be decoded.
fn opened(args: &[(&str, Literal)], places: &Places) -> (Dataset, usize) {
    let count = AtomicUsize::new(0);
    let watch = |_, _| count.fetch_add(1, Ordering::Relaxed) < usize::MAX;
    let data = crate::data::open(&request("photos", args), places, &watch).unwrap();
    (data, count.into_inner())
}

fn without_cache(case: &Case) -> Places {
    Places { cache: None, ..case.places() }
}

/// Asserts that what is read is what the folder holds, and that so many images were decoded for it.
fn check(case: &Case, expected: usize) {
    let (fresh, _) = opened(&[], &without_cache(case));
    let (data, decoded) = opened(&[], &case.places());
    assert_eq!(decoded, expected);
    assert_eq!(samples(&data.train), samples(&fresh.train));
    assert_eq!(case.cached().len(), 1, "one file is kept");
}

#[test]
fn what_has_not_changed_is_not_decoded_again() {
    let case = Case::cats_and_dogs();
    check(&case, 8);
    check(&case, 0);
    // Changed, added, renamed, removed: each costs its own image only.
    case.write("photos/cat/0.png", &png(11, 3, 77));
    check(&case, 1);
    case.write("photos/cat/00.png", &png(4, 4, 78));
    check(&case, 1);
    fs::rename(case.path("photos/dog/1.png"), case.path("photos/dog/9.png")).unwrap();
    check(&case, 1);
    fs::remove_file(case.path("photos/dog/2.png")).unwrap();
    check(&case, 0);
    check(&case, 0);
}

#[test]
fn an_image_of_the_same_size_with_another_time_has_changed() {
    let case = Case::cats_and_dogs();
    check(&case, 8);
    let file = fs::File::options().write(true).open(case.path("photos/cat/1.png")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(1000)).unwrap();
    check(&case, 1);
}

#[test]
fn damaged_images_are_remembered_and_missing_ones_are_not() {
    let case = Case::cats_and_dogs();
    case.write("photos/cat/bad.png", b"not an image");
    let allowed = [("unreadable", Literal::Float(0.5))];
    assert_eq!(opened(&allowed, &case.places()).1, 9);
    let (data, decoded) = opened(&allowed, &case.places());
    assert_eq!((data.train.count(), decoded), (8, 0));
    assert!(data.notes[0].details[0].contains("not an image"), "{:?}", data.notes);
    case.write("photos/cat/bad.png", &png(4, 4, 1));
    let (data, decoded) = opened(&allowed, &case.places());
    assert_eq!((data.train.count(), decoded), (9, 1));
}

#[test]
fn damage_to_the_file_costs_time_only() {
    let case = Case::cats_and_dogs();
    let (fresh, _) = opened(&[], &without_cache(&case));
    let expected = samples(&fresh.train);
    opened(&[], &case.places());
    let [path] = case.cached().try_into().expect("one file");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let (data, decoded) = opened(&[], &case.places());
        assert!(decoded == 0 || decoded == 8, "byte {at}");
        assert_eq!(samples(&data.train), expected, "byte {at}");
    }
    for length in (0..whole.len()).step_by(17) {
        fs::write(&path, &whole[..length]).unwrap();
        let (data, decoded) = opened(&[], &case.places());
        assert_eq!((decoded, samples(&data.train)), (8, expected.clone()), "{length} bytes");
    }
    fs::write(&path, &whole).unwrap();
    check(&case, 0);
}

#[test]
fn a_damaged_record_is_decoded_again_and_the_file_taken_away() {
    let case = Case::cats_and_dogs();
    let (data, _) = opened(&[], &case.places());
    let expected = samples(&data.train);
    let [path] = case.cached().try_into().expect("one file");
    let mut bytes = fs::read(&path).unwrap();
    bytes[64 + 3 * 48] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(samples(&data.train), expected);
    assert!(case.cached().is_empty());
    // Without the image there is nothing left to read.
    fs::remove_file(case.path("photos/cat/3.png")).unwrap();
    let error = data.train.copy_batch(&[3], 0, &mut [0; 48]).unwrap_err();
    assert_eq!(error.path.as_deref(), Some(case.path("photos/cat/3.png").as_path()));
    assert!(error.message.contains("can no longer be read"), "{error}");
}

#[test]
fn a_run_keeps_its_file_when_another_replaces_it() {
    let case = Case::cats_and_dogs();
    let (data, _) = opened(&[], &case.places());
    let expected = samples(&data.train);
    case.write("photos/cat/0.png", &png(11, 3, 77));
    opened(&[], &case.places());
    assert_eq!(samples(&data.train), expected);
}

#[test]
fn many_runs_at_once_do_no_harm() {
    let case = Case::cats_and_dogs();
    let (fresh, _) = opened(&[], &without_cache(&case));
    let expected = samples(&fresh.train);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (data, _) = opened(&[], &case.places());
                assert_eq!(samples(&data.train), expected);
            });
        }
    });
    check(&case, 0);
}

#[test]
fn other_options_have_files_of_their_own_of_which_a_few_stay() {
    let case = Case::cats_and_dogs();
    for side in 1..=6 {
        opened(&[("size", Literal::Int(side))], &case.places());
    }
    assert_eq!(case.cached().len(), 3);
    assert_eq!(opened(&[("size", Literal::Int(6))], &case.places()).1, 0);
    assert_eq!(opened(&[("size", Literal::Int(1))], &case.places()).1, 8);
    // The splits' folders do not push one another out.
    case.write("held/dog/1.png", &png(5, 5, 1));
    let held = [("test", text("held")), ("size", Literal::Int(6))];
    assert_eq!(opened(&held, &case.places()).1, 1);
    assert_eq!(opened(&held, &case.places()).1, 0);
}

#[test]
fn without_a_cache_images_are_held_in_memory_with_one_note() {
    let case = Case::cats_and_dogs();
    case.write("held/dog/1.png", &png(5, 5, 1));
    case.write("blocked", b"a file where a folder should be");
    let blocked = Places { cache: Some(case.path("blocked")), ..case.places() };
    for places in [blocked, without_cache(&case)] {
        let (data, decoded) = opened(&[("test", text("held"))], &places);
        assert_eq!((data.train.count(), decoded), (8, 9));
        let held = data.notes.iter().filter(|note| note.line.contains("held in memory"));
        assert_eq!(held.count(), 1, "{:?}", data.notes);
    }
    let small = Places { memory: Some(100), ..without_cache(&case) };
    let error = case.open_at(&[], &small).unwrap_err();
    assert!(error.message.contains("too much for this machine's memory"), "{error}");
}

#[test]
fn a_user_who_stops_leaves_nothing_half_done() {
    let case = Case::cats_and_dogs();
    for places in [case.places(), without_cache(&case)] {
        let stop = |done, _| done < 3;
        let error = crate::data::open(&request("photos", &[]), &places, &stop).unwrap_err();
        assert!(error.interrupted, "{error}");
        assert!(case.cached().is_empty());
    }
}

#[test]
fn what_a_killed_run_left_is_taken_away_after_a_day() {
    let case = Case::cats_and_dogs();
    for (name, hours) in [("writing-old", 30), ("writing-new", 1)] {
        case.write(&format!("cache/images/{name}"), b"half");
        let file = fs::File::options().write(true).open(case.path("cache/images").join(name));
        let time = SystemTime::now() - Duration::from_secs(hours * 3600);
        file.unwrap().set_modified(time).unwrap();
    }
    opened(&[], &case.places());
    let names: Vec<String> = case
        .cached()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"writing-new".to_string()), "{names:?}");
}
