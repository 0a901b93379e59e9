//! One HTTP request on its way, in the thread that receives it. The HTTP library is named here and in `connections.rs`
//! alone, and no URL leaves: the token is in it.

use std::fmt;
use std::io;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName,
    RETRY_AFTER,
};
use url::{Host, Url};

use super::connections::{Connections, unusable};
use super::failure::{Failure, carried_or};
use super::inflate::Output;
use super::tls_error::{is_lasting, tls_error};
use crate::error::{Error, Result, root_cause};
use crate::model::Timestamp;
use crate::model::time::http_date;
use crate::secret::Token;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may come in a reply.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// What the HTTP library says of a proxy that answers 407 (RFC 9110 §15.5.8).
const PROXY_WANTS_PASSWORD: &str = "proxy authorization required";

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

impl Head {
    /// The latest cursor that a reply may move to: by its `Date`, all of that second included, unless that is more than a
    /// day ahead of this machine's clock; without one, by this machine's clock.
    pub(crate) fn latest_cursor(&self, local: Timestamp) -> Timestamp {
        self.date.map_or(local, |date| date.end_of_second().min(local.day_after()))
    }
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

/// What the thread that receives says, one after the other.
pub(super) enum Event {
    Head(Head),
    Piece(Bytes),
    End,
    Failed(Failure),
}

/// One request on its way, in the thread that receives it.
pub(super) struct Transfer {
    pub(super) url: Url,
    pub(super) host: String,
    pub(super) token: Token,
    pub(super) timeout: Duration,
    /// The variable that names a proxy for it, if there is one.
    pub(super) proxy: Option<&'static str>,
    pub(super) connections: Option<Connections>,
}

/// Whether a URL is of this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Transfer {
    pub(super) fn run(&self, events: &SyncSender<Event>) -> Result<(), Failure> {
        let Some(connections) = &self.connections else {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let client = self.client()?;
            return runtime.map_err(unusable)?.block_on(self.receive(client, events));
        };
        let is_plain = self.url.scheme() == "http";
        let (runtime, client) =
            connections.client(is_plain, is_loopback(&self.url), || self.client())?;
        runtime.block_on(self.receive(client, events))
    }

    async fn receive(
        &self,
        client: reqwest::Client,
        events: &SyncSender<Event>,
    ) -> Result<(), Failure> {
        let request = client.get(self.url.clone()).timeout(self.timeout);
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
        // One that others use too knows nothing of the time that this request may take.
        let is_shared = self.connections.is_some();
        let at_most = |limit: Duration| if is_shared { limit } else { limit.min(self.timeout) };
        let builder = reqwest::Client::builder()
            .user_agent(concat!("kometsales/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .https_only(self.url.scheme() == "https")
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .connect_timeout(at_most(CONNECT_TIMEOUT))
            .read_timeout(at_most(IDLE_TIMEOUT));
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
                "{host} did not send its reply within {} s, or nothing for {} s. Run again; if the list takes longer, raise `request_timeout_seconds`.",
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
