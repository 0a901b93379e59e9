//! What a server may send, made up whole: replies at hand, and replies to the byte.

use std::fmt::Write as _;
use std::io::Write as _;

use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use kometsales::streams::customers::CUSTOMERS;

use super::checks::redaction::MARKER;
use super::made::{date, once_in, one};
use super::mutated::Pool;

/// Records as elements of a list: declared and unknown members, with values in odd forms.
pub(super) fn reply(rng: &mut Rng, pool: &Pool) -> Vec<u8> {
    let mut elements = Vec::new();
    for _ in 0..rng.usize(..4) {
        let mut members = vec![format!("\"id\":{}", rng.u32(1..9))];
        for _ in 0..rng.usize(..6) {
            let name = match rng.choice(CUSTOMERS.fields) {
                Some(field) if !once_in(rng, 5) => field.name,
                _ => one(rng, &["x", "\\u0069d", "Id", "é", "", "_extra"]),
            };
            let value = match rng.u8(..8) {
                0 => format!("\"{}\"", String::from_utf8_lossy(&date(rng, pool))),
                1 => String::from_utf8_lossy(pool.word(rng)).trim_end_matches(':').to_owned(),
                2 => format!("\"{}\"", rng.i64(..)),
                3 => rng.u64(..).to_string(),
                _ => one(
                    rng,
                    &[
                        "null",
                        "true",
                        "\"1\"",
                        "0",
                        "-0",
                        "1.0",
                        "1e3",
                        "\"a\\nb\"",
                        "\"\\ud800\"",
                        "\"é🌹\"",
                        "[{}]",
                        "{\"a\":1}",
                        "\"\"",
                    ],
                )
                .to_owned(),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        rng.shuffle(&mut members);
        elements.push(format!("{{{}}}", members.join(",")));
    }
    let list = elements.join(",");
    if rng.bool() {
        return list.into_bytes();
    }
    let mut members = [
        format!("\"status\":{}", one(rng, &["1", "\"1\"", "0", "\"0\"", "true", "2", "null"])),
        format!(
            "\"customers\":{}",
            one(rng, &["[]", "null", "{}", "\"\"", "@", "@", "@", "@"])
                .replace('@', &format!("[{list}]"))
        ),
        format!("\"message\":\"{}\"", one(rng, &["OK", "Invalid token", "", "a\\nb"])),
    ];
    rng.shuffle(&mut members);
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// All that a server sends: heads, fields, framing and a body that mostly go together.
pub(super) fn http(rng: &mut Rng, pool: &Pool) -> Vec<u8> {
    let mut body = reply(rng, pool);
    if !body.starts_with(b"{\"") || once_in(rng, 3) {
        body = match rng.u8(..6) {
            0 => b"<html><title>k0m3t%2ds3cr3t</title>no</html>".to_vec(),
            1 => format!("{{\"status\":0,\"message\":\"{MARKER} is wrong\"}}").into_bytes(),
            2 => Vec::new(),
            _ => [b"{\"status\":1,\"customers\":[", &body[..], b"]}"].concat(),
        };
    }
    let status = if once_in(rng, 3) {
        one(
            rng,
            &[
                "100 x",
                "103 x",
                "201 x",
                "204 x",
                "301 Moved",
                "304 x",
                "400 x",
                "401 x",
                "404 x",
                "429 x",
                "500 x",
                "503 x",
                "999 x",
                "20 x",
                "101 x",
            ],
        )
    } else {
        "200 OK"
    };
    let mut head = String::new();
    if once_in(rng, 8) {
        head.push_str(one(
            rng,
            &["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"],
        ));
    }
    write!(
        head,
        "{} {status}\r\n",
        one(rng, &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2"])
    )
    .unwrap();
    for _ in 0..rng.usize(..4) {
        head.push_str(one(
            rng,
            &[
                "Content-Type: application/json\r\n",
                "Content-Type: text/html; charset=k0m3t-s3cr3t\r\n",
                "Connection: close\r\n",
                "Date: Wed, 01 Jan 2025 00:00:00 GMT\r\n",
                "Date: k0m3t-s3cr3t\r\n",
                "Retry-After: 120\r\n",
                "Retry-After: -1\r\n",
                "Retry-After: Wed, 01 Jan 2125 00:00:00 GMT\r\n",
                "Retry-After: 99999999999999999999\r\n",
                "Location: http://127.0.0.1:1/k0m3t-s3cr3t\r\n",
                "Trailer: x\r\n",
                "X: \u{e9}\r\n",
                "Content-Encoding: identity\r\n",
                "Content-Encoding: br\r\n",
                "Set-Cookie: k0m3t-s3cr3t\r\n",
                "A:b\r\n",
            ],
        ));
    }
    if once_in(rng, 4) {
        head.push_str("Content-Encoding: gzip\r\n");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).unwrap();
        body = encoder.finish().unwrap();
    }
    match rng.u8(..8) {
        0..=2 => {
            let length = body.len().saturating_add_signed(if once_in(rng, 4) {
                rng.isize(-3..3)
            } else {
                0
            });
            write!(head, "Content-Length: {length}\r\n").unwrap();
        }
        3..=5 => {
            head.push_str("Transfer-Encoding: chunked\r\n");
            let mut chunks = Vec::new();
            for piece in body.chunks(1 + rng.usize(..100)) {
                write!(
                    chunks,
                    "{:x}{}\r\n",
                    piece.len(),
                    if once_in(rng, 20) { ";x=y" } else { "" }
                )
                .unwrap();
                chunks.extend_from_slice(piece);
                chunks.extend_from_slice(b"\r\n");
            }
            chunks.extend_from_slice(
                one(rng, &["0\r\n\r\n", "0\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\n"]).as_bytes(),
            );
            body = chunks;
        }
        _ => {}
    }
    let mut sent = [head.as_bytes(), b"\r\n", &body[..]].concat();
    if once_in(rng, 6) {
        pool.change(&mut sent, rng);
    }
    if once_in(rng, 8) {
        sent.truncate(rng.usize(..=sent.len()));
    }
    sent
}
