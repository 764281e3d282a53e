//! `param`, `state` and `<-`: what a layer owns and writes.
//!
//! `param weight: f32[I, units] = glorot_uniform` in the layer `dense` becomes the parameter
//! `dense.weight`. `running <- …` runs while training only: later reads see the new value, which
//! passes no gradient, and the graph writes it at the step's end. An optimizer's states and
//! parameter are written the same way, in its own graph.

use super::arguments::Expect;
use super::arguments::Given;
use super::context::{Elaborator, ErrorReported, Eval, ParamSlot, StateSlot};
use super::dims;
use super::paths;
use super::patterns::matches;
use super::scope::{Binding, Role};
use super::value::{Initializer, Value};
use crate::base::codes;
use crate::base::diagnostic::Diagnostic;
use crate::base::fix::Edit;
use crate::base::source::Span;
use crate::base::tensor::DType;
use crate::graph::{DimOrigin, Init, NodeId, Op, Param, State, Type};
use crate::syntax::ast::{self, Declaration, Expr, FunctionKind, Name};

impl<'a> Elaborator<'a> {
    /// A `param` statement.
    pub fn declare_param(&mut self, declaration: &'a Declaration, span: Span) -> Eval<()> {
        let result = self.param(declaration, span);
        if result.is_err() {
            let name = &declaration.name;
            self.frame_mut().bind(&name.text, Binding::Failed(name.span));
        }
        result
    }

    fn param(&mut self, declaration: &'a Declaration, span: Span) -> Eval<()> {
        let name = &declaration.name;
        self.declares_at_all(name)?;
        if self.frame().kind == Some(FunctionKind::Optimizer) {
            let word = Span { end: span.start + 5, ..span };
            let error =
                Diagnostic::error(codes::DECLARATION, "an optimizer has no parameters of its own")
                    .primary(span, "")
                    .fix("write `state`", vec![Edit { span: word, text: "state".into() }])
                    .help("`state` keeps a number beside each element");
            return Err(self.report(error));
        }
        self.declares_once(name)?;
        let ty = self.declared_type("param", declaration, span)?;
        let path = paths::join(&self.frame().path, &name.text);
        if let Some(node) = self.existing_param(&path, &ty, name)? {
            let binding = Binding::Value(Value::Tensor(node), Role::Param, name.span);
            self.frame_mut().bind(&name.text, binding);
            return Ok(());
        }
        let Some(init) = &declaration.init else {
            let message = format!("the param `{}` has no initializer", name.text);
            let help = "say how it begins: `= glorot_uniform`, `= zeros`";
            return Err(self.error_help(codes::DECLARATION, name.span, message, help));
        };
        let initializer = self.initializer_of(Given::Expr(init))?;
        let init = self.instantiate(&initializer, &ty, init.span)?;
        self.drawable(&init, &ty, name)?;
        self.at(span);
        let origin = self.builder.origin();
        let node = self.builder.param(Param { path: path.clone(), ty: ty.clone(), init, origin });
        self.record_dims(declaration, node);
        self.params.insert(path, ParamSlot { node, ty, span: name.span });
        let binding = Binding::Value(Value::Tensor(node), Role::Param, name.span);
        self.frame_mut().bind(&name.text, binding);
        Ok(())
    }

    /// A `state` statement.
    pub fn declare_state(&mut self, declaration: &'a Declaration, span: Span) -> Eval<()> {
        let result = self.state(declaration, span);
        if result.is_err() {
            let name = &declaration.name;
            self.frame_mut().bind(&name.text, Binding::Failed(name.span));
        }
        result
    }

