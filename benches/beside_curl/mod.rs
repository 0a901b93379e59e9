//! What the benchmarks of whole runs share: one reply, made once and served from a file by the kernel so
//! that the server is not what is measured, and programs run against it in turn. Times are medians;
//! memory is the largest peak of all rounds.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A reply, where it is served, and the files that programs need to ask for it.
pub struct Bench {
    pub customers: u64,
    pub rounds: u64,
    pub bytes: u64,
    pub folder: TempDir,
    pub url: String,
}

/// A program to be measured, and what has to be done before each run of it.
pub struct Case {
    pub name: String,
    pub command: Vec<String>,
    pub prepare: Box<dyn Fn(&Path)>,
}

/// What was measured of a program.
pub struct Measured {
    pub wall: Duration,
    /// In MiB.
    pub peak: f64,
}

impl Case {
    pub fn new(name: &str, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.to_owned(), command, prepare: Box::new(|_| {}) }
    }

    pub fn after(self, prepare: impl Fn(&Path) + 'static) -> Self {
        Self { prepare: Box::new(prepare), ..self }
    }
}

impl Bench {
    /// As many customers as `CUSTOMERS` says, measured as often as `ROUNDS` says.
    pub fn start(rounds: u64) -> Self {
        let customers = number("CUSTOMERS", 1_000_000);
        let rounds = number("ROUNDS", rounds);
        let folder = tempfile::tempdir().unwrap();
        let reply = folder.path().join("reply.json");
        let file = BufWriter::new(File::create(&reply).unwrap());
        kometsales::simulator::write_reply(file, customers).unwrap();
        let bytes = reply.metadata().unwrap().len();
        let port = serve(reply);
        let config = format!(
            r#"{{"authentication_token": "benchmark", "base_url": "http://127.0.0.1:{port}/api"}}"#
        );
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let url = format!("http://127.0.0.1:{port}/api/customer.list");
        println!("{customers} customers, {bytes} bytes, {rounds} rounds");
        Self { customers, rounds, bytes, folder, url }
    }

    /// Measures the programs in turn, round after round, beside `curl -o /dev/null`, which comes first in
    /// what is given back.
    pub fn measure(&self, cases: Vec<Case>) -> Vec<Measured> {
        let curl = Case::new("curl -o /dev/null", &["curl", "-s", "-o", "/dev/null", &self.url]);
        let cases: Vec<Case> = std::iter::once(curl).chain(cases).collect();
        let mut runs: Vec<Vec<Run>> = cases.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (case, runs) in cases.iter().zip(&mut runs) {
                (case.prepare)(self.folder.path());
                runs.push(run(&case.command, self.folder.path()));
            }
        }
        let base = median(&runs[0]);
        let measured = cases.iter().zip(&runs).map(|(case, runs)| {
            let wall = median(runs);
            let peak = runs.iter().map(|run| run.peak).max().unwrap() as f64 / 1024.0;
            println!(
                "{:<28} {:>9.1} ms   {:>6.2} x curl   {:>7.1} MB/s   peak {peak:>6.1} MiB",
                case.name,
                wall.as_secs_f64() * 1000.0,
                wall.as_secs_f64() / base.as_secs_f64(),
                self.bytes as f64 / 1e6 / wall.as_secs_f64(),
            );
            Measured { wall, peak }
        });
        measured.collect()
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Serves the file to every connection, on a free port of loopback, for as long as the process lives.
fn serve(reply: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let reply = reply.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &reply));
        }
    });
    port
}

fn answer(mut stream: TcpStream, reply: &Path) {
    let mut request = [0; 4096];
    let mut read = 0;
    while !request[..read].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[read..]) {
            Ok(0) | Err(_) => return,
            Ok(more) => read += more,
        }
    }
    let head = |length: u64| {
        format!(
            "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    // Who is asked for one by one is gone.
    if String::from_utf8_lossy(&request[..read]).contains("&id=") {
        let nobody = r#"{"status":"1","message":"OK","customers":[]}"#;
        let _ = stream.write_all((head(nobody.len() as u64) + nobody).as_bytes());
        return;
    }
    let mut file = File::open(reply).unwrap();
    let length = file.metadata().unwrap().len();
    stream.write_all(head(length).as_bytes()).unwrap();
    // From a file to a socket this is `sendfile`.
    let _ = std::io::copy(&mut file, &mut stream);
}

struct Run {
    wall: Duration,
    /// The largest resident set, in KiB.
    peak: u64,
}

fn run(command: &[String], folder: &Path) -> Run {
    let started = Instant::now();
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .current_dir(folder)
        .stdout(Stdio::from(File::create("/dev/null").unwrap()))
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    // Seldom enough not to be what is measured: the kernel keeps the highest value.
    let (status, ended) = (format!("/proc/{}/status", child.id()), AtomicBool::new(false));
    let (done, wall, peak) = std::thread::scope(|scope| {
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
        (done, wall, watch.join().unwrap())
    });
    assert!(done.success(), "{command:?}: {done}");
    Run { wall, peak }
}

fn high_water(status: &str) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn median(runs: &[Run]) -> Duration {
    let mut walls: Vec<Duration> = runs.iter().map(|run| run.wall).collect();
    walls.sort();
    walls[walls.len() / 2]
}
