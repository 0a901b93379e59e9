//! `export --companies`: many companies in one run, and its report.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::Value;

use super::environment::Environment;
use super::failure;
use super::paint::{Paint, plural};
use super::progress::Progress;
use super::signals::Watch;
use super::summary::json_line;
use crate::config::Config;
use crate::document;
use crate::error::{Error, Failed, Result};
use crate::export::Destination;
use crate::export::companies::{
    self, Companies, Line, Name, Outcome, Pace, Part, Shard, Streamed, Summary, To, Tokens, Turns,
};
use crate::export::table::{SharedTable, TableOptions};
use crate::interrupt::Interrupt;
use crate::log::{Level, Log, escaped};
use crate::model::Stream;
use crate::output::stdout::Stdout;
use crate::source::Connections;
use crate::store::{Options as StoreOptions, Store};

/// Which companies.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many companies")]
#[group(skip)]
pub(super) struct Options {
    /// Export each company in these places to a folder of its own below --to: a folder with a file per company
    /// (settings, or its token alone), a .jsonl file with a line per company, or - for such lines. Repeats
    #[arg(long, value_name = "PATH", num_args = 1..)]
    companies: Vec<PathBuf>,
    /// Companies at work at once, and so requests at Komet Sales
    #[arg(long, value_name = "N", default_value_t = 4, requires = "companies", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// The part I of N, counted from 0, for runs that share the companies
    #[arg(long, value_name = "I/N", requires = "companies")]
    shard: Option<Shard>,
    /// One table for all companies, partitioned by company, in place of a table for each
    #[arg(long, requires = "companies")]
    one_table: bool,
    /// This company alone; may come several times. With --forget: whose customers are forgotten, in one table of many
    #[arg(long = "company", value_name = "NAME")]
    only: Vec<String>,
}

/// What one export and many have in common.
pub(super) struct Common<'a> {
    pub(super) stream: &'static Stream,
    pub(super) base: Vec<Part>,
    /// Nothing where tokens are tested alone.
    pub(super) to: Option<&'a Destination>,
    pub(super) table: TableOptions,
    pub(super) single_writer: bool,
    pub(super) is_check: bool,
    pub(super) is_json: bool,
}

impl Options {
    /// Whether many companies are meant.
    pub(super) fn is_used(&self) -> bool {
        !self.companies.is_empty()
    }

    /// The companies that were picked by name.
    pub(super) fn picked(&self) -> &[String] {
        &self.only
    }

    /// Whether they share one table.
    pub(super) fn is_one_table(&self) -> bool {
        self.one_table
    }

    /// The places of companies.
    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.companies.iter()
    }

    /// The companies that are there, of those that were asked for, in no order: what cannot be done for the first
    /// ones must not keep the others waiting for ever.
    fn chosen(&self, companies: &Companies, shard: Shard) -> Result<Vec<Name>> {
        let all = companies.names();
        if let Some(missing) =
            self.only.iter().find(|only| all.iter().all(|name| name.as_str() != *only))
        {
            let missing = missing.escape_debug();
            return Err(Error::config(format!(
                "--company {missing} is not among the {}. Check its spelling.",
                plural(all.len() as u64, "company")
            )));
        }
        let is_asked_for = |name: &&Name| {
            self.only.is_empty() || self.only.iter().any(|only| only == name.as_str())
        };
        let chosen = all.iter().filter(is_asked_for).filter(|name| shard.has(name));
        let mut chosen: Vec<Name> = chosen.cloned().collect();
        fastrand::shuffle(&mut chosen);
        Ok(chosen)
    }
}

/// Exports many companies, and reports what became of each.
pub(super) fn run(
    options: &Options,
    common: Common<'_>,
    stdout: Stdout,
    progress: &Progress,
    signals: &Watch,
    failure: failure::Report,
) -> Result<(), Failed> {
    let done = export(options, common, stdout, progress, signals.interrupt());
    progress.end();
    if signals.interrupt().is_asked() {
        if let Err(error) = &done {
            progress.stderr().critical(&error.to_string());
            if let Some(code) = signals.exit_code() {
                failure.interrupted(code, &error.to_string());
            }
        }
        signals.end();
    }
    match done? {
        0 => Ok(()),
        code => Err(Failed::Reported(code)),
    }
}

