//! What a reply that cannot be used means to the user, and whether to ask again.

use std::time::Duration;

use serde_json::Value;

use super::client::Body;
use super::decode::MAX_MEMBERS;
use super::envelope::{Envelope, Status};
use super::failure::{Failure, Fault, carried};
use super::not_found::says_not_found;
use super::transfer::Head;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::log::Log;
use crate::model::Stream;
use crate::secret::Token;

/// Bytes of an error reply that are read to quote from.
const MAX_QUOTED_BYTES: usize = 64 * 1024;

/// How long is waited for them: the status alone says what is wrong.
const QUOTE_TIMEOUT: Duration = Duration::from_secs(2);

/// Characters that are searched for the token, and of what is left, characters that can be shown. A
/// token that begins in what can be shown ends in what is searched, however it is encoded.
const MAX_SEARCHED_CHARS: usize = 4096;
const MAX_LEFT_CHARS: usize = 512;

/// A reply that stops being JSON so soon never was the API's.
const MIN_JSON_BYTES: u64 = 16;

/// At most this many characters of the API's own words are shown, and of what answers in its place.
const MAX_SHOWN_CHARS: usize = 200;
const MAX_PAGE_CHARS: usize = 60;

/// Explains the reply to one request.
pub(crate) struct Explain<'a> {
    /// The host that replied.
    pub(crate) host: &'a str,
    /// The token that must not be shown.
    pub(crate) token: &'a Token,
    /// Whether bodies may be quoted: where fields are left out or hashed, one may hold them.
    pub(crate) may_quote: bool,
    /// The stream that was asked for.
    pub(crate) stream: &'static Stream,
    /// What the reply said before its body.
    pub(crate) head: &'a Head,
}

impl<'a> Explain<'a> {
    /// Explains what a host replied to a configuration.
    pub(crate) fn of(
        host: &'a str,
        config: &'a Config,
        stream: &'static Stream,
        head: &'a Head,
    ) -> Self {
        Self { host, token: &config.token, may_quote: !config.privacy.is_set(), stream, head }
    }
}

