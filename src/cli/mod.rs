//! The command line: what to do, with which files, and the exit code.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::airbyte;
use crate::airbyte::sink::Console;
use crate::error::{Error, Failed};
use crate::input::Input;
use crate::log::{Level, escaped};
use crate::model::Stream;
use crate::output::stdout::Stdout;
use crate::singer;

#[cfg(not(feature = "export"))]
mod absent;
mod core_dump;
mod demo;
mod environment;
#[cfg(feature = "export")]
mod export;
mod generate;
#[cfg(feature = "export")]
mod memory;
mod paint;
#[cfg(feature = "export")]
mod progress;
#[cfg(feature = "export")]
mod show;
mod signals;
mod simulate;
#[cfg(feature = "export")]
mod summary;

use environment::Environment;
use signals::Watch;

/// The exit code of a command line that is not understood: that of every tool of this kind.
const USAGE: u8 = 2;

/// Gets a flower company's customers out of Komet Sales and into its warehouse.
#[derive(Debug, Parser)]
#[command(name = "kometsales", version, max_term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Log more detail (like LOG_LEVEL=debug)
    #[arg(long, global = true)]
    debug: bool,
    #[command(flatten)]
    singer: singer::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Export to a Delta table, a Parquet file or an Arrow stream
    #[cfg(feature = "export")]
    Export(export::Options),
    /// Show what is in an exported table or file
    #[cfg(feature = "export")]
    Show(show::Options),
    #[cfg(not(feature = "export"))]
    #[command(name = "export", alias = "show", hide = true, disable_help_flag = true)]
    Absent(absent::Options),
    /// See it work against the built-in simulator; needs no token
    Demo(demo::Options),
    /// Run a fake Komet Sales API on this machine, for testing pipelines
    Simulate(simulate::Options),
    /// Airbyte: show what can be configured
    Spec,
    /// Airbyte: test whether a configuration works, with one cheap request
    Check(ConfigFile),
    /// Airbyte: show what can be read; needs no network
    Discover(OptionalConfigFile),
    /// Airbyte: read the streams of a catalog
    Read {
        #[command(flatten)]
        config: ConfigFile,
        /// The configured catalog (JSON)
        #[arg(long, value_name = "FILE")]
        catalog: PathBuf,
        /// The state that the last read ended with (JSON)
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
    /// Print what is generated: schemas, specification, reference, completions
    Generate {
        /// What to write
        #[command(subcommand)]
        what: generate::What,
    },
}

impl Command {
    /// What is logged where nobody asks for more: where a protocol wants messages they say what is done; a person is told by
    /// the summary.
    fn level(&self) -> Level {
        match self {
            #[cfg(feature = "export")]
            Self::Export(_) => Level::Warn,
            _ => Level::Info,
        }
    }

    /// Options that contradict each other.
    fn check(&self, singer: &singer::Options) -> Result<(), &'static str> {
        match self {
            Self::Read { config, catalog, state } => read_once(
                [Some(&config.config), Some(catalog), state.as_ref()].into_iter().flatten(),
            ),
            #[cfg(feature = "export")]
            Self::Export(options) => {
                read_once(options.config.iter().chain(singer.files()))?;
                options.check()
            }
            _ => read_once(singer.files()),
        }
    }
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration (JSON); - reads standard input
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct OptionalConfigFile {
    /// The configuration (JSON); taken for the protocol's sake and not read
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs a command line with these streams. What it answers goes to stdout, the exit code says how it went: 0, 2 for a
/// command line that is not understood, or the [`exit code`](crate::error::Kind) of the failure.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    streams: &'static [&'static Stream],
) -> ExitCode {
    // What a fault of this program says may quote what it was working on: only its place is shown.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "This program has a fault at {place}: report it.");
    }));
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // A place is refused by what it means, not by how the command line is written.
            if let Some(error) = answer.source().and_then(|cause| cause.downcast_ref::<Error>()) {
                return unreported(error);
            }
            // Help and version are answers too, and go to stdout.
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { USAGE } else { 0 });
        }
    };
    let Arguments { command, singer, debug } = arguments;
    let least = command.as_ref().map_or(Level::Info, Command::level);
    let level = if debug { Level::Debug } else { Environment::log_level().unwrap_or(least) };
    let fits = match &command {
        Some(command) => command.check(&singer),
        None => read_once(singer.files()),
    };
    let fits = fits.and_then(|()| singer.check(command.is_some()));
    if let Err(answer) = fits {
        let mut program = Arguments::command();
        let _ = program.error(clap::error::ErrorKind::ArgumentConflict, answer).print();
        return ExitCode::from(USAGE);
    }
    let attempt = AssertUnwindSafe(|| perform(command, &singer, level, streams));
    // What a bug left behind is not looked at again: the process ends.
    let done = catch_unwind(attempt).unwrap_or_else(|_| Err(Failed::Unreported(bug())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Reported(code)) => ExitCode::from(code),
        Err(Failed::Unreported(error)) => unreported(&error),
    }
}

