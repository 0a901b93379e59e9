//! Singer: a tap with the bare flags that every tap has.

use std::path::PathBuf;
use std::time::Instant;

use chrono::Utc;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::config::people::privacy_of_schema;
use crate::config::privacy::Privacy;
use crate::config::{Config, UnknownKeys, protocol_flag, settings};
use crate::error::{Failed, Result};
use crate::input::Input;
use crate::log::{Level, Log};
use crate::model::{Stream, Timestamp, docs};
use crate::output::stderr::{Metric, Stderr};
use crate::output::stdout::Stdout;
use crate::plan::{Mode, Plan, Request};
use crate::receipt::Receipt;
use crate::source::{Machine, Source};
use crate::sync::{self, RejectLimits};

pub mod catalog;
pub mod definition;
mod members;
pub mod sink;
pub mod state;

use catalog::{Catalog, Wanted, discovered, everything};
use sink::Tap;
use state::Bookmarks;

/// The setting that only Singer knows.
const ACTIVATE_VERSIONS: &str = "emit_activate_version_messages";

/// What it means.
const ACTIVATE_VERSIONS_DESCRIPTION: &str = "Give every record a version, and activate a new one behind a complete list, so that a target can remove what is not in it.";

/// What settings are called in the environment, before their names in capitals.
pub const PREFIX: &str = "TAP_KOMETSALES_";

/// What the tap can do, in the words of Meltano's SDK.
const CAPABILITIES: [&str; 7] =
    ["catalog", "discover", "state", "about", "test", "activate-version", "structured-logging"];

/// What surrounds a tap: the doors read no environment themselves.
pub struct Surroundings<'a> {
    /// What the machine offers to whoever asks the API.
    pub machine: Machine,
    /// The file in which Meltano says how it wants to be logged to.
    pub log_config: Option<PathBuf>,
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Result<Option<String>>,
}

/// The flags of a tap.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Singer")]
pub struct Options {
    /// The configuration (JSON); may come several times, and later ones count; - reads standard input, ENV
    /// the variables TAP_KOMETSALES_*
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Show what can be read; needs no network and no valid configuration
    #[arg(long)]
    discover: bool,
    /// The catalog: what is selected (JSON); everything without one
    #[arg(long, alias = "properties", value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The state that the last run ended with (JSON)
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Describe the tap and its settings
    #[arg(long)]
    about: bool,
    /// How to describe it
    #[arg(long, value_name = "FORMAT", default_value = "markdown", requires = "about")]
    format: Format,
    /// Test whether the configuration works, with one cheap request; =schema only shows the schemas
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    test: Option<Test>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    Json,
    #[default]
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Test {
    All,
    Schema,
}

impl Options {
    /// The files that are to be read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.config.iter().chain(&self.catalog).chain(&self.state)
    }

    /// Takes the configurations away, for a command: `--config` may come before it.
    pub fn take_config(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.config)
    }

    /// Checks what the parser cannot: a verb has its own flags, and without a verb there must be a flag.
    pub fn check(&self, has_verb: bool) -> Result<(), &'static str> {
        let is_used = !self.config.is_empty()
            || self.discover
            || self.catalog.is_some()
            || self.state.is_some()
            || self.about
            || self.test.is_some();
        match (has_verb, is_used) {
            (true, true) => Err(
                "flags of the Singer protocol do not go with a command: put the command first, and its flags behind it",
            ),
            (false, false) => Err(
                "say what to do: a command, or the flags of the Singer protocol; --help shows both",
            ),
            _ => Ok(()),
        }
    }
}

/// Runs the tap.
///
/// # Errors
/// [`Failed::Reported`], with the exit code.
pub fn run(
    options: &Options,
    surroundings: &Surroundings<'_>,
    level: Level,
    mut stdout: Stdout,
    streams: &'static [&'static Stream],
) -> Result<(), Failed> {
    let log = Stderr::new(level, surroundings.log_config.as_deref());
    let done = if options.about {
        stdout.say(&about(options.format, streams))
    } else if options.discover {
        let privacy = privacy_of_schema(&readable_parts(&options.config, surroundings));
        privacy.and_then(|privacy| stdout.say(&format!("{:#}\n", discovered(streams, &privacy))))
    } else {
        synchronise(options, surroundings, &log, stdout, streams)
    };
    done.map_err(|error| {
        if !error.is_quiet() {
            log.critical(&error.to_string());
        }
        Failed::Reported(error.kind().exit_code())
    })
}

