//! Many companies in one run, beside a loop of single exports of the same companies, in the same round: first, and again with
//! nothing changed. Memory is that of the run of many. With `FAULT` the run is beside one in which every company is healthy, and the time is
//! that of the others: to the last of them that was exported.
//!
//! ```sh
//! cargo bench --bench companies                                    # 1,000 companies of 5,000 customers, 4 jobs
//! COMPANIES=1000 CUSTOMERS=1000 LATENCY=200 JOBS=8 LOOP=0 cargo bench --bench companies
//! COMPANIES=100 CUSTOMERS=44000 JOBS=8 LOOP=0 cargo bench --bench companies       # memory
//! ONE_TABLE=1 LOOP=0 cargo bench --bench companies                                # one table beside own tables
//! COMPANIES=100 FAULT=token-refused@company-0001 cargo bench --bench companies    # and FAULT=stall:100@company-0001
//! ```
//!
//! `KOMETSALES` is another executable than that of this build.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kometsales::simulator::{Options, ScheduledFault, Simulator};
use serde_json::json;
use tempfile::TempDir;

/// After so long a request that stalls is given up.
const TIMEOUT_SECONDS: u64 = 5;

fn program() -> String {
    std::env::var("KOMETSALES").unwrap_or_else(|_| env!("CARGO_BIN_EXE_kometsales").to_owned())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn high_water(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// How a run ended.
struct Ended {
    wall: Duration,
    /// To the last company that was exported.
    exported: Duration,
    /// The largest resident set in MiB.
    peak: f64,
    status: ExitStatus,
}

/// Runs the program to its end.
fn run(arguments: &[&str], folder: &Path) -> Ended {
    let started = Instant::now();
    let mut child = Command::new(program())
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (status, ended) = (format!("/proc/{}/status", child.id()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Seldom enough not to be what is measured: the kernel keeps the highest value.
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(high_water(&status));
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let mut exported = Duration::ZERO;
        for line in lines {
            if line.unwrap().contains(r#""outcome":"exported""#) {
                exported = started.elapsed();
            }
        }
        let status = child.wait().unwrap();
        let wall = started.elapsed();
        ended.store(true, Ordering::Relaxed);
        Ended { wall, exported, peak: watch.join().unwrap() as f64 / 1024.0, status }
    })
}

/// Companies to export, and the folder with what is said of them.
struct Many {
    simulator: Simulator,
    folder: TempDir,
    jobs: String,
}

impl Many {
    fn of(faults: Vec<ScheduledFault>) -> Self {
        let companies = u32::try_from(number("COMPANIES", 1000)).unwrap();
        let (customers, jobs) = (number("CUSTOMERS", 5000), number("JOBS", 4).to_string());
        let latency = Duration::from_millis(number("LATENCY", 0));
        let options = Options {
            customers,
            companies: Some(companies),
            latency,
            faults,
            ..Options::default()
        };
        let (simulator, folder) =
            (Simulator::start(options).unwrap(), tempfile::tempdir().unwrap());
        let mut lines = String::new();
        for (name, token) in simulator.companies() {
            let mut own = json!({"authentication_token": token, "base_url": simulator.base_url(),
                "retry_window_seconds": 0, "request_timeout_seconds": TIMEOUT_SECONDS});
            std::fs::write(folder.path().join(format!("{name}.json")), own.to_string()).unwrap();
            own["company"] = name.into();
            lines.push_str(&format!("{own}\n"));
        }
        std::fs::write(folder.path().join("companies.jsonl"), lines).unwrap();
        Self { simulator, folder, jobs }
    }

    fn export(&self, to: &str) -> Ended {
        let many = ["export", "--companies", "companies.jsonl", "--to", to, "--jobs", &self.jobs];
        run(&many, self.folder.path())
    }

    /// All in one table; also gives how many commits it has.
    fn export_to_one_table(&self, to: &str) -> (Ended, usize) {
        let many = ["export", "--companies", "companies.jsonl", "--to", to, "--jobs", &self.jobs];
        let ended = run(&[&many[..], &["--one-table"]].concat(), self.folder.path());
        let log = self.folder.path().join(to).join("customers/_delta_log");
        let names = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name());
        let is_commit = |name: &std::ffi::OsString| {
            name.len() == 25 && name.to_string_lossy().ends_with(".json")
        };
        (ended, names.filter(is_commit).count())
    }

    /// One after the other, each by a program of its own.
    fn export_one_by_one(&self, to: &str) -> Duration {
        let started = Instant::now();
        for (name, _) in self.simulator.companies() {
            let (config, to) = (format!("{name}.json"), format!("{to}/{name}"));
            let ended = run(&["export", "--config", &config, "--to", &to], self.folder.path());
            assert!(ended.status.success(), "{name}: {}", ended.status);
        }
        started.elapsed()
    }

    fn remove(&self, to: &str) {
        std::fs::remove_dir_all(self.folder.path().join(to)).unwrap();
    }
}

/// The time of the others where one company fails, over that where none does: the median of rounds side by side.
fn beside_a_fault(fault: &str) {
    let (healthy, faulty) = (Many::of(Vec::new()), Many::of(vec![fault.parse().unwrap()]));
    let mut shares: Vec<f64> = Vec::new();
    for round in 0..number("ROUNDS", 7) {
        let whole = healthy.export("many");
        let others = faulty.export("many");
        assert!(whole.status.success() && !others.status.success(), "{fault} does not fail");
        let share = others.exported.as_secs_f64() / whole.exported.as_secs_f64();
        println!(
            "round {round}   healthy {:>6.2} s   the others {:>6.2} s   whole run {:>6.2} s   {share:.3} x",
            whole.exported.as_secs_f64(),
            others.exported.as_secs_f64(),
            others.wall.as_secs_f64()
        );
        shares.push(share);
        healthy.remove("many");
        faulty.remove("many");
    }
    shares.sort_by(f64::total_cmp);
    println!("{fault}: {:.3} x for the others (median)", shares[shares.len() / 2]);
}

fn main() {
    println!(
        "{} companies of {} customers, {} jobs, latency {} ms",
        number("COMPANIES", 1000),
        number("CUSTOMERS", 5000),
        number("JOBS", 4),
        number("LATENCY", 0)
    );
    if let Ok(fault) = std::env::var("FAULT") {
        return beside_a_fault(&fault);
    }
    let many = Many::of(Vec::new());
    for round in ["first", "unchanged"] {
        let ended = many.export("many");
        assert!(ended.status.success(), "{}", ended.status);
        let (wall, peak) = (ended.wall.as_secs_f64(), ended.peak);
        print!("{round:<10} --companies {wall:>8.2} s   peak {peak:>6.1} MiB");
        if number("ONE_TABLE", 0) == 1 {
            let (one, commits) = many.export_to_one_table("one");
            assert!(one.status.success(), "{}", one.status);
            let (one, peak) = (one.wall.as_secs_f64(), one.peak);
            print!(
                "   one table {one:>8.2} s   peak {peak:>6.1} MiB   {commits} commits   {:.2} x own",
                one / wall
            );
        }
        if number("LOOP", 1) == 1 {
            let one_by_one = many.export_one_by_one("loop").as_secs_f64();
            print!("   loop {one_by_one:>8.2} s   {:.2} x the loop", wall / one_by_one);
        }
        println!();
    }
}
