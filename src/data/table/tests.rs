//! Tables that are kept in files against the same tables in memory.

use super::*;
use crate::data::feed::Pass;
use crate::data::request::{Argument, FieldRequest, SourceRequest, TransformCall};

fn argument(name: Option<&str>, value: Literal) -> Argument {
    Argument { name: name.map(str::to_owned), value }
}

fn call(name: &str, args: Vec<Argument>) -> TransformCall {
    TransformCall { name: name.into(), args }
}

fn field(name: &str, kind: TransformCall, transforms: &[&str], is_target: bool) -> FieldRequest {
    let transforms = transforms.iter().map(|name| call(name, Vec::new())).collect();
    FieldRequest { name: name.into(), kind, transforms, is_target }
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
    let missing = argument(Some("missing"), Literal::Name("median".into()));
    let names = ["a", "b"].map(|name| Literal::Str(name.into()));
    let both = vec![argument(None, Literal::List(names.to_vec())), missing];
    let fields = vec![
        field("both", call("numbers", both), &["standardize"], false),
        field("a", call("number", Vec::new()), &["log1p", "minmax"], false),
        field("kind", call("category", Vec::new()), &["one_hot"], false),
        field("y", call("category", Vec::new()), &[], true),
    ];
    let args = vec![
        argument(Some("file"), Literal::Str("t.csv".into())),
        argument(Some("test"), Literal::Float(0.2)),
        argument(Some("validation"), Literal::Float(0.1)),
        argument(Some("split"), Literal::Call(split)),
    ];
    SourceRequest { name: "csv".into(), args, fields: Some(fields), ..SourceRequest::default() }
}

#[test]
fn a_table_in_files_gives_the_samples_of_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), text(30_000)).unwrap();
    let places = Places { beside: folder.path().into(), ..Places::default() };
    for kind in ["stratified", "by", "time"] {
        let by = if kind == "by" { "kind" } else { "y" };
        let request = request(call(kind, vec![argument(None, Literal::Name(by.into()))]));
        let args = Arguments::new(&request, Csv.arguments()).unwrap();
        let memory = load(&args, &places, &Spill::never()).unwrap();
        let files = load(&args, &places, &Spill::above(50_000, folder.path())).unwrap();
        assert!(memory.train.in_memory() && !files.train.in_memory());
        assert_eq!(memory.schema, files.schema, "{kind}: what is fitted");
        for pass in [Pass::Train { epoch: 1 }, Pass::Validation, Pass::Test] {
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
