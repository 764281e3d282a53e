//! The tensors that losses and metrics compare: outputs of the model and fields of the data, by name or
//! by default.
//!
//! ```text
//! cross_entropy                  the only output, the only target
//! cross_entropy(kind)            the output `kind` and the target `kind`
//! mse(output, image)             the only output and the field `image`
//! elbo(drawn, image, mean)       a tensor for each parameter that is one
//! mae(price, original: true)     both turned back into the numbers of the source
//! ```
//!
//! A name that stands first is an output; behind it, a field comes before an output of its name.

use super::plan::Choice;
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::schema::{Field, FieldRecipe, FieldTransform, Schema};
use crate::base::step_output::StepOutput;
use crate::elaborate::arguments::{Given, Passed};
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};
use crate::elaborate::value::Value;
use crate::graph::{Binary, NodeId, Unary};
use crate::syntax::ast::{Arg, ExprKind, Function, Name, ParamDecl};

/// The data of a run: the data item's name and what is known of it.
pub(in crate::elaborate) type RunData<'a> = Option<(&'a str, &'a Schema)>;

/// The argument that turns outputs and targets back into the numbers of the source.
const ORIGINAL: &str = "original";

/// The outputs of a model, by name.
pub(in crate::elaborate) struct ModelOutputs {
    /// Names and nodes; of a model that gives no record, the only one is [`StepOutput::ONLY`].
    pub parts: Vec<(String, NodeId)>,
}

impl ModelOutputs {
    /// The output of a name.
    fn part(&self, name: &str) -> Option<NodeId> {
        self.parts.iter().find(|(known, _)| known == name).map(|(_, node)| *node)
    }

    /// The only output, where there is one.
    fn only(&self) -> Option<(&str, NodeId)> {
        match &self.parts[..] {
            [(name, node)] => Some((name, *node)),
            _ => None,
        }
    }
}

/// A tensor that a loss or metric gets.
#[derive(Clone, Copy)]
pub(in crate::elaborate) struct Operand<'a> {
    /// Its node, as the model gives it or as it arrives.
    pub node: NodeId,
    /// The field of the data, if it is one.
    pub field: Option<&'a Field>,
}

/// The tensors of a loss or metric, and its other arguments.
pub(in crate::elaborate) struct LossOperands<'a> {
    /// The tensors, in the order of its parameters.
    pub tensors: Vec<Operand<'a>>,
    /// The arguments that are no tensors.
    pub rest: Vec<&'a Arg>,
    /// The name of the output that stands first.
    pub output: Option<String>,
    /// The name of the step's input that it is compared with.
    pub target: Option<String>,
    /// Whether the numbers are to be those of the source.
    pub original: bool,
}

/// Whether a parameter of a loss or metric is a tensor.
fn is_tensor(param: &ParamDecl) -> bool {
    param.default.is_none() && param.ty.as_ref().is_none_or(|ty| ty.dims.is_some())
}

