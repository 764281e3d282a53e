//! How long a table takes from its file to the samples that `examples/diamonds.nn` trains on: parsed,
//! split, fitted, built.
//!
//! ```text
//! NNC_DATA=DATA cargo bench --bench loading
//! python benches/peers/polars_loading.py DATA       the same with polars and numpy
//! ```

use criterion::{Criterion, criterion_group, criterion_main};
use nnc::data::{Argument, FieldRequest, Literal, Places, SourceRequest, TransformCall, open};
use std::hint::black_box;
use std::path::PathBuf;

/// The data of the example, whose fields are written; without them they are found in the table.
fn diamonds(writes_fields: bool) -> SourceRequest {
    let call = |name: &str| TransformCall::new(name, Vec::new());
    let text = |text: &str| Literal::Str(text.into());
    let size = ["carat", "depth", "table", "x", "y", "z"].map(text).to_vec();
    let size = TransformCall::new("numbers", vec![Argument::positional(Literal::List(size))]);
    let size = FieldRequest::new("size", size);
    let category = |name| FieldRequest::new(name, call("category"));
    let price = FieldRequest::new("price", call("number"));
    let fields = vec![
        FieldRequest { transforms: vec![call("standardize")], ..size },
        category("cut"),
        category("color"),
        category("clarity"),
        FieldRequest {
            transforms: vec![call("log1p"), call("standardize")],
            is_target: true,
            ..price
        },
    ];
    let mut args = vec![
        Argument::named("file", text("tables/diamonds.csv")),
        Argument::named("test", Literal::Float(0.1)),
        Argument::named("validation", Literal::Float(0.1)),
    ];
    if !writes_fields {
        args.push(Argument::named("target", text("price")));
    }
    let fields = writes_fields.then_some(fields);
    SourceRequest { fields, ..SourceRequest::new("csv", args) }
}

fn loading(criterion: &mut Criterion) {
    let Some(folder) = std::env::var_os("NNC_DATA").map(PathBuf::from) else {
        eprintln!("passed over: NNC_DATA names no folder with data");
        return;
    };
    let places = Places { nnc_data: Some(folder), ..Places::default() };
    for (name, writes_fields) in [("fields are written", true), ("fields are found", false)] {
        let request = diamonds(writes_fields);
        criterion.bench_function(&format!("diamonds.csv, {name}"), |bencher| {
            bencher.iter(|| black_box(open(&request, &places, &|_, _| true).expect("samples")));
        });
    }
}

criterion_group!(benches, loading);
criterion_main!(benches);
