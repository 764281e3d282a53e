//! `emit-ir` and what it shows: every stage, every pass, its text as input again, machine code.

use super::*;

#[test]
fn every_stage_can_be_shown() {
    let folder = Folder::new();
    let mnist = model("mnist.nn");
    let mut texts = std::collections::BTreeSet::new();
    for stage in nnc::command::STAGES {
        let ran = folder.run(&["emit-ir", &mnist, "--stage", stage.name]).exits(0);
        assert!(ran.stdout.lines().count() > 5, "{}: {}", stage.name, ran.stdout);
        texts.insert(ran.stdout);
    }
    assert_eq!(texts.len(), nnc::command::STAGES.len(), "stages that print the same");
    let shown =
        |args: &[&str]| folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(0).stdout;
    assert_eq!(shown(&[]), shown(&["--stage", "graph"]));
    for line in shown(&["--stage", "loops"]).lines().filter(|line| line.starts_with("    b")) {
        assert!(!line.contains(" at "), "{line}");
    }
    let plan = shown(&["--stage", "plan"]);
    for words in ["\"dense.weight\" at 0\n", "// b", "global block", "block of each thread"] {
        assert!(plan.contains(words), "no `{words}` in\n{plan}");
    }
}

#[test]
fn the_graph_after_every_pass_can_be_shown() {
    let folder = Folder::new();
    let mnist = model("mnist.nn");
    let shown =
        |args: &[&str]| folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(0).stdout;
    for (pass, _) in nnc::pass::PIPELINE.names() {
        assert!(shown(&["--after", pass]).starts_with("graph mlp {"), "{pass}");
    }
    assert_eq!(shown(&["--after", "autodiff"]), shown(&["--stage", "grad"]));
    assert_eq!(shown(&["--after", "fuse"]), shown(&["--stage", "fused"]));
    assert!(shown(&["--after", "bind", "--batch", "7"]).contains("f32[7, 10]"));
    assert!(!shown(&["--after", "dce", "--eval"]).contains("update"));
    for args in [
        &["--after", "dce", "--stage", "graph"][..],
        &["--after", "loops"],
        &["--stage", "dce"],
        &["--after", "autodiff", "--eval"],
    ] {
        folder.run(&[&["emit-ir", mnist.as_str()], args].concat()).exits(2);
    }
}

#[test]
fn a_stages_text_is_input_again() {
    let folder = Folder::new();
    let shown = |args: &[&str]| folder.run(&[&["emit-ir"], args].concat()).exits(0).stdout;
    let mnist = model("mnist.nn");
    for (name, args) in [
        ("forward.graph", ["--stage", "graph"]),
        ("step.graph", ["--after", "dce"]),
        ("step.loops", ["--stage", "loops"]),
        ("planned.loops", ["--stage", "plan"]),
    ] {
        folder.write(name, shown(&[&mnist, args[0], args[1]]));
    }
    let text = |name: &str| std::fs::read_to_string(folder.path(name)).unwrap();
    assert_eq!(shown(&["forward.graph", "--stage", "graph"]), text("forward.graph"));
    assert_eq!(shown(&["forward.graph"]), text("forward.graph"));
    assert_eq!(shown(&["step.loops"]), text("step.loops"));
    assert_eq!(shown(&["planned.loops", "--stage", "plan"]), text("planned.loops"));
    // The graph of a step is all that the stages behind it need, but for names of kernels, which
    // are the names of what the user wrote.
    let unnamed = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.contains("kernel k")).map(str::to_string).collect()
    };
    for stage in ["fused", "loops", "plan", "clif", "asm"] {
        let again = unnamed(shown(&["step.graph", "--stage", stage]));
        assert!(again == unnamed(shown(&[&mnist, "--stage", stage])), "{stage} is another");
    }
    for stage in ["clif", "asm"] {
        let again = shown(&["planned.loops", "--stage", stage]);
        assert!(again == shown(&[&mnist, "--stage", stage]), "{stage} is another");
        shown(&["step.loops", "--stage", stage]);
    }
    assert!(shown(&["step.loops", "--stage", "plan"]).contains("global block"));
    for pass in ["autodiff", "bind", "hoist", "simplify", "cse", "dce", "fuse"] {
        shown(&["forward.graph", "--after", pass]);
    }
    assert!(shown(&["forward.graph", "--stage", "grad"]).contains("output grad.dense.weight"));
    assert!(shown(&["forward.graph", "--after", "bind", "--batch", "7"]).contains("f32[7, 10]"));
}

