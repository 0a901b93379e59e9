//! What an export would change, for people and for programs.

use indicatif::HumanCount;

use super::paint::{Paint, plural};
use super::summary::json_line;
use crate::error::Result;
use crate::export::difference::{Difference, Keys};
use crate::model::Stream;

/// The answer of a dry run.
///
/// # Errors
/// `System`: a bug.
pub(super) fn answer(
    difference: &Difference,
    stream: &Stream,
    is_json: bool,
    paint: Paint,
) -> Result<String> {
    if is_json { json_line(difference) } else { Ok(as_text(difference, stream, paint)) }
}

fn as_text(difference: &Difference, stream: &Stream, paint: Paint) -> String {
    let version = difference.version.map(|version| format!(", version {version}"));
    let place = paint.bold(&difference.to);
    let place = format!("{place}, {}{}", difference.mode, version.unwrap_or_default());
    let mut text = match (difference.is_none(), difference.is_complete) {
        (true, true) => format!("Equal to the list of Komet Sales: {place}\n"),
        (true, false) => format!("Nothing would change: {place}\n"),
        (false, _) => format!("Would change, and nothing was written: {place}\n"),
    };
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("   {} {value}\n", paint.dim(format!("{name:<9}"))));
    };
    for (name, keys) in [
        ("inserted", &difference.inserted),
        ("updated", &difference.updated),
        ("deleted", &difference.deleted),
        ("restored", &difference.restored),
        ("unchanged", &difference.unchanged),
    ] {
        line(name, listed(keys, stream));
    }
    if difference.withheld > 0 {
        let withheld = plural(difference.withheld, stream.record);
        line("withheld", format!("{withheld} missing from the list and not marked as deleted"));
    }
    if difference.rejects > 0 {
        line("rejects", HumanCount(difference.rejects).to_string());
    }
    text
}

/// How many there are, and which ones are first.
fn listed(keys: &Keys, stream: &Stream) -> String {
    let count = plural(keys.count, stream.record);
    let ids: Vec<String> = keys.ids.iter().map(i64::to_string).collect();
    match (ids.is_empty(), keys.count > ids.len() as u64) {
        (true, _) => count,
        (false, false) => format!("{count}: {}", ids.join(", ")),
        (false, true) => format!("{count}: {}, …", ids.join(", ")),
    }
}
