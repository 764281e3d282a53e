//! Fields of texts, images with the rows of a table, masks that move with their images, and the area
//! under the ROC curve, as a user meets them.

#[path = "support/folder.rs"]
mod folder;

use std::io::Cursor;

use folder::Folder;
use nnc::base::rng::Sequence;
use nnc::base::tensor::Data;
use nnc::data::{Argument, Literal, Places, SourceRequest};
use nnc::runtime::weights;

/// The numbers of a tensor of the batch that `nnc data` writes.
fn batch(folder: &Folder, split: &str, name: &str) -> Vec<f64> {
    folder.good(&["data", "p.nn", "--batch", "b.safetensors", "--split", split]);
    let tensors = weights::load(&folder.0.path().join("b.safetensors")).expect("a file of tensors");
    let found = tensors.iter().find(|(known, _)| known == name);
    match &found.unwrap_or_else(|| panic!("no `{name}` in the batch")).1.data {
        Data::F32(values) => values.iter().map(|&it| f64::from(it)).collect(),
        Data::I32(values) => values.iter().map(|&it| f64::from(it)).collect(),
        Data::U8(values) => values.iter().map(|&it| f64::from(it)).collect(),
        other => panic!("{other:?}"),
    }
}

// ---- Texts

fn reviews(kind: &str) -> String {
    format!(
        "data d = csv(\"t.csv\", validation: \"v.csv\") {{\n    review = text({kind})\n    \
         good = category as target\n}}\n\
         model net(review: i32[N, T]) -> f32[N, 2] {{\n    review |> embedding(d.review.count, 8) |> \
         flatten |> dense(2)\n}}\n\
         train net on d {{\n    loss = cross_entropy\n    metrics = [accuracy, auc]\n    epochs = 2\n    \
         shuffle = false\n}}\n"
    )
}

const GOOD_AND_BAD: &str =
    "review,good\na good film,yes\na bad film,no\n\"bad, bad\",no\ngood,yes\n";

#[test]
fn texts_of_a_column_are_cut_padded_and_known_by_the_rows_to_train_on() {
    let folder = Folder::new(&[
        ("p.nn", reviews("tokens: words, length: 4").as_bytes()),
        ("t.csv", GOOD_AND_BAD.as_bytes()),
        ("v.csv", b"review,good\na terrible film and so on,no\n"),
    ]);
    // By how common they are, then by their letters: bad a film good , behind padding and unknown.
    let train = batch(&folder, "train", "input.review");
    assert_eq!(
        train,
        [
            3., 5., 4., 0., //
            3., 2., 4., 0., //
            2., 6., 2., 0., //
            5., 0., 0., 0.,
        ]
    );
    let validation = batch(&folder, "validation", "input.review");
    assert_eq!(validation, [3., 1., 4., 1.], "cut, and words that were never seen");
    let said = folder.good(&["data", "p.nn"]);
    assert!(
        said.contains("6 words; cut at 4, padded with 0") && said.contains("a good film"),
        "{said}"
    );

    folder.good(&["run", "p.nn", "--out", "r", "--quiet"]);
    let kept = std::fs::read_to_string(folder.0.path().join("r/run.json")).unwrap();
    assert!(kept.contains("\"film\"") && !kept.contains("terrible"), "{kept}");
    // Other texts to train on do not change what the run knows.
    folder.write("t.csv", b"review,good\nquite other words,yes\nhere,no\n");
    folder.good(&["eval", "r", "--split", "validation"]);
    folder.write("new.csv", b"review\na good film\nnever seen\n");
    let answers = folder.good(&["predict", "r", "new.csv", "--csv"]);
    assert_eq!(answers.lines().count(), 3, "{answers}");
}

