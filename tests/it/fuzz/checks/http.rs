//! A reply to the byte, from a server on loopback to the product's own client: what is accepted is what a naive reader of
//! HTTP finds in it, and no failure shows the token.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kometsales::error::{Error, Kind, Result};
use kometsales::model::arrow::Selection;
use kometsales::network::Proxies;
use kometsales::source::{Machine, Scratch, Source};
use kometsales::streams::customers::CUSTOMERS;

use super::raw_reply::{Raw, read};
use super::redaction::{MARKER, shows};
use super::refused;
use super::reply::{Reading, take_lines};

/// No reply that a server has sent whole, or given up, takes longer.
const LONGEST: Duration = Duration::from_secs(8);

/// More is not sent, so that it waits in buffers for whoever does not read it.
const MAX_BYTES: usize = 100_000;

/// The kinds of failure that a reply may be.
const KINDS: [Kind; 4] = [Kind::Config, Kind::Auth, Kind::Transient, Kind::Data];

thread_local! {
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

/// A server that sends the same bytes to whoever asks.
struct Server {
    address: SocketAddr,
    reply: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let reply = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::clone(&reply);
        // It ends with the program.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bytes = sent.lock().unwrap().clone();
                // The client may hang up at any time.
                let _ = answer(stream, &bytes);
            }
        });
        Self { address, reply }
    }
}

fn answer(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LONGEST))?;
    stream.set_write_timeout(Some(LONGEST))?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut some = [0; 2048];
        match stream.read(&mut some)? {
            0 => return Ok(()),
            count => request.extend_from_slice(&some[..count]),
        }
    }
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)
}

/// Checks bytes as all that a server sends.
pub fn check(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
    let address = SERVER.with_borrow_mut(|server| {
        let server = server.get_or_insert_with(Server::start);
        *server.reply.lock().unwrap() = bytes.to_vec();
        server.address
    });
    let started = Instant::now();
    let received = receive(address);
    assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
    if let Err(error) = &received {
        let causes = error.causes().unwrap_or_default();
        for text in [error.to_string(), causes] {
            assert!(!shows(&text, MARKER), "{text}");
        }
    }
    let outcome = match &received {
        Ok(lines) => format!("{} rows", lines.len().min(3)),
        Err(error) => refused(error, &KINDS),
    };
    match (read(bytes), received) {
        (Raw::Unsure, _) | (Raw::Cut, Err(_)) => {}
        (Raw::Cut, Ok(lines)) => panic!("it is cut, and {lines:?} was taken from it"),
        (Raw::Whole { status, body }, received) => match received {
            _ if !(200..300).contains(&status) => {
                assert!(received.is_err(), "it has HTTP status {status}");
            }
            Ok(lines) => assert_eq!(lines, proved(&body).unwrap()),
            Err(error) => {
                let expected = proved(&body).map(|lines| panic!("{error}, and it has {lines:?}"));
                assert_eq!(error.kind(), expected.unwrap_err().kind(), "{error}");
            }
        },
    }
    outcome
}

/// The lines that the client takes of what the server sends.
fn receive(address: SocketAddr) -> Result<Vec<String>> {
    let settings = format!(
        r#""base_url": "http://{address}/api", "retry_window_seconds": 0, "request_timeout_seconds": 4"#
    );
    let reading = Reading::with_token(MARKER, &settings, Selection::all(&CUSTOMERS));
    let machine = Machine {
        scratch: Scratch::new(Vec::new()),
        proxies: Proxies::default(),
        certificates: None,
    };
    let plan = reading.plan.for_lines();
    let source = Source::new(&reading.config, machine, &());
    let mut accepted = source.receive(&plan, &mut ())?;
    let lines = take_lines(&mut accepted.batches, &plan)?;
    assert_eq!(accepted.batches.finish()?.rows(), lines.len() as u64);
    Ok(lines.into_iter().map(|(line, _)| line).collect())
}

/// The lines of a body at hand.
fn proved(body: &[u8]) -> Result<Vec<String>, Error> {
    Reading::everything().prove(body).map(|proved| proved.lines)
}
