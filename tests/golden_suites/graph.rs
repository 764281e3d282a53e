//! Graphs as text: read, verified, printed again, and run where the text says so.
//!
//! `; run N = 2` runs a step of two samples from seed 0, with `; input x = 1 2 3` for each input
//! (row-major). Values print with five digits after the point.

use nnc::base::tensor::{DType, Data, Tensor};
use nnc::graph::{Env, Graph, Type, read, run, verify};

use super::{Case, Output, Suite};

pub const SUITE: Suite = Suite {
    folder: "graph",
    input: "graph",
    outputs: &[
        Output { extension: "printed", produce: printed },
        Output { extension: "values", produce: values },
        Output { extension: "stderr", produce: errors },
    ],
};

/// The graph, or what is wrong with it.
fn sound(case: &Case) -> Result<Graph, String> {
    let graph = read(&case.text).map_err(|error| format!("{error}\n"))?;
    match verify(&graph) {
        Ok(()) => Ok(graph),
        Err(findings) => Err(findings.iter().map(|finding| format!("{finding}\n")).collect()),
    }
}

fn printed(case: &Case) -> Result<Option<String>, String> {
    let Ok(graph) = sound(case) else { return Ok(None) };
    let text = graph.to_string();
    let again = read(&text).map_err(|error| format!("what was printed: {error}"))?;
    if again.nodes != graph.nodes || again.to_string() != text {
        return Err(format!("what was printed reads as another graph:\n{again}"));
    }
    Ok(Some(text))
}

fn errors(case: &Case) -> Result<Option<String>, String> {
    Ok(sound(case).err())
}

fn values(case: &Case) -> Result<Option<String>, String> {
    let mut lines = case.text.lines();
    let Some(batch) = lines.find_map(|line| line.trim().strip_prefix("; run N = ")) else {
        return Ok(None);
    };
    let batch = batch.parse().map_err(|_| format!("the batch `{batch}`"))?;
    let graph = sound(case)?;
    let mut env = Env::initial(&graph, 0);
    for input in graph.inputs.values() {
        let start = format!("; input {} = ", input.name);
        let numbers = case.text.lines().find_map(|line| line.trim().strip_prefix(&start));
        let numbers = numbers.ok_or_else(|| format!("no values for the input {}", input.name))?;
        env.inputs.insert(input.name.clone(), tensor(numbers, &input.ty, batch)?);
    }
    let outcome = match run(&graph, batch, &env) {
        Ok(outcome) => outcome,
        Err(fault) => return Ok(Some(format!("fault: {fault}\n"))),
    };
    let outputs = outcome.outputs.iter().map(|(name, value)| show(name, value));
    let params = graph.params.values().zip(&outcome.params);
    let states = graph.states.values().zip(&outcome.states);
    let params = params.map(|(param, value)| show(&param.path, value));
    let states = states.map(|(state, value)| show(&state.path, value));
    Ok(Some(outputs.chain(params).chain(states).collect()))
}

fn tensor(numbers: &str, ty: &Type, batch: usize) -> Result<Tensor, String> {
    fn parsed<T: std::str::FromStr>(numbers: &str) -> Result<Vec<T>, String> {
        let parse = |number: &str| number.parse().map_err(|_| format!("the number `{number}`"));
        numbers.split_whitespace().map(parse).collect()
    }
    let data = match ty.dtype {
        DType::F32 => Data::F32(parsed(numbers)?),
        DType::F64 => Data::F64(parsed(numbers)?),
        DType::I32 => Data::I32(parsed(numbers)?),
        DType::U8 => Data::U8(parsed(numbers)?),
        DType::Bool => Data::Bool(parsed(numbers)?),
    };
    Ok(Tensor::new(ty.shape.at(batch), data))
}

fn show(name: &str, tensor: &Tensor) -> String {
    let elements: Vec<String> = match &tensor.data {
        Data::F32(values) => values.iter().map(|value| format!("{value:.5}")).collect(),
        Data::F64(values) => values.iter().map(|value| format!("{value:.5}")).collect(),
        Data::I32(values) => values.iter().map(i32::to_string).collect(),
        Data::U8(values) => values.iter().map(u8::to_string).collect(),
        Data::Bool(values) => values.iter().map(bool::to_string).collect(),
    };
    format!("{name} {:?} = {}\n", tensor.shape, elements.join(" "))
}
