//! A reply that a test makes up, and how the bytes of any reply travel.

use std::time::Duration;

/// An HTTP reply, whole in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status: 200.
    pub status: u16,
    /// Added to `Date`, `Content-Type: application/json`, `Connection: close` and the body's
    /// length; one of the same name replaces the simulator's own, one with an empty value leaves it
    /// out.
    pub headers: Vec<(String, String)>,
    /// Sent as it is; when `headers` have a `Content-Encoding`, it is to be encoded already.
    pub body: Vec<u8>,
    /// How far, and how fast, it is sent.
    pub delivery: Delivery,
}

impl Reply {
    /// HTTP 200 with a body that is said to be JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), delivery: Delivery::Whole }
    }

    /// Any status and content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, ..Self::json(body).header("Content-Type", content_type) }
    }

    /// The same reply with one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same reply, sent in another way.
    pub fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }
}

/// How the bytes of a reply travel. Numbers count bytes of the body before any compression; a
/// connection that stays open does so until the client closes it, the simulator ends, or 10 minutes
/// are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// To the end, at once.
    #[default]
    Whole,
    /// This many bytes, and an end of the connection that HTTP cannot distinguish from the end of the body.
    Cut(u64),
    /// This many bytes of those that `Content-Length` announces.
    CutLength(u64),
    /// This many bytes in chunks, and the connection ends without the last chunk.
    CutChunked(u64),
    /// This many bytes, or all of them, then a TCP reset.
    Reset(u64),
    /// The connection is closed without an answer.
    Refuse,
    /// This many bytes, or all of them but the last chunk, then nothing.
    Stall(u64),
    /// The status line, then nothing.
    StallHeaders,
    /// In pieces of 512 bytes with a pause after each.
    Drip(Duration),
}

impl Delivery {
    /// The byte of the body after which something happens.
    pub(super) fn limit(self) -> Option<u64> {
        match self {
            Self::Cut(bytes)
            | Self::CutLength(bytes)
            | Self::CutChunked(bytes)
            | Self::Reset(bytes)
            | Self::Stall(bytes) => Some(bytes),
            Self::Whole | Self::Refuse | Self::StallHeaders | Self::Drip(_) => None,
        }
    }
}