#[test]
fn every_unit_cuts_texts_and_what_makes_no_sense_is_told() {
    for unit in ["chars", "bytes", "words(most: 3)", "bpe(size: 260)"] {
        let program = reviews(&format!("tokens: {unit}, length: 6"));
        let folder = Folder::new(&[
            ("p.nn", program.as_bytes()),
            ("t.csv", GOOD_AND_BAD.as_bytes()),
            ("v.csv", GOOD_AND_BAD.as_bytes()),
        ]);
        folder.good(&["run", "p.nn", "--no-out", "--quiet"]);
    }
    let gap = "review,good\na,yes\n,no\nb,no\n";
    for (kind, table, wanted) in [
        ("tokens: words", GOOD_AND_BAD, "`length` of `text` must be given"),
        ("length: 4, tokens: syllables", GOOD_AND_BAD, "chars, bytes, words"),
        ("length: 4", gap, "missing: empty"),
        ("length: 4) |> standardize(", GOOD_AND_BAD, "`standardize` needs numbers"),
        ("length: 100000", GOOD_AND_BAD, "from 1 to 65536"),
    ] {
        let program = reviews(kind);
        let files = [
            ("p.nn", program.as_bytes()),
            ("t.csv", table.as_bytes()),
            ("v.csv", table.as_bytes()),
        ];
        let said = Folder::new(&files).bad(&["check", "p.nn"]);
        assert!(said.contains(wanted), "{kind}: {said}");
    }
    let program = reviews("length: 2, missing: empty, tokens: words");
    let folder = Folder::new(&[
        ("p.nn", program.as_bytes()),
        ("t.csv", gap.as_bytes()),
        ("v.csv", gap.as_bytes()),
    ]);
    assert_eq!(batch(&folder, "train", "input.review"), [2., 0., 0., 0., 3., 0.]);
}

// ---- Images in a table

fn png(width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let image = image::GrayImage::from_fn(width, height, |x, y| image::Luma([pixel(x, y)]));
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).expect("an image");
    file.into_inner()
}

fn pictures(arguments: &str, fields: &str) -> String {
    format!(
        "data d = images(\"pics\", size: [4, 4], channels: 1, labels: \"labels.csv\"{arguments}){fields}\n\
         model net(image: f32[N, 4, 4, 1]) -> f32[N, 2] {{ image |> flatten |> dense(2) }}\n\
         train net on d {{\n    loss = cross_entropy\n    metrics = [accuracy]\n    epochs = 2\n    \
         shuffle = false\n}}\n"
    )
}

/// Twelve pictures, each of one brightness, and a table of them.
fn gallery(program: &str, table: &str) -> Folder {
    let folder = Folder::new(&[("p.nn", program.as_bytes()), ("labels.csv", table.as_bytes())]);
    for number in 0..12u8 {
        let file = png(5, 4, |_, _| 20 * number);
        folder.write(&format!("pics/{}/{number}.png", number % 3), &file);
    }
    folder
}

