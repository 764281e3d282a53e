//! A graph of inference as an ONNX model.
//!
//! ```text
//! %7 = conv … %5, %6                    Conv(x, conv.weight)             weights turned to [o, c, h, w]
//! %11 = add %8, %10                     Gemm(x, dense.weight, dense.bias)
//! %15 = gt %11, 0; %19 = where …        Relu(x)
//! ```
//!
//! First it is found which nodes outputs need ([`pattern`]): where several nodes compute what ONNX has an
//! operator for, that takes their place. Then each needed node is lowered ([`lower`]). Values stand as is
//! best for ONNX ([`value`]): images with the channels first, broadcasts not at all.

mod build;
mod constants;
mod elementwise;
mod layout;
mod lower;
mod matching;
mod movement;
mod output;
mod pattern;
mod reduction;
mod scan;
mod value;
mod window;

use crate::base::tensor::Tensor;
use crate::graph::scan::{Bodies, Unit, units};
use crate::graph::{Graph, NodeId};
use crate::onnx::model::{OnnxGraph, OnnxModel};
use build::Exporter;
use std::collections::HashMap;

/// The oldest version of ONNX's operators that can be asked for.
pub const OLDEST_OPSET: i64 = 13;
/// The newest.
pub const NEWEST_OPSET: i64 = 23;
/// The version where no operator needs a newer one.
const USUAL_OPSET: i64 = 17;

/// The order of an image's axes, for whoever runs the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageLayout {
    /// `[N, height, width, channels]`: as the program has them.
    ChannelsLast,
    /// `[N, channels, height, width]`: as ONNX's own operators take them.
    ChannelsFirst,
}

/// How a graph is to be exported.
#[derive(Clone, Copy, Debug)]
pub struct ExportSettings {
    /// The version of ONNX's operators; none for the lowest that has all that are of use.
    pub opset: Option<i64>,
    /// The order of the axes of images that come in, and of such that go out.
    pub layout: ImageLayout,
    /// Whether norms of running means become part of the convolutions before them.
    pub fold: bool,
}

/// An operator that cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRefusal {
    /// Its node.
    pub node: NodeId,
    /// The reason.
    pub message: String,
}

/// Exports a verified graph with its parameters and states, each of which is let go once the model has it.
pub fn export(
    graph: &Graph,
    variables: Vec<(String, Tensor)>,
    settings: ExportSettings,
) -> Result<OnnxModel, ExportRefusal> {
    let bodies = Bodies::of(graph);
    let needs = pattern::needs(graph, &bodies, settings);
    let variables: HashMap<String, Tensor> = variables.into_iter().collect();
    let mut exporter = Exporter::new(graph, &bodies, &needs, variables, settings);
    exporter.take_inputs();
    let order = units(graph, &bodies).expect("verified: no scan reads what it makes");
    for unit in order {
        match unit {
            Unit::Node(node) => exporter.lower(node)?,
            Unit::Scan(scan) => exporter.lower_scan(scan)?,
        }
    }
    exporter.give_outputs();
    Ok(exporter.finish())
}

/// The version of the file format that came with a version of the operators.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        _ => 11,
    }
}

fn model(graph: OnnxGraph, opset: i64) -> OnnxModel {
    OnnxModel {
        ir_version: ir_version(opset),
        opsets: vec![(String::new(), opset)],
        graph,
        ..OnnxModel::default()
    }
}
