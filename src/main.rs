//! The `nnc` program: everything is in the library, this maps a result to an exit code.

fn main() -> std::process::ExitCode {
    nnc::cli::main()
}
