//! What the tests of the program share: a connector that is run as hosts run it, as a process with files,
//! against the simulator.

pub(crate) mod answer;
pub(crate) mod json;
pub(crate) mod lake;
pub(crate) mod marks;
pub(crate) mod replies;
pub(crate) mod schema;
pub(crate) mod secrets;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod streams;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kometsales::simulator::{Options, ScheduledFault, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;

use answer::Answer;

/// A run that takes longer than this is ended, and the test fails.
pub(crate) const LONGEST_RUN: Duration = Duration::from_secs(30);

/// A place on this machine where nobody listens.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

/// A simulator of this many customers in which nothing goes wrong but what a test queues.
pub(crate) fn simulator(customers: u64) -> Simulator {
    Simulator::start(Options { customers, ..Options::default() }).unwrap()
}

/// A simulator with the faults of a command line: `server-error@2`.
pub(crate) fn faulty(customers: u64, faults: &[&str]) -> Simulator {
    let faults: Vec<ScheduledFault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Simulator::start(Options { customers, faults, ..Options::default() }).unwrap()
}

/// The connector with its configuration, and a folder with its files.
pub(crate) struct Connector {
    folder: TempDir,
    config: Value,
    environment: Vec<(String, String)>,
    /// Whether the program is the one that also has the streams of the tests.
    has_test_streams: bool,
}

impl Connector {
    /// The connector, configured for a simulator, which it asks once and not again.
    pub(crate) fn of(simulator: &Simulator) -> Self {
        Self::configured(json!({
            "authentication_token": simulator.token(),
            "base_url": simulator.base_url(),
            "retry_window_seconds": 0,
        }))
    }

    /// The connector with any configuration.
    pub(crate) fn configured(config: Value) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder, config, environment: Vec::new(), has_test_streams: false }
    }

    /// The same with another setting.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// The same in another environment.
    pub(crate) fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with the streams of the tests besides the product's own.
    pub(crate) fn with_test_streams(mut self) -> Self {
        self.has_test_streams = true;
        self
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> &Value {
        &self.config
    }

    /// The tokens that the program is given.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let variables = self.environment.iter().filter(|(name, _)| name.ends_with("_TOKEN"));
        let variables = variables.map(|(_, value)| value.as_str());
        self.config["authentication_token"].as_str().into_iter().chain(variables).collect()
    }

    /// The folder of its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its `TMPDIR`.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder().join("tmp")
    }

    /// Writes a file into its folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder().join(name), content).unwrap();
    }

    pub(crate) fn check(&self) -> Answer {
        self.run(&["check", "--config", "config.json"])
    }

    /// Reads customers in one of the sync modes, without a state.
    pub(crate) fn read(&self, mode: &str) -> Answer {
        self.read_catalog(&catalog("customers", mode, Value::Null), None)
    }

    /// Reads customers incrementally, after a state as a host keeps it.
    pub(crate) fn read_after(&self, state: &Value) -> Answer {
        self.read_catalog(&catalog("customers", "incremental", Value::Null), Some(state))
    }

    pub(crate) fn read_catalog(&self, catalog: &Value, state: Option<&Value>) -> Answer {
        self.write("catalog.json", catalog.to_string());
        let mut arguments = vec!["read", "--config", "config.json", "--catalog", "catalog.json"];
        if let Some(state) = state {
            self.write("state.json", state.to_string());
            arguments.extend(["--state", "state.json"]);
        }
        self.run(&arguments)
    }

    /// Writes the configuration, unless it is there: a program that was started before may be reading it.
    fn write_config(&self) {
        let config = self.config.to_string();
        if !fs::read(self.folder().join("config.json"))
            .is_ok_and(|there| there == config.as_bytes())
        {
            self.write("config.json", config);
        }
    }

    /// Runs the program to its end, with its configuration as `config.json`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.write_config();
        let answer = finish(self.command(arguments), b"");
        if self.has_test_streams { streams::without_harness(answer) } else { answer }
    }

    /// The program, ready to be started in the connector's folder and environment and no other.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if self.has_test_streams {
            streams::program(arguments)
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_kometsales"));
            command.args(arguments).env_clear();
            command
        };
        command
            .current_dir(self.folder())
            .env("TMPDIR", self.scratch())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Writes the files of a full read.
    pub(crate) fn prepare_read(&self) {
        self.write_config();
        self.write("catalog.json", catalog("customers", "full_refresh", Value::Null).to_string());
    }

    /// Starts a full read whose output is left to the test.
    pub(crate) fn start_read(&self) -> Child {
        self.prepare_read();
        self.command(&["read", "--config", "config.json", "--catalog", "catalog.json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// A configured catalog of one stream; without `properties` every field is selected.
pub(crate) fn catalog(stream: &str, mode: &str, properties: Value) -> Value {
    json!({"streams": [{
        "stream": {
            "name": stream,
            "json_schema": {"type": "object", "properties": properties},
            "supported_sync_modes": ["full_refresh", "incremental"],
        },
        "sync_mode": mode,
        "destination_sync_mode": "append",
    }]})
}

/// The state file of a host that was given this state of customers.
pub(crate) fn state_of(stream_state: Value) -> Value {
    json!([{
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": "customers"}, "stream_state": stream_state},
    }])
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command, input: &[u8]) -> Answer {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    // The program may end without reading it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let status = wait(&mut child);
    let elapsed = started.elapsed();
    Answer::new(status, stdout.join().unwrap(), &stderr.join().unwrap(), elapsed)
}

/// Reads a pipe to its end, beside whatever else happens.
pub(crate) fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).unwrap();
        }
        bytes
    })
}

/// Waits for the end of a process, but not for ever.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + LONGEST_RUN;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program did not end within {LONGEST_RUN:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Goes through a table with several threads, since most cases wait for something.
pub(crate) fn at_once<T: Sync>(table: &[T], case: impl Fn(&T) + Sync) {
    const THREADS: usize = 6;
    thread::scope(|scope| {
        for first in 0..THREADS.min(table.len()) {
            let case = &case;
            scope.spawn(move || table.iter().skip(first).step_by(THREADS).for_each(case));
        }
    });
}

/// Waits until something holds, but not for ever.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONGEST_RUN;
    while !holds() {
        assert!(Instant::now() < end, "it never happened that {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
