//! `vacuum`: removes what no kept version of a table needs.

use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::{Value, json};

use super::environment::Environment;
use super::failure::{Report, described};
use super::paint::{Paint, duration, plural};
use super::progress::Progress;
use super::signals::Watch;
use super::summary::json_line;
use crate::error::{Error, Failed, Kind, Result};
use crate::export::table::{
    REJECTS_RETENTION, RETENTION, TableFolder, VacuumOptions, Vacuumed, tables, vacuum,
};
use crate::export::{Destination, report};
use crate::log::Level;
use crate::model::Stream;
use crate::output::stderr::Stderr;
use crate::output::stdout::Stdout;
use crate::store::{Options as StoreOptions, Store};
use crate::streams::find;

/// For how long a store that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kinds of failure by how much they say of a run of many tables.
const GRAVEST_FIRST: [Kind; 5] =
    [Kind::System, Kind::Transient, Kind::Config, Kind::Auth, Kind::Data];

/// What to remove.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The place that `export --to` was given, or the folder of many companies
    #[arg(value_name = "URL")]
    place: Destination,
    /// Keep every version of this age: 168h, 7d [default: 7d, or what the table says if that is longer]
    #[arg(long, value_name = "AGE", value_parser = age)]
    retain: Option<Duration>,
    /// Accept less than 168h: whoever reads an older version at this moment fails
    #[arg(long)]
    allow_short_retention: bool,
    /// Remove rejected records older than this [default: 30d]
    #[arg(long, value_name = "AGE", value_parser = age)]
    rejects: Option<Duration>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// The stream whose table it is [default: customers]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Answer with one JSON object per table
    #[arg(long)]
    json: bool,
}

/// Understands an age: `168h`, `7d`, `1h 30m`.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "use a number and a unit, as 168h or 7d".to_owned())
}

/// Why an age is too short for a retention, if it is.
pub(super) fn refuse_short(retain: Option<Duration>) -> Result<(), &'static str> {
    match retain {
        Some(retain) if retain < RETENTION => Err(
            "less than 168h may take files away from who reads them at this moment: run `kometsales vacuum` with --allow-short-retention",
        ),
        _ => Ok(()),
    }
}

impl Options {
    /// Options that contradict each other.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.allow_short_retention {
            true => Ok(()),
            false => refuse_short(self.retain),
        }
    }
}

