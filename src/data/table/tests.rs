//! Tables that are kept in files against the same tables in memory.

use super::*;
use crate::data::dataset::SplitPass;
use crate::data::request::{Argument, FieldRequest, SourceRequest, TransformCall};

/// An input, changed by transforms without arguments.
fn field(name: &str, kind: TransformCall, transforms: &[&str]) -> FieldRequest {
    let transforms = transforms.iter().map(|name| TransformCall::new(name, Vec::new())).collect();
    FieldRequest { transforms, ..FieldRequest::new(name, kind) }
}

/// Numbers with gaps, texts and a class, for so many rows.
fn text(rows: usize) -> String {
    let row = |row: usize| {
        let number = row * 7919 % 1000;
        let gap = if row % 97 == 5 { String::new() } else { format!("{}.5", row % 31) };
        format!("{number}.25,{gap},k{},{}\n", row % 13, ["no", "yes"][row % 3 % 2])
    };
    "a,b,kind,y\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

fn request(split: TransformCall) -> SourceRequest {
    let missing = Argument::named("missing", Literal::Name("median".into()));
    let names = ["a", "b"].map(|name| Literal::Str(name.into()));
    let both = vec![Argument::positional(Literal::List(names.to_vec())), missing];
    let category = || TransformCall::new("category", Vec::new());
    let fields = vec![
        field("both", TransformCall::new("numbers", both), &["standardize"]),
        field("a", TransformCall::new("number", Vec::new()), &["log1p", "minmax"]),
        field("kind", category(), &["one_hot"]),
        FieldRequest { is_target: true, ..FieldRequest::new("y", category()) },
    ];
    let args = vec![
        Argument::named("file", Literal::Str("t.csv".into())),
        Argument::named("test", Literal::Float(0.2)),
        Argument::named("validation", Literal::Float(0.1)),
        Argument::named("split", Literal::Call(split)),
    ];
    SourceRequest { fields: Some(fields), ..SourceRequest::new("csv", args) }
}

#[test]
fn a_table_in_files_gives_the_samples_of_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), text(30_000)).unwrap();
    let places = Places { beside: folder.path().into(), ..Places::default() };
    for kind in ["stratified", "by", "time"] {
        let by = if kind == "by" { "kind" } else { "y" };
        let request =
            request(TransformCall::new(kind, vec![Argument::positional(Literal::Name(by.into()))]));
        let args = Arguments::new(&request, Csv.arguments()).unwrap();
        let memory = load(&args, &places, &Spill::never()).unwrap();
        let files = load(&args, &places, &Spill::above(50_000, folder.path())).unwrap();
        assert!(memory.train.in_memory() && !files.train.in_memory());
        assert_eq!(memory.schema, files.schema, "{kind}: what is fitted");
        for pass in [SplitPass::Train { epoch: 1 }, SplitPass::Validation, SplitPass::Test] {
            let (memory, files) = (memory.split(pass), files.split(pass));
            assert_eq!(memory.originals(), files.originals(), "{kind}");
            let rows: Vec<u32> = (0..memory.count() as u32).rev().step_by(7).collect();
            for (index, field) in memory.fields().iter().enumerate() {
                let mut bytes = [0, 1].map(|fill| vec![fill; rows.len() * field.bytes()]);
                memory.copy_batch(&rows, index, &mut bytes[0]).unwrap();
                files.copy_batch(&rows, index, &mut bytes[1]).unwrap();
                assert!(bytes[0] == bytes[1], "{kind}: {}", field.name);
            }
        }
    }
}
