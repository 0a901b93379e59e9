//! `export`: from the API to a table, a file or a stream, without a pipeline.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::Utc;
use clap::Args;
use serde_json::json;

use super::companies;
use super::difference;
use super::environment::Environment;
use super::failure::Report;
use super::forget;
use super::memory;
use super::paint::Paint;
use super::progress::Progress;
use super::settings::Flags;
use super::signals::Watch;
use super::summary::{Summary, json_line};
use super::vacuum::{age, refuse_short};
use crate::config::{Config, UnknownKeys};
use crate::error::{Error, Failed, Result};
use crate::export::file::ParquetFile;
use crate::export::mode::TableMode;
use crate::export::stream::ArrowStream;
use crate::export::table::{Table, TableOptions, forget};
use crate::export::{self, Destination, Exported, How, TablePlace};
use crate::interrupt::Interrupt;
use crate::log::{Level, Log};
use crate::model::{Stream, Timestamp};
use crate::output::stderr::Stderr;
use crate::output::stdout::Stdout;
use crate::plan::Mode;
use crate::source::Source;
use crate::store::{Options as StoreOptions, Place, Store};
use crate::streams::find;
use crate::sync::RejectLimits;

/// For how long a store is tried again where no settings are read.
const RETRY_WINDOW: Duration = Duration::from_secs(300);

/// What to export, and where to.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration (JSON); - reads standard input; may come several times, and later ones count. Not
    /// needed where KOMETSALES_AUTHENTICATION_TOKEN holds the token
    #[arg(long, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// Where to: s3://bucket/path, gs://bucket/path, az://container/path, file:///folder or a path, for a
    /// Delta table below it; the same ending in .parquet for one file; - for an Arrow stream on stdout
    #[arg(long, value_name = "URL", required_unless_present = "check")]
    to: Option<Destination>,
    /// The stream to export [default: customers]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// What becomes of the rows that the table has [default: merge]
    #[arg(long)]
    mode: Option<TableMode>,
    /// Read everything, whatever the cursor in the table says
    #[arg(long)]
    full_refresh: bool,
    /// Test the place and the token, and export nothing; without --to the token alone
    #[arg(long)]
    check: bool,
    /// Compare, write nothing, and say what would change in a table; with --full-refresh and no difference
    /// the table equals Komet Sales
    #[arg(long)]
    dry_run: bool,
    /// Remove the customers of these ids from every row of the table, and ask Komet Sales for nothing; needs no
    /// token
    #[arg(long, value_name = "ID", num_args = 1.., value_delimiter = ',', allow_negative_numbers = true)]
    forget: Vec<i64>,
    /// Accept a store without conditional writes (safe only if nothing else writes there)
    #[arg(long)]
    single_writer: bool,
    /// Replace a file or a table by less than half of its rows
    #[arg(long)]
    allow_shrink: bool,
    /// After a commit, at most once a day, remove files that no version of this age needs: 7d. With --one-table after the last
    /// commit
    #[arg(long, value_name = "AGE", value_parser = age)]
    vacuum: Option<Duration>,
    /// End with one JSON object in place of a summary
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    settings: Flags,
    #[command(flatten)]
    pub(super) companies: companies::Options,
}

impl Options {
    /// What becomes of the rows that a table has.
    fn table_mode(&self) -> TableMode {
        self.mode.unwrap_or(TableMode::Merge)
    }

    /// Whether everything is read, whatever the cursor in a table.
    fn reads_all(&self, stream: &Stream) -> bool {
        let has_cursor = Mode::of(stream).contains(&Mode::Incremental);
        self.full_refresh || !has_cursor || self.table_mode() == TableMode::Overwrite
    }

    /// What is done with a table.
    fn table(&self, stream: &Stream) -> TableOptions {
        TableOptions {
            mode: self.table_mode(),
            is_whole: self.reads_all(stream),
            allow_shrink: self.allow_shrink,
            is_dry_run: self.dry_run,
            vacuum: self.vacuum,
        }
    }

