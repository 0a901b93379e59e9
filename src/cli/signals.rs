//! Ctrl-C and SIGTERM: the run tidies up where something would be left behind, and ends as the signal asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// The signal that was caught.
pub(super) struct Caught(Arc<AtomicI32>);

/// From now on a signal asks the run to end, and ends the process where nothing would be left behind.
pub(super) fn watch(interrupt: &Interrupt) -> Result<Caught> {
    let fault = |error: std::io::Error| {
        Error::system(format!("Signals cannot be watched: {error}. Run again.")).caused_by(error)
    };
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(fault)?;
    let caught = Arc::new(AtomicI32::new(0));
    let (seen, interrupt) = (caught.clone(), interrupt.clone());
    let watch = move || {
        for signal in signals.forever() {
            seen.store(signal, Ordering::SeqCst);
            if interrupt.ask() {
                // It does not return from a signal that ends a process.
                let _ = emulate_default_handler(signal);
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch).map_err(fault)?;
    Ok(Caught(caught))
}

impl Caught {
    /// Ends the process the way the signal would have, if there was one, so that a shell or a scheduler
    /// sees what happened.
    pub(super) fn end(&self) {
        let signal = self.0.load(Ordering::SeqCst);
        if signal != 0 {
            let _ = emulate_default_handler(signal);
        }
    }
}
