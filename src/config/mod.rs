//! The configuration: a flat JSON object, checked whole, every fault by its key.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::document;
use crate::error::{Error, Result};
use crate::model::Zone;
use crate::secret::{HashKey, Token};
use crate::streams::ALL;

mod base_url;
mod fields;
pub mod people;
pub mod privacy;
pub mod settings;
mod token;

use base_url::{is_allowed, nowhere};
use privacy::Privacy;
use settings::{Accepts, DEFAULT_BASE_URL, SETTINGS};
pub use token::may_be_token;

/// Characters of a value that a message shows.
const MAX_SHOWN_CHARACTERS: usize = 60;

/// What becomes of keys that are no settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownKeys {
    /// A warning each: a host wrote the configuration, and hosts add keys.
    Warn,
    /// A fault each: a person wrote it.
    Refuse,
}

/// A configuration in which everything is as it must be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Komet's `authenticationToken`.
    pub token: Token,
    /// Records last updated before this day are not read.
    pub start_date: Option<NaiveDate>,
    /// Whether deactivated records are read too.
    pub include_inactive: bool,
    /// The zone of a time that carries none.
    pub zone: Zone,
    /// How far before its cursor an incremental read starts again.
    pub lookback_hours: u32,
    /// The filters that were given, by their setting's key.
    pub filters: BTreeMap<&'static str, String>,
    /// At most this many rejected records are skipped; `None` leaves it to the output.
    pub max_rejects: Option<u64>,
    /// After how many hours an incremental read asks for the whole list again; `None` leaves it to the
    /// output.
    pub full_list_hours: Option<u64>,
    /// Which fields are left out of every output, and which are hashed.
    pub privacy: Privacy,
    /// Where the API is, without a trailing `/`.
    pub base_url: Url,
    /// How long one request may take as a whole.
    pub request_timeout: Duration,
    /// For how long a request that failed for a passing reason is sent again.
    pub retry_window: Duration,
}

impl Config {
    /// Reads a configuration; `origin` says in errors where it came from. Also returned are warnings,
    /// one for each key that is not known.
    ///
    /// # Errors
    /// `Config`, naming every key that is at fault, its value unless that is secret, and what it accepts.
    ///
    /// ```
    /// use kometsales::config::Config;
    /// let json = br#"{"authentication_token": "abcdefgh", "lookback_hours": "2"}"#;
    /// let (config, warnings) = Config::parse(json, "the example")?;
    /// assert_eq!(config.lookback_hours, 2);
    /// assert!(warnings.is_empty());
    /// # Ok::<(), kometsales::error::Error>(())
    /// ```
    pub fn parse(json: &[u8], origin: &str) -> Result<(Self, Vec<String>)> {
        Self::merge(&[(json.to_vec(), origin.to_owned())], &[], UnknownKeys::Warn)
    }

