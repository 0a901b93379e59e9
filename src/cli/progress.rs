//! Messages on stderr, and a bar below them where stderr is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::environment::Environment;
use crate::log::{Level, Log, megabytes};
use crate::output::stderr::Stderr;

/// Columns of a terminal that does not report its width.
const COLUMNS: usize = 80;

/// How often what moves by itself is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// What moves where nobody knows how long it takes.
const SPINNER: [char; 8] = ['⠁', '⠂', '⠄', '⡀', '⢀', '⠠', '⠐', '⠈'];

/// The longest bar.
const MAX_BAR_CHARS: usize = 32;

/// A shorter bar than this shows nothing.
const MIN_BAR_CHARS: usize = 6;

/// Shows how far a run is.
pub(super) struct Progress {
    stderr: Stderr,
    /// It draws nothing where stderr is no terminal.
    bar: ProgressBar,
}

impl Progress {
    /// Shows messages as `stderr` does, and a bar to people.
    pub(super) fn new(stderr: Stderr) -> Self {
        let is_shown = std::io::stderr().is_terminal() && Environment::is_capable();
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        // Nothing is drawn before the first stage.
        let nothing =
            ProgressStyle::with_template("").unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { stderr, bar: bar.with_style(nothing) }
    }

    /// The messages alone.
    pub(super) fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Log for Progress {
    fn takes(&self, level: Level) -> bool {
        self.stderr.takes(level)
    }

    fn log(&self, level: Level, message: &str) {
        self.bar.suspend(|| self.stderr.log(level, message));
    }

    fn stage(&self, what: &str, rows: Option<u64>) {
        if self.bar.is_hidden() {
            return;
        }
        let what_is_done = what.to_owned();
        let line = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let width = columns();
            // What cannot be drawn is not missed.
            let _ = text.write_str(&line(&what_is_done, rows.is_some(), &state.into(), width));
        };
        let style = ProgressStyle::with_template("{line}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("line", line);
        // Each of these draws, so the style comes when there is something to draw with it.
        self.bar.disable_steady_tick();
        self.bar.set_length(rows.unwrap_or_default());
        self.bar.set_style(style);
        self.bar.reset();
        if rows.is_none() {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn advance(&self, rows: u64) {
        self.bar.inc(rows);
    }

    fn received(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

/// How wide the terminal is. One that says 0 does not know, as under `script` without a terminal around it.
fn columns() -> usize {
    #[cfg(unix)]
    let reported =
        rustix::termios::tcgetwinsize(std::io::stderr()).map_or(0, |size| size.ws_col.into());
    #[cfg(not(unix))]
    let reported = 0;
    if reported == 0 { COLUMNS } else { reported }
}

/// How far a stage is.
struct Done {
    /// Rows where it is known how many there are, else the bytes of a reply.
    count: u64,
    /// How many rows there are.
    all: u64,
    per_second: f64,
    elapsed: Duration,
    left: Duration,
}

impl From<&ProgressState> for Done {
    fn from(state: &ProgressState) -> Self {
        Self {
            count: state.pos(),
            all: state.len().unwrap_or_default(),
            per_second: state.per_sec(),
            elapsed: state.elapsed(),
            left: state.eta(),
        }
    }
}

/// The line of a stage, with as much of it as fits into less than `width` columns: a terminal may turn to its next line
/// behind its last column.
fn line(what: &str, has_end: bool, done: &Done, width: usize) -> String {
    let room = width.saturating_sub(1);
    if !has_end {
        return without_end(what, done, room);
    }
    let (rows, all) = (done.count, done.all);
    let of = format!("{} of {}", HumanCount(rows), HumanCount(all));
    let rate = format!("{} a second", HumanCount(done.per_second as u64));
    let left = format!("{:#} left", HumanDuration(done.left));
    let rest = fitting([format!("{of}  {rate}  {left}"), format!("{of}  {left}"), of], room);
    let bar = (room.saturating_sub(12 + rest.chars().count())).min(MAX_BAR_CHARS);
    if bar < MIN_BAR_CHARS {
        return rest;
    }
    let filled =
        (bar as u64).saturating_mul(rows).checked_div(all).unwrap_or_default().min(bar as u64)
            as usize;
    format!("{what:>10} {}{} {rest}", "█".repeat(filled), "░".repeat(bar - filled))
}

/// The line of a stage of which nobody knows how long it takes: what has come, if anything has, and how fast.
fn without_end(what: &str, done: &Done, room: usize) -> String {
    let turn = done.elapsed.as_millis() / TICK.as_millis() % SPINNER.len() as u128;
    let spinner = SPINNER[turn as usize];
    let elapsed = format!("{:#}", HumanDuration(done.elapsed));
    if done.count == 0 {
        return fitting(
            [format!("{what:>10} {spinner} {elapsed}"), format!("{spinner} {elapsed}")],
            room,
        );
    }
    let bytes = megabytes(done.count as f64);
    let rate = megabytes(done.per_second);
    let all = format!("{what:>10} {spinner} {bytes}, {rate}/s, {elapsed}");
    fitting([all, format!("{spinner} {bytes}, {elapsed}"), format!("{spinner} {elapsed}")], room)
}

/// The first text that fits, or none.
fn fitting<const N: usize>(texts: [String; N], room: usize) -> String {
    texts.into_iter().find(|text| text.chars().count() <= room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(count: u64, all: u64) -> Done {
        let (elapsed, left) = (Duration::from_millis(5_200), Duration::from_secs(75));
        Done { count, all, per_second: 12_345_678.9, elapsed, left }
    }

    #[test]
    fn a_line_is_narrower_than_any_terminal() {
        for width in 0..200 {
            for (rows, all) in [(0, 0), (1, 10), (1_204, 5_000), (u64::MAX / 64, u64::MAX / 64)] {
                for has_end in [true, false] {
                    let line = line("Comparing", has_end, &done(rows, all), width);
                    assert!(line.chars().count() < width.max(1), "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn a_narrow_terminal_shows_what_matters_most() {
        let at = |width| line("Writing", true, &done(1_204, 5_000), width);
        assert_eq!(at(20), "1,204 of 5,000");
        assert_eq!(at(40), "1,204 of 5,000  75s left");
        let bar = "█████░░░░░░░░░░░░░░░░░";
        let rest = "1,204 of 5,000  12,345,678 a second  75s left";
        assert_eq!(at(80), format!("   Writing {bar} {rest}"));
    }

    #[test]
    fn a_reply_that_comes_shows_its_bytes_and_their_rate() {
        let at = |bytes, width| line("Receiving", false, &done(bytes, 0), width);
        assert_eq!(at(0, 80), " Receiving ⢀ 5s");
        assert_eq!(at(148_400_000, 80), " Receiving ⢀ 148 MB, 12 MB/s, 5s");
        assert_eq!(at(148_400_000, 20), "⢀ 148 MB, 5s");
        assert_eq!(at(148_400_000, 12), "⢀ 5s");
    }
}
