//! Damaged files through each source's reader of inputs: read or refused, never a panic, and no more
//! samples than there are bytes.

use super::tone::tone;
use nnc::base::rng::Sequence;
use nnc::data::{self, Argument, GivenInput, Literal, Places, SourceRequest};
use std::path::Path;

/// A source with these arguments.
fn source(name: &str, arguments: &[(&str, Literal)]) -> SourceRequest {
    let args = arguments.iter().map(|(name, value)| Argument::named(name, value.clone()));
    SourceRequest::new(name, args.collect())
}

/// Changes up to four bytes: cuts, replaces, inserts, removes.
fn damage(bytes: &mut Vec<u8>, rng: &mut Sequence) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len().max(1) as u32) as usize;
        match rng.below(4) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = rng.below(256) as u8,
            2 => bytes.insert(at, [b',', b'"', b'\n', b'9', 0, 0xff][rng.below(6) as usize]),
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
    }
}

/// The inputs of a request whose data are there, made of a good file and of damaged ones.
fn try_all(request: &SourceRequest, folder: &Path, name: &str, rounds: u32) {
    let places = Places { beside: folder.to_path_buf(), ..Places::default() };
    let schema = data::open(request, &places, &|_, _| true).expect("good data").source_schema();
    let wanted: Vec<&str> = schema.inputs().iter().map(|field| field.name.as_str()).collect();
    let reader = data::input_reader(request, &schema, &wanted).expect("a reader");
    let path = folder.join(name);
    let good = std::fs::read(&path).expect("a file");
    let counts = |given: &GivenInput| {
        let samples = reader.samples(given);
        let read = samples.iter().map(|sample| reader.read(sample));
        let read: Vec<bool> =
            read.map(|bytes| bytes.is_ok_and(|it| it.len() == wanted.len())).collect();
        (read.len(), read.into_iter().filter(|is_read| *is_read).count())
    };
    let (all, read) = counts(&GivenInput::Path(path.clone()));
    assert!(all > 0 && all == read, "{}: {read} of {all}", request.name);
    assert_eq!(counts(&GivenInput::Stdin(good.clone())), (all, read), "{}", request.name);
    let mut rng = Sequence::new(u64::from(rounds), 5);
    for _ in 0..rounds {
        let mut bytes = good.clone();
        damage(&mut bytes, &mut rng);
        let most = 1 + bytes.len();
        assert!(counts(&GivenInput::Stdin(bytes)).0 <= most, "{}", request.name);
    }
}

#[test]
fn damaged_inputs_are_read_or_refused() {
    let rounds = std::env::var("NNC_READER_COUNT").ok().and_then(|it| it.parse().ok());
    let rounds = rounds.unwrap_or(if cfg!(debug_assertions) { 200 } else { 2_000 });
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let rows: String = (0..12).map(|row| format!("{row},{}\n", 3 * row)).collect();
    std::fs::write(at.join("t.csv"), format!("a,y\n{rows}")).unwrap();
    std::fs::write(at.join("t.txt"), "to be or not\nto be, that is\nthe question").unwrap();
    let array = [
        &b"\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2),}\n"[..],
        &[1; 24],
    ];
    std::fs::write(at.join("x.npy"), array.concat()).unwrap();
    for (class, hertz) in [("low", 100.0), ("high", 300.0)] {
        std::fs::create_dir_all(at.join("tones").join(class)).unwrap();
        std::fs::write(at.join("tones").join(class).join("1.wav"), tone(1000, hertz, 0.02))
            .unwrap();
    }
    let text = |text: &str| Literal::Str(text.into());
    let (file, target) = (("file", text("t.csv")), ("target", text("y")));
    let window = ("window", Literal::Int(3));
    try_all(&source("csv", &[file.clone(), target.clone()]), at, "t.csv", rounds);
    try_all(&source("series", &[file, target, window.clone()]), at, "t.csv", rounds);
    try_all(&source("text", &[("file", text("t.txt")), window]), at, "t.txt", rounds);
    try_all(&source("arrays", &[("file", text("x.npy"))]), at, "x.npy", rounds);
    let audio =
        [("folder", text("tones")), ("rate", Literal::Int(500)), ("seconds", Literal::Float(0.02))];
    try_all(&source("audio", &audio), at, "tones/low/1.wav", rounds);
    let waves =
        [("folder", text("tones")), ("rate", Literal::Int(500)), ("window", Literal::Int(4))];
    try_all(&source("waves", &waves), at, "tones/low/1.wav", rounds);
}
