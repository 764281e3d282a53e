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
//!     %1 = cast %0 : f32[N, 28, 28, 1]
//!     %2 = reshape %1 : f32[N, 784]
//!     %3 = param0 : f32[784, 128]
//!     %4 = matmul %2, %3 : f32[N, 128]
//!     …
//!     output loss = %41
//!     update param0 = %60
//! }
//! ```

pub mod bound;
pub mod bounds;
pub mod builder;
pub mod data;
pub mod domain;
pub mod element;
pub mod infer;
pub mod init;
pub mod interp;
pub mod kernels;
pub mod op;
pub mod origin;
pub mod over;
pub mod print;
pub mod read;
pub mod rule;
pub mod scan;
pub mod types;
pub mod verify;
pub mod view;
pub mod window;

pub use bound::BoundGraph;
pub use builder::Builder;
pub use data::{
    Carry, DimOrigin, Graph, Hyper, Init, Input, Node, NodeArgs, Output, Param, RUN_STEPS, Scan,
    State, Update, UpdateTarget,
};
pub use infer::{Mismatch, infer};
pub use init::initial_value;
pub use interp::{Env, InterpError, StepOutcome, run};
pub use op::{
    Binary, CarryId, HyperId, InputId, NodeId, Op, OpAccess, OpKind, ParamId, Range, Reduce,
    ScanId, StateId, Unary,
};
pub use origin::{Origin, OriginId, Origins};
pub use over::OverSplit;
pub use print::{print_kernels, with_places};
pub use read::{GraphReadError, read};
pub use rule::UpdateRule;
pub use types::{Dim, Shape, Type};
pub use verify::{verify, verify_fused};
pub use window::Window;
