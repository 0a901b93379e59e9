//! What the environment says.

use std::env::VarError;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::log::Level;
use crate::network::Proxies;
use crate::source::{Machine, Scratch};

/// The refusal of a setting that is not text.
pub(super) fn not_text(name: &str) -> Error {
    Error::config(format!("{name} is not UTF-8 text, so it cannot be used. Set it again."))
}

/// What the environment says. Nothing else of the crate reads it.
pub(super) struct Environment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
impl Environment {
    pub(super) fn log_level() -> Option<Level> {
        let level = std::env::var("LOG_LEVEL").unwrap_or_default().to_ascii_lowercase();
        match level.as_str() {
            "debug" | "trace" => Some(Level::Debug),
            "info" => Some(Level::Info),
            "warn" | "warning" => Some(Level::Warn),
            "error" | "fatal" | "critical" => Some(Level::Error),
            _ => None,
        }
    }

    /// A variable, if it is set and readable.
    pub(super) fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    /// A variable that is a setting, if it is set.
    ///
    /// # Errors
    /// `Config`: it is not UTF-8, so that it would be passed by in silence.
    pub(super) fn setting(name: &str) -> Result<Option<String>> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(not_text(name)),
        }
    }

    /// The variables whose names begin like this, by name.
    pub(super) fn beginning_with(prefix: &str) -> Vec<(OsString, OsString)> {
        let mut variables: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
            .collect();
        variables.sort();
        variables
    }

    /// The file in which Meltano says how it wants to be logged to.
    pub(super) fn singer_log_config() -> Option<PathBuf> {
        std::env::var_os("SINGER_SDK_LOG_CONFIG").map(PathBuf::from)
    }

    /// What the machine offers to whoever asks the API.
    pub(super) fn machine() -> Machine {
        let certificates = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
        Machine {
            scratch: Self::scratch(),
            proxies: Self::proxies(),
            certificates: certificates.map(PathBuf::from),
        }
    }

    /// The proxies that are named for everybody.
    pub(super) fn proxies() -> Proxies {
        Proxies::of(Self::variable)
    }

    /// Where temporary files may go: `TMPDIR`, `/tmp`, and what Airbyte's images can write.
    fn scratch() -> Scratch {
        let named = std::env::var("TMPDIR").ok().filter(|folder| !folder.is_empty());
        let folders = named.map(PathBuf::from).into_iter();
        #[cfg(unix)]
        let others = [PathBuf::from("/tmp"), PathBuf::from("/airbyte")];
        #[cfg(not(unix))]
        let others = [std::env::temp_dir()];
        Scratch::new(folders.chain(others).collect())
    }

    /// Whether the terminal can do more than take lines.
    pub(super) fn is_capable() -> bool {
        std::env::var("TERM").as_deref() != Ok("dumb")
    }

    /// Whether the terminal's user asked for no colours (`no-color.org`).
    pub(super) fn wants_colour() -> bool {
        std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && Self::is_capable()
    }
}

/// What only `export` and `show` ask.
#[cfg(feature = "export")]
impl Environment {
    /// From this size on, glibc takes a block from the system by itself (`mallopt(3)`).
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) const MMAP_THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

    /// From this size on, glibc gives back what is free at the end of a heap.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) const TRIM_THRESHOLD: &str = "MALLOC_TRIM_THRESHOLD_";

    /// How many heaps glibc has at the most.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) const ARENA_MAX: &str = "MALLOC_ARENA_MAX";

    /// Whether the user has set how glibc allocates, or this program has.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn says_how_to_allocate() -> bool {
        [Self::MMAP_THRESHOLD, Self::TRIM_THRESHOLD, Self::ARENA_MAX, "GLIBC_TUNABLES"]
            .iter()
            .any(|name| std::env::var_os(name).is_some())
    }

    /// What the environment says to the tools of object stores.
    pub(super) fn store_settings() -> Vec<(String, String)> {
        let words = ["AWS_", "GOOGLE_", "AZURE_"];
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| words.iter().any(|word| name.starts_with(word)))
            .collect()
    }
}
