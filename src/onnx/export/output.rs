//! The model's outputs: by their names, with the axes that whoever runs it expects.

use super::ImageLayout;
use super::build::Exporter;
use super::layout::CHANNELS_FIRST;
use super::lower::declared;
use crate::base::step_output::StepOutput;

impl Exporter<'_> {
    /// Makes the model's outputs of the graph's.
    pub fn give_outputs(&mut self) {
        for output in &self.graph.outputs {
            self.now = output.node;
            let shape = self.shape(output.node);
            let value = self.value(output.node);
            let value = self.full(&value, shape);
            let first = self.settings.layout == ImageLayout::ChannelsFirst;
            let image = first && value.axes == CHANNELS_FIRST;
            let value = if image { value } else { self.plain(&value) };
            let wanted = match &output.name {
                StepOutput::Part(part) => part.clone(),
                other => other.to_string(),
            };
            let name = self.name(&wanted);
            let made = self.named(&value);
            self.rename(&made, &name);
            let dtype = self.node(output.node).ty.dtype;
            self.onnx.outputs.push(declared(&name, dtype, &value.extents()));
        }
    }

    /// Gives the value of a node the name of an output; what is an input, a constant or an output
    /// already is copied.
    fn rename(&mut self, made: &str, name: &str) {
        let subgraphs = self.onnx.nodes.iter().any(|node| node.op == "Scan");
        let is_output = self.onnx.outputs.iter().any(|output| output.name == made);
        let maker =
            self.onnx.nodes.iter().position(|node| node.outputs.iter().any(|it| it == made));
        if maker.is_none() || subgraphs || is_output {
            self.onnx.nodes.push(crate::onnx::model::OnnxNode {
                name: format!("{name}/Identity"),
                op: "Identity".to_owned(),
                inputs: vec![made.to_owned()],
                outputs: vec![name.to_owned()],
                ..Default::default()
            });
            return;
        }
        for node in &mut self.onnx.nodes {
            let names = node.inputs.iter_mut().chain(&mut node.outputs);
            names.filter(|it| *it == made).for_each(|it| name.clone_into(it));
        }
        // What was made of it already knows it by its new name.
        for value in self.values.iter_mut().flatten() {
            if value.place == super::value::ValuePlace::Named(made.to_owned()) {
                value.place = super::value::ValuePlace::Named(name.to_owned());
            }
        }
    }
}
