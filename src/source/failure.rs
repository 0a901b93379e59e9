//! What can go wrong with one request, and whether it is worth sending again.

use std::io;
use std::time::Duration;

use crate::error::{Error, Kind};

/// One request failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is said if it is not sent again.
    pub(crate) error: Error,
    /// How long the server asked to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// True if the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        self.error.kind() == Kind::Transient
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None }
    }
}

/// What is wrong with a reply's body. Positions are bytes from its beginning.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It ended before the JSON did.
    Cut { after: u64 },
    /// It begins as JSON and stops being it.
    Malformed { at: u64, expected: &'static str },
    /// It is a web page or text.
    NotJson,
    /// It is JSON, and not an object.
    NotAnObject,
    /// Another value follows the first.
    MoreThanOneValue { at: u64 },
    /// Bytes that are not UTF-8.
    NotUtf8 { at: u64 },
    /// Objects and arrays are nested too deep.
    TooDeep { at: u64 },
    /// One record is larger than what is accepted.
    TooLarge { at: u64 },
    /// A record has more members than are read.
    TooManyMembers { at: u64 },
    /// The download stopped.
    Download(io::Error),
    /// Whoever takes the records failed.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Failed(error)
    }
}

/// A failure on its way through [`io::Read`], which carries it as the cause of an [`io::Error`].
#[derive(Debug)]
struct Carried(Failure);

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.error.fmt(f)
    }
}

impl std::error::Error for Carried {}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::other(Carried(failure))
    }
}

/// The failure that an [`io::Error`] carries, or one that says what it says.
pub(crate) fn carried(error: io::Error) -> Failure {
    carried_or(error, |error| Error::transient(format!("The download stopped: {error}.")).into())
}

/// The failure that an [`io::Error`] carries, or else what is made of it.
pub(crate) fn carried_or(error: io::Error, or: impl FnOnce(io::Error) -> Failure) -> Failure {
    match error.downcast::<Carried>() {
        Ok(Carried(failure)) => failure,
        Err(error) => or(error),
    }
}
