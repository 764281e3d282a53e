//! A Python that runs `torch_random.py`: cases go in, what PyTorch computes comes out.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nnc::base::tensor::{DType, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::case::Case;

/// The script.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torch_random.py");

/// The process.
pub struct Python {
    child: Child,
    to: Option<ChildStdin>,
    from: ChildStdout,
}

/// A value as PyTorch computes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    /// Computed in `f64`.
    pub values: Vec<f32>,
    /// How far an element of the same in `f32`, its inputs changed a little, is from it at most.
    pub spread: f64,
}

/// What PyTorch says of a case.
#[derive(Clone, Debug)]
pub struct Answer {
    pub wanted: Vec<Wanted>,
    /// The case's lines in the file of expected numbers.
    pub summary: String,
}

impl Python {
    /// Starts one.
    pub fn start(python: &str) -> Python {
        let mut child = Command::new(python)
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python} does not run: {error}"));
        let to = child.stdin.take();
        let from = child.stdout.take().expect("a pipe");
        Python { child, to, from }
    }

    /// Asks for a case.
    pub fn ask(&mut self, case: &Case) -> Result<Answer, String> {
        let request = request(case);
        let to = self.to.as_mut().expect("a pipe");
        let sent = to.write_all(&(request.len() as u64).to_le_bytes());
        sent.and_then(|()| to.write_all(&request)).and_then(|()| to.flush()).expect("it reads");
        let mut length = [0; 8];
        self.from.read_exact(&mut length).expect("it answers");
        let mut reply = vec![0; u64::from_le_bytes(length) as usize];
        self.from.read_exact(&mut reply).expect("it answers in full");
        answer(&reply)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Without its input it ends.
        self.to = None;
        let _ = self.child.wait();
    }
}

/// The file that says what a case is.
fn request(case: &Case) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = case.given.values().map(little_endian).collect();
    let views = case.given.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        let view = TensorView::new(dtype(tensor), tensor.shape.clone(), bytes);
        (name, view.expect("as many bytes as the shape says"))
    });
    let metadata = HashMap::from([
        ("graph".to_string(), case.forward.to_string()),
        ("mode".to_string(), case.mode.name().to_string()),
        ("edges".to_string(), case.edges.to_string()),
        ("training".to_string(), case.training.clone()),
    ]);
    safetensors::serialize(views, Some(metadata)).expect("a file of tensors")
}

fn dtype(tensor: &Tensor) -> Dtype {
    match tensor.dtype() {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

fn little_endian(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = tensor.to_bytes();
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(tensor.dtype().size()).for_each(<[u8]>::reverse);
    }
    bytes
}

fn answer(reply: &[u8]) -> Result<Answer, String> {
    let file = SafeTensors::deserialize(reply).expect("a file of tensors");
    let (_, header) = SafeTensors::read_metadata(reply).expect("its header");
    let metadata = header.metadata().clone().unwrap_or_default();
    if let Some(error) = metadata.get("error") {
        return Err(format!("torch_random.py fails: {error}"));
    }
    let numbers = |name: &str| -> Vec<f64> {
        let data = file.tensor(name).expect("a tensor that is there");
        let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        data.data().chunks_exact(8).map(number).collect()
    };
    let mut names: Vec<&str> =
        file.names().iter().filter_map(|n| n.strip_prefix("want.")).collect();
    names.sort_unstable();
    let wanted = |name: &str| Wanted {
        name: name.to_string(),
        values: numbers(&format!("want.{name}")).iter().map(|&value| value as f32).collect(),
        spread: numbers(&format!("spread.{name}"))[0],
    };
    let wanted = names.into_iter().map(wanted).collect();
    Ok(Answer { wanted, summary: metadata["summary"].clone() })
}
