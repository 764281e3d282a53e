//! The typed graph: what a model means, before anything is decided about how to compute it.
//!
//! A [`Graph`] is a list of nodes in SSA form, each an [`Op`] with arguments and a static
//! [`Type`]; the batch `N` is a symbol until the `bind` pass gives it a number. A graph prints
//! ([`print`]) and parses back ([`read`]), can be checked ([`verify`]) and run ([`interp`]): the
//! interpreter is slow, obvious, and the oracle for every stage below.
//!
//! ```text
//! graph mlp {
//!     input0 image: u8[N, 28, 28, 1]
//!     param0 dense.weight: f32[784, 128] = uniform(-0.0811, 0.0811)
//!     %0 = input0 : u8[N, 28, 28, 1]
//!     …
//!     output loss = %41
//!     update param0 = %60
//! }
//! ```

pub mod builder;
pub mod graph;
pub mod infer;
pub mod kernels;
pub mod op;
pub mod origin;
pub mod types;

pub use builder::Builder;
pub use graph::{DimOrigin, Graph, Hyper, Init, Input, Node, Output, Param, State, Target, Update};
pub use infer::{Mismatch, infer};
pub use op::{Binary, HyperId, InputId, NodeId, Op, ParamId, Range, Reduce, StateId, Unary};
pub use origin::{Origin, OriginId, Origins};
pub use types::{Dim, Shape, Type};
