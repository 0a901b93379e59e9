//! The program as a process: its streams, signals, exit codes, environment and temporary files.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kometsales::simulator::{Delivery, Reply};
use serde_json::{Value, json};

use crate::support::answer::Failure;
use crate::support::replies::SAMPLE;
use crate::support::server::Server;
use crate::support::{
    Connector, LONGEST_RUN, NOBODY, catalog, collect, eventually, finish, simulator, wait,
};

/// More customers than a spool keeps in memory.
const VERY_MANY: u64 = 200_000;

/// Enough customers that a pipe does not hold them.
const MANY: u64 = 50_000;

fn stderr_of(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The ids of the records on stdout, which are too many to be read as JSON.
fn ids(stdout: &[u8]) -> Vec<u64> {
    let mark = r#""data":{"id":"#;
    let text = std::str::from_utf8(stdout).unwrap();
    let rests = text.lines().filter_map(|line| line.split_once(mark).map(|(_, rest)| rest));
    rests.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

/// The temporary files that a process has open: they have no name any more.
fn spools(child: &Child) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).collect()
}

#[test]
fn a_reader_that_goes_away_ends_the_read_quietly() {
    let server = Server::of(MANY);
    let connector = Connector::configured(server.config());
    let mut child = connector.start_read();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..10 {
        stdout.read_line(&mut line).unwrap();
    }
    assert!(line.contains("RECORD") && !line.contains("STATE"), "{line}");
    drop(stdout);
    assert_eq!(wait(&mut child).code(), Some(Failure::System.code()));
    assert_eq!(stderr_of(&mut child), "");
}

/// Each verb, and what else writes to stdout.
const VERBS: [&[&str]; 6] = [
    &["spec"],
    &["discover"],
    &["check", "--config", "config.json"],
    &["read", "--config", "config.json", "--catalog", "catalog.json"],
    &["generate", "docs"],
    &["generate", "schema"],
];

#[test]
fn a_reader_that_was_never_there_ends_every_verb_quietly() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    for arguments in VERBS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = connector.command(arguments);
        let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait(&mut child).code(), Some(Failure::System.code()), "{arguments:?}");
        assert_eq!(stderr_of(&mut child), "", "{arguments:?}");
    }
}

#[test]
fn a_stdout_that_takes_nothing_is_an_error_and_is_reported() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    for arguments in VERBS {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = connector.command(arguments);
        let mut child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait(&mut child).code(), Some(Failure::System.code()), "{arguments:?}");
        let told = stderr_of(&mut child);
        assert!(told.contains("stdout") && !told.contains("panicked"), "{arguments:?}: {told:?}");
    }
}

#[test]
fn two_files_from_standard_input_are_a_mistake_on_the_command_line() {
    let connector = Connector::of(&simulator(1));
    for arguments in [
        vec!["read", "--config", "-", "--catalog", "-"],
        vec!["read", "--config", "-", "--catalog", "c.json", "--state", "-"],
        vec!["--config", "-", "--state", "-"],
    ] {
        let answer = connector.run(&arguments);
        assert_eq!(answer.code, Some(2), "{arguments:?}");
        assert!(answer.stderr.contains("standard input"), "{}", answer.stderr);
    }
}

#[test]
fn a_signal_ends_a_read_at_once_by_its_default_action() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let simulator = simulator(10);
        simulator.reply_next(Reply::json(SAMPLE).delivered(Delivery::Stall(100)));
        let connector = Connector::of(&simulator);
        let mut child = connector.start_read();
        eventually("the request arrives", || simulator.requests().len() == 1);
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(wait(&mut child).signal(), Some(number));
        let stdout = collect(child.stdout.take()).join().unwrap();
        assert!(!String::from_utf8(stdout).unwrap().contains("STATE"));
        assert_eq!(stderr_of(&mut child), "");
    }
}

#[test]
fn a_signal_ends_a_read_that_waits_for_its_reader() {
    let server = Server::of(MANY);
    let connector = Connector::configured(server.config());
    let mut child = connector.start_read();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    server.received.recv_timeout(LONGEST_RUN).unwrap();
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(wait(&mut child).signal(), Some(15));
    assert_eq!(stderr_of(&mut child), "");
}

