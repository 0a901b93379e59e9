//! The plainest client there is: it tries nothing again, and reports how a connection ended.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::Store;

/// A test whose answer takes longer than this fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What makes a request one of S3.
pub(crate) const S3: &str = "x-amz-date: 20261124T054300Z\r\n";

/// What a request to Google Cloud Storage may have.
pub(crate) const GCS: &str = "Authorization: Bearer\r\n";

/// What makes a write create something and overwrite nothing, in both dialects.
pub(crate) const CREATIONS: [&str; 2] =
    ["x-amz-date: 20261124T054300Z\r\nIf-None-Match: *\r\n", "x-goog-if-generation-match: 0\r\n"];

/// One connection, which is kept as long as the store keeps it.
pub(crate) struct Client {
    stream: TcpStream,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The texts of all elements with a name, as they are written.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        let pieces = self.body.split(&start).skip(1);
        pieces.map(|piece| piece.split_once(&end).unwrap().0).collect()
    }
}

impl Client {
    pub(crate) fn of(store: &Store) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, store.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// Sends a request and receives what comes for it.
    pub(crate) fn ask(&mut self, line: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.send(&(head + body));
        self.receive(line.starts_with("HEAD"))
    }

    /// Sends as much of a request as this is.
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Receives the next answer; one to HEAD has no body.
    pub(crate) fn receive(&mut self, is_head: bool) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 20];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = head.parse(&bytes).unwrap() {
                let pair = |it: &httparse::Header<'_>| {
                    (it.name.to_owned(), String::from_utf8(it.value.to_vec()).unwrap())
                };
                let mut answer = Answer {
                    status: head.code.unwrap(),
                    headers: head.headers.iter().map(pair).collect(),
                    body: String::new(),
                };
                let expected = answer.header("content-length").parse().unwrap_or(0);
                let expected = if is_head { 0 } else { expected };
                let mut body = bytes.split_off(length);
                let known = body.len();
                body.resize(expected, 0);
                self.stream.read_exact(&mut body[known..])?;
                answer.body = String::from_utf8(body).unwrap();
                return Ok(answer);
            }
            let count = self.stream.read(&mut piece)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&piece[..count]);
        }
    }
}

/// Asks once, over a connection of its own.
pub(crate) fn ask(store: &Store, line: &str, headers: &str, body: &str) -> io::Result<Answer> {
    Client::of(store).ask(line, headers, body)
}

/// The status of an answer, or how the connection ended.
pub(crate) fn end(answer: &io::Result<Answer>) -> Result<u16, ErrorKind> {
    answer.as_ref().map(|answer| answer.status).map_err(io::Error::kind)
}
