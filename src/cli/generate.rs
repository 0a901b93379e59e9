//! `generate`: what is derived from the declarations, so that none of it is written by hand.

use clap::{Command, Subcommand};
use clap_complete::Shell;

use crate::airbyte::message::specification;
use crate::config::settings;
use crate::error::Result;
use crate::model::Stream;
use crate::model::docs::markdown;
use crate::model::json_schema::json_schema;
use crate::output::stdout::Stdout;
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
    /// The settings and the fields of every stream, as Markdown
    Docs,
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
        What::Docs => docs(streams),
        What::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, command, "kometsales", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    stdout.say(&text)
}

fn pretty(json: &serde_json::Value) -> String {
    format!("{json:#}\n")
}

fn docs(streams: &[&Stream]) -> String {
    let mut text = format!("## Settings\n\n{}", settings::markdown());
    for stream in streams {
        let (name, about) = (stream.name, stream.documentation);
        text.push_str(&format!("\n## Stream `{name}`\n\n{about}\n\n{}", markdown(stream)));
    }
    text
}
