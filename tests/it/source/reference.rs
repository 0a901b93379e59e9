//! A slow decoder of one record, written from the description of the API and from nothing else: what
//! the fast one is compared with.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use kometsales::model::stream::{Role, Type};
use kometsales::streams::customers::CUSTOMERS;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// A record as it is to be emitted.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// Every declared field, and `_extra`.
    pub(crate) values: Value,
    /// One bit for each declared field that was invalid.
    pub(crate) nulled: u64,
    /// When it was last changed.
    pub(crate) updated: Option<DateTime<Utc>>,
}

/// A value, or whether it is null or invalid.
type Converted<T> = Result<Option<T>, ()>;

/// Decodes a record; `None` if it has no valid key.
pub(crate) fn decode(record: &str, zone: Tz) -> Option<Row> {
    // Of a name that occurs twice the last value is inserted last.
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(record).ok()?;
    let (mut values, mut nulled, mut updated) = (Map::new(), 0, None);
    for (index, field) in CUSTOMERS.fields.iter().enumerate() {
        let raw = members.remove(field.name).map_or("null", RawValue::get);
        let value: Converted<Value> = match field.kind {
            Type::Text => text(raw).map(|text| text.map(Value::from)),
            Type::Integer => integer(raw).map(|number| number.map(Value::from)),
            Type::Boolean => boolean(raw).map(|boolean| boolean.map(Value::from)),
            Type::Timestamp => time(raw, zone).map(|instant| {
                updated = instant;
                instant.map(|instant| Value::from(shown(instant)))
            }),
        };
        if field.role == Role::Key && !matches!(value, Ok(Some(_))) {
            return None;
        }
        nulled |= u64::from(value.is_err()) << index;
        values.insert(field.name.to_owned(), value.ok().flatten().unwrap_or(Value::Null));
    }
    let extra = (!members.is_empty()).then(|| json!(members));
    values.insert("_extra".to_owned(), extra.unwrap_or(Value::Null));
    Some(Row { values: values.into(), nulled, updated })
}

/// RFC 3339 in UTC, with microseconds if there are some.
fn shown(instant: DateTime<Utc>) -> String {
    let has_fraction = instant.timestamp_subsec_micros() != 0;
    let format = if has_fraction { "%Y-%m-%dT%H:%M:%S%.6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    instant.format(format).to_string()
}

/// The text of a JSON string; of anything else what is written; `None` for a lone surrogate.
fn meant(raw: &str) -> Option<String> {
    if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { Some(raw.to_owned()) }
}

fn text(raw: &str) -> Converted<String> {
    match raw.as_bytes()[0] {
        b'n' => Ok(None),
        b'{' | b'[' => Err(()),
        _ => meant(raw).map(Some).ok_or(()),
    }
}

/// Null and empty text are null; an object and an array are nothing else.
fn scalar(raw: &str) -> Converted<String> {
    Ok(text(raw)?.filter(|text| !text.is_empty()))
}

fn integer(raw: &str) -> Converted<i64> {
    let Some(text) = scalar(raw)? else { return Ok(None) };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let is_whole = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
    if is_whole { text.parse().map(Some).map_err(|_| ()) } else { Err(()) }
}

fn boolean(raw: &str) -> Converted<bool> {
    let Some(text) = scalar(raw)? else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(Some(true)),
        "0" | "false" => Ok(Some(false)),
        _ => Err(()),
    }
}

fn time(raw: &str, zone: Tz) -> Converted<DateTime<Utc>> {
    match scalar(raw)? {
        None => Ok(None),
        Some(text) if raw.starts_with('"') => instant(&text, zone).map(Some).ok_or(()),
        Some(_) => Err(()),
    }
}

fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let whole = text.get(..19)?.replacen(' ', "T", 1);
    let has_form = whole.chars().zip("dddd-dd-ddTdd:dd:dd".chars()).all(|(found, expected)| {
        if expected == 'd' { found.is_ascii_digit() } else { found == expected }
    });
    // chrono reads a leap second, and a year without a first.
    if !has_form || whole.ends_with("60") || whole.starts_with("0000") {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(&whole, "%Y-%m-%dT%H:%M:%S").ok()?;
    let (fraction, offset) = match text[19..].find(['Z', '+', '-']) {
        Some(at) => text[19..].split_at(at),
        None => (&text[19..], ""),
    };
    let local = local + TimeDelta::microseconds(micros(fraction)?);
    let instant = match offset {
        "" => in_zone(local, zone)?,
        "Z" => local.and_utc(),
        offset => {
            let digits = offset[1..].replace(':', "");
            let padded = if digits.len() == 2 { digits + "00" } else { digits };
            let (hours, minutes) = (padded.get(..2)?.parse().ok()?, padded.get(2..)?.parse().ok()?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = TimeDelta::hours(hours) + TimeDelta::minutes(minutes);
            local.and_utc() - if offset.starts_with('-') { -ahead } else { ahead }
        }
    };
    (1..=9999).contains(&instant.year()).then_some(instant)
}

fn micros(fraction: &str) -> Option<i64> {
    let Some(digits) = fraction.strip_prefix('.') else {
        return fraction.is_empty().then_some(0);
    };
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
    is_number.then(|| format!("{digits}000000")[..6].parse().ok())?
}

/// Of two instants the earlier; of none the first after the gap.
fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(one) => Some(one.to_utc()),
        LocalResult::Ambiguous(one, other) => Some(one.to_utc().min(other.to_utc())),
        LocalResult::None => {
            let minute = local.with_nanosecond(0)?.with_second(0)?;
            (1..36 * 60).find_map(|later| {
                let then = minute + TimeDelta::minutes(later);
                zone.from_local_datetime(&then).earliest().map(|then| then.to_utc())
            })
        }
    }
}
