//! `simulate`: the simulator as a program of its own.

use std::io::Write;

use clap::Args;

use crate::error::Result;
use crate::output::stdout::Stdout;
use crate::simulator::{self, DEMO_TOKEN, ScheduledFault, Simulator, describe_faults};

/// How the simulator is to be.
#[derive(Debug, Args)]
#[command(after_long_help = faults())]
pub(super) struct Options {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = 0)]
    port: u16,
    /// How many customers the company has
    #[arg(long, value_name = "N", default_value_t = 1000)]
    customers: u64,
    /// What goes wrong: NAME[:ARGUMENT][@TIMES], each for so many requests, one after the other; --help
    /// lists the names
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<String>,
    /// The token it accepts
    #[arg(long, value_name = "TOKEN", default_value = DEMO_TOKEN)]
    token: String,
}

fn faults() -> String {
    format!("Faults:\n{}", describe_faults())
}

/// Runs the simulator until the process is ended.
pub(super) fn run(options: &Options, mut stdout: Stdout) -> Result<()> {
    let faults: Result<Vec<ScheduledFault>> =
        options.faults.iter().map(|fault| fault.parse()).collect();
    let simulator = Simulator::start(simulator::Options {
        port: options.port,
        customers: options.customers,
        token: options.token.clone(),
        faults: faults?,
    })?;
    let origin = simulator.base_url().trim_end_matches("/api");
    let said = format!(
        "base_url: {}\nauthentication_token: {}\n",
        simulator.base_url(),
        simulator.token()
    );
    stdout.say(&said)?;
    let _ = writeln!(
        std::io::stderr(),
        "{} customers. Edit some while it runs: curl -X POST '{origin}/simulator/change?customers=7'. Ctrl-C ends it.",
        options.customers
    );
    loop {
        std::thread::park();
    }
}
