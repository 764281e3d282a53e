//! A model, its loss and its metrics as one graph.
//!
//! `model mlp(image: f32[N, 28, 28, 1])` reads the input `image`; `N` becomes the batch. With data,
//! inputs arrive as the data have them (`u8` images) and are converted to what the model declares,
//! images as value / 255 ([`super::prepare`]). The output goes to the loss with the target; what the loss gives for each
//! sample is averaged over the batch.

use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::elaborate::context::{Elaborator, ErrorReported, Eval};

use super::operands::{ModelOutputs, RunData};
use super::plan::TrainPlan;
use crate::base::schema::{Conversion, Field, ImageField, PADDING, Schema};
use crate::base::source::Span;
use crate::base::step_output::StepOutput;
use crate::base::tensor::DType;
use crate::elaborate::dims;
use crate::elaborate::items::FnId;
use crate::elaborate::scope::{Binding, CallFrame, Role};
use crate::elaborate::value::Value;
use crate::graph::{Binary, Dim, DimOrigin, Node, NodeId, Op, Type, UpdateTarget};
use crate::syntax::ast::{self, Expr, ExprKind, Function, FunctionKind, ParamDecl};

/// The data of a model's inputs.
#[derive(Clone, Copy)]
pub(in crate::elaborate) struct ModelData<'a> {
    /// The data's name and schema.
    pub known: RunData<'a>,
    /// Whether samples without data are mixtures of two.
    pub mixed: bool,
}

impl<'a> Elaborator<'a> {
    /// Elaborates a model, with its loss and metrics if it is trained.
    pub fn model_graph(
        &mut self,
        id: FnId,
        plan: Option<&TrainPlan<'a>>,
        ModelData { known: data, mixed }: ModelData<'a>,
    ) -> Eval<()> {
        let outputs = self.model_output(id, data)?;
        if let Some(plan) = plan {
            self.losses_and_metrics(plan, &outputs, ModelData { known: data, mixed })?;
        } else {
            self.put_out(&outputs);
        }
        let written: Vec<_> = self
            .states
            .values()
            .filter(|slot| slot.written)
            .map(|slot| (slot.id, slot.current))
            .collect();
        for (id, node) in written {
            self.builder.update(UpdateTarget::State(id), node);
        }
        Ok(())
    }

    /// The outputs of the model as outputs of the step.
    pub(in crate::elaborate) fn put_out(&mut self, outputs: &ModelOutputs) {
        for (name, node) in &outputs.parts {
            self.builder.output(StepOutput::of_model(name), *node);
        }
    }

    /// The model's inputs and body.
    fn model_output(&mut self, id: FnId, data: RunData<'a>) -> Eval<ModelOutputs> {
        let item = self.items.function(id);
        let function = item.function;
        let frame = CallFrame::new(&function.name.text, Some(FunctionKind::Model), item.builtin);
        self.push_frame(frame, item, function.name.span)?;
        let result = self.run_model(function, data);
        self.frames.pop();
        result
    }

    fn run_model(&mut self, function: &'a Function, data: RunData<'a>) -> Eval<ModelOutputs> {
        let tensors: Vec<&'a ParamDecl> = function
            .params
            .iter()
            .filter(|param| param.ty.as_ref().is_none_or(|ty| ty.dims.is_some()))
            .collect();
        let fields = self.input_fields(function, &tensors, data)?;
        let mut outcome = Ok(());
        for (param, field) in tensors.iter().zip(fields) {
            if let Err(reported) = self.model_input(function, param, field) {
                let binding = Binding::Failed(param.name.span);
                self.frame_mut().bind(&param.name.text, binding);
                outcome = Err(reported);
            }
        }
        outcome?;
        for param in
            function.params.iter().filter(|param| !tensors.iter().any(|t| std::ptr::eq(*t, *param)))
        {
            let Some(default) = &param.default else {
                let message =
                    format!("the argument `{}` of a model needs a default", param.name.text);
                return Err(self.error(codes::DECLARATION, param.span, message));
            };
            let value = self.expr(default, crate::elaborate::arguments::expectation(param))?;
            let value = self.argument(function, param, value, default.span)?;
            self.check_domain(function, param, &value, Some(default.span))?;
            let binding = Binding::Value(value, Role::Argument, param.name.span);
            self.frame_mut().bind(&param.name.text, binding);
        }
        let (statements, value) = self.body(function);
        let result = self.check_result(function, value?);
        let value = statements.and(result)?;
        self.model_outputs(value)
    }