impl<'a> Elaborator<'a> {
    /// The tensors that a loss or metric is given; without data, a target is an input named `input`.
    pub fn operands(
        &mut self,
        choice: Choice<'a>,
        outputs: &ModelOutputs,
        data: RunData<'a>,
        input: &str,
    ) -> Eval<LossOperands<'a>> {
        let function = self.items.function(choice.id).function;
        let wanted = function.params.iter().take_while(|param| is_tensor(param)).count();
        let names = self.named_tensors(choice, outputs, data, wanted);
        if names.is_empty() && function.params.len() < 2 {
            return Err(self.needs_two(function));
        }
        let wanted = if names.is_empty() { wanted.max(2) } else { wanted };
        let (original, rest) = self.original_argument(choice, function, names.len())?;
        let (tensors, output, target) = (Vec::new(), None, None);
        let mut operands = LossOperands { tensors, rest, output, target, original };
        match (&names[..], wanted) {
            ([], 2) => self.default_operands(choice, outputs, data, input, &mut operands)?,
            ([only], 2) => {
                let node = self.named_output(only, outputs)?;
                operands.tensors.push(Operand { node, field: None });
                operands.output = Some(only.text.clone());
                let of_name = data.and_then(|(_, schema)| schema.field(&only.text));
                match of_name {
                    Some(field) => {
                        let node = self.field_node(data, field, choice)?;
                        operands.tensors.push(Operand { node, field: Some(field) });
                        operands.target = Some(field.name.clone());
                    }
                    None => self.default_target(choice, data, &only.text, &mut operands)?,
                }
            }
            (names, wanted) if names.len() == wanted => {
                for (index, name) in names.iter().enumerate() {
                    self.named_operand(choice, name, outputs, data, index, &mut operands)?;
                }
            }
            (_, wanted) => {
                let needs: Vec<&str> =
                    function.params[..wanted].iter().map(|param| &param.name.text[..]).collect();
                let message = format!(
                    "the {} `{}` compares {wanted} tensors",
                    function.kind.word(),
                    function.name.text
                );
                let help = format!("name one for each of {}: outputs and fields", needs.join(", "));
                return Err(self.error_help(codes::ARGUMENTS, choice.span, message, help));
            }
        }
        Ok(operands)
    }

    /// The leading arguments that are names of tensors.
    fn named_tensors(
        &self,
        choice: Choice<'a>,
        outputs: &ModelOutputs,
        data: RunData<'a>,
        most: usize,
    ) -> Vec<Name> {
        let is_known = |name: &str| {
            outputs.part(name).is_some()
                || self.fields.contains_key(name)
                || data.is_some_and(|(_, schema)| schema.field(name).is_some())
        };
        let name = |arg: &Arg| match (&arg.name, &arg.value.kind) {
            // Where nothing has the name, and no constant either, an input is meant.
            (None, ExprKind::Name(text))
                if is_known(text)
                    || data.is_none() && self.items.find_const(text, false).is_none() =>
            {
                Some(Name { text: text.clone(), span: arg.value.span })
            }
            _ => None,
        };
        choice.args.iter().take(most).map_while(name).collect()
    }

    /// Whether the numbers of the source are asked for, and the arguments that are no tensors.
    fn original_argument(
        &mut self,
        choice: Choice<'a>,
        function: &Function,
        names: usize,
    ) -> Eval<(bool, Vec<&'a Arg>)> {
        let is_own = function.params.iter().any(|param| param.name.text == ORIGINAL);
        let named = |arg: &&Arg| arg.name.as_ref().is_some_and(|name| name.text == ORIGINAL);
        let (original, rest): (Vec<&Arg>, Vec<&Arg>) =
            choice.args[names..].iter().partition(|arg| !is_own && named(arg));
        let Some(arg) = original.first() else { return Ok((false, rest)) };
        match arg.value.kind {
            ExprKind::Bool(value) => Ok((value, rest)),
            _ => {
                let message = "`original` is `true` or `false`";
                Err(self.error(codes::WRONG_KIND, arg.value.span, message))
            }
        }
    }

    fn default_operands(
        &mut self,
        choice: Choice<'a>,
        outputs: &ModelOutputs,
        data: RunData<'a>,
        input: &str,
        operands: &mut LossOperands<'a>,
    ) -> Eval<()> {
        let Some((name, node)) = outputs.only() else {
            let names: Vec<&str> = outputs.parts.iter().map(|(name, _)| name.as_str()).collect();
            let name = &self.items.function(choice.id).function.name.text;
            let message = format!("the model gives {}: which of them is meant?", names.join(", "));
            let help = format!("name it: `{name}({})`", names[0]);
            return Err(self.error_help(codes::ARGUMENTS, choice.span, message, help));
        };
        operands.tensors.push(Operand { node, field: None });
        operands.output = Some(name.to_owned());
        self.default_target(choice, data, input, operands)
    }

    /// The only target of the data; without data an input of that name.
    fn default_target(
        &mut self,
        choice: Choice<'a>,
        data: RunData<'a>,
        input: &str,
        operands: &mut LossOperands<'a>,
    ) -> Eval<()> {
        let Some((name, schema)) = data else {
            let first = operands.tensors[0].node;
            let node = self.declared_operand(choice, 1, first, input)?;
            operands.tensors.push(Operand { node, field: None });
            operands.target = Some(input.to_owned());
            return Ok(());
        };
        let targets = schema.targets();
        let [target] = targets[..] else {
            let (message, help) = match targets.is_empty() {
                true => (
                    format!("`{name}` has no target to compare the output with"),
                    "name a field: `mse(output, image)`, or make one `as target`".to_owned(),
                ),
                false => {
                    let names: Vec<&str> = targets.iter().map(|field| &field.name[..]).collect();
                    let help =
                        format!("name the output and the target: `mse(output, {})`", names[0]);
                    (format!("`{name}` has the targets {}", names.join(", ")), help)
                }
            };
            return Err(self.error_help(codes::ARGUMENTS, choice.span, message, help));
        };
        let node = self.field_node(data, target, choice)?;
        operands.tensors.push(Operand { node, field: Some(target) });
        operands.target = Some(target.name.clone());
        Ok(())
    }

    fn named_operand(
        &mut self,
        choice: Choice<'a>,
        name: &Name,
        outputs: &ModelOutputs,
        data: RunData<'a>,
        index: usize,
        operands: &mut LossOperands<'a>,
    ) -> Eval<()> {
        let field = data.and_then(|(_, schema)| schema.field(&name.text));
        let output = outputs.part(&name.text);
        if let Some(node) = output.filter(|_| index == 0 || field.is_none()) {
            operands.tensors.push(Operand { node, field: None });
            if index == 0 {
                operands.output = Some(name.text.clone());
            }
            return Ok(());
        }
        let node = match field {
            Some(field) => self.field_node(data, field, choice)?,
            None => match self.fields.get(&name.text) {
                Some(&node) => node,
                None => {
                    let first = operands.tensors.first().map(|operand| operand.node);
                    let Some(first) = first else {
                        return Err(self.named_output_error(name, outputs));
                    };
                    self.declared_operand(choice, index, first, &name.text)?
                }
            },
        };
        operands.tensors.push(Operand { node, field });
        operands.target.get_or_insert_with(|| name.text.clone());
        Ok(())
    }

    fn named_output(&mut self, name: &Name, outputs: &ModelOutputs) -> Eval<NodeId> {
        match outputs.part(&name.text) {
            Some(node) => Ok(node),
            None => Err(self.named_output_error(name, outputs)),
        }
    }

    fn named_output_error(&mut self, name: &Name, outputs: &ModelOutputs) -> ErrorReported {
        let message = format!("the model gives no `{}`", name.text);
        let names: Vec<&str> = outputs.parts.iter().map(|(name, _)| name.as_str()).collect();
        let error = Diagnostic::error(codes::UNKNOWN_NAME, message)
            .primary(name.span, "")
            .misspelt(name.span, &name.text, names.iter().copied());
        self.report(error.or_help(|| format!("its outputs are {}", names.join(", "))))
    }

    /// A field of the data as a loss gets it: what the model takes already, or an input of its own.
    fn field_node(
        &mut self,
        data: RunData<'a>,
        field: &'a Field,
        choice: Choice<'a>,
    ) -> Eval<NodeId> {
        if let Some(&node) = self.fields.get(&field.name) {
            return Ok(node);
        }
        let (name, _) = data.expect("fields are of data");
        let node = self.target_field(name, field, choice.span)?;
        self.fields.insert(field.name.clone(), node);
        Ok(node)
    }

    /// Outputs and targets as the source has its numbers: the transforms of the target turned back.
    pub fn restored(&mut self, choice: Choice<'a>, operands: &mut LossOperands<'a>) -> Eval<()> {
        let fields = operands.tensors.iter().filter_map(|operand| operand.field);
        let recipe = fields.filter_map(|field| field.recipe.as_deref()).next();
        let Some(recipe) = recipe.filter(|recipe| recipe.changes_numbers()) else { return Ok(()) };
        for operand in &mut operands.tensors {
            operand.node = self.restored_node(choice, operand.node, recipe)?;
        }
        Ok(())
    }

    fn restored_node(
        &mut self,
        choice: Choice<'a>,
        node: NodeId,
        recipe: &FieldRecipe,
    ) -> Eval<NodeId> {
        let mut node = node;
        for transform in recipe.transforms.iter().rev() {
            let (scale, offset) = match transform {
                FieldTransform::Standardize { mean, std } => (std.clone(), mean.clone()),
                FieldTransform::Minmax { low, high } => {
                    let range = high.iter().zip(low).map(|(high, low)| high - low);
                    (range.collect(), low.clone())
                }
                FieldTransform::Log1p => {
                    self.at(choice.span);
                    let built = self.builder.unary(Unary::Expm1, node);
                    node = self.made(choice.span, &[node], built)?;
                    continue;
                }
                FieldTransform::Clip { .. } | FieldTransform::Buckets { .. } => continue,
                FieldTransform::OneHot => continue,
            };
            self.at(choice.span);
            for (op, values) in [(Binary::Mul, scale), (Binary::Add, offset)] {
                let built = super::prepare::by_channel(&mut self.builder, &values);
                let by = self.made(choice.span, &[node], built)?;
                let built = self.builder.binary(op, node, by);
                node = self.made(choice.span, &[node, by], built)?;
            }
        }
        Ok(node)
    }

    /// The parts of a model's value: those of a record, or the only tensor.
    pub fn model_outputs(&mut self, value: Value) -> Eval<ModelOutputs> {
        match value {
            Value::Tensor(node) => {
                Ok(ModelOutputs { parts: vec![(StepOutput::ONLY.to_owned(), node)] })
            }
            Value::Record(entries) => {
                let part = |(name, value)| match value {
                    Value::Tensor(node) => Ok((name, node)),
                    _ => Err(ErrorReported),
                };
                let parts = entries.into_iter().map(part).collect::<Eval<_>>()?;
                Ok(ModelOutputs { parts })
            }
            _ => Err(ErrorReported),
        }
    }

    /// The numbers of a loss or metric for these tensors, with an argument that is handed on to it.
    pub fn call_on(
        &mut self,
        choice: Choice<'a>,
        operands: &LossOperands<'a>,
        handed_on: Option<Passed<'a>>,
        path: String,
    ) -> Eval<NodeId> {
        let item = self.items.function(choice.id);
        let function = item.function;
        let mut args = Vec::new();
        for (index, operand) in operands.tensors.iter().enumerate() {
            let param = &function.params[index];
            let mut node = operand.node;
            if index > 0 {
                let dtype = match &param.ty {
                    Some(ty) => self.parameter_dtype(ty)?,
                    None => None,
                };
                let dtype = dtype.unwrap_or(self.ty(node).dtype);
                // The prelude's own text is no place to send the user to.
                let place = if item.builtin { choice.span } else { param.span };
                let image = operand.field.and_then(Field::as_image);
                node = self.convert(node, dtype, (param, place), image)?;
            }
            let given = Given::Value(Value::Tensor(node), choice.span);
            args.push(Passed { name: None, given });
        }
        let rest = operands
            .rest
            .iter()
            .map(|arg| Passed { name: arg.name.as_ref(), given: Given::Expr(&arg.value) });
        args.extend(rest.chain(handed_on));
        match self.call_function(choice.id, args, Some(path), choice.span)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }
}
