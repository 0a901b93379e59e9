//! `show`: what is in a table.

use std::time::Duration;

use clap::Args;
use indicatif::{DecimalBytes, HumanCount};

use super::environment::Environment;
use super::paint::{Paint, plural};
use super::summary::json_line;
use crate::error::{Error, Result};
use crate::export::Destination;
use crate::export::report::Kind;
use crate::export::table::{Contents, of_file, of_table, tables};
use crate::interrupt::Interrupt;
use crate::model::Stream;
use crate::output::stdout::Stdout;
use crate::store::{Options as StoreOptions, Store};
use crate::streams::find;

/// Months that have a bar of their own.
const MAX_MONTHS: usize = 12;

/// Runs that are listed: with them and the months all of it fits into 24 lines.
const MAX_RUNS: usize = 3;

/// Characters of the name of a run that are shown: the last ones differ between runs.
const RUN_CHARACTERS: usize = 8;

/// Characters of the longest bar.
const MAX_BAR_CHARS: u64 = 40;

/// For how long a store that does not answer is asked again.
const RETRY_WINDOW: Duration = Duration::from_secs(30);

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The place that `export --to` was given, or the folder of many companies
    #[arg(value_name = "URL")]
    place: Destination,
    /// The stream to show [default: customers]
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
    /// Show it as one JSON object per table
    #[arg(long)]
    json: bool,
}

/// Shows what is in the table of a stream.
pub(super) fn run(
    options: &Options,
    mut stdout: Stdout,
    streams: &[&'static Stream],
) -> Result<()> {
    let stream = find(streams, options.stream.as_deref())?;
    let store = StoreOptions {
        settings: Environment::store_settings(),
        retry_window: RETRY_WINDOW,
        single_writer: false,
        interrupt: Interrupt::default(),
        proxies: Environment::proxies(),
    };
    let mut say = |contents: &Contents, is_first: bool| {
        let text = if options.json {
            json_line(contents)?
        } else {
            let paint = Paint::new(stdout.is_terminal() && Environment::wants_colour());
            let text = as_text(contents, stream, paint);
            if is_first { text } else { format!("\n{text}") }
        };
        stdout.say(&text)
    };
    match &options.place {
        Destination::Table(table) => {
            let store = Store::open(&table.place, &store)?;
            for (number, table) in tables(&store, table, stream)?.into_iter().enumerate() {
                say(&of_table(store.clone(), table, stream)?, number == 0)?;
            }
            Ok(())
        }
        Destination::File(place) => say(&of_file(&Store::open(place, &store)?, stream)?, true),
        Destination::Stdout => {
            Err(Error::config("A stream on stdout cannot be shown. Name a table or a file."))
        }
    }
}

fn as_text(contents: &Contents, stream: &Stream, paint: Paint) -> String {
    let mode = contents.mode.map(|mode| format!(", {mode}")).unwrap_or_default();
    let version = contents.version.map(|version| format!(", version {version}"));
    let mut text = format!("{}{mode}{}\n", paint.bold(&contents.to), version.unwrap_or_default());
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("   {} {value}\n", paint.dim(format!("{name:<7}"))));
    };
    if let Some(companies) = &contents.companies {
        line("of", plural(companies.len() as u64, "company"));
    }
    let mut rows = HumanCount(contents.rows).to_string();
    if contents.keys != contents.rows {
        rows.push_str(&format!(", of {}", plural(contents.keys, stream.record)));
    }
    line("rows", rows);
    if let Some(deleted) = contents.deleted.filter(|deleted| *deleted > 0) {
        line("deleted", plural(deleted, stream.record));
    }
    if let Some(active) = contents.active {
        line("active", HumanCount(active).to_string());
    }
    if contents.kind == Kind::Table && stream.cursor().is_some() && contents.companies.is_none() {
        let cursor = contents.cursor.map_or_else(|| "none".to_owned(), |cursor| cursor.to_string());
        line("cursor", cursor);
    }
    for (name, fields) in [("without", &contents.excluded), ("hashed", &contents.hashed)] {
        if !fields.is_empty() {
            line(name, fields.join(", "));
        }
    }
    let files = plural(contents.files as u64, "file");
    line("size", format!("{} in {files}", DecimalBytes(contents.bytes)));
    for (number, run) in contents.runs.iter().take(MAX_RUNS).enumerate() {
        let rows = run.rows.map(|rows| plural(rows, "row")).unwrap_or_default();
        let name = run.run.get(run.run.len().saturating_sub(RUN_CHARACTERS)..).unwrap_or(&run.run);
        let what = match run.companies {
            None => format!("{:<9} {rows:<14} {}", run.mode.to_string(), paint.dim(name)),
            // Each of them has a name of its own.
            Some(companies) => format!("{rows} of {}", plural(companies, "company")),
        };
        let at = run.at.to_string().get(..19).unwrap_or_default().replace('T', " ");
        let run = format!("version {:<4} {at}  {what}", run.version);
        line(if number == 0 { "runs" } else { "" }, run);
    }
    if !contents.months.is_empty() {
        text.push_str(&format!("\n   {}s by the month of their last change\n", stream.record));
        text.push_str(&chart(contents, paint));
    }
    text
}

