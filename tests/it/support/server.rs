//! A server that answers one request with very many customers, and sees when the client has them all.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use kometsales::simulator::write_reply;
use serde_json::{Value, json};

/// One reply, uncompressed, to whoever asks first.
pub(crate) struct Server {
    base_url: String,
    /// Gets a word when the client has received everything and closed the connection.
    pub(crate) received: Receiver<()>,
}

impl Server {
    pub(crate) fn of(customers: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let base_url = format!("http://{}/api", listener.local_addr().unwrap());
        let mut body = Vec::new();
        write_reply(&mut body, customers).unwrap();
        let (sender, received) = channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 8192];
            assert!(stream.read(&mut request).unwrap() > 0);
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
                .unwrap();
            stream.write_all(&body).unwrap();
            assert_eq!(stream.read(&mut request).unwrap(), 0);
            sender.send(()).unwrap();
        });
        Self { base_url, received }
    }

    /// The configuration of a connector that asks it.
    pub(crate) fn config(&self) -> Value {
        json!({"authentication_token": "abcdefgh", "base_url": self.base_url, "retry_window_seconds": 0})
    }
}
