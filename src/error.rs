//! The one error type: what kind of failure it is, and a sentence or two for the person who reads it.
//!
//! A [`Kind`] exists only where somebody branches on it: the exit code, Airbyte's `failure_type`, and
//! whether a request is worth sending again.

use std::fmt;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is. The exit codes are those of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file, key, catalog, state or URL that the user has to correct. Exit code 78.
    Config,
    /// The API refused the token or the request: 401, 403, or `status` 0. Exit code 77.
    Auth,
    /// It may work later: connection, timeout, 429, 5xx, a cut or corrupt reply. Exit code 75.
    Transient,
    /// JSON that is not the documented shape, or records that were rejected. Exit code 65.
    Data,
    /// Disk full, stdout closed, a bug. Exit code 70.
    System,
}

impl Kind {
    /// The process exit code for this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Config => 78,
            Kind::Auth => 77,
            Kind::Transient => 75,
            Kind::Data => 65,
            Kind::System => 70,
        }
    }

    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Auth => "auth",
            Kind::Transient => "transient",
            Kind::Data => "data",
            Kind::System => "system",
        }
    }

    /// Airbyte's `failure_type` (`AirbyteErrorTraceMessage` in `airbyte_protocol.yaml`).
    pub const fn failure_type(self) -> &'static str {
        match self {
            Kind::Config | Kind::Auth => "config_error",
            Kind::Transient => "transient_error",
            Kind::Data | Kind::System => "system_error",
        }
    }
}

/// A failure: its kind, what happened, where, and what to do next.
///
/// The message is complete in itself and never holds a secret; the source, where there is one, adds
/// technical detail for debugging.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    quiet: bool,
    is_of_machine: bool,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, quiet: false, is_of_machine: false }
    }

    /// Something the user has to correct: see [`Kind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// The API refused: see [`Kind::Auth`].
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(Kind::Auth, message)
    }

    /// It may work later: see [`Kind::Transient`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Kind::Transient, message)
    }

    /// The reply is not the documented shape: see [`Kind::Data`].
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// The machine or this program failed: see [`Kind::System`].
    pub fn system(message: impl Into<String>) -> Self {
        Self::new(Kind::System, message)
    }

    /// This program failed where it cannot: see [`Kind::System`]. `what` happened is a sentence without its full stop.
    pub fn bug(what: &str) -> Self {
        Self::system(format!("{what}. This is a bug in kometsales; please report it."))
    }

    /// The reader of stdout went away. Nothing more can be said to it, so nothing is.
    pub fn output_closed() -> Self {
        Self { quiet: true, ..Self::system("the reader of stdout closed it before the end") }
    }

    /// The same error as one of the whole machine: whatever runs beside it would meet it too.
    pub fn of_machine(self) -> Self {
        Self { is_of_machine: true, ..self }
    }

    /// The same error in other words.
    pub fn saying(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// The same error with the technical cause attached.
    pub fn caused_by(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// True for a failure that must not be reported because nobody is left to read it.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// True if whatever runs beside it would meet it too: a full disk, a stdout that is gone.
    pub fn is_of_machine(&self) -> bool {
        self.is_of_machine || self.quiet
    }

    /// The causes, outermost first, one a line: Airbyte's `internal_message`.
    pub fn causes(&self) -> Option<String> {
        let causes: Vec<String> = chain(self).skip(1).map(ToString::to_string).collect();
        (!causes.is_empty()).then(|| causes.join("\n"))
    }
}

/// An error and its causes, outermost first.
pub fn chain<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The innermost cause of an error, which is the one that says something.
pub fn root_cause<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e (dyn std::error::Error + 'static) {
    chain(error).last().unwrap_or(error)
}

/// A command failed, and that was reported to the user or has yet to be.
#[derive(Debug)]
pub enum Failed {
    /// With this exit code; the reason has been said in the way of the protocol.
    Reported(u8),
    /// The reason has yet to be said.
    Unreported(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Unreported(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