impl Explain<'_> {
    /// The member of the reply that holds the records.
    pub(crate) fn list(&self) -> &'static str {
        self.stream.list
    }

    /// Gives the body of a reply that may hold a list, judged by its HTTP status.
    pub(crate) fn accept_status(&self, body: Body) -> Result<Body, Failure> {
        if (200..300).contains(&self.head.status) {
            return Ok(body);
        }
        // What came before the connection broke, or soon enough, is enough to quote from.
        let text = body.beginning(MAX_QUOTED_BYTES, QUOTE_TIMEOUT);
        Err(Failure { error: self.refusal(&text), retry_after: self.head.retry_after })
    }

    fn refusal(&self, body: &[u8]) -> Error {
        let (host, method, status) = (self.host, self.stream.method, self.head.status);
        let message = envelope_message(body);
        let said = match &message {
            Some(message) => format!("it said “{}”", self.shown(message)),
            None => self.quote(body),
        };
        let (kind, what, next) = match status {
            401 | 403 => (
                Kind::Auth,
                "refused the token",
                format!("Check `authentication_token`, and that it may call {method}."),
            ),
            300..=399 => (
                Kind::Config,
                "redirects elsewhere, where the token is not sent",
                "Set `base_url` to where the API is now.".to_owned(),
            ),
            407 => (
                Kind::Config,
                "is behind a proxy that asks for a password",
                "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY.".to_owned(),
            ),
            404 => (
                Kind::Config,
                "does not know the address",
                "Check `base_url`: it ends in /api for Komet Sales.".to_owned(),
            ),
            429 => (Kind::Transient, "asks for fewer requests", "Run again later.".to_owned()),
            408 | 425 | 500..=599 => {
                (Kind::Transient, "could not serve the request", "Run again later.".to_owned())
            }
            400..=499 if message.is_some() => (
                Kind::Auth,
                "refused the request",
                "Check `authentication_token` and the filters.".to_owned(),
            ),
            _ => (
                Kind::Config,
                "did not accept the request",
                "Check `base_url` and the filters.".to_owned(),
            ),
        };
        Error::new(kind, format!("{host} {what} ({method}, HTTP {status}; {said}). {next}"))
    }

    /// What is wrong with the body; `excerpt` is its beginning.
    pub(crate) fn fault(&self, fault: Fault, excerpt: &[u8]) -> Failure {
        let (host, method) = (self.host, self.stream.method);
        let reply = format!("The reply of {host} to {method}");
        let report = "If it persists, the API has changed: please report it.";
        let error = match fault {
            Fault::Download(error) => return carried(error),
            Fault::Failed(error) => error,
            Fault::Cut { after: 0 } => Error::transient(format!(
                "{reply} is empty (HTTP {}). Run again.",
                self.head.status
            )),
            Fault::Cut { after } => Error::transient(format!(
                "{reply} was cut: it ended after {after} bytes, before its JSON did. Run again."
            )),
            Fault::Malformed { at, expected } if at < MIN_JSON_BYTES => Error::transient(format!(
                "{reply} is not JSON: expected {expected} at byte {at} (HTTP {}; {}). Check `base_url`, or run again later.",
                self.head.status,
                self.quote(excerpt)
            )),
            Fault::Malformed { at, expected } => Error::transient(format!(
                "{reply} is corrupt: expected {expected} at byte {at}. Run again."
            )),
            Fault::NotJson => Error::transient(format!(
                "{reply} is not JSON (HTTP {}; {}). Check `base_url`, or run again later.",
                self.head.status,
                self.quote(excerpt)
            )),
            Fault::NotAnObject => Error::data(format!(
                "{reply} is JSON, but not an object (HTTP {}). Check `base_url`; if it persists, please report it.",
                self.head.status
            )),
            Fault::MoreThanOneValue { at } => {
                Error::data(format!("{reply} has a second JSON value at byte {at}. {report}"))
            }
            Fault::NotUtf8 { at } => Error::data(match self.charset() {
                Some(charset) => format!(
                    "{reply} is declared as {charset} and is not UTF-8 at byte {at}. {report}"
                ),
                None => format!(
                    "{reply} is not UTF-8 at byte {at}. Correct the text in Komet Sales, or ask its support."
                ),
            }),
            Fault::TooDeep { at } => Error::data(format!(
                "{reply} is nested deeper than 128 objects and arrays at byte {at}. {report}"
            )),
            Fault::TooManyMembers { at } => Error::data(format!(
                "{reply} has a record of more than {MAX_MEMBERS} members at byte {at}. {report}",
                MAX_MEMBERS = grouped(MAX_MEMBERS)
            )),
            Fault::TooLarge { at } => Error::data(format!(
                "{reply} has a record of more than 64 MiB at byte {at}. Correct it in Komet Sales, or ask its support."
            )),
        };
        error.into()
    }

    /// Judges what the reply says of itself. `is_empty` says that no record came.
    pub(crate) fn accept_envelope(
        &self,
        envelope: &Envelope,
        is_empty: bool,
        log: &dyn Log,
    ) -> Result<()> {
        let (host, stream) = (self.host, self.stream);
        let message = self.shown(&envelope.message);
        match envelope.status {
            Some(Status::Success) if envelope.list_is_scalar => Err(Error::data(format!(
                "The reply of {host} to {} has a `{}` that is no list, object or null. If it persists, the API has changed: please report it.",
                stream.method, stream.list
            ))),
            Some(Status::Success) => match elsewhere(envelope) {
                Some((how, other)) if is_empty => Err(Error::data(format!(
                    "The reply of {host} to {} has no `{}`, but a list of objects {how} `{}`. If it persists, the API has changed: please report it.",
                    stream.method,
                    stream.list,
                    self.shown(other)
                ))),
                _ => Ok(()),
            },
            Some(Status::Failure)
                if is_empty && says_not_found(&envelope.message, stream.list, stream.record) =>
            {
                log.info(&format!("Stream `{}`: {host} said “{message}”: no rows.", stream.name));
                Ok(())
            }
            Some(Status::Failure) => {
                let said = match message.as_str() {
                    "" => "it gave no reason".to_owned(),
                    message => format!("it said “{message}”"),
                };
                Err(Error::auth(format!(
                    "{host} refused {}: {said}. Check `authentication_token`, what it is allowed to call, and the filters.",
                    stream.method
                )))
            }
            Some(Status::Unknown) => Err(Error::data(format!(
                "The reply of {host} to {} has a `status` that is neither 1 nor 0. If it persists, the API has changed: please report it.",
                stream.method
            ))),
            None => Err(Error::data(format!(
                "The reply of {host} to {} has no `status`, so nothing says that it succeeded. If it persists, the API has changed: please report it.",
                stream.method
            ))),
        }
    }

    /// The character set that the reply declares, if it is another than UTF-8.
    fn charset(&self) -> Option<String> {
        let content_type = self.head.content_type.to_ascii_lowercase();
        let charset =
            content_type.split("charset=").nth(1)?.split(';').next()?.trim_matches(['"', ' ']);
        (!matches!(charset, "" | "utf-8" | "utf8")).then(|| self.shown(charset))
    }

    /// The media type and the beginning of a body, for a message.
    fn quote(&self, body: &[u8]) -> String {
        // What follows is the charset, which explains nothing here.
        let content_type = match self.head.content_type.split(';').next().unwrap_or_default() {
            "" => "no content type",
            content_type => content_type,
        };
        if !self.may_quote && !body.is_empty() {
            return format!(
                "{}; not shown, since fields are excluded or hashed",
                self.shown(content_type)
            );
        }
        let mut excerpt = self.redacted(&String::from_utf8_lossy(body));
        // What follows the name of the list are records, and those are people's.
        if let Some(at) = excerpt.to_ascii_lowercase().find(self.stream.list) {
            excerpt.truncate(at + self.stream.list.len());
            excerpt.push('…');
        }
        let excerpt = match line_of_page(&excerpt) {
            line if line.is_empty() => "empty".to_owned(),
            line => format!("“{line}”"),
        };
        format!("{}; {excerpt}", self.shown(content_type))
    }

    /// The beginning of a text from outside, on one line, without the token.
    fn shown(&self, text: &str) -> String {
        line_of(&self.redacted(text), MAX_SHOWN_CHARS)
    }

    fn redacted(&self, text: &str) -> String {
        let searched: String = text.chars().take(MAX_SEARCHED_CHARS).collect();
        self.token.redact(&searched).chars().take(MAX_LEFT_CHARS).collect()
    }
}

