//! Every reader of files against damaged and hostile ones: an error or a value, never a panic, and no
//! more memory than the file's own size can account for.
//!
//! Files are sound ones, changed: bytes flipped, cut, doubled, put in the place of others, numbers in
//! text made absurd; sums are put right again, so that what stands behind them is reached. Images have
//! a test of their own beside their code. `NNC_FUZZ_COUNT` says how many of each kind are tried.

#[path = "support/archive.rs"]
mod archive;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use archive::npz;
use nnc::base::rng::{Sequence, hash_name};
use nnc::base::schema::{Field, Schema};
use nnc::base::tensor::{DType, Tensor};
use nnc::data::{
    Argument, FieldRequest, Literal, Places, Preprocessor, SourceRequest, TransformCall,
};
use nnc::run::{RunFolder, RunInfo};
use nnc::runtime::checkpoint::{Checkpoint, Identity, Snapshot};
use nnc::runtime::weights;

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the memory came from `alloc`, so from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many files of each kind are tried.
fn count() -> u64 {
    let count = std::env::var("NNC_FUZZ_COUNT").ok().and_then(|text| text.parse().ok());
    count.unwrap_or(2_000)
}

/// What a header may make a reader allocate before it has seen the rest: the room for a plain file of
/// MNIST's.
const ROOM: usize = 80 << 20;

