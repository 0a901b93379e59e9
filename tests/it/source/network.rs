//! Proxies and name servers: what cannot be meant is a configuration error at once, and nobody else is asked instead.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::support::answer::Answer;
use crate::support::{Connector, finish};

/// A company that no test reaches.
const COMPANY: &str = "https://komet.example/api";

fn connector() -> Connector {
    Connector::configured(json!({
        "authentication_token": "k0m3t-s3cr3t-t0k3n",
        "base_url": COMPANY,
        "retry_window_seconds": 20,
    }))
}

fn doors(connector: &Connector) -> Vec<Answer> {
    connector.prepare_read();
    let read = ["read", "--config", "config.json", "--catalog", "catalog.json"];
    let tap = ["--config", "config.json"];
    let export = ["export", "--config", "config.json", "--to", "lake"];
    vec![connector.run(&read), connector.run(&tap), connector.run(&export)]
}

fn said(answer: &Answer) -> String {
    format!("{}{}", answer.text(), answer.stderr)
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_and_never_passed_by() {
    for (variable, value) in [
        ("HTTPS_PROXY", "http://DOMAIN\\me:hidden@ss/x@proxy:3128"),
        ("https_proxy", "::::"),
        ("ALL_PROXY", "socks5://hidden:1080"),
        ("HTTPS_PROXY", "ftp://hidden"),
    ] {
        let connector = connector().with_environment(variable, value);
        let started = Instant::now();
        for answer in doors(&connector) {
            assert_eq!(answer.code, Some(78), "{variable}={value}: {}", said(&answer));
            assert!(said(&answer).contains(variable), "{}", said(&answer));
            assert!(!said(&answer).contains("hidden"), "{}", said(&answer));
        }
        assert!(started.elapsed().as_secs() < 5);
    }
}

#[test]
fn a_proxy_that_asks_for_a_password_is_a_config_error_at_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let proxy = format!("http://me:hidden@{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            asked.push(String::from_utf8_lossy(&request[..read]).into_owned());
            let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(refusal.as_bytes()).unwrap();
        }
        asked
    });
    let connector = connector().with_environment("HTTPS_PROXY", &proxy);
    let started = Instant::now();
    for answer in doors(&connector) {
        assert_eq!(answer.code, Some(78), "{}", said(&answer));
        assert!(
            said(&answer).contains("HTTPS_PROXY") && said(&answer).contains("407"),
            "{}",
            said(&answer)
        );
        assert!(!said(&answer).contains("hidden"), "{}", said(&answer));
    }
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    let asked = server.join().unwrap();
    assert!(
        asked.iter().all(|request| request.starts_with("CONNECT komet.example:443")),
        "{asked:?}"
    );
    assert!(!asked.iter().any(|request| request.contains("s3cr3t")), "{asked:?}");
    // `me:hidden`
    let password = "proxy-authorization: basic bwu6aglkzgvu";
    assert!(asked.iter().all(|request| request.to_lowercase().contains(password)), "{asked:?}");
}

#[test]
fn a_machine_without_a_name_server_asks_nobody_and_says_so() {
    for resolv_conf in ["", "search corp.example", "nameserver 10.9.9", "# nothing"] {
        let connector = connector();
        connector.prepare_read();
        connector.write("resolv.conf", resolv_conf);
        for door in [
            &["read", "--config", "config.json", "--catalog", "catalog.json"][..],
            &["export", "--config", "config.json", "--to", "lake"],
            &["export", "--config", "config.json", "--to", "s3://bucket/x"],
        ] {
            let program = connector.command(door);
            let mut command = Command::new("unshare");
            let script = "mount --bind resolv.conf /etc/resolv.conf && exec \"$@\"";
            command.args(["--mount", "sh", "-c", script, "sh"]).arg(program.get_program());
            command.args(program.get_args()).current_dir(connector.folder());
            command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "secret-of-a-store");
            let started = Instant::now();
            let answer = finish(command, b"");
            if answer.stderr.contains("unshare") || answer.stderr.contains("mount:") {
                println!("left out: this user may make no mount namespace");
                return;
            }
            assert_eq!(answer.code, Some(78), "{resolv_conf:?} {door:?}: {}", said(&answer));
            assert!(said(&answer).contains("/etc/resolv.conf"), "{}", said(&answer));
            assert!(started.elapsed().as_secs() < 3);
        }
    }
}

#[test]
fn a_store_over_plain_http_names_the_variable_that_allows_it() {
    let connector = connector()
        .with_environment("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .with_environment("AWS_ACCESS_KEY_ID", "a")
        .with_environment("AWS_SECRET_ACCESS_KEY", "secret-of-a-store");
    let answer = connector.run(&["export", "--config", "config.json", "--to", "s3://bucket/x"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    assert!(answer.stderr.contains("AWS_ALLOW_HTTP=true"), "{}", answer.stderr);
}

#[test]
fn a_stores_redirect_takes_no_credential_to_another_host() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let elsewhere = other.local_addr().unwrap();
    let store = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", store.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in store.incoming().take(200) {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    let connector = Connector::configured(json!({
        "authentication_token": "k0m3t-s3cr3t-t0k3n",
        "base_url": "http://127.0.0.1:1/api",
        "retry_window_seconds": 0,
    }))
    .with_environment("AWS_ENDPOINT_URL", &endpoint)
    .with_environment("AWS_ALLOW_HTTP", "true")
    .with_environment("AWS_ACCESS_KEY_ID", "a")
    .with_environment("AWS_SECRET_ACCESS_KEY", "secret-of-a-store")
    .with_environment("AWS_SESSION_TOKEN", "token-of-a-session");
    let answer = connector.run(&["export", "--config", "config.json", "--to", "s3://bucket/x"]);
    assert_eq!(answer.code, Some(78), "{}", answer.stderr);
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err(), "the redirect was followed");
}