/// A text on one line, at most this long.
fn line_of(text: &str, most: usize) -> String {
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_blank).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let shown: String = line.chars().take(most).collect();
    if shown.len() < line.len() { format!("{shown}…") } else { shown }
}

/// What answers in the place of the API, on one line: of a web page its words alone.
fn line_of_page(text: &str) -> String {
    let is_page = text.trim_start().starts_with('<');
    let words = if is_page { line_of(&words_of(text), MAX_PAGE_CHARS) } else { String::new() };
    if words.is_empty() { line_of(text, MAX_PAGE_CHARS) } else { words }
}

/// The title of a web page, or its words where it has none.
fn words_of(page: &str) -> String {
    let title = page.split_once("<title>").and_then(|(_, rest)| Some(rest.split_once('<')?.0));
    if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
        return title.to_owned();
    }
    let mut words = String::new();
    for part in page.split('<') {
        // What comes before the end of a tag is the tag.
        words.push_str(part.split_once('>').map_or("", |(_, text)| text));
        words.push(' ');
    }
    words
}

/// A list of objects that may be the records under another name. Further inside of a member only where the list is missing:
/// where it is there and empty, nothing else has to be it.
fn elsewhere(envelope: &Envelope) -> Option<(&'static str, &str)> {
    let inner = || envelope.inner_list.as_deref().filter(|_| !envelope.has_list());
    let outer = envelope.other_list.as_deref().map(|name| ("called", name));
    outer.or_else(|| inner().map(|name| ("inside", name)))
}

/// A number with commas between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|part| std::str::from_utf8(part).ok())
        .collect();
    parts.join(",")
}

/// The `message` of an error reply that has the documented shape.
fn envelope_message(body: &[u8]) -> Option<String> {
    let envelope: Value = serde_json::from_slice(body).ok()?;
    Some(envelope.as_object()?.get("message")?.as_str()?.to_owned())
}
