//! `demo --companies`: many companies in one run, one of which fails, and its line in the report.

use std::process::Stdio;
use std::time::Instant;

use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{Demo, failed};
use crate::error::{Error, Kind, Result};
use crate::simulator::{Options, ScheduledFault, Simulator};

/// The company whose token is refused, counted from 1; the last where there are fewer.
const REFUSED: u32 = 7;

/// A simulator of this number of companies, of which one is refused.
///
/// # Errors
/// As [`Simulator::start`].
pub(super) fn simulator(companies: u32, customers: u64) -> Result<Simulator> {
    let refused = format!("token-refused@company-{:04}", REFUSED.min(companies));
    let faults: Vec<ScheduledFault> = vec![refused.parse()?];
    Simulator::start(Options {
        customers,
        companies: Some(companies),
        faults,
        ..Options::default()
    })
}

impl Demo {
    /// The report of one run, then what programs read of it.
    pub(super) fn play_many(&mut self) -> Result<()> {
        let base_url = self.simulator.base_url().to_owned();
        let lines: Vec<Value> = self
            .simulator
            .companies()
            .map(|(name, token)| json!({"company": name, "authentication_token": token}))
            .collect();
        self.say(&format!(
            "{}, against {} simulated companies\n",
            self.paint.bold("kometsales"),
            HumanCount(lines.len() as u64)
        ))?;
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.write_text("companies.jsonl", &lines)?;
        self.write("config.json", &json!({"base_url": base_url}))?;
        let table = self.table.display().to_string();
        let export =
            ["export", "--companies", "companies.jsonl", "--config", "config.json", "--to", &table];
        let (report, told) = self.report("Export each company to a table of its own", &export)?;
        self.say(&indented(&report))?;
        self.say(&indented(&told))?;
        self.edit_each()?;
        let again = [&export[..], &["--json"]].concat();
        let (report, _) = self.report("The same again, as programs read it", &again)?;
        let shown = |line: &&str| line.contains(r#""failed","#) || line.contains("summary");
        let lines = report.lines().filter(shown).map(|line| format!("{line}\n"));
        self.say(&indented(&lines.collect::<String>()))
    }

    /// Lets somebody edit a customer of each company.
    fn edit_each(&mut self) -> Result<()> {
        let edited = self.simulator.change(1).len() as u64;
        let heading = self.paint.bold("*  Meanwhile, in Komet Sales, somebody edits:");
        self.say(&format!("\n{heading} {} customers\n", HumanCount(edited)))
    }

    /// Runs the program, of which one company is to fail alone. Returns stdout and stderr.
    fn report(&mut self, title: &str, arguments: &[&str]) -> Result<(String, String)> {
        let started = Instant::now();
        let command = self.command(arguments)?.stderr(Stdio::piped()).output();
        let output = command.map_err(|error| failed(error.to_string()))?;
        self.heading(title, arguments, started.elapsed())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.code() != Some(i32::from(Kind::Auth.exit_code())) {
            return Err(failed(format!(
                "`export --companies` ended with {}: {stderr}",
                output.status
            )));
        }
        Ok((stdout, stderr))
    }

    fn write_text(&self, name: &str, content: &str) -> Result<()> {
        std::fs::write(self.folder.path().join(name), content).map_err(|error| {
            Error::system(format!("A temporary file cannot be written: {error}. Set TMPDIR."))
                .caused_by(error)
        })
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}
