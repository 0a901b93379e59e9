//! What one core makes of a reply that is at hand: to batches, and from batches to lines.
//!
//! ```sh
//! cargo bench --bench decode
//! ```

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on is one that failed")]

use std::hint::black_box;
use std::io::{self, Read};

use arrow_array::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kometsales::airbyte::sink::Console;
use kometsales::config::Config;
use kometsales::error::{Error, Result};
use kometsales::log::Level;
use kometsales::model::arrow::Selection;
use kometsales::model::{Timestamp, Zone};
use kometsales::output::rows::Lines;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::receipt::Receipt;
use kometsales::sink::{Answer, Reply, Sink};
use kometsales::source::{Scratch, prove};
use kometsales::state::Checkpoint;
use kometsales::streams::customers::CUSTOMERS;

const CUSTOMERS_IN_REPLY: u64 = 100_000;

struct Reading {
    config: Config,
    plan: Plan,
}

impl Reading {
    fn new(selection: Selection) -> Self {
        let config = br#"{"authentication_token": "benchmark"}"#;
        let (config, _) = Config::parse(config, "the benchmark").unwrap();
        let request = Request {
            stream: &CUSTOMERS,
            selection,
            mode: Mode::FullRefresh,
            state: None,
            full_list_hours: None,
        };
        let plan = Plan::new(&config, request, Timestamp::from(chrono::Utc::now()));
        Self { config, plan }
    }

    /// The same for lines.
    fn for_lines(self) -> Self {
        Self { plan: self.plan.for_lines(), ..self }
    }

    /// Decodes the reply and drops its batches as they come, or keeps them.
    fn read(&self, reply: &[u8], mut take: impl FnMut(RecordBatch)) -> Receipt {
        let now = Zone::UTC.parse("2026-11-24T00:00:00").unwrap();
        let scratch = Scratch::new(vec![std::env::temp_dir()]);
        let mut accepted = prove(reply, &self.plan, &self.config, now, &scratch, &()).unwrap();
        while let Some(batch) = accepted.batches.next_batch().unwrap() {
            take(batch);
        }
        accepted.receipt
    }
}

fn compact() -> Vec<u8> {
    let mut reply = Vec::new();
    kometsales::simulator::write_reply(&mut reply, CUSTOMERS_IN_REPLY).unwrap();
    reply
}

/// The same with a member a line, as some servers write it.
fn pretty(reply: &[u8]) -> Vec<u8> {
    let reply: serde_json::Value = serde_json::from_slice(reply).unwrap();
    serde_json::to_vec_pretty(&reply).unwrap()
}

fn from_reply_to_batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from reply to batches");
    group.sample_size(15);
    let compact = compact();
    let pretty = pretty(&compact);
    let everything = Selection::all(&CUSTOMERS);
    let some = Selection::of(&CUSTOMERS, |name| matches!(name, "name" | "active"));
    for (name, reply, selection) in [
        ("every field", &compact, &everything),
        ("four fields", &compact, &some),
        ("every field, pretty-printed", &pretty, &everything),
    ] {
        let reading = Reading::new(selection.clone());
        group.throughput(Throughput::Bytes(reply.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| reading.read(reply, |batch| drop(black_box(batch))));
        });
        let reading = reading.for_lines();
        group.bench_function(format!("{name}, for lines"), |bencher| {
            bencher.iter(|| reading.read(reply, |batch| drop(black_box(batch))));
        });
    }
    group.finish();
}

fn from_batches_to_lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from batches to lines");
    group.sample_size(15);
    let reading = Reading::new(Selection::all(&CUSTOMERS)).for_lines();
    let mut batches = Vec::new();
    let receipt = reading.read(&compact(), |batch| batches.push(batch));
    let form = Lines::new(&CUSTOMERS, &Selection::all(&CUSTOMERS), "", "\n");
    let mut lines = Vec::new();
    write_rows(&form, &batches, &mut lines);
    group.throughput(Throughput::Bytes(lines.len() as u64));
    group.bench_function("rows", |bencher| {
        bencher.iter(|| {
            lines.clear();
            write_rows(&form, black_box(&batches), &mut lines);
        });
    });
    let console = Console::new(io::sink(), Level::Error);
    group.bench_function("Airbyte records", |bencher| {
        bencher.iter(|| {
            let mut reply = AtHand { receipt: &receipt, batches: batches.iter() };
            let taken = (&mut &console).take(&reading.plan, &mut reply);
            assert!(taken.is_err(), "only the source can prove that all rows were handed out");
        });
    });
    group.finish();
}

/// Batches that are in memory, in the place of a proved reply.
struct AtHand<'a> {
    receipt: &'a Receipt,
    batches: std::slice::Iter<'a, RecordBatch>,
}

impl Reply for AtHand<'_> {
    fn receipt(&self) -> &Receipt {
        self.receipt
    }

    fn rejects(&mut self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(io::empty()))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        Ok(black_box(self.batches.next()).cloned())
    }

    fn finish(&mut self) -> Result<Checkpoint> {
        Err(Error::system("A benchmark saves no state."))
    }

    fn resume(&mut self) -> Result<()> {
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        Ok(())
    }

    fn ask(&mut self, _: i64) -> Answer {
        Answer::Gone
    }
}

fn write_rows(form: &Lines, batches: &[RecordBatch], lines: &mut Vec<u8>) {
    for batch in batches {
        let rows = form.rows(batch).unwrap();
        for row in 0..batch.num_rows() {
            rows.write(row, lines).unwrap();
        }
    }
}

criterion_group!(benches, from_reply_to_batches, from_batches_to_lines);
criterion_main!(benches);
