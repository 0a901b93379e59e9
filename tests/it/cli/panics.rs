//! A fault of this program: it ends as a failure of the system, and what it was working on is not shown.

use std::process::Command;

use kometsales::config::Config;
use kometsales::error::{Error, Kind, Result};
use kometsales::model::Timestamp;
use kometsales::model::arrow::Selection;
use kometsales::network::Proxies;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::sink::{Reply, Sink};
use kometsales::source::{Machine, Scratch, Source};
use kometsales::streams::customers::CUSTOMERS;
use kometsales::sync::{RejectLimits, run};

use crate::support::{finish, simulator};

/// The name of the test that is the program.
const PROGRAM: &str = "cli::panics::a_program_with_a_fault";

/// The configuration that it is started with.
const CONFIG: &str = "KOMET_TEST_CONFIG";

/// A sink that breaks while it works on a row.
#[derive(Default)]
struct Broken {
    failed: Option<String>,
}

impl Sink for Broken {
    fn begin(&mut self, _: &Plan) -> Result<()> {
        Ok(())
    }

    fn take(&mut self, _: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let batch = reply.next_batch()?;
        panic!("the token is t0ken-of-a-company, and the row {batch:?}")
    }

    fn fail(&mut self, _: &str, error: &Error) -> Result<()> {
        self.failed = Some(error.to_string());
        Ok(())
    }
}

#[test]
#[ignore = "it is the program that another test starts"]
#[expect(clippy::disallowed_methods, reason = "it is given its configuration as a program is")]
fn a_program_with_a_fault() {
    let Ok(config) = std::env::var(CONFIG) else { return };
    // What the program does first, whatever it is asked for.
    kometsales::cli::main(["kometsales", "spec"].map(Into::into), kometsales::streams::ALL);
    let config = Config::parse(config.as_bytes(), "test").unwrap().0;
    let machine = Machine {
        scratch: Scratch::new(vec![std::env::temp_dir()]),
        proxies: Proxies::default(),
        certificates: None,
    };
    let request = Request {
        stream: &CUSTOMERS,
        selection: Selection::all(&CUSTOMERS),
        mode: Mode::FullRefresh,
        state: None,
        full_list_hours: None,
    };
    let now = Timestamp::from_micros(1_767_247_200_000_000).unwrap();
    let plan = Plan::new(&config, request, now);
    let mut sink = Broken::default();
    let source = Source::new(&config, machine, &());
    let error = run(&source, &plan, &mut sink, RejectLimits::listed(None), &()).unwrap_err();
    assert_eq!(error.kind(), Kind::System);
    assert_eq!(sink.failed, Some(error.to_string()), "the sink knows of it");
    println!("error: {error}");
}

#[test]
fn a_fault_is_reported_with_its_place_and_nothing_of_what_was_worked_on() {
    let simulator = simulator(3);
    let config = serde_json::json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
    });
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().args([PROGRAM, "--exact", "--ignored", "--nocapture"]);
    command.env(CONFIG, config.to_string()).env("RUST_BACKTRACE", "1");
    let answer = finish(command, b"");
    assert_eq!(answer.code, Some(0), "{}{}", answer.text(), answer.stderr);
    let place = answer.stderr.trim_end();
    assert!(place.starts_with("This program has a fault at tests/it/cli/panics.rs:"), "{place}");
    assert!(place.ends_with(": report it.") && place.lines().count() == 1, "{place}");
    let said = answer.text().lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(said.contains("a bug in kometsales"), "{said}");
    assert!(!said.contains("t0ken") && !said.contains("RecordBatch"), "{said}");
}
