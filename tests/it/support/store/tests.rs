//! The store of the tests: that its conditions are exclusive, that its script does what it says, and
//! that it speaks as the stores do. The client is the plainest there is, so that nothing is tried again.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::store::client::{CREATIONS, Client, GCS, S3, ask, end};
use crate::support::store::{Options, Rule, Store};

/// Longer than a test waits for anything.
const LONG: u64 = 600_000;

fn store() -> Store {
    Store::start(Options::default())
}

#[test]
fn one_of_many_creates() {
    const WRITERS: usize = 16;
    for headers in CREATIONS {
        for _ in 0..20 {
            let store = store();
            let barrier = Barrier::new(WRITERS);
            let statuses: Mutex<Vec<(u16, String)>> = Mutex::default();
            thread::scope(|scope| {
                for writer in 0..WRITERS {
                    let (store, barrier, statuses) = (&store, &barrier, &statuses);
                    scope.spawn(move || {
                        let mut client = Client::of(store);
                        let body = writer.to_string();
                        barrier.wait();
                        let answer = client.ask("PUT /bucket/log/1.json", headers, &body).unwrap();
                        statuses.lock().unwrap().push((answer.status, body));
                    });
                }
            });
            let statuses = statuses.into_inner().unwrap();
            let (created, refused): (Vec<_>, Vec<_>) =
                statuses.into_iter().partition(|(status, _)| *status == 200);
            assert_eq!(created.len(), 1, "{created:?}");
            assert!(refused.iter().all(|(status, _)| *status == 412), "{refused:?}");
            assert_eq!(store.get("bucket", "log/1.json").unwrap(), created[0].1.as_bytes());
        }
    }
}

#[test]
fn an_object_is_replaced_only_as_it_was_seen() {
    let store = store();
    let first = ask(&store, "PUT /bucket/key", S3, "first").unwrap();
    let seen = format!("{S3}If-Match: {}\r\n", first.header("etag"));
    assert_eq!(ask(&store, "PUT /bucket/key", &seen, "second").unwrap().status, 200);
    assert_eq!(ask(&store, "PUT /bucket/key", &seen, "third").unwrap().status, 412);
    assert_eq!(ask(&store, "PUT /bucket/other", &seen, "third").unwrap().status, 404);

    let second = ask(&store, "HEAD /bucket/key", "", "").unwrap();
    let generation = second.header("x-goog-generation");
    let seen = format!("x-goog-if-generation-match: {generation}\r\n");
    assert_eq!(ask(&store, "PUT /bucket/key", &seen, "third").unwrap().status, 200);
    assert_eq!(ask(&store, "PUT /bucket/key", &seen, "fourth").unwrap().status, 412);
    assert_eq!(ask(&store, "PUT /bucket/other", &seen, "fourth").unwrap().status, 412);
    assert_eq!(store.get("bucket", "key").unwrap(), b"third");
    assert_eq!(store.keys("bucket"), ["key"]);
}

#[test]
fn conditions_are_ignored_by_a_store_or_by_a_rule() {
    for headers in CREATIONS {
        let careless = Store::start(Options { ignores_conditions: true, ..Options::default() });
        for body in ["first", "second"] {
            assert_eq!(ask(&careless, "PUT /bucket/key", headers, body).unwrap().status, 200);
            assert_eq!(careless.get("bucket", "key").unwrap(), body.as_bytes());
        }
        let store = store();
        store.script(Rule::on("PUT", "key").nth(2).ignores_conditions());
        let statuses = ["first", "second", "third"]
            .map(|body| ask(&store, "PUT /bucket/key", headers, body).unwrap().status);
        assert_eq!(statuses, [200, 200, 412]);
        assert_eq!(store.get("bucket", "key").unwrap(), b"second");
    }
}

