//! Checkpoints: all that a run needs to go on as if it had never been interrupted, in one file.
//!
//! The file is a safetensors file of every parameter, layer state and optimiser state; its metadata
//! `nnc_checkpoint` says in JSON where the run is. A BLAKE3 sum of the whole file, computed with
//! zeros in its own place, finds every flipped bit and every cut.
//!
//! ```text
//! {"__metadata__":{"nnc_checkpoint":"{\"version\":1,\"blake3\":\"9f…\",\"model\":\"mlp\",…}"},
//!  "dense.weight":{…},"optimizer.m.dense.weight":{…}}
//! ```
//!
//! A [`Snapshot`] is a copy of the run's memory, taken between two steps in the time of a copy;
//! writing it is for another thread. The file is written beside its place, brought to the disk, and
//! then put there.

use super::trainer::{TrainState, Trainer};
use super::weights::{self, LoadError, StoredTensor};
use crate::base::shown::Show;
use crate::base::tensor::{DType, Tensor};
use crate::files::read;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// The version of what the metadata say.
pub const VERSION: u64 = 1;
/// The name of the metadata.
const KEY: &str = "nnc_checkpoint";
/// Digits of a BLAKE3 sum.
const DIGITS: usize = 64;
/// The bytes before the sum in a file: quotes are escaped, since the metadata are a string.
const BEFORE_SUM: &[u8] = br#"\"blake3\":\""#;

/// The state and identity of a run, kept in the metadata of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointHeader {
    /// The version of this header.
    version: u64,
    /// The sum of the file.
    blake3: String,
    /// The model's name.
    pub model: String,
    /// The fingerprint of the data.
    pub data: String,
    /// The seed of the run.
    pub seed: u64,
    /// Samples a batch.
    pub batch: usize,
    /// Hashes of the program's parts, by name (`run::meaning`). Empty in files of builds that did
    /// not write it.
    #[serde(default)]
    pub program: Vec<(String, String)>,
    /// Where the run is.
    pub state: TrainState,
}

/// The part of a header that is the same in all checkpoints of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The model's name.
    pub model: String,
    /// The fingerprint of the data.
    pub data: String,
    /// The seed of the run.
    pub seed: u64,
    /// Samples a batch.
    pub batch: usize,
    /// Hashes of the program's parts, by name.
    pub program: Vec<(String, String)>,
}

/// A copy of a run's memory between two steps.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Every parameter and state.
    entries: Vec<StoredTensor>,
    /// Where the run is.
    pub state: TrainState,
}

impl Snapshot {
    /// Room for these parameters and states: path, type, shape.
    pub fn new(variables: impl IntoIterator<Item = (String, DType, Vec<usize>)>) -> Snapshot {
        let entry = |(name, dtype, shape): (String, DType, Vec<usize>)| {
            let bytes = vec![0; shape.iter().product::<usize>() * dtype.size()];
            StoredTensor { name, dtype, shape, bytes }
        };
        Snapshot {
            entries: variables.into_iter().map(entry).collect(),
            state: TrainState::default(),
        }
    }

    /// Writes to all of its memory, so that the system has given it before the first copy.
    pub fn touch(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.bytes.fill(1));
    }

    /// Copies the run as it is.
    pub fn take(&mut self, trainer: &Trainer<'_>) {
        for entry in &mut self.entries {
            entry.bytes.copy_from_slice(&trainer.bytes(&entry.name));
        }
        self.state.clone_from(trainer.state());
    }

    /// All tensors.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let tensor = |entry: &StoredTensor| {
            let shape = entry.shape.clone();
            (entry.name.clone(), Tensor::from_bytes(entry.dtype, shape, &entry.bytes))
        };
        self.entries.iter().map(tensor).collect()
    }

    /// The tensors of these paths, under other names.
    pub fn renamed<'a>(
        &'a self,
        paths: &'a [(String, String)],
    ) -> impl Iterator<Item = StoredTensor> + 'a {
        paths.iter().filter_map(|(path, name)| {
            let entry = self.entries.iter().find(|entry| entry.name == *path)?;
            Some(StoredTensor { name: name.clone(), ..entry.clone() })
        })
    }

    /// Writes it as a checkpoint.
    pub fn save(&self, path: &Path, identity: &Identity) -> Result<(), String> {
        let header = CheckpointHeader {
            version: VERSION,
            blake3: "0".repeat(DIGITS),
            model: identity.model.clone(),
            data: identity.data.clone(),
            seed: identity.seed,
            batch: identity.batch,
            program: identity.program.clone(),
            state: self.state.clone(),
        };
        let text = serde_json::to_string(&header).map_err(|error| error.to_string())?;
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        weights::write_entries(path, &self.entries, Some(metadata), put_sum)
    }
}

