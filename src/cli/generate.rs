//! `generate`: what is derived from the declarations, so that none of it is written by hand.

use std::io::Write;

use clap::{Command, Subcommand};
use clap_complete::Shell;
use clap_mangen::Man;

use super::python;
use super::reference::reference;
use crate::airbyte::message::specification;
use crate::error::{Error, Result};
use crate::model::Stream;
use crate::model::json_schema::json_schema;
use crate::output::stdout::Stdout;
use crate::singer::definition::{definition, package};
use crate::streams::find;

/// What to write.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum What {
    /// The JSON schema of a stream's records
    Schema {
        /// The stream [default: customers]
        stream: Option<String>,
    },
    /// Airbyte's connection specification
    Spec,
    /// The reference as Markdown: commands, variables, exit codes, keys, limits, settings, fields
    Docs,
    /// Meltano's plugin definition of the tap
    Meltano {
        /// What Meltano hands to pip [default: the package of this version]
        #[arg(long, value_name = "URL", allow_hyphen_values = true)]
        pip_url: Option<String>,
    },
    /// The manual page
    Man,
    /// The settings of the Python module
    #[command(hide = true)]
    Python,
    /// Completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Writes it to stdout.
pub(super) fn run(
    what: What,
    command: &mut Command,
    streams: &[&'static Stream],
    mut stdout: Stdout,
) -> Result<()> {
    let text = match what {
        What::Schema { stream } => pretty(&json_schema(find(streams, stream.as_deref())?)),
        What::Spec => pretty(&specification()),
        What::Docs => reference(command, streams),
        What::Meltano { pip_url } => definition(&pip_url.unwrap_or_else(package)),
        What::Man => manual(command)?,
        What::Python => python::settings(),
        What::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, command, "kometsales", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    stdout.say(&text)
}

/// One page: the commands follow each other on it.
fn manual(command: &mut Command) -> Result<String> {
    command.build();
    let mut page = Vec::new();
    let top = Man::new(command.clone()).date("");
    let mut write = || {
        top.render_title(&mut page)?;
        top.render_name_section(&mut page)?;
        top.render_synopsis_section(&mut page)?;
        top.render_description_section(&mut page)?;
        top.render_options_section(&mut page)?;
        for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            writeln!(page, ".SH {}", one.get_name().to_uppercase())?;
            writeln!(page, "{}", one.get_about().map(ToString::to_string).unwrap_or_default())?;
            let mut section = Vec::new();
            Man::new(one.clone()).render_options_section(&mut section)?;
            page.write_all(String::from_utf8_lossy(&section).replace(".SH ", ".SS ").as_bytes())?;
        }
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|error| Error::bug("The manual page could not be written").caused_by(error))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn pretty(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}
