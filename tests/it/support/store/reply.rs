//! What a store says, and how it is written on the wire.

use std::io::{self, Write};
use std::net::TcpStream;

use super::xml;

/// Why a store does not do what it is asked: a status, and the code that S3 and Google Cloud Storage
/// have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
}

impl Refusal {
    pub(super) const NO_SUCH_KEY: Self = Self { status: 404, code: "NoSuchKey" };
    pub(super) const NO_SUCH_UPLOAD: Self = Self { status: 404, code: "NoSuchUpload" };
    pub(super) const PRECONDITION_FAILED: Self = Self { status: 412, code: "PreconditionFailed" };
    pub(super) const INVALID_PART: Self = Self { status: 400, code: "InvalidPart" };
    pub(super) const INVALID_PART_ORDER: Self = Self { status: 400, code: "InvalidPartOrder" };
    pub(super) const INVALID_RANGE: Self = Self { status: 416, code: "InvalidRange" };
    /// Not 501, which the clients would try again for minutes.
    pub(super) const NOT_SPOKEN: Self = Self { status: 400, code: "NotImplemented" };
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn xml(status: u16, document: String) -> Self {
        Self::new(status).with("Content-Type", "application/xml").with_body(document.into_bytes())
    }

    /// A status that a test wants, with the code that usually comes with it.
    pub(super) fn scripted(status: u16) -> Self {
        let code = match status {
            401 => "InvalidAccessKeyId",
            403 => "AccessDenied",
            404 => "NoSuchKey",
            408 => "RequestTimeout",
            409 => "ConditionalRequestConflict",
            412 => "PreconditionFailed",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "SlowDown",
            _ => "Scripted",
        };
        Refusal { status, code }.into()
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Writes it; the body is left out in an answer to HEAD, but not its length.
    pub(super) fn write(
        &self,
        mut stream: &TcpStream,
        is_head: bool,
        closes: bool,
    ) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        if ![204, 304].contains(&self.status) {
            bytes.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        if closes {
            bytes.push_str("Connection: close\r\n");
        }
        bytes.push_str("\r\n");
        stream.write_all(bytes.as_bytes())?;
        if is_head { Ok(()) } else { stream.write_all(&self.body) }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code } = refusal;
        let message = format!("The scripted store says {status}.");
        let content = xml::element("Code", code) + &xml::element("Message", &message);
        // The errors of both dialects are in no namespace.
        Self::xml(status, format!("<Error>{content}</Error>"))
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
