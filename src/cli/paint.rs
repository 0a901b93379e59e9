//! Colours, for people at a terminal alone.

use std::fmt::Display;

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
        self.paint("1", text)
    }

    /// For what matters less.
    pub(super) fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// For what worked.
    pub(super) fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// For what to type.
    pub(super) fn cyan(self, text: impl Display) -> String {
        self.paint("36", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// A whole number with its thousands apart: `1,204`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut apart = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// A size as people say it, in powers of ten: `30.8 MB`.
#[cfg(feature = "export")]
pub(super) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes, "byte");
    }
    let (mut size, mut unit) = (bytes as f64 / 1000.0, UNITS[0]);
    for larger in &UNITS[1..] {
        if size < 999.95 {
            break;
        }
        (size, unit) = (size / 1000.0, larger);
    }
    format!("{size:.1} {unit}")
}

/// A number of something: `1 row`, `1,204 rows`.
pub(super) fn plural(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 12, 999, 1000, 1204, 1_000_000].map(thousands);
        assert_eq!(shown, ["0", "12", "999", "1,000", "1,204", "1,000,000"]);
    }

    #[cfg(feature = "export")]
    #[test]
    fn one_of_something_is_singular() {
        assert_eq!([0, 1, 1204].map(|n| plural(n, "row")), ["0 rows", "1 row", "1,204 rows"]);
    }

    #[cfg(feature = "export")]
    #[test]
    fn sizes_have_a_unit_that_fits() {
        let sizes = [0, 1, 999, 1000, 30_829_520, 999_960, 5_000_000_000].map(human_bytes);
        let expected = ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "30.8 MB", "1.0 MB", "5.0 GB"];
        assert_eq!(sizes, expected);
    }
}
