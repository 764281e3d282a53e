//! Compilers, and emulators of the processors that they compile for.

use super::folder::Folder;
use super::models::TestModel;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A compiler with its flags, and what its programs are run by.
pub struct Toolchain {
    pub name: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    runner: &'static [&'static str],
}

/// What every compiler is asked for.
const STRICT: &[&str] = &["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"];

pub const GCC: Toolchain = Toolchain { name: "gcc", compiler: "gcc", flags: &["-O2"], runner: &[] };
pub const GCC_NATIVE: Toolchain = Toolchain {
    name: "gcc for this processor",
    compiler: "gcc",
    flags: &["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"],
    runner: &[],
};
pub const CLANG: Toolchain =
    Toolchain { name: "clang", compiler: "clang", flags: &["-O2", "-mfma"], runner: &[] };
/// Denormals found by tests, as where no processor's mode is known.
pub const SOFT: Toolchain = Toolchain {
    name: "gcc without modes",
    compiler: "gcc",
    flags: &["-O1", "-DNNC_SOFT_DENORMALS"],
    runner: &[],
};
pub const AARCH64: Toolchain = Toolchain {
    name: "gcc for AArch64",
    compiler: "aarch64-linux-gnu-gcc",
    flags: &["-O2", "-static"],
    runner: &["qemu-aarch64"],
};
pub const ARM: Toolchain = Toolchain {
    name: "gcc for 32-bit Arm",
    compiler: "arm-linux-gnueabihf-gcc",
    flags: &["-O2", "-static"],
    runner: &["qemu-arm"],
};

/// Whether a program can be started; says so where it cannot, unless it must.
fn is_there(name: &str) -> bool {
    let found = Command::new(name).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("NNC_REQUIRE_C").is_none(), "{name} is required");
    if !found {
        println!("skipped: there is no {name}");
    }
    found
}

impl Toolchain {
    /// Whether all that it needs is installed.
    pub fn is_there(&self) -> bool {
        is_there(self.compiler) && self.runner.iter().all(|runner| is_there(runner))
    }

    /// Compiles files of a folder to a program.
    #[track_caller]
    pub fn compile(&self, folder: &Folder, files: &[&str]) -> PathBuf {
        let program = folder.path("program");
        let mut command = Command::new(self.compiler);
        command.args(STRICT).args(self.flags).args(files).arg("-o").arg(&program);
        compiled(command.current_dir(folder.0.path()));
        program
    }

    /// Runs a program on some input: its exit code and output.
    pub fn run(&self, folder: &Folder, program: &Path, input: &[u8]) -> (Option<i32>, Vec<u8>) {
        let mut words = self.runner.iter().map(|word| Path::new(*word)).chain([program]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).current_dir(folder.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(input).expect("input is read");
        let output = child.wait_with_output().expect("the program ends");
        (output.status.code(), output.stdout)
    }
}

#[track_caller]
fn compiled(command: &mut Command) {
    let output = command.output().expect("the compiler starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}:\n{said}");
}

/// Compiles a model to WebAssembly and runs it on samples in Node; none where a tool is missing.
pub fn run_in_node(folder: &Folder, model: &TestModel, samples: &[u8]) -> Option<Vec<u8>> {
    if !["clang", "wasm-ld", "node"].iter().all(|name| is_there(name)) {
        return None;
    }
    let source = format!(
        "#include \"c/net.h\"\nstatic {} in[NET_X_ELEMENTS];\nstatic float out[NET_OUTPUT_ELEMENTS];\n\
         static double arena[NET_ARENA_BYTES / 8 + 1];\nvoid *in_at(void);\nvoid *out_at(void);\n\
         int answer(void);\nvoid *in_at(void) {{ return in; }}\nvoid *out_at(void) {{ return out; }}\n\
         int answer(void) {{ return net_predict(in, out, arena); }}\n",
        model.element()
    );
    folder.write("wasm.c", source.as_bytes());
    let outputs = 4 * model.output.iter().product::<usize>();
    let script = format!(
        "const fs = require('fs');\n\
         WebAssembly.instantiate(fs.readFileSync('net.wasm')).then(({{ instance: {{ exports: it }} }}) => {{\n\
         const input = fs.readFileSync(0), size = {}, memory = () => new Uint8Array(it.memory.buffer);\n\
         for (let at = 0; at < input.length; at += size) {{\n\
         memory().set(input.subarray(at, at + size), it.in_at());\n\
         if (it.answer() !== 0) process.exit(11);\n\
         fs.writeSync(1, memory().slice(it.out_at(), it.out_at() + {outputs}));\n}}\n}});\n",
        4 * model.elements()
    );
    folder.write("run.js", script.as_bytes());
    let mut command = Command::new("clang");
    command.args(STRICT).args(["--target=wasm32", "-O2", "-mbulk-memory", "-nostdlib"]);
    command.args(["-Wl,--no-entry", "-Wl,--export-all", "c/net.c", "wasm.c", "-o", "net.wasm"]);
    compiled(command.current_dir(folder.0.path()));
    let node = Toolchain { name: "node", compiler: "node", flags: &[], runner: &["node"] };
    let (code, found) = node.run(folder, Path::new("run.js"), samples);
    assert_eq!(code, Some(0), "{} in Node", model.name);
    Some(found)
}
