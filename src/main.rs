//! `kometsales`: see the library's documentation, and `kometsales --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kometsales::cli::main(std::env::args_os(), kometsales::streams::ALL)
}
