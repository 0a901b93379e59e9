//! As much XML as the clients send and read.

/// An element whose content is text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&apos;")
}

/// A document of one element.
pub(super) fn document(name: &str, namespace: &str, content: &str) -> String {
    let declaration = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
    format!("{declaration}\n<{name} xmlns=\"{namespace}\">{content}</{name}>")
}

/// The contents of all elements with a name and no attributes, none of which is in another.
pub(super) fn contents<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let pieces = document.split(&start).skip(1);
    pieces.filter_map(|piece| piece.split_once(&end).map(|(content, _)| content)).collect()
}

/// The texts of all elements with a name.
pub(super) fn texts(document: &str, name: &str) -> Vec<String> {
    contents(document, name).into_iter().map(unescaped).collect()
}

fn unescaped(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(';').unwrap_or((piece, ""));
        plain.push(character(name).unwrap_or_else(|| panic!("no entity of XML: {name}")));
        plain.push_str(rest);
    }
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
