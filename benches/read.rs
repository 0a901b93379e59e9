//! The whole of `read`, from a socket to `/dev/null`, beside `curl` of the same URL in the same run.
//!
//! ```sh
//! cargo bench --bench read                      # 1,000,000 customers
//! CUSTOMERS=5000000 ROUNDS=3 cargo bench --bench read
//! ```
//!
//! The reply is made once and served from a file by the kernel, so that the server is not what is
//! measured. Times are medians; memory is the largest peak of all rounds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods
)]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn main() {
    let customers = number("CUSTOMERS", 1_000_000);
    let rounds = number("ROUNDS", 7);
    let folder = tempfile::tempdir().unwrap();
    let reply = folder.path().join("reply.json");
    kometsales::simulator::write_reply(BufWriter::new(File::create(&reply).unwrap()), customers)
        .unwrap();
    let bytes = reply.metadata().unwrap().len();
    let port = serve(reply);
    let config = format!(
        r#"{{"authentication_token": "bench", "base_url": "http://127.0.0.1:{port}/api"}}"#
    );
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let catalog = r#"{"streams": [{"stream": {"name": "customers", "json_schema": {}}, "sync_mode": "incremental"}]}"#;
    std::fs::write(folder.path().join("catalog.json"), catalog).unwrap();

    let url = format!("http://127.0.0.1:{port}/api/customer.list");
    let copy = folder.path().join("copy");
    let copy = copy.to_str().unwrap();
    let cases: [(&str, Vec<&str>); 4] = [
        ("curl -o /dev/null", vec!["curl", "-s", "-o", "/dev/null", &url]),
        ("curl -o FILE", vec!["curl", "-s", "-o", copy, &url]),
        (
            "kometsales read",
            vec![
                env!("CARGO_BIN_EXE_kometsales"),
                "read",
                "--config",
                "config.json",
                "--catalog",
                "catalog.json",
            ],
        ),
        ("kometsales spec", vec![env!("CARGO_BIN_EXE_kometsales"), "spec"]),
    ];
    let mut runs: Vec<Vec<Run>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (case, runs) in cases.iter().zip(&mut runs) {
            runs.push(run(&case.1, folder.path()));
        }
    }
    println!("{customers} customers, {bytes} bytes, {rounds} rounds");
    let base = median(&runs[0]);
    for ((name, _), runs) in cases.iter().zip(&runs) {
        let wall = median(runs);
        println!(
            "{name:<20} {:>9.1} ms   {:>5.2} x curl   {:>7.1} MB/s   peak {:>5.1} MiB",
            wall.as_secs_f64() * 1000.0,
            wall.as_secs_f64() / base.as_secs_f64(),
            bytes as f64 / 1e6 / wall.as_secs_f64(),
            runs.iter().map(|run| run.peak).max().unwrap() as f64 / 1024.0
        );
    }
    let (to_file, read) = (median(&runs[1]), median(&runs[2]));
    println!("kometsales read is {:.2} x curl -o FILE", read.as_secs_f64() / to_file.as_secs_f64());
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
    let mut file = File::open(reply).unwrap();
    let length = file.metadata().unwrap().len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // From a file to a socket this is `sendfile`.
    let _ = std::io::copy(&mut file, &mut stream);
}

struct Run {
    wall: Duration,
    /// The largest resident set, in KiB.
    peak: u64,
}

fn run(command: &[&str], folder: &Path) -> Run {
    let started = Instant::now();
    let mut child = Command::new(command[0])
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
