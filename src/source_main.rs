//! `kometsales` for Airbyte's image: the same program without `export` and `show`, so that it stays small.

use std::process::ExitCode;

fn main() -> ExitCode {
    kometsales::cli::main(std::env::args_os(), kometsales::streams::ALL, None)
}
