//! Colours, for people at a terminal alone, and numbers as people write them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use indicatif::HumanCount;

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    is_on: bool,
}

impl Paint {
    /// Paints if `is_on`.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    /// For headings.
    pub(super) fn bold(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// For what matters less.
    pub(super) fn dim(self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// For what worked.
    pub(super) fn green(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// For what to type.
    pub(super) fn cyan(self, text: impl Display) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        let style = if self.is_on { style } else { Style::new() };
        format!("{style}{text}{style:#}")
    }
}

/// A number of something: `1 row`, `1,204 rows`, `2 companies`.
pub(super) fn plural(number: u64, what: &str) -> String {
    // A day is two days, a company two companies.
    let stem = what.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{} {stem}ies", HumanCount(number)),
        (_, None) => format!("{} {what}s", HumanCount(number)),
    }
}

/// A time as people say it: `7 days`, `1 hour 30 minutes`.
#[cfg(feature = "export")]
pub(super) fn duration(seconds: u64) -> String {
    let units =
        [("day", 86_400, u64::MAX), ("hour", 3_600, 24), ("minute", 60, 60), ("second", 1, 60)];
    let parts = units.iter().map(|(unit, length, most)| (seconds / length % most, *unit));
    let said: Vec<String> =
        parts.filter(|(count, _)| *count > 0).map(|(count, unit)| plural(count, unit)).collect();
    if said.is_empty() { plural(0, "second") } else { said.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "export")]
    fn a_time_is_said_in_words() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (5_400, "1 hour 30 minutes"),
            (129_600, "1 day 12 hours"),
            (604_800, "7 days"),
            (86_400_000, "1,000 days"),
        ] {
            assert_eq!(duration(seconds), said);
        }
    }

    #[test]
    fn one_of_something_is_singular() {
        assert_eq!([0, 1, 1204].map(|n| plural(n, "row")), ["0 rows", "1 row", "1,204 rows"]);
        assert_eq!([1, 2].map(|n| plural(n, "company")), ["1 company", "2 companies"]);
    }

    #[test]
    fn nothing_is_painted_where_nobody_looks() {
        assert_eq!(Paint::new(false).bold("x"), "x");
        assert_eq!(Paint::new(true).green("x"), "\x1b[32mx\x1b[0m");
    }
}
