//! The token travels in the URL of every request, and is seen nowhere else: not in what the program says,
//! not in a file, not in its arguments, and not by another server.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use kometsales::simulator::{
    DEMO_TOKEN, Delivery, FAULTS, Fault, FaultForm, Options, Reply, Simulator,
};
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::secrets::{assert_absent, assert_absent_in_folder, base64, forms};
use crate::support::{Connector, NOBODY, at_once, catalog, eventually, finish, wait};

/// What Komet issues looks like this.
const PLAIN: &str = "7fB29cE4d1A84f6C";

/// What nobody issues, but what shows whether every form of a token is thought of.
const AWKWARD: &str = "t0K&%/ é\"+x";

fn company(token: &str) -> Simulator {
    let token = token.to_owned();
    Simulator::start(Options { customers: 120, token, ..Options::default() }).unwrap()
}

/// The connector, as talkative as it can be.
fn talkative(simulator: &Simulator) -> Connector {
    Connector::of(simulator)
        .with("request_timeout_seconds", 1)
        .with_environment("RUST_LOG", "trace")
        .with_environment("RUST_BACKTRACE", "1")
        .with_environment("LOG_LEVEL", "trace")
}

/// Runs `check`, `discover` or `read` with `--debug`.
fn debug(connector: &Connector, verb: &str) -> Answer {
    connector.write("catalog.json", catalog("customers", "full_refresh", Value::Null).to_string());
    let arguments = ["--debug", verb, "--config", "config.json", "--catalog", "catalog.json"];
    connector.run(if verb == "read" { &arguments } else { &arguments[..4] })
}

#[test]
fn discover_shows_no_token() {
    for token in [PLAIN, AWKWARD] {
        let connector = talkative(&company(token));
        let answer = debug(&connector, "discover");
        assert!(answer.code == Some(0) && !answer.messages().is_empty(), "{}", answer.told());
        assert_secret(token, &connector, &answer);
    }
}

#[track_caller]
fn assert_secret(token: &str, connector: &Connector, answer: &Answer) {
    assert_absent(token, "stdout", &answer.stdout);
    assert_absent(token, "stderr", answer.stderr.as_bytes());
    assert_absent_in_folder(token, &connector.scratch());
}

/// The exit codes of a check and of a read under a fault. A check reports what lasts in its answer, and ends well.
fn codes(fault: &str) -> [i32; 2] {
    match fault {
        "status-zero" | "token-refused" | "echo-token" | "unauthorized" | "forbidden" => [0, 77],
        "missing" | "redirect" => [0, 78],
        "rate-limit" | "rate-limit-date" | "server-error" | "web-page" | "plain-text" => [75, 75],
        "cut" | "cut-length" | "cut-chunked" | "cut-gzip" | "wrong-gzip" => [75, 75],
        "reset" | "refuse" | "stall" | "stall-headers" => [75, 75],
        "status-missing" | "not-an-object" | "two-values" => [65, 65],
        // A check asks for no records.
        "bad-ids" | "bad-utf8" => [0, 65],
        _ => [0, 0],
    }
}

/// Checks and reads under every fault that `is_meant`.
fn go_through_faults(token: &str, is_meant: impl Fn(&str) -> bool) {
    let meant: Vec<&FaultForm> = FAULTS.iter().filter(|form| is_meant(form.name())).collect();
    at_once(&meant, |form| {
        let usage = form.usage();
        let fault: Fault = match usage.split_once(":") {
            Some((name, argument)) if !argument.ends_with(']') => {
                let number = if argument == "MILLISECONDS" { "1" } else { "20" };
                format!("{name}:{number}").parse().unwrap()
            }
            _ => form.name().parse().unwrap(),
        };
        let simulator = company(token);
        let connector = talkative(&simulator);
        for (verb, code) in ["check", "read"].into_iter().zip(codes(form.name())) {
            simulator.reply_next(fault.clone());
            let answer = debug(&connector, verb);
            assert_eq!(answer.code, Some(code), "{usage}: {}", answer.told());
            assert_secret(token, &connector, &answer);
        }
        for request in simulator.requests() {
            assert_eq!(request.parameter("authenticationToken"), Some(token), "{usage}");
            assert_eq!(request.header("Referer"), None, "{usage}");
            for (name, value) in &request.headers {
                assert_absent(token, name, value.as_bytes());
            }
        }
    });
}

fn stalls(fault: &str) -> bool {
    fault.starts_with("stall")
}

#[test]
fn no_fault_makes_the_program_say_a_plain_token() {
    go_through_faults(PLAIN, |fault| !stalls(fault));
}

#[test]
fn no_fault_makes_the_program_say_a_token_of_awkward_characters() {
    go_through_faults(AWKWARD, |fault| !stalls(fault));
}

#[test]
fn no_time_out_makes_the_program_say_the_token() {
    go_through_faults(AWKWARD, stalls);
}