    /// The field of each of the model's inputs: the field of its name, or, where no input is named
    /// as a field that it could take, the one in its place.
    fn input_fields(
        &mut self,
        function: &Function,
        inputs: &[&ParamDecl],
        data: RunData<'a>,
    ) -> Eval<Vec<Option<(&'a str, &'a Field)>>> {
        if inputs.is_empty() {
            let message = format!("the model `{}` has no input", function.name.text);
            let help = "give it one: `(x: f32[N, 10])`";
            return Err(self.error_help(codes::DECLARATION, function.name.span, message, help));
        }
        let Some((name, schema)) = data else { return Ok(vec![None; inputs.len()]) };
        // A mask is of the text that it is named for.
        let of_name = |input: &&ParamDecl| {
            schema.field(&input.name.text).or_else(|| schema.masked_by(&input.name.text))
        };
        let own = |input: &&ParamDecl| of_name(input).is_some_and(|field| !field.is_target);
        if inputs.iter().any(own) || inputs.iter().all(|input| of_name(input).is_some()) {
            let fields: Vec<Eval<_>> = inputs
                .iter()
                .map(|input| match of_name(input) {
                    Some(field) => Ok(Some((name, field))),
                    None => Err(self.no_field(input, name, schema)),
                })
                .collect();
            return fields.into_iter().collect();
        }
        let fields = schema.inputs();
        if fields.len() == inputs.len() {
            return Ok(fields.into_iter().map(|field| Some((name, field))).collect());
        }
        let names: Vec<&str> = fields.iter().map(|field| &field.name[..]).collect();
        let message = format!(
            "the model `{}` has {} inputs, the samples of `{name}` have {}",
            function.name.text,
            inputs.len(),
            fields.len()
        );
        let help = format!("name the inputs as the fields that they take: {}", names.join(", "));
        Err(self.error_help(codes::DATA, function.name.span, message, help))
    }

    fn no_field(&mut self, input: &ParamDecl, data: &str, schema: &Schema) -> ErrorReported {
        let text = &input.name.text;
        let names: Vec<&str> = schema.fields.iter().map(|field| &field.name[..]).collect();
        let error = Diagnostic::error(codes::DATA, format!("`{data}` has no field `{text}`"))
            .primary(input.name.span, "no field has the name of this input")
            .misspelt(input.name.span, text, names.iter().copied());
        self.report(error.or_help(|| format!("its fields are {}", names.join(", "))))
    }

    /// One input: declared by the model, or as the data have it and then converted.
    fn model_input(
        &mut self,
        function: &'a Function,
        param: &'a ParamDecl,
        field: Option<(&'a str, &'a Field)>,
    ) -> Eval<()> {
        if let Some(span) = param.or_none {
            let message = format!("the input `{}` of a model is always there", param.name.text);
            let help = "only arguments of layers, losses and metrics may be `none`";
            return Err(self.error_help(codes::DECLARATION, span, message, help));
        }
        let Some(ty) = &param.ty else {
            let message = format!("the input `{}` has no type", param.name.text);
            let help = format!("write `{}: f32[N, …]`", param.name.text);
            return Err(self.error_help(codes::DECLARATION, param.span, message, help));
        };
        let dims: &'a [ast::DimExpr] = ty.dims.as_deref().unwrap_or_default();
        let dtype = self.dtype(ty)?;
        self.bind_batch(param, dims)?;
        let node = match field {
            Some((data, field)) if field.mask_name().as_ref() == Some(&param.name.text) => {
                self.mask_input(function, param, data, field)?
            }
            Some((data, field)) => {
                let raw = self.field_input(data, field, param.span);
                self.bind_dims(function, dims, raw)
                    .map_err(|()| self.does_not_fit(function, param, raw, param.span, None))?;
                self.checked_dims(function, param, dims, raw)?;
                let node = self.convert(raw, dtype, (param, param.span), field.as_image())?;
                self.fields.insert(field.name.clone(), node);
                node
            }
            None => {
                let node = self.declared_input(param, dims, dtype)?;
                self.fields.insert(param.name.text.clone(), node);
                node
            }
        };
        let value = Value::Tensor(node);
        let none_built = self.builder.graph.nodes.len();
        self.note_value(param.name.span, Some(&value), None, none_built);
        let binding = Binding::Value(value, Role::Argument, param.name.span);
        self.frame_mut().bind(&param.name.text, binding);
        Ok(())
    }

    /// Where a text has tokens, and no padding.
    fn mask_input(
        &mut self,
        function: &'a Function,
        param: &'a ParamDecl,
        data: &str,
        field: &Field,
    ) -> Eval<NodeId> {
        let ty = param.ty.as_ref().expect("an input has a type");
        let dims: &'a [ast::DimExpr] = ty.dims.as_deref().unwrap_or_default();
        let tokens = self.field_input(data, field, param.span);
        self.bind_dims(function, dims, tokens)
            .map_err(|()| self.does_not_fit(function, param, tokens, param.span, None))?;
        self.checked_dims(function, param, dims, tokens)?;
        let dtype = self.dtype(ty)?;
        if dtype != DType::Bool {
            let message = format!("`{}` is a mask, which is bool, not {dtype}", param.name.text);
            return Err(self.error(codes::DATA, ty.span, message));
        }
        self.at(param.span);
        let padding = self.builder.constant(f64::from(PADDING), DType::I32);
        let built = self.builder.binary(Binary::Ne, tokens, padding);
        let node = self.made(param.span, &[tokens], built)?;
        self.fields.insert(param.name.text.clone(), node);
        Ok(node)
    }

    fn checked_dims(
        &mut self,
        function: &Function,
        param: &ParamDecl,
        dims: &'a [ast::DimExpr],
        raw: NodeId,
    ) -> Eval<()> {
        let shape = self.ty(raw).shape;
        match self.first_wrong_dim(dims, &shape)? {
            None => Ok(()),
            wrong => Err(self.does_not_fit(function, param, raw, param.span, wrong)),
        }
    }