    /// Options that contradict each other.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_table = matches!(self.to, Some(Destination::Table(_)) | None);
        if !is_table && self.mode.is_some() {
            return Err(
                "--mode is for tables: a .parquet file and a stream hold what the reply holds",
            );
        }
        if !is_table && self.dry_run {
            return Err(
                "--dry-run compares with a table: a .parquet file is replaced and a stream is written, whatever is there",
            );
        }
        if !self.forget.is_empty() {
            self.check_forget()?;
        } else if !self.companies.is_used() && !self.companies.picked().is_empty() {
            return Err("--company picks one of many: name all of them with --companies");
        }
        if self.dry_run && self.check {
            return Err(
                "--dry-run and --check exclude each other: one reads everything, the other nothing",
            );
        }
        if !is_table && self.vacuum.is_some() {
            return Err(
                "--vacuum is for tables: a .parquet file and a stream have no older versions",
            );
        }
        refuse_short(self.vacuum)?;
        if self.companies.is_one_table() && !is_table {
            return Err("--one-table is for tables: name a folder with --to, or leave it out");
        }
        if self.to == Some(Destination::Stdout) && self.check {
            return Err("--check has nothing to test where the rows go to stdout");
        }
        Ok(())
    }
}

impl Options {
    /// Options that mean nothing where nothing is exported.
    fn check_forget(&self) -> Result<(), &'static str> {
        if !matches!(self.to, Some(Destination::Table(_))) {
            return Err(
                "--forget is for tables: a .parquet file and a stream hold what the last reply held, so remove the customer in Komet Sales and export again",
            );
        }
        if self.companies.is_used() {
            return Err("--forget is for one table: name it with --to, without --companies");
        }
        if self.companies.picked().len() > 1 {
            return Err("--forget takes one --company: ids are those of one company");
        }
        let is_export = self.mode.is_some()
            || self.full_refresh
            || self.check
            || self.dry_run
            || self.vacuum.is_some()
            || self.allow_shrink;
        if is_export {
            return Err(
                "--forget exports nothing, so it takes no --mode, --full-refresh, --check, --dry-run, --vacuum or --allow-shrink",
            );
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
    report: Report,
) -> Result<(), Failed> {
    memory::set_up_heap();
    let progress = Progress::new(Stderr::new(level, Environment::singer_log_config().as_deref()));
    let stream = find(streams, options.stream.as_deref())?;
    if options.companies.is_used() {
        return many(options, stdout, stream, &progress, signals, report);
    }
    let export = Export { options, stream, progress: &progress, interrupt: signals.interrupt() };
    let done = export.run(stdout);
    progress.end();
    if let Err(error) = &done
        && signals.interrupt().is_asked()
    {
        progress.stderr().critical(&error.to_string());
        if let Some(code) = signals.exit_code() {
            report.interrupted(code, &error.to_string());
        }
        signals.end();
    }
    Ok(done?)
}

/// Exports a stream of many companies.
fn many(
    options: &Options,
    stdout: Stdout,
    stream: &'static Stream,
    progress: &Progress,
    signals: &Watch,
    report: Report,
) -> Result<(), Failed> {
    let (base, warnings) = options.settings.parts(&options.config)?;
    warnings.iter().for_each(|warning| progress.warn(warning));
    let common = companies::Common {
        stream,
        base,
        to: options.to.as_ref(),
        table: options.table(stream),
        single_writer: options.single_writer,
        is_check: options.check,
        is_json: options.json,
    };
    companies::run(&options.companies, common, stdout, progress, signals, report)
}

struct Export<'a> {
    options: &'a Options,
    stream: &'static Stream,
    progress: &'a Progress,
    interrupt: &'a Interrupt,
}

