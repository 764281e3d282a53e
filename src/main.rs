//! The `nnc` program: everything is in the library, this maps a result to an exit code.

#[global_allocator]
static ALLOCATOR: nnc::cli::Allocator = nnc::cli::Allocator;

fn main() -> std::process::ExitCode {
    nnc::cli::main()
}
