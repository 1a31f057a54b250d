//! The tideform binary: everything is in the library.

fn main() -> std::process::ExitCode {
    tideform::cli::main()
}
