//! Arrays, and outputs written as npz.

use super::{Folder, failed, numbers};
use safetensors::tensor::{Dtype, TensorView};
use std::process::Command;

/// An array: its name, type, shape and bytes.
type Array = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// A safetensors file.
fn tensors(arrays: &[Array]) -> Vec<u8> {
    let views = arrays.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"))
    });
    safetensors::serialize(views, None).expect("a file")
}

fn floats(shape: &[usize], numbers: &[f32]) -> Array {
    let bytes = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
    ("features", Dtype::F32, shape.to_vec(), bytes)
}

fn classes(shape: &[usize], numbers: &[i64]) -> Array {
    let bytes = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
    ("who", Dtype::I64, shape.to_vec(), bytes)
}

fn named(name: &'static str, (_, dtype, shape, bytes): Array) -> Array {
    (name, dtype, shape, bytes)
}

const PROGRAM: &str = "data d = arrays(\"d.safetensors\") {\n x = array(\"features\")\n who = array\n y = array as target\n}\n\
    model net(x: f32[N, 2], who: i32[N]) -> f32[N] {\n\
        concat([x, who |> embedding(3, 2)]) |> dense(1) |> reshape([N])\n}\n\
    train net on d { loss = mse\n epochs = 1 }\n";

/// A folder with a run, `run`.
fn trained() -> Folder {
    let many: Vec<f32> = (0..24).map(|it| it as f32).collect();
    let y = named("y", floats(&[12], &many[..12]));
    let data = [floats(&[12, 2], &many), classes(&[12], &[0, 1, 2].repeat(4)), y];
    let folder = Folder::new(&[("p.nn", PROGRAM.as_bytes()), ("d.safetensors", &tensors(&data))]);
    folder.good(&["run", "p.nn", "--out", "run", "--quiet"]);
    folder
}

const SIX: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

#[test]
fn arrays_are_taken_by_their_names_and_written_as_npz() {
    let folder = trained();
    let new = tensors(&[floats(&[3, 2], &SIX), classes(&[3], &[2, 7, 0])]);
    folder.write("new.safetensors", &new);
    let predict = |more: &[&str]| {
        failed(&folder, &[&["predict", "run", "new.safetensors", "--csv", "--raw"], more].concat())
    };
    let (out, error) = predict(&["out.npz"]);
    let names: Vec<&str> = out.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["sample", "new.safetensors#0", "new.safetensors#2"]);
    let wanted = "new.safetensors#1: `who` has 7; the data of the run have 0 to 2";
    assert!(error.contains(wanted), "{error}");
    predict(&["out.safetensors"]);
    // The same bits in both, by the name of the output; of what could not be read NaN.
    let file = std::fs::read(folder.path("out.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let bytes = file.tensor("output").unwrap().data();
    let npz = std::fs::read(folder.path("out.npz")).unwrap();
    let own = stored(&npz, "output.npy", 12);
    assert_eq!(own, bytes);
    let answers = own.as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it));
    assert_eq!(answers.map(f32::is_nan).collect::<Vec<_>>(), [false, true, false]);
    asked_of_numpy(&folder);
}

/// The last so many bytes of a `.npy` that lies in an archive as it is.
fn stored<'a>(archive: &'a [u8], name: &str, bytes: usize) -> &'a [u8] {
    let magic = b"\x93NUMPY";
    let at = archive.windows(magic.len()).position(|it| it == magic).expect("an array");
    assert!(archive[..at].windows(name.len()).any(|it| it == name.as_bytes()), "{name}");
    let header = usize::from(u16::from_le_bytes([archive[at + 8], archive[at + 9]]));
    &archive[at + 10 + header..][..bytes]
}

/// NumPy's own reader, where `NNC_PYTHON`, else `python3`, has one.
fn asked_of_numpy(folder: &Folder) {
    let python = std::env::var("NNC_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = "import numpy; z = numpy.load('out.npz')['output']; print(z.shape, z.dtype, *z)";
    let said = Command::new(&python).args(["-c", script]).current_dir(folder.0.path()).output();
    let Ok(said) = said else { return println!("skipped: there is no {python}") };
    let [out, error] = [said.stdout, said.stderr].map(|it| String::from_utf8(it).expect("text"));
    match error.contains("No module named") {
        true => println!("skipped: {python} has no numpy"),
        false => assert!(out.starts_with("(3,) float32 ") && out.contains(" nan "), "{out}{error}"),
    }
}

#[test]
fn arrays_that_do_not_fit_are_told_by_name() {
    let folder = trained();
    let features = || floats(&[3, 2], &SIX);
    let halves = named("who", floats(&[3], &[0.0, 0.5, 1.0]));
    for (arrays, wanted) in [
        (vec![features()], "there is no array `who`"),
        (vec![features(), classes(&[2], &[0, 1])], "`who` has 2 samples, `features` 3"),
        (
            vec![features(), classes(&[3, 1], &[0, 1, 2])],
            "`who` has the shape [3, 1]; the model takes [samples]",
        ),
        (vec![features(), halves], "element 1 of `who` is 0.5, but the model takes i32"),
        (
            vec![floats(&[2, 3], &SIX), classes(&[2], &[0, 1])],
            "`features` has the shape [2, 3]; the model takes [samples, 2]",
        ),
        (vec![floats(&[0, 2], &[]), classes(&[0], &[])], "there are no samples in it"),
    ] {
        folder.write("new.safetensors", &tensors(&arrays));
        let (_, error) = failed(&folder, &["predict", "run", "new.safetensors"]);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    folder.write("text.npz", b"hello");
    let (_, error) = failed(&folder, &["predict", "run", "text.npz"]);
    assert!(error.contains("text.npz: not an npy file"), "{error}");
}

#[test]
fn whole_numbers_stand_for_numbers_where_all_of_them_survive() {
    let folder = trained();
    let answer = |features: Array| {
        folder.write("new.safetensors", &tensors(&[features, classes(&[1], &[0])]));
        numbers(&folder.json(&["predict", "run", "new.safetensors", "--json"])[0])
    };
    let whole = named("features", classes(&[1, 2], &[0, 1]));
    assert_eq!(answer(whole), answer(floats(&[1, 2], &SIX[..2])));
    let far = named("features", classes(&[1, 2], &[0, (1 << 24) + 1]));
    folder.write("new.safetensors", &tensors(&[far, classes(&[1], &[0])]));
    let (_, error) = failed(&folder, &["predict", "run", "new.safetensors"]);
    assert!(
        error.contains("element 1 of `features` is 16777217, but the model takes f32"),
        "{error}"
    );
}
