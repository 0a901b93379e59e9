//! The API: one request for one list, received and proved whole before anything of it is shown.

use std::io::BufRead;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::Utc;

use crate::config::Config;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::model::arrow::Selection;
use crate::model::{Stream, Timestamp};
use crate::network::Proxies;
use crate::plan::{Mode, Plan};
use crate::receipt::Receipt;
use crate::state::{List, State};

mod accepted;
mod client;
mod columns;
mod connections;
mod convert;
mod decode;
mod early;
mod envelope;
mod explain;
mod extra;
mod failure;
mod inflate;
mod json;
mod list;
mod not_found;
mod order;
mod probe;
mod question;
mod received;
mod rejects;
mod retry;
mod rows;
mod scratch;
mod spool;
mod tally;
mod texts;
mod tls_error;
mod transfer;
mod wait;
mod window;

pub use accepted::{Accepted, Batches};
pub use connections::Connections;
pub use early::Early;
pub use scratch::Scratch;

use client::{Body, Client};
use decode::{Decoded, Decoder};
use early::Offer;
use explain::Explain;
use failure::Failure;
use received::Counted;
use retry::{AGAIN, Next, Retry, spent, too_long};
use transfer::Head;
use window::Window;

/// How long a check may take as a whole.
const CHECK_WINDOW: Duration = Duration::from_secs(30);

/// What a machine offers to whoever asks the API.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Where temporary files may go.
    pub scratch: Scratch,
    /// The proxies that its environment names.
    pub proxies: Proxies,
    /// The file of CA certificates that its environment names, if it names one.
    pub certificates: Option<PathBuf>,
}

/// The API, as one configuration reaches it.
pub struct Source<'a> {
    config: &'a Config,
    client: Client,
    scratch: Scratch,
    log: &'a dyn Log,
    interrupt: Interrupt,
}

/// What decodes a reply, wherever its body comes from.
struct Parts<'a> {
    plan: &'a Plan,
    config: &'a Config,
    scratch: &'a Scratch,
    log: &'a dyn Log,
}

/// A reply that has ended and said success.
struct Attempt<'a> {
    decoded: Decoded<'a>,
    now: Timestamp,
    extracted_at: Timestamp,
    has_list: bool,
    bytes: u64,
}

impl<'a> Source<'a> {
    /// The API of a configuration. Nothing is sent yet.
    pub fn new(config: &'a Config, machine: Machine, log: &'a dyn Log) -> Self {
        let client = Client::new(config, machine.proxies, machine.certificates);
        Self { config, client, scratch: machine.scratch, log, interrupt: Interrupt::default() }
    }

    /// The same, which no longer waits for an answer once the user asks the run to end.
    pub fn until(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }

    /// The same over connections that other sources use too.
    pub fn over(self, connections: Connections) -> Self {
        Self { client: self.client.over(connections), ..self }
    }

    /// How many requests were sent, those that failed included.
    pub fn requests(&self) -> u32 {
        self.client.sent()
    }

    /// Asks the API whether it would serve the stream, where it can be with a filter that matches nothing.
    ///
    /// # Errors
    /// `Auth` if the token is refused, `Config` if the address is wrong, `Transient` if there was no
    /// answer within 30 seconds, `Data` if the answer is not the documented shape.
    pub fn check(&self, stream: &'static Stream) -> Result<()> {
        let selection = Selection::of(stream, |_| false);
        let request = crate::plan::Request {
            stream,
            selection,
            mode: Mode::FullRefresh,
            state: None,
            full_list_hours: None,
        };
        let now = Timestamp::from(Utc::now());
        let mut plan = Plan::new(self.config, request, now);
        if let Some(since) = stream.since {
            plan.query.retain(|(parameter, _)| *parameter != since);
            plan.query.push((since, probe::NEVER.to_owned()));
        }
        let window = CHECK_WINDOW.min(self.config.retry_window);
        self.patiently(window, Some(CHECK_WINDOW), |timeout| {
            let (head, body) = self.send(stream, &plan.query, timeout)?;
            probe::judge(body, &self.explain(stream, &head), self.log)
        })?;
        let mut warnings = Vec::new();
        plan.warn_of_start(now, &mut warnings);
        warnings.iter().for_each(|warning| self.log.warn(warning));
        Ok(())
    }

