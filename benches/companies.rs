//! Many companies in one run, beside a loop of single exports of the same companies, in the same round: first, and again with
//! nothing changed. Memory is that of the run of many.
//!
//! ```sh
//! cargo bench --bench companies                                    # 1,000 companies of 5,000 customers, 4 jobs
//! COMPANIES=1000 CUSTOMERS=1000 LATENCY=200 JOBS=8 LOOP=0 cargo bench --bench companies
//! COMPANIES=100 CUSTOMERS=44000 JOBS=8 LOOP=0 cargo bench --bench companies       # memory
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kometsales::simulator::{Options, Simulator};
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kometsales");

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn high_water(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Runs the program to its end; gives the time and the largest resident set in MiB.
fn run(arguments: &[&str], folder: &Path) -> (Duration, f64) {
    let started = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(File::create("/dev/null").unwrap())
        .spawn()
        .unwrap();
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
        let done = child.wait().unwrap();
        let wall = started.elapsed();
        ended.store(true, Ordering::Relaxed);
        assert!(done.success(), "{arguments:?}: {done}");
        (wall, watch.join().unwrap() as f64 / 1024.0)
    })
}

fn main() {
    let companies = u32::try_from(number("COMPANIES", 1000)).unwrap();
    let (customers, jobs) = (number("CUSTOMERS", 5000), number("JOBS", 4).to_string());
    let (latency, has_loop) = (Duration::from_millis(number("LATENCY", 0)), number("LOOP", 1) == 1);
    let options = Options { customers, companies: Some(companies), latency, ..Options::default() };
    let simulator = Simulator::start(options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for (name, token) in simulator.companies() {
        let config = json!({"authentication_token": token, "base_url": simulator.base_url()});
        std::fs::write(folder.path().join(format!("{name}.json")), config.to_string()).unwrap();
        let line = json!({"company": name, "authentication_token": token, "base_url": simulator.base_url()});
        lines.push_str(&format!("{line}\n"));
    }
    std::fs::write(folder.path().join("companies.jsonl"), lines).unwrap();
    println!("{companies} companies of {customers} customers, {jobs} jobs, latency {latency:?}");
    for round in ["first", "unchanged"] {
        let many = ["export", "--companies", "companies.jsonl", "--to", "many", "--jobs", &jobs];
        let (wall, peak) = run(&many, folder.path());
        print!("{round:<10} --companies {:>8.2} s   peak {peak:>6.1} MiB", wall.as_secs_f64());
        if has_loop {
            let started = Instant::now();
            for (name, _) in simulator.companies() {
                let (config, to) = (format!("{name}.json"), format!("loop/{name}"));
                run(&["export", "--config", &config, "--to", &to], folder.path());
            }
            let one_by_one = started.elapsed();
            let share = wall.as_secs_f64() / one_by_one.as_secs_f64();
            print!("   loop {:>8.2} s   {share:.2} x the loop", one_by_one.as_secs_f64());
        }
        println!();
    }
}
