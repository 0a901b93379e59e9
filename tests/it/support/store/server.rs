//! Takes connections, each on a thread of its own, and ends them all when the store ends.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::request::Reader;
use super::{End, Shared};

/// The thread that takes connections. Dropping it ends every thread of the store.
pub(super) struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Self { shared, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        // Nobody answers this one: it only makes the thread look up.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.shared.port));
        let ended = self.thread.take().map(JoinHandle::join);
        // A second panic would end the process and hide the first.
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "a thread of the store panicked, see above");
        }
    }
}

/// A connection that is being answered. Weak, because only its thread may close the socket: a reset
/// would come late otherwise.
struct Connection {
    stream: Weak<TcpStream>,
    thread: JoinHandle<()>,
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections: Vec<Connection> = Vec::new();
    for stream in listener.incoming() {
        if shared.is_stopped() {
            break;
        }
        let stream = Arc::new(stream.unwrap());
        let weak = Arc::downgrade(&stream);
        let shared = Arc::clone(shared);
        // What fails in it is the client's going away, which is no concern of the store.
        let thread = thread::spawn(move || drop(converse(&stream, &shared)));
        connections.push(Connection { stream: weak, thread });
    }
    for stream in connections.iter().filter_map(|connection| connection.stream.upgrade()) {
        // A connection that the client has closed cannot be shut down, and need not be.
        let _ = stream.shutdown(Shutdown::Both);
    }
    for connection in connections {
        connection.thread.join().unwrap();
    }
}

fn converse(stream: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream);
    while let Some(request) = reader.next()? {
        match shared.answer(&request) {
            End::Reply(reply) => {
                reply.write(stream, request.line.method == "HEAD", request.is_last)?
            }
            End::Close => break,
            End::Reset => {
                return socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
        if request.is_last {
            break;
        }
    }
    Ok(())
}
