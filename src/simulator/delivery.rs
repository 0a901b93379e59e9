//! Sends an answer over its connection: whole, or as far as its delivery lets it come.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::answer::{Answer, Encoding, Framing};
use super::reply::Delivery;
use super::stop::Stop;

/// How long a connection is held that stalls.
const MAX_STALL: Duration = Duration::from_secs(600);

/// How long the client has to read what came before a reset, which would overtake it.
const RESET_PAUSE: Duration = Duration::from_millis(50);

/// This many bytes drip at once.
const DRIP_BYTES: usize = 512;

/// Sends the answer; afterwards the connection is only to be closed.
pub(super) fn deliver(
    mut stream: &TcpStream,
    answer: &Answer,
    understands_chunks: bool,
    stop: &Stop,
) -> io::Result<()> {
    match answer.delivery {
        Delivery::Refuse => return Ok(()),
        Delivery::StallHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            return hold(stream);
        }
        _ => {}
    }
    let framing = answer.framing(understands_chunks)?;
    stream.write_all(&answer.head(framing))?;
    let mut body = Encoder::new(answer.encoding, Wire::new(stream, answer, framing, stop));
    let mut limited = Limited {
        inner: &mut body,
        left: answer.delivery.limit().unwrap_or(u64::MAX),
        spent: false,
    };
    let written = answer.body.write(&mut limited);
    if !limited.spent {
        written?;
    }
    match answer.delivery {
        Delivery::CutChunked(_) => body.break_off(),
        Delivery::Reset(_) => {
            body.break_off()?;
            stop.sleep(RESET_PAUSE);
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
        }
        Delivery::Stall(_) => {
            body.break_off()?;
            hold(stream)
        }
        _ => body.finish(),
    }
}

/// Waits for the client to go, or for the simulator to end, which shuts the connection down.
fn hold(mut stream: &TcpStream) -> io::Result<()> {
    let end = Instant::now() + MAX_STALL;
    let mut ignored = [0; 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        if stream.read(&mut ignored)? == 0 {
            return Ok(());
        }
    }
}

/// Lets at most this many bytes through.
struct Limited<'a, W> {
    inner: &'a mut W,
    left: u64,
    /// More was to be written than there is room for.
    spent: bool,
}

impl<W: Write> Write for Limited<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            self.spent = true;
            return Err(io::Error::other("the fault's limit is reached"));
        }
        let count = self.inner.write(&bytes[..room])?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The body on its way to the wire, compressed or not.
enum Encoder<'a> {
    Identity(Wire<'a>),
    Gzip(Box<GzEncoder<Wire<'a>>>),
}

impl<'a> Encoder<'a> {
    fn new(encoding: Encoding, wire: Wire<'a>) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity(wire),
            // The fast level, because a list is to come at network speed.
            Encoding::Gzip { .. } => {
                Self::Gzip(Box::new(GzEncoder::new(wire, Compression::fast())))
            }
        }
    }

    /// Ends the body as its framing wants it.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Identity(wire) => wire.finish(),
            Self::Gzip(encoder) => encoder.finish()?.finish(),
        }
    }

    /// Sends what was written so far and nothing after it, not even what an encoder adds when it is
    /// dropped.
    fn break_off(&mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Identity(wire) => wire.silent = true,
            Self::Gzip(encoder) => encoder.get_mut().silent = true,
        }
        Ok(())
    }
}

impl Write for Encoder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(wire) => wire.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Identity(wire) => wire.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// The connection behind its framing.
struct Wire<'a> {
    stream: &'a TcpStream,
    stop: &'a Stop,
    chunks: bool,
    pause: Option<Duration>,
    /// This many of the last bytes are kept back, since only the end shows which they are.
    lacking: usize,
    kept: Vec<u8>,
    silent: bool,
}

impl<'a> Wire<'a> {
    fn new(stream: &'a TcpStream, answer: &Answer, framing: Framing, stop: &'a Stop) -> Self {
        let pause = match answer.delivery {
            Delivery::Drip(pause) => Some(pause),
            _ => None,
        };
        let lacking = match answer.encoding {
            Encoding::Gzip { lacking } => usize::try_from(lacking).unwrap_or(usize::MAX),
            Encoding::Identity => 0,
        };
        let chunks = framing == Framing::Chunks;
        Self { stream, stop, chunks, pause, lacking, kept: Vec::new(), silent: false }
    }

    fn finish(mut self) -> io::Result<()> {
        if self.chunks { self.send(b"0\r\n\r\n") } else { Ok(()) }
    }

    fn send_framed(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() || !self.chunks {
            return self.send(bytes);
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(&chunk)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(pause) = self.pause else {
            return self.stream.write_all(bytes);
        };
        for drop in bytes.chunks(DRIP_BYTES) {
            self.stream.write_all(drop)?;
            if !self.stop.sleep(pause) {
                return Err(io::Error::other("the simulator ended"));
            }
        }
        Ok(())
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.silent {
            return Ok(bytes.len());
        }
        if self.lacking == 0 {
            self.send_framed(bytes)?;
        } else {
            self.kept.extend_from_slice(bytes);
            let rest = self.kept.split_off(self.kept.len().saturating_sub(self.lacking));
            let ready = std::mem::replace(&mut self.kept, rest);
            self.send_framed(&ready)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
