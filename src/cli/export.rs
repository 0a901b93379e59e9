//! `export`: from the API to a table, a file or a stream, without a pipeline.

use std::path::PathBuf;
use std::time::Instant;

use chrono::Utc;
use clap::Args;
use serde_json::json;

use super::environment::Environment;
use super::memory;
use super::paint::Paint;
use super::progress::Progress;
use super::signals::Watch;
use super::summary::Summary;
use crate::config::{Config, UnknownKeys};
use crate::error::{Error, Failed, Result};
use crate::export::file::ParquetFile;
use crate::export::mode::TableMode;
use crate::export::report::Report;
use crate::export::stream::ArrowStream;
use crate::export::table::{Table, TableOptions};
use crate::export::{Destination, TablePlace};
use crate::input::Input;
use crate::interrupt::Interrupt;
use crate::log::{Level, Log};
use crate::model::arrow::Selection;
use crate::model::{Stream, Timestamp};
use crate::output::stderr::Stderr;
use crate::output::stdout::Stdout;
use crate::plan::{Mode, Plan, Request};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::State;
use crate::store::{Options as StoreOptions, Place, Store};
use crate::streams::find;
use crate::sync::{self, RejectLimits};

/// What to export, and where to.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration (JSON); - reads standard input. Not needed where
    /// KOMETSALES_AUTHENTICATION_TOKEN holds the token
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where to: s3://bucket/path, gs://bucket/path, az://container/path, file:///folder or a path, for a
    /// Delta table below it; the same ending in .parquet for one file; - for an Arrow stream on stdout
    #[arg(long, value_name = "URL")]
    to: Destination,
    /// The stream to export [default: customers]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// What becomes of the rows that the table has [default: merge]
    #[arg(long)]
    mode: Option<TableMode>,
    /// Read everything, whatever the cursor in the table says
    #[arg(long)]
    full_refresh: bool,
    /// Test the place and the token, and export nothing
    #[arg(long)]
    check: bool,
    /// Accept a store without conditional writes (safe only if nothing else writes there)
    #[arg(long)]
    single_writer: bool,
    /// Replace a file or a table by less than half of its rows
    #[arg(long)]
    allow_shrink: bool,
    /// End with one JSON object in place of a summary
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Options that contradict each other.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_table = matches!(self.to, Destination::Table(_));
        if !is_table && self.mode.is_some() {
            return Err(
                "--mode is for tables: a .parquet file and a stream hold what the reply holds",
            );
        }
        if self.to == Destination::Stdout && self.check {
            return Err("--check has nothing to test where the rows go to stdout");
        }
        Ok(())
    }
}