/// A sound file, changed.
fn changed(file: &[u8], rng: &mut Sequence) -> Vec<u8> {
    let mut file = file.to_vec();
    for _ in 0..1 + rng.below(4) {
        let length = file.len().max(1) as u32;
        // Half of the changes are where headers are.
        let within = if rng.below(2) == 0 { length } else { length.min(64) };
        let at = (rng.below(within) as usize).min(file.len());
        let end = (at + 1 + rng.below(16) as usize).min(file.len());
        match rng.below(8) {
            0 => file.truncate(at),
            1 => drop(file.splice(at..end, [])),
            2 => {
                let doubled = file[at..end].to_vec();
                drop(file.splice(at..at, doubled));
            }
            3 => file[at..end].fill([0, 0xff, b'9', b'"'][rng.below(4) as usize]),
            4 => number(&mut file, at, rng),
            5 => file.extend((0..rng.below(40)).map(|byte| byte as u8)),
            _ if at < file.len() => file[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
    file
}

/// Puts an absurd number in the place of the next one that is text.
fn number(file: &mut Vec<u8>, from: usize, rng: &mut Sequence) {
    const ABSURD: [&str; 9] = [
        "0",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        "4611686018427387904",
        "1e999",
        "2147483648",
        "NaN",
        "[[[[[[[[",
    ];
    let digits = |at: &usize| file[*at].is_ascii_digit();
    let Some(start) = (from..file.len()).find(digits) else { return };
    let end = (start..file.len()).find(|at| !digits(at)).unwrap_or(file.len());
    let absurd = ABSURD[rng.below(ABSURD.len() as u32) as usize];
    drop(file.splice(start..end, absurd.bytes()));
}

/// What some work gives, and the most bytes that it had at once.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let made = work();
    (made, PEAK.load(Relaxed).saturating_sub(before))
}

/// Lets a reader read changed files; some must still be taken, most must not.
fn try_all(name: &str, file: &[u8], read: impl Fn(&[u8]) -> bool) {
    assert!(read(file), "{name}: the sound file is not read");
    let (mut taken, count) = (0, count());
    for number in 0..count {
        let mut rng = Sequence::new(0, hash_name(name).wrapping_add(number));
        let file = changed(file, &mut rng);
        let (outcome, peak) = measured(|| catch_unwind(AssertUnwindSafe(|| read(&file))));
        match outcome {
            Ok(sound) => taken += u64::from(sound),
            Err(_) => panic!("{name}: panics with case {number}"),
        }
        assert!(peak < ROOM + 64 * file.len(), "{name}: {peak} bytes in case {number}");
    }
    assert!(taken < count, "{name}: no change is noticed");
    println!("{name}: {taken} of {count} changed files are still sound");
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A checkpoint with its sum put right.
fn summed(file: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = br#"\"blake3\":\""#;
    let mut file = file.to_vec();
    let place = file.windows(BEFORE.len()).position(|window| window == BEFORE);
    let digits = place.map(|place| place + BEFORE.len()..place + BEFORE.len() + 64);
    if let Some(digits) = digits.filter(|digits| digits.end <= file.len()) {
        file[digits.clone()].fill(b'0');
        let sum = blake3::hash(&file).to_hex();
        file[digits].copy_from_slice(sum.as_bytes());
    }
    file
}

/// Writes bytes to a file and reads that.
fn through(path: &Path, read: impl Fn(&Path) -> bool) -> impl Fn(&[u8]) -> bool {
    move |bytes| {
        // A new file each time: to write over one is slow where systems bring that to the disk.
        let _ = fs::remove_file(path);
        fs::write(path, bytes).expect("a file can be written");
        read(path)
    }
}

/// A chunk of a PNG file, with its sum.
fn chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(bytes);
    let length = u32::try_from(bytes.len()).expect("a short chunk").to_be_bytes();
    [&length, &name[..], bytes, &crc.sum().to_be_bytes()].concat()
}

/// An image of one pixel whose metadata are a gigabyte, packed.
fn bomb(chunk_name: &[u8; 4], before: &[u8]) -> Vec<u8> {
    let squeezed = |zeros: usize| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        let block = vec![0; 1 << 20];
        (0..zeros >> 20).for_each(|_| encoder.write_all(&block).expect("memory"));
        encoder.write_all(&block[..zeros % (1 << 20)]).expect("memory");
        encoder.finish().expect("memory")
    };
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(chunk_name, &[before, &squeezed(1 << 30)].concat()),
        chunk(b"IDAT", &squeezed(2)),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

/// Files of a few kilobytes that ask for a gigabyte.
fn bombs(folder: &Path) {
    let args = vec![
        Argument::named("folder", Literal::Str("photos".into())),
        Argument::named("size", Literal::List(vec![Literal::Int(8), Literal::Int(8)])),
    ];
    let images = SourceRequest::new("images", args);
    let fields = vec![Field::image("image", &[8, 8, 3]), Field::class("label", Some(2))];
    let schema = Schema::of(fields);
    let pictures = Preprocessor::new(&images, &schema).expect("a source of images");
    let read = |file: &[u8]| pictures.image(file, &mut vec![0; pictures.bytes()]).is_ok();
    let bounded = |name: &str, read: &dyn Fn() -> bool| {
        let (taken, peak) = measured(read);
        assert!(peak < ROOM, "{name}: {peak} bytes");
        taken
    };
    for (name, before) in
        [(b"iCCP", &b"a\0\0"[..]), (b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\x01\0\0\0")]
    {
        let file = bomb(name, before);
        // What surrounds the pixel may be left out, but must not be unpacked.
        bounded(&String::from_utf8_lossy(name), &|| read(&file));
    }
    let idx = [&[0, 0, 8, 3, 0, 0, 1, 0][..], &[0, 0, 16, 0, 0, 0, 16, 0], &[0; 8]].concat();
    let path = folder.join("large.gz");
    fs::write(&path, packed(&idx)).expect("a file");
    assert!(!bounded("idx", &|| nnc::data::idx_records(&path).is_ok()));
    let mut tensors = (1u64 << 30).to_le_bytes().to_vec();
    tensors.extend(br#"{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}"#);
    let path = folder.join("large.safetensors");
    fs::write(&path, &tensors).expect("a file");
    fs::File::options()
        .write(true)
        .open(&path)
        .and_then(|file| file.set_len(3 << 30))
        .expect("a file with a hole");
    assert!(!bounded("safetensors", &|| weights::load(&path).is_ok()));
}

/// A numpy file of `f32` numbers.
fn npy(shape: &str, numbers: &[f32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    header.extend(std::iter::repeat_n(' ', 63 - (10 + header.len()) % 64));
    header.push('\n');
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &bytes]
        .concat()
}

/// A WAV file of 16 bits.
fn wav(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let format = [
        [1u16, 1].map(u16::to_le_bytes).concat(),
        [8000u32, 16_000].map(u32::to_le_bytes).concat(),
    ];
    let format = [format.concat(), [2u16, 16].map(u16::to_le_bytes).concat()].concat();
    let sizes = [36 + data.len() as u32, 16, data.len() as u32].map(u32::to_le_bytes);
    [b"RIFF", &sizes[0][..], b"WAVEfmt ", &sizes[1], &format, b"data", &sizes[2], &data].concat()
}

/// A source, the file that it reads, and that file's sound bytes.
type Case = (&'static str, SourceRequest, &'static str, Vec<u8>);

fn source(name: &str, file: &str, further: Vec<Argument>) -> SourceRequest {
    let first = Argument::positional(Literal::Str(file.into()));
    SourceRequest::new(name, std::iter::once(first).chain(further).collect())
}

/// Tables and texts.
fn tables() -> Vec<Case> {
    let word = |name: &str, word: &str| Argument::named(name, Literal::Name(word.into()));
    let length = Argument::named("length", Literal::Int(4));
    let review = TransformCall::new("text", vec![word("tokens", "words"), length]);
    let good = FieldRequest::new("good", TransformCall::new("category", Vec::new()));
    let good = FieldRequest { is_target: true, ..good };
    let fields = Some(vec![FieldRequest::new("review", review), good]);
    let reviews = SourceRequest { fields, ..source("csv", "t.csv", Vec::new()) };
    let rows: String = (0..12).map(|row| format!("{row},{}\n", 3 * row + 1)).collect();
    let table = format!("a,y\n{rows}").into_bytes();
    let target = || word("target", "y");
    let window = |count| Argument::named("window", Literal::Int(count));
    let series = source("series", "t.csv", vec![window(2), target()]);
    let text = source("text", "t.txt", vec![window(3), word("tokens", "bpe")]);
    let zipped = packed(&table);
    vec![
        ("table", source("csv", "t.csv", vec![target()]), "t.csv", table.clone()),
        ("table.gz", source("csv", "t.csv.gz", vec![target()]), "t.csv.gz", zipped),
        ("texts", reviews, "t.csv", b"review,good\na good film,yes\n\"bad, bad\",no\n".to_vec()),
        ("series", series, "t.csv", table),
        ("text", text, "t.txt", b"to be or not to be".to_vec()),
    ]
}

/// Arrays and recordings.
fn arrays_and_recordings(folder: &Path) -> Vec<Case> {
    let tensors = [("features".to_owned(), Tensor::f32([3, 2], vec![0.5; 6]))];
    weights::save(&folder.join("x.safetensors"), &tensors).expect("a file");
    let stored = fs::read(folder.join("x.safetensors")).expect("a file");
    let array = npy("(3, 2)", &[0.5; 6]);
    let members = [("features.npy", array.clone()), ("kind.npy", npy("(3,)", &[1.0; 3]))];
    let tone: Vec<i16> = (0..200).map(|at| (at * 331 % 4001) as i16 - 2000).collect();
    // A class of its own beside that of the recording that is changed.
    fs::create_dir_all(folder.join("sound/a")).expect("a folder");
    fs::create_dir_all(folder.join("sound/b")).expect("a folder");
    fs::write(folder.join("sound/b/x.wav"), wav(&tone)).expect("a file");
    let sound = || {
        let rate = Argument::named("rate", Literal::Int(8000));
        source("audio", "sound", vec![rate, Argument::named("seconds", Literal::Float(0.01))])
    };
    let arrays = |file: &str| source("arrays", file, Vec::new());
    vec![
        ("npy", arrays("x.npy"), "x.npy", array),
        ("npz", arrays("x.npz"), "x.npz", npz(&members, false)),
        ("npz, deflated", arrays("x.npz"), "x.npz", npz(&members, true)),
        ("tensors", arrays("x.safetensors"), "x.safetensors", stored),
        ("wav", sound(), "sound/a/x.wav", wav(&tone)),
        #[cfg(feature = "flac")]
        ("flac", sound(), "sound/a/x.flac", TONE.to_vec()),
    ]
}

/// A recording of 300 samples.
#[cfg(feature = "flac")]
const TONE: &[u8] = include_bytes!("../src/data/audio/tests/stereo16.flac");

/// The readers of sources.
fn sources(folder: &Path) {
    let places = Places { beside: folder.to_path_buf(), ..Places::default() };
    let cases = tables().into_iter().chain(arrays_and_recordings(folder));
    for (name, request, file, sound) in cases {
        let path = folder.join(file);
        let open = |_: &Path| nnc::data::open(&request, &places, &|_, _| true).is_ok();
        try_all(name, &sound, through(&path, open));
        fs::remove_file(path).expect("the file that was read last");
    }
}

/// One test, since what is allocated is counted for the whole process.
#[test]
fn damaged_files_are_errors_and_take_no_memory() {
    std::panic::set_hook(Box::new(|_| ()));
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    bombs(folder.path());
    sources(folder.path());

    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 5];
    idx.extend(0..100);
    let read_idx = |path: &Path| nnc::data::idx_records(path).is_ok();
    try_all("idx", &idx, through(&at("idx"), read_idx));
    let members = [packed(&idx[..30]), packed(&idx[30..]), vec![0; 20]].concat();
    try_all("idx.gz", &members, through(&at("idx.gz"), read_idx));

    try_all("csv", b"label,a,b\n1,2,3\n4,5,255\n\n7,\"8\",9\n", |bytes| {
        nnc::data::csv_records(&String::from_utf8_lossy(bytes)).iter().all(Result::is_ok)
    });

    let tensors = [
        ("dense.weight".to_owned(), Tensor::f32([2, 3], vec![0.5; 6])),
        ("label".to_owned(), Tensor::new([3], nnc::base::tensor::Data::I32(vec![1, 2, 3]))),
    ];
    weights::save(&at("tensors"), &tensors).expect("a file");
    let sound = fs::read(at("tensors")).expect("a file");
    try_all("safetensors", &sound, |bytes| weights::parse(Path::new("x"), bytes).is_ok());
    try_all("safetensors file", &sound, through(&at("x"), |path| weights::load(path).is_ok()));

    let snapshot = Snapshot::new([("dense.weight".to_owned(), DType::F32, vec![2, 3])]);
    let identity = Identity {
        model: "m".into(),
        data: "d".into(),
        seed: 7,
        batch: 8,
        program: vec![("model".into(), "5a1".into())],
    };
    snapshot.save(&at("checkpoint"), &identity).expect("a file");
    let sound = fs::read(at("checkpoint")).expect("a file");
    let read = |path: &Path| Checkpoint::load(path).is_ok();
    let path = at("y");
    let load = through(&path, read);
    try_all("checkpoint", &sound, |bytes| load(&summed(bytes)));

    fs::create_dir(at("run")).expect("a folder");
    let info = serde_json::to_vec_pretty(&RunInfo::new("m", "a run".into())).expect("JSON");
    let read = |_: &Path| RunFolder::read(&at("run")).and_then(|run| run.info()).is_ok();
    try_all("run.json", &info, through(&at("run/run.json"), read));

    let metrics = b"epoch,loss,accuracy\n1,0.5,0.25\n2,0.4,\n3,NaN,1e999\n";
    fs::write(at("run/run.json"), &info).expect("a file");
    let read = |_: &Path| {
        let runs = nnc::command::compare(&[at("run")]).expect("a run");
        // A table that makes no sense is one without rows.
        nnc::command::overlaid(&runs).contains("</svg>") && runs[0].rows.len() == 3
    };
    try_all("metrics.csv", metrics, through(&at("run/metrics.csv"), read));

    let text = "data d = digits()\nmodel m(x: f32[N, 28, 28, 1]) -> f32[N, 10] { x |> flatten }\n";
    let read = |path: &Path| nnc::driver::source_text(path).is_ok();
    try_all("program", text.as_bytes(), through(&at("program.nn"), read));
}