/// Returns the exit code.
fn export(
    options: &Options,
    common: Common<'_>,
    stdout: Stdout,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<u8> {
    // What has begun is seen through, and the report is ended.
    interrupt.hold()?;
    refuse_token(&common.base)?;
    let (companies, warnings) = Companies::find(&options.companies, read_stdin)?;
    warnings.iter().for_each(|warning| progress.warn(warning));
    let shard = options.shard.unwrap_or(Shard::WHOLE);
    let chosen = options.chosen(&companies, shard)?;
    let settings = companies::settings_for_all(&common.base)?;
    let (to, stdout) = open(&common, options.one_table, &settings, stdout, interrupt)?;
    let turns = Turns {
        companies: &companies,
        base: common.base,
        stream: common.stream,
        to,
        is_check: common.is_check,
        machine: Environment::machine(),
        interrupt: interrupt.for_part(),
        log: progress,
        tokens: Tokens::default(),
        connections: Connections::default(),
    };
    turns.look()?;
    let place = match common.to {
        Some(Destination::Table(table)) => table.place.to_string(),
        _ => "standard output".to_owned(),
    };
    let mut report = Report { stdout, is_json: common.is_json, progress, place };
    let pace = Pace { jobs: options.jobs.into(), shard };
    progress.stage("Exporting", Some(chosen.len() as u64));
    let turn = |name: &Name| turns.turn(name);
    let commit = |handed_in| turns.commit(handed_in);
    let told = |line: &Line| report.line(line);
    let ended = companies::run(chosen, pace, interrupt, turn, &commit, told);
    // It is noted with the rows, however the run ended after them.
    let vacuumed = turns.vacuum();
    let mut summary = ended?;
    summary.vacuumed(vacuumed);
    progress.end();
    if let To::Shared(table, _) = &turns.to {
        summary.commits = Some(table.commits());
        summary.rebases = Some(table.rebases());
    }
    if let To::Stream(stream) = turns.to
        && !interrupt.is_asked()
    {
        stream.finish()?;
    }
    report.end(&summary, common.stream)?;
    Ok(summary.exit_code())
}

fn read_stdin() -> Result<Vec<u8>> {
    let mut content = Vec::new();
    std::io::stdin().lock().read_to_end(&mut content).map_err(|error| {
        Error::config(format!(
            "The companies (standard input) cannot be read: {error}. Pipe them in, a line each."
        ))
    })?;
    Ok(content)
}

/// Refuses a token for all: each company has its own.
fn refuse_token(base: &[Part]) -> Result<()> {
    for (json, origin) in base {
        let what = format!("The configuration ({origin})");
        let members: BTreeMap<String, Value> = document::parse(json, &what, "Expected an object.")?;
        let token = members.get("authentication_token");
        if token.is_some_and(|token| !token.is_null() && token != "") {
            return Err(Error::config(format!(
                "{origin} has a token, which would be that of every company. Remove it: each company brings its own."
            )));
        }
    }
    Ok(())
}

/// Opens the place. Also gives stdout back where the rows do not go there.
fn open(
    common: &Common<'_>,
    is_one_table: bool,
    settings: &Config,
    stdout: Stdout,
    interrupt: &Interrupt,
) -> Result<(To, Option<Stdout>)> {
    let Some(to) = common.to else { return Ok((To::Nowhere, Some(stdout))) };
    match to {
        Destination::Table(place) => {
            let options = StoreOptions {
                settings: Environment::store_settings(),
                retry_window: settings.retry_window,
                single_writer: common.single_writer,
                interrupt: interrupt.for_part(),
                proxies: Environment::proxies(),
            };
            let store = Store::open(&place.place, &options)?;
            let to = match is_one_table {
                true => {
                    let shared = SharedTable::open(store, place, common.stream, common.table)?;
                    To::Shared(Box::new(shared), common.table)
                }
                false => To::tables(store, place, common.stream, common.table)?,
            };
            Ok((to, Some(stdout)))
        }
        Destination::File(place) => Err(Error::config(format!(
            "{place} is one file, which would look whole without the companies that failed. Use a folder: each company gets a table below it."
        ))),
        Destination::Stdout if stdout.is_terminal() => Err(Error::config(
            "`--to -` writes a binary Arrow stream, which is not for a terminal. Pipe it into a program, or redirect it to a file.",
        )),
        Destination::Stdout => Ok((To::Stream(Streamed::begin(stdout, common.stream)?), None)),
    }
}

/// Says what becomes of the companies.
struct Report<'a> {
    /// Nothing where the rows go there: stderr gets it then.
    stdout: Option<Stdout>,
    is_json: bool,
    progress: &'a Progress,
    place: String,
}

