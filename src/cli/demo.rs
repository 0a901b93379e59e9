//! `demo`: every verb against the simulator, as processes of their own, shown to a person.

#[cfg(feature = "export")]
mod companies;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::HumanCount;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::environment::Environment;
use super::paint::{Paint, plural};
use crate::error::{Error, Result};
#[cfg(feature = "export")]
use crate::export::Destination;
use crate::output::stdout::Stdout;
use crate::simulator::{self, Simulator};

/// What the demonstration is to show.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// How many customers the company has
    #[arg(long, value_name = "N", default_value_t = 1000)]
    customers: u64,
    /// Show the export of this number of companies in one run, of which one fails
    #[cfg(feature = "export")]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    companies: Option<u32>,
    /// The folder of the table that it makes [default: a new one for temporary files]
    #[cfg(feature = "export")]
    #[arg(long, value_name = "DIR")]
    to: Option<Destination>,
}

/// Customers that somebody edits between the two reads.
const EDITED_CUSTOMERS: u64 = 3;

/// Records of a read that are kept, to be shown.
const SHOWN_RECORDS: usize = 3;

/// Columns of the narrowest terminal that is written for.
const TERMINAL_COLUMNS: usize = 80;

/// A read of fewer records is over before it has a speed.
const MIN_ROWS_WITH_RATE: u64 = 50_000;

/// Runs the demonstration. It ends with a table where this build can export.
pub(super) fn run(options: &Options, stdout: Stdout) -> Result<()> {
    let customers = options.customers;
    #[cfg(feature = "export")]
    let wanted = options.to.as_ref().map(folder_of).transpose()?;
    #[cfg(not(feature = "export"))]
    let wanted: Option<PathBuf> = None;
    #[cfg(feature = "export")]
    let many = options.companies;
    #[cfg(not(feature = "export"))]
    let many: Option<u32> = None;
    let simulator = match many {
        #[cfg(feature = "export")]
        Some(companies) => companies::simulator(companies, customers)?,
        _ => Simulator::start(simulator::Options { customers, ..simulator::Options::default() })?,
    };
    let no_folder = |error: std::io::Error| {
        Error::system(format!("No temporary folder can be made: {error}. Set TMPDIR."))
            .caused_by(error)
    };
    let folder = tempfile::tempdir().map_err(no_folder)?;
    let table = match wanted {
        Some(folder) => folder,
        // Without export there will be none.
        None if !cfg!(feature = "export") => folder.path().join("lake"),
        None => {
            let named = tempfile::Builder::new().prefix("kometsales-demo-").tempdir();
            named.map_err(no_folder)?.keep()
        }
    };
    let paint = Paint::new(stdout.is_terminal() && Environment::wants_colour());
    let mut demo = Demo { simulator, folder, table, paint, stdout, step: 0 };
    #[cfg(feature = "export")]
    if many.is_some() {
        demo.play_many()?;
        let table = demo.table.display().to_string();
        return demo.say(&format!("\nThe tables stay, each below {table}\n"));
    }
    demo.write(
        "config.json",
        &json!({
            "authentication_token": demo.simulator.token(),
            "base_url": demo.simulator.base_url(),
        }),
    )?;
    demo.play(customers)?;
    if cfg!(feature = "export") {
        let table = demo.table.display().to_string();
        let polars =
            format!("python3 -c \"import polars; print(polars.read_delta('{table}/customers'))\"");
        demo.say(&format!(
            "\nThe table stays. Polars reads it, for one:\n   {}\n",
            paint.cyan(polars)
        ))?;
    }
    demo.say("Next: Airbyte, Meltano and S3 in README.md; `kometsales simulate` for tests.\n")
}

/// The folder of this machine that `--to` names.
#[cfg(feature = "export")]
fn folder_of(to: &Destination) -> Result<PathBuf> {
    match to {
        Destination::Table(table) if table.place.is_local() => {
            Ok(PathBuf::from(table.place.to_string()))
        }
        Destination::Table(_) => Err(Error::config(
            "The demonstration writes to this machine alone. Use a folder, or `export` for an object store.",
        )),
        _ => Err(Error::config("The demonstration makes a table. Use the name of a folder.")),
    }
}

struct Demo {
    simulator: Simulator,
    folder: TempDir,
    /// Where the table is that it ends with.
    table: PathBuf,
    paint: Paint,
    stdout: Stdout,
    step: u32,
}

