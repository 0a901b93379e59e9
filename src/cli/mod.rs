//! The command line: what to do, with which files, and the exit code.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::airbyte;
use crate::airbyte::sink::Console;
use crate::error::{Error, Failed};
use crate::input::Input;
use crate::log::Level;
use crate::model::Stream;
use crate::output::stdout::Stdout;
use crate::singer;

#[cfg(not(feature = "export"))]
mod absent;
mod check;
#[cfg(feature = "export")]
mod companies;
mod core_dump;
mod demo;
#[cfg(feature = "export")]
mod difference;
mod environment;
#[cfg(feature = "export")]
mod export;
mod failure;
#[cfg(feature = "export")]
mod forget;
mod generate;
#[cfg(feature = "export")]
mod memory;
mod paint;
#[cfg(feature = "export")]
mod progress;
mod python;
mod reference;
mod settings;
#[cfg(feature = "export")]
mod show;
mod signals;
mod simulate;
#[cfg(feature = "export")]
mod summary;
#[cfg(feature = "export")]
mod vacuum;

use environment::Environment;
use failure::Report;
use signals::Watch;

/// The exit code of a command line that is not understood: that of every tool of this kind.
pub(crate) const USAGE: u8 = 2;

/// Gets a flower company's customers out of Komet Sales and into its warehouse.
#[derive(Debug, Parser)]
#[command(name = "kometsales", version, max_term_width = 80)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Log more detail (like LOG_LEVEL=debug)
    #[arg(long, short = 'v', alias = "verbose", global = true)]
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
    /// Remove files that no kept version of a table needs
    #[cfg(feature = "export")]
    Vacuum(vacuum::Options),
    #[cfg(not(feature = "export"))]
    #[command(name = "export", aliases = ["show", "vacuum"], hide = true, disable_help_flag = true)]
    Absent(absent::Options),
    /// See it work against the built-in simulator; needs no token
    Demo(demo::Options),
    /// Run a fake Komet Sales API on this machine, for testing pipelines
    Simulate(simulate::Options),
    /// Airbyte: show what can be configured
    Spec,
    /// Airbyte: test whether a configuration works, with one cheap request
    Check(check::Options),
    /// Airbyte: show what can be read; needs no network
    Discover(SchemaConfigFiles),
    /// Airbyte: read the streams of a catalog
    Read {
        #[command(flatten)]
        config: ConfigFiles,
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
    /// What is logged where nobody asks for more: where a protocol wants messages they say what is done; a person
    /// reads the summary.
    fn level(&self) -> Level {
        match self {
            #[cfg(feature = "export")]
            Self::Export(_) | Self::Vacuum(_) => Level::Warn,
            Self::Check(options) if options.text => Level::Warn,
            _ => Level::Info,
        }
    }

    /// Where the command keeps its configurations, if it takes any.
    fn config(&mut self) -> Option<&mut Vec<PathBuf>> {
        match self {
            #[cfg(feature = "export")]
            Self::Export(options) => Some(&mut options.config),
            Self::Check(options) => Some(&mut options.config),
            Self::Discover(files) => Some(&mut files.config),
            Self::Read { config, .. } => Some(&mut config.config),
            _ => None,
        }
    }

    /// Takes over the configurations that came before the command.
    fn adopt(&mut self, singer: &mut singer::Options) {
        if let Some(config) = self.config() {
            config.splice(..0, singer.take_config());
        }
    }

    /// Options that contradict each other, or are missing.
    fn check(&self) -> Result<(), &'static str> {
        const NO_CONFIG: &str = "a configuration is missing: name it with --config FILE";
        match self {
            Self::Check(options) if !options.text && options.config.is_empty() => Err(NO_CONFIG),
            Self::Check(options) => {
                read_once(options.config.iter())?;
                options.check()
            }
            Self::Read { config: ConfigFiles { config }, .. } if config.is_empty() => {
                Err(NO_CONFIG)
            }
            Self::Read { config: ConfigFiles { config }, catalog, state } => {
                read_once(config.iter().chain([catalog]).chain(state.as_ref()))
            }
            #[cfg(feature = "export")]
            Self::Export(options) => {
                read_once(options.config.iter().chain(options.companies.paths()))?;
                options.check()
            }
            #[cfg(feature = "export")]
            Self::Vacuum(options) => options.check(),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Args)]
