//! ONNX: models as other programs exchange them.
//!
//! ```text
//! file ─ decode ─→ OnnxModel ─→ a program in the language, and weights
//! a graph of inference, and weights ─ export ─→ OnnxModel ─ encode ─→ file
//! ```

pub mod decode;
pub mod encode;
pub mod export;
pub mod import;
pub mod model;
