//! One HTTP request. Everything of the HTTP library stays in this file, and no URL leaves it: the token
//! is in it.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use chrono::Utc;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName,
    RETRY_AFTER,
};
use url::{Host, Url};

use super::failure::{Failure, carried_or};
use super::inflate::Output;
use super::tls_error::{is_lasting, tls_error};
use super::wait;
use crate::config::Config;
use crate::error::{Error, Result, root_cause};
use crate::interrupt::Interrupt;
use crate::model::Timestamp;
use crate::model::time::http_date;
use crate::network::{Proxies, check_certificates, check_name};
use crate::secret::Token;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may come in a reply.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the HTTP library says of a proxy that answers 407 (RFC 9110 §15.5.8).
const PROXY_WANTS_PASSWORD: &str = "proxy authorization required";

/// Pieces of a reply between the thread that receives and the one that decodes.
const PIECES: usize = 16;

/// Sends requests.
pub(crate) struct Client {
    base: Url,
    token: Token,
    proxies: Proxies,
    certificates: Option<PathBuf>,
    /// The host and the port, for messages.
    host: String,
}

/// What a reply says before its body.
#[derive(Debug)]
pub(crate) struct Head {
    /// The HTTP status.
    pub(crate) status: u16,
    /// When the server sent it, by its own clock.
    pub(crate) date: Option<Timestamp>,
    /// The media type, or nothing.
    pub(crate) content_type: String,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content_type = if self.content_type.is_empty() { "none" } else { &self.content_type };
        write!(f, "HTTP {}, content type {content_type}", self.status)?;
        match self.date {
            Some(date) => write!(f, ", sent at {date}"),
            None => write!(f, ", without a date"),
        }
    }
}

/// The body of a reply, decompressed, as it arrives.
pub(crate) struct Body {
    events: Receiver<Event>,
    interrupt: Interrupt,
    piece: Bytes,
    ended: bool,
}

enum Event {
    Head(Head),
    Piece(Bytes),
    End,
    Failed(Failure),
}

impl Client {
    /// A client for the configured address.
    pub(crate) fn new(config: &Config, proxies: Proxies, certificates: Option<PathBuf>) -> Self {
        let base = config.base_url.clone();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", base.host_str().unwrap_or_default());
        Self { base, token: config.token.clone(), proxies, certificates, host }
    }

    /// The host, with its port where that is not the usual one, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request for `method` (`customer.list`) and waits for the reply's head. The whole request,
    /// its body included, may take as long as `timeout`. The body is received in a thread of its own,
    /// which ends with it, or soon after nobody reads it any more.
    pub(crate) fn send(
        &self,
        method: &str,
        query: &[(&str, String)],
        timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<(Head, Body), Failure> {
        let is_loopback = is_loopback(&self.base);
        if let Some(file) = self.certificates.as_ref().filter(|_| self.base.scheme() == "https") {
            check_certificates(file)?;
        }
        if !is_loopback {
            self.proxies.check()?;
        }
        let proxy = self.proxies.variable().filter(|_| !is_loopback);
        if proxy.is_none() {
            check_name(self.base.host_str().unwrap_or_default())?;
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(method);
        }
        self.token.authorize(&mut url);
        url.query_pairs_mut().extend_pairs(query);
        let (host, token) = (self.host.clone(), self.token.clone());
        let transfer = Transfer { url, host, token, timeout, proxy };
        let (sender, events) = sync_channel(PIECES);
        let run = move || {
            let end = match transfer.run(&sender) {
                Ok(()) => Event::End,
                Err(failure) => Event::Failed(failure),
            };
            // Without a receiver nobody wants to know.
            let _ = sender.send(end);
        };
        std::thread::Builder::new().name("download".into()).spawn(run).map_err(|error| {
            Error::system(format!("A thread could not be started: {error}. Run again."))
                .caused_by(error)
        })?;
        match wait::next(&events, interrupt)? {
            Some(Event::Head(head)) => {
                let interrupt = interrupt.clone();
                Ok((head, Body { events, interrupt, piece: Bytes::new(), ended: false }))
            }
            Some(Event::Failed(failure)) => Err(failure),
            _ => Err(thread_died()),
        }
    }
}

fn thread_died() -> Failure {
    Error::bug("The download ended without a word").into()
}

impl Body {
    /// What comes of it within a time, at most so many bytes.
    pub(crate) fn beginning(mut self, bytes: usize, within: Duration) -> Vec<u8> {
        let end = Instant::now() + within;
        let mut beginning = Vec::new();
        while beginning.len() < bytes {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(Event::Piece(piece)) = self.events.recv_timeout(left) else { break };
            beginning.extend_from_slice(&piece);
        }
        self.ended = true;
        beginning.truncate(bytes);
        beginning
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() && !self.ended {
            match wait::next(&self.events, &self.interrupt).map_err(Failure::from)? {
                Some(Event::Piece(piece)) => self.piece = piece,
                Some(Event::End) => self.ended = true,
                Some(Event::Failed(failure)) => return Err(failure.into()),
                Some(Event::Head(_)) | None => return Err(thread_died().into()),
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, bytes: usize) {
        self.piece.advance(bytes.min(self.piece.len()));
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// One request on its way, in the thread that receives it.
struct Transfer {
    url: Url,
    host: String,
    token: Token,
    timeout: Duration,
    /// The variable that names a proxy for it, if there is one.
    proxy: Option<&'static str>,
}

/// Whether a URL is of this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Transfer {
    fn run(&self, events: &SyncSender<Event>) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::system(format!("The network cannot be used: {error}.")).caused_by(error)
        })?;
        runtime.block_on(self.receive(events))
    }

