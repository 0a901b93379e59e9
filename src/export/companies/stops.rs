//! When a run of many companies ends early: what happens to one would happen to all.

use crate::error::{Error, Kind};

/// Failures in a row, at the least, that stop a run.
const LEAST: u32 = 10;

/// What the companies that have ended say of those that have not begun.
#[derive(Debug)]
pub(super) struct Stops {
    most: u32,
    /// Transient failures since the API last answered.
    transient: u32,
    /// Refusals by the API, and configurations that are wrong, before anything succeeded.
    refused: u32,
    has_succeeded: bool,
    /// Companies in a row whose commit failed for now.
    uncommitted: u32,
    stopped: Option<Kind>,
}

impl Stops {
    /// Of a run with this number of companies at work at once.
    pub(super) fn new(jobs: usize) -> Self {
        let most = u32::try_from(jobs * 2).unwrap_or(LEAST).max(LEAST);
        Self { most, transient: 0, refused: 0, has_succeeded: false, uncommitted: 0, stopped: None }
    }

    /// A company has ended.
    pub(super) fn take(&mut self, ended: Result<(), &Error>) {
        match ended.map_err(|error| (error.kind(), error.is_of_machine())) {
            Ok(()) => {
                self.has_succeeded = true;
                self.transient = 0;
            }
            Err((Kind::System, true)) => self.stop(Kind::System),
            Err((Kind::Transient, _)) => {
                self.transient += 1;
                if self.transient >= self.most {
                    self.stop(Kind::Transient);
                }
            }
            Err((kind @ (Kind::Auth | Kind::Config), _)) => {
                // A refusal is an answer; a wrong configuration asks nobody.
                if kind == Kind::Auth {
                    self.transient = 0;
                }
                self.refused += 1;
                if self.refused >= self.most && !self.has_succeeded {
                    self.stop(kind);
                }
            }
            Err((Kind::Data, _)) => self.transient = 0,
            Err((Kind::System, false)) => {}
        }
    }

    /// The API has given a company's customers, whatever becomes of them.
    pub(super) fn accepted(&mut self) {
        self.has_succeeded = true;
        self.transient = 0;
    }

    /// The commit of a company has ended. That other companies are accepted meanwhile says nothing of the place.
    pub(super) fn committed(&mut self, ended: Result<(), &Error>) {
        match ended.map_err(Error::kind) {
            Ok(()) => self.uncommitted = 0,
            Err(Kind::Transient) => self.uncommitted += 1,
            Err(_) => {}
        }
        if self.uncommitted >= self.most {
            self.stop(Kind::Transient);
        }
    }

    /// Why no other company begins, if so.
    pub(super) fn stopped(&self) -> Option<Kind> {
        self.stopped
    }

    pub(super) fn stop(&mut self, kind: Kind) {
        self.stopped.get_or_insert(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(jobs: usize, ended: &[(Option<Kind>, u32)]) -> Option<Kind> {
        let mut stops = Stops::new(jobs);
        for (kind, times) in ended {
            for _ in 0..*times {
                match kind {
                    None => stops.take(Ok(())),
                    Some(kind) => stops.take(Err(&Error::new(*kind, "it failed"))),
                }
            }
        }
        stops.stopped()
    }

    #[test]
    fn an_api_that_is_down_stops_the_run() {
        let down = Some(Kind::Transient);
        assert_eq!(after(1, &[(down, 9)]), None);
        assert_eq!(after(1, &[(down, 10)]), down);
        assert_eq!(after(8, &[(down, 15)]), None);
        assert_eq!(after(8, &[(down, 16)]), down);
        assert_eq!(after(1, &[(down, 9), (None, 1), (down, 9)]), None);
        assert_eq!(after(1, &[(down, 9), (Some(Kind::Data), 1), (down, 9)]), None);
        assert_eq!(after(1, &[(down, 9), (Some(Kind::Auth), 1), (down, 9)]), None);
        // Nobody was asked between them.
        assert_eq!(after(1, &[(down, 9), (Some(Kind::Config), 1), (down, 1)]), down);
    }

    #[test]
    fn refusals_before_any_success_stop_the_run() {
        for refused in [Kind::Auth, Kind::Config] {
            assert_eq!(after(1, &[(Some(refused), 9)]), None);
            assert_eq!(after(1, &[(Some(refused), 10)]), Some(refused));
            assert_eq!(after(1, &[(None, 1), (Some(refused), 50)]), None);
            assert_eq!(after(1, &[(Some(refused), 9), (None, 1), (Some(refused), 50)]), None);
        }
        assert_eq!(after(1, &[(Some(Kind::Config), 5), (Some(Kind::Auth), 5)]), Some(Kind::Auth));
    }

    #[test]
    fn a_place_that_takes_no_commit_stops_the_run_though_the_api_answers() {
        let mut stops = Stops::new(1);
        let down = Error::transient("it failed");
        for _ in 0..9 {
            stops.committed(Err(&down));
            stops.accepted();
        }
        assert_eq!(stops.stopped(), None);
        stops.committed(Err(&down));
        assert_eq!(stops.stopped(), Some(Kind::Transient));
        let mut stops = Stops::new(1);
        for _ in 0..20 {
            stops.committed(Err(&down));
            stops.committed(Ok(()));
        }
        assert_eq!(stops.stopped(), None);
    }

    #[test]
    fn who_is_accepted_keeps_refusals_of_others_from_stopping_the_run() {
        let mut stops = Stops::new(1);
        stops.accepted();
        (0..50).for_each(|_| stops.take(Err(&Error::auth("it failed"))));
        assert_eq!(stops.stopped(), None);
    }

    #[test]
    fn a_full_disk_stops_the_run_and_one_companys_bug_does_not() {
        assert_eq!(after(1, &[(Some(Kind::System), 100), (Some(Kind::Data), 100)]), None);
        let mut stops = Stops::new(1);
        stops.take(Err(&Error::system("the disk is full").of_machine()));
        assert_eq!(stops.stopped(), Some(Kind::System));
        let mut stops = Stops::new(1);
        stops.take(Err(&Error::output_closed()));
        assert_eq!(stops.stopped(), Some(Kind::System));
    }
}
