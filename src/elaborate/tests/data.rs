//! Models on data: inputs as the data have them, and what is asked of the data beforehand.

use super::support::{list, with};
use crate::base::schema::{Field, Schema};
use crate::base::settings::LastBatch;
use crate::base::source::Sources;
use crate::base::tensor::DType;
use crate::elaborate::{
    DataLiteral, ElaborateOptions, PRELUDE, PRELUDE_NAME, ProgramFiles, data_request,
};
use crate::graph::{Binary, Op};
use crate::syntax::parse;

const MNIST: &str = "data handwriting = mnist(validation: 0.1, fallback: digits)\n\
    model mlp(image: f32[N, 28, 28, 1]) -> f32[N, 10] {\n    image |> flatten |> dense(128) |> relu |> dense(handwriting.classes)\n}\n\
    train mlp on handwriting {\n    loss      = cross_entropy\n    optimizer = adam(lr: 1e-3)\n    epochs    = 5\n    batch     = 64\n    metrics   = [accuracy]\n    last_batch = drop\n}\n";

fn schema(shape: &[usize]) -> ElaborateOptions {
    let label = Field { dtype: DType::U8, ..Field::class("label", Some(10)) };
    let schema = Schema::of(vec![Field::image("image", shape), label]);
    let schema = schema.counted([54_000, 6000, 10_000]);
    ElaborateOptions {
        schemas: vec![("handwriting".into(), schema)],
        ..ElaborateOptions::default()
    }
}

#[test]
fn bytes_of_an_image_arrive_as_bytes_and_become_value_over_255() {
    let found = with(MNIST, &schema(&[28, 28, 1]))
        .unwrap_or_else(|errors| panic!("{}", list(MNIST, &errors)));
    let inputs: Vec<String> =
        found.train.inputs.values().map(|input| format!("{}: {}", input.name, input.ty)).collect();
    assert_eq!(inputs, ["image: u8[N, 28, 28, 1]", "label: u8[N]"]);
    let scaled = found.train.nodes.values().any(|node| {
        let arg = node.args.first().map(|&arg| &found.train.nodes[arg].op);
        node.op == Op::Binary(Binary::Mul) && arg == Some(&Op::Cast(DType::F32))
    });
    assert!(scaled);
    let training = found.training.expect("trained");
    let settings = &training.settings;
    assert_eq!((settings.epochs, settings.batch, settings.last_batch), (5, 64, LastBatch::Drop));
    assert_eq!(training.data.as_deref(), Some("handwriting"));
}

#[test]
fn a_shape_that_the_data_do_not_have_is_shown_with_both() {
    let errors = with(MNIST, &schema(&[32, 32, 1])).expect_err("the shapes differ");
    assert_eq!(errors.len(), 1, "{}", list(MNIST, &errors));
    assert!(errors[0].message.contains("f32[N, 28, 28, 1]"), "{}", errors[0].message);
    assert!(errors[0].message.contains("[N, 32, 32, 1]"), "{}", errors[0].message);
    assert!(errors[0].labels.iter().any(|label| label.text.contains("handwriting")));
}

#[test]
fn the_source_is_handed_out_as_plain_data() {
    let mut sources = Sources::new();
    let main = sources.add("main.nn", MNIST);
    let prelude = sources.add_builtin(PRELUDE_NAME, PRELUDE);
    let files = vec![parse(&sources, main).expect("parses")];
    let prelude = parse(&sources, prelude).expect("parses");
    let program = ProgramFiles { files: &files, prelude: &prelude };
    let request =
        data_request(&program, None, &Default::default()).expect("no error").expect("on data");
    assert_eq!((request.name.as_str(), request.source.name.as_str()), ("handwriting", "mnist"));
    let args: Vec<_> =
        request.source.args.iter().map(|arg| (arg.name.as_deref(), arg.value.clone())).collect();
    assert_eq!(
        args,
        [
            (Some("validation"), DataLiteral::Float(0.1)),
            (Some("fallback"), DataLiteral::Word("digits".into()))
        ]
    );
}
