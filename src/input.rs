//! JSON that a person or a host hands in: a file, standard input, or what a test has at hand.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file that the user named, or standard input.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Standard,
    /// JSON in place of a file's name. It may hold the token, so it is not kept.
    Inline,
    /// Its content, known already.
    Given(Vec<u8>),
}

impl Input {
    /// What a path on the command line means: `-` is standard input.
    pub fn of(path: &Path) -> Self {
        match path.to_string_lossy().trim_start() {
            "-" => Self::Standard,
            text if text.starts_with(['{', '[']) => Self::Inline,
            _ => Self::File(path.to_owned()),
        }
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) if is_path(path) => path.display().to_string(),
            // It may be the token itself.
            Self::File(_) => "the file that was named".to_owned(),
            Self::Standard => "standard input".to_owned(),
            Self::Inline => "the command line".to_owned(),
            Self::Given(_) => "given".to_owned(),
        }
    }

    /// Its content; `what` it is goes into the message if it cannot be read.
    ///
    /// # Errors
    /// `Config`: it cannot be read, or it was given on the command line itself.
    pub fn read(&self, what: &str) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = match self {
            Self::File(path) => {
                File::open(path).and_then(|mut file| file.read_to_end(&mut content))
            }
            Self::Standard => std::io::stdin().lock().read_to_end(&mut content),
            Self::Inline => {
                return Err(Error::config(format!(
                    "The {what} is on the command line, where every user of this machine can see it. Put it into a file and pass its path, or - for standard input."
                )));
            }
            Self::Given(given) => {
                content.clone_from(given);
                Ok(given.len())
            }
        };
        read.map_err(|error| {
            Error::config(format!(
                "The {what} ({}) cannot be read: {error}. Check the path.",
                self.name()
            ))
        })?;
        Ok(content)
    }

    /// A secret that it holds: its content without one line feed, or carriage return and line feed, at the end, as
    /// editors and shells add it. `what` says what named it.
    ///
    /// # Errors
    /// `Config`: it cannot be read, or is not UTF-8 text.
    pub fn read_secret(&self, what: &str) -> Result<String> {
        let content = self.read(&format!("file of {what}"))?;
        let mut secret = String::from_utf8(content).map_err(|_| {
            Error::config(format!(
                "The file of {what} ({}) is not UTF-8 text. Put the secret alone into it.",
                self.name()
            ))
        })?;
        if secret.ends_with('\n') {
            secret.pop();
            if secret.ends_with('\r') {
                secret.pop();
            }
        }
        Ok(secret)
    }
}

/// Whether a text on the command line is there as a file, or is written as one.
fn is_path(path: &Path) -> bool {
    const MAX_ENDING_LETTERS: usize = 5;
    let text = path.to_string_lossy();
    let ending = path.extension().map(|ending| ending.to_string_lossy());
    let has_ending = ending.is_some_and(|ending| {
        ending.len() <= MAX_ENDING_LETTERS && ending.chars().all(|c| c.is_ascii_alphabetic())
    });
    path.exists() || has_ending || text.starts_with(['/', '.', '~'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_token_is_not_a_name() {
        for (text, is_shown) in [
            ("config.json", true),
            ("./config", true),
            ("/etc/komet/token", true),
            ("folder/config.yaml", true),
            ("k0m3t-s3cr3t-t0k3n", false),
            ("eyJhbGciOi.eyJzdWIiOiIx.SflKxwRJSM", false),
            ("aGVsbG8/d29ybGQ=", false),
        ] {
            let name = Input::of(Path::new(text)).name();
            assert_eq!(name == text, is_shown, "{text}: {name}");
            let error = Input::of(Path::new(text)).read("configuration").unwrap_err();
            assert_eq!(error.to_string().contains(text), is_shown, "{error}");
        }
    }
}