fn rows(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

#[test]
fn images_take_their_fields_from_the_rows_that_name_them() {
    let fields = " {\n    kind = category as target\n    age = number |> standardize\n}";
    let lines: Vec<String> = (0..11)
        .map(|number| {
            let kind = if number > 5 { "light" } else { "dark" };
            format!("{}/{number}.png,{kind},{number}", number % 3)
        })
        .collect();
    let table = format!("file,kind,age\n{}\n", lines.join("\n"));
    let folder = gallery(&pictures("", fields), &table);
    let said = folder.nnc(&["data", "p.nn"]);
    let told = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    for wanted in ["dark, light", "age", "1 of 12 images in", "2/11.png"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    let brightness: Vec<f64> =
        batch(&folder, "train", "input.image").chunks(16).map(|it| it[0]).collect();
    let kinds = batch(&folder, "train", "input.kind");
    for (number, (light, kind)) in brightness.iter().zip(&kinds).enumerate() {
        assert_eq!((light * 255.0).round(), 20.0 * number as f64);
        assert_eq!(*kind, f64::from(u8::from(number > 5)));
    }
    assert_eq!(kinds.len(), 11);

    // The only column beside the names is the target; names may lack their endings.
    let lines: Vec<String> =
        (0..12).map(|it| format!("{},{}/{it}", ["even", "odd"][it % 2], it % 3)).collect();
    let table = format!("kind,name\n{}\n", lines.join("\n"));
    let folder = gallery(&pictures(", file: name, test: 0.25", ""), &table);
    folder.good(&["run", "p.nn", "--out", "r", "--quiet"]);
    folder.good(&["eval", "r"]);
    let answer = folder.good(&["predict", "r", "pics/0/3.png"]);
    assert!(answer.contains("3.png: "), "{answer}");
}

#[test]
fn tables_that_do_not_fit_their_images_are_refused_at_their_lines() {
    let fields = " {\n    kind = category as target\n}";
    for (table, arguments, wanted) in [
        (
            rows(&["file,kind", "0/0.png,a", "0/nine.png,b"]),
            "",
            &["line 3, column `file`", "no image `0/nine.png`"][..],
        ),
        (rows(&["file,kind", "0/0.png,a", "../x.png,b"]), "", &["line 3", "leaves the folder"]),
        (rows(&["file,kind", "0/0.png,a", "/etc/passwd,b"]), "", &["line 3", "leaves the folder"]),
        (
            rows(&["file,kind", "0/0.png,a", "1/1.png,b", "./0/0.png,b"]),
            "",
            &["line 4", "stands in line 2 already"],
        ),
        (rows(&["file,kind", "0/0.png,a", ",b"]), "", &["line 3", "names no image"]),
        (rows(&["file,sort", "0/0.png,a"]), "", &["there is no column `kind`"]),
        (rows(&["file,kind", "0/0.png,a"]), ", file: photo", &["there is no column `photo`"]),
        (rows(&["file;kind", "0/0.png;a"]), "", &["delimiter: \";\""]),
        (rows(&["file,kind", "0/0.png,a"]), ", masks: \"pics\"", &["left out where a table"]),
        (rows(&["file,kind"]), "", &["no rows below its header"]),
    ] {
        let folder = gallery(&pictures(arguments, fields), &table);
        let said = folder.bad(&["check", "p.nn"]);
        for wanted in wanted {
            assert!(said.contains(wanted), "{table}: {said}");
        }
    }
    let several = rows(&["file,kind,age", "0/0.png,a,1", "1/1.png,b,2"]);
    let said = gallery(&pictures("", ""), &several).bad(&["check", "p.nn"]);
    assert!(said.contains("which column is the target"), "{said}");
    let plain = pictures("", fields).replace(", labels: \"labels.csv\"", "");
    let said = gallery(&plain, &several).bad(&["check", "p.nn"]);
    assert!(said.contains("name a table"), "{said}");
}

// ---- Masks

/// Discs whose pixels are 200 where the mask is class 1, and 0 elsewhere.
fn discs(transforms: &str, side: u32) -> Folder {
    let program = format!(
        "data d = images(\"pics\", size: [24, 24], channels: 1, masks: \"masks\", validation: 0.25) {transforms}\n\
         model net(image: f32[N, {side}, {side}, 1]) -> f32[N, {side}, {side}, 2] {{ image |> conv(2, 3, pad: 1) }}\n\
         train net on d {{\n    loss = cross_entropy\n    metrics = [iou]\n    epochs = 1\n    batch = 4\n}}\n"
    );
    let folder = Folder::new(&[("p.nn", program.as_bytes())]);
    for number in 0..16u32 {
        let inside = |x: u32, y: u32| {
            let (dx, dy) = (x as i32 - 6 - (number % 4) as i32, y as i32 - 9 - (number / 4) as i32);
            dx * dx + 2 * dy * dy < 40
        };
        let of = |value: u8| png(24, 24, |x, y| if inside(x, y) { value } else { 0 });
        folder.write(&format!("pics/{number}.png"), &of(200));
        folder.write(&format!("masks/{number}.png"), &of(1));
    }
    folder
}

#[test]
fn masks_move_with_their_images() {
    for (transforms, side) in [
        ("|> random_flip(both)", 24),
        ("|> random_crop(16)", 16),
        ("|> random_crop(pad: 5, fill: 0)", 24),
        ("|> random_rotate(40)", 24),
        ("|> random_zoom(0.4) |> random_flip", 24),
        ("|> resize(40)", 40),
        ("|> resize([12, 12]) |> random_erase(0.5, value: 0)", 12),
        ("|> random_rotate(180, fill: edge)", 24),
    ] {
        let folder = discs(transforms, side);
        for split in ["train", "validation"] {
            let image = batch(&folder, split, "input.image");
            let mask = batch(&folder, split, "input.mask");
            assert_eq!((image.len(), mask.len()), (4 * (side * side) as usize, image.len()));
            assert!(mask.iter().all(|&class| class == 0.0 || class == 1.0), "never mixed");
            // Where all pixels that are mixed are the same, the nearest is one of them.
            let pairs =
                image.iter().zip(&mask).map(|(light, &class)| ((light * 255.0).round(), class));
            let certain = pairs.filter(|(light, _)| *light == 200.0 || *light == 0.0);
            let erased = transforms.contains("erase");
            let wrong = certain.filter(|&(light, class)| {
                (light == 200.0) != (class == 1.0) && !(erased && light == 0.0)
            });
            assert_eq!(wrong.count(), 0, "{transforms}, {split}");
            assert!(mask.contains(&1.0));
        }
        folder.good(&["run", "p.nn", "--no-out", "--quiet"]);
    }
    let said = discs("|> cutmix", 24).bad(&["check", "p.nn"]);
    assert!(said.contains("would cut the images and not their masks"), "{said}");
    discs("|> random_crop(16) |> mixup", 16).good(&["run", "p.nn", "--no-out", "--quiet"]);
    // What is counted after the run sees the masks as the model does.
    let folder = discs("|> random_crop(16)", 16);
    folder.good(&["run", "p.nn", "--out", "r", "--quiet"]);
    let said = folder.good(&["eval", "r", "--split", "validation"]);
    assert!(said.contains(&format!("of {} positions", 4 * 16 * 16)), "{said}");
}

/// Masks and tables of labels that are changed anywhere are read or refused.
#[test]
fn damaged_masks_and_tables_of_images_are_read_or_refused() {
    let images = |name: &str, value: &str| {
        let size = Argument::named("size", Literal::Int(4));
        let folder = Argument::positional(Literal::Str("pics".into()));
        let further = Argument::named(name, Literal::Str(value.into()));
        SourceRequest::new("images", vec![folder, size, further])
    };
    let table = rows(&["file,kind", "0.png,a", "1.png,b"]);
    let mask = png(5, 4, |x, _| (x % 2) as u8);
    let folder = Folder::new(&[("labels.csv", table.as_bytes())]);
    for number in 0..2 {
        folder.write(&format!("pics/{number}.png"), &png(5, 4, |x, y| (x * y) as u8));
        folder.write(&format!("masks/{number}.png"), &mask);
    }
    let places = Places { beside: folder.0.path().into(), ..Places::default() };
    let cases = [
        (images("masks", "masks"), "masks/0.png", mask),
        (images("labels", "labels.csv"), "labels.csv", table.into_bytes()),
    ];
    let rounds = std::env::var("NNC_READER_COUNT").ok().and_then(|it| it.parse().ok());
    let rounds: u32 = rounds.unwrap_or(if cfg!(debug_assertions) { 150 } else { 5_000 });
    let mut rng = Sequence::new(9, 1);
    for (request, file, good) in cases {
        let open = || nnc::data::open(&request, &places, &|_, _| true).is_ok();
        folder.write(file, &good);
        assert!(open(), "{file}");
        let mut refused = 0;
        for _ in 0..rounds {
            let mut bytes = good.clone();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(bytes.len().max(1) as u32) as usize;
                match rng.below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at.min(bytes.len()), rng.below(256) as u8),
                    _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
                    _ => {}
                }
            }
            folder.write(file, &bytes);
            refused += u32::from(!open());
        }
        assert!(refused > rounds / 4, "{file}: {refused} of {rounds}");
        folder.write(file, &good);
    }
}

