//! Programs that ask for too much: each is refused with the code of a limit, or checked, within
//! little memory. Time is bounded by counted steps, which `src/base/limits.rs` lists; no clock is
//! looked at here, and a test that hangs shows that a count is missing.

use std::process::{Command, Output};

/// Bytes of address space that a check may have: half a gigabyte, and what the binary and its
/// threads reserve without using it.
const ADDRESSES_KB: usize = 1_500_000;

/// Runs a command on `p.nn`, this program, with so much address space.
fn limited(kilobytes: usize, command: &[&str], program: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.nn"), program).expect("writable");
    let script = format!("ulimit -v {kilobytes} && exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_nnc")])
        .args(command)
        .current_dir(folder.path())
        .env_remove("NNC_DATA")
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .output()
        .expect("a shell")
}

/// Runs `nnc check` and gives its exit code and what it printed.
fn check(program: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = limited(ADDRESSES_KB, &[&["check", "p.nn"], args].concat(), program);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

const MODEL: &str = "model m(x: f32[N, 8]) -> f32[N, 8] { x |> dense(8) }\n";

/// Many lines, each made of its number.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Constants that each join the one before to itself.
fn doubling(first: &str, join: impl Fn(usize) -> String) -> String {
    let constants = lines(40, |i| format!("const C{} = {}\n", i + 1, join(i)));
    format!(
        "const C0 = {first}\n{constants}model m(x: f32[N, 8]) -> f32[N, 8] {{ if C40 == C39 {{ x }} else {{ x }} }}\n"
    )
}

fn body(statements: &str) -> String {
    format!("model m(x: f32[N, 8]) -> f32[N, 8] {{\n{statements}x |> dense(8) }}\n")
}

#[test]
fn what_passes_a_limit_is_refused_with_its_code() {
    let calls = lines(39, |i| {
        format!("layer l{}(x: f32[N, 8]) -> f32[N, 8] {{ x |> l{i} |> l{i} }}\n", i + 1)
    });
    let calls = format!(
        "layer l0(x: f32[N, 8]) -> f32[N, 8] {{ x |> relu }}\n{calls}\
         model m(x: f32[N, 8]) -> f32[N, 8] {{ x |> l39 }}\n"
    );
    let repeated = |count: usize, stage: &str| {
        format!("model m(x: f32[N, 8]) -> f32[N, 8] {{ x |> repeat {count} {{ {stage} }} }}\n")
    };
    let ones = "1, ".repeat(40);
    let cases = [
        ("E0024", format!("// {}\n{MODEL}", "x".repeat(1 << 20))),
        ("E0024", format!("const {} = 1\n{MODEL}", "x".repeat(256))),
        ("E0024", body(&lines(100_000, |i| format!("let a{i} = b\n")))),
        ("E0024", format!("const A = 1{}\n{MODEL}", " + 1".repeat(100_000))),
        ("E0005", format!("const A = 1{}\n{MODEL}", " + 1".repeat(1000))),
        ("E0112", doubling("[1]", |i| format!("C{i} + C{i}"))),
        ("E0112", doubling("[1]", |i| format!("[C{i}, C{i}]"))),
        ("E0112", doubling("\"aaaaaaaa\"", |i| format!("C{i} + C{i}"))),
        ("E0112", calls),
        ("E0112", repeated(10_000, "repeat 10000 { repeat 0 { relu } }")),
        ("E0112", repeated(9000, "dense(8)")),
        (
            "E0112",
            format!(
                "{}train m {{\n    loss = mse\n    freeze = [{}]\n}}\n",
                repeated(500, "dense(8)"),
                lines(2000, |i| format!("\"*d*e*n*s*e*.*{i}x\", "))
            ),
        ),
        (
            "E0112",
            format!(
                "{}train m {{\n    loss = mse\n    optimizer = adam\n}}\n",
                repeated(2500, "dense(8) |> relu")
            ),
        ),
        (
            "E0106",
            format!("model m(x: f32[N, {ones}8]) -> f32[N, 8] {{ x |> flatten |> dense(8) }}\n"),
        ),
        (
            "E0106",
            "model m(i: i32[N]) -> f32[N, 1] { gather(normal([4000000000, 1]), i) }\n".into(),
        ),
        (
            "E0106",
            "model m(i: i32[N]) -> f32[N, 8] { gather(normal([4000000000, 8]), i) }\n".into(),
        ),
    ];
    for (code, program) in cases {
        let (exit, text) = check(&program, &[]);
        let shown: String = program.chars().take(300).collect();
        assert!(exit == Some(1) && text.contains(code), "{code}, exit {exit:?}:\n{text}\n{shown}");
    }
}

#[test]
fn what_is_within_the_limits_is_checked() {
    let chain = lines(1000, |i| format!("const C{} = C{i} + 1\n", i + 1));
    let parameters = lines(1000, |i| format!(", a{i}: int = {i}"));
    let cases = [
        format!(
            "const C0 = 1\n{chain}model m(x: f32[N, 8]) -> f32[N, 8] {{ x |> dense(C1000) |> dense(8) }}\n"
        ),
        format!("model m(x: f32[N, 8]{parameters}) -> f32[N, 8] {{ x |> dense(8) }}\n"),
        format!("{}{MODEL}", lines(10_000, |i| format!("const C{i} = {i}\n"))),
        body(&lines(10_000, |i| format!("let a{i} = {i}\n"))),
        lines(500, |i| {
            format!(
                "model m{i}(x: f32[N, 8]) -> f32[N, 8] {{ dense(x, 8) }}\n\
                 train m{i} {{ loss = mse }}\n"
            )
        }),
        "model m(i: i32[N]) -> f32[N, 8] { gather(normal([400000000, 8]), i) }\n".into(),
        "model m(x: f32[N, 64]) -> f32[N, 10] {\n\
            x |> repeat 1000 { dense(64) |> relu } |> dense(10)\n}\n\
         train m {\n loss = cross_entropy\n optimizer = adam\n}\n"
            .into(),
    ];
    for program in cases {
        let (exit, text) = check(&program, &[]);
        assert_eq!(exit, Some(0), "{text}\n{}", &program[..300.min(program.len())]);
        assert!(text.matches("warning[").count() <= 100, "too many are shown");
    }
}

#[test]
fn a_hundred_mistakes_are_shown_and_the_search_for_fixes_ends() {
    let unknown = body(&lines(9000, |i| format!("let a{i} = b{i}\n")));
    let twice = format!("{}{MODEL}", "const A = 1\n".repeat(9000));
    let files = format!("{}{MODEL}", lines(9000, |i| format!("use \"no-{i}.nn\"\n")));
    let settings = lines(9000, |i| format!("    k{i} = 1\n"));
    let settings = format!("{MODEL}train m {{\n    loss = mse\n{settings}}}\n");
    for program in [unknown, twice, files, settings] {
        for args in [&[][..], &["--fix", "--dry-run"]] {
            let (exit, text) = check(&program, args);
            let count = text.matches("error[").count();
            assert!(exit == Some(1) && (1..=300).contains(&count), "{exit:?}, {count} errors");
        }
    }
}

#[test]
fn an_optimizer_takes_numbers_and_schedules() {
    for rate in ["relu(1e-3)", "dropout(1e-3, 0.5)", "softplus(0.1)", "sum([1.0, 2.0])"] {
        let program =
            format!("{MODEL}train m {{\n    loss = mse\n    optimizer = sgd(lr: {rate})\n}}\n");
        let (exit, text) = check(&program, &[]);
        assert!(exit == Some(1) && text.contains("error["), "{rate}: {exit:?}\n{text}");
    }
}

/// Whatever address space there is: a command does its work or says that this is too little.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_missing_is_an_error() {
    let program = "data d = digits(train: 600, test: 100)\n\
        model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {\n\
            image |> flatten |> dense(600) |> relu |> dense(600) |> relu |> dense(10)\n\
        }\n\
        train net on d {\n loss = cross_entropy\n epochs = 1\n batch = 64\n}\n";
    let mut exits = Vec::new();
    for kilobytes in (40_000..200_000).step_by(8_000) {
        let output = limited(kilobytes, &["run", "p.nn", "--no-out", "--threads", "2"], program);
        let text = String::from_utf8_lossy(&output.stderr);
        let exit = output.status.code();
        assert!(matches!(exit, Some(0..=2)), "{kilobytes} kB: {:?}\n{text}", output.status);
        assert!(exit == Some(0) || text.contains("memory"), "{kilobytes} kB\n{text}");
        exits.push(exit);
    }
    assert!([0, 1, 2].map(Some).iter().all(|exit| exits.contains(exit)), "{exits:?}");
}

/// Many threads in little address space: fewer are started, and nothing else changes.
#[cfg(target_os = "linux")]
#[test]
fn threads_are_as_many_as_there_is_room_for() {
    let program = "data d = digits(train: 64, test: 8)\n\
        model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] { image |> flatten |> dense(10) }\n\
        train net on d {\n loss = cross_entropy\n batch = 4\n epochs = 1\n}\n";
    let commands: [&[&str]; 3] = [
        &["run", "p.nn", "--no-out", "--json"],
        &["bench", "p.nn", "--seconds", "0.02"],
        &["profile", "p.nn", "--seconds", "0.02"],
    ];
    for args in commands {
        for (kilobytes, threads) in [(700_000, "200"), (400_000, "1024"), (300_000, "2")] {
            let output = limited(kilobytes, &[args, &["--threads", threads]].concat(), program);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{kilobytes} kB, {threads} threads: {args:?}\n{text}");
            let told = text.contains(&format!("of {threads} threads"));
            assert_eq!(told, threads != "2", "{args:?}\n{text}");
        }
    }
}
