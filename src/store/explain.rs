//! What a store's error means to the user.

use std::io;

use object_store::path::Path;

use super::Store;
use crate::error::{Error, Kind, chain, root_cause};

/// Statuses of HTTP that say that the request will never work.
const LASTING: [&str; 11] = [
    "400 Bad",
    "401 Unauth",
    "403 Forb",
    "404 Not",
    "301 Moved",
    "405 Method",
    "411 Length",
    "501 Not",
    "302 Found",
    "307 Temporary",
    "308 Permanent",
];

/// The one "400 Bad Request" of S3 that may work the next time.
const SLOW_UPLOAD: &str = "RequestTimeout";

/// What the HTTP library says of an address that it may only reach over TLS.
const HTTP_REFUSED: &str = "URL scheme is not allowed";

/// What repairs a table of which a file is lost: no other copy has the past of a history.
const REPAIR: &str =
    "restore the file, or export once with --mode overwrite, a history to another place";

/// What stores say of a part of a file that ends before it.
const TOO_SHORT: [&str; 2] = ["Wanted range starting at", "416 Range"];

/// What the resolver says of a name that no name server knows.
const NAME_NOT_FOUND: &str = "no record";

impl Store {
    /// What happened to the object at `path`, and what to do about it.
    pub(crate) fn explain(&self, path: &Path, error: object_store::Error) -> Error {
        use object_store::Error as Stored;
        let place = self.shown(path);
        let cause = self.cause(&error);
        if cause.contains(HTTP_REFUSED) {
            return Error::config(format!(
                "{place} is reached over plain HTTP, which has to be allowed. Set {}=true, or use an https endpoint.",
                self.allow_http()
            ));
        }
        if cause.starts_with(NAME_NOT_FOUND) {
            return Error::transient(format!(
                "{place} cannot be reached: the name of its host is not known. Check the endpoint and the bucket's name, and run again."
            ));
        }
        if TOO_SHORT.iter().any(|text| cause.contains(text)) {
            return Error::config(format!(
                "{place} is damaged: it is shorter than it was written. To repair the table, {REPAIR}."
            ));
        }
        let kind = kind(&error);
        let message = match (&error, kind) {
            (Stored::NotFound { .. }, _) => format!(
                "{place} is not there: {cause}. Check the bucket or the folder, its region and its spelling."
            ),
            (Stored::PermissionDenied { .. } | Stored::Unauthenticated { .. }, _) => format!(
                "{place} may not be read or written: {cause}. Check the credentials in the environment and what they are allowed."
            ),
            (Stored::NotImplemented { .. } | Stored::NotSupported { .. }, _) => {
                format!("{place} cannot be written: {cause}. Use another store.")
            }
            (_, Kind::Config) => {
                format!(
                    "{place} cannot be read or written: {cause}. Check the place and its settings."
                )
            }
            (_, Kind::System) => {
                format!(
                    "{place} cannot be read or written: {cause}. Free space there, and run again."
                )
            }
            _ => format!("{place} cannot be reached: {cause}. Run again."),
        };
        let error = match self.hint {
            Some(hint) => Error::new(kind, format!("{message} {hint}")),
            None => Error::new(kind, message),
        };
        // What is full here is full for whoever else writes here.
        if kind == Kind::System { error.of_machine() } else { error }
    }

    /// A file that a table names is not there: neither the bucket nor its spelling is at fault.
    pub(crate) fn removed(&self, path: &Path) -> Error {
        let place = self.shown(path);
        Error::config(format!(
            "{place} is not there: another program removed it. Run again; if it stays so, {REPAIR}."
        ))
    }

    /// The variable that allows plain HTTP.
    fn allow_http(&self) -> &'static str {
        match self.place.url().scheme() {
            "gs" => "GOOGLE_ALLOW_HTTP",
            "az" | "abfs" | "abfss" => "AZURE_ALLOW_HTTP",
            _ => "AWS_ALLOW_HTTP",
        }
    }

    /// The innermost cause, which is the one that says something, in one line and without secrets.
    fn cause(&self, error: &object_store::Error) -> String {
        // A secret that was cut would not be found any more.
        let cause = self.redact(&root_cause(error).to_string());
        excerpt(&cause).trim_end_matches('.').to_owned()
    }
}

/// A text in one line, and not all of a long one. What follows a `?` in a URL may be a signature.
fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((before, _)) if before.contains("://") => before,
        _ => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The kind of a store's error among the causes of another library's, if there is one.
pub(crate) fn kind_among(error: &(dyn std::error::Error + 'static)) -> Option<Kind> {
    chain(error).find_map(|cause| cause.downcast_ref().map(kind))
}

/// What kind of failure a store's error is. What others did to the object is no failure that lasts.
pub(super) fn kind(error: &object_store::Error) -> Kind {
    use object_store::Error as Stored;
    match error {
        Stored::AlreadyExists { .. } | Stored::Precondition { .. } => return Kind::Transient,
        Stored::NotFound { .. }
        | Stored::PermissionDenied { .. }
        | Stored::Unauthenticated { .. }
        | Stored::NotImplemented { .. }
        | Stored::NotSupported { .. }
        | Stored::UnknownConfigurationKey { .. }
        | Stored::InvalidPath { .. } => return Kind::Config,
        _ => {}
    }
    match local(error) {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => return Kind::System,
        Some(
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound
            | io::ErrorKind::InvalidFilename,
        ) => return Kind::Config,
        _ => {}
    }
    let text = error.to_string();
    let is_lasting = LASTING.iter().any(|status| text.contains(status))
        || text.contains("Received redirect without LOCATION");
    if is_lasting && !text.contains(SLOW_UPLOAD) { Kind::Config } else { Kind::Transient }
}

/// What this machine says of a file, if it is one of this machine.
fn local(error: &object_store::Error) -> Option<io::ErrorKind> {
    let object_store::Error::Generic { store: "LocalFileSystem", .. } = error else { return None };
    chain(error).find_map(|cause| cause.downcast_ref().map(io::Error::kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(
        store: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Kind {
        kind(&object_store::Error::Generic { store, source: Box::new(source) })
    }

    #[test]
    fn a_full_disk_is_the_machines_and_a_wrong_folder_the_users() {
        let local = |kind: io::ErrorKind| generic("LocalFileSystem", io::Error::from(kind));
        assert_eq!(local(io::ErrorKind::StorageFull), Kind::System);
        assert_eq!(local(io::ErrorKind::PermissionDenied), Kind::Config);
        assert_eq!(
            generic("S3", io::Error::from(io::ErrorKind::ConnectionRefused)),
            Kind::Transient
        );
    }

    #[test]
    fn a_request_that_never_works_is_the_users() {
        for text in ["status code: 400 Bad Request", "Received redirect without LOCATION, this"] {
            assert_eq!(generic("S3", io::Error::other(text)), Kind::Config);
        }
        for text in ["503 Slow Down", "400 Bad Request: <Code>RequestTimeout</Code>"] {
            assert_eq!(generic("S3", io::Error::other(text)), Kind::Transient);
        }
    }

    #[test]
    fn an_excerpt_is_one_line_without_the_query_of_a_url() {
        assert_eq!(
            excerpt("error sending\n request to https://a/b?sig=abc now"),
            "error sending request to https://a/b now"
        );
        assert!(excerpt(&"é".repeat(1000)).len() < 700);
    }
}
