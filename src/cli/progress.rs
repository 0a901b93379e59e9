//! Messages on stderr, and a bar above which they stand where stderr is a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::environment::Environment;
use crate::log::{Level, Log};
use crate::output::stderr::Stderr;

/// How often what moves by itself is drawn anew.
const TICK: Duration = Duration::from_millis(100);

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
        let template = match rows {
            Some(_) => "{msg:>10} {bar:32} {of}  {rate}  {eta} left",
            None => "{msg:>10} {spinner} {elapsed}",
        };
        let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // What cannot be drawn is not missed.
            let _ = write!(text, "{} a second", HumanCount(state.per_sec() as u64));
        };
        let of = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let all = HumanCount(state.len().unwrap_or_default());
            let _ = write!(text, "{} of {all}", HumanCount(state.pos()));
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", rate)
            .with_key("of", of);
        // Each of these draws, so the style comes when there is something to draw with it.
        self.bar.disable_steady_tick();
        self.bar.set_length(rows.unwrap_or_default());
        self.bar.set_message(what.to_owned());
        self.bar.set_style(style);
        self.bar.reset();
        if rows.is_none() {
            self.bar.enable_steady_tick(TICK);
        }
    }

    fn advance(&self, rows: u64) {
        self.bar.inc(rows);
    }
}
