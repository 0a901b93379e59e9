//! A reply: it is refused, or what was proved of it is what it says, however it arrives.

use std::io::{BufRead, BufReader};

use kometsales::config::Config;
use kometsales::error::{Error, Kind, Result};
use kometsales::model::arrow::Selection;
use kometsales::model::{Timestamp, Zone};
use kometsales::output::rows::Lines;
use kometsales::plan::{Mode, Plan, Request};
use kometsales::receipt::Receipt;
use kometsales::source::{Batches, Scratch, prove};
use kometsales::state::State;
use kometsales::streams::customers::CUSTOMERS;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{outline, refused};

/// What a reply was proved to hold.
#[derive(Debug)]
pub struct Proved {
    /// Its rows as lines of JSON.
    pub lines: Vec<String>,
    /// For each row which of its values became null.
    pub nulled: Vec<u64>,
    /// Where the rejected records were, and why they were rejected.
    pub rejects: Vec<(String, String)>,
    /// Its numbers.
    pub receipt: Receipt,
    /// The state behind it.
    pub state: State,
}

/// Takes the rows as lines, each with which of its values became null.
pub(super) fn take_lines(batches: &mut Batches, plan: &Plan) -> Result<Vec<(String, u64)>> {
    let form = Lines::new(plan.stream, &plan.selection, "", "");
    let mut lines = Vec::new();
    while let Some(batch) = batches.next_batch()? {
        let rows = form.rows(&batch)?;
        for row in 0..batch.num_rows() {
            let mut line = Vec::new();
            rows.write(row, &mut line)?;
            lines.push((String::from_utf8(line).unwrap(), rows.nulled(row)));
        }
    }
    Ok(lines)
}

/// What a reply is read for.
pub struct Reading {
    /// What the user set.
    pub config: Config,
    /// What is kept.
    pub plan: Plan,
    /// Where it may spill to.
    pub scratch: Scratch,
    /// When the server sent the reply.
    pub now: Timestamp,
}

impl Reading {
    /// A full read with these members of the configuration, by 1 January 2025.
    pub fn new(settings: &str, selection: Selection) -> Self {
        Self::with_token("abcdefgh", settings, selection)
    }

