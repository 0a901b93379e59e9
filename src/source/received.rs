//! How much of a reply has come, for whoever waits for it.

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use crate::log::{Log, megabytes};

/// How often a log says how far a reply is.
const PAUSE: Duration = Duration::from_secs(30);

/// The body of a reply, and a log that hears how much of it has come.
pub(super) struct Counted<'a, R> {
    body: R,
    log: &'a dyn Log,
    count: Count,
}

impl<'a, R> Counted<'a, R> {
    /// A body of which nothing was read.
    pub(super) fn new(body: R, log: &'a dyn Log) -> Self {
        Self { body, log, count: Count::since(Instant::now()) }
    }
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.body.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.body.consume(bytes);
        self.log.received(bytes as u64);
        if let Some(message) = self.count.add(bytes as u64, Instant::now()) {
            self.log.info(&message);
        }
    }
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Bytes, since when they come, and when they were last spoken of.
struct Count {
    bytes: u64,
    started: Instant,
    said: Instant,
}

impl Count {
    fn since(started: Instant) -> Self {
        Self { bytes: 0, started, said: started }
    }

    /// Counts more bytes; what there is to say of all of them, where it is time.
    fn add(&mut self, bytes: u64, now: Instant) -> Option<String> {
        self.bytes += bytes;
        if now.saturating_duration_since(self.said) < PAUSE {
            return None;
        }
        self.said = now;
        let seconds = now.saturating_duration_since(self.started).as_secs_f64();
        let rate = megabytes(self.bytes as f64 / seconds);
        Some(format!("Receiving: {} in {seconds:.0} s, {rate}/s.", megabytes(self.bytes as f64)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::log::Level;

    #[test]
    fn a_long_reply_is_spoken_of_every_half_minute() {
        let start = Instant::now();
        let mut count = Count::since(start);
        let mut said = Vec::new();
        for second in 1..=100 {
            said.extend(count.add(4_000_000, start + Duration::from_secs(second)));
        }
        assert_eq!(
            said,
            [
                "Receiving: 120 MB in 30 s, 4.0 MB/s.",
                "Receiving: 240 MB in 60 s, 4.0 MB/s.",
                "Receiving: 360 MB in 90 s, 4.0 MB/s.",
            ]
        );
    }

    #[derive(Default)]
    struct Heard(Mutex<u64>);

    impl Log for Heard {
        fn log(&self, _: Level, message: &str) {
            panic!("nothing is said of a short reply: {message}");
        }

        fn received(&self, bytes: u64) {
            *self.0.lock().unwrap() += bytes;
        }
    }

    #[test]
    fn every_byte_is_counted_once() {
        let heard = Heard::default();
        let mut body = Counted::new(&[7_u8; 1000][..], &heard);
        assert_eq!(body.fill_buf().unwrap().len(), 1000);
        body.consume(300);
        let mut rest = Vec::new();
        body.read_to_end(&mut rest).unwrap();
        assert_eq!((rest.len(), *heard.0.lock().unwrap()), (700, 1000));
    }
}