/// Removes what no kept version of each table needs.
pub(super) fn run(
    options: &Options,
    level: Level,
    stdout: Stdout,
    streams: &[&'static Stream],
    signals: &Watch,
    report: Report,
) -> Result<(), Failed> {
    let progress = Progress::new(Stderr::new(level, Environment::singer_log_config().as_deref()));
    let done = run_all(options, stdout, streams, signals, &progress);
    progress.end();
    if let Err(Failed::Unreported(error)) = &done
        && signals.interrupt().is_asked()
    {
        progress.stderr().critical(&error.to_string());
        if let Some(code) = signals.exit_code() {
            report.interrupted(code, &error.to_string());
        }
        signals.end();
    }
    done
}

fn run_all(
    options: &Options,
    mut stdout: Stdout,
    streams: &[&'static Stream],
    signals: &Watch,
    progress: &Progress,
) -> Result<(), Failed> {
    let stream = find(streams, options.stream.as_deref())?;
    let Destination::Table(place) = &options.place else {
        let why = "A file and a stream have no older versions. Name the place of a table.";
        return Err(Error::config(why).into());
    };
    let store = Store::open(
        &place.place,
        &StoreOptions {
            settings: Environment::store_settings(),
            retry_window: PATIENCE,
            single_writer: false,
            interrupt: signals.interrupt().clone(),
            proxies: Environment::proxies(),
        },
    )?;
    let started = Instant::now();
    let found = tables(&store, place, stream)?;
    let is_one = found.len() == 1;
    let mut all = All::default();
    for table in found {
        let shown = table.shown(&store);
        let done = one(options, &store, table, stream, progress);
        match done {
            Err(error) if is_one || signals.interrupt().is_asked() => return Err(error.into()),
            Err(error) => {
                progress.end();
                if options.json {
                    stdout.say(&json_line(&failure(&shown, &error))?)?;
                } else {
                    stdout.say(&format!("{shown}\n   failed   {error}\n"))?;
                }
                all.failed.push(error);
            }
            Ok(vacuumed) => {
                progress.end();
                let paint = Paint::new(stdout.is_terminal() && Environment::wants_colour());
                let text =
                    if options.json { json_line(&vacuumed)? } else { text(&vacuumed, paint) };
                stdout.say(&text)?;
                all.add(vacuumed.total());
            }
        }
    }
    if is_one { Ok(()) } else { all.end(options, &mut stdout, started) }
}

fn one(
    options: &Options,
    store: &Store,
    table: TableFolder,
    stream: &'static Stream,
    progress: &Progress,
) -> Result<Vacuumed> {
    let how = VacuumOptions {
        retain: options.retain,
        rejects: options.rejects.unwrap_or(REJECTS_RETENTION),
        is_dry_run: options.dry_run,
    };
    vacuum(store.clone(), table, stream, &how, progress)
}

/// What became of many tables.
#[derive(Default)]
struct All {
    tables: u64,
    removed: report::Vacuumed,
    failed: Vec<Error>,
}

impl All {
    fn add(&mut self, removed: report::Vacuumed) {
        self.tables += 1;
        self.removed.count += removed.count;
        self.removed.bytes += removed.bytes;
    }

    fn end(
        mut self,
        options: &Options,
        stdout: &mut Stdout,
        started: Instant,
    ) -> Result<(), Failed> {
        let report::Vacuumed { count, bytes } = self.removed;
        let tables = self.tables + self.failed.len() as u64;
        let seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let verb = if options.dry_run { "would be removed" } else { "removed" };
        let text = if options.json {
            json_line(&json!({"summary": {
                "tables": tables, "vacuumed": self.tables, "failed": self.failed.len(),
                "count": count, "bytes": bytes, "seconds": seconds,
            }}))?
        } else {
            let files = plural(count, "file");
            format!("{}: {files}, {}, {verb}\n", plural(tables, "table"), DecimalBytes(bytes))
        };
        stdout.say(&text)?;
        let failed = self.failed.len() as u64;
        let place = |error: &Error| GRAVEST_FIRST.iter().position(|kind| *kind == error.kind());
        self.failed.sort_by_key(place);
        match self.failed.into_iter().next() {
            None => Ok(()),
            Some(first) if options.json => Err(Failed::Reported(first.kind().exit_code())),
            Some(first) => Err(Failed::Unreported(Error::new(
                first.kind(),
                format!(
                    "{} of {} could not be vacuumed. Correct what the lines above say, and run again.",
                    HumanCount(failed),
                    plural(tables, "table")
                ),
            ))),
        }
    }
}

fn failure(place: &str, error: &Error) -> Value {
    let kind = error.kind();
    let code = kind.exit_code().into();
    json!({"to": place, "error": described(kind.name(), code, &error.to_string())})
}

fn text(vacuumed: &Vacuumed, paint: Paint) -> String {
    let Vacuumed { files, orphans, log, rejects, .. } = vacuumed;
    let (place, version) = (paint.bold(&vacuumed.to), vacuumed.version);
    let mut text = match (vacuumed.total().count, vacuumed.dry_run) {
        (0, _) => format!("Nothing to remove: {place}, version {version}\n"),
        (_, true) => format!("Would be removed from {place}, version {version}\n"),
        (_, false) => format!("Removed from {place}, version {version}\n"),
    };
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("   {} {value}\n", paint.dim(format!("{name:<8}"))));
    };
    for (name, what, removed) in [
        ("files", "of versions that are not kept", files),
        ("orphans", "that no commit names", orphans),
        ("log", "entries that a checkpoint sums up", log),
        ("rejects", "of rejected records", rejects),
    ] {
        if removed.count > 0 {
            let count = HumanCount(removed.count);
            line(name, format!("{count} {what}, {}", DecimalBytes(removed.bytes)));
        }
    }
    let kept = if vacuumed.oldest_version == version {
        format!("version {version}")
    } else {
        format!("versions {} to {version}", vacuumed.oldest_version)
    };
    line("kept", format!("{kept}, for {}", duration(vacuumed.retain_seconds)));
    if vacuumed.dry_run {
        for name in [files, orphans, log, rejects].into_iter().flat_map(|part| &part.names) {
            text.push_str(&format!("{name}\n"));
        }
    }
    text
}
