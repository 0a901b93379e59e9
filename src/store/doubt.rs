//! Whether something was sent whose answer leaves open what was done.
//!
//! The library tries again by itself and passes on the last answer alone. A creation that may have been done at the first
//! try, and was refused at the second, looks like one that was refused. So the connection notes what it sees, in what
//! travels with each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use object_store::client::{HttpError, HttpErrorKind, HttpResponse};

/// Travels with the tries of one creation.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Notes an answer to one try.
    pub(super) fn note(&self, answer: &Result<HttpResponse, HttpError>) {
        let leaves_doubt = match answer {
            Ok(response) => leaves_doubt(response.status()),
            // Without a connection nothing was sent.
            Err(error) => error.kind() != HttpErrorKind::Connect,
        };
        if leaves_doubt {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a try may have been done.
    pub(super) fn is_left(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a server or something before it answers that has not looked, or no more knows, whether the request was done.
fn leaves_doubt(status: StatusCode) -> bool {
    let others = [StatusCode::REQUEST_TIMEOUT, StatusCode::CONFLICT, StatusCode::TOO_MANY_REQUESTS];
    let is_fault = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    is_fault || others.contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_have_done_it_leaves_doubt() {
        for (status, expected) in [
            (200, false),
            (301, false),
            (400, false),
            (403, false),
            (404, false),
            (408, true),
            (409, true),
            (412, false),
            (429, true),
            (500, true),
            (501, false),
            (502, true),
            (503, true),
            (504, true),
        ] {
            assert_eq!(leaves_doubt(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
        for (kind, expected) in [
            (HttpErrorKind::Connect, false),
            (HttpErrorKind::Timeout, true),
            (HttpErrorKind::Interrupted, true),
            (HttpErrorKind::Request, true),
            (HttpErrorKind::Unknown, true),
        ] {
            let doubt = Doubt::default();
            doubt.note(&Err(HttpError::new(kind, std::io::Error::other("x"))));
            assert_eq!(doubt.is_left(), expected, "{kind:?}");
        }
    }
}