    fn state(&mut self, declaration: &'a Declaration, span: Span) -> Eval<()> {
        let name = &declaration.name;
        self.declares_at_all(name)?;
        self.declares_once(name)?;
        let in_optimizer = self.frame().kind == Some(FunctionKind::Optimizer);
        let ty = if in_optimizer {
            if let Some(ty) = &declaration.ty {
                let message = "an optimizer's state has no type: it has its parameter's";
                let span = Span { start: name.span.end, ..ty.span };
                let error = Diagnostic::error(codes::DECLARATION, message)
                    .primary(ty.span, "")
                    .fix("leave the type out", vec![Edit { span, text: String::new() }])
                    .help(format!("write `state {} = 0`", name.text));
                return Err(self.report(error));
            }
            Type::scalar(DType::F32)
        } else {
            self.declared_type("state", declaration, span)?
        };
        let path = paths::join(&self.frame().path, &name.text);
        let exists = self.states.get(&path).map(|slot| (slot.ty.clone(), slot.span));
        match exists {
            Some((before, at)) => self.reuse("state", &path, (&before, at), &ty, name)?,
            None => self.new_state(declaration, &path, ty, span)?,
        }
        self.frame_mut().bind(&name.text, Binding::State(path, name.span));
        Ok(())
    }

    fn new_state(
        &mut self,
        declaration: &'a Declaration,
        path: &str,
        ty: Type,
        span: Span,
    ) -> Eval<()> {
        let initializer = match &declaration.init {
            Some(init) => self.initializer_of(Given::Expr(init))?,
            None => Initializer::Fixed(Init::Constant(0.0)),
        };
        let init = self.instantiate(&initializer, &ty, span)?;
        self.drawable(&init, &ty, &declaration.name)?;
        self.at(span);
        let origin = self.builder.origin();
        let node = self.builder.state(State { path: path.into(), ty: ty.clone(), init, origin });
        self.record_dims(declaration, node);
        let Op::State(id) = self.builder.graph.nodes[node].op else { return Err(ErrorReported) };
        let slot = StateSlot { id, current: node, written: false, ty, span: declaration.name.span };
        self.states.insert(path.into(), slot);
        Ok(())
    }

    /// Schedules and initializers are numbers: nothing lasts in them.
    fn declares_at_all(&mut self, name: &Name) -> Eval<()> {
        match self.frame().kind {
            Some(kind @ (FunctionKind::Schedule | FunctionKind::Initializer)) => {
                let word = kind.word();
                let article = if kind == FunctionKind::Schedule { "a" } else { "an" };
                let message = format!("{article} {word} keeps nothing from step to step");
                Err(self.error(codes::DECLARATION, name.span, message))
            }
            _ => Ok(()),
        }
    }

    /// A name that this body declared already cannot be declared again.
    pub fn declares_once(&mut self, name: &'a Name) -> Eval<()> {
        let earlier = match self.frame().find(&name.text) {
            Some(Binding::Value(_, Role::Param, at)) => *at,
            Some(Binding::State(_, at) | Binding::Carry(_, at)) => *at,
            _ => return Ok(()),
        };
        let message = format!("`{}` is declared twice", name.text);
        let error = Diagnostic::error(codes::DECLARATION, message)
            .primary(name.span, "declared again here")
            .label(earlier, "first declared here");
        Err(self.report(error))
    }

    /// The type of a `param` or `state`, which the batch is not part of.
    fn declared_type(
        &mut self,
        word: &str,
        declaration: &'a Declaration,
        span: Span,
    ) -> Eval<Type> {
        let (ty, place) = self.type_of(word, declaration, span)?;
        if ty.shape.has_batch() {
            let name = &declaration.name.text;
            let message = format!("the {word} `{name}` is {ty}, which depends on the batch");
            let help = "what is kept between steps must have one shape for every batch";
            return Err(self.error_help(codes::BATCH, place, message, help));
        }
        Ok(ty)
    }

