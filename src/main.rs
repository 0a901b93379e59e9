//! `kometsales`: see the library's documentation, and `kometsales --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let tables = Some(&kometsales::cli::TABLES);
    kometsales::cli::main(std::env::args_os(), kometsales::streams::ALL, tables)
}
