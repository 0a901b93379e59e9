//! The faults of how a reply travels, and the end of the simulator.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

use super::super::{Delivery, Options, Reply, Simulator};
use super::{End, Exchange, Fault, exchange, gunzip, healthy, list, played, simulator};

fn played_in_gzip(fault: &str) -> Exchange {
    let simulator = simulator(30);
    simulator.reply_next(fault.parse::<Fault>().unwrap());
    list(&simulator, "&includeInactive=true", "Accept-Encoding: gzip\r\n")
}

#[test]
fn a_cut_that_http_does_not_show() {
    let reply = played("cut:1000");
    assert_eq!((reply.end, reply.body.as_slice()), (End::Closed, &healthy().as_bytes()[..1000]));
    assert_eq!((reply.header("Content-Length"), reply.header("Transfer-Encoding")), (None, None));
    let packed = played_in_gzip("cut:1000");
    assert_eq!(gunzip(&packed.body), &healthy().as_bytes()[..1000], "a good gzip of a cut JSON");
    assert_eq!(played("cut:0").body, b"");
    assert_eq!(played("cut:10000000").body, healthy().as_bytes());
}

#[test]
fn a_cut_that_the_length_shows() {
    let reply = played("cut-length:1000");
    let length = healthy().len();
    assert_eq!(reply.header("Content-Length"), Some(length.to_string().as_str()));
    assert_eq!((reply.end, reply.body.as_slice()), (End::Closed, &healthy().as_bytes()[..1000]));
    let late = played("cut-length:10000000");
    assert_eq!(late.header("Content-Length"), Some((length + 1).to_string().as_str()));
    assert_eq!(played_in_gzip("cut-length:1000").body.len(), 1000);
}

#[test]
fn a_cut_that_the_chunks_show() {
    let (body, complete) = played("cut-chunked:1000").dechunked();
    assert_eq!((body.as_slice(), complete), (&healthy().as_bytes()[..1000], false));
    assert!(!played_in_gzip("cut-chunked:1000").dechunked().1);
}

#[test]
fn a_gzip_that_lacks_its_end_and_one_that_is_none() {
    let whole = played_in_gzip("healthy").dechunked().0;
    let (cut, complete) = played("cut-gzip").dechunked();
    assert!(complete && cut == whole[..whole.len() - 20]);
    let mut text = Vec::new();
    assert!(GzDecoder::new(cut.as_slice()).read_to_end(&mut text).is_err());
    assert_eq!(played("cut-gzip:8").dechunked().0, whole[..whole.len() - 8]);
    let wrong = played("wrong-gzip");
    assert_eq!(wrong.header("Content-Encoding"), Some("gzip"));
    assert_eq!(wrong.dechunked().0, healthy().as_bytes());
}

#[test]
fn a_reset_comes_after_the_bytes() {
    let reply = played("reset:1000");
    assert_eq!(
        (reply.end, reply.dechunked().0.as_slice()),
        (End::Reset, &healthy().as_bytes()[..1000])
    );
    assert_eq!(played("reset:0").end, End::Reset);
    assert_eq!(played_in_gzip("reset:1000").end, End::Reset);
}

#[test]
fn a_connection_that_is_refused_says_nothing() {
    let reply = played("refuse");
    assert_eq!((reply.end, reply.head.as_str(), reply.body.len()), (End::Closed, "", 0));
}

#[test]
fn a_stall_keeps_the_connection_open() {
    let reply = played("stall:1000");
    assert_eq!(
        (reply.end, reply.dechunked().0.as_slice()),
        (End::Open, &healthy().as_bytes()[..1000])
    );
    let reply = played("stall-headers");
    assert_eq!((reply.end, reply.head.as_str()), (End::Open, "HTTP/1.1 200 OK\r\n"));
    let reply = played_in_gzip("stall:1000");
    let mut text = vec![0; 1000];
    GzDecoder::new(reply.dechunked().0.as_slice()).read_exact(&mut text).unwrap();
    assert_eq!((reply.end, text.as_slice()), (End::Open, &healthy().as_bytes()[..1000]));
}

#[test]
fn a_drip_takes_its_time() {
    let start = Instant::now();
    let reply = played("drip:20");
    assert_eq!(reply.text(), healthy());
    assert!(start.elapsed() > Duration::from_millis(20) * (healthy().len() / 512) as u32);
}

#[test]
fn a_made_up_reply_travels_in_every_way() {
    let simulator = simulator(1);
    let ask = |delivery| {
        simulator.reply_next(Reply::json("0123456789").delivered(delivery));
        exchange(&simulator, "GET /api/invoice.list HTTP/1.1\r\n\r\n")
    };
    assert_eq!(ask(Delivery::Whole).text(), "0123456789");
    assert_eq!(ask(Delivery::Drip(Duration::from_millis(1))).text(), "0123456789");
    assert_eq!(
        (ask(Delivery::Cut(4)).body, ask(Delivery::CutLength(4)).body.len()),
        (b"0123".to_vec(), 4)
    );
    assert_eq!(ask(Delivery::CutLength(4)).header("Content-Length"), Some("10"));
    assert_eq!(ask(Delivery::CutChunked(4)).dechunked(), (b"0123".to_vec(), false));
    assert_eq!((ask(Delivery::Reset(4)).end, ask(Delivery::Stall(4)).end), (End::Reset, End::Open));
    assert_eq!(ask(Delivery::Refuse).head, "");
    assert_eq!(ask(Delivery::StallHeaders).end, End::Open);
}

/// Asks for the list, and returns when the simulator has started to answer.
fn begin(simulator: &Simulator) -> TcpStream {
    let mut stream = TcpStream::connect(simulator.address).unwrap();
    let token = simulator.token();
    write!(stream, "GET /api/customer.list?authenticationToken={token} HTTP/1.1\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    stream
}

#[test]
fn the_end_of_the_simulator_waits_for_nobody() {
    let simulator = simulator(10_000_000);
    let mut held = Vec::new();
    for fault in ["stall:100", "stall-headers", "drip:60000", "healthy"] {
        simulator.reply_next(fault.parse::<Fault>().unwrap());
        // The healthy one has a client that never reads, so its writer is blocked.
        held.push(begin(&simulator));
    }
    held.push(TcpStream::connect(simulator.address).unwrap());
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    let address = simulator.address;
    drop(simulator);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_search_that_finds_nobody_ends_with_the_simulator() {
    let options = Options { customers: 1_000_000_000_000, ..Options::default() };
    let simulator = Simulator::start(options).unwrap();
    let mut stream = TcpStream::connect(simulator.address).unwrap();
    let token = simulator.token();
    write!(stream, "GET /api/customer.list?id=1&authenticationToken={token} HTTP/1.1\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    let start = Instant::now();
    drop(simulator);
    assert!(start.elapsed() < Duration::from_secs(2));
}
