//! Takes connections, each on a thread of its own, and ends them all when the simulator ends.

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::answer::Answer;
use super::companies::Companies;
use super::delivery::deliver;
use super::reply::Reply;
use super::request::{Received, receive};

/// A connection that is being answered. Weak, because only the last owner's end closes the socket,
/// and that has to be its thread: a reset would come late otherwise.
struct Connection {
    stream: Weak<TcpStream>,
    thread: JoinHandle<()>,
}

/// Answers until the stop is set and one more connection, which nobody answers, arrives.
pub(super) fn serve(listener: &TcpListener, companies: &Arc<Companies>) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let accepted = listener.accept();
        if companies.stop.is_stopped() {
            break;
        }
        connections.retain(|connection| !connection.thread.is_finished());
        let connection = accepted.and_then(|(stream, _)| open(stream, Arc::clone(companies)));
        match connection {
            Ok(connection) => connections.push(connection),
            // No descriptor or no thread is left: those that are busy will free some.
            Err(_) => {
                companies.stop.sleep(Duration::from_millis(20));
            }
        }
    }
    for stream in connections.iter().filter_map(|connection| connection.stream.upgrade()) {
        // A connection the client has closed cannot be shut down, and need not be.
        let _ = stream.shutdown(Shutdown::Both);
    }
    for connection in connections {
        let _ = connection.thread.join();
    }
}

fn open(stream: TcpStream, companies: Arc<Companies>) -> io::Result<Connection> {
    let stream = Arc::new(stream);
    let weak = Arc::downgrade(&stream);
    let thread =
        thread::Builder::new().name("simulator-connection".to_owned()).spawn(move || {
            // What fails here is the client's going away, which is no concern of the simulator.
            let _ = answer(&stream, &companies);
        })?;
    Ok(Connection { stream: weak, thread })
}

fn answer(stream: &TcpStream, companies: &Companies) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match receive(stream)? {
        Received::Nothing => Ok(()),
        Received::Request(request) => {
            // It counts as at work until its last byte is sent.
            let _at_work = companies.begin(&request);
            let answer = companies.answer(&request);
            deliver(stream, &answer, request.understands_chunks, &companies.stop)?;
            // A close with a body unread is a reset, which may destroy the answer.
            if request.method == "GET" { Ok(()) } else { drain(stream) }
        }
        Received::Unreadable(status) => {
            let reply = Reply::new(status, "text/plain", "This is no request.\n");
            deliver(stream, &Answer::from(reply), false, &companies.stop)?;
            drain(stream)
        }
    }
}

fn drain(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    io::copy(&mut stream.take(1 << 20), &mut io::sink()).map(|_| ())
}
