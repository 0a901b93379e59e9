//! The cheapest real call: does the API accept the token and the method?

use super::client::Body;
use super::envelope::{self, Elements, Envelope};
use super::explain::Explain;
use super::failure::Failure;
use super::json::{Parser, Stop};
use super::list::List;
use super::window::Window;
use crate::log::Log;

/// A day on which nothing has been updated yet, so that the API has nothing to send.
pub(crate) const NEVER: &str = "2999-12-31";

/// Takes nothing, and sees whether there is anything.
struct Probe {
    saw_element: bool,
}

/// Reads a reply until it is clear whether the API accepts the request.
pub(crate) fn judge(body: Body, explain: &Explain<'_>, log: &dyn Log) -> Result<(), Failure> {
    let body = explain.accept_status(body)?;
    let mut window = Window::eager(body);
    let mut probe = Probe { saw_element: false };
    let read = envelope::read(&mut window, explain.list(), &mut probe);
    let envelope = read.map_err(|fault| explain.fault(fault, window.excerpt()))?;
    Ok(explain.accept_envelope(&envelope, !probe.saw_element, log)?)
}

impl Elements for Probe {
    fn begin(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    fn take(&mut self, parser: &mut Parser<'_>, list: &mut List) -> Result<(), Stop> {
        while list.advance(parser)? {
            self.saw_element = true;
            let start = parser.position();
            if let Err(stop) = parser.value() {
                parser.rewind(start);
                return Err(stop);
            }
            list.took_element();
        }
        Ok(())
    }

    fn has_enough(&self, envelope: &Envelope) -> bool {
        self.saw_element && envelope.status.is_some()
    }
}