// ---- The area under the ROC curve

#[test]
fn the_area_under_the_curve_is_of_the_whole_split_for_any_threads() {
    let row = |at: usize| format!("{},{},{}\n", at * 7919 % 101, at * 31 % 13, at * 17 % 5 % 2);
    let table = "a,y,z\n".to_owned() + &(0..300).map(row).collect::<String>();
    let program = "data d = csv(\"t.csv\", test: 0.3) {\n    a = number |> standardize\n    b = number(\"y\") \
                   |> standardize\n    z = number as target\n}\n\
                   model net(a: f32[N], b: f32[N]) -> f32[N] {\n    let both = concat([reshape(a, [N, 1]), \
                   reshape(b, [N, 1])], axis: 1)\n    both |> dense(4) |> relu |> dense(1) |> reshape([N])\n}\n\
                   train net on d {\n    loss = binary_cross_entropy\n    metrics = [auc]\n    epochs = 3\n    \
                   batch = 16\n}\n";
    let folder = Folder::new(&[("p.nn", program.as_bytes()), ("t.csv", table.as_bytes())]);
    folder.good(&["run", "p.nn", "--out", "r", "--quiet", "--threads", "1"]);
    let auc = |threads: &str| {
        let said = folder.good(&["eval", "r", "--json", "--threads", threads]);
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        said["auc"].as_f64().expect("a number")
    };
    assert_eq!(auc("1").to_bits(), auc("2").to_bits());
    assert!((0.0..=1.0).contains(&auc("1")));
    folder.write("t.csv", b"a,y,z\n1,2,0\n3,4,0\n5,6,0\n7,8,0\n");
    let output = folder.nnc(&["eval", "r"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("auc: all samples have the same answer"), "{said}");
}

/// Bytes of an image become value / 255; those that are compared with what the model gives are numbers,
/// whatever their type.
#[test]
fn yes_and_no_in_bytes_stay_0_and_1() {
    let masks = discs("", 24);
    let program = std::fs::read_to_string(masks.0.path().join("p.nn")).unwrap();
    let program = program
        .replace("-> f32[N, 24, 24, 2] { image |> conv(2, 3, pad: 1) }", {
            "-> f32[N, 24, 24] { image |> conv(1, 3, pad: 1) |> reshape([N, 24, 24]) }"
        })
        .replace("= cross_entropy\n    metrics = [iou]", "= binary_cross_entropy");
    masks.write("p.nn", program.as_bytes());
    let arrays = Folder::new(&[(
        "p.nn",
        b"data d = arrays(\"a.safetensors\", target: tags)\n\
          model net(image: f32[N, 2, 2]) -> f32[N, 3] { image |> flatten |> dense(3) }\n\
          train net on d { loss = binary_cross_entropy }\n",
    )]);
    let image: Vec<u8> = (0..16).collect();
    let tags = [0u8, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1];
    let view = |shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(safetensors::Dtype::U8, shape.to_vec(), bytes).unwrap()
    };
    let tensors = [("image", view(&[4, 2, 2], &image)), ("tags", view(&[4, 3], &tags))];
    arrays.write("a.safetensors", &safetensors::serialize(tensors, None).unwrap());
    for folder in [masks, arrays] {
        let graph = folder.good(&["emit-ir", "p.nn", "--stage", "graph"]);
        assert_eq!(graph.matches("0.003921569").count(), 1, "of the image alone: {graph}");
        folder.good(&["run", "p.nn", "--epochs", "1", "--no-out", "--quiet"]);
    }
}
