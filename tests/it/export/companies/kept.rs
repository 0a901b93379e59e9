//! A server that keeps its connections open, and counts them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(super) struct Kept {
    pub(super) base_url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Kept {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base_url = format!("http://{}/api", listener.local_addr().unwrap());
        let (connections, requests) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (opened, asked) = (connections.clone(), requests.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                opened.fetch_add(1, Ordering::SeqCst);
                let asked = asked.clone();
                thread::spawn(move || answer(&stream.unwrap(), &asked));
            }
        });
        Self { base_url, connections, requests }
    }

    /// Connections and requests so far.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// Answers one request after the other; each has its own customer.
fn answer(mut stream: &TcpStream, asked: &AtomicUsize) {
    let mut request = [0; 8192];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        let id = asked.fetch_add(1, Ordering::SeqCst);
        let body = format!(r#"{{"status":"1","customers":[{{"id":"{id}","name":"x"}}]}}"#);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}
