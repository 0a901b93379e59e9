//! One request, its reply as it arrives, and how many there were.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use url::Url;

use super::connections::Connections;
use super::failure::Failure;
use super::transfer::{Event, Head, Transfer, is_loopback};
use super::wait;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::network::{Proxies, check_certificates, check_name};
use crate::secret::Token;

/// Pieces of a reply between the thread that receives and the one that decodes.
const MAX_WAITING_PIECES: usize = 4;

/// Sends requests.
pub(crate) struct Client {
    base: Url,
    token: Token,
    proxies: Proxies,
    certificates: Option<PathBuf>,
    /// The host and the port, for messages.
    host: String,
    /// Connections that are kept for the next request, if somebody keeps them.
    connections: Option<Connections>,
    sent: AtomicU32,
}

/// The body of a reply, decompressed, as it arrives.
pub(crate) struct Body {
    events: Receiver<Event>,
    interrupt: Interrupt,
    piece: Bytes,
    ended: bool,
}

impl Client {
    /// A client for the configured address.
    pub(crate) fn new(config: &Config, proxies: Proxies, certificates: Option<PathBuf>) -> Self {
        let base = config.base_url.clone();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", base.host_str().unwrap_or_default());
        Self {
            base,
            token: config.token.clone(),
            proxies,
            certificates,
            host,
            connections: None,
            sent: AtomicU32::new(0),
        }
    }

    /// The same over connections that others use too.
    pub(crate) fn over(self, connections: Connections) -> Self {
        Self { connections: Some(connections), ..self }
    }

    /// How many requests were sent.
    pub(crate) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The host, with its port where that is not the usual one, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request for `method` (`customer.list`) and waits for the reply's head. The whole request,
    /// its body included, may take as long as `timeout`. The body is received in a thread of its own,
    /// which ends with it, or soon after nobody reads it any more.
    pub(crate) fn send(
        &self,
        method: &str,
        query: &[(&str, String)],
        timeout: Duration,
        interrupt: &Interrupt,
    ) -> Result<(Head, Body), Failure> {
        let is_loopback = is_loopback(&self.base);
        if let Some(file) = self.certificates.as_ref().filter(|_| self.base.scheme() == "https") {
            check_certificates(file)?;
        }
        if !is_loopback {
            self.proxies.check()?;
        }
        let proxy = self.proxies.variable().filter(|_| !is_loopback);
        if proxy.is_none() {
            check_name(self.base.host_str().unwrap_or_default())?;
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(method);
        }
        self.token.authorize(&mut url);
        url.query_pairs_mut().extend_pairs(query);
        let (host, token) = (self.host.clone(), self.token.clone());
        let connections = self.connections.clone();
        let transfer = Transfer { url, host, token, timeout, proxy, connections };
        self.sent.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = sync_channel(MAX_WAITING_PIECES);
        let run = move || {
            let end = match transfer.run(&sender) {
                Ok(()) => Event::End,
                Err(failure) => Event::Failed(failure),
            };
            // Without a receiver nobody wants to know.
            let _ = sender.send(end);
        };
        std::thread::Builder::new().name("download".into()).spawn(run).map_err(|error| {
            Error::system(format!("A thread could not be started: {error}. Run again."))
                .caused_by(error)
        })?;
        match wait::next(&events, interrupt)? {
            Some(Event::Head(head)) => {
                let interrupt = interrupt.clone();
                Ok((head, Body { events, interrupt, piece: Bytes::new(), ended: false }))
            }
            Some(Event::Failed(failure)) => Err(failure),
            _ => Err(thread_died()),
        }
    }
}

fn thread_died() -> Failure {
    Error::bug("The download ended without a word").into()
}

impl Body {
    /// What of it comes within a time, at most this many bytes.
    pub(crate) fn beginning(mut self, bytes: usize, within: Duration) -> Vec<u8> {
        let end = Instant::now() + within;
        let mut beginning = Vec::new();
        while beginning.len() < bytes {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(Event::Piece(piece)) = self.events.recv_timeout(left) else { break };
            beginning.extend_from_slice(&piece);
        }
        self.ended = true;
        beginning.truncate(bytes);
        beginning
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() && !self.ended {
            match wait::next(&self.events, &self.interrupt).map_err(Failure::from)? {
                Some(Event::Piece(piece)) => self.piece = piece,
                Some(Event::End) => self.ended = true,
                Some(Event::Failed(failure)) => return Err(failure.into()),
                Some(Event::Head(_)) | None => return Err(thread_died().into()),
            }
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, bytes: usize) {
        self.piece.advance(bytes.min(self.piece.len()));
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
