//! `simulate`: the simulator as a program of its own.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::error::Result;
use crate::log::escaped;
use crate::output::stdout::Stdout;
use crate::simulator::{self, DEMO_TOKEN, Request, ScheduledFault, Simulator, describe_faults};

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
    /// How many companies there are, each with customers of its own: company-0001 has the token
    /// demo-token-0001, and so on [default: one, with --token]
    #[arg(long, value_name = "N", conflicts_with = "token", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    companies: Option<u32>,
    /// How many milliseconds a list is waited for
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// What goes wrong: NAME[:ARGUMENT][@COMPANY][@TIMES], each for TIMES requests of that company or of
    /// each, one after the other; --help lists the names
    #[arg(long = "fault", value_name = "NAME")]
    faults: Vec<String>,
    /// The token it accepts
    #[arg(long, value_name = "TOKEN", default_value = DEMO_TOKEN)]
    token: String,
}

fn faults() -> String {
    format!("Faults:\n{}", describe_faults())
}

/// Runs the simulator until the process is ended. On stdout is a configuration that asks it, a line of JSON; with
/// `--companies` a line per company, as `export --companies -` takes them.
pub(super) fn run(options: &Options, mut stdout: Stdout) -> Result<()> {
    let faults: Result<Vec<ScheduledFault>> =
        options.faults.iter().map(|fault| fault.parse()).collect();
    let simulator = Simulator::start(simulator::Options {
        port: options.port,
        customers: options.customers,
        token: options.token.clone(),
        companies: options.companies,
        latency: Duration::from_millis(options.latency),
        faults: faults?,
        on_request: Some(show),
    })?;
    let said = simulator.companies().map(|(name, token)| {
        let config = json!({"authentication_token": token, "base_url": simulator.base_url()});
        match options.companies {
            None => format!("{config}\n"),
            Some(_) => {
                let (token, base) = (&config["authentication_token"], &config["base_url"]);
                let named =
                    json!({"company": name, "authentication_token": token, "base_url": base});
                format!("{named}\n")
            }
        }
    });
    stdout.say(&said.collect::<String>())?;
    let origin = simulator.base_url().trim_end_matches("/api");
    let companies = match options.companies {
        None => String::new(),
        Some(companies) => format!("{companies} companies, each with "),
    };
    let _ = writeln!(
        std::io::stderr(),
        "{companies}{} customers. Edit some while it runs: curl -X POST '{origin}/simulator/change?customers=7'. Ctrl-C ends it.",
        options.customers
    );
    loop {
        std::thread::park();
    }
}

/// A request as a line on stderr, without its token.
fn show(company: &str, request: &Request, status: u16) {
    let query = request.query.iter().map(|(name, value)| match name.as_str() {
        "authenticationToken" => format!("{name}=…"),
        _ => format!("{name}={value}"),
    });
    let query = query.collect::<Vec<_>>().join("&");
    let line = format!("{status} {company} {} {}?{query}", request.method, request.path);
    // Where stderr is gone nobody can read it.
    let _ = writeln!(std::io::stderr(), "{}", escaped(&line));
}
