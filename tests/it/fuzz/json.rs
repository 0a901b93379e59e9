//! JSON with some value in it changed, moved, doubled or taken away, so that it stays JSON.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::mutated::Pool;

/// JSON of which one value was changed; `None` if an input is no JSON.
pub(super) fn mutated(input: &[u8], rng: &mut Rng, pool: &Pool) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(input).ok()?;
    let at = rng.usize(..count(&document));
    let other = serde_json::from_slice(pool.input(rng)).unwrap_or_default();
    change(nth(&mut document, &mut { at })?, &other, rng, pool);
    let text = if rng.u8(..8) == 0 {
        serde_json::to_string_pretty(&document)
    } else {
        serde_json::to_string(&document)
    };
    Some(text.unwrap().into_bytes())
}

/// How many values there are, the whole one among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The value of a number, counted from the outside.
fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(values) => values.iter_mut().find_map(|value| nth(value, left)),
        Value::Object(members) => members.values_mut().find_map(|value| nth(value, left)),
        _ => None,
    }
}

fn change(value: &mut Value, other: &Value, rng: &mut Rng, pool: &Pool) {
    let turn = rng.u8(..10);
    match value {
        Value::Object(members) if turn < 7 => change_members(members, other, rng, pool),
        Value::Array(values) if turn < 7 => change_values(values, other, rng, pool),
        Value::String(text) if turn < 5 => {
            let mut bytes = std::mem::take(text).into_bytes();
            pool.change(&mut bytes, rng);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => match turn {
            9 => *value = json!([value.take()]),
            8 => *value = json!({ key(rng, pool): value.take() }),
            7 => *value = part(other, rng),
            _ => *value = scalar(rng, pool),
        },
    }
}

fn change_members(members: &mut Map<String, Value>, other: &Value, rng: &mut Rng, pool: &Pool) {
    let names: Vec<String> = members.keys().cloned().collect();
    let name = rng.choice(&names).cloned();
    match (name, rng.u8(..6)) {
        (Some(name), 0 | 1) => drop(members.shift_remove(&name)),
        (Some(name), 2) => {
            let value = members.shift_remove(&name).unwrap_or_default();
            members.insert(key(rng, pool), value);
        }
        (Some(name), 3) => {
            members.insert(name, part(other, rng));
        }
        (_, 4) => {
            members.insert(key(rng, pool), part(other, rng));
        }
        _ => {
            members.insert(key(rng, pool), scalar(rng, pool));
        }
    }
}

fn change_values(values: &mut Vec<Value>, other: &Value, rng: &mut Rng, pool: &Pool) {
    let at = rng.usize(..values.len().max(1));
    match rng.u8(..5) {
        0 if !values.is_empty() => drop(values.remove(at)),
        1 if !values.is_empty() && values.len() < 50 => values.insert(at, values[at].clone()),
        2 => rng.shuffle(values),
        3 => values.push(part(other, rng)),
        _ => values.push(scalar(rng, pool)),
    }
}

/// Some part of another document.
fn part(other: &Value, rng: &mut Rng) -> Value {
    let mut other = other.clone();
    let mut at = rng.usize(..count(&other));
    nth(&mut other, &mut at).map(Value::take).unwrap_or_default()
}

/// A word that is the name of a member, mostly.
fn key(rng: &mut Rng, pool: &Pool) -> String {
    match word(rng, pool) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A word as JSON: one that is some already, without a colon behind it, or a text.
fn word(rng: &mut Rng, pool: &Pool) -> Value {
    let word = String::from_utf8_lossy(pool.word(rng)).into_owned();
    serde_json::from_str(word.trim_end_matches(':')).unwrap_or_else(|_| word.into())
}

/// A value that programs are often wrong about, or a word.
fn scalar(rng: &mut Rng, pool: &Pool) -> Value {
    match rng.u8(..16) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.u8(..4).into(),
        3 => (-1).into(),
        4 => i64::MAX.into(),
        5 => u64::MAX.into(),
        6 => 1.0.into(),
        7 => (rng.f64() * 1e19).into(),
        8 => "".into(),
        9 => json!([]),
        10 => json!({}),
        11 => "\u{0}é🌹\n\"\\".into(),
        _ => word(rng, pool),
    }
}
