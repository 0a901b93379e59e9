//! Requests, read from a connection one after the other.

use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

use super::xml;

/// What a request is about, as scripts and tests see it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) method: String,
    /// Empty when the request is to the bucket itself.
    pub(super) key: String,
    /// Decoded, so that it can be read: `bucket/key?uploads`.
    pub(super) target: String,
}

/// A request to a store.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) line: Line,
    pub(super) bucket: String,
    /// The parameters of the query, decoded, in their order.
    pub(super) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// No other request follows on the connection.
    pub(super) is_last: bool,
}

impl Request {
    /// The first value of a header, whose name is given in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has_header_like(&self, beginning: &str) -> bool {
        self.headers.iter().any(|(name, _)| name.starts_with(beginning))
    }

    /// The first value of a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The keys of a bulk deletion.
    pub(super) fn keys_to_delete(&self) -> Vec<String> {
        xml::texts(&self.text(), "Key")
    }

    /// The request of a head, without its body.
    fn new(head: &httparse::Request<'_, '_>) -> Self {
        let path = head.path.unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = decoded_path(path.trim_start_matches('/'));
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let query = decoded_query(query);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let headers = head.headers.iter();
        Self {
            line: Line {
                method: head.method.unwrap_or_default().to_owned(),
                key: key.to_owned(),
                target: target(if key.is_empty() { bucket } else { &path }, &query),
            },
            bucket: bucket.to_owned(),
            query,
            headers: headers.map(|it| (it.name.to_lowercase(), text(it.value))).collect(),
            body: Vec::new(),
            is_last: head.version != Some(1),
        }
    }

    /// The request once its body is there.
    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self.is_last |= self.says("connection", "close");
        if self.parameter("delete").is_some() {
            for key in self.keys_to_delete() {
                self.line.target = format!("{} {key}", self.line.target);
            }
        }
        self
    }

    fn says(&self, header: &str, word: &str) -> bool {
        let value = self.header(header).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    }
}

/// A path and a query in one, without `=` where there is no value.
fn target(path: &str, query: &[(String, String)]) -> String {
    let pairs = query.iter().map(|(name, value)| match value.as_str() {
        "" => name.clone(),
        _ => format!("{name}={value}"),
    });
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A plus is a blank here, other than in a path.
fn decoded_query(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| decoded_path(&text.replace('+', " "));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded_path(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The client's side of a connection.
pub(super) struct Reader<'a> {
    stream: &'a TcpStream,
    /// Received, but not yet part of a request.
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// The next request with its whole body, or nothing when the client is done.
    pub(super) fn next(&mut self) -> io::Result<Option<Request>> {
        let request = loop {
            let mut headers = [httparse::EMPTY_HEADER; 100];
            let mut head = httparse::Request::new(&mut headers);
            match head.parse(&self.bytes).map_err(invalid)? {
                httparse::Status::Complete(length) => {
                    let request = Request::new(&head);
                    self.bytes.drain(..length);
                    break request;
                }
                httparse::Status::Partial if self.receive()? => {}
                httparse::Status::Partial if self.bytes.is_empty() => return Ok(None),
                httparse::Status::Partial => return Err(ErrorKind::UnexpectedEof.into()),
            }
        };
        if request.says("expect", "100-continue") {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = if request.says("transfer-encoding", "chunked") {
            self.chunks()?
        } else {
            let length = request.header("content-length").unwrap_or("0");
            self.take(length.parse().map_err(invalid)?)?
        };
        Ok(Some(request.with_body(body)))
    }

    /// Waits for more bytes; false when there are none.
    fn receive(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.bytes.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let known = length.min(self.bytes.len());
        let mut taken: Vec<u8> = self.bytes.drain(..known).collect();
        taken.resize(length, 0);
        self.stream.read_exact(&mut taken[known..])?;
        Ok(taken)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(invalid)?;
            if size == 0 {
                break;
            }
            body.extend(self.take(size)?);
            self.line()?;
        }
        // Trailers, up to an empty line.
        while !self.line()?.is_empty() {}
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(length) = self.bytes.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(length + 2)?;
                return Ok(String::from_utf8_lossy(&line[..length]).into_owned());
            }
            if !self.receive()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}