#[test]
fn a_program_that_is_killed_with_its_output_half_written_has_written_no_state() {
    for bytes in [1, 1000, 70_000, 1_000_000] {
        for arguments in [
            &["read", "--config", "config.json", "--catalog", "catalog.json"][..],
            &["--config", "config.json"],
        ] {
            let server = Server::of(MANY);
            let connector = Connector::configured(server.config());
            connector.prepare_read();
            let mut command = connector.command(arguments);
            let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            let mut written = vec![0; bytes];
            stdout.read_exact(&mut written).unwrap();
            child.kill().unwrap();
            assert_eq!(wait(&mut child).signal(), Some(9));
            stdout.read_to_end(&mut written).unwrap();
            let text = String::from_utf8_lossy(&written);
            assert!(!text.contains(r#""type":"STATE""#), "{arguments:?}, {bytes}");
            // Every line but the last is whole.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            for line in whole.lines() {
                assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
            }
        }
    }
}

#[test]
fn a_destination_that_does_not_read_never_holds_the_connection() {
    let server = Server::of(MANY);
    let connector = Connector::configured(server.config());
    let mut child = connector.start_read();
    // Nobody reads stdout, and the reply is received all the same.
    server.received.recv_timeout(LONGEST_RUN).unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    let stdout = collect(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
    assert_eq!(ids(&stdout.join().unwrap()).len() as u64, MANY);
}

#[test]
fn a_reply_larger_than_memory_is_spilled_and_every_record_goes_out_once() {
    let server = Server::of(VERY_MANY);
    let connector = Connector::configured(server.config());
    let mut child = connector.start_read();
    server.received.recv_timeout(LONGEST_RUN).unwrap();
    // The last of what was received has yet to be decoded.
    eventually("the reply is spilled", || !spools(&child).is_empty());
    let spools = spools(&child);
    assert_eq!(spools.len(), 1, "{spools:?}");
    assert!(spools[0].starts_with(connector.scratch()), "{spools:?}");
    assert_eq!(fs::read_dir(connector.scratch()).unwrap().count(), 0);
    let stdout = collect(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
    let ids = ids(&stdout.join().unwrap());
    assert_eq!(ids.len() as u64, VERY_MANY);
    assert_eq!(ids.into_iter().collect::<HashSet<u64>>().len() as u64, VERY_MANY);
    assert_eq!(fs::read_dir(connector.scratch()).unwrap().count(), 0);
}

#[test]
fn where_tmpdir_cannot_be_written_another_folder_is_taken() {
    let server = Server::of(VERY_MANY);
    let connector = Connector::configured(server.config());
    connector.write("a-file", "");
    let a_file = connector.folder().join("a-file");
    let connector = connector.with_environment("TMPDIR", a_file.to_str().unwrap());
    let mut child = connector.start_read();
    server.received.recv_timeout(LONGEST_RUN).unwrap();
    eventually("the reply is spilled", || !spools(&child).is_empty());
    let spools = spools(&child);
    assert!(spools.len() == 1 && !spools[0].starts_with(connector.folder()), "{spools:?}");
    let stdout = collect(child.stdout.take());
    assert_eq!(wait(&mut child).code(), Some(0));
    let stdout = stdout.join().unwrap();
    assert_eq!(ids(&stdout).len() as u64, VERY_MANY);
    assert!(!String::from_utf8(stdout).unwrap().contains("WARN"));
}

#[test]
fn a_configuration_may_come_on_standard_input() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.write("catalog.json", catalog("customers", "full_refresh", Value::Null).to_string());
    let config = json!({
        "authentication_token": simulator.token(),
        "base_url": simulator.base_url(),
    });
    let config = config.to_string();
    let checked = finish(connector.command(&["check", "--config", "-"]), config.as_bytes());
    assert_eq!(checked.connection_statuses(), [json!({"status": "SUCCEEDED"})]);
    let arguments = ["read", "--config", "-", "--catalog", "catalog.json"];
    let read = finish(connector.command(&arguments), config.as_bytes()).succeeded();
    assert_eq!(read.records().len(), 10);
    let wrong = finish(connector.command(&["check", "--config", "-"]), b"[]");
    let message = wrong.connection_statuses()[0]["message"].to_string();
    assert!(message.contains("standard input"), "{message}");
}

#[test]
fn a_command_line_that_is_not_understood_exits_2_with_nothing_on_stdout() {
    let connector = Connector::configured(json!({}));
    for arguments in [
        &["--colour"][..],
        &["read", "--config", "config.json", "--cursor", "x"],
        &["read", "--config", "config.json"],
        &["check"],
        &["write"],
        &["generate", "completions", "tcsh-of-old"],
        &["spec", "extra"],
        &[],
    ] {
        let answer = finish(connector.command(arguments), b"");
        assert_eq!((answer.code, answer.text()), (Some(2), ""), "{arguments:?}");
        assert!(answer.stderr.contains("--help"), "{arguments:?}: {}", answer.stderr);
    }
}

#[test]
fn help_and_version_are_answers_on_stdout() {
    let connector = Connector::configured(json!({}));
    let version = finish(connector.command(&["--version"]), b"");
    assert_eq!(version.text(), concat!("kometsales ", env!("CARGO_PKG_VERSION"), "\n"));
    for arguments in [&["--help"][..], &["read", "--help"], &["help", "simulate"]] {
        let help = finish(connector.command(arguments), b"");
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(help.text().contains("Usage"), "{arguments:?}");
    }
}

/// The levels of the log messages of a read in which there is something to warn of.
fn levels(connector: &Connector, arguments: &[&str]) -> Vec<&'static str> {
    connector.write("catalog.json", catalog("customers", "full_refresh", Value::Null).to_string());
    let read = ["read", "--config", "config.json", "--catalog", "catalog.json"];
    let answer = connector.run(&[arguments, &read].concat()).succeeded();
    let levels = ["DEBUG", "INFO", "WARN"];
    levels.into_iter().filter(|level| !answer.logs(level).is_empty()).collect()
}

#[test]
fn the_environment_says_how_much_is_logged() {
    let simulator = simulator(10);
    for (level, expected) in [
        ("", &["INFO", "WARN"][..]),
        ("info", &["INFO", "WARN"]),
        ("WARN", &["WARN"]),
        ("warning", &["WARN"]),
        ("error", &[]),
        ("Fatal", &[]),
    ] {
        let connector = Connector::of(&simulator).with("x", 1).with_environment("LOG_LEVEL", level);
        assert_eq!(levels(&connector, &[]), expected, "{level}");
    }
}

#[test]
fn debug_logs_more_whether_it_is_a_flag_or_a_level() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator).with("x", 1);
    assert_eq!(levels(&connector, &["--debug"]), ["DEBUG", "INFO", "WARN"]);
    let connector = connector.with_environment("LOG_LEVEL", "debug");
    assert_eq!(levels(&connector, &[]), ["DEBUG", "INFO", "WARN"]);
}

