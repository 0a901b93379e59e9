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

/// A number of something: `1 row`, `1,204 rows`.
pub(super) fn plural(number: u64, what: &str) -> String {
    format!("{} {what}{}", HumanCount(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_something_is_singular() {
        assert_eq!([0, 1, 1204].map(|n| plural(n, "row")), ["0 rows", "1 row", "1,204 rows"]);
    }

    #[test]
    fn nothing_is_painted_where_nobody_looks() {
        assert_eq!(Paint::new(false).bold("x"), "x");
        assert_eq!(Paint::new(true).green("x"), "\x1b[32mx\x1b[0m");
    }
}