#[test]
fn a_request_ends_as_the_script_says_and_is_applied_or_not() {
    type Case = (fn(Rule) -> Rule, Result<u16, ErrorKind>, bool);
    let cases: &[Case] = &[
        (|rule| rule, Ok(200), true),
        (|rule| rule.answers(500), Ok(500), false),
        (|rule| rule.answers(503), Ok(503), false),
        (|rule| rule.answers(409), Ok(409), false),
        (|rule| rule.answers(403), Ok(403), false),
        (|rule| rule.answers(404), Ok(404), false),
        (Rule::closes, Err(ErrorKind::UnexpectedEof), false),
        (Rule::resets, Err(ErrorKind::ConnectionReset), false),
        (|rule| rule.answers(500).after_applying(), Ok(500), true),
        (|rule| rule.after_applying().answers(500), Ok(500), true),
        (|rule| rule.closes().after_applying(), Err(ErrorKind::UnexpectedEof), true),
        (|rule| rule.resets().after_applying(), Err(ErrorKind::ConnectionReset), true),
    ];
    for headers in CREATIONS {
        for (number, (rule, expected, applied)) in cases.iter().enumerate() {
            let store = store();
            store.script(rule(Rule::on("PUT", "bucket/key")));
            let answer = ask(&store, "PUT /bucket/key", headers, "ours");
            assert_eq!(end(&answer), *expected, "case {number}");
            assert_eq!(store.get("bucket", "key").is_some(), *applied, "case {number}");
            let again = ask(&store, "PUT /bucket/key", headers, "ours").unwrap();
            assert_eq!(again.status, if *applied { 412 } else { 200 }, "case {number}");
        }
    }
}

#[test]
fn a_rule_is_for_its_requests_and_has_its_turns() {
    let store = store();
    store.script(Rule::on("PUT", "log/").ending(".json").nth(2).times(2).answers(503));
    store.script(Rule::on("*", "log/2.json").answers(500));
    store.script(Rule::on("DELETE", "").answers(403).always());
    let lines = [
        ("PUT /bucket/log/1.json", 200),
        ("PUT /bucket/log/1.crc", 200),
        ("GET /bucket/log/1.json", 200),
        ("PUT /bucket/data/1.json", 200),
        ("PUT /bucket/log/2.json", 503),
        ("PUT /bucket/log/2.json", 503),
        // Only now does it get to the rule after that.
        ("PUT /bucket/log/2.json", 500),
        ("PUT /bucket/log/2.json", 200),
        ("DELETE /bucket/log/2.json", 403),
        ("DELETE /bucket/data/1.json", 403),
    ];
    for (line, expected) in lines {
        assert_eq!(ask(&store, line, S3, "").unwrap().status, expected, "{line}");
    }
    let asked: Vec<String> = lines.iter().map(|(line, _)| line.replace(" /", " ")).collect();
    assert_eq!(store.requests(), asked);
    assert_eq!(store.count("PUT", "log/2"), 4);
    assert_eq!(store.count("*", "bucket"), lines.len());
    assert_eq!(store.count("PATCH", ""), 0);
}

#[test]
fn a_competitor_gets_there_first() {
    for headers in CREATIONS {
        let store = store();
        store.script(Rule::on("PUT", "key").before(|store| store.put("bucket", "key", "theirs")));
        assert_eq!(ask(&store, "PUT /bucket/key", headers, "ours").unwrap().status, 412);
        assert_eq!(store.get("bucket", "key").unwrap(), b"theirs");
    }
}

#[test]
fn a_delay_is_before_or_after_the_write() {
    const DELAY: Duration = Duration::from_millis(100);
    let store = store();
    let delay = u64::try_from(DELAY.as_millis()).unwrap();
    for rule in [Rule::on("PUT", "").delays_before(delay), Rule::on("PUT", "").delays_after(delay)]
    {
        store.script(rule);
        let started = Instant::now();
        assert_eq!(ask(&store, "PUT /bucket/key", S3, "").unwrap().status, 200);
        assert!(started.elapsed() >= DELAY);
    }

    let write = |key: &str, headers: &str| {
        let mut client = Client::of(&store);
        client.send(&format!("PUT /bucket/{key} HTTP/1.1\r\n{headers}\r\n"));
        client
    };
    store.script(Rule::on("PUT", "after").delays_after(LONG));
    let waiting = write("after", "");
    eventually("the write lands", || store.get("bucket", "after").is_some());
    store.script(Rule::on("PUT", "before").delays_before(LONG));
    let also_waiting = write("before", "");
    eventually("the write arrives", || store.count("PUT", "before") == 1);
    assert_eq!(store.get("bucket", "before"), None);

    // A client that goes away does not take its write with it.
    store.script(Rule::on("PUT", "late").delays_before(delay));
    drop(write("late", ""));
    eventually("the write lands", || store.get("bucket", "late").is_some());

    let started = Instant::now();
    drop(store);
    assert!(started.elapsed() < Duration::from_secs(10), "the store waited for its delays");
    drop((waiting, also_waiting));
}

