//! What is sent to one request: a status, headers, and a body that may be too long for memory.

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use super::list::List;
use super::reply::{Delivery, Reply};

/// Everything that a connection needs to answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) encoding: Encoding,
    pub(super) delivery: Delivery,
}

/// The bytes of an answer.
#[derive(Debug)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    List(List),
}

/// What happens to the body before it is sent. The headers say what they say all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    /// Without this many bytes at its end: 0 for a good one.
    Gzip {
        lacking: u64,
    },
}

/// How a client knows where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunks,
    /// Where the connection ends.
    Close,
    /// As the answer's own headers say.
    Own,
}

impl From<Reply> for Answer {
    fn from(Reply { status, headers, body, delivery }: Reply) -> Self {
        Self { status, headers, body: Body::Bytes(body), encoding: Encoding::Identity, delivery }
    }
}

impl Body {
    /// Writes the whole body and returns its length.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<u64> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes).map(|()| bytes.len() as u64),
            Self::List(list) => list.write(out),
        }
    }
}

impl Answer {
    pub(super) fn framing(&self, understands_chunks: bool) -> io::Result<Framing> {
        let own = ["content-length", "transfer-encoding"];
        if self.headers.iter().any(|(name, _)| own.contains(&name.to_ascii_lowercase().as_str())) {
            return Ok(Framing::Own);
        }
        Ok(match (self.delivery, &self.body) {
            (Delivery::Cut(_), _) => Framing::Close,
            (Delivery::CutLength(bytes), body) => {
                // A body that ends before BYTES still has to lack something.
                let length = body.write(&mut io::sink())?;
                Framing::Length(length.max(length.min(bytes) + 1))
            }
            (Delivery::CutChunked(_), _) => Framing::Chunks,
            (_, Body::Bytes(bytes)) if self.encoding == Encoding::Identity => {
                Framing::Length(bytes.len() as u64)
            }
            _ if understands_chunks => Framing::Chunks,
            _ => Framing::Close,
        })
    }

    /// The head of the answer, as it is sent now.
    pub(super) fn head(&self, framing: Framing) -> Vec<u8> {
        let mut headers = vec![
            ("Date", http_date(Utc::now())),
            ("Content-Type", "application/json".to_owned()),
            ("Connection", "close".to_owned()),
        ];
        match framing {
            Framing::Length(length) => headers.push(("Content-Length", length.to_string())),
            Framing::Chunks => headers.push(("Transfer-Encoding", "chunked".to_owned())),
            Framing::Close | Framing::Own => {}
        }
        if let Encoding::Gzip { .. } = self.encoding {
            headers.push(("Content-Encoding", "gzip".to_owned()));
        }
        headers.retain(|(name, _)| {
            !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
        });
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in headers.into_iter().chain(own).filter(|(_, value)| !value.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// A time as HTTP writes it (RFC 9110, 5.6.7).
pub(super) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