/// A bar for each of the last months, and how many those before have together.
fn chart(contents: &Contents, paint: Paint) -> String {
    let months: Vec<_> = contents.months.iter().collect();
    let (before, last) = months.split_at(months.len().saturating_sub(MAX_MONTHS));
    let before: u64 = before.iter().map(|(_, count)| **count).sum();
    // This many years have no bar: it would make all others short.
    let earlier = (before > 0).then(|| format!("   {:<8} {}\n", "earlier", HumanCount(before)));
    let most = last.iter().map(|(_, count)| **count).max().unwrap_or(1).max(1);
    let bar = |(month, count): &(&String, &u64)| {
        // Whatever there is can be seen.
        let length = (**count * MAX_BAR_CHARS).div_ceil(most);
        let drawn = "█".repeat(usize::try_from(length).unwrap_or_default());
        format!("   {month:<8} {} {}\n", paint.green(drawn), HumanCount(**count))
    };
    earlier.into_iter().chain(last.iter().map(bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::customers::CUSTOMERS;

    fn with(months: impl IntoIterator<Item = (String, u64)>) -> Contents {
        Contents {
            to: "/data/customers".into(),
            kind: Kind::File,
            mode: None,
            rows: 12,
            keys: 12,
            deleted: None,
            active: Some(10),
            excluded: vec!["salesPerson".into(), "_extra".into()],
            hashed: vec!["name".into()],
            version: None,
            cursor: None,
            bytes: 4200,
            files: 1,
            runs: Vec::new(),
            months: months.into_iter().collect(),
            companies: None,
        }
    }

    #[test]
    fn the_longest_bar_is_the_greatest_month_and_the_shortest_can_be_seen() {
        let contents = with([("2024-01".into(), 1000), ("2024-03".into(), 1)]);
        let chart = chart(&contents, Paint::new(false));
        let lines: Vec<&str> = chart.lines().collect();
        assert_eq!(lines[0], format!("   2024-01  {} 1,000", "█".repeat(40)));
        assert_eq!(lines[1], "   2024-03  █ 1");
    }

    #[test]
    fn months_before_the_last_year_are_summed_up() {
        let contents = with((0..30).map(|month| (format!("20{:02}-01", month), 2)));
        let chart = chart(&contents, Paint::new(false));
        assert_eq!(chart.lines().count(), MAX_MONTHS + 1);
        assert_eq!(chart.lines().next(), Some("   earlier  36"), "{chart}");
    }

    #[test]
    fn what_is_shown_names_rows_activity_and_size() {
        let text = as_text(&with([]), &CUSTOMERS, Paint::new(false));
        assert_eq!(
            text,
            "/data/customers\n   rows    12\n   active  10\n   without salesPerson, _extra\n   hashed  name\n   size    4.20 kB in 1 file\n"
        );
    }
}
