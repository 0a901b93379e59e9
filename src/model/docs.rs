//! The documentation of a stream, as a Markdown table.

use std::fmt::Write;

use super::stream::{EXTRA, EXTRA_DOCUMENTATION, Role, Stream, Type};

/// A Markdown table of the fields: name, type, meaning.
pub fn markdown(stream: &Stream) -> String {
    let mut table = String::from("| field | type | meaning |\n|---|---|---|\n");
    for field in stream.fields {
        let kind = match field.kind {
            Type::Text => "text",
            Type::Integer => "integer",
            Type::Boolean => "boolean",
            Type::Timestamp => "timestamp",
        };
        let role = match field.role {
            Role::Key => ", key",
            Role::Cursor => ", cursor",
            Role::Active | Role::Plain => "",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{}` | {kind}{role} | {} |", field.name, field.documentation);
    }
    let _ = writeln!(table, "| `{EXTRA}` | object | {EXTRA_DOCUMENTATION} |");
    table
}
