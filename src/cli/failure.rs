//! How a failure is reported: a line on stderr, and with `--json` one object where the result would be.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::USAGE;
use crate::config::may_be_token;
use crate::error::{Error, Kind};
use crate::log::escaped;

/// Where the user wants failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// As a line on stderr.
    Text,
    /// Also as an object on stdout.
    Json,
    /// As an object on stderr: stdout belongs to the rows.
    JsonOnStderr,
}

impl Report {
    /// What a command line asks for, whether or not it is understood.
    pub(super) fn of(arguments: &[OsString]) -> Self {
        let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
        let is_stream = arguments.windows(2).any(|pair| pair[0] == "--to" && pair[1] == "-");
        match has("--json") {
            false => Self::Text,
            true if is_stream || has("--to=-") => Self::JsonOnStderr,
            true => Self::Json,
        }
    }

    /// Reports a failure that has not been reported. Returns the exit code.
    pub(super) fn failure(self, error: &Error) -> ExitCode {
        let code = error.kind().exit_code();
        if !error.is_quiet() {
            let message = escaped(&error.to_string()).into_owned();
            if self != Self::JsonOnStderr {
                let _ = writeln!(std::io::stderr(), "error: {message}");
            }
            self.object(error.kind().name(), code.into(), &message);
        }
        ExitCode::from(code)
    }

    /// Reports a command line that is not understood, as the parser says it, or answers a request for help.
    pub(super) fn answer(self, answer: &clap::Error, arguments: &[OsString]) -> ExitCode {
        if !answer.use_stderr() {
            // Help and version are answers too, and go to stdout.
            return match answer.print().and_then(|()| std::io::stdout().flush()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    self.failure(&Error::system(format!(
                        "stdout could not be written: {error}. Check what it goes to, and run again."
                    )))
                }
                _ => ExitCode::SUCCESS,
            };
        }
        let said = answer.render().to_string();
        let text = without_tokens(&said, arguments);
        let _ = match self {
            Self::JsonOnStderr => Ok(()),
            _ if text == said => answer.print(),
            _ => write!(std::io::stderr(), "{text}"),
        };
        let sentence = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = sentence.split_whitespace().collect();
        self.object("usage", USAGE.into(), &escaped(&words.join(" ")));
        ExitCode::from(USAGE)
    }

    /// Reports that a signal ended the run, which stderr has already.
    #[cfg(feature = "export")]
    pub(super) fn interrupted(self, exit_code: i32, message: &str) {
        self.object("interrupted", exit_code, &escaped(message));
    }

    fn object(self, kind: &str, exit_code: i32, message: &str) {
        let line = json!({ "error": described(kind, exit_code, message) });
        // Where it cannot be written there is nobody to read it.
        let _ = match self {
            Self::Text => Ok(()),
            Self::Json => writeln!(std::io::stdout(), "{line}"),
            Self::JsonOnStderr => writeln!(std::io::stderr(), "{line}"),
        };
    }
}

/// What the parser says, without an argument that may be a token: it repeats what it does not understand.
fn without_tokens(text: &str, arguments: &[OsString]) -> String {
    let values = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    let values = values.map(|text| match text.split_once('=') {
        Some((flag, value)) if flag.starts_with('-') => value,
        _ => text,
    });
    let is_hidden = |text: &&str| {
        !text.starts_with('-') && !text.contains(['/', '\\', ' ']) && may_be_token(text)
    };
    values.filter(is_hidden).fold(text.to_owned(), |text, value| text.replace(value, "[not shown]"))
}

/// A failure as it is in JSON.
pub(super) fn described(kind: &str, exit_code: i32, message: &str) -> Value {
    let retry = exit_code == i32::from(Kind::Transient.exit_code());
    json!({"kind": kind, "exit_code": exit_code, "message": message, "retry": retry})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_goes_where_no_rows_go() {
        for (line, expected) in [
            ("export --to lake", Report::Text),
            ("export --to lake --json", Report::Json),
            ("export --json --to - --config c.json", Report::JsonOnStderr),
            ("export --json --to=-", Report::JsonOnStderr),
            ("export --config - --json --to x", Report::Json),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Report::of(&arguments), expected, "{line}");
        }
    }
}
