//! The simulator seen from the wire, by a client that hides nothing.

mod companies;
mod content;
mod delivery;
mod list;
mod scripting;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::{Fault, Options, Simulator};

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    /// Not at all, as long as the client waited.
    Open,
}

/// What came back, bytes as they were.
#[derive(Debug)]
struct Exchange {
    head: String,
    body: Vec<u8>,
    end: End,
}

impl Exchange {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The body without its chunks, and whether the last chunk came.
    fn dechunked(&self) -> (Vec<u8>, bool) {
        assert_eq!(self.header("Transfer-Encoding"), Some("chunked"), "{}", self.head);
        let (mut rest, mut body) = (self.body.as_slice(), Vec::new());
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let length =
                usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
            if length == 0 {
                return (body, rest == b"0\r\n\r\n");
            }
            let chunk = &rest[end + 2..];
            body.extend_from_slice(&chunk[..length.min(chunk.len())]);
            rest = chunk.get(length + 2..).unwrap_or_default();
        }
        (body, false)
    }

    /// The body as the client would have it: complete, and decoded.
    fn text(&self) -> String {
        assert_eq!(self.end, End::Closed);
        let body = match self.header("Content-Length") {
            Some(length) => {
                assert_eq!(length.parse::<usize>().unwrap(), self.body.len());
                self.body.clone()
            }
            None => {
                let (body, complete) = self.dechunked();
                assert!(complete, "the last chunk is missing");
                body
            }
        };
        let body =
            if self.header("Content-Encoding") == Some("gzip") { gunzip(&body) } else { body };
        String::from_utf8(body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut body).unwrap();
    body
}

fn simulator(customers: u64) -> Simulator {
    Simulator::start(Options { customers, ..Options::default() }).unwrap()
}

fn connect(simulator: &Simulator) -> TcpStream {
    let stream = TcpStream::connect(simulator.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(600))).unwrap();
    stream
}

/// Sends a whole request and reads until the connection ends or is quiet for 0.6 s.
fn exchange(simulator: &Simulator, request: &str) -> Exchange {
    let mut stream = connect(simulator);
    stream.write_all(request.as_bytes()).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 65_536]);
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break End::Closed,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(_) => break End::Open,
        }
    };
    let head =
        bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(head);
    Exchange { head: String::from_utf8(bytes).unwrap(), body, end }
}

/// Asks for the list with the right token and more parameters (`&name=…`) and headers.
fn list(simulator: &Simulator, parameters: &str, headers: &str) -> Exchange {
    let token = simulator.token();
    exchange(
        simulator,
        &format!(
            "GET /api/customer.list?authenticationToken={token}{parameters} HTTP/1.1\r\nHost: x\r\n\
             {headers}\r\n"
        ),
    )
}

/// The records of a healthy reply with every customer unless `parameters` say otherwise.
fn customers(simulator: &Simulator, parameters: &str) -> Vec<Value> {
    let reply = list(simulator, &format!("&includeInactive=true{parameters}"), "").json();
    reply["customers"].as_array().unwrap().clone()
}

/// The reply to one request under a fault, of a company with 30 customers; all are asked for.
fn played(fault: &str) -> Exchange {
    let simulator = simulator(30);
    simulator.reply_next(fault.parse::<Fault>().unwrap());
    list(&simulator, "&includeInactive=true", "")
}

/// The same reply without a fault.
fn healthy() -> String {
    played("healthy").text()
}
