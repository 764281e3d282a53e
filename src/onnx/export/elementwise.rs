//! Functions of elements. Their arguments need not have one shape: ONNX broadcasts as NumPy does. The
//! result stands as its arguments do, so that images stay with their channels first.

use super::ExportRefusal;
use super::build::element;
use super::build::{Attributes, Exporter, int};
use super::value::{LaidOut, ValuePlace, broadcast};
use crate::base::tensor::DType;
use crate::graph::{Binary, NodeId, Unary};

impl Exporter<'_> {
    /// A function of elements; `emit` gets the names of the arguments and makes nodes of them.
    pub fn elementwise(
        &mut self,
        id: NodeId,
        args: &[NodeId],
        emit: impl FnOnce(&mut Self, &[String]) -> String,
    ) -> LaidOut {
        let values: Vec<LaidOut> = args.iter().map(|&arg| self.value(arg)).collect();
        self.elementwise_of(self.shape(id).len(), values, emit)
    }

    /// The same of values; `rank` is the number of axes of the result in the graph.
    pub fn elementwise_of(
        &mut self,
        rank: usize,
        values: Vec<LaidOut>,
        emit: impl FnOnce(&mut Self, &[String]) -> String,
    ) -> LaidOut {
        let values = self.aligned(rank, values);
        let model = values.iter().find(|value| !value.is_plain()).cloned();
        let shapes: Vec<&[_]> = values.iter().map(|value| value.shape.as_slice()).collect();
        let shape = broadcast(&shapes);
        let names: Vec<String> = values.iter().map(|value| self.named(value)).collect();
        let place = ValuePlace::Named(emit(self, &names));
        match model {
            Some(model) => LaidOut { place, shape, ..model },
            None => LaidOut::plain(place, shape),
        }
    }

    /// The values so that ONNX's broadcasting is the graph's: one order of axes for all.
    pub fn aligned(&mut self, rank: usize, values: Vec<LaidOut>) -> Vec<LaidOut> {
        let turned = values.iter().find(|value| !value.is_plain() && value.shape.len() == rank);
        let Some(model) = turned.cloned() else {
            return values.iter().map(|value| self.plain(value)).collect();
        };
        if model.image.is_some() {
            let alike = |it: &LaidOut| it.image == model.image || it.is_single();
            return match values.iter().all(alike) {
                true => values,
                false => values.iter().map(|value| self.plain(value)).collect(),
            };
        }
        let align = |value: LaidOut| {
            if value.shape.is_empty() {
                return value;
            }
            let value = self.ranked(&value, rank);
            self.turned(&value, &model.axes)
        };
        values.into_iter().map(align).collect()
    }

    /// A node of one argument and attributes.
    pub fn simple(&mut self, id: NodeId, arg: NodeId, op: &str, attributes: Attributes) -> LaidOut {
        self.elementwise(id, &[arg], |it, names| it.emit(op, names, attributes))
    }

    /// A function: as ONNX's operator of its row, or as a formula of others.
    pub fn unary(&mut self, id: NodeId, unary: Unary) -> Result<LaidOut, ExportRefusal> {
        let dtype = self.node(id).ty.dtype;
        let args = &self.node(id).args;
        if let Some(op) = unary.row().onnx {
            return Ok(self.simple(id, args[0], op, Vec::new()));
        }
        let formula: fn(&mut Self, &[String], DType) -> String = match unary {
            Unary::Rsqrt => |it, names, _| {
                let root = it.emit("Sqrt", names, Vec::new());
                it.emit("Reciprocal", &[root], Vec::new())
            },
            // ONNX has no operator that keeps the digits of small arguments.
            Unary::Expm1 => |it, names, dtype| {
                let (exp, one) = (it.emit("Exp", names, Vec::new()), it.scalar(1.0, dtype));
                it.emit("Sub", &[exp, one], Vec::new())
            },
            Unary::Log1p => |it, names, dtype| {
                let one = it.scalar(1.0, dtype);
                let sum = it.emit("Add", &[names[0].clone(), one], Vec::new());
                it.emit("Log", &[sum], Vec::new())
            },
            Unary::Erfc => |it, names, dtype| {
                let (erf, one) = (it.emit("Erf", names, Vec::new()), it.scalar(1.0, dtype));
                it.emit("Sub", &[one, erf], Vec::new())
            },
            _ => return self.refuse(id, "no operator of ONNX is known for it"),
        };
        Ok(self.elementwise(id, args, |it, names| formula(it, names, dtype)))
    }

    pub fn binary(&mut self, id: NodeId, binary: Binary) -> LaidOut {
        let dtype = self.node(self.node(id).args[0]).ty.dtype;
        self.elementwise(id, &self.node(id).args, |it, names| {
            let names = &it.comparable(binary, dtype, names);
            match binary {
                Binary::Add => it.emit("Add", names, Vec::new()),
                Binary::Sub => it.emit("Sub", names, Vec::new()),
                Binary::Mul => it.emit("Mul", names, Vec::new()),
                Binary::Div => it.emit("Div", names, Vec::new()),
                Binary::Pow => it.emit("Pow", names, Vec::new()),
                Binary::Min => it.emit("Min", names, Vec::new()),
                Binary::Max => it.emit("Max", names, Vec::new()),
                Binary::Eq => it.emit("Equal", names, Vec::new()),
                Binary::Ne => {
                    let equal = it.emit("Equal", names, Vec::new());
                    it.emit("Not", &[equal], Vec::new())
                }
                Binary::Lt => it.emit("Less", names, Vec::new()),
                Binary::Le => it.emit("LessOrEqual", names, Vec::new()),
                Binary::Gt => it.emit("Greater", names, Vec::new()),
                Binary::Ge => it.emit("GreaterOrEqual", names, Vec::new()),
                Binary::And => it.emit("And", names, Vec::new()),
                Binary::Or => it.emit("Or", names, Vec::new()),
            }
        })
    }

    /// Arguments of a comparison in a type that runtimes compare: of bytes and bools, whole numbers.
    fn comparable(&mut self, binary: Binary, dtype: DType, names: &[String]) -> Vec<String> {
        let small = matches!(dtype, DType::U8 | DType::Bool);
        if !(binary.is_comparison() && small) {
            return names.to_vec();
        }
        let to = int("to", i64::from(element(DType::I32)));
        let cast = |name: &String| self.emit("Cast", std::slice::from_ref(name), vec![to.clone()]);
        names.iter().map(cast).collect()
    }

    pub fn cast(&mut self, id: NodeId, dtype: DType) -> LaidOut {
        let arg = self.node(id).args[0];
        self.simple(id, arg, "Cast", vec![int("to", i64::from(element(dtype)))])
    }
}
