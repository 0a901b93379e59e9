//! What was forgotten, for people and for programs.

use super::paint::{Paint, plural};
use super::summary::json_line;
use crate::error::Result;
use crate::export::table::Forgotten;
use crate::model::Stream;

/// The answer of a removal.
///
/// # Errors
/// `System`: a bug.
pub(super) fn answer(
    forgotten: &Forgotten,
    stream: &Stream,
    is_json: bool,
    paint: Paint,
) -> Result<String> {
    if is_json { json_line(forgotten) } else { Ok(as_text(forgotten, stream, paint)) }
}

fn as_text(forgotten: &Forgotten, stream: &Stream, paint: Paint) -> String {
    let count = plural(forgotten.forgotten.len() as u64, stream.record);
    let place = paint.bold(&forgotten.to);
    let place = format!("{place}, {}, version {}", forgotten.mode, forgotten.version);
    let mut text = match forgotten.committed {
        true => format!("Forgot {count} ({}): {place}\n", plural(forgotten.rows, "row")),
        false => format!("None of them is there: {place}\n"),
    };
    if !forgotten.not_found.is_empty() {
        let ids: Vec<String> = forgotten.not_found.iter().map(i64::to_string).collect();
        text.push_str(&format!("   {} {}\n", paint.dim("not there"), ids.join(", ")));
    }
    text
}
