//! The configuration: whether it is accepted, against a naive judgement of each setting; and what is understood of it is
//! understood again when it is written.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;
use kometsales::config::Config;
use kometsales::config::settings::{Accepts, SETTINGS, Setting};
use kometsales::error::Kind;
use kometsales::model::stream::{EXTRA, Role};
use kometsales::model::{Type, Zone};
use kometsales::streams::customers::CUSTOMERS;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::redaction::shows;
use super::{outline, refused};

/// A shorter secret is a part of many words.
const MIN_SECRET: usize = 8;

type Members = BTreeMap<String, Box<RawValue>>;

/// Checks bytes as a configuration.
pub fn check(bytes: &[u8]) -> String {
    let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let members: Option<Members> = serde_json::from_slice(json).ok();
    let judged = members.as_ref().map(judge);
    match Config::parse(bytes, "the test") {
        Err(error) => {
            let all_accepted =
                judged.is_some_and(|judged| judged.values().all(|one| *one == Some(true)));
            assert!(!all_accepted, "nothing is wrong with it: {error}");
            let causes = error.causes().unwrap_or_default();
            for secret in secrets(members.as_ref()) {
                assert!(!shows(&error.to_string(), &secret), "{secret:?} is in {error}");
                assert!(!shows(&causes, &secret), "{secret:?} is in {causes}");
            }
            refused(&error, &[Kind::Config])
        }
        Ok((config, warnings)) => {
            let members = members.expect("it is a JSON object");
            for (key, is_accepted) in judged.into_iter().flatten() {
                assert_ne!(is_accepted, Some(false), "`{key}` is accepted");
            }
            let again = written(&config, &members).to_string();
            let (read, _) = Config::parse(again.as_bytes(), "the test").unwrap();
            assert_eq!(format!("{config:?}"), format!("{read:?}"), "{again}");
            assert_eq!(config.token.fingerprint("x"), read.token.fingerprint("x"));
            assert_eq!(config.privacy.fingerprint(), read.privacy.fingerprint());
            let warnings: Vec<String> = warnings.iter().map(|warning| outline(warning)).collect();
            let set: Vec<&str> = SETTINGS
                .iter()
                .filter(|setting| text(setting, &members).is_ok_and(|text| text.is_some()))
                .map(|setting| setting.key)
                .collect();
            format!("{} {warnings:?}", set.len())
        }
    }
}

/// The values of secrets that are long enough to be recognised, and that the mark of what was cut out does not hold.
fn secrets(members: Option<&Members>) -> Vec<String> {
    let is_mark = |secret: &str| {
        "[redacted][redacted]".contains(&secret.to_lowercase()) || secret.contains(['[', ']'])
    };
    let keys = SETTINGS.iter().filter(|setting| setting.is_secret()).map(|setting| setting.key);
    let values =
        keys.filter_map(|key| serde_json::from_str::<String>(members?.get(key)?.get()).ok());
    values.filter(|secret| secret.chars().count() >= MIN_SECRET && !is_mark(secret)).collect()
}

/// The value of a setting as text; `None` where it is left out, an error where its type is another.
fn text(setting: &Setting, members: &Members) -> Result<Option<String>, ()> {
    let Some(raw) = members.get(setting.key).map(|raw| raw.get()) else { return Ok(None) };
    let text = match (raw.as_bytes()[0], setting.accepts) {
        (b'n', _) => String::new(),
        (b'"', _) => serde_json::from_str(raw).map_err(|_| ())?,
        (b'-' | b'0'..=b'9', Accepts::Digits { .. } | Accepts::Integer { .. }) => raw.to_owned(),
        (b't' | b'f', Accepts::Boolean { .. }) => raw.to_owned(),
        _ => return Err(()),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Whether each setting is accepted; `None` where that takes more than a naive look.
fn judge(members: &Members) -> BTreeMap<&'static str, Option<bool>> {
    let judge = |setting: &'static Setting| {
        let judged = match text(setting, members) {
            Err(()) => Some(false),
            Ok(text) => judge_one(setting, text.as_deref(), members),
        };
        (setting.key, judged)
    };
    SETTINGS.iter().map(judge).collect()
}

