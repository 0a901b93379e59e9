//! What the next requests get: first what a test queued, then the faults the simulator was started
//! with, then the truth.

use std::collections::VecDeque;

use crate::error::{Error, Result};

use super::fault::{Fault, ScheduledFault};
use super::reply::Reply;

/// What one request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scripted {
    /// A fault of `customer.list`. One that changes the list only, on another path, is a 404.
    Fault(Fault),
    /// A made-up reply, whatever the path and the method.
    Reply(Reply),
}

impl From<Fault> for Scripted {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Reply> for Scripted {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// The schedule of a company, consumed as requests come.
#[derive(Debug, Default)]
pub(super) struct Script {
    schedule: VecDeque<ScheduledFault>,
}

impl Script {
    /// Starts with a schedule; refuses one of which a part would never be played.
    pub(super) fn new(schedule: Vec<ScheduledFault>) -> Result<Self> {
        let endless = schedule.iter().position(|scheduled| scheduled.times.is_none());
        if endless.is_some_and(|position| position + 1 < schedule.len()) {
            return Err(Error::config(
                "faults are played one after the other, and one without @TIMES never ends: only \
                 the last may be without it (stall:100@2 is played for two requests)",
            ));
        }
        if schedule.iter().any(|scheduled| scheduled.times == Some(0)) {
            return Err(Error::config("a fault cannot be played for 0 requests"));
        }
        Ok(Self { schedule: schedule.into() })
    }

    /// The scheduled fault of this request.
    pub(super) fn next_fault(&mut self) -> Fault {
        let Some(first) = self.schedule.front_mut() else {
            return Fault::Healthy;
        };
        let fault = first.fault.clone();
        if let Some(times) = &mut first.times {
            *times -= 1;
            if *times == 0 {
                self.schedule.pop_front();
            }
        }
        fault
    }
}