impl Export<'_> {
    fn run(&self, stdout: Stdout) -> Result<()> {
        if let (false, Some(Destination::Table(place))) =
            (self.options.forget.is_empty(), &self.options.to)
        {
            return self.forget(place, stdout);
        }
        let files = &self.options.config;
        let (config, warnings) = self.options.settings.config(files, UnknownKeys::Refuse)?;
        self.progress.stderr().hide(&config.token);
        warnings.iter().for_each(|warning| self.progress.warn(warning));
        let (options, stream, started) = (self.options, self.stream, Instant::now());
        let Some(to) = &options.to else {
            Source::new(&config, Environment::machine(), self.progress).check(stream)?;
            self.progress.end();
            return self.checked(None, stdout);
        };
        match to {
            Destination::Stdout if stdout.is_terminal() => Err(Error::config(
                "`--to -` writes a binary Arrow stream, which is not for a terminal. Pipe it into a program, or redirect it to a file.",
            )),
            Destination::Stdout => {
                let mut arrow = ArrowStream::new(stdout, now());
                self.export(&config, &mut arrow, None, started)
            }
            Destination::File(place) => {
                let store = self.store(config.retry_window, place)?;
                self.progress.stage("Opening", None);
                let mut file = ParquetFile::open(store, stream, options.allow_shrink, now())?;
                self.export(&config, &mut file, Some(stdout), started)
            }
            Destination::Table(place) => {
                let store = self.store(config.retry_window, &place.place)?;
                self.progress.stage("Opening", None);
                let how = options.table(stream);
                let mut table = Table::open(store, place, stream, how, now(), self.progress)?;
                self.export(&config, &mut table, Some(stdout), started)
            }
        }
    }

    /// Removes keys from a table. No configuration is read: nothing is asked of the API.
    fn forget(&self, place: &TablePlace, mut stdout: Stdout) -> Result<()> {
        let store = self.store(RETRY_WINDOW, &place.place)?;
        let keys = self.options.forget.iter().copied().collect();
        let company = self.options.companies.picked().first().map(String::as_str);
        let forgotten = forget(store, place, self.stream, company, &keys, now(), self.progress)?;
        self.progress.end();
        let paint = Paint::new(stdout.is_terminal() && Environment::wants_colour());
        stdout.say(&forget::answer(&forgotten, self.stream, self.options.json, paint)?)
    }

    fn store(&self, retry_window: Duration, place: &Place) -> Result<Store> {
        let options = StoreOptions {
            settings: Environment::store_settings(),
            retry_window,
            single_writer: self.options.single_writer,
            interrupt: self.interrupt.clone(),
            proxies: Environment::proxies(),
        };
        Store::open(place, &options)
    }

    /// Whether everything is read, whatever the cursor in a table.
    fn is_whole(&self) -> bool {
        let is_table = matches!(self.options.to, Some(Destination::Table(_)));
        !is_table || self.options.reads_all(self.stream)
    }

    /// Exports to a place that is open, or tests it. `stdout` is `None` where the rows go there: it is the
    /// stream's own then, and rejected records have no place.
    fn export(
        &self,
        config: &Config,
        place: &mut dyn Exported,
        stdout: Option<Stdout>,
        started: Instant,
    ) -> Result<()> {
        let source = Source::new(config, Environment::machine(), self.progress)
            .until(self.interrupt.clone());
        if self.options.check {
            place.probe()?;
            source.check(self.stream)?;
            return stdout.map_or(Ok(()), |stdout| self.checked(Some(&place.place()), stdout));
        }
        let limits = match stdout {
            Some(_) => RejectLimits::kept(config.max_rejects),
            None => RejectLimits::listed(config.max_rejects),
        };
        let how = How { stream: self.stream, is_whole: self.is_whole(), limits };
        export::export(&source, config, place, how, self.progress)?;
        self.progress.end();
        let is_terminal = stdout.as_ref().is_some_and(Stdout::is_terminal);
        let text = self.said(place, started, is_terminal)?;
        match stdout {
            Some(mut stdout) => stdout.say(&text),
            None => {
                let _ = std::io::stderr().write_all(text.as_bytes());
                Ok(())
            }
        }
    }

    /// What is said of an export that is done, or of what it would do.
    fn said(&self, place: &dyn Exported, started: Instant, is_terminal: bool) -> Result<String> {
        let paint = Paint::new(is_terminal && Environment::wants_colour());
        if let Some(difference) = place.difference() {
            return difference::answer(difference, self.stream, self.options.json, paint);
        }
        let report = place.report().ok_or_else(|| Error::bug("The export has no report"))?;
        let summary = Summary { report, elapsed: started.elapsed(), stream: self.stream };
        if self.options.json { json_line(&summary) } else { Ok(summary.text(paint)) }
    }

    /// Says that the place, if one was named, and the token are good.
    fn checked(&self, place: Option<&str>, mut stdout: Stdout) -> Result<()> {
        let text = match place {
            _ if self.options.json => json_line(&json!({"to": place, "check": "ok"}))?,
            Some(place) => format!("{place} can be written, and Komet Sales accepts the token.\n"),
            None => "Komet Sales accepts the token.\n".to_owned(),
        };
        stdout.say(&text)
    }
}

fn now() -> Timestamp {
    Timestamp::from(Utc::now())
}
