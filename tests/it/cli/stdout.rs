//! Whatever stdout is connected to: nothing, a reader that leaves, a pipe that does not block.

use std::io::Read;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::support::{Connector, collect, eventually, finish, simulator, wait};

/// Runs a command in a shell that redirects its stdout.
fn redirected(
    connector: &Connector,
    arguments: &[&str],
    redirection: &str,
) -> (Option<i32>, String) {
    let program = connector.command(arguments);
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.display()))
        .collect();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{} {redirection}", words.join(" "))])
        .current_dir(connector.folder());
    let answer = finish(command, b"");
    (answer.code, answer.stderr)
}

#[test]
fn output_that_is_discarded_is_no_error_however_it_is() {
    for arguments in [
        &["spec"][..],
        &["--discover"],
        &["read", "--config", "config.json", "--catalog", "catalog.json"],
        &["export", "--config", "config.json", "--to", "lake"],
    ] {
        let simulator = simulator(10);
        let connector = Connector::of(&simulator);
        connector.prepare_read();
        // As a shell, and as Python's subprocess.DEVNULL and daemons have it.
        for redirection in [">/dev/null", "1<>/dev/null"] {
            let (code, stderr) = redirected(&connector, arguments, redirection);
            assert_eq!(code, Some(0), "{arguments:?} {redirection}: {stderr}");
        }
    }
}

#[test]
fn an_answer_of_the_parser_that_cannot_be_written_is_an_error_too() {
    let connector = Connector::of(&simulator(0));
    for arguments in [&["--help"][..], &["--version"], &["export", "--help"], &["help"]] {
        let (code, stderr) = redirected(&connector, arguments, ">/dev/full");
        assert_eq!(code, Some(70), "{arguments:?}: {stderr}");
        assert!(stderr.contains("stdout could not be written"), "{stderr}");
        assert_eq!(redirected(&connector, arguments, "| true").1, "", "{arguments:?}");
    }
}

#[test]
fn a_reader_that_leaves_after_any_number_of_bytes_is_no_message() {
    let simulator = simulator(2000);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    for bytes in [0, 1, 50, 90, 150, 300, 500, 700, 1000, 5000, 100_000] {
        for level in ["debug", "info"] {
            let read = ["read", "--config", "config.json", "--catalog", "catalog.json"];
            let mut command = connector.command(&read);
            command.env("LOG_LEVEL", level).stdin(Stdio::null());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut vec![0; bytes]).unwrap();
            drop(stdout);
            let stderr = collect(child.stderr.take());
            let code = wait(&mut child).code();
            assert_eq!(String::from_utf8(stderr.join().unwrap()).unwrap(), "", "{bytes}, {level}");
            assert_eq!(code, Some(70), "{bytes}, {level}");
        }
    }
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    const CUSTOMERS: u64 = 5000;
    let simulator = simulator(CUSTOMERS);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    for arguments in [
        &["read", "--config", "config.json", "--catalog", "catalog.json"][..],
        &["--config", "config.json"],
    ] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap() | OFlags::NONBLOCK).unwrap();
        let same = writer.try_clone().unwrap();
        let mut command = connector.command(arguments);
        let mut child =
            command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        let stderr = collect(child.stderr.take());
        let no_time = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_full =
            || poll(&mut [PollFd::new(&same, PollFlags::OUT)], Some(&no_time)).unwrap() == 0;
        eventually("the pipe is full", is_full);
        drop(same);
        let mut lines = String::new();
        reader.read_to_string(&mut lines).unwrap();
        let code = wait(&mut child).code();
        assert_eq!(code, Some(0), "{:?}", String::from_utf8(stderr.join().unwrap()));
        let records = lines.lines().filter(|line| line.contains(r#""RECORD""#)).count() as u64;
        assert_eq!(records, CUSTOMERS);
        assert!(lines.lines().last().unwrap().contains('}'), "{arguments:?}");
    }
}
