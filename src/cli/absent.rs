//! `export`, `show` and `vacuum` in a build without the feature `export`.

use std::ffi::OsString;

use clap::Args;

use crate::error::Error;

/// What the commands were given: anything, since none of it is done.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[arg(hide = true, num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

/// Why nothing is done.
pub(super) fn refused() -> Error {
    Error::config(
        "`export`, `show` and `vacuum` are not in this build, which is kept small for Airbyte. Use the `kometsales` package.",
    )
}