    /// Receives the reply to a plan and proves it: it ended, and it said success. Whoever takes rows `early` sees them as they
    /// arrive; with each try all begins anew.
    ///
    /// # Errors
    /// Of every kind; nothing of the reply is shown then.
    pub fn receive(&self, plan: &Plan, early: &mut dyn Early) -> Result<Accepted> {
        let started = Instant::now();
        let (attempt, requests) = self.patiently(self.config.retry_window, None, |timeout| {
            self.attempt(plan, timeout, early)
        })?;
        attempt.accept(plan, started, requests)
    }

    /// Sends one request and decodes its reply to the end.
    fn attempt<'p>(
        &'p self,
        plan: &'p Plan,
        timeout: Duration,
        early: &mut dyn Early,
    ) -> Result<Attempt<'p>, Failure> {
        self.log.stage("Receiving", None);
        let extracted_at = Timestamp::from(Utc::now());
        let (head, body) = self.send(plan.stream, &plan.query, timeout)?;
        let explain = self.explain(plan.stream, &head);
        let body = explain.accept_status(body)?;
        let now = head.latest_cursor(Timestamp::from(Utc::now()));
        let parts = Parts { plan, config: self.config, scratch: &self.scratch, log: self.log };
        let body = Counted::new(body, self.log);
        let attempt = parts.attempt(body, &explain, extracted_at, now, early);
        if attempt.is_err() {
            early.lose();
        }
        attempt
    }

    fn send(
        &self,
        stream: &Stream,
        query: &[(&str, String)],
        timeout: Duration,
    ) -> Result<(Head, Body), Failure> {
        let asked: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.log.debug(&format!(
            "Asking {} for {} with {} (and the token), for at most {} s.",
            self.client.host(),
            stream.method,
            asked.join("&"),
            timeout.as_secs()
        ));
        let (head, body) = self.client.send(stream.method, query, timeout, &self.interrupt)?;
        self.log.debug(&format!("The reply begins: {head}."));
        Ok((head, body))
    }

    fn explain<'e>(&'e self, stream: &'static Stream, head: &'e Head) -> Explain<'e> {
        Explain::of(self.client.host(), self.config, stream, head)
    }

    /// Tries until it works, would never work, or the window is spent. Also says how many tries it took.
    /// `deadline` bounds everything together, the last try included.
    fn patiently<T>(
        &self,
        window: Duration,
        deadline: Option<Duration>,
        mut attempt: impl FnMut(Duration) -> Result<T, Failure>,
    ) -> Result<(T, u32)> {
        let started = Instant::now();
        let mut retry = Retry::new(window);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_sub(started.elapsed()));
            let timeout = left.unwrap_or(Duration::MAX).min(self.config.request_timeout);
            let failure = match attempt(timeout) {
                Ok(value) => return Ok((value, retry.tries() + 1)),
                Err(failure) => failure,
            };
            match retry.next(&failure, started.elapsed(), fastrand::f64()) {
                Next::Wait(pause) => {
                    let left = window.saturating_sub(started.elapsed()).as_secs();
                    let what = failure.error.to_string();
                    self.log.warn(&format!(
                        "Retry {} in {:.1} s, giving up in {}:{:02}: {}",
                        retry.tries(),
                        pause.as_secs_f64(),
                        left / 60,
                        left % 60,
                        // It is sent again, so that nobody has to.
                        what.strip_suffix(AGAIN).unwrap_or(&what)
                    ));
                    wait::pause(pause, &self.interrupt)?;
                }
                Next::Never => return Err(failure.error),
                Next::Spent => return Err(spent(failure.error, retry.tries(), window)),
                Next::TooLong(asked) => return Err(too_long(&failure.error, asked, window)),
            }
        }
    }
}