    async fn receive(&self, events: &SyncSender<Event>) -> Result<(), Failure> {
        let request = self.client()?.get(self.url.clone());
        let request = request.header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "gzip");
        let mut response = request.send().await.map_err(|error| self.explain(error))?;
        let headers = response.headers();
        let encoding = header(headers, CONTENT_ENCODING).to_ascii_lowercase();
        let give = |piece| events.send(Event::Piece(piece)).is_ok();
        let Some(mut output) = Output::new(&encoding, give) else {
            return Err(Error::transient(format!(
                "{} sent a reply with an encoding that was not requested. Run again; if it persists, a proxy changes the replies.",
                self.host
            ))
            .into());
        };
        if events.send(Event::Head(head(response.status().as_u16(), headers))).is_err() {
            return Ok(());
        }
        while let Some(piece) = response.chunk().await.map_err(|error| self.explain(error))? {
            match output.take(piece) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return Err(self.corrupt(error)),
            }
        }
        output.finish().map_err(|error| self.corrupt(error))
    }

    fn client(&self) -> Result<reqwest::Client> {
        // The second of two installations finds the first, which is the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kometsales/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .https_only(self.url.scheme() == "https")
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .read_timeout(IDLE_TIMEOUT.min(self.timeout))
            .timeout(self.timeout);
        // A proxy is not asked for this machine: over plain HTTP it would be shown the token.
        let builder = if is_loopback(&self.url) { builder.no_proxy() } else { builder };
        // Plain HTTP needs no CA certificates: a machine without any may have it, and none are loaded.
        let is_plain = self.url.scheme() == "http";
        let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
        builder.build().map_err(|error| {
            let cause = self.cause(&error);
            Error::config(format!(
                "No connection can be set up: {cause}. Check this machine's CA certificates (SSL_CERT_FILE) and the proxy variables."
            ))
        })
    }

    /// What a failed request says, without its URL.
    fn explain(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let (host, cause) = (&self.host, self.cause(&error));
        let first = match self.proxy {
            Some(variable) => format!("Check the proxy that {variable} names first"),
            None => "Check the network".to_owned(),
        };
        if let Some(variable) = self.proxy.filter(|_| cause.contains(PROXY_WANTS_PASSWORD)) {
            return Error::config(format!(
                "The proxy that {variable} names asks for a password, or refuses the one it has (HTTP 407). Correct {variable}."
            ))
            .into();
        }
        if let Some(tls) = tls_error(&error).filter(|tls| is_lasting(tls)) {
            let tls = self.token.redact(&tls.to_string());
            return Error::config(format!(
                "The connection to {host} is not secure: {tls}. {first}, `base_url`, this machine's clock and its CA certificates (SSL_CERT_FILE)."
            ))
            .into();
        }
        let error = if error.is_timeout() && error.is_connect() {
            Error::transient(format!(
                "{host} did not answer in time. {first} and `base_url`, and run again."
            ))
        } else if error.is_timeout() {
            Error::transient(format!(
                "{host} did not send its reply in time: the request may take {} s, and {} s may pass without a byte. Run again; for a list that takes longer, raise `request_timeout_seconds` (a check has 30 s at most).",
                self.timeout.as_secs(),
                IDLE_TIMEOUT.min(self.timeout).as_secs()
            ))
        } else if error.is_connect() {
            Error::transient(format!(
                "{host} cannot be reached: {cause}. {first} and `base_url`, and run again."
            ))
        } else {
            Error::transient(format!("The connection to {host} broke: {cause}. Run again."))
        };
        error.into()
    }

    fn corrupt(&self, error: io::Error) -> Failure {
        carried_or(error, |error| {
            Error::transient(format!(
                "The compressed reply of {} is corrupt or was cut: {error}. Run again.",
                self.host
            ))
            .into()
        })
    }

    /// The innermost cause, without the token.
    fn cause(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let cause = root_cause(error).to_string();
        // The resolver speaks of its own query.
        if cause.starts_with("no record") {
            return "its name is not known".to_owned();
        }
        self.token.redact(&cause)
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

fn head(status: u16, headers: &HeaderMap) -> Head {
    let date = http_date(header(headers, DATE));
    Head {
        status,
        date,
        content_type: header(headers, CONTENT_TYPE).to_owned(),
        retry_after: retry_after(
            header(headers, RETRY_AFTER),
            date.unwrap_or_else(|| Timestamp::from(Utc::now())),
        ),
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which is compared with the server's own clock.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let micros = http_date(text)?.micros().saturating_sub(now.micros());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    #[test]
    fn retry_after_is_seconds_or_a_date_by_the_servers_clock() {
        let now = Zone::UTC.parse("2026-11-24T01:02:03").unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("0", now), Some(Duration::ZERO));
        let later = "Tue, 24 Nov 2026 01:03:03 GMT";
        assert_eq!(retry_after(later, now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Mon, 23 Nov 2026 01:03:03 GMT", now), Some(Duration::ZERO));
        let absurd = "99999999999999999999999";
        assert_eq!(retry_after(absurd, now), Some(Duration::from_secs(u64::MAX)));
        for text in ["", "soon", "-5", "1.5"] {
            assert_eq!(retry_after(text, now), None, "{text}");
        }
    }
}