/// What one run of the program said.
#[derive(Default)]
struct Said {
    elapsed: Duration,
    records: u64,
    active: u64,
    first_records: Vec<Value>,
    /// Every message that is no record, by its type; the last of each counts.
    messages: Vec<Value>,
}

impl Said {
    fn find(&self, kind: &str) -> &Value {
        self.messages.iter().rfind(|message| message["type"] == kind).unwrap_or(&Value::Null)
    }
}

impl Demo {
    /// The table first: what a person can look at; then the same by the protocol.
    fn play(&mut self, customers: u64) -> Result<()> {
        let company = format!("a simulated company of {}", plural(customers, "customer"));
        self.say(&format!("{}, against {company}\n", self.paint.bold("kometsales")))?;
        #[cfg(feature = "export")]
        self.make_table(customers)?;
        self.describe()?;
        let read = ["read", "--config", "config.json", "--catalog", "catalog.json"];
        let said = self.step("Airbyte: read everything there is", &read)?;
        self.show_read(&said, 0)?;
        self.edit(customers)?;
        let again = [&read[..], &["--state", "last.json"]].concat();
        let said = self.step("Airbyte: read what has changed since", &again)?;
        self.show_read(&said, 3)
    }

    #[cfg(feature = "export")]
    fn make_table(&mut self, customers: u64) -> Result<()> {
        const SUMMARY_LINES: usize = 2;
        const SHOWN_LINES: usize = 4;
        let table = self.table.display().to_string();
        let export = ["export", "--config", "config.json", "--to", &table];
        self.plain_step("Export to a Delta table, without a pipeline", &export, SUMMARY_LINES)?;
        self.edit(customers)?;
        self.plain_step("Keep it current: the same command again", &export, SUMMARY_LINES)?;
        self.plain_step("Look into it", &["show", &table], SHOWN_LINES)
    }

