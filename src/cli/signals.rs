//! Ctrl-C, SIGTERM, and a terminal that is closed: the run cleans up where something would be left behind, and ends as the signal asks.
//!
//! Every command watches for them. As the first process of a container the program would otherwise never end: the
//! kernel gives such a process no signal that it does not handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGQUIT};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::emulate_default_handler;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// What a shell adds to the number of a signal in the exit code of a process that it ended.
const SIGNALLED: i32 = 128;

/// Signals by which a person, a terminal or a scheduler ends a process.
#[cfg(unix)]
const WATCHED: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
#[cfg(not(unix))]
const WATCHED: [i32; 2] = [SIGINT, SIGTERM];

/// Signals that are watched for.
pub(super) struct Watch {
    interrupt: Interrupt,
    caught: Arc<AtomicI32>,
}

impl Watch {
    /// From now on a signal asks the run to end, and ends the process where nothing would be left behind. A signal that
    /// was ignored from the start, as of a job in the background of a script, stays ignored.
    ///
    /// # Errors
    /// `System`: signals cannot be watched.
    pub(super) fn start() -> Result<Self> {
        let watch = Self { interrupt: Interrupt::default(), caught: Arc::default() };
        let ignored = ignored();
        let watched = WATCHED.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let cannot = |error: std::io::Error| {
            Error::system(format!("Signals cannot be watched: {error}. Run again."))
                .caused_by(error)
        };
        let signals = Signals::of(watched.collect()).map_err(cannot)?;
        let (interrupt, caught) = (watch.interrupt.clone(), watch.caught.clone());
        let wait = move || {
            signals.each(|signal| {
                caught.store(signal, Ordering::SeqCst);
                if interrupt.ask() {
                    end(signal);
                }
            });
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(cannot)?;
        Ok(watch)
    }

    /// The user's wish to end.
    #[cfg(feature = "export")]
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// The exit code of a process that the signal ended; `None` if there was none.
    #[cfg(feature = "export")]
    pub(super) fn exit_code(&self) -> Option<i32> {
        Some(self.caught.load(Ordering::SeqCst))
            .filter(|signal| *signal != 0)
            .map(|s| SIGNALLED + s)
    }

    /// Ends the process the way the signal would have, if there was one, so that a shell or a scheduler
    /// sees what happened.
    #[cfg(feature = "export")]
    pub(super) fn end(&self) {
        let signal = self.caught.load(Ordering::SeqCst);
        if signal != 0 {
            end(signal);
        }
    }
}

/// The signals as they come.
#[cfg(unix)]
struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    fn of(watched: Vec<i32>) -> std::io::Result<Self> {
        signal_hook::iterator::Signals::new(watched).map(Self)
    }

    fn each(mut self, act: impl FnMut(i32)) {
        self.0.forever().for_each(act);
    }
}

/// Where a signal cannot be waited for, it is looked for now and then.
#[cfg(not(unix))]
struct Signals(Arc<std::sync::atomic::AtomicUsize>);

#[cfg(not(unix))]
impl Signals {
    fn of(watched: Vec<i32>) -> std::io::Result<Self> {
        let came = Arc::default();
        for signal in watched {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&came), number)?;
        }
        Ok(Self(came))
    }

    fn each(self, mut act: impl FnMut(i32)) {
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
        loop {
            match self.0.swap(0, Ordering::SeqCst) {
                0 => std::thread::sleep(PAUSE),
                signal => act(i32::try_from(signal).unwrap_or(SIGTERM)),
            }
        }
    }
}

/// The signals that are ignored, a bit each (`proc_pid_status(5)`, `SigIgn`). Where there is no such file none is known.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "a signal has no default action for the first process of a container"
)]
fn end(signal: i32) {
    if std::process::id() != 1 {
        // It does not return from a signal that ends a process.
        let _ = emulate_default_handler(signal);
    }
    std::process::exit(SIGNALLED + signal);
}
