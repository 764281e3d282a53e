//! Small models of ONNX, as bytes.