    /// What the protocol answers before anything is read.
    fn describe(&mut self) -> Result<()> {
        let said = self.step(
            "Airbyte: what can be set, and does it work",
            &["check", "--config", "config.json"],
        )?;
        let status = &said.find("CONNECTION_STATUS")["connectionStatus"]["status"];
        let status = self.paint.green(status.as_str().unwrap_or_default());
        self.line("got", &status)?;
        let said = self.program(&["spec"])?;
        let spec = &said.find("SPEC")["spec"]["connectionSpecification"];
        let settings = spec["properties"].as_object().map_or(0, serde_json::Map::len);
        let required: Vec<&str> =
            spec["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.line("spec", &format!("{settings} settings; required: {}", required.join(", ")))?;
        let said = self.program(&["discover", "--config", "config.json"])?;
        let streams = said.find("CATALOG")["catalog"]["streams"].clone();
        let configured: Vec<Value> = streams
            .as_array()
            .into_iter()
            .flatten()
            .map(|stream| json!({"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}))
            .collect();
        self.write("catalog.json", &json!({ "streams": configured }))
    }

    /// Lets somebody edit some customers.
    fn edit(&mut self, customers: u64) -> Result<()> {
        let edited = self.simulator.change(EDITED_CUSTOMERS.min(customers));
        let edited: Vec<String> = edited.iter().map(u64::to_string).collect();
        let edited = if edited.is_empty() { "nobody".to_owned() } else { edited.join(", ") };
        let heading = self.paint.bold("*  Meanwhile, in Komet Sales, somebody edits:");
        self.say(&format!("\n{heading} {edited}\n"))
    }

    /// Runs the program once, and shows the first lines of what it said to people.
    #[cfg(feature = "export")]
    fn plain_step(&mut self, title: &str, arguments: &[&str], lines: usize) -> Result<()> {
        let started = Instant::now();
        let output = self
            .command(arguments)?
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        self.heading(title, arguments, started.elapsed())?;
        if !output.status.success() {
            let what = format!("`{}` ended with {}", arguments.join(" "), output.status);
            return Err(failed(what));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let shown = text.lines().take(lines);
        shown.map(|line| format!("   {line}\n")).try_for_each(|line| self.say(&line))
    }

    /// Runs the program once, and shows what was typed and how long it took.
    fn step(&mut self, title: &str, arguments: &[&str]) -> Result<Said> {
        let said = self.program(arguments)?;
        self.heading(title, arguments, said.elapsed)?;
        Ok(said)
    }

    fn heading(&mut self, title: &str, arguments: &[&str], elapsed: Duration) -> Result<()> {
        self.step += 1;
        let elapsed = format!("{:.0} ms", elapsed.as_secs_f64() * 1000.0);
        let heading = format!("{}. {title}", self.step);
        let gap = TERMINAL_COLUMNS.saturating_sub(heading.chars().count() + elapsed.len());
        let heading = self.paint.bold(heading);
        let command = self.paint.cyan(format!("kometsales {}", arguments.join(" ")));
        self.say(&format!(
            "
{heading}{:gap$}{}
   {command}
",
            "",
            self.paint.dim(elapsed)
        ))
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        Ok(command)
    }

    fn program(&self, arguments: &[&str]) -> Result<Said> {
        let started = Instant::now();
        let mut child = self
            .command(arguments)?
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let mut said = Said::default();
        for line in
            child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines())
        {
            let line = line.map_err(|error| failed(error.to_string()))?;
            said.take(&line);
        }
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        said.elapsed = started.elapsed();
        if !status.success() {
            let error = &said.find("TRACE")["trace"]["error"]["message"];
            return Err(failed(format!("`{}` ended with {status}: {error}", arguments.join(" "))));
        }
        Ok(said)
    }

    /// Shows what the simulator was asked last, without the token.
    fn sent(&mut self) -> Result<()> {
        let requests = self.simulator.requests();
        let Some(request) = requests.last() else { return Ok(()) };
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| match name.as_str() {
                "authenticationToken" => format!("{name}=…"),
                _ => format!("{name}={value}"),
            })
            .collect();
        let query: Vec<&String> = query.iter().filter(|part| !part.contains('…')).collect();
        let query: Vec<&str> = query.into_iter().map(String::as_str).collect();
        self.line("sent", &format!("{} …&{}", request.path, query.join("&")))
    }

    fn show_read(&mut self, said: &Said, shown: usize) -> Result<()> {
        if shown > 0 {
            self.sent()?;
        }
        let mut got = format!(
            "{}, {} of them active",
            plural(said.records, "customer"),
            HumanCount(said.active)
        );
        if said.records >= MIN_ROWS_WITH_RATE {
            let rate = said.records as f64 / said.elapsed.as_secs_f64().max(1e-6);
            got.push_str(&format!("; {} a second", HumanCount(rate as u64)));
        }
        self.line("got", &got)?;
        for record in said.first_records.iter().take(shown) {
            let text = |field: &str| record[field].as_str().unwrap_or("–").to_owned();
            let row = format!(
                "{:>8}  {:<7}  {:<26.26}  {:<8}  {}",
                record["id"].to_string(),
                text("code"),
                text("name"),
                if record["active"] == true { "active" } else { "inactive" },
                text("updatedOn").get(..10).unwrap_or("–")
            );
            self.line("", &self.paint.dim(row))?;
        }
        let state = said.find("STATE")["state"].clone();
        let cursor = &state["stream"]["stream_state"]["updatedOn"];
        self.line("state", &json!({ "updatedOn": cursor }).to_string())?;
        self.write("last.json", &json!([state]))
    }

    fn line(&mut self, what: &str, text: &str) -> Result<()> {
        let what = self.paint.dim(format!("{what:<6}"));
        self.say(&format!("   {what} {text}\n"))
    }

    fn say(&mut self, text: &str) -> Result<()> {
        self.stdout.say(text)
    }

    fn write(&self, name: &str, content: &Value) -> Result<()> {
        let path: &Path = self.folder.path();
        std::fs::write(path.join(name), content.to_string()).map_err(|error| {
            Error::system(format!("A temporary file cannot be written: {error}. Set TMPDIR."))
                .caused_by(error)
        })
    }
}

fn failed(what: String) -> Error {
    Error::system(format!("The demonstration failed: {what}."))
}

impl Said {
    fn take(&mut self, line: &str) {
        // Records are many and all alike: only the first ones are read as JSON.
        if line.starts_with(r#"{"type":"RECORD""#) {
            self.records += 1;
            self.active += u64::from(line.contains(r#""active":true"#));
            if self.first_records.len() < SHOWN_RECORDS {
                let record: Value = serde_json::from_str(line).unwrap_or_default();
                self.first_records.push(record["record"]["data"].clone());
            }
        } else if let Ok(message) = serde_json::from_str(line) {
            self.messages.push(message);
        }
    }
}