#[test]
fn a_panic_in_the_script_is_one_in_the_test() {
    let store = store();
    store.script(Rule::on("PUT", "").before(|_| panic!("as the test wants")));
    assert_eq!(end(&ask(&store, "PUT /bucket/key", "", "")), Err(ErrorKind::UnexpectedEof));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(store))).is_err());
}

/// Begins an upload of `big`, and gives the query that names it.
fn upload(client: &mut Client, headers: &str) -> String {
    let answer = client.ask("POST /bucket/big?uploads", headers, "").unwrap();
    format!("uploadId={}", answer.texts("UploadId")[0])
}

fn completion(parts: &[(u32, &str)]) -> String {
    let part = |(number, etag): &(u32, &str)| {
        format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>")
    };
    let parts: String = parts.iter().map(part).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[test]
fn an_upload_is_no_object_until_it_is_completed() {
    for headers in [S3, GCS] {
        let store = store();
        let mut client = Client::of(&store);
        let id = upload(&mut client, headers);
        let mut etags = Vec::new();
        for (number, body) in [(2, "second"), (1, "other"), (1, "first ")] {
            let line = format!("PUT /bucket/big?partNumber={number}&{id}");
            etags.push(client.ask(&line, headers, body).unwrap().header("etag").to_owned());
        }
        assert_eq!(client.ask("GET /bucket/big", headers, "").unwrap().status, 404);
        assert_eq!(store.keys("bucket"), Vec::<String>::new());
        assert_eq!(store.pending_uploads(), ["bucket/big"]);

        let mut complete = |parts: &[(u32, &str)]| {
            let line = format!("POST /bucket/big?{id}");
            client.ask(&line, headers, &completion(parts)).unwrap().status
        };
        let [second, other, first] = [0, 1, 2].map(|index: usize| etags[index].as_str());
        // Of another part, of no part, in the wrong order, of nothing.
        let wrong: [&[(u32, &str)]; 4] =
            [&[(1, other)], &[(3, first)], &[(2, second), (1, first)], &[]];
        for parts in wrong {
            assert_eq!(complete(parts), 400, "{parts:?}");
        }
        assert_eq!(store.pending_uploads(), ["bucket/big"]);
        assert_eq!(complete(&[(1, first), (2, &second.replace('"', "&quot;"))]), 200);
        assert_eq!(store.get("bucket", "big").unwrap(), b"first second");
        assert_eq!(store.pending_uploads(), Vec::<String>::new());
        assert_eq!(complete(&[(1, first)]), 404, "completed twice");
    }
}

#[test]
fn an_upload_may_be_aborted_or_lose_to_another_write() {
    let store = store();
    let mut client = Client::of(&store);
    let id = upload(&mut client, S3);
    assert_eq!(client.ask(&format!("DELETE /bucket/big?{id}"), S3, "").unwrap().status, 204);
    assert_eq!(client.ask(&format!("DELETE /bucket/big?{id}"), S3, "").unwrap().status, 404);
    assert_eq!(store.pending_uploads(), Vec::<String>::new());

    let id = upload(&mut client, S3);
    let line = format!("PUT /bucket/big?partNumber=1&{id}");
    let etag = client.ask(&line, S3, "ours").unwrap().header("etag").to_owned();
    store.put("bucket", "big", "theirs");
    let line = format!("POST /bucket/big?{id}");
    let answer = client.ask(&line, CREATIONS[0], &completion(&[(1, &etag)])).unwrap();
    assert_eq!(answer.status, 412);
    assert_eq!(store.get("bucket", "big").unwrap(), b"theirs");
    assert_eq!(store.pending_uploads(), ["bucket/big"]);
}

#[test]
fn lists_are_sorted_and_come_in_pages() {
    let keys = ["a&b", "log/1.json", "log/2.json", "log/old/1.json", "log/old/2.json", "log0", "é"];
    for headers in [S3, GCS] {
        for page_size in [None, Some(1), Some(2), Some(3)] {
            let store = Store::start(Options { page_size, ..Options::default() });
            keys.iter().rev().for_each(|key| store.put("bucket", key, *key));
            store.put("bucket2", "elsewhere", "");
            let list = |query: &str| {
                let mut found = Vec::new();
                let mut token = String::new();
                loop {
                    let line = format!("GET /bucket?list-type=2{query}{token}");
                    let answer = ask(&store, &line, headers, "").unwrap();
                    let mut page = answer.texts("Key");
                    page.extend(answer.texts("CommonPrefixes"));
                    assert!(page.len() <= page_size.unwrap_or(1000), "{page:?}");
                    found.extend(page.into_iter().map(str::to_owned));
                    match answer.texts("NextContinuationToken").first() {
                        Some(next) => token = format!("&continuation-token={next}"),
                        None => break,
                    }
                }
                found.sort();
                found
            };
            assert_eq!(list("&prefix=log%2F"), &keys[1..5]);
            assert_eq!(list("&prefix=log/&start-after=log/1.json"), &keys[2..5]);
            let old = "<Prefix>log/old/</Prefix>";
            assert_eq!(list("&prefix=log/&delimiter=/"), [old, keys[1], keys[2]]);
            assert_eq!(list("&prefix=nothing/"), Vec::<String>::new());
            assert_eq!(store.keys("bucket"), keys);
        }
        let store = store();
        keys.iter().for_each(|key| store.put("bucket", key, *key));
        let answer = ask(&store, "GET /bucket?list-type=2", headers, "").unwrap();
        assert_eq!(answer.texts("Key")[0], "a&amp;b");
        assert_eq!(&answer.texts("Key")[1..], &keys[1..], "{}", answer.body);
    }
}

#[test]
fn one_connection_carries_many_requests_in_every_framing() {
    let store = store();
    let mut client = Client::of(&store);
    client.send("PUT /bucket/a%20+b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("6;x=y\r\nchunks\r\n4\r\n and\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(client.receive(false).unwrap().status, 200);
    assert_eq!(store.get("bucket", "a +b").unwrap(), b"chunks and");

    client.send("PUT /bucket/c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n");
    assert_eq!(client.receive(false).unwrap().status, 100);
    client.send("length");
    assert_eq!(client.receive(false).unwrap().status, 200);

    for (range, status, body) in [
        ("bytes=1-2", 206, "en"),
        ("bytes=4-", 206, "th"),
        ("bytes=-3", 206, "gth"),
        ("bytes=2-99", 206, "ngth"),
        ("bytes=6-", 416, ""),
    ] {
        let answer = client.ask("GET /bucket/c", &format!("Range: {range}\r\n"), "").unwrap();
        assert_eq!(answer.status, status, "{range}");
        assert!(answer.body == body || status == 416, "{range}: {}", answer.body);
    }
    let head = client.ask("HEAD /bucket/c", "", "").unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, "6"));
    assert_eq!(client.ask("GET /bucket/c", "Connection: close\r\n", "").unwrap().body, "length");
    assert_eq!(end(&client.receive(false)), Err(ErrorKind::UnexpectedEof));
}

#[test]
fn deletions_are_written_as_the_dialect_has_them() {
    let store = store();
    for (headers, expected) in [(S3, [204, 204]), (GCS, [204, 404])] {
        store.put("bucket", "a", "");
        let statuses =
            [(); 2].map(|()| ask(&store, "DELETE /bucket/a", headers, "").unwrap().status);
        assert_eq!(statuses, expected);
    }
    ["a", "b", "c<&>"].iter().for_each(|key| store.put("bucket", key, ""));
    let keys = "<Object><Key>a</Key></Object><Object><Key>c&lt;&amp;&#x3e;</Key></Object>";
    let body = format!("<Delete>{keys}</Delete>");
    let answer = ask(&store, "POST /bucket?delete", S3, &body).unwrap();
    assert_eq!(answer.texts("Key"), ["a", "c&lt;&amp;&gt;"]);
    assert_eq!(store.keys("bucket"), ["b"]);
    assert_eq!(store.count("POST", "bucket?delete a c<&>"), 1);
    assert_eq!(ask(&store, "POST /bucket?delete", GCS, &body).unwrap().status, 400);
}