fn judge_one(setting: &Setting, text: Option<&str>, members: &Members) -> Option<bool> {
    let has_key = members.get("hash_key").is_some_and(|raw| !matches!(raw.get(), "null" | "\"\""));
    let Some(text) = text else { return Some(!setting.is_required()) };
    match setting.accepts {
        Accepts::Secret { least, .. } => {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let is_long_enough = text.chars().count() >= least;
            // Blanks alone are no secret, which is as if there was none.
            let is_blank = text.trim().is_empty() && !setting.is_required();
            match is_long_enough && text.len() <= 200 {
                true if is_plain => Some(true),
                true => None,
                false if is_blank => None,
                false => Some(false),
            }
        }
        Accepts::Text { most } => Some(text.chars().count() <= most),
        Accepts::Digits { most } => {
            Some(text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit()))
        }
        Accepts::Integer { least, most, .. } => {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.trim_start_matches('0').parse::<u64>().unwrap_or_else(|_| {
                if text.trim_start_matches('0').is_empty() { 0 } else { u64::MAX }
            });
            Some(is_number && (least..=most).contains(&number))
        }
        Accepts::Boolean { .. } => {
            Some(["true", "false", "1", "0"].contains(&text.to_lowercase().as_str()))
        }
        Accepts::Date => {
            let parts: Vec<&str> = text.split('-').collect();
            let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let number = |part: usize| parts[part].parse().unwrap_or_default();
            let is_date =
                || NaiveDate::from_ymd_opt(number(0) as i32, number(1), number(2)).is_some();
            Some(lengths == [4, 2, 2] && is_plain && number(0) > 0 && is_date())
        }
        Accepts::Zone => {
            let zone = text.parse::<Tz>().ok();
            assert_eq!(zone.map(Tz::name), Zone::named(text).as_ref().map(Zone::name));
            Some(zone.is_some())
        }
        Accepts::Fields { only_text } => {
            let names: Vec<&str> =
                text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            let is_accepted =
                |name: &&str| match CUSTOMERS.fields.iter().find(|field| field.name == *name) {
                    Some(field) => {
                        !matches!(field.role, Role::Key | Role::Cursor)
                            && (!only_text || field.kind == Type::Text)
                    }
                    None => *name == EXTRA && !only_text,
                };
            if !names.iter().all(is_accepted) {
                return Some(false);
            }
            // What is hashed too, or without a key, takes a look at other settings.
            if only_text && !names.is_empty() {
                return if has_key { None } else { Some(false) };
            }
            Some(true)
        }
        Accepts::Url { .. } => {
            let is_host =
                |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_lowercase());
            match text.strip_prefix("https://") {
                Some(rest) if is_host(rest.trim_end_matches("/api")) => Some(true),
                Some(rest) if has_user(rest) => Some(false),
                None if text.strip_prefix("http://").is_some_and(has_user) => Some(false),
                _ if text.contains(['?', '#']) => Some(false),
                _ => None,
            }
        }
    }
}

/// Whether what is behind the slashes of a URL certainly begins with a user: a path may have an `@`, too.
fn has_user(rest: &str) -> bool {
    let authority = rest.split(['/', '\\']).next().unwrap_or_default();
    authority.contains('@') && authority.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A configuration as a person writes it who means the same.
fn written(config: &Config, members: &Members) -> Value {
    let mut json = Map::new();
    let mut add = |key: &str, value: Value| json.insert(key.to_owned(), value);
    for key in ["authentication_token", "hash_key"] {
        if let Some(raw) = members.get(key) {
            add(key, serde_json::from_str(raw.get()).unwrap());
        }
    }
    let numbers = [
        ("lookback_hours", Some(u64::from(config.lookback_hours))),
        ("max_rejects", config.max_rejects),
        ("full_list_hours", config.full_list_hours),
        ("request_timeout_seconds", Some(config.request_timeout.as_secs())),
        ("retry_window_seconds", Some(config.retry_window.as_secs())),
    ];
    for (key, number) in numbers {
        add(key, json!(number.map(|number| number.to_string())));
    }
    for (key, value) in &config.filters {
        add(key, json!(value));
    }
    // Unknown fields are left out together with any other one, and so are excluded where nobody named them.
    let named = config.privacy.scope().find(|(key, _)| *key == "exclude_fields");
    add("exclude_fields", json!(named.map(|(_, names)| names)));
    add("hash_fields", json!(config.privacy.hashed().collect::<Vec<_>>().join(" , ")));
    add("start_date", json!(config.start_date.map(|date| date.to_string())));
    add("include_inactive", json!(config.include_inactive));
    add("timezone", json!(config.zone.name()));
    add("base_url", json!(config.base_url.as_str()));
    Value::Object(json)
}
