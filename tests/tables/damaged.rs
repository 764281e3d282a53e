//! Files of tables, series, arrays and texts with some of their bytes changed.

use nnc::data::{Argument, Literal, Places, SourceRequest};

use crate::{line, npy};

/// A source of the file `x` with further arguments.
fn source(name: &str, further: &[(&str, Literal)]) -> SourceRequest {
    let file = ("file", Literal::Str("x".into()));
    let all = std::iter::once(file).chain(further.iter().cloned());
    SourceRequest::new(name, all.map(|(name, value)| Argument::named(name, value)).collect())
}

/// Changes up to four bytes: cuts, replaces, inserts, removes.
fn damage(bytes: &mut Vec<u8>, below: &mut dyn FnMut(usize) -> usize) {
    for _ in 0..1 + below(4) {
        let at = below(bytes.len());
        match below(4) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = below(256) as u8,
            2 => bytes.insert(at, [b',', b'"', b'\n', b'9', 0, 0xff][below(6)]),
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
    }
}

/// Mutated files never make a reader panic; no more samples come out than there are bytes.
#[test]
fn damaged_files_are_read_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places { beside: folder.path().to_path_buf(), ..Places::default() };
    let target = ("target", Literal::Str("y".into()));
    let bpe = ("tokens", Literal::Name("bpe".into()));
    let window = |count| ("window", Literal::Int(count));
    let table = line(12).into_bytes();
    let cases = [
        (source("csv", std::slice::from_ref(&target)), table.clone()),
        (source("series", &[window(2), target]), table),
        (source("arrays", &[]), npy("<f4", true, "(3, 2)", &[1; 24])),
        (source("text", &[window(3), bpe]), b"to be or not to be".to_vec()),
    ];
    let rounds = std::env::var("NNC_READER_COUNT").ok().and_then(|it| it.parse().ok());
    let rounds = rounds.unwrap_or(if cfg!(debug_assertions) { 400 } else { 5_000 });
    let mut state = 7u64;
    let mut below = |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most.max(1)
    };
    for (request, good) in cases {
        let path = folder.path().join("x");
        std::fs::write(&path, &good).unwrap();
        assert!(nnc::data::open(&request, &places, &|_, _| true).is_ok(), "{}", request.name);
        for _ in 0..rounds {
            let mut bytes = good.clone();
            damage(&mut bytes, &mut below);
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(data) = nnc::data::open(&request, &places, &|_, _| true) {
                let samples = data.train.count() + data.validation.count() + data.test.count();
                assert!(samples <= bytes.len(), "{} samples of {} bytes", samples, bytes.len());
            }
        }
    }
}