/// Exports a stream.
pub(super) fn run(
    options: &Options,
    level: Level,
    stdout: Stdout,
    streams: &[&'static Stream],
    signals: &Watch,
) -> Result<(), Failed> {
    memory::fix_threshold();
    let progress = Progress::new(Stderr::new(level, Environment::singer_log_config().as_deref()));
    let stream = find(streams, options.stream.as_deref())?;
    let export = Export { options, stream, progress: &progress, interrupt: signals.interrupt() };
    let done = export.run(stdout);
    progress.end();
    if let Err(error) = &done
        && signals.interrupt().is_asked()
    {
        progress.stderr().critical(&error.to_string());
        signals.end();
    }
    Ok(done?)
}

struct Export<'a> {
    options: &'a Options,
    stream: &'static Stream,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl Export<'_> {
    fn run(&self, stdout: Stdout) -> Result<()> {
        let (config, warnings) = self.config()?;
        self.progress.stderr().hide(&config.token);
        warnings.iter().for_each(|warning| self.progress.warn(warning));
        match &self.options.to {
            Destination::Stdout => self.to_stream(&config, stdout),
            Destination::File(place) => self.to_file(&config, place, stdout),
            Destination::Table(table) => self.to_table(&config, table, stdout),
        }
    }

    /// The configuration: a token in the environment, and a file, which counts where it says something.
    fn config(&self) -> Result<(Config, Vec<String>)> {
        let mut parts = Vec::new();
        if let Some(token) = Environment::token() {
            let part = json!({ "authentication_token": token }).to_string();
            parts.push((part.into_bytes(), "KOMETSALES_AUTHENTICATION_TOKEN".to_owned()));
        }
        if let Some(path) = &self.options.config {
            let input = Input::of(path);
            parts.push((input.read("configuration")?, input.name()));
        }
        if parts.is_empty() {
            return Err(Error::config(
                "No token was given. Name a configuration with --config FILE, something like {\"authentication_token\": \"…\"}, or set KOMETSALES_AUTHENTICATION_TOKEN.",
            ));
        }
        Config::merge(&parts, &[], UnknownKeys::Refuse)
    }

    fn store(&self, config: &Config, place: &Place) -> Result<Store> {
        let options = StoreOptions {
            settings: Environment::store_settings(),
            retry_window: config.retry_window,
            single_writer: self.options.single_writer,
            interrupt: self.interrupt.clone(),
            proxies: Environment::proxies(),
        };
        Store::open(place, &options)
    }

    fn to_table(&self, config: &Config, to: &TablePlace, stdout: Stdout) -> Result<()> {
        let (options, started) = (self.options, Instant::now());
        let mode = options.mode.unwrap_or(TableMode::Merge);
        let (store, stream) = (self.store(config, &to.place)?, self.stream);
        self.progress.stage("Opening", None);
        let is_whole = options.full_refresh || mode == TableMode::Overwrite;
        let how = TableOptions { mode, is_whole, allow_shrink: options.allow_shrink };
        let mut table = Table::open(store, to, stream, how, now(), self.progress)?;
        let place = table.place();
        if options.check {
            table.probe()?;
            return self.checked(config, &place, stdout);
        }
        let plan = if is_whole {
            self.plan(config, Mode::FullRefresh, None)
        } else {
            self.plan(config, Mode::Incremental, table.state())
        };
        self.sync(config, &plan, &mut table, RejectLimits::kept(config.max_rejects))?;
        let Some(report) = table.report() else { return Err(no_report()) };
        self.tell(&place, "table", Some(mode.name()), started, report, stdout)
    }

    fn to_file(&self, config: &Config, to: &Place, stdout: Stdout) -> Result<()> {
        let (options, started) = (self.options, Instant::now());
        let store = self.store(config, to)?;
        self.progress.stage("Opening", None);
        let mut file = ParquetFile::open(store, self.stream, options.allow_shrink, now())?;
        let place = file.place();
        if options.check {
            file.probe()?;
            return self.checked(config, &place, stdout);
        }
        let plan = self.plan(config, Mode::FullRefresh, None);
        self.sync(config, &plan, &mut file, RejectLimits::kept(config.max_rejects))?;
        let Some(report) = file.report() else { return Err(no_report()) };
        self.tell(&place, "file", None, started, report, stdout)
    }

    fn to_stream(&self, config: &Config, stdout: Stdout) -> Result<()> {
        let started = Instant::now();
        if stdout.is_terminal() {
            return Err(Error::config(
                "`--to -` writes a binary Arrow stream, which is not for a terminal. Pipe it into a program, or redirect it to a file.",
            ));
        }
        let mut stream = ArrowStream::new(stdout, now());
        let plan = self.plan(config, Mode::FullRefresh, None);
        self.sync(config, &plan, &mut stream, RejectLimits::listed(config.max_rejects))?;
        let Some(report) = stream.report() else { return Err(no_report()) };
        // stdout is the stream's own.
        let text = self.summary("standard output", "stream", None, started, report, false);
        self.progress.end();
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        Ok(())
    }

    fn plan(&self, config: &Config, mode: Mode, state: Option<State>) -> Plan {
        let selection = Selection::all(self.stream);
        Plan::new(config, Request { stream: self.stream, selection, mode, state }, now())
    }

    fn sync(
        &self,
        config: &Config,
        plan: &Plan,
        sink: &mut dyn Sink,
        limits: RejectLimits,
    ) -> Result<()> {
        let source = Source::new(config, Environment::machine(), self.progress);
        sync::run(&source, plan, sink, limits, self.progress)?;
        self.progress.end();
        Ok(())
    }

    fn checked(&self, config: &Config, place: &str, mut stdout: Stdout) -> Result<()> {
        Source::new(config, Environment::machine(), self.progress).check(self.stream)?;
        let text = if self.options.json {
            format!("{}\n", json!({"to": place, "check": "ok"}))
        } else {
            format!("{place} can be written, and Komet Sales accepts the token.\n")
        };
        stdout.say(&text)
    }

    fn tell(
        &self,
        to: &str,
        kind: &'static str,
        mode: Option<&'static str>,
        started: Instant,
        report: &Report,
        mut stdout: Stdout,
    ) -> Result<()> {
        let text = self.summary(to, kind, mode, started, report, stdout.is_terminal());
        stdout.say(&text)
    }

    fn summary(
        &self,
        to: &str,
        kind: &'static str,
        mode: Option<&'static str>,
        started: Instant,
        report: &Report,
        is_terminal: bool,
    ) -> String {
        let (record, elapsed) = (self.stream.record, started.elapsed());
        let summary = Summary { to, kind, mode, record, elapsed, report };
        if self.options.json {
            format!("{}\n", summary.json())
        } else {
            summary.text(Paint::new(is_terminal && Environment::wants_colour()))
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from(Utc::now())
}

fn no_report() -> Error {
    Error::bug("The export said nothing of what it did")
}