#[test]
fn what_a_stages_text_cannot_be_shown_as_is_told() {
    let folder = Folder::new();
    folder.write("a.graph", "graph a {\n    %0 = step : f64\n    %1 = cast %0 : f32\n}\n");
    folder.write("a.loops", "// nothing\nprogram \"a\" {\n    step {\n    }\n}\n");
    for (args, words) in [
        (["a.graph", "--stage", "ast"], "stage `ast`"),
        (["a.graph", "--stage", "grad"], "`loss`"),
        (["a.graph", "--after", "update"], "rule"),
        (["a.loops", "--stage", "fused"], "stage `fused`"),
        (["a.loops", "--after", "dce"], "pass `dce`"),
    ] {
        let ran = folder.run(&["emit-ir", args[0], args[1], args[2]]).exits(2);
        assert_eq!(ran.complains(&[args[0], words]).stdout, "");
    }
    let mnist = model("mnist.nn");
    for command in ["emit-ir", "bench"] {
        let stage: &[&str] = if command == "bench" { &[] } else { &["--stage", "fused"] };
        let args = [&[command, mnist.as_str(), "--batch", "4294967295"], stage].concat();
        folder.run(&args).exits(1).complains(&["4294967295 is too large"]);
    }
    folder.run(&["emit-ir", "a.graph", "--eval"]).exits(2).complains(&["evaluation"]);
    for (name, text, place) in [
        ("b.graph", "graph b {\n    %0 = stop\n}\n", "b.graph:2"),
        (
            "c.graph",
            "graph c {\n    %0 = step : f64\n    %1 = cast %0 : i32\n    %2 = exp %1 : f32\n}\n",
            "c.graph:4",
        ),
        ("d.graph", "graph", "d.graph:1"),
        (
            "e.graph",
            "graph e {\n    input0 x: u8[N]\n    %0 = input0 : u8[N]\n    output y = %0\n}\n",
            "e.graph:4",
        ),
        ("b.loops", "program \"b\" {\n    b0 = heap f32[4] \"x\"\n}\n", "b.loops:2"),
        (
            "c.loops",
            "program \"c\" {\n    b0 = scratch f32[4] \"x\" at 3\n    step {\n    }\n}\n",
            "c.loops:2",
        ),
        (
            "d.loops",
            "program \"d\" {\n    b0 = scratch f32[99999999999999999] \"x\"\n    step {\n    }\n}\n",
            "d.loops:2",
        ),
        ("e.loops", "program", "e.loops:1"),
    ] {
        folder.write(name, text);
        let ran = folder.run(&["emit-ir", name, "--stage", "asm"]).exits(1);
        assert_eq!(ran.complains(&[place]).stdout, "");
    }
}

#[test]
fn machine_code_is_shown_for_the_forced_target() {
    let folder = Folder::with_digits();
    let asm = |target: &str| {
        let args = ["emit-ir", "digits.nn", "--stage", "asm", "--target", target];
        folder.run(&args).exits(0).stdout
    };
    for (name, wide) in [("avx512", "zmm"), ("avx2", "ymm"), ("portable", "xmm")] {
        if Target::from_name(name).unwrap().supported_on_host() && cfg!(target_arch = "x86_64") {
            let text = asm(name);
            assert!(text.contains(wide), "no {wide} in the code for {name}");
            assert_eq!(text.contains("zmm"), wide == "zmm", "{name}");
        }
    }
}
