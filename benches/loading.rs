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

fn call(name: &str, args: Vec<Argument>) -> TransformCall {
    TransformCall { name: name.into(), args }
}

fn field(name: &str, kind: TransformCall, transforms: &[&str], is_target: bool) -> FieldRequest {
    let transforms = transforms.iter().map(|name| call(name, Vec::new())).collect();
    FieldRequest { name: name.into(), kind, transforms, is_target }
}

/// The data of the example, whose fields are written; without them they are found in the table.
fn diamonds(writes_fields: bool) -> SourceRequest {
    let named = |name: &str, value| Argument { name: Some(name.into()), value };
    let text = |text: &str| Literal::Str(text.into());
    let size = ["carat", "depth", "table", "x", "y", "z"].map(text).to_vec();
    let size = call("numbers", vec![Argument { name: None, value: Literal::List(size) }]);
    let category = |name| field(name, call("category", Vec::new()), &[], false);
    let price = call("number", Vec::new());
    let fields = vec![
        field("size", size, &["standardize"], false),
        category("cut"),
        category("color"),
        category("clarity"),
        field("price", price, &["log1p", "standardize"], true),
    ];
    let mut args = vec![
        named("file", text("tables/diamonds.csv")),
        named("test", Literal::Float(0.1)),
        named("validation", Literal::Float(0.1)),
    ];
    if !writes_fields {
        args.push(named("target", text("price")));
    }
    let fields = writes_fields.then_some(fields);
    SourceRequest { name: "csv".into(), args, fields, ..SourceRequest::default() }
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