impl Report<'_> {
    fn line(&mut self, line: &Line) -> Result<()> {
        if let Outcome::Failed { message, .. } = &line.outcome {
            self.progress.log(Level::Error, &format!("{}: {message}", line.company));
        }
        self.progress.advance(1);
        if self.is_json { self.say(&json_line(line)?) } else { Ok(()) }
    }

    fn end(&mut self, summary: &Summary, stream: &Stream) -> Result<()> {
        let text = if self.is_json {
            json_line(&serde_json::json!({ "summary": summary }))?
        } else {
            let is_terminal = self.stdout.as_ref().is_some_and(Stdout::is_terminal);
            let paint = Paint::new(is_terminal && Environment::wants_colour());
            text(summary, &self.place, stream, paint)
        };
        self.say(&text)
    }

    fn say(&mut self, text: &str) -> Result<()> {
        match &mut self.stdout {
            Some(stdout) => stdout.say(text),
            None => {
                // Where stderr is gone there is no reader.
                let _ = std::io::stderr().write_all(text.as_bytes());
                Ok(())
            }
        }
    }
}

/// The summary for people.
fn text(summary: &Summary, place: &str, stream: &Stream, paint: Paint) -> String {
    let all = format!(
        "{} of {} companies",
        HumanCount(summary.exported + summary.compared + summary.checked),
        HumanCount(summary.companies)
    );
    let heading = match (summary.compared, summary.checked) {
        (0, 0) => format!("Exported {all} to {}", paint.bold(escaped(place))),
        (_, 0) => format!("Compared {all}: nothing was written, and --json has what would change"),
        _ => format!("Checked {all}: nothing was exported"),
    };
    let mut lines = Vec::new();
    if summary.failed > 0 {
        let kinds =
            summary.kinds.iter().map(|(kind, count)| format!("{kind} {}", HumanCount(*count)));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        lines.push(("failed", format!("{} ({kinds})", HumanCount(summary.failed))));
    }
    if summary.not_started > 0 {
        let why = summary.stopped.unwrap_or_default();
        let left = HumanCount(summary.not_started);
        lines.push(("left", format!("{left} not started: the run stopped ({why})")));
    }
    lines.push(("rows", format!("{} written", plural(summary.rows, stream.record))));
    if let Some(vacuumed) = summary.vacuumed {
        let files = plural(vacuumed.count, "file");
        lines.push(("vacuum", format!("{files} removed, {}", DecimalBytes(vacuumed.bytes))));
    }
    lines.push(("requests", HumanCount(summary.requests).to_string()));
    lines.push(("seconds", format!("{:.3}", summary.seconds)));
    let lines =
        lines.iter().map(|(name, text)| format!("   {} {text}\n", paint.dim(format!("{name:<8}"))));
    format!("{heading}\n{}", lines.collect::<String>())
}
