//! Airbyte: the four verbs of its protocol, each on its page.

use std::io::Write;

use chrono::Utc;

use crate::config::people::privacy_of_schema;
use crate::config::{Config, UnknownKeys};
use crate::error::{Error, Failed, Kind, Result};
use crate::input::Input;
use crate::log::Log;
use crate::model::{Stream, Timestamp};
use crate::plan::{Mode, Plan, Request};
use crate::source::{Machine, Source};
use crate::sync::{self, RejectLimits};

pub mod catalog;
pub mod message;
pub mod sink;
pub mod state;

use catalog::{Configured, Wanted, discovered};
use message::Status;
use sink::Console;
use state::Given;

/// The files that `read` is given.
#[derive(Debug)]
pub struct ReadFiles {
    /// The configurations; what a later one says of a key counts.
    pub config: Vec<Input>,
    /// The configured catalog.
    pub catalog: Input,
    /// The state, if there is one.
    pub state: Option<Input>,
}

/// Answers `spec`.
///
/// # Errors
/// `System`: stdout cannot be written.
pub fn spec<W: Write + Send>(console: &Console<W>) -> Result<()> {
    console.say(&message::spec())
}

/// Answers `discover`. It asks nobody, and needs no valid configuration: only which fields are left out or
/// hashed is looked for in one.
///
/// # Errors
/// [`Failed::Reported`], with the exit code: fields are named that are not accepted.
pub fn discover<W: Write + Send>(
    console: &Console<W>,
    streams: &[&'static Stream],
    config: &[Input],
) -> Result<(), Failed> {
    let part = |file: &Input| Some((file.read("configuration").ok()?, file.name()));
    match privacy_of_schema(&config.iter().filter_map(part).collect::<Vec<_>>()) {
        Ok(privacy) => Ok(console.say(&message::catalog(discovered(streams, &privacy)))?),
        Err(error) => Err(reported(console, error, None)),
    }
}

/// Answers `check`: a configuration or a token that does not work is an answer, everything else a
/// failure.
///
/// # Errors
/// [`Failed::Reported`], with the exit code.
pub fn check<W: Write + Send>(
    console: &Console<W>,
    streams: &[&'static Stream],
    config: &[Input],
    machine: Machine,
) -> Result<(), Failed> {
    match try_check(console, streams, config, machine) {
        Ok(()) => Ok(console.connection_status(None)?),
        Err(error) if matches!(error.kind(), Kind::Config | Kind::Auth) => {
            Ok(console.connection_status(Some(&error))?)
        }
        Err(error) => Err(reported(console, error, None)),
    }
}

fn try_check<W: Write + Send>(
    console: &Console<W>,
    streams: &[&'static Stream],
    config: &[Input],
    machine: Machine,
) -> Result<()> {
    let (config, warnings) = read_config(config)?;
    console.hide(&config.token);
    warnings.iter().for_each(|warning| console.warn(warning));
    let source = Source::new(&config, machine, console);
    streams.iter().try_for_each(|stream| source.check(stream))
}

/// Answers `read`: the streams of the catalog one after the other. A stream that fails does not keep the
/// others from being read.
///
/// # Errors
/// [`Failed::Reported`], with the exit code of the first failure.
pub fn read<W: Write + Send>(
    console: &Console<W>,
    streams: &[&'static Stream],
    files: &ReadFiles,
    machine: Machine,
) -> Result<(), Failed> {
    let catalog = files
        .catalog
        .read("configured catalog")
        .and_then(|json| Configured::parse(&json, &files.catalog.name()));
    let catalog = match catalog {
        Ok(catalog) => catalog,
        Err(error) => return Err(reported(console, error, None)),
    };
    read_streams(console, streams, files, &catalog, machine)
}

fn read_streams<W: Write + Send>(
    console: &Console<W>,
    streams: &[&'static Stream],
    files: &ReadFiles,
    catalog: &Configured,
    machine: Machine,
) -> Result<(), Failed> {
    let refuse = |error: Error, stream: Option<&str>| {
        for name in catalog.names() {
            // The error after them says whether stdout is gone.
            let _ = console.status(name, Status::Incomplete);
        }
        Err(reported(console, error, stream))
    };
    let config = match read_config(&files.config) {
        Ok((config, warnings)) => {
            console.hide(&config.token);
            warnings.iter().for_each(|warning| console.warn(warning));
            config
        }
        Err(error) => return refuse(error, None),
    };
    let wanted = match catalog.wanted(streams) {
        Ok(wanted) => wanted,
        Err((error, stream)) => return refuse(error, Some(&stream)),
    };
    if wanted.is_empty() {
        console.warn("The configured catalog has no streams, so nothing is read. Select some.");
    }
    for warning in catalog.warnings(streams, &config.privacy) {
        console.warn(&warning);
    }
    let plans = state(files).and_then(|given| {
        given.check(streams)?.iter().for_each(|warning| console.warn(warning));
        let plan = |Wanted { stream, selection, mode }| {
            let state = match mode {
                Mode::FullRefresh => None,
                Mode::Incremental => given.of(stream, config.zone)?,
            };
            let request = Request { stream, selection, mode, state, full_list_hours: None };
            Ok(Plan::new(&config, request, Timestamp::from(Utc::now())).for_lines())
        };
        wanted.into_iter().map(plan).collect::<Result<Vec<Plan>>>()
    });
    let plans = match plans {
        Ok(plans) => plans,
        Err(error) => return refuse(error, None),
    };

    let source = Source::new(&config, machine, console);
    let limits = RejectLimits::listed(config.max_rejects);
    let mut first_failure = None;
    for plan in &plans {
        match sync::run(&source, plan, &mut &*console, limits, console) {
            Ok(_) => {}
            Err(error) if console.is_lost() => return Err(Failed::Unreported(error)),
            Err(error) => {
                first_failure.get_or_insert(error.kind().exit_code());
            }
        }
    }
    first_failure.map_or(Ok(()), |code| Err(Failed::Reported(code)))
}

fn state(files: &ReadFiles) -> Result<Given> {
    match &files.state {
        Some(file) => Given::parse(&file.read("state")?, &file.name()),
        None => Ok(Given::default()),
    }
}

/// Says why a run failed; what stdout does not take is left to be said elsewhere.
fn reported<W: Write + Send>(console: &Console<W>, error: Error, stream: Option<&str>) -> Failed {
    match console.error(&error, stream) {
        Ok(()) => Failed::Reported(error.kind().exit_code()),
        Err(lost) => Failed::Unreported(lost),
    }
}

/// The files alone: Airbyte says everything in them.
fn read_config(files: &[Input]) -> Result<(Config, Vec<String>)> {
    let part = |file: &Input| Ok((file.read("configuration")?, file.name()));
    let parts = files.iter().map(part).collect::<Result<Vec<_>>>()?;
    Config::merge(&parts, &[], UnknownKeys::Warn)
}