    /// The same with another token.
    pub fn with_token(token: &str, settings: &str, selection: Selection) -> Self {
        let comma = if settings.is_empty() { "" } else { ", " };
        let config = format!(r#"{{"authentication_token": "{token}"{comma}{settings}}}"#);
        let (config, _) = Config::parse(config.as_bytes(), "the test").unwrap();
        let request = Request {
            stream: &CUSTOMERS,
            selection,
            mode: Mode::FullRefresh,
            state: None,
            full_list_hours: None,
        };
        let now = Zone::UTC.parse("2025-01-01T00:00:00").unwrap();
        let plan = Plan::new(&config, request, now);
        Self { config, plan, scratch: Scratch::new(Vec::new()), now }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self::new("", Selection::all(&CUSTOMERS))
    }

    /// Proves a reply and takes everything out of it.
    pub fn prove(&self, body: impl BufRead) -> Result<Proved> {
        let Self { config, plan, scratch, now } = self;
        let plan = &plan.clone().for_lines();
        let mut accepted = prove(body, plan, config, *now, scratch, &())?;
        let mut rejects = Vec::new();
        accepted.first_rejects(u64::MAX, |reject| rejects.push((reject.path, reject.reason)))?;
        let (lines, nulled) = take_lines(&mut accepted.batches, plan)?.into_iter().unzip();
        let state = accepted.batches.finish()?.state().clone();
        Ok(Proved { lines, nulled, rejects, receipt: accepted.receipt, state })
    }
}

/// Checks bytes as a reply, and as the elements of a reply's list.
pub fn check(bytes: &[u8]) -> String {
    let inside = [b"{\"status\":1,\"customers\":[", bytes, b"]}"].concat();
    format!("{} {}", one_reply(bytes), one_reply(&inside))
}

/// The kinds of failure that a reply at hand may be.
pub(crate) const KINDS: [Kind; 3] = [Kind::Auth, Kind::Transient, Kind::Data];

fn one_reply(bytes: &[u8]) -> String {
    let reading = Reading::everything();
    let proved = reading.prove(bytes);
    let json = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match &proved {
        Ok(proved) => {
            assert!(std::str::from_utf8(json).is_ok(), "it is not UTF-8");
            assert!(serde_json::from_slice::<IgnoredAny>(json).is_ok(), "it is not JSON");
            assert_eq!(proved.receipt.bytes, bytes.len() as u64);
            assert_eq!(proved.receipt.rows, proved.lines.len() as u64);
            assert_eq!(proved.receipt.rejected, proved.rejects.len() as u64);
            for line in &proved.lines {
                assert!(!line.contains('\n'), "{line}");
                // What it means to a reader that minds half characters and numbers beyond a float.
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            }
        }
        Err(error) => drop(refused(error, &KINDS)),
    }
    let outcome = match &proved {
        Ok(proved) => {
            let Receipt { rows, rejected, left_out, ref warnings, .. } = proved.receipt;
            let some = |count: u64| count.min(3);
            let warnings: Vec<String> = warnings.iter().map(|warning| outline(warning)).collect();
            format!("{} {} {} {warnings:?}", some(rows), some(rejected), some(left_out))
        }
        Err(error) => refused(error, &KINDS),
    };
    if let Some(elements) = elements(json) {
        let receipt = &proved.as_ref().expect("it is a good reply").receipt;
        assert_eq!(receipt.rows + receipt.rejected + receipt.left_out, elements);
    }
    // However the bytes arrive, they mean the same.
    match (proved, reading.prove(BufReader::with_capacity(3, bytes))) {
        (Ok(one), Ok(two)) => {
            assert_eq!((one.lines, one.rejects), (two.lines, two.rejects));
            assert_eq!((one.nulled, one.state), (two.nulled, two.state));
        }
        (Err(one), Err(two)) => assert_eq!(shown(&one), shown(&two)),
        (one, two) => panic!("{one:?}, in pieces {two:?}"),
    }
    outcome
}

fn shown(error: &Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// Whether a list of objects is anywhere in a value.
fn has_list_of_objects(value: &Value) -> bool {
    match value {
        Value::Array(values) => {
            values.iter().any(Value::is_object) || values.iter().any(has_list_of_objects)
        }
        Value::Object(members) => members.values().any(has_list_of_objects),
        _ => false,
    }
}

/// How many records a reply has that has to be accepted.
fn elements(json: &[u8]) -> Option<u64> {
    let Ok(Value::Object(members)) = serde_json::from_slice::<Value>(json) else { return None };
    let status = members.get("status")?;
    if status != 1 && status != "1" && status != true {
        return None;
    }
    let others = || {
        let is_known = |name: &str| ["customers", "status", "message"].contains(&name);
        members.iter().filter(move |(name, _)| !is_known(name)).map(|(_, value)| value)
    };
    // Without customers, another list of objects is a shape that is not known; without their list, one further inside too.
    let has_none = members.get("customers").is_none_or(Value::is_null);
    let is_other = others().any(|value| value.get(0).is_some_and(Value::is_object))
        || (has_none && others().any(has_list_of_objects));
    let elements = match members.get("customers") {
        None | Some(Value::Null) => Some(0),
        Some(Value::Array(elements)) => Some(elements.len() as u64),
        // An empty object, or empty text, is what some languages write for an empty list.
        Some(Value::Object(record)) => Some(u64::from(!record.is_empty())),
        Some(Value::String(text)) if text.is_empty() => Some(0),
        Some(_) => None,
    };
    elements.filter(|elements| *elements > 0 || !is_other)
}