#[test]
fn loopback_is_asked_without_the_proxy() {
    let simulator = simulator(10);
    let mut connector = Connector::of(&simulator);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        connector = connector.with_environment(name, NOBODY);
    }
    connector.read("full_refresh").succeeded();
    let named = simulator.base_url().replace("127.0.0.1", "localhost");
    connector.with("base_url", named).read("full_refresh").succeeded();
    assert_eq!(simulator.requests().len(), 2);
}

#[test]
fn the_program_leaves_nothing_in_its_folder() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.read("full_refresh").succeeded();
    connector.check();
    let mut names: Vec<String> = fs::read_dir(connector.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["catalog.json", "config.json", "tmp"]);
    assert!(File::open(connector.scratch()).is_ok());
    assert_eq!(fs::read_dir(connector.scratch()).unwrap().count(), 0);
}

#[test]
fn help_has_people_first_and_fits_into_80_columns() {
    let connector = Connector::configured(json!({}));
    let help = |arguments: &[&str]| finish(connector.command(arguments), b"").text().to_owned();
    let whole = help(&["--help"]);
    let place = |word: &str| whole.find(&format!("\n  {word} ")).unwrap();
    assert!(place("export") < place("spec") && place("demo") < place("spec"), "{whole}");
    assert!(place("read") < place("generate"), "{whole}");
    let short = finish(connector.command(&[]), b"");
    assert_eq!((short.code, short.text()), (Some(2), ""));
    assert!(
        short.stderr.lines().count() < 24 && short.stderr.contains("\n  demo "),
        "{}",
        short.stderr
    );
    let (_, commands) = short.stderr.split_once("\n\n  ").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names: Vec<&str> =
        commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["export", "show", "demo", "simulate", "spec", "check", "discover", "read"] {
        assert!(names.contains(&name) && whole.contains(&format!("\n  {name} ")), "{name}");
    }
    let screens = names.iter().flat_map(|name| [help(&[name, "--help"]), help(&[name, "-h"])]);
    for screen in screens.chain([help(&["-h"]), whole.clone(), short.stderr.clone()]) {
        let wide = screen.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None);
    }
}