    /// As [`parse`](Self::parse), of several configurations with their origins: what a later one says of
    /// a key counts. `others` are keys that mean something to the protocol alone.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn merge(
        parts: &[(Vec<u8>, String)],
        others: &[&str],
        unknown_keys: UnknownKeys,
    ) -> Result<(Self, Vec<String>)> {
        if parts.is_empty() {
            return Err(Error::config(
                "No configuration was given. Name one with --config FILE; it is something like {\"authentication_token\": \"…\"}.",
            ));
        }
        let mut values = Values::default();
        for (json, origin) in parts {
            for (key, value) in members(json, origin)? {
                // An absent value takes nothing from an earlier configuration.
                let is_absent = matches!(value.get(), "null" | r#""""#);
                if !is_absent || !values.members.contains_key(&key) {
                    values.origins.insert(key.clone(), origin.clone());
                    values.members.insert(key, value);
                }
            }
        }
        let filters = SETTINGS
            .iter()
            .filter(|setting| is_filter(setting.key))
            .filter_map(|setting| Some((setting.key, values.text(setting.key)?)))
            .collect();
        let hash_key = values.secret("hash_key").map(HashKey::new);
        let config = Self {
            token: values.token("authentication_token").hiding(hash_key.clone()),
            privacy: values.privacy(hash_key),
            start_date: values.date("start_date"),
            include_inactive: values.boolean("include_inactive").unwrap_or_default(),
            zone: values.zone("timezone").unwrap_or(Zone::UTC),
            lookback_hours: values
                .integer("lookback_hours")
                .and_then(|hours| hours.try_into().ok())
                .unwrap_or_default(),
            filters,
            max_rejects: values.integer("max_rejects"),
            full_list_hours: values.integer("full_list_hours"),
            base_url: values.url("base_url"),
            request_timeout: values.seconds("request_timeout_seconds"),
            retry_window: values.seconds("retry_window_seconds"),
        };
        let mut warnings = values.unknown(others);
        if unknown_keys == UnknownKeys::Refuse {
            values.faults.append(&mut warnings);
        }
        if values.faults.is_empty() {
            let mut warnings: Vec<String> =
                warnings.iter().map(|key| format!("{key}. It is ignored.")).collect();
            warnings.extend(config.privacy.unused_key());
            return Ok((config, warnings));
        }
        values.faults.append(&mut warnings);
        let message = format!(
            "The configuration ({}) is wrong: {}.",
            values.origins_at_fault(parts).join(", "),
            values.faults.join("; ")
        );
        Err(Error::config(values.redacted(&message)))
    }
}

fn is_filter(key: &str) -> bool {
    ALL.iter().flat_map(|stream| stream.filters).any(|filter| filter.setting == key)
}

/// The members of the configuration, where each came from, and what was found wrong with them.
#[derive(Default)]
struct Values {
    members: BTreeMap<String, Box<RawValue>>,
    origins: BTreeMap<String, String>,
    faults: Vec<String>,
    keys_at_fault: Vec<&'static str>,
}

/// A boolean among the keys that mean something to one protocol alone. `None` if it is absent or none.
pub fn protocol_flag(parts: &[(Vec<u8>, String)], key: &str) -> Result<Option<bool>> {
    let mut flag = None;
    for (json, origin) in parts {
        let Some(raw) = members(json, origin)?.remove(key) else { continue };
        flag = match raw.get().trim_matches('"').to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
    }
    Ok(flag)
}

fn members(json: &[u8], origin: &str) -> Result<BTreeMap<String, Box<RawValue>>> {
    let expected = "Expected something like {\"authentication_token\": \"…\"}.";
    document::parse(json, &format!("The configuration ({origin})"), expected)
}