/// Replies in which the server quotes this text where the program quotes the server, each with the exit code of a read.
fn quoting(text: &str) -> Vec<(Reply, i32)> {
    let said = |status: u16, message: &str| {
        let body = json!({"status": "0", "message": message}).to_string();
        Reply::new(status, "application/json", body)
    };
    let message = format!("The token {text} may not call customer.list");
    vec![
        (said(200, &message), 77),
        (said(400, &message), 77),
        (said(401, &message), 77),
        (said(503, &message), 75),
        (Reply::new(403, "text/html", format!("<p>{message}</p>")), 77),
        (Reply::new(200, "text/html", format!("<p>{message}</p>")), 75),
        (Reply::new(502, "text/plain", text), 75),
        (Reply::json(format!("[{}]", Value::from(text))), 65),
        (Reply::json(format!(r#"{{"status":{},"customers":[]}}"#, Value::from(text))), 65),
        (Reply::json(format!(r#"{{"status":"1","customers":[],{}:1"#, Value::from(text))), 75),
    ]
}

#[test]
fn a_server_that_quotes_the_token_is_quoted_without_it_in_whatever_form() {
    // Names of forms that only this program could make; a server that echoes has no use for them.
    let is_echoed = |name: &str| !["base64", "Rust", "twice"].iter().any(|own| name.contains(own));
    for token in [PLAIN, AWKWARD] {
        let simulator = company(token);
        let connector = talkative(&simulator);
        let mut texts: Vec<String> = forms(token)
            .into_iter()
            .filter(|(name, _)| is_echoed(name))
            .map(|(_, form)| String::from_utf8(form).unwrap())
            .collect();
        texts.sort();
        texts.dedup();
        let mut leaks = BTreeMap::new();
        for text in &texts {
            for (reply, code) in quoting(text) {
                let what =
                    format!("HTTP {} {}", reply.status, String::from_utf8_lossy(&reply.body));
                simulator.reply_next(reply);
                let answer = debug(&connector, "read");
                assert_eq!(answer.code, Some(code), "{what}: {}", answer.told());
                // In the program's line, the server's text is escaped once more.
                let messages = answer.messages();
                let said = messages.iter().filter_map(|m| m["trace"]["error"]["message"].as_str());
                let said: String = said.collect();
                for (name, form) in forms(token) {
                    let form = String::from_utf8(form).unwrap();
                    if said.contains(&form) || answer.text().contains(&form) {
                        leaks.entry(name).or_insert_with(|| format!("{what}\n  -> {said}"));
                    }
                }
            }
        }
        assert!(leaks.is_empty(), "it is shown: {leaks:#?}");
    }
}

#[test]
fn a_token_at_the_end_of_what_is_shown_is_not_shown_in_part() {
    let simulator = company(PLAIN);
    let connector = talkative(&simulator);
    for before in (5..=215).step_by(5).chain([500, 1990, 4090, 65_530]) {
        let text = format!("{}{PLAIN} and more", "-".repeat(before));
        let html = format!("<p>{text}</p>");
        let message = json!({"status": "0", "message": text}).to_string();
        let replies =
            [Reply::new(500, "text/html", html.as_str()), Reply::json(html), Reply::json(message)];
        for reply in replies {
            simulator.reply_next(reply);
            let answer = debug(&connector, "read");
            assert_absent(&PLAIN[..4], "stdout", &answer.stdout);
        }
    }
}

#[test]
fn a_long_reply_is_searched_for_the_token_in_no_time() {
    let simulator = company(PLAIN);
    let connector = talkative(&simulator).with("request_timeout_seconds", 20);
    for text in ["\\", "%", "%25", "&", "+", "\\u00", "7fB29cE4d1A84f6", "7"] {
        simulator.reply_next(Reply::new(503, "text/plain", text.repeat(64 * 1024 / text.len())));
        let answer = debug(&connector, "read");
        assert_eq!(answer.code, Some(75), "{}", answer.told());
        assert!(answer.elapsed.as_secs() < 5, "{text:?} took {:?}", answer.elapsed);
    }
}

#[test]
fn a_redirect_is_not_followed_wherever_it_leads() {
    let elsewhere = company(PLAIN);
    for status in [301, 302, 303, 307, 308] {
        for target in [elsewhere.base_url().to_owned(), "/other".to_owned()] {
            let simulator = company(PLAIN);
            let connector = talkative(&simulator);
            for verb in ["check", "read"] {
                let location = format!("{target}/customer.list");
                simulator
                    .reply_next(Reply::new(status, "text/plain", "").header("Location", &location));
                let answer = debug(&connector, verb);
                assert_secret(PLAIN, &connector, &answer);
            }
            assert_eq!(simulator.requests().len(), 2, "{status} {target}");
        }
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn an_address_that_fails_is_reported_without_its_query() {
    let plain = company(AWKWARD);
    let secure = plain.base_url().replace("http://", "https://");
    // What a check says of it, and a read: nobody listens; no TLS is spoken; a proxy that is not there.
    let addresses = [
        ("http://127.0.0.1:1/api", [75, 75]),
        (&secure, [0, 78]),
        ("https://api.kometsales.com/api", [75, 75]),
        ("https://a.invalid/api", [75, 75]),
    ];
    for (base_url, codes) in addresses {
        // Nothing leaves this machine.
        let connector =
            talkative(&plain).with("base_url", base_url).with_environment("HTTPS_PROXY", NOBODY);
        for (verb, code) in ["check", "read"].into_iter().zip(codes) {
            let answer = debug(&connector, verb);
            assert_eq!(answer.code, Some(code), "{base_url}: {}", answer.told());
            assert!(answer.states().is_empty());
            assert_secret(AWKWARD, &connector, &answer);
        }
    }
}

#[test]
fn a_name_that_no_server_knows_is_reported_without_the_token() {
    let connector = talkative(&company(AWKWARD)).with("base_url", "https://a.invalid/api");
    connector.prepare_read();
    // Of this machine, and nobody answers there.
    connector.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    let program = connector.command(&[
        "--debug",
        "read",
        "--config",
        "config.json",
        "--catalog",
        "catalog.json",
    ]);
    let mut command = Command::new("unshare");
    let script = "mount --bind resolv.conf /etc/resolv.conf && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(program.get_program());
    command.args(program.get_args()).current_dir(connector.folder());
    let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(variables);
    let answer = finish(command, b"");
    if answer.stderr.contains("unshare") || answer.stderr.contains("mount:") {
        println!("left out: this user may make no mount namespace");
        return;
    }
    assert_eq!(answer.code, Some(75), "{}", answer.told());
    assert!(answer.error().contains("a.invalid"), "{}", answer.told());
    assert_secret(AWKWARD, &connector, &answer);
}

#[test]
fn a_configuration_that_is_wrong_is_reported_without_the_token() {
    let simulator = company(AWKWARD);
    for (key, value) in [
        ("start_date", json!(AWKWARD)),
        ("lookback_hours", json!(format!("the token is {AWKWARD}"))),
        ("base_url", json!(format!("https://{PLAIN}@example.com/?{PLAIN}"))),
        ("timezone", json!(AWKWARD)),
        ("code", json!([AWKWARD])),
    ] {
        let connector = talkative(&simulator).with(key, value);
        let answer = debug(&connector, "read");
        assert_eq!(answer.code, Some(78), "{}", answer.told());
        assert_secret(AWKWARD, &connector, &answer);
        assert_secret(PLAIN, &connector, &answer);
    }
}

#[test]
fn while_it_runs_the_token_is_not_among_the_arguments_or_the_open_files() {
    let simulator = company(PLAIN);
    simulator
        .reply_next(Reply::json(crate::support::replies::SAMPLE).delivered(Delivery::Stall(50)));
    let connector = Connector::of(&simulator).with("request_timeout_seconds", 20);
    let mut child = connector.start_read();
    eventually("the request arrives", || simulator.requests().len() == 1);
    let process = format!("/proc/{}", child.id());
    for file in ["cmdline", "environ", "comm"] {
        let content = fs::read(format!("{process}/{file}")).unwrap();
        assert_absent(PLAIN, file, &content);
    }
    for file in fs::read_dir(format!("{process}/fd")).unwrap() {
        let target = fs::read_link(file.unwrap().path()).unwrap_or_default();
        assert!(!target.to_string_lossy().ends_with("config.json"), "it is still open");
    }
    child.kill().unwrap();
    wait(&mut child);
}

#[test]
fn a_token_that_is_a_word_of_the_protocol_leaves_the_messages_as_they_are() {
    for token in ["customers", "updatedOn", "properties", "emitted_at", "CONNECTION_STATUS"] {
        let simulator = company(token);
        let connector = Connector::of(&simulator);
        let answer = connector.check();
        let statuses = answer.connection_statuses();
        assert_eq!(statuses.len(), 1, "{token}: {}", answer.told());
        assert_eq!(statuses[0], json!({"status": "SUCCEEDED"}), "{token}");
        let read = connector.read("incremental").succeeded();
        let again = connector.read_after(&read.state()).succeeded();
        assert!(again.warnings().is_empty(), "{token}: {:?}", again.warnings());
    }
}

#[test]
fn the_state_shows_nothing_of_the_token() {
    let simulator = company(PLAIN);
    let state = Connector::of(&simulator).read("full_refresh").succeeded().stream_state();
    let scope = state["scope"].as_str().unwrap();
    assert!(scope.len() == 64 && scope.bytes().all(|byte| byte.is_ascii_hexdigit()), "{scope}");
    let other = company(DEMO_TOKEN);
    let of_other = Connector::of(&other).read("full_refresh").succeeded().stream_state();
    assert_ne!(of_other["scope"], state["scope"]);
}

#[test]
fn the_search_for_a_token_finds_it_in_every_form() {
    let encoded = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
    assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    for text in [
        "t0K&%/ é\"+x",
        "t0K%26%25%2F%20%C3%A9%22%2Bx",
        "t0K%26%25%2f+%c3%a9%22%2bx",
        r#"t0K&%/ é\"+x"#,
        r#"t0K&%\/ \u00e9\"+x"#,
        "dDBLJiUvIMOpIit4",
    ] {
        let is_found = forms(AWKWARD).into_iter().any(|(_, form)| form == text.as_bytes());
        assert!(is_found, "{text}");
    }
}