fn perform(
    command: Option<Command>,
    singer: &singer::Options,
    level: Level,
    streams: &'static [&'static Stream],
) -> Result<(), Failed> {
    core_dump::prevent();
    let signals = Watch::start()?;
    let stdout = Stdout::open()?;
    match command {
        Some(command) => run(command, level, stdout, streams, &signals),
        None => {
            let surroundings = singer::Surroundings {
                machine: Environment::machine(),
                log_config: Environment::singer_log_config(),
                variable: &Environment::variable,
            };
            singer::run(singer, &surroundings, level, stdout, streams)
        }
    }
}

fn bug() -> Error {
    Error::system(
        "This is a bug in kometsales. Please report it, with the place that stderr names.",
    )
}

/// Reports a failure on stderr, where nothing else did.
fn unreported(error: &Error) -> ExitCode {
    if !error.is_quiet() {
        let _ = writeln!(std::io::stderr(), "error: {}", escaped(&error.to_string()));
    }
    ExitCode::from(error.kind().exit_code())
}

/// Standard input can be read once.
fn read_once<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), &'static str> {
    match paths.filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err("only one file can come from standard input: give the others by their path"),
    }
}

fn run(
    command: Command,
    level: Level,
    stdout: Stdout,
    streams: &'static [&'static Stream],
    #[cfg_attr(
        not(feature = "export"),
        expect(unused_variables, reason = "only exports clean up")
    )]
    signals: &Watch,
) -> Result<(), Failed> {
    let console = |stdout| Console::new(stdout, level);
    match command {
        Command::Spec => Ok(airbyte::spec(&console(stdout))?),
        Command::Discover(_) => Ok(airbyte::discover(&console(stdout), streams)?),
        Command::Check(ConfigFile { config }) => {
            airbyte::check(&console(stdout), streams, &Input::of(&config), Environment::machine())
        }
        Command::Read { config: ConfigFile { config }, catalog, state } => {
            let files = airbyte::ReadFiles {
                config: Input::of(&config),
                catalog: Input::of(&catalog),
                state: state.as_deref().map(Input::of),
            };
            airbyte::read(&console(stdout), streams, &files, Environment::machine())
        }
        #[cfg(feature = "export")]
        Command::Export(options) => export::run(&options, level, stdout, streams, signals),
        #[cfg(feature = "export")]
        Command::Show(options) => Ok(show::run(&options, stdout, streams)?),
        #[cfg(not(feature = "export"))]
        Command::Absent(_) => Err(absent::refused().into()),
        Command::Demo(options) => Ok(demo::run(&options, stdout)?),
        Command::Simulate(options) => Ok(simulate::run(&options, stdout)?),
        Command::Generate { what } => {
            Ok(generate::run(what, &mut Arguments::command(), streams, stdout)?)
        }
    }
}