impl Values {
    /// The value of a known key as text, where it is neither absent nor null nor empty.
    fn text(&mut self, key: &'static str) -> Option<String> {
        let setting = settings::setting(key)?;
        let raw = self.members.get(key)?.get();
        let text = match (setting.accepts, serde_json::from_str::<Value>(raw)) {
            (_, Ok(Value::Null)) => return None,
            (_, Ok(Value::String(text))) => text,
            (Accepts::Digits { .. } | Accepts::Integer { .. }, Ok(Value::Number(_)))
            | (Accepts::Boolean { .. }, Ok(Value::Bool(_))) => raw.to_owned(),
            _ => return self.refuse(key),
        };
        let accepted = match setting.accepts {
            Accepts::Text { most } => text.chars().count() <= most,
            Accepts::Digits { most } => {
                text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit())
            }
            _ => true,
        };
        if text.is_empty() {
            return None;
        }
        if accepted { Some(text) } else { self.refuse(key) }
    }

    fn token(&mut self, key: &'static str) -> Token {
        let faults = self.faults.len();
        let token = self.text(key).unwrap_or_default();
        if let Some(fault) = token::fault(&token, token::MIN_TOKEN_CHARACTERS)
            && self.faults.len() == faults
        {
            self.fault(key, &fault);
        }
        Token::new(token)
    }

    fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let Some(text) = self.text(key) else {
            let Accepts::Boolean { default } = settings::setting(key)?.accepts else { return None };
            return Some(default);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => self.refuse(key),
        }
    }

    fn integer(&mut self, key: &'static str) -> Option<u64> {
        let Accepts::Integer { least, most, default } = settings::setting(key)?.accepts else {
            return None;
        };
        let Some(text) = self.text(key) else { return default };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) && !text.starts_with('+') => {
                Some(number)
            }
            _ => self.refuse(key),
        }
    }

    fn seconds(&mut self, key: &'static str) -> Duration {
        Duration::from_secs(self.integer(key).unwrap_or_default())
    }

    fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let text = self.text(key)?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date = (text.len() == 10 && is_plain)
            .then(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok())
            .flatten()
            .filter(|date| *date >= NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default());
        date.or_else(|| self.refuse(key))
    }

    fn zone(&mut self, key: &'static str) -> Option<Zone> {
        let text = self.text(key)?;
        Zone::named(&text).or_else(|| self.refuse(key))
    }

    fn url(&mut self, key: &'static str) -> Url {
        let text = self.text(key).unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
        let url = Url::parse(text.trim_end_matches('/')).ok().filter(is_allowed);
        url.or_else(|| self.refuse(key)).unwrap_or_else(nowhere)
    }

    /// Notes that a key does not hold what it accepts.
    fn refuse<T>(&mut self, key: &'static str) -> Option<T> {
        let value = self.members.get(key).map(|raw| raw.get()).unwrap_or_default();
        let is_secret = match settings::setting(key).map(|setting| setting.accepts) {
            // It may hold a password, or a token in its query.
            Some(Accepts::Url { .. }) => value.contains(['@', '?', '#']),
            Some(Accepts::Secret { .. }) | None => true,
            _ => false,
        };
        // A token that was cut would not be found any more.
        let value = self.redacted(value);
        let shown: String = value.chars().take(MAX_SHOWN_CHARACTERS).collect();
        let cut = if shown.len() < value.len() { "…" } else { "" };
        if is_secret {
            self.fault(key, "is not accepted");
        } else {
            self.fault(key, &format!("is {shown}{cut}"));
        }
        None
    }

    /// A text without secrets. What is too short to be one is a part of many words.
    fn redacted(&self, text: &str) -> String {
        let secrets = SETTINGS.iter().filter(|setting| setting.is_secret());
        let values = secrets.filter_map(|setting| {
            let secret = serde_json::from_str::<String>(self.members.get(setting.key)?.get());
            secret.ok().filter(|secret| secret.chars().count() >= token::MIN_TOKEN_CHARACTERS)
        });
        values.fold(text.to_owned(), |text, secret| Token::new(secret).redact(&text))
    }

    fn fault(&mut self, key: &'static str, what: &str) {
        let expectation = settings::setting(key).map(settings::Setting::expectation);
        let expected = expectation.unwrap_or_default();
        self.faults.push(format!("`{key}` {what}; expected {expected}"));
        self.keys_at_fault.push(key);
    }

    /// Where the values that are wrong came from; everywhere, if a value is missing or a key is not known.
    fn origins_at_fault<'a>(&self, parts: &'a [(Vec<u8>, String)]) -> Vec<&'a str> {
        let keys = &self.keys_at_fault;
        let wrong: Vec<_> = keys.iter().filter_map(|key| self.origins.get(*key)).collect();
        let is_anywhere = wrong.len() < self.faults.len();
        let origins = parts.iter().map(|(_, origin)| origin);
        origins.filter(|origin| is_anywhere || wrong.contains(origin)).map(String::as_str).collect()
    }

    fn unknown(&self, others: &[&str]) -> Vec<String> {
        self.members
            .keys()
            .filter(|key| settings::setting(key).is_none() && !others.contains(&key.as_str()))
            .map(|key| {
                // Without a token, one of them may have taken its place.
                if !self.members.contains_key("authentication_token") && may_be_token(key) {
                    return "a key that is not shown, since it may be the token, is not a setting"
                        .to_owned();
                }
                let nearest = settings::nearest(key, SETTINGS.iter().map(|setting| setting.key));
                let nearest =
                    nearest.map(|key| format!(" (did you mean `{key}`?)")).unwrap_or_default();
                format!("`{}` is not a setting{nearest}", key.escape_debug())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