    /// The first dimension of an input is the batch, by whatever name.
    fn bind_batch(&mut self, param: &ParamDecl, dims: &'a [ast::DimExpr]) -> Eval<()> {
        match dims.first() {
            Some(ast::DimExpr::Expr(Expr { kind: ExprKind::Name(name), span })) => {
                if self.binds(name) {
                    let binding = Binding::Value(Value::Batch(1), Role::Dimension, *span);
                    self.frame_mut().bind(name, binding);
                    return Ok(());
                }
                match self.frame().find(name) {
                    Some(Binding::Value(Value::Batch(1), ..)) => Ok(()),
                    _ => Err(self.no_batch(param)),
                }
            }
            _ => Err(self.no_batch(param)),
        }
    }

    fn no_batch(&mut self, param: &ParamDecl) -> ErrorReported {
        let message = format!("the input `{}` has no batch", param.name.text);
        let span = param.ty.as_ref().map_or(param.span, |ty| ty.span);
        let help = "the first dimension of a model's input is the batch: a name, such as `N`";
        self.error_help(codes::BATCH, span, message, help)
    }

    /// An input of the declared type.
    fn declared_input(
        &mut self,
        param: &'a ParamDecl,
        dims: &'a [ast::DimExpr],
        dtype: DType,
    ) -> Eval<NodeId> {
        let mut shape = Vec::new();
        for dim in dims {
            let open = match dim {
                ast::DimExpr::Rest(name) => Some(name.text.as_str()),
                ast::DimExpr::Expr(Expr { kind: ExprKind::Name(name), .. }) => Some(name.as_str()),
                ast::DimExpr::Expr(_) => None,
            };
            if let Some(name) = open.filter(|name| self.binds(name)) {
                let message = format!("the dimension `{name}` is not known without data");
                let help = "write the number, or train the model on data that has it";
                let error = Diagnostic::error(codes::NO_DATA, message)
                    .primary(dims::dim_span(dim), "")
                    .help(help);
                return Err(self.needs_data(error));
            }
            shape.extend(self.declared_dims(dim)?);
        }
        let ty = Type::new(dtype, shape);
        self.checked(&ty, param.span)?;
        self.at(param.span);
        let node = self.builder.input(&param.name.text, ty);
        self.written_dims(node, dims);
        Ok(node)
    }

    pub fn checked(&mut self, ty: &Type, span: Span) -> Eval<()> {
        match crate::graph::infer::check_type(ty) {
            Ok(()) => Ok(()),
            Err(mismatch) => Err(self.mismatch(span, &[], &mismatch)),
        }
    }

    /// An input as the data have it.
    pub fn field_input(&mut self, data: &str, field: &Field, span: Span) -> NodeId {
        // A text and its mask are one input.
        let graph = &self.builder.graph;
        let is_input = |node: &Node| match node.op {
            Op::Input(id) => graph.inputs[id].name == field.name,
            _ => false,
        };
        if let Some((known, _)) = graph.nodes.iter().find(|(_, node)| is_input(node)) {
            return known;
        }
        let dims = field.shape.iter().map(|&extent| Dim::Known(extent));
        let shape: Vec<Dim> = std::iter::once(Dim::N).chain(dims).collect();
        self.at(span);
        let node = self.builder.input(&field.name, Type::new(field.dtype, shape));
        for axis in 1..=field.shape.len() {
            let origin = DimOrigin::Data(format!("`{}` of the data `{data}`", field.name));
            self.builder.graph.dim_origins.insert((node, axis), origin);
        }
        node
    }

    /// Conversion of an input to its declared type: bytes of an image as value / 255, or as the
    /// data say.
    pub fn convert(
        &mut self,
        node: NodeId,
        dtype: DType,
        (param, place): (&ParamDecl, Span),
        image: Option<&ImageField>,
    ) -> Eval<NodeId> {
        let found = self.ty(node);
        let is_image = image.is_some() && found.dtype == DType::U8;
        let conversions: &[Conversion] = image.map_or(&[], |image| &image.conversions);
        if is_image && !conversions.is_empty() && dtype != DType::F32 {
            let name = &param.name.text;
            let message = format!("the data make f32 of `{name}`, but it is declared {dtype}");
            let help = "declare it f32, or leave `rescale` and `normalize` out of the data";
            return Err(self.error_help(codes::DATA, place, message, help));
        }
        if found.dtype == dtype {
            return Ok(node);
        }
        if dtype == DType::Bool || found.dtype == DType::F32 {
            let message =
                format!("the data give {found}, `{}` is declared {dtype}", param.name.text);
            return Err(self.error(codes::DATA, place, message));
        }
        if is_image && dtype == DType::F32 {
            return self.image_floats(node, conversions, place);
        }
        self.at(place);
        let built = self.builder.cast(node, dtype);
        match self.built(place, &[node], built)? {
            Value::Tensor(node) => Ok(node),
            _ => Err(ErrorReported),
        }
    }
}
