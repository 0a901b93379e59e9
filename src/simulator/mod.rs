//! A simulation of Komet Sales' `customer.list` on loopback: the fake of the tests, the source of
//! `kometsales demo`, and `kometsales simulate` for people who test pipelines.
//!
//! The customers are a function of their index, so any number of them costs no memory and every
//! run has the same ones. What can go wrong is a [`Fault`] with a name, or a [`Reply`] that a test
//! makes up.

mod altered;
mod answer;
mod changes;
mod companies;
mod company;
mod customer;
mod delivery;
mod fault;
mod filter;
mod list;
mod names;
mod random;
mod record;
mod reply;
mod request;
mod script;
mod server;
mod stop;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use fault::{FAULTS, Fault, FaultForm, ScheduledFault, describe_faults};
pub use list::write_reply;
pub use reply::{Delivery, Reply};
pub use request::Request;
pub use script::Scripted;

use crate::error::{Error, Result};

/// The token that opens the simulator unless another is asked for.
pub const DEMO_TOKEN: &str = "demo-token-of-the-simulator";

/// More customers than this, of all companies together, have no ids.
const MAX_CUSTOMERS: u64 = 1_000_000_000_000;

/// What a simulator is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// The TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many customers a company has, 10^12 together at most; about one in twelve is deactivated.
    pub customers: u64,
    /// The `authenticationToken` that a single company accepts.
    pub token: String,
    /// Companies with customers and a token of their own each: `company-0001` has `demo-token-0001`, and
    /// so on. `None` is one company, with `token`.
    pub companies: Option<u32>,
    /// How long `customer.list` waits before it answers.
    pub latency: Duration,
    /// Played on `customer.list` one after the other, by each company for itself or by the one that is
    /// named; after them every reply is healthy.
    pub faults: Vec<ScheduledFault>,
    /// Is shown each request with the company it is of and the status of the answer, before that is sent.
    pub on_request: Option<fn(&str, &Request, u16)>,
}

impl Default for Options {
    /// A free port, one company with 1000 customers and [`DEMO_TOKEN`], no latency and no faults.
    fn default() -> Self {
        Self {
            port: 0,
            customers: 1000,
            token: DEMO_TOKEN.to_owned(),
            companies: None,
            latency: Duration::ZERO,
            faults: Vec::new(),
            on_request: None,
        }
    }
}

/// A running simulator. It ends, and closes every connection, when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    base_url: String,
    companies: Arc<companies::Companies>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts a simulator.
    ///
    /// # Errors
    /// `Config` when the port is taken or not ours to take, the token is empty, there are too many
    /// customers or no companies, or a fault comes after one that never ends or names no company; `System` when the machine has no
    /// socket or thread left.
    pub fn start(options: Options) -> Result<Self> {
        let port = options.port;
        let companies = Arc::new(companies::Companies::new(options)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| cannot_listen(port, error))?;
        let address = listener.local_addr().map_err(|error| cannot_listen(port, error))?;
        let served = Arc::clone(&companies);
        let thread = thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || server::serve(&listener, &served))
            .map_err(|error| Error::system("no thread for the simulator").caused_by(error))?;
        let base_url = format!("http://{address}/api");
        Ok(Self { address, base_url, companies, thread: Some(thread) })
    }

    /// What goes before `/customer.list`: `http://127.0.0.1:PORT/api`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The `authenticationToken` it accepts; that of the first company where there are several.
    pub fn token(&self) -> &str {
        &self.companies.first().token
    }

    /// The companies, each with its name and the token it accepts.
    pub fn companies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.companies.all().map(|company| (company.name.as_str(), company.token.as_str()))
    }

    /// How often a company's list was asked for; `None` if there is no such company.
    pub fn asked(&self, company: &str) -> Option<u64> {
        Some(self.companies.named(company)?.asked())
    }

    /// The most requests for lists that were answered at once.
    pub fn most_at_once(&self) -> u64 {
        self.companies.most_at_once()
    }

    /// Queues what one request gets, before any scheduled fault: the next request, or the one after
    /// those that are queued already. `/simulator/change` takes nothing from the queue.
    pub fn reply_next(&self, next: impl Into<Scripted>) {
        self.companies.queue(next.into());
    }

    /// Edits this many customers now, different ones until all had their turn: one in four is
    /// deactivated or activated, the others are renamed. Returns their ids. Later replies have the
    /// edits, `updatedOn` included; over HTTP it is `POST /simulator/change?customers=N`, which
    /// answers `{"changed": N, "ids": […]}`. Where there are several companies, each edits this many.
    pub fn change(&self, customers: u64) -> Vec<u64> {
        self.companies.change(company::Change::Edit, customers)
    }

    /// Removes this many customers, those at the end of the list first, so that later replies do not have
    /// them. Returns their ids; over HTTP it is `POST /simulator/remove?customers=N`.
    pub fn remove(&self, customers: u64) -> Vec<u64> {
        self.companies.change(company::Change::Remove, customers)
    }

    /// Brings back this many of the removed customers, unchanged, those that were removed first. Returns
    /// their ids; over HTTP it is `POST /simulator/restore?customers=N`.
    pub fn restore(&self, customers: u64) -> Vec<u64> {
        self.companies.change(company::Change::Restore, customers)
    }

    /// The last 10,000 requests, oldest first, without those to `/simulator/…`.
    pub fn requests(&self) -> Vec<Request> {
        self.companies.requests()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.companies.stop.stop();
        // The listening thread waits for a connection, so it gets one. Without it the thread could
        // not be joined, and is left to end with the process.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn cannot_listen(port: u16, error: std::io::Error) -> Error {
    let error_for_people = match error.kind() {
        ErrorKind::AddrInUse => Error::config(format!(
            "port {port} is taken: choose another one, or 0 for any that is free"
        )),
        ErrorKind::PermissionDenied => Error::config(format!(
            "port {port} is not ours to take: choose one above 1023, or 0 for any that is free"
        )),
        _ => Error::system(format!("the simulator cannot listen on 127.0.0.1:{port}: {error}")),
    };
    error_for_people.caused_by(error)
}
