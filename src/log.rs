//! Where the product says what it does while it runs.
//!
//! Each protocol has its own place for this (Airbyte: `LOG` messages on stdout; everything else:
//! stderr), so a [`Log`] is handed in. There is no global logger: what a dependency logs is never
//! shown, and so cannot show a request's URL.

use std::borrow::Cow;

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Detail for somebody who looks for a fault.
    Debug,
    /// What the run does.
    Info,
    /// Something the user should look at; the run goes on.
    Warn,
    /// Why the run failed.
    Error,
}

/// A place that takes messages. Messages hold no secret.
pub trait Log: Send + Sync {
    /// Takes one message: a sentence or two, without a line break.
    fn log(&self, level: Level, message: &str);

    /// Whether messages that matter so much are shown.
    fn takes(&self, _level: Level) -> bool {
        true
    }

    /// Detail for somebody who looks for a fault.
    fn debug(&self, message: &str) {
        self.log(Level::Debug, message);
    }

    /// A stage of the run begins, of this many rows where that is known. Only who shows progress cares.
    fn stage(&self, _what: &str, _rows: Option<u64>) {}

    /// This many more rows of the stage are done.
    fn advance(&self, _rows: u64) {}

    /// This many more bytes of a reply have come. Only who shows progress cares.
    fn received(&self, _bytes: u64) {}

    /// What the run does.
    fn info(&self, message: &str) {
        self.log(Level::Info, message);
    }

    /// Something the user should look at; the run goes on.
    fn warn(&self, message: &str) {
        self.log(Level::Warn, message);
    }
}

/// A log that nobody reads.
impl Log for () {
    fn log(&self, _: Level, _: &str) {}
}

/// Bytes as people say them: `0.4 MB`, `148 MB`.
///
/// ```
/// use kometsales::log::megabytes;
/// assert_eq!((megabytes(420_000.0), megabytes(48_200_000.0)), ("0.4 MB".into(), "48 MB".into()));
/// ```
pub fn megabytes(bytes: f64) -> String {
    let amount = bytes / 1e6;
    if amount < 9.95 { format!("{amount:.1} MB") } else { format!("{amount:.0} MB") }
}

/// A text for people with every control character escaped, as `\u{1b}`: what comes from outside may not begin a line of
/// its own, colour a terminal, or turn the direction of writing.
///
/// ```
/// use kometsales::log::escaped;
/// assert_eq!(escaped("a field called \"x\nCRITICAL forged\""), r#"a field called "x\u{a}CRITICAL forged""#);
/// ```
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let show = |c: char| if is_hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(show).collect())
}

/// Control characters, separators of lines, and characters that are not seen but hide, join or turn others. The two joiners
/// of scripts and emoji are none of these.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_everything_else_stays() {
        for c in [
            '\0',
            '\n',
            '\r',
            '\t',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{feff}',
            '\u{fffb}',
            '\u{e0041}',
        ] {
            let shown = escaped(&format!("a{c}b")).into_owned();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(c)));
        }
        for text in ["Flores “SAS” é 🌹", "👩\u{200d}🌾", "می\u{200c}خواهم", "a\u{a0}b", "\\u{1b}"]
        {
            assert_eq!(escaped(text), text);
        }
    }
}
