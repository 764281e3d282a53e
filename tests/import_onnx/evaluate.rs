//! Imported programs on tensors as the file has them.

use nnc::base::tensor::{DType, Data, Tensor};
use nnc::codegen::Target;
use nnc::command::ImportedProgram;
use nnc::graph::{Env, Graph, interp};
use nnc::onnx::model::{OnnxModel, OnnxTensor};
use std::collections::BTreeMap;

use crate::support::engines::{Engine, Job, targets};

/// Multiplications above which a program is compiled, not interpreted.
const COMPILED: usize = 3_000_000;

/// A tensor of a file in one of the language's types.
pub fn tensor(from: &OnnxTensor) -> Option<Tensor> {
    let shape: Vec<usize> = from.dims.iter().map(|&dim| dim as usize).collect();
    let bytes = &from.data;
    let data = match from.element {
        1 => Data::F32(bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect()),
        6 => Data::I32(bytes.as_chunks().0.iter().map(|it| i32::from_le_bytes(*it)).collect()),
        7 => {
            let wide = bytes.as_chunks().0.iter().map(|it| i64::from_le_bytes(*it));
            Data::I32(wide.map(|it| i32::try_from(it).ok()).collect::<Option<_>>()?)
        }
        2 => Data::U8(bytes.clone()),
        9 => Data::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        _ => return None,
    };
    Some(Tensor::new(shape, data))
}

/// A tensor with its axes in another order.
pub fn turned(from: &Tensor, order: &[usize]) -> Tensor {
    fn turn<T: Copy>(values: &[T], dims: &[usize], order: &[usize]) -> Vec<T> {
        let extents: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
        (0..values.len())
            .map(|at| {
                let (mut rest, mut from) = (at, 0);
                for (place, &axis) in order.iter().enumerate().rev() {
                    let step: usize = dims[axis + 1..].iter().product();
                    from += rest % extents[place] * step;
                    rest /= extents[place];
                }
                values[from]
            })
            .collect()
    }
    let shape: Vec<usize> = order.iter().map(|&axis| from.shape[axis]).collect();
    let data = match &from.data {
        Data::F32(values) => Data::F32(turn(values, &from.shape, order)),
        Data::F64(values) => Data::F64(turn(values, &from.shape, order)),
        Data::I32(values) => Data::I32(turn(values, &from.shape, order)),
        Data::U8(values) => Data::U8(turn(values, &from.shape, order)),
        Data::Bool(values) => Data::Bool(turn(values, &from.shape, order)),
    };
    Tensor::new(shape, data)
}

fn zeros(dtype: DType, shape: Vec<usize>) -> Tensor {
    let count = shape.iter().product();
    let data = match dtype {
        DType::F32 => Data::F32(vec![0.0; count]),
        DType::F64 => Data::F64(vec![0.0; count]),
        DType::I32 => Data::I32(vec![0; count]),
        DType::U8 => Data::U8(vec![0; count]),
        DType::Bool => Data::Bool(vec![false; count]),
    };
    Tensor::new(shape, data)
}

/// The outputs of a program, with their axes as the file has them, on inputs by the file's names.
pub fn evaluate(
    program: &ImportedProgram,
    model: &OnnxModel,
    given: &BTreeMap<String, Tensor>,
) -> Result<Vec<Tensor>, String> {
    let mut graph = program.experiment.eval.clone();
    let several = program.model.outputs.len() > 1;
    let name = |at: usize| match several {
        true => format!("output.{}", program.model.outputs[at].name),
        false => "output".to_owned(),
    };
    graph.outputs.retain(|output| output.name.to_string().starts_with("output"));
    let whole = !program.model.whole.is_empty();
    let mut inputs = BTreeMap::new();
    for input in &program.model.inputs {
        let tensor = given.get(&input.original).ok_or("an input without a tensor")?;
        let mut tensor = turned(tensor, &input.order);
        if whole {
            tensor.shape.insert(0, 1);
        }
        inputs.insert(input.name.clone(), tensor);
    }
    let batch = match (whole, program.model.inputs.first()) {
        (false, Some(first)) => inputs[&first.name].shape.first().copied().unwrap_or(1),
        _ => 1,
    };
    for input in graph.inputs.values() {
        inputs
            .entry(input.name.clone())
            .or_insert_with(|| zeros(input.ty.dtype, input.ty.shape.at(batch)));
    }
    let values: BTreeMap<String, Tensor> = program
        .variables
        .iter()
        .map(|(path, it)| (path.clone(), Tensor::new(it.dims.clone(), Data::F32(it.values(model)))))
        .collect();
    let made = match work(&graph, batch) > COMPILED {
        true => compiled(&graph, batch, values, inputs),
        false => interpreted(&graph, batch, values, inputs)?,
    };
    (0..program.model.outputs.len())
        .map(|at| {
            // A part that is called so is the model's own output.
            let own = |known: &str| at == 0 && known == "output";
            let found = made.iter().find(|(known, _)| **known == name(at) || own(known));
            let mut tensor = found.map(|(_, tensor)| tensor.clone()).ok_or_else(|| {
                format!("no output {} among {:?}", name(at), made.keys().collect::<Vec<_>>())
            })?;
            if whole {
                tensor.shape.remove(0);
            }
            let order = &program.model.outputs[at].order;
            let back: Vec<usize> = (0..order.len())
                .map(|axis| order.iter().position(|it| *it == axis).expect("an order"))
                .collect();
            Ok(turned(&tensor, &back))
        })
        .collect()
}

/// About how many multiplications a graph asks for: those of its products alone.
fn work(graph: &Graph, batch: usize) -> usize {
    let weights: usize =
        graph.params.values().map(|it| it.ty.shape.at(1).iter().product::<usize>()).sum();
    let widest =
        graph.nodes.iter().map(|(id, _)| graph.ty(id).shape.at(batch).iter().product::<usize>());
    weights + widest.sum::<usize>()
}

fn interpreted(
    graph: &Graph,
    batch: usize,
    values: BTreeMap<String, Tensor>,
    inputs: BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>, String> {
    let mut env = Env::initial(graph, 0);
    env.params = graph.params.values().map(|it| values[&it.path].clone()).collect();
    env.states = graph.states.values().map(|it| values[&it.path].clone()).collect();
    env.inputs = inputs;
    let made = interp::run(graph, batch, &env).map_err(|error| error.to_string())?;
    Ok(made.outputs.into_iter().collect())
}

fn compiled(
    graph: &Graph,
    batch: usize,
    given: BTreeMap<String, Tensor>,
    inputs: BTreeMap<String, Tensor>,
) -> BTreeMap<String, Tensor> {
    let target: Target = targets().last().expect("a target");
    let shapes: BTreeMap<String, Vec<usize>> = graph
        .outputs
        .iter()
        .map(|it| (it.name.to_string(), graph.ty(it.node).shape.at(batch)))
        .collect();
    let inputs: Box<dyn Fn(u64) -> BTreeMap<String, Tensor>> = Box::new(move |_| inputs.clone());
    let job = Job { graph: graph.clone(), batch, seed: 0, given, inputs };
    let left = Engine::Compiled(target, 2).run(&job, 1);
    let shaped = |(name, values): (String, Vec<f32>)| {
        let shape = shapes[&name].clone();
        (name, Tensor::new(shape, Data::F32(values)))
    };
    left.outputs.into_iter().map(shaped).collect()
}
