//! One request, read from a connection and kept for those who want to see what was asked.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use url::form_urlencoded;

/// The largest request that Komet Sales takes, in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// How long a client may take to say what it wants.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, in the client's own letters.
    pub method: String,
    /// The path without the query, not decoded: `/api/customer.list`.
    pub path: String,
    /// The parameters of the query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The headers in their order, names in the client's own letters; bytes that are not UTF-8 are
    /// replaced.
    pub headers: Vec<(String, String)>,
    /// When its head was complete.
    pub arrived: Instant,
    /// HTTP/1.1, not 1.0: such a client understands chunks.
    pub(super) understands_chunks: bool,
}

impl Request {
    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a header, whose name may be in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the client takes a gzip body (RFC 9110, 12.5.3; `*` is not taken for a wish).
    pub(super) fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding").unwrap_or_default().split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
            gzip && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
        })
    }
}

/// What a connection brought.
#[derive(Debug)]
pub(super) enum Received {
    Request(Request),
    /// The client went away, or never said anything.
    Nothing,
    /// Not a request that can be answered; the status to say it with.
    Unreadable(u16),
}

/// Reads one request's head.
pub(super) fn receive(mut stream: &TcpStream) -> io::Result<Received> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(Received::Nothing);
        }
        bytes.extend_from_slice(&piece[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => return Ok(Received::Request(request(&head))),
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_REQUEST_BYTES => {}
            Ok(httparse::Status::Partial) => return Ok(Received::Unreadable(431)),
            Err(_) => return Ok(Received::Unreadable(400)),
        }
    }
}

fn request(head: &httparse::Request<'_, '_>) -> Request {
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: head.headers.iter().map(|h| (h.name.to_owned(), text(h.value))).collect(),
        arrived: Instant::now(),
        understands_chunks: head.version == Some(1),
    }
}