    /// The type of a `param`, `state` or `carry`, and where it is written.
    pub fn type_of(
        &mut self,
        word: &str,
        declaration: &'a Declaration,
        span: Span,
    ) -> Eval<(Type, Span)> {
        let name = &declaration.name.text;
        let Some(ty) = &declaration.ty else {
            let message = format!("the {word} `{name}` has no type");
            let help = format!("write `{word} {name}: f32[…] = …`");
            return Err(self.error_help(codes::DECLARATION, span, message, help));
        };
        let dtype = self.dtype(ty)?;
        if dtype != DType::F32 {
            let message = format!("the {word} `{name}` is {dtype}; only f32 is kept and trained");
            return Err(self.error(codes::DECLARATION, ty.span, message));
        }
        let mut dims = Vec::new();
        for dim in ty.dims.iter().flatten() {
            dims.extend(self.declared_dims(dim)?);
        }
        let found = Type::new(dtype, dims);
        if let Err(mismatch) = crate::graph::infer::check_type(&found) {
            return Err(self.mismatch(ty.span, &[], &mismatch));
        }
        Ok((found, ty.span))
    }

    /// The parameter that the path names already, when a stage runs again.
    fn existing_param(&mut self, path: &str, ty: &Type, name: &Name) -> Eval<Option<NodeId>> {
        let Some(slot) = self.params.get(path) else { return Ok(None) };
        let (node, before, at) = (slot.node, slot.ty.clone(), slot.span);
        self.reuse("param", path, (&before, at), ty, name)?;
        Ok(Some(node))
    }

    fn reuse(
        &mut self,
        word: &str,
        path: &str,
        before: (&Type, Span),
        ty: &Type,
        name: &Name,
    ) -> Eval<()> {
        if self.frame().reused && before.0 == ty {
            return Ok(());
        }
        let error = if self.frame().reused {
            let message = format!("the {word} `{path}` is {}, but here it would be {ty}", before.0);
            Diagnostic::error(codes::SHAPE, message)
                .primary(name.span, "used again here")
                .label(before.1, "declared here")
                .help("a stage that is applied again needs inputs of the same shape")
        } else {
            Diagnostic::error(codes::DECLARATION, format!("`{path}` is declared twice"))
                .primary(name.span, "declared again here")
                .label(before.1, "first declared here")
        };
        Err(self.report(error))
    }

    /// An orthogonal matrix needs two axes.
    fn drawable(&mut self, init: &Init, ty: &Type, name: &Name) -> Eval<()> {
        if !matches!(init, Init::Orthogonal { .. }) || ty.shape.rank() >= 2 {
            return Ok(());
        }
        let message = format!("`{}` is {ty}: `orthogonal` needs two axes or more", name.text);
        Err(self.error(codes::DECLARATION, name.span, message))
    }

    /// Remembers where each declared dimension was written.
    fn record_dims(&mut self, declaration: &'a Declaration, node: NodeId) {
        if let Some(dims) = declaration.ty.as_ref().and_then(|ty| ty.dims.as_deref()) {
            self.written_dims(node, dims);
        }
    }

    // ---- Writes

    /// `name <- value`.
    pub fn assign(&mut self, name: &'a Name, value: &'a Expr) -> Eval<()> {
        let in_optimizer = self.frame().kind == Some(FunctionKind::Optimizer);
        match self.frame().find(&name.text) {
            Some(Binding::State(path, _)) => {
                if !in_optimizer && (!self.training || self.is_frozen_layer()) {
                    return Ok(());
                }
                let path = path.clone();
                self.write_state(&path, value, in_optimizer)
            }
            Some(&Binding::Carry(carry, _)) => self.write_carry(carry, value),
            Some(&Binding::Value(_, Role::Updated, span)) => {
                let ty = Type::scalar(DType::F32);
                let node = self.written_value("state", value, &ty)?;
                let binding = Binding::Value(Value::Tensor(node), Role::Updated, span);
                if let Some(slot) = self.frame_mut().find_mut(&name.text) {
                    *slot = binding;
                }
                Ok(())
            }
            Some(Binding::Failed(_)) => Err(ErrorReported),
            found => {
                let at = found.map(Binding::span);
                Err(self.not_writable(name, at))
            }
        }
    }