struct ConfigFiles {
    /// The configuration (JSON); - reads standard input; may come several times, and later ones count
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct SchemaConfigFiles {
    /// The configuration (JSON): which fields are excluded or hashed; nothing else of it is needed
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
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
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.len() < 2 {
        let _ = write!(std::io::stderr(), "{}", short_help());
        return ExitCode::from(USAGE);
    }
    let report = Report::of(&arguments);
    let arguments = match understood(&arguments) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // A place is refused by what it means, not by how the command line is written.
            let meant = answer.source().and_then(|cause| cause.downcast_ref::<Error>());
            return meant
                .map_or_else(|| report.answer(&answer, &arguments), |error| report.failure(error));
        }
    };
    let attempt = AssertUnwindSafe(|| perform(arguments, report, streams));
    // What a bug left behind is not looked at again: the process ends.
    let done = catch_unwind(attempt).unwrap_or_else(|_| Err(Failed::Unreported(bug())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Reported(code)) => ExitCode::from(code),
        Err(Failed::Unreported(error)) => report.failure(&error),
    }
}

/// What there is to do, for whoever calls the program without a word.
fn short_help() -> StyledStr {
    let template = "{about}\n\nUsage: {name} <COMMAND>\n\n{subcommands}\n\n{name} --help            shows Singer's flags too\n{name} COMMAND --help    shows what a command takes\n";
    Arguments::command().help_template(template).render_help()
}

/// The arguments, if they fit together.
fn understood(arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut program = Arguments::command();
    let matches = program.try_get_matches_from_mut(arguments)?;
    let mut understood = Arguments::from_arg_matches(&matches)?;
    let Arguments { command, singer, .. } = &mut understood;
    let fits = match command {
        Some(command) => {
            command.adopt(singer);
            command.check()
        }
        None => read_once(singer.files()),
    };
    fits.and_then(|()| singer.check(command.is_some())).map_err(|contradiction| {
        let own = matches.subcommand_name().and_then(|name| program.find_subcommand_mut(name));
        let kind = clap::error::ErrorKind::ArgumentConflict;
        match own {
            Some(command) => command.error(kind, contradiction),
            None => program.error(kind, contradiction),
        }
    })?;
    Ok(understood)
}

fn perform(
    arguments: Arguments,
    report: Report,
    streams: &'static [&'static Stream],
) -> Result<(), Failed> {
    let Arguments { command, singer, debug } = arguments;
    let least = command.as_ref().map_or(Level::Info, Command::level);
    let level = if debug { Level::Debug } else { Environment::log_level().unwrap_or(least) };
    core_dump::prevent();
    let signals = Watch::start()?;
    let stdout = Stdout::open()?;
    match command {
        Some(command) => run(command, level, stdout, streams, &signals, report),
        None => {
            let surroundings = singer::Surroundings {
                machine: Environment::machine(),
                log_config: Environment::singer_log_config(),
                variable: &Environment::setting,
            };
            singer::run(&singer, &surroundings, level, stdout, streams)
        }
    }
}

fn bug() -> Error {
    Error::system(
        "This is a bug in kometsales. Please report it, with the place that stderr names.",
    )
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
    #[cfg_attr(
        not(feature = "export"),
        expect(unused_variables, reason = "only exports end in one object")
    )]
    report: Report,
) -> Result<(), Failed> {
    let console = |stdout| Console::new(stdout, level);
    match command {
        Command::Spec => Ok(airbyte::spec(&console(stdout))?),
        Command::Discover(SchemaConfigFiles { config }) => {
            let config: Vec<Input> = config.iter().map(|path| Input::of(path)).collect();
            airbyte::discover(&console(stdout), streams, &config)
        }
        Command::Check(options) => check::run(&options, level, stdout, streams),
        Command::Read { config: ConfigFiles { config }, catalog, state } => {
            let files = airbyte::ReadFiles {
                config: config.iter().map(|path| Input::of(path)).collect(),
                catalog: Input::of(&catalog),
                state: state.as_deref().map(Input::of),
            };
            airbyte::read(&console(stdout), streams, &files, Environment::machine())
        }
        #[cfg(feature = "export")]
        Command::Export(options) => export::run(&options, level, stdout, streams, signals, report),
        #[cfg(feature = "export")]
        Command::Show(options) => Ok(show::run(&options, stdout, streams)?),
        #[cfg(feature = "export")]
        Command::Vacuum(options) => vacuum::run(&options, level, stdout, streams, signals, report),
        #[cfg(not(feature = "export"))]
        Command::Absent(_) => Err(absent::refused().into()),
        Command::Demo(options) => Ok(demo::run(&options, stdout)?),
        Command::Simulate(options) => Ok(simulate::run(&options, stdout)?),
        Command::Generate { what } => {
            Ok(generate::run(what, &mut Arguments::command(), streams, stdout)?)
        }
    }
}
