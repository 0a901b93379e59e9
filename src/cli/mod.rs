//! The command line: what to do, with which files, and the exit code.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::log::Level;
use crate::model::Stream;
use crate::sink::airbyte::Console;
use crate::source::Scratch;

pub mod airbyte;
mod demo;
mod export;
mod generate;
mod memory;
mod paint;
mod progress;
mod show;
mod signals;
mod simulate;
mod singer;
mod stderr;
mod summary;

/// The exit code of a command line that is not understood: that of every tool of this kind.
const USAGE: u8 = 2;

/// Gets a flower company's customers out of Komet Sales and into its warehouse.
#[derive(Debug, Parser)]
#[command(name = "kometsales", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Also say what helps to find a fault (as LOG_LEVEL=debug does)
    #[arg(long, global = true)]
    debug: bool,
    #[command(flatten)]
    singer: singer::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Export customers to a Delta table, a Parquet file or an Arrow stream; run again to keep it current
    Export(export::Options),
    /// Show what is in an exported table or file
    Show(show::Options),
    /// See the whole product work against the built-in simulator; needs no token
    Demo(demo::Options),
    /// Stand in for the Komet Sales API on loopback, for tests of pipelines
    Simulate(simulate::Options),
    /// Write what is derived from the declarations: schemas, specification, documentation, completions
    Generate {
        /// What to write
        #[command(subcommand)]
        what: generate::What,
    },
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

/// The commands that need the libraries for tables and stores. A program that does not name [`TABLES`] is
/// linked without them.
#[derive(Debug, Clone, Copy)]
pub struct Tables {
    export: fn(&export::Options, Level, File, &[&'static Stream]) -> Result<(), Failed>,
    show: fn(&show::Options, File, &[&'static Stream]) -> Result<()>,
}

/// `export` and `show`.
pub static TABLES: Tables = Tables { export: export::run, show: show::run };

/// Runs a command line with these streams, and with or without the commands for tables. What it answers
/// goes to stdout, the exit code says how it went: 0, 2 for a command line that is not understood, or the
/// [`exit code`](crate::error::Kind) of the failure.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    streams: &'static [&'static Stream],
    tables: Option<&'static Tables>,
) -> ExitCode {
    // What a fault of this program says may quote what it was working on: only its place is shown.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "This program has a fault at {place}: report it.");
    }));
    let mut program = Arguments::command();
    if tables.is_none() {
        for name in ["export", "show"] {
            program = program.mut_subcommand(name, |command| command.hide(true));
        }
    }
    let parsed = program
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are answers too, and go to stdout.
            let _ = answer.print();
            return ExitCode::from(if answer.use_stderr() { USAGE } else { 0 });
        }
    };
    let Arguments { command, singer, debug } = arguments;
    // Where a protocol asks for messages they say what is done; a person is told by the summary.
    let quiet = matches!(command, Some(Command::Export(_)));
    let least = if quiet { Level::Warn } else { Level::Info };
    let level = if debug { Level::Debug } else { Environment::log_level().unwrap_or(least) };
    let once = match &command {
        Some(Command::Read { config, catalog, state }) => {
            read_once([Some(&config.config), Some(catalog), state.as_ref()].into_iter().flatten())
        }
        Some(Command::Export(options)) => read_once(options.config.iter().chain(singer.files())),
        _ => read_once(singer.files()),
    };
    let export = match &command {
        Some(Command::Export(options)) => options.check(),
        _ => Ok(()),
    };
    let fits = once.and(export).and_then(|()| singer.check(command.is_some()));
    if let Err(answer) = fits {
        let mut program = Arguments::command();
        let _ = program.error(clap::error::ErrorKind::ArgumentConflict, answer).print();
        return ExitCode::from(USAGE);
    }
    let done = stdout().and_then(|stdout| match command {
        Some(command) => run(command, level, stdout, streams, tables),
        None => singer::run(&singer, level, stdout, streams),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Told(code)) => ExitCode::from(code),
        Err(Failed::Untold(error)) => {
            if !error.is_quiet() {
                let _ = writeln!(std::io::stderr(), "error: {error}");
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Standard input can be read once.
fn read_once<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<(), &'static str> {
    match paths.filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err("only one file can come from standard input: give the others by their path"),
    }
}

/// A command failed: the user has been told, or has yet to be.
#[derive(Debug)]
pub enum Failed {
    /// With this exit code; the reason has been said in the way of the protocol.
    Told(u8),
    /// The reason has yet to be said.
    Untold(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Untold(error)
    }
}

fn run(
    command: Command,
    level: Level,
    stdout: File,
    streams: &'static [&'static Stream],
    tables: Option<&'static Tables>,
) -> Result<(), Failed> {
    let with_tables = || {
        tables.ok_or_else(|| {
            Error::config("This program reads for Airbyte and Singer alone, to keep its image small. `export` and `show` are in the program of the wheel.")
        })
    };
    let console = |stdout| Console::new(stdout, level);
    match command {
        Command::Spec => Ok(airbyte::spec(&console(stdout))?),
        Command::Discover(_) => Ok(airbyte::discover(&console(stdout), streams)?),
        Command::Check(ConfigFile { config }) => {
            airbyte::check(&console(stdout), streams, &Input::of(&config))
        }
        Command::Read { config: ConfigFile { config }, catalog, state } => {
            let files = airbyte::ReadFiles {
                config: Input::of(&config),
                catalog: Input::of(&catalog),
                state: state.as_deref().map(Input::of),
            };
            airbyte::read(&console(stdout), streams, &files)
        }
        Command::Export(options) => (with_tables()?.export)(&options, level, stdout, streams),
        Command::Show(options) => Ok((with_tables()?.show)(&options, stdout, streams)?),
        Command::Demo(options) => Ok(demo::run(&options, stdout, tables.is_some())?),
        Command::Simulate(options) => Ok(simulate::run(&options, stdout)?),
        Command::Generate { what } => {
            Ok(generate::run(what, &mut Arguments::command(), streams, stdout)?)
        }
    }
}