impl<'a> Parts<'a> {
    fn attempt(
        &self,
        body: impl BufRead,
        explain: &Explain<'_>,
        extracted_at: Timestamp,
        now: Timestamp,
        early: &mut dyn Early,
    ) -> Result<Attempt<'a>, Failure> {
        let offer = Offer::new(early, extracted_at);
        let most = spool::MAX_BYTES;
        let mut decoder = Decoder::new(self.plan, self.config, now, self.scratch, most, offer);
        let mut window = Window::new(body);
        let read = envelope::read(&mut window, self.plan.stream.list, &mut decoder);
        let envelope = read.map_err(|fault| explain.fault(fault, window.excerpt()))?;
        let mut decoded = decoder.finish()?;
        let elements = decoded.tally.rows + decoded.tally.left_out + decoded.rejects.count();
        explain.accept_envelope(&envelope, elements == 0, self.log)?;
        decoded.tally.duplicates += envelope.duplicates;
        let has_list = envelope.has_list();
        Ok(Attempt { decoded, now, extracted_at, has_list, bytes: window.position() })
    }
}

impl Attempt<'_> {
    fn accept(self, plan: &Plan, started: Instant, requests: u32) -> Result<Accepted> {
        let Self { decoded, now, extracted_at, has_list, bytes } = self;
        let Decoded { spool, tally, rejects, taken } = decoded;
        let mut warnings = tally.warnings(plan);
        if spool.has_no_folder {
            warnings.push("No temporary folder can be written, so the whole reply is kept in memory. Set TMPDIR to a folder that can be.".into());
        }
        if let Some(cursor) = plan.cursor.filter(|cursor| *cursor > now) {
            warnings.push(format!(
                "The state of stream `{}` is from the future ({cursor}). It is kept, so nothing is read that changed before it. Reset the stream if that is not meant.",
                plan.stream.name
            ));
        }
        plan.warn_of_start(now, &mut warnings);
        let (rows, rejected) = (tally.rows, rejects.count());
        let incomplete = plan.incomplete.or(match (has_list, rows, rejected) {
            (false, _, _) => Some("the reply has no list"),
            (true, 0, _) => Some("it is empty"),
            (true, _, 1..) => Some("a record was rejected"),
            (true, _, 0) => None,
        });
        let whole = List { at: extracted_at, count: incomplete.is_none().then_some(rows) };
        let state = State {
            cursor: tally.cursor.max(plan.cursor),
            scope: Some(plan.scope.clone()),
            list: if plan.asked.is_none() { Some(whole) } else { plan.list },
        };
        let receipt = Receipt {
            stream: plan.stream,
            rows,
            left_out: tally.left_out,
            rejected,
            extracted_at,
            bytes,
            elapsed: started.elapsed(),
            requests,
            incomplete,
            warnings,
        };
        let batches = Batches {
            spooled: spool.finish()?,
            promised: rows,
            handed_on: 0,
            taken,
            stream: plan.stream,
            state,
        };
        Ok(Accepted { receipt, batches, rejects })
    }
}

/// Proves a reply whose body is at hand, as if the server had sent it at `now`: for tests, benchmarks and
/// fuzzing, which need no server then.
///
/// # Errors
/// As [`Source::receive`].
pub fn prove(
    body: impl BufRead,
    plan: &Plan,
    config: &Config,
    now: Timestamp,
    scratch: &Scratch,
    log: &dyn Log,
) -> Result<Accepted> {
    let head =
        Head { status: 200, date: Some(now), content_type: String::new(), retry_after: None };
    let explain = Explain::of("the file", config, plan.stream, &head);
    let attempt = Parts { plan, config, scratch, log }.attempt(body, &explain, now, now, &mut ());
    attempt.map_err(|failure| failure.error)?.accept(plan, Instant::now(), 1)
}