#[test]
fn a_fault_that_is_misspelt_is_answered_with_the_one_that_was_meant() {
    let connector = Connector::configured(json!({}));
    let answer = finish(connector.command(&["simulate", "--fault", "server-eror"]), b"");
    assert_eq!(answer.code, Some(78));
    assert!(answer.stderr.contains("Did you mean `server-error`?"), "{}", answer.stderr);
    let answer = finish(connector.command(&["exprt"]), b"");
    assert!(answer.code == Some(2) && answer.stderr.contains("'export'"), "{}", answer.stderr);
}

#[test]
fn it_is_the_same_program_under_each_of_its_names() {
    let simulator = simulator(3);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    let program = env!("CARGO_BIN_EXE_kometsales");
    let table = "export --config config.json --to rows.parquet --json";
    for arguments in
        ["--version", "--about --format json", "spec", "--config config.json --test", table]
    {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut said = Vec::new();
        for name in ["kometsales", "tap-kometsales", "source-kometsales"] {
            let link = connector.folder().join(name);
            if !link.exists() {
                std::os::unix::fs::symlink(program, &link).unwrap();
            }
            let mut command = Command::new(&link);
            command.args(&arguments).env_clear().current_dir(connector.folder());
            let answer = finish(command, b"");
            let what = (answer.code, arguments[0] == "export" || answer.stdout.is_empty());
            let text = if arguments[0] == "export" { String::new() } else { answer.text().into() };
            said.push((what, text, answer.stderr));
        }
        assert!(said.iter().all(|one| one == &said[0]), "{arguments:?}: {said:?}");
        assert_eq!(said[0].0.0, Some(0), "{said:?}");
    }
}

#[cfg(target_env = "gnu")]
#[test]
fn an_export_sets_up_its_heap_unless_the_user_did() {
    let others = ["MALLOC_MMAP_THRESHOLD_=", "MALLOC_TRIM_THRESHOLD_="];
    for (given, expected, sets_the_others) in [(None, "1", true), (Some("3"), "3", false)] {
        let simulator = simulator(10);
        simulator.reply_next(Reply::json(SAMPLE).delivered(Delivery::Stall(50)));
        let connector = Connector::of(&simulator).with("request_timeout_seconds", 20);
        connector.prepare_read();
        let mut command = connector.command(&["export", "--config", "config.json", "--to", "lake"]);
        command.envs(given.map(|number| ("MALLOC_ARENA_MAX", number)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        eventually("the request arrives", || simulator.requests().len() == 1);
        let environment = fs::read(format!("/proc/{}/environ", child.id())).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        let has = |start: &str| environment.split('\0').any(|entry| entry.starts_with(start));
        assert!(has(&format!("MALLOC_ARENA_MAX={expected}")), "{given:?}: {environment}");
        assert!(others.iter().all(|name| has(name) == sets_the_others), "{given:?}: {environment}");
        child.kill().unwrap();
        wait(&mut child);
    }
}
