//! HTTPS as the binary speaks it: whom it trusts, and what it says of the rest.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};

use crate::support::{eventually, finish};

const REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"status\": \"1\", \"message\": \"\", \"customers\": []}";

/// A server with a certificate for `name`, signed by an authority of its own.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    authority: String,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // It only makes the thread look up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let ended = self.thread.take().map(JoinHandle::join);
        // A second panic would end the process and hide the first.
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server panicked, see above");
        }
    }
}

impl Server {
    fn start(name: &str, is_expired: bool, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::with(name, is_expired, versions, false)
    }

    /// One that asks for a certificate of its clients or does not.
    fn with(
        name: &str,
        is_expired: bool,
        versions: &[&'static SupportedProtocolVersion],
        asks: bool,
    ) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, &authority_key);
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if is_expired { 2021 } else { 2999 }, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(root.der().clone()).unwrap();
            let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(clients.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let config = builder
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        Self::serving(root.pem(), move |stream| answer(stream, config.clone()))
    }

    /// One that does this with each connection.
    fn serving(authority: String, converse: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, is_over) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (connections.clone(), is_over.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !ends.load(Ordering::SeqCst)) {
                count.fetch_add(1, Ordering::SeqCst);
                converse(stream.unwrap());
            }
        });
        Self { port, connections, authority, is_over, thread: Some(thread) }
    }

    /// What `check` answers, of a machine that trusts the authority or does not.
    fn check(&self, host: &str, is_trusted: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        let other = Server::other_authority();
        std::fs::write(&authority, if is_trusted { &self.authority } else { &other }).unwrap();
        let config = folder.path().join("config.json");
        let json = format!(
            r#"{{"authentication_token": "t0ken-77", "base_url": "https://{host}:{}/api", "retry_window_seconds": 0}}"#,
            self.port
        );
        std::fs::write(&config, json).unwrap();
        check(&config, &authority)
    }

    fn other_authority() -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap().pem()
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut request = [0; 4096];
    // A client that does not trust the server hangs up.
    if stream.read(&mut request).is_ok_and(|read| read > 0) {
        let _ = stream.write_all(REPLY.as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

fn check(config: &Path, authority: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kometsales"));
    command.args(["check", "--config"]).arg(config);
    command.env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR");
    let answer = finish(command, b"");
    assert_eq!(answer.code, Some(0), "{}", answer.told());
    answer.text().to_owned()
}

#[test]
fn a_server_whose_authority_is_trusted_is_spoken_to() {
    let server = Server::start("localhost", false, rustls::ALL_VERSIONS);
    let said = server.check("localhost", true);
    assert!(said.contains("SUCCEEDED"), "{said}");
}

#[test]
#[should_panic(expected = "the server panicked")]
fn a_server_that_panics_fails_its_test() {
    let server = Server::serving(String::new(), |_| panic!("as the test wants"));
    TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    eventually("it is taken", || server.connections.load(Ordering::SeqCst) == 1);
}

#[test]
fn tls_1_2_is_enough() {
    let server = Server::start("localhost", false, &[&rustls::version::TLS12]);
    let said = server.check("localhost", true);
    assert!(said.contains("SUCCEEDED"), "{said}");
}

#[test]
fn a_server_that_is_not_to_be_trusted_is_a_config_error_and_not_asked_again() {
    for (name, is_expired, is_trusted, reason) in [
        ("localhost", false, false, "invalid peer certificate"),
        ("elsewhere.example", false, true, "not valid for name"),
        ("localhost", true, true, "expired"),
    ] {
        let server = Server::start(name, is_expired, rustls::ALL_VERSIONS);
        let said = server.check("localhost", is_trusted);
        assert!(said.contains("FAILED") && said.contains("not secure"), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
        assert_eq!(server.connections.load(Ordering::SeqCst), 1, "{said}");
    }
}

#[test]
fn a_server_that_speaks_plain_http_is_not_sent_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let mut heard = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        let mut some = [0; 4096];
        let read = stream.read(&mut some).unwrap();
        heard.extend_from_slice(&some[..read]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        heard
    });
    let folder = tempfile::tempdir().unwrap();
    let (authority, config) =
        (folder.path().join("authority.pem"), folder.path().join("config.json"));
    std::fs::write(&authority, Server::other_authority()).unwrap();
    let json = format!(
        r#"{{"authentication_token": "t0ken-77", "base_url": "https://localhost:{port}/api"}}"#
    );
    std::fs::write(&config, json).unwrap();
    let said = check(&config, &authority);
    assert!(said.contains("FAILED"), "{said}");
    let heard = heard.join().unwrap();
    assert!(!String::from_utf8_lossy(&heard).contains("t0ken-77"));
}

#[test]
fn a_server_that_asks_for_a_certificate_is_a_config_error() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::with("localhost", false, &[version], true);
        let said = server.check("localhost", true);
        assert!(said.contains("FAILED"), "{said}");
        assert_eq!(server.connections.load(Ordering::SeqCst), 1, "{said}");
    }
}

/// What a server says that speaks TLS 1.1 alone: its hello, of a cipher that both may know.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 2, 0, length + 4, 2, 0, 0, length];
    record.extend(hello);
    record
}

#[test]
fn tls_below_1_2_is_refused_and_not_asked_again() {
    let server = Server::serving(Server::other_authority(), |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&hello_of_tls_1_1());
        let _ = stream.read(&mut [0; 4096]);
    });
    let said = server.check("localhost", true);
    assert!(said.contains("FAILED") && said.contains("not secure"), "{said}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1, "{said}");
}
