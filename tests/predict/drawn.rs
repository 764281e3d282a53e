//! Masks and pictures as files.

use super::{Folder, failed};
use image::{GrayImage, Luma, RgbImage};

/// The bytes of a PNG.
fn png(image: image::DynamicImage) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).expect("an image");
    file.into_inner()
}

/// A grey picture with one bright column, and the mask of that column.
fn pair(column: u32) -> (Vec<u8>, Vec<u8>) {
    let picture = |bright: u8| {
        let grey = move |x, _| Luma([if x == column { bright } else { 0 }]);
        png(GrayImage::from_fn(6, 5, grey).into())
    };
    (picture(200), picture(1))
}

const MASKS: &str = "data d = images(\"pictures\", masks: \"masks\", size: [5, 6], channels: 1)\n\
    model net(image: f32[N, 5, 6, 1]) -> f32[N, 5, 6, d.mask.count] { image |> conv(d.mask.count, 1) }\n\
    train net on d { loss = cross_entropy\n optimizer = adam(lr: 0.3)\n epochs = 60 }\n";

#[test]
fn masks_are_pictures_of_classes_that_are_read_as_masks() {
    let folder = Folder::new(&[("p.nn", MASKS.as_bytes())]);
    for column in 0..6 {
        let (picture, mask) = pair(column);
        folder.write(&format!("pictures/{column}.png"), &picture);
        folder.write(&format!("masks/{column}.png"), &mask);
    }
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("new/a.png", &pair(1).0);
    folder.write("new/more/a.png", &pair(4).0);
    folder.write("new/b.png", &pair(2).0);
    folder.write("new/b.bmp", &pair(3).0);
    let said = folder.good(&["predict", "run", "new", "--out", "masks/new", "--csv"]);
    assert_eq!(said.lines().next(), Some("file,0,1"));
    assert_eq!(said.lines().count(), 5, "{said}");
    for (name, column) in [("a.png", 1), ("more/a.png", 4), ("b.png.png", 2), ("b.bmp.png", 3)] {
        let mask = image::open(folder.path(&format!("masks/new/{name}"))).expect(name);
        assert_eq!(mask.color(), image::ColorType::L8);
        let wanted = image::load_from_memory(&pair(column).1).unwrap();
        assert_eq!(mask.into_bytes(), wanted.into_bytes(), "{name}");
    }
    // Nothing is written over without leave, not even in part.
    let before = std::fs::read(folder.path("masks/new/a.png")).unwrap();
    std::fs::write(folder.path("masks/new/a.png"), b"mine").unwrap();
    std::fs::remove_file(folder.path("masks/new/b.png.png")).unwrap();
    let (_, error) = failed(&folder, &["predict", "run", "new", "--out", "masks/new"]);
    assert!(error.contains("masks/new/") && error.contains("`--force` writes over"), "{error}");
    assert!(!folder.path("masks/new/b.png.png").exists());
    folder.good(&["predict", "run", "new", "--out", "masks/new", "--force"]);
    assert_eq!(std::fs::read(folder.path("masks/new/a.png")).unwrap(), before);
    let (_, error) =
        failed(&folder, &["predict", "run", "new/a.png", "new/more/a.png", "--out", "x"]);
    assert!(error.contains("would both be written to a.png"), "{error}");
    // A file that cannot be read has no mask; the others have.
    folder.write("new/c.png", b"no image");
    failed(&folder, &["predict", "run", "new", "--out", "y"]);
    assert!(folder.path("y/a.png").exists() && !folder.path("y/c.png").exists());
    // The masks are those that a program reads.
    std::fs::remove_file(folder.path("new/c.png")).unwrap();
    std::fs::remove_file(folder.path("new/b.bmp")).unwrap();
    folder.good(&["predict", "run", "new", "--out", "z"]);
    let text = MASKS.replace("\"pictures\", masks: \"masks\"", "\"new\", masks: \"z\"");
    folder.write("q.nn", text.as_bytes());
    assert!(folder.good(&["data", "q.nn"]).contains("mask"));
}

#[test]
fn pictures_are_drawn_in_the_bytes_of_the_data() {
    let text = "data d = images(\"pictures\", size: [4, 4]) |> normalize(mean: 0.5, std: 0.25)\n\
        model net(image: f32[N, 4, 4, 3]) -> (drawn: f32[N, 4, 4, 3], kind: f32[N, 2]) {\n\
            (drawn: image |> conv(3, 1), kind: image |> flatten |> dense(2))\n}\n\
        train net on d { loss = mse(drawn, image) + 0.01 * cross_entropy(kind, label)\n optimizer = adam(lr: 0.05)\n epochs = 300 }\n";
    let folder = Folder::new(&[("p.nn", text.as_bytes())]);
    let picture = |seed: u32| {
        let colour = |x, y| {
            image::Rgb([x * 60 + seed, y * 60 + seed, (x * y * 20 + seed)].map(|it| it as u8))
        };
        RgbImage::from_fn(4, 4, colour)
    };
    for number in 0..8 {
        let class = ["a", "b"][number as usize % 2];
        folder.write(&format!("pictures/{class}/{number}.png"), &png(picture(5 * number).into()));
    }
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder.write("new.png", &png(picture(17).into()));
    folder.good(&["predict", "run", "new.png", "--out", "out"]);
    let names: Vec<_> =
        std::fs::read_dir(folder.path("out")).unwrap().flatten().map(|it| it.file_name()).collect();
    assert_eq!(names, ["new.png"], "a class is no picture");
    let drawn = image::open(folder.path("out/new.png")).unwrap().into_rgb8();
    let far = drawn.as_raw().iter().zip(picture(17).as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(far.is_some_and(|far| far < 30), "{far:?}: {drawn:?}");
}