/// stdout, without the buffer that would write it line by line.
fn stdout() -> Result<File, Failed> {
    let stdout = std::io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|error| {
        Error::system(format!("stdout is not open: {error}. Give the program one."))
            .caused_by(error)
    })?;
    Ok(File::from(stdout))
}

/// A file that the user named, or standard input.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Standard,
    /// JSON in place of a file's name. It may hold the token, so it is not kept.
    Inline,
    /// Its content, known already.
    Given(Vec<u8>),
}

impl Input {
    fn of(path: &Path) -> Self {
        match path.to_string_lossy().trim_start() {
            "-" => Self::Standard,
            text if text.starts_with(['{', '[']) => Self::Inline,
            _ => Self::File(path.to_owned()),
        }
    }

    /// What it is called in messages.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Standard => "standard input".to_owned(),
            Self::Inline => "the command line".to_owned(),
            Self::Given(_) => "given".to_owned(),
        }
    }

    /// Its content; `what` it is goes into the message if it cannot be read.
    fn read(&self, what: &str) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = match self {
            Self::File(path) => {
                File::open(path).and_then(|mut file| file.read_to_end(&mut content))
            }
            Self::Standard => std::io::stdin().lock().read_to_end(&mut content),
            Self::Inline => {
                return Err(Error::config(format!(
                    "The {what} stands on the command line, where every user of this machine can see it. Put it into a file and give its path, or - for standard input."
                )));
            }
            Self::Given(given) => {
                content.clone_from(given);
                Ok(given.len())
            }
        };
        read.map_err(|error| {
            Error::config(format!(
                "The {what} ({}) cannot be read: {error}. Check the path and its permissions.",
                self.name()
            ))
        })?;
        Ok(content)
    }
}

/// Reads and checks a configuration.
fn read_config(input: &Input) -> Result<(Config, Vec<String>)> {
    Config::parse(&input.read("configuration")?, &input.name())
}

/// What the environment says. Nothing else of the crate reads it.
struct Environment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
impl Environment {
    fn log_level() -> Option<Level> {
        let level = std::env::var("LOG_LEVEL").unwrap_or_default().to_ascii_lowercase();
        match level.as_str() {
            "debug" | "trace" => Some(Level::Debug),
            "info" => Some(Level::Info),
            "warn" | "warning" => Some(Level::Warn),
            "error" | "fatal" | "critical" => Some(Level::Error),
            _ => None,
        }
    }

    /// What glibc reads its threshold from (`mallopt(3)`).
    const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

    /// Whether the user has told glibc how to allocate, or this program has told itself.
    fn says_how_to_allocate() -> bool {
        [Self::MMAP_THRESHOLD, "GLIBC_TUNABLES"].iter().any(|name| std::env::var_os(name).is_some())
    }

    /// The token, for an export without a configuration.
    fn token() -> Option<String> {
        std::env::var("KOMETSALES_AUTHENTICATION_TOKEN").ok().filter(|token| !token.is_empty())
    }

    /// What the environment says to the tools of object stores.
    fn store_settings() -> Vec<(String, String)> {
        let words = ["AWS_", "GOOGLE_", "AZURE_"];
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| words.iter().any(|word| name.starts_with(word)))
            .collect()
    }

    /// The settings among the environment's variables, `TAP_KOMETSALES_` before their names in capitals.
    fn settings(names: impl Iterator<Item = &'static str>) -> Vec<(&'static str, String)> {
        let value = |name: &str| {
            std::env::var(format!("TAP_KOMETSALES_{}", name.to_ascii_uppercase())).ok()
        };
        names.filter_map(|name| Some((name, value(name)?))).collect()
    }

    /// The file in which Meltano says how it wants to be logged to.
    fn singer_log_config() -> Option<PathBuf> {
        std::env::var_os("SINGER_SDK_LOG_CONFIG").map(PathBuf::from)
    }

    /// Where temporary files may go: `TMPDIR`, `/tmp`, and what Airbyte's images can write.
    fn scratch() -> Scratch {
        let named = std::env::var("TMPDIR").ok().filter(|folder| !folder.is_empty());
        let folders = named.map(PathBuf::from).into_iter();
        Scratch::new(folders.chain(["/tmp".into(), "/airbyte".into()]).collect())
    }

    /// Whether the terminal can do more than take lines.
    fn is_capable() -> bool {
        std::env::var("TERM").as_deref() != Ok("dumb")
    }

    /// Whether the terminal's user asked for no colours (`no-color.org`).
    fn wants_colour() -> bool {
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && Self::is_capable()
    }
}