/// Puts the sum of a file where it had zeros.
fn put_sum(file: &mut File, start: &[u8], sum: blake3::Hash) -> io::Result<()> {
    let place = sum_place(start).expect("the header was written with room for a sum");
    file.seek(SeekFrom::Start(place as u64))?;
    file.write_all(sum.to_hex().as_bytes())
}

/// Where the digits of the sum are.
fn sum_place(bytes: &[u8]) -> Option<usize> {
    let found = bytes.windows(BEFORE_SUM.len()).position(|window| window == BEFORE_SUM)?;
    let place = found + BEFORE_SUM.len();
    (place + DIGITS <= bytes.len()).then_some(place)
}

/// A checkpoint that was read and found whole.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The metadata.
    pub header: CheckpointHeader,
    /// Every parameter and state.
    pub tensors: Vec<(String, Tensor)>,
}

impl Checkpoint {
    /// Reads a checkpoint; one that is cut or in which a bit was flipped is malformed.
    pub fn load(path: &Path) -> Result<Checkpoint, LoadError> {
        let shown = path.shown();
        let malformed = |what: &str| LoadError::Malformed(format!("{shown} {what}"));
        let mut bytes = read::bytes(path, read::TENSORS)
            .map_err(|error| LoadError::Io(format!("cannot read {shown}: {error}")))?;
        check_sum(&mut bytes).map_err(malformed)?;
        let metadata = safetensors::SafeTensors::read_metadata(&bytes)
            .map_err(|error| malformed(&format!("is not a sound safetensors file: {error}")))?
            .1;
        let text = metadata.metadata().as_ref().and_then(|texts| texts.get(KEY));
        let text = text.ok_or_else(|| malformed("is not a checkpoint: it holds weights alone"))?;
        let header = header(text).map_err(|what| malformed(&what))?;
        Ok(Checkpoint { header, tensors: weights::parse(path, &bytes)? })
    }
}

/// Compares a file with its sum; leaves zeros in the sum's place.
fn check_sum(bytes: &mut [u8]) -> Result<(), &'static str> {
    let len = bytes.len().min(4096);
    let Some(place) = sum_place(&bytes[..len]) else {
        return Err("is no checkpoint, or damaged: it has no BLAKE3 sum");
    };
    let said = bytes[place..place + DIGITS].to_vec();
    bytes[place..place + DIGITS].fill(b'0');
    match blake3::hash(bytes).to_hex().as_bytes() == said {
        true => Ok(()),
        false => Err("is damaged: its BLAKE3 sum does not match"),
    }
}

/// The header, whose version is looked at first: another one may say anything else.
fn header(text: &str) -> Result<CheckpointHeader, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    let wrong = |error: serde_json::Error| format!("has a header that cannot be read: {error}");
    let Versioned { version } = serde_json::from_str(text).map_err(wrong)?;
    if version != VERSION {
        return Err(format!(
            "is a checkpoint of version {version}; this build of nnc reads version {VERSION}"
        ));
    }
    serde_json::from_str(text).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let program = vec![("the model".into(), "9f".into())];
        Identity {
            model: "mlp \"x\"".into(),
            data: "abc".into(),
            seed: u64::MAX,
            batch: 8,
            program,
        }
    }

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::new([
            ("dense.weight".to_string(), DType::F32, vec![2, 3]),
            ("optimizer.m.dense.weight".to_string(), DType::F32, vec![2, 3]),
        ]);
        snapshot.entries[1].bytes.fill(7);
        snapshot.state.updates = 12;
        snapshot.state.open.grad_norm = 0.1;
        snapshot
    }

    #[test]
    fn a_checkpoint_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let snapshot = snapshot();
        snapshot.save(&path, &identity()).unwrap();
        let read = Checkpoint::load(&path).unwrap();
        assert_eq!(read.header.state, snapshot.state);
        assert_eq!((read.header.seed, read.header.model.as_str()), (u64::MAX, "mlp \"x\""));
        assert_eq!(read.tensors[1].1.to_bytes(), [7; 24]);
        assert_eq!(read.tensors[1].0, "optimizer.m.dense.weight");
        // It is an ordinary file of weights, too, and nothing else is left in the folder.
        assert_eq!(weights::load(&path).unwrap().len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        snapshot().save(&path, &identity()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            let read = Checkpoint::load(&path);
            assert!(matches!(read, Err(LoadError::Malformed(_))), "{what}");
        };
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << (byte % 8);
            refused(&flipped, &format!("bit {} of byte {byte}", byte % 8));
            refused(&whole[..byte], &format!("{byte} bytes"));
        }
        std::fs::write(&path, &whole).unwrap();
        Checkpoint::load(&path).unwrap();
    }

    #[test]
    fn another_version_is_named() {
        let text = serde_json::json!({ "version": 9, "anything": [] }).to_string();
        let refused = header(&text).unwrap_err();
        assert!(refused.contains("version 9") && refused.contains("reads version 1"), "{refused}");
    }
}
