//! Files that are damaged or hostile: told, never a panic, and never more memory than twice the file.

use nnc::onnx::decode::decode;
use nnc::onnx::import::{ImportError, ImportRequest, import};

use crate::builder::{Attribute, Builder, Fields};
use crate::models;
use crate::support::mutation::Random;

/// Mutated files that are read in one run.
const FILES: usize = 100_000;

fn request() -> ImportRequest {
    ImportRequest { name: "net".into(), shapes: Vec::new() }
}

/// Why a model is not imported.
fn refused(made: &Builder) -> String {
    let model = decode(&made.bytes()).expect("a sound file");
    match import(&model, &request()) {
        Ok(made) => panic!("imported:\n{}", made.program),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mutated_files_never_panic() {
    let corpus: Vec<Vec<u8>> = [
        models::small_cnn(),
        models::attention(),
        models::unsupported(),
        Builder::new(13).input("x", &[0, 3]).output("y").node("Softmax", &["x"], "y", &[]),
    ]
    .iter()
    .map(Builder::bytes)
    .collect();
    let half = |start: usize| {
        let mut decoded = 0;
        for seed in start..start + FILES / 2 {
            let mut random = Random(seed as u64);
            let file = mutated(&mut random, &corpus);
            if let Ok(model) = decode(&file) {
                decoded += 1;
                // Whatever comes of it, it comes back.
                drop(import(&model, &request()));
            }
        }
        decoded
    };
    let decoded: usize = std::thread::scope(|scope| {
        let halves = [0, FILES / 2].map(|start| scope.spawn(move || half(start)));
        halves.map(|half| half.join().expect("no panic")).iter().sum()
    });
    assert!(decoded > FILES / 50, "only {decoded} of {FILES} decode: too much is broken");
}

fn mutated(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut file = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(3) {
        let at = random.below(file.len().max(1));
        match random.below(6) {
            0 if at < file.len() => file[at] = random.next() as u8,
            1 if at < file.len() => file[at] ^= 1 << random.below(8),
            2 => file.truncate(at),
            3 => file.insert(at, random.next() as u8),
            4 if at < file.len() => file[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            _ if at < file.len() => {
                let end = (at + random.below(40)).min(file.len());
                let piece = file[at..end].to_vec();
                let to = random.below(file.len());
                file.splice(to..to, piece);
            }
            _ => {}
        }
    }
    file
}

#[test]
fn damaged_files_are_told_with_the_byte() {
    let whole = models::small_cnn().bytes();
    for length in [0, 1, 7, whole.len() / 2, whole.len() - 1] {
        assert!(decode(&whole[..length]).is_err(), "{length} bytes of it");
    }
    let lying = Fields::default().bytes(7, &[0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f]).0;
    let error = decode(&lying).expect_err("a length beyond the end");
    assert!(error.to_string().contains("longer than what is left"), "{error}");
    let tensor = Fields::default().int(1, 1 << 40).int(2, 1).text(8, "w").bytes(9, &[0; 4]);
    let graph = Fields::default().message(5, tensor);
    let error = decode(&Fields::default().message(7, graph).0).expect_err("a lying dimension");
    assert!(error.to_string().contains("ask for"), "{error}");
}

#[test]
fn graphs_inside_graphs_end() {
    let mut graph = Fields::default();
    for _ in 0..40 {
        let attribute = Fields::default().text(1, "body").message(6, graph).int(20, 5);
        let node = Fields::default().text(4, "Loop").message(5, attribute);
        graph = Fields::default().message(1, node);
    }
    let error = decode(&Fields::default().message(7, graph).0).expect_err("too deep");
    assert!(error.to_string().contains("inside one another"), "{error}");
}

#[test]
fn small_files_cannot_ask_for_much_memory() {
    // A node of two bytes takes a hundred in memory.
    let many = Fields::default();
    let graph = (0..2_000_000).fold(many, |graph, _| graph.bytes(1, &[]));
    let error = decode(&Fields::default().message(7, graph).0).expect_err("too many");
    assert!(error.to_string().contains("twice its size"), "{error}");
    // A constant of more numbers than there are is one number.
    let huge = Builder::new(13)
        .input("x", &[0, 3])
        .output("y")
        .ints("dims", &[4], &[1 << 20, 1 << 20, 1 << 10, 1])
        .node("ConstantOfShape", &["dims"], "c", &[])
        .node("Add", &["x", "c"], "y", &[]);
    refused(&huge);
}

#[test]
fn graphs_that_are_none_are_told() {
    let relu = |from: &str, to: &str| {
        Builder::new(13).input("x", &[0, 3]).output("y").node("Relu", &[from], to, &[])
    };
    assert!(refused(&relu("nowhere", "y")).contains("nothing makes `nowhere`"));
    assert!(refused(&relu("x", "z")).contains("nothing makes the output `y`"));
    let cycle = relu("b", "a").node("Relu", &["a"], "b", &[]).node("Relu", &["b"], "y", &[]);
    assert!(refused(&cycle).contains("cycle"), "{}", refused(&cycle));
    let twice = relu("x", "y").node("Tanh", &["x"], "y", &[]);
    assert!(refused(&twice).contains("made twice: Relu `the_y` and Tanh `the_y`"));
    let old = Builder { opset: 5, ..relu("x", "y") };
    assert!(refused(&old).contains("version 5"), "{}", refused(&old));
}

#[test]
fn names_that_are_there_twice_are_told() {
    let relu = |made: Builder| made.node("Relu", &["x"], "y", &[]);
    let plain = || Builder::new(13).input("x", &[0, 3]).output("y");
    let inputs = relu(plain().input("x", &[0, 3]));
    assert!(refused(&inputs).contains("`x` is twice among its inputs"), "{}", refused(&inputs));
    let weights = relu(plain().weight("w", &[3]).weight("w", &[3]));
    assert!(refused(&weights).contains("`w` is twice among its initializers"));
    assert!(refused(&relu(plain().output("y"))).contains("`y` is twice among its outputs"));
    let over = plain().weight("w", &[3]).node("Relu", &["x"], "w", &[]);
    let over = over.node("Relu", &["w"], "y", &[]);
    assert!(refused(&over).contains("`w` is made twice: the graph"), "{}", refused(&over));
    let slope = |alpha: f32| ("alpha", Attribute::Float(alpha));
    let elu = plain().node("Elu", &["x"], "y", &[slope(0.5), slope(0.7)]);
    assert!(refused(&elu).contains("Elu `the_y`: it has the attribute `alpha` twice"));
}

#[test]
fn what_is_wrong_in_a_node_is_told_with_its_name() {
    let plain = || Builder::new(13).input("x", &[0, 3]).output("y");
    // A tensor of a type that is none.
    let tensor = Fields::default().int(1, 3).int(2, 23).text(8, "w").bytes(9, &[0; 3]);
    let mut odd = plain();
    odd.graph = odd.graph.message(5, tensor);
    let odd = odd.node("Add", &["x", "w"], "y", &[]);
    assert!(refused(&odd).contains("Add `the_y`: `w` is of the type 23"), "{}", refused(&odd));
    // An attribute whose tensor has too few bytes.
    let tensor = Fields::default().int(1, 4).int(2, 1).bytes(9, &[0; 4]);
    let value = Fields::default().text(1, "value").message(5, tensor).int(20, 4);
    let node = Fields::default().text(2, "c").text(3, "short").text(4, "Constant");
    let mut short = plain();
    short.graph = short.graph.message(1, node.message(5, value));
    let short = short.node("Add", &["x", "c"], "y", &[]);
    let error = decode(&short.bytes()).expect_err("too few bytes").to_string();
    assert!(error.contains("in Constant `short`"), "{error}");
    let policy = ("keep_aspect_ratio_policy", Attribute::Text("not_larger".into()));
    let resize = Builder::new(18).input("x", &[0, 2, 4, 4]).output("y");
    let resize = resize.ints("sizes", &[4], &[1, 2, 8, 8]);
    let resize = resize.node("Resize", &["x", "", "", "sizes"], "y", &[policy]);
    assert!(refused(&resize).contains("Resize `the_y`: its `keep_aspect_ratio_policy`"));
    let modulo = plain().floats("d", &[], &[0.7]).node("Mod", &["x", "d"], "y", &[]);
    assert!(refused(&modulo).contains("Mod `the_y`: a remainder of floats"));
}

#[test]
fn all_nodes_without_a_counterpart_are_told_at_once() {
    let model = decode(&models::unsupported().bytes()).expect("a sound file");
    let Err(ImportError::Unsupported(nodes)) = import(&model, &request()) else {
        panic!("three nodes have no counterpart");
    };
    let names: Vec<&str> = nodes.iter().map(|it| it.node.as_str()).collect();
    assert_eq!(names, ["TopK `the_b`", "NonZero `the_d`", "Relu `the_e`"]);
    assert!(nodes[2].reason.contains("`made_up`"), "{}", nodes[2].reason);
}

#[test]
fn subgraphs_text_and_unknown_shapes_are_told() {
    let branch = Attribute::Graph(Fields::default().text(2, "branch"));
    let with_if = Builder::new(13).input("x", &[0, 3]).output("y").node(
        "If",
        &["x"],
        "y",
        &[("then_branch", branch.clone()), ("else_branch", branch)],
    );
    assert!(refused(&with_if).contains("If `the_y`"));
    let text = Builder::new(13).text_input("words", &[0, 3]).output("y").node(
        "Identity",
        &["words"],
        "y",
        &[],
    );
    assert!(refused(&text).contains("is text"));
    let open = Builder::new(13).input("x", &[0, -1, 4]).output("y").node("Relu", &["x"], "y", &[]);
    assert!(refused(&open).contains("--shape x="), "{}", refused(&open));
}