    fn not_writable(&mut self, name: &Name, at: Option<Span>) -> ErrorReported {
        let message = match at {
            Some(_) => format!("`{}` cannot be written: it is no state or carry", name.text),
            None => format!("unknown state `{}`", name.text),
        };
        let error = Diagnostic::error(codes::ASSIGNMENT, message).primary(name.span, "");
        let error = match at {
            Some(at) => error.label(at, "declared here"),
            None => error,
        };
        let error = match at {
            Some(_) => error,
            None => error.misspelt(name.span, &name.text, self.frame().names()),
        };
        self.report(error.or_help(|| {
            "`<-` writes what `state` or `carry` declares; `let` names a new value".into()
        }))
    }

    fn write_state(&mut self, path: &str, value: &'a Expr, in_optimizer: bool) -> Eval<()> {
        let ty = self.states.get(path).ok_or(ErrorReported)?.ty.clone();
        let node = self.written_value("state", value, &ty)?;
        // No gradient flows through a state: what is read back is cut off.
        let node = if in_optimizer {
            node
        } else {
            let stopped = self.builder.stop_gradient(node);
            match self.built(value.span, &[node], stopped)? {
                Value::Tensor(node) => node,
                _ => return Err(ErrorReported),
            }
        };
        let slot = self.states.get_mut(path).ok_or(ErrorReported)?;
        (slot.current, slot.written) = (node, true);
        Ok(())
    }

    /// The value of an expression as a tensor of this type; a scalar fills it.
    pub fn written_value(&mut self, word: &str, value: &'a Expr, ty: &Type) -> Eval<NodeId> {
        let found = self.expr(value, Expect::Any)?;
        let node = self.tensor(&found, value.span)?;
        let found = self.ty(node);
        if found.dtype == ty.dtype && found.shape == ty.shape {
            return Ok(node);
        }
        if found.dtype == ty.dtype && found.shape.is_empty() {
            self.at(value.span);
            let built = self.builder.broadcast_to(node, &ty.shape);
            return match self.built(value.span, &[node], built)? {
                Value::Tensor(node) => Ok(node),
                _ => Err(ErrorReported),
            };
        }
        let message = format!("what is written is {found}, the {word} is {ty}");
        let mut error = Diagnostic::error(codes::SHAPE, message)
            .primary(value.span, format!("this is {found}"));
        let wrong = (0..found.shape.rank().min(ty.shape.rank()))
            .find(|&axis| found.shape[axis] != ty.shape[axis]);
        if let Some(axis) = wrong {
            error = self.explain_dim(error, node, axis);
        }
        Err(self.report(error))
    }

    /// Remembers where each dimension of a value was written.
    pub fn written_dims(&mut self, node: NodeId, dims: &[ast::DimExpr]) {
        let rank = self.ty(node).shape.rank();
        let Some(pairs) = dims::pair(dims, rank) else { return };
        for (dim, axes) in pairs {
            let origin = self.origin(dims::dim_span(dim));
            for axis in axes {
                self.builder.graph.dim_origins.insert((node, axis), DimOrigin::Written(origin));
            }
        }
    }
}

impl Elaborator<'_> {
    /// Whether nothing of the layer in progress is trained: all parameters that it has declared so
    /// far are frozen, or, where it has none, one of its states is. Such a layer works as outside of
    /// training (as in Keras): batch norm takes its running statistics, and leaves them as they are.
    pub(in crate::elaborate) fn is_frozen_layer(&self) -> bool {
        if self.frozen.is_empty() {
            return false;
        }
        let is_frozen = |path: &str| self.frozen.iter().any(|(pattern, _)| matches(pattern, path));
        let layer = &self.frame().path;
        let own = |path: &&String| match path.rsplit_once('.') {
            Some((parent, _)) => parent == layer,
            None => layer.is_empty(),
        };
        let mut params = self.params.keys().filter(own).peekable();
        match params.peek() {
            Some(_) => params.all(|path| is_frozen(path)),
            None => self.states.keys().filter(own).any(|path| is_frozen(path)),
        }
    }
}
