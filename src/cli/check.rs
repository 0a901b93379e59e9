//! `check`: whether a configuration works, as Airbyte asks it, or in a sentence for people.

use std::path::PathBuf;

use clap::Args;

use super::environment::Environment;
use super::settings::Flags;
use crate::airbyte;
use crate::airbyte::sink::Console;
use crate::config::UnknownKeys;
use crate::error::{Failed, Result};
use crate::input::Input;
use crate::log::{Level, Log};
use crate::model::Stream;
use crate::output::stderr::Stderr;
use crate::output::stdout::Stdout;
use crate::source::Source;

/// What to check, and for whom.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration (JSON); - reads standard input; may come several times, and later ones count
    #[arg(long, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// Answer in a sentence and by the exit code; settings may be flags and KOMETSALES_* variables too
    #[arg(long)]
    pub(super) text: bool,
    #[command(flatten)]
    settings: Flags,
}

impl Options {
    /// Options that contradict each other.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if !self.text && !self.settings.is_empty() {
            return Err(
                "settings can be flags with --text; without it the answer is for Airbyte, and the file alone counts",
            );
        }
        Ok(())
    }
}

/// Answers with one cheap request to each stream's method.
pub(super) fn run(
    options: &Options,
    level: Level,
    stdout: Stdout,
    streams: &[&'static Stream],
) -> Result<(), Failed> {
    if options.text {
        return Ok(in_a_sentence(options, level, stdout, streams)?);
    }
    let files: Vec<Input> = options.config.iter().map(|path| Input::of(path)).collect();
    airbyte::check(&Console::new(stdout, level), streams, &files, Environment::machine())
}

fn in_a_sentence(
    options: &Options,
    level: Level,
    mut stdout: Stdout,
    streams: &[&'static Stream],
) -> Result<()> {
    let log = Stderr::new(level, Environment::singer_log_config().as_deref());
    let (config, warnings) = options.settings.config(&options.config, UnknownKeys::Warn)?;
    log.hide(&config.token);
    warnings.iter().for_each(|warning| log.warn(warning));
    let source = Source::new(&config, Environment::machine(), &log);
    streams.iter().try_for_each(|stream| source.check(stream))?;
    let host = config.base_url.host_str().unwrap_or_default();
    let port = config.base_url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let methods: Vec<&str> = streams.iter().map(|stream| stream.method).collect();
    stdout.say(&format!(
        "The configuration works: Komet Sales ({host}{port}) accepts the token for {}.\n",
        methods.join(", ")
    ))
}