fn synchronise(
    options: &Options,
    surroundings: &Surroundings<'_>,
    log: &Stderr,
    stdout: Stdout,
    streams: &'static [&'static Stream],
) -> Result<()> {
    let parts = parts(&options.config, surroundings)?;
    if options.test == Some(Test::Schema) {
        let mut tap = Tap::new(stdout, Bookmarks::default(), false, log);
        let wanted = everything(streams, &privacy_of_schema(&parts)?);
        return wanted.iter().try_for_each(|wanted| tap.schema(wanted));
    }
    let (config, warnings) = Config::merge(&parts, &[ACTIVATE_VERSIONS], UnknownKeys::Warn)?;
    log.hide(&config.token);
    warnings.iter().for_each(|warning| log.warn(warning));
    let source = Source::new(&config, surroundings.machine.clone(), log);
    if options.test.is_some() {
        streams.iter().try_for_each(|stream| source.check(stream))?;
        log.info("The configuration works: the API accepts the token.");
        return Ok(());
    }
    let wanted = wanted(options, log, streams, &config.privacy)?;
    let bookmarks = match &options.state {
        Some(path) => Bookmarks::parse(&Input::of(path).read("state")?, &Input::of(path).name())?,
        None => Bookmarks::default(),
    };
    bookmarks.warnings(streams).iter().for_each(|warning| log.warn(warning));
    let plan = |wanted: &Wanted| {
        let Wanted { stream, selection, mode, .. } = wanted;
        let state = match mode {
            Mode::FullRefresh => None,
            Mode::Incremental => bookmarks.of(stream, config.zone)?,
        };
        let (selection, mode) = (selection.clone(), *mode);
        let request = Request { stream, selection, mode, state, full_list_hours: None };
        Ok(Plan::new(&config, request, Timestamp::from(Utc::now())).for_lines())
    };
    let plans = wanted.iter().map(plan).collect::<Result<Vec<Plan>>>()?;
    let activate_versions = protocol_flag(&parts, ACTIVATE_VERSIONS)?.unwrap_or(false);
    let mut tap = Tap::new(stdout, bookmarks, activate_versions, log);
    for (wanted, plan) in wanted.iter().zip(&plans) {
        let started = Instant::now();
        let limits = RejectLimits::listed(config.max_rejects);
        let receipt = sync::run(&source, plan, &mut tap.stream(wanted), limits, log)?;
        measure(&receipt, started, log);
    }
    Ok(())
}

fn wanted(
    options: &Options,
    log: &Stderr,
    streams: &'static [&'static Stream],
    privacy: &Privacy,
) -> Result<Vec<Wanted>> {
    let Some(path) = &options.catalog else { return Ok(everything(streams, privacy)) };
    let input = Input::of(path);
    let catalog = Catalog::parse(&input.read("catalog")?, &input.name())?;
    let (wanted, warnings) = catalog.wanted(streams, privacy)?;
    warnings.iter().for_each(|warning| log.warn(warning));
    Ok(wanted)
}

/// Those of the configurations that can be read: what can be read of the API is asked without any.
fn readable_parts(paths: &[PathBuf], surroundings: &Surroundings<'_>) -> Vec<(Vec<u8>, String)> {
    let part = |path: &PathBuf| parts(std::slice::from_ref(path), surroundings).ok();
    paths.iter().filter_map(part).flatten().collect()
}

/// The configurations in their order, each with its origin.
fn parts(paths: &[PathBuf], surroundings: &Surroundings<'_>) -> Result<Vec<(Vec<u8>, String)>> {
    let part = |path: &PathBuf| {
        if path.as_os_str() == "ENV" {
            let names = settings::SETTINGS.iter().map(|setting| setting.key);
            let mut values = serde_json::Map::new();
            for name in names.chain([ACTIVATE_VERSIONS]) {
                let variable = format!("{PREFIX}{}", name.to_ascii_uppercase());
                if let Some(value) = (surroundings.variable)(&variable)? {
                    values.insert(name.to_owned(), value.into());
                }
            }
            return Ok((Value::Object(values).to_string().into_bytes(), "the environment".into()));
        }
        let input = Input::of(path);
        Ok((input.read("configuration")?, input.name()))
    };
    paths.iter().map(part).collect()
}

fn measure(receipt: &Receipt, started: Instant, log: &Stderr) {
    let stream = receipt.stream.name;
    let seconds = |value: f64| json!((value * 1000.0).round() / 1000.0);
    for (kind, name, value) in [
        ("counter", "record_count", json!(receipt.rows)),
        ("counter", "http_request_count", json!(receipt.requests)),
        ("timer", "http_request_duration", seconds(receipt.elapsed.as_secs_f64())),
        ("timer", "sync_duration", seconds(started.elapsed().as_secs_f64())),
    ] {
        log.metric(&Metric { kind, name, value, stream });
    }
}

fn about(format: Format, streams: &[&Stream]) -> String {
    let mut schema = settings::json_schema();
    schema["properties"][ACTIVATE_VERSIONS] = json!({
        "type": "boolean",
        "title": "Emit ACTIVATE_VERSION",
        "description": ACTIVATE_VERSIONS_DESCRIPTION,
        "default": false,
    });
    let (name, version) = ("tap-kometsales", env!("CARGO_PKG_VERSION"));
    let description = env!("CARGO_PKG_DESCRIPTION");
    match format {
        Format::Json => format!(
            "{:#}\n",
            json!({
                "name": name,
                "description": description,
                "version": version,
                "sdk_version": null,
                "supported_python_versions": null,
                "capabilities": CAPABILITIES,
                "settings": schema,
            })
        ),
        Format::Markdown => {
            let capabilities: Vec<String> =
                CAPABILITIES.iter().map(|name| format!("* `{name}`\n")).collect();
            let mut text = format!(
                "# `{name}` {version}\n\n{description}\n\n## Capabilities\n\n{}\n## Settings\n\n{}",
                capabilities.concat(),
                settings::markdown()
            );
            let own = &schema["properties"][ACTIVATE_VERSIONS]["description"];
            let own = own.as_str().unwrap_or_default();
            text.push_str(&format!("| `{ACTIVATE_VERSIONS}` | boolean | `false` | {own} |\n"));
            for stream in streams {
                text.push_str(&format!(
                    "\n## Stream `{}`\n\n{}",
                    stream.name,
                    docs::markdown(stream)
                ));
            }
            text
        }
    }
}
