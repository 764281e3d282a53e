//! Image folders on the command line: what is said while they are read, what is kept, what is
//! refused. What becomes of the images themselves is tested beside their code.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

const PROGRAM: &str = r#"data photos = images("photos", size: [8, 8], test: 0.25, unreadable: 0.1)

model net(image: f32[N, 8, 8, 3]) -> f32[N, photos.classes] {
    image |> flatten |> dense(photos.classes)
}

train net on photos {
    loss    = cross_entropy
    batch   = 4
    metrics = [accuracy]
}
"#;

/// A folder with [`PROGRAM`] and perhaps images.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        folder.write("main.nn", PROGRAM.as_bytes());
        folder
    }

    /// Two classes of ten images, one of which is damaged.
    fn with_photos() -> Folder {
        let folder = Folder::new();
        for (class, colour) in [("cat", [200, 40, 30]), ("dog", [20, 60, 220])] {
            for number in 0..10u8 {
                let image = image::RgbImage::from_pixel(9, 7, image::Rgb(colour));
                let mut file = std::io::Cursor::new(Vec::new());
                image.write_to(&mut file, image::ImageFormat::Png).expect("an image");
                folder.write(&format!("photos/{class}/{number}.png"), &file.into_inner());
            }
        }
        folder.write("photos/cat/broken.jpg", b"no image");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, contents: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, contents).expect("a file can be written");
    }

    /// The exit code, standard output and standard error of a command.
    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nnc"));
        command.args(args).current_dir(self.0.path()).env_remove("NNC_DATA");
        command.env("XDG_CACHE_HOME", self.path("cache")).env("HOME", self.path("home"));
        let output = command.output().expect("nnc runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "nnc {args:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }
}

#[test]
fn the_first_run_decodes_and_the_second_reads_what_it_kept() {
    let folder = Folder::with_photos();
    let (_, first) = folder.run(&["run", "main.nn"], 0);
    for words in ["read 21 images in", "decoded images are kept in", "1 of 21 images", "broken.jpg"]
    {
        assert!(first.contains(words), "{words}: {first}");
    }
    assert!(!first.contains("\n  cat/broken.jpg"), "{first}");
    assert_eq!(fs::read_dir(folder.path("cache/nnc/images")).expect("a cache").count(), 1);
    let (_, second) = folder.run(&["run", "main.nn", "--verbose"], 0);
    assert!(!second.contains("read 21 images") && !second.contains("are kept"), "{second}");
    assert!(second.contains("\n  cat/broken.jpg: not an image"), "{second}");
    let scores = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("epoch 1/1")).expect("an epoch");
        line.split("  ").take(3).map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(scores(&first), scores(&second));
    let (json, quiet) = folder.run(&["run", "main.nn", "--json"], 0);
    assert!(json.lines().next().expect("a line").contains("1 of 21 images"), "{json}");
    assert_eq!(quiet, "");
}

#[test]
fn too_many_damaged_images_are_an_error_at_the_source() {
    let folder = Folder::with_photos();
    (0..4).for_each(|number| folder.write(&format!("photos/dog/bad{number}.png"), b"no image"));
    let (_, stderr) = folder.run(&["run", "main.nn"], 1);
    for words in ["E0301", "main.nn:1:15", "5 of 25 images", "dog/bad0.png", "unreadable: 0.05"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn without_the_folder_check_and_bench_warn_and_run_refuses() {
    let folder = Folder::new();
    let (shape, stderr) = folder.run(&["check", "main.nn"], 0);
    assert!(shape.contains("f32[N, 10]"), "{shape}");
    for words in ["W0301", "there is no folder `photos`", "`photos.classes` is taken to be 10"] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    folder.run(&["bench", "main.nn", "--seconds", "0.01"], 0);
    let (_, stderr) = folder.run(&["run", "main.nn"], 1);
    assert!(stderr.contains("E0301"), "{stderr}");
    // What is wrong with a folder that is there is wrong for every command.
    folder.write("photos/cat/1.png", b"");
    let (_, stderr) = folder.run(&["check", "main.nn"], 1);
    assert!(stderr.contains("one class only (`cat`)"), "{stderr}");
}
